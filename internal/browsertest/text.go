package browsertest

import "testing"

// Text is what the page shows, for what a person reads off it.
func (b *Browser) Text(t testing.TB) string {
	t.Helper()
	return b.text()
}
