package apitest

import (
	"runtime"
	"testing"

	"github.com/narthex-matrix/narthex/internal/id"
)

// UntilWaiting returns when a long poll of a user waits: what comes from then on comes
// while it waits. The user has none before.
func (s *Server) UntilWaiting(t testing.TB, userID id.UserID) {
	t.Helper()
	for s.App.Waiting(userID) == 0 {
		if t.Context().Err() != nil {
			t.Fatal("nobody waits")
		}
		runtime.Gosched()
	}
}
