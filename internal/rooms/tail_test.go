package rooms_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/rooms"
)

// asRead checks, in one transaction, what is remembered of the stretch after a position
// against the tables.
func asRead(t *testing.T, srv *apitest.Server, tx *db.Tx, after int64, users ...*apitest.Client) error {
	t.Helper()
	pos, err := tx.Position()
	if err != nil {
		return err
	}
	got, ok, err := srv.App.Rooms.Happened(tx, after, pos)
	if err != nil {
		return err
	}
	want, err := db.All(tx, func(r db.Row) (e rooms.Happening, err error) {
		var eventType string
		err = r.Scan(&e.Pos, &e.RoomID, &eventType, &e.Member)
		if eventType != "m.room.member" {
			e.Member = ""
		}
		return e, err
	}, `SELECT pos, room_id, type, COALESCE(state_key, '') FROM events WHERE pos > $1 AND pos <= $2 ORDER BY pos`, after, pos)
	if diff := cmp.Diff(want, got); ok && diff != "" {
		t.Errorf("after %d (-tables +remembered):\n%s", after, diff)
	}
	for _, u := range users {
		want, err := rooms.JoinedRooms(tx, u.UserID)
		if err != nil {
			return err
		}
		got, err := srv.App.Rooms.JoinedAt(tx, u.UserID, pos)
		if err != nil {
			return err
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("rooms of %s at %d (-tables +remembered):\n%s", u.UserID, pos, diff)
		}
	}
	return err
}

// TestTail holds that what is remembered of the newest positions is what the tables say:
// to those who come after each change, and to one whose snapshot is older.
func TestTail(t *testing.T) {
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	room := alice.CreateRoom(t)
	var hall *apitest.Room
	who := fmt.Sprintf(`{"user_id":%q}`, bob.UserID)
	steps := []func(){
		func() { room.Join(t, bob) },
		func() { room.Send(t, alice, "one") },
		func() { hall = bob.CreateRoom(t) },
		func() {
			alice.Do(t, "PUT", room.Path("/typing/"+apitest.Escape(alice.UserID)), `{"typing":true}`).OK(t, nil)
		},
		func() { alice.Do(t, "POST", room.Path("/kick"), who).OK(t, nil) },
		func() { room.Invite(t, bob) },
		func() { hall.Join(t, alice) },
		func() { bob.Do(t, "POST", room.Path("/leave"), `{}`).OK(t, nil) },
		func() { alice.Do(t, "POST", room.Path("/ban"), who).OK(t, nil) },
	}
	for i := range 70 { // more than is read at once
		steps = append(steps, func() { room.Send(t, alice, fmt.Sprint("more ", i)) })
	}
	steps = append(steps, func() { alice.Do(t, "POST", hall.Path("/leave"), `{}`).OK(t, nil) })
	begins := func() (pos int64) {
		srv.Read(t, func(tx *db.Tx) (err error) {
			pos, err = tx.Position()
			return err
		})
		return pos
	}
	first := begins()
	for _, step := range steps {
		before := begins()
		srv.Read(t, func(old *db.Tx) error {
			if _, err := old.Position(); err != nil { // its snapshot is from before the step
				return err
			}
			step()
			srv.Read(t, func(tx *db.Tx) error {
				if err := asRead(t, srv, tx, before, alice, bob); err != nil {
					return err
				}
				return asRead(t, srv, tx, first, alice, bob)
			})
			return asRead(t, srv, old, first, alice, bob)
		})
	}
	srv.Read(t, func(tx *db.Tx) error {
		if _, ok, err := srv.App.Rooms.Happened(tx, -1, 1); ok || err != nil {
			t.Errorf("from before the first position: got %t, %v", ok, err)
		}
		pos, err := tx.Position()
		if err != nil {
			return err
		}
		if _, ok, err := srv.App.Rooms.Happened(tx, pos-5000, pos); ok || err != nil {
			t.Errorf("too many positions: got %t, %v", ok, err)
		}
		var none []id.RoomID
		got, err := srv.App.Rooms.JoinedAt(tx, "@nobody:"+id.UserID(alice.UserID.ServerName()), pos)
		if diff := cmp.Diff(none, got); diff != "" {
			t.Errorf("of nobody: %s", diff)
		}
		return err
	})
}
