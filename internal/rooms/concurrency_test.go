package rooms_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/event"
)

// TestFiftyJoinAtOnce lets many come at one time. What they leave behind is one
// chain, and the room's row counts them.
func TestFiftyJoinAtOnce(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	room := alice.CreateRoom(t)
	users := make([]*apitest.Client, 50)
	for i := range users {
		users[i] = srv.User(t, fmt.Sprint("u", i))
	}
	var wait sync.WaitGroup
	for _, u := range users {
		wait.Go(func() { u.Do(t, "POST", room.Path("/join"), nil).OK(t, nil) })
		wait.Go(func() { u.Do(t, "POST", join(room.ID), nil).OK(t, nil) })
	}
	wait.Wait()
	if n := count(t, srv, room, event.TypeMember); n != 51 {
		t.Errorf("the room has %d memberships, want 51: each of 50 joined once", n)
	}
	headIs(t, srv, room, 51, 0)
	acceptable(t, srv, room.ID)
}

func TestTwentySendAtOnce(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	room := alice.CreateRoom(t)
	users := make([]*apitest.Client, 20)
	for i := range users {
		users[i] = srv.User(t, fmt.Sprint("u", i))
	}
	room.Join(t, users...)
	var wait sync.WaitGroup
	for i, u := range users {
		wait.Go(func() {
			for n := range 5 {
				u.Do(t, "PUT", room.Path(fmt.Sprintf("/send/m.room.message/%d", n)), map[string]any{"body": n}).OK(t, nil)
			}
			// State from many sides at once, and people who go and are invited again.
			u.Do(t, "PUT", room.Path("/state/m.room.member/"+apitest.Escape(u.UserID)), map[string]any{"membership": "join", "displayname": "U"}).OK(t, nil)
			if i%2 == 0 {
				u.Do(t, "POST", room.Path("/leave"), nil).OK(t, nil)
				alice.Do(t, "POST", room.Path("/invite"), user(u)).OK(t, nil)
			}
		})
	}
	wait.Wait()
	if n := count(t, srv, room, "m.room.message"); n != 100 {
		t.Errorf("the room has %d messages, want 100", n)
	}
	headIs(t, srv, room, 11, 10)
	acceptable(t, srv, room.ID)
}

// headIs fails the test unless the room's row says how many are joined and
// invited, and names the last event and its depth.
func headIs(t *testing.T, srv *apitest.Server, room *apitest.Room, joined, invited int64) {
	t.Helper()
	events := stored(t, srv, room.ID)
	last := events[len(events)-1]
	srv.Read(t, func(tx *db.Tx) error {
		return db.Each(tx, func(r db.Row) error {
			var depth, j, i int64
			var extremities string
			if err := r.Scan(&depth, &extremities, &j, &i); err != nil {
				return err
			}
			if depth != last.Depth || extremities != string(last.ID) || j != joined || i != invited {
				t.Errorf("the room says: depth %d, last event %s, %d joined, %d invited; want %d, %s, %d, %d",
					depth, extremities, j, i, last.Depth, last.ID, joined, invited)
			}
			return nil
		}, `SELECT depth, extremities, joined_count, invited_count FROM rooms WHERE room_id = $1`, room.ID)
	})
}
