package syncer_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/e2ee"
	"github.com/narthex-matrix/narthex/internal/id"
)

// TestTokensAroundARestore has tokens from before the backup, from the lost time after
// it, and from after the restore. Only those from the lost time begin anew, although
// the stream has gone far beyond them.
func TestTokensAroundARestore(t *testing.T) {
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	room := alice.CreateRoom(t)
	alice.Do(t, "PUT", "/_matrix/client/v3/rooms/"+string(room.ID)+"/state/m.room.encryption", `{"algorithm":"m.megolm.v1.aes-sha2"}`).OK(t, nil)
	alice.Do(t, "POST", "/_matrix/client/v3/rooms/"+string(room.ID)+"/invite", map[string]id.UserID{"user_id": bob.UserID}).OK(t, nil)
	bob.Do(t, "POST", "/_matrix/client/v3/rooms/"+string(room.ID)+"/join", `{}`).OK(t, nil)
	bob.Do(t, "PUT", "/_matrix/client/v3/sendToDevice/m.test/1", map[string]any{"messages": map[string]any{string(alice.UserID): map[string]any{"*": map[string]any{}}}}).OK(t, nil)
	before := alice.Sync(t, "").NextBatch
	cut := int64(position(before))

	var resumed int64
	err := srv.App.DB.Write(t.Context(), func(tx *db.Tx) (err error) {
		if err := tx.Restored(0); err != nil {
			return err
		}
		if resumed, err = tx.Position(); err != nil {
			return err
		}
		return accountsChanged(tx, bob.UserID)
	})
	if err != nil {
		t.Fatal(err)
	}
	// A restore happens while no server runs.
	srv = apitest.Over(t, srv.App.Config.Database)
	alice.Server, bob.Server = srv, srv
	room.Send(t, bob, "after")

	got := alice.Sync(t, "since="+before)
	if r := got.Rooms.Join[room.ID]; r == nil || r.Timeline.Limited || len(r.Timeline.Events.Events) != 1 {
		t.Errorf("a token from before the backup: got %s", got.Body)
	}
	if !slices.Contains(got.DeviceLists.Changed, bob.UserID) {
		t.Errorf("a token from before the backup: bob's devices are not to be looked up: %s", got.Body)
	}
	for _, since := range []int64{cut + 1, cut + 1000, resumed - 1} {
		got := alice.Sync(t, fmt.Sprintf("since=s%d", since))
		if r := got.Rooms.Join[room.ID]; r == nil || !r.Timeline.Limited || len(r.Timeline.Events.Events) != 10 {
			t.Errorf("a lost token: got %s", got.Body)
		}
		if !slices.Contains(got.DeviceLists.Changed, bob.UserID) {
			t.Errorf("a lost token: bob's devices are not to be looked up: %s", got.Body)
		}
		if len(got.ToDevice.Events) != 0 {
			t.Errorf("a lost token: what it says was received comes again: %s", got.Body)
		}
		if next := int64(position(got.NextBatch)); next <= resumed {
			t.Errorf("a lost token goes on at %d", next)
		}
		if got := alice.Sync(t, "since="+got.NextBatch); len(got.Rooms.Join) != 0 {
			t.Errorf("the token after a lost one: got %s", got.Body)
		}
	}
	got = alice.Sync(t, fmt.Sprintf("since=s%d", resumed))
	if r := got.Rooms.Join[room.ID]; r == nil || r.Timeline.Limited || len(r.Timeline.Events.Events) != 1 {
		t.Errorf("the first token after the restore: got %s", got.Body)
	}
}

func accountsChanged(tx *db.Tx, userID id.UserID) error {
	if _, err := tx.Exec(`INSERT INTO device_keys (user_id, device_id, keys, signature) VALUES ($1, 'DEVICE1', $2, '')`, userID, []byte(`{}`)); err != nil {
		return err
	}
	_, users, err := e2ee.Restored(tx)
	if err == nil && users != 1 {
		return fmt.Errorf("%d users are told of", users)
	}
	return err
}
