package browsertest

import (
	"testing"

	"github.com/chromedp/cdproto/emulation"
)

// Scripts lets pages run scripts from the next page on: for apps that stand beside
// the site and cannot do without.
func (b *Browser) Scripts(t testing.TB) {
	t.Helper()
	b.do(t, "allowing scripts", call(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: false}))
}
