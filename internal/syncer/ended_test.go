package syncer_test

import (
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
)

// TestAWaitingSyncEndsWithItsSession holds that a sync that waits tells nothing once
// its session is over or its account locked, and does not wait on.
func TestAWaitingSyncEndsWithItsSession(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	for _, c := range []struct {
		name string
		end  func(bob *apitest.Client)
		want *errcode.Code
	}{
		{"signed out", func(bob *apitest.Client) {
			bob.Do(t, "POST", "/_matrix/client/v3/logout", nil).OK(t, nil)
		}, errcode.UnknownToken},
		{"locked", func(bob *apitest.Client) {
			srv.Write(t, func(tx *db.Tx) error { return srv.App.Accounts.SetLocked(tx, bob.UserID, true, "test") })
		}, errcode.UserLocked},
		{"deactivated", func(bob *apitest.Client) {
			srv.Write(t, func(tx *db.Tx) error { return srv.App.Accounts.Deactivate(tx, bob.UserID, "test", false) })
		}, errcode.UnknownToken},
	} {
		bob := srv.User(t, c.name[:4])
		room := alice.CreateRoom(t).Join(t, bob)
		poll := waits(t.Context(), bob, bob.Sync(t, "set_presence=offline").NextBatch)
		srv.UntilWaiting(t, bob.UserID)
		c.end(bob)
		room.Send(t, alice, "not for bob")
		got := <-poll
		if got.err != nil {
			t.Fatalf("%s: %v", c.name, got.err)
		}
		got.Fails(t, srv, c.want)
	}
	// To be suspended ends nothing: such an account reads on.
	bob := srv.User(t, "bob")
	room := alice.CreateRoom(t).Join(t, bob)
	poll := waits(t.Context(), bob, bob.Sync(t, "set_presence=offline").NextBatch)
	srv.UntilWaiting(t, bob.UserID)
	srv.Suspend(t, bob)
	room.Send(t, alice, "for bob")
	var s apitest.Sync
	(<-poll).OK(t, &s)
	same(t, "timeline", []string{"for bob"}, bodies(s.Rooms.Join[room.ID].Timeline.Events))
}
