package rooms_test

import (
	"crypto/ed25519"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/authrules"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/event"
	"github.com/narthex-matrix/narthex/internal/id"
)

// acceptable fails the test unless another server would accept every event of the
// room: its form, hash and signature, its place in the graph, and by the rules of
// the room's version against the state that its auth events give and against the
// state before it.
func acceptable(t *testing.T, srv *apitest.Server, room id.RoomID) {
	t.Helper()
	keyID, key := signingKey(t, srv)
	byID := map[id.EventID]*event.Event{}
	state := map[authrules.Key]*event.Event{}
	var last *event.Event
	for _, st := range stored(t, srv, room) {
		ev, intact, err := event.Parse(st.Version, st.Raw)
		if err != nil {
			t.Fatalf("%s: %v in %s", st.Type, err, st.Raw)
		}
		if ev.ID != st.ID || ev.RoomID != room && room != st.RoomID {
			t.Errorf("%s: stored as %s in %s, parsed as %s in %s", st.Type, st.ID, st.RoomID, ev.ID, ev.RoomID)
		}
		if intact == (st.RedactedBy != nil) {
			t.Errorf("%s %s: intact %v, redacted by %v", st.Type, st.ID, intact, st.RedactedBy)
		}
		if err := event.VerifySignature(ev, apitest.ServerName, keyID, key); err != nil {
			t.Errorf("%s %s: %v", st.Type, st.ID, err)
		}
		follows(t, last, ev)
		cited := make([]*event.Event, len(ev.Auth))
		auth := map[authrules.Key]*event.Event{}
		if ev.Version.RoomIDIsCreateEvent && last != nil {
			auth[authrules.Key{Type: event.TypeCreate}] = state[authrules.Key{Type: event.TypeCreate}]
		}
		for i, a := range ev.Auth {
			if cited[i] = byID[a]; cited[i] == nil {
				t.Fatalf("%s %s cites %s, which is not before it", st.Type, st.ID, a)
			}
			auth[authrules.Key{Type: cited[i].Type, StateKey: *cited[i].StateKey}] = cited[i]
		}
		if rejection := authrules.CheckAuthEvents(ev, cited); rejection != nil {
			t.Errorf("%s %s: its auth events break rule %s: %s", st.Type, st.ID, rejection.Rule, rejection.Reason)
		}
		for name, known := range map[string]map[authrules.Key]*event.Event{"its auth events": auth, "the state before it": state} {
			rejection := authrules.Check(ev, func(eventType, stateKey string) *event.Event {
				return known[authrules.Key{Type: eventType, StateKey: stateKey}]
			})
			if rejection != nil {
				t.Errorf("%s %s: against %s it breaks rule %s: %s", st.Type, st.ID, name, rejection.Rule, rejection.Reason)
			}
		}
		byID[ev.ID], last = ev, ev
		if ev.StateKey != nil {
			state[authrules.Key{Type: ev.Type, StateKey: *ev.StateKey}] = ev
		}
	}
	if last == nil {
		t.Fatalf("%s has no events", room)
	}
}

// follows fails the test unless an event comes right after another in the graph.
func follows(t *testing.T, last, ev *event.Event) {
	t.Helper()
	if last == nil {
		if ev.Type != event.TypeCreate || len(ev.Prev) != 0 || ev.Depth != 1 {
			t.Errorf("the first event is %s of depth %d after %v", ev.Type, ev.Depth, ev.Prev)
		}
		return
	}
	if diff := cmp.Diff([]id.EventID{last.ID}, ev.Prev); diff != "" {
		t.Errorf("%s %s does not follow the event before it (-want +got):\n%s", ev.Type, ev.ID, diff)
	}
	if ev.Depth != last.Depth+1 {
		t.Errorf("%s %s has depth %d after %d", ev.Type, ev.ID, ev.Depth, last.Depth)
	}
}

func signingKey(t *testing.T, srv *apitest.Server) (keyID string, key ed25519.PublicKey) {
	t.Helper()
	srv.Read(t, func(tx *db.Tx) error {
		return db.Each(tx, func(r db.Row) error {
			var seed []byte
			err := r.Scan(&keyID, &seed)
			key = ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
			return err
		}, `SELECT key_id, private_key FROM server_keys`)
	})
	return keyID, key
}

func TestOtherServersWouldAcceptEveryEvent(t *testing.T) {
	srv := apitest.New(t)
	alice, bob, carol, dave := srv.User(t, "alice"), srv.User(t, "bob"), srv.User(t, "carol"), srv.User(t, "dave")
	for i, version := range versions {
		t.Run("version "+version, func(t *testing.T) {
			room := alice.CreateRoom(t, map[string]any{"preset": "public_chat", "room_version": version, "name": "Höl<l>", "topic": "x & y", "invite": []id.UserID{carol.UserID}})
			club := alice.CreateRoom(t)
			club.Join(t, dave)
			room.Join(t, bob, carol)
			message := room.Send(t, bob, "\u2028 \U0001F600 \x7f \t")
			room.SetState(t, alice, "org.example.state/key", map[string]any{"n": -9007199254740991, "list": []any{nil, true, map[string]any{}}})
			carol.Do(t, "POST", room.Path("/leave"), `{"reason":"x"}`).OK(t, nil)
			for _, action := range []string{"ban", "ban", "unban", "invite"} {
				alice.Do(t, "POST", room.Path("/"+action), map[string]any{"user_id": carol.UserID, "reason": action}).OK(t, nil)
			}
			alice.Do(t, "POST", room.Path("/kick"), user(carol)).OK(t, nil)
			bob.Do(t, "PUT", room.Path("/redact/"+apitest.Escape(message)+"/1"), `{"reason":"x"}`).OK(t, nil)
			alice.Do(t, "PUT", room.Path("/redact/"+apitest.Escape(room.Send(t, bob, "x"))+"/2"), nil).OK(t, nil)
			bob.Do(t, "PUT", room.Path("/state/m.room.member/"+apitest.Escape(bob.UserID)), `{"membership":"join","displayname":"B"}`).OK(t, nil)
			setLevels(t, room, alice, map[string]any{"events_default": 1, "invite": 50})
			if i+1 >= 7 {
				room.SetState(t, alice, "m.room.join_rules", map[string]any{"join_rule": "knock"})
				carol.Do(t, "POST", knock(room.ID), nil).OK(t, nil)
			}
			if i+1 >= 8 {
				room.SetState(t, alice, "m.room.join_rules", map[string]any{"join_rule": "restricted", "allow": []any{
					map[string]any{"type": "m.room_membership", "room_id": club.ID}}})
				room.Join(t, dave)
			}
			acceptable(t, srv, room.ID)
		})
	}
}
