package adminpages_test

import (
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/db"
)

// TestSignInsAreCounted holds that a sign-in counts on its day, also when the session is
// gone, and is forgotten when no chart shows it any more.
func TestSignInsAreCounted(t *testing.T) {
	srv, root := begin(t)
	alice := srv.User(t, "alice")
	srv.Device(t, alice.UserID, "TABLET")
	root.Get(t, "/admin").Shows(t, 200, "3 in the last 30 days; the most on one day were 3")
	write(t, srv, func(tx *db.Tx) error { return srv.App.Accounts.DeleteOtherDevices(tx, alice.UserID, "") })
	root.Get(t, "/admin").Shows(t, 200, "3 in the last 30 days; the most on one day were 3")
	kept := func(want int) {
		t.Helper()
		srv.Read(t, func(tx *db.Tx) error {
			n, err := db.Value[int](tx, `SELECT COUNT(*) FROM sign_ins`)
			if n != want {
				t.Errorf("%d sign-ins are kept, not %d", n, want)
			}
			return err
		})
	}
	srv.Advance(59 * 24 * time.Hour)
	srv.RunJobs(t)
	kept(3)
	srv.Advance(2 * 24 * time.Hour)
	srv.RunJobs(t)
	kept(0)
}
