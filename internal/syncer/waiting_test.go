package syncer_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/id"
)

type answer struct {
	*apitest.Response
	err error
}

// waits starts a sync that waits for a minute, and gives the way to its answer.
func waits(ctx context.Context, c *apitest.Client, since string) <-chan answer {
	out := make(chan answer, 1)
	go func() {
		resp, err := c.Try(ctx, "GET", syncPath+"?timeout=60000&set_presence=offline&since="+since, nil)
		out <- answer{resp, err}
	}()
	return out
}

// TestWaitingSyncIsWoken holds that each kind of news ends the waiting: none of
// these would pass within a minute if it did not.
func TestWaitingSyncIsWoken(t *testing.T) {
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	room, hall := alice.CreateRoom(t).Join(t, bob), alice.CreateRoom(t)
	event := room.Send(t, alice, "x")
	who := map[string]any{"user_id": bob.UserID}
	for _, c := range []struct {
		name string
		do   func()
	}{
		{"a message", func() { room.Send(t, alice, "y") }},
		{"a change of state", func() { room.SetState(t, alice, "m.room.topic", map[string]any{"topic": "z"}) }},
		{"typing", func() {
			alice.Do(t, "PUT", room.Path("/typing/"+apitest.Escape(alice.UserID)), `{"typing":true}`).OK(t, nil)
		}},
		{"the end of typing", func() { srv.Advance(time.Minute); srv.RunJobs(t) }},
		{"a receipt", func() {
			alice.Do(t, "POST", room.Path("/receipt/m.read/"+apitest.Escape(event)), `{}`).OK(t, nil)
		}},
		{"a private receipt from another device", func() {
			bob.Do(t, "POST", room.Path("/receipt/m.read.private/"+apitest.Escape(event)), `{}`).OK(t, nil)
		}},
		{"presence", func() {
			alice.Do(t, "PUT", "/_matrix/client/v3/presence/"+apitest.Escape(alice.UserID)+"/status", `{"presence":"online"}`).OK(t, nil)
		}},
		{"account data", func() { bob.Do(t, "PUT", user(bob, "/account_data/org.example"), `{}`).OK(t, nil) }},
		{"a tag", func() {
			bob.Do(t, "PUT", user(bob, "/rooms/"+apitest.Escape(room.ID)+"/tags/u.x"), `{}`).OK(t, nil)
		}},
		{"push rules", func() {
			bob.Do(t, "PUT", "/_matrix/client/v3/pushrules/global/content/word", `{"pattern":"word","actions":["notify"]}`).OK(t, nil)
		}},
		{"a message to the device", func() { tell(t, alice, "x", map[id.UserID][]id.DeviceID{bob.UserID: {bob.DeviceID}}) }},
		{"the keys of a device of another", func() {
			alice.UploadDeviceKeys(t)
		}},
		{"an invite", func() { hall.Invite(t, bob) }},
		{"one's join on another device", func() { hall.Join(t, bob) }},
		{"a kick", func() { alice.Do(t, "POST", hall.Path("/kick"), who).OK(t, nil) }},
		{"one's own devices", func() {
			bob.Do(t, "PUT", "/_matrix/client/v3/devices/DEVICE1", `{"display_name":"new"}`).OK(t, nil)
		}},
	} {
		since := bob.Sync(t, "set_presence=offline").NextBatch
		woken := waits(t.Context(), bob, since)
		c.do()
		got := <-woken
		var s apitest.Sync
		if got.err != nil {
			t.Fatalf("%s: %v", c.name, got.err)
		}
		got.OK(t, &s)
		if s.NextBatch == since {
			t.Errorf("%s: nothing came: %s", c.name, got.Body)
		}
	}
}

// TestWaitingForNothing wakes a sync again and again by what is not for it.
func TestWaitingForNothing(t *testing.T) {
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	room := alice.CreateRoom(t).Join(t, bob)
	bob.Do(t, "PUT", user(bob, "/account_data/m.ignored_user_list"), map[string]any{"ignored_users": map[string]any{string(alice.UserID): map[string]any{}}}).OK(t, nil)
	since := bob.Sync(t, "set_presence=offline").NextBatch
	woken := waits(t.Context(), bob, since)
	for i := range 5 {
		room.Send(t, alice, fmt.Sprint("ignored ", i))
	}
	room.Send(t, bob, "own")
	var s apitest.Sync
	(<-woken).OK(t, &s)
	same(t, "timeline", []string{"own"}, bodies(s.Rooms.Join[room.ID].Timeline.Events))
}

func TestClientThatGoesAway(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	ctx, leave := context.WithCancel(t.Context())
	woken := waits(ctx, alice, alice.Sync(t, "").NextBatch)
	leave()
	if got := <-woken; !errors.Is(got.err, context.Canceled) {
		t.Errorf("got %v", got.err)
	}
}

func TestGuestsAndSuspendedAccountsSync(t *testing.T) {
	srv := apitest.New(t)
	guest, alice := srv.Guest(t, "guest"), srv.User(t, "alice")
	srv.Suspend(t, alice)
	guest.Sync(t, "")
	alice.Sync(t, "")
}
