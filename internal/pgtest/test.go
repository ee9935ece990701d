package pgtest

import (
	"errors"
	"os"
	"testing"
)

// StartFor is Start for one test, with which the server stops. Where PostgreSQL is not
// installed the test is skipped, but for CI, where it fails.
func StartFor(t testing.TB) *Server {
	t.Helper()
	s, err := Start()
	if errors.Is(err, ErrNotInstalled) && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatalf("Start: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Errorf("Stop: %v", err)
		}
	})
	return s
}

// DatabaseFor is NewDatabase for a test that cannot do without.
func (s *Server) DatabaseFor(t testing.TB, template string) string {
	t.Helper()
	url, err := s.NewDatabase(template)
	if err != nil {
		t.Fatalf("NewDatabase(%q): %v", template, err)
	}
	return url
}
