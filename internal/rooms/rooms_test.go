package rooms_test

import (
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/errcode"
)

func TestMain(m *testing.M) { apitest.Main(m) }

func TestARoomOfEveryVersion(t *testing.T) {
	srv := apitest.New(t)
	alice, bob, carol := srv.User(t, "alice"), srv.User(t, "bob"), srv.User(t, "carol")
	for _, version := range versions {
		t.Run("version "+version, func(t *testing.T) {
			room := alice.CreateRoom(t, map[string]any{"room_version": version, "preset": "private_chat", "name": "Hall", "topic": "Waiting", "invite": []string{string(bob.UserID)}})
			room.Join(t, bob)
			message := room.Send(t, bob, "hello")
			room.SetState(t, alice, "m.room.name", map[string]any{"name": "Entrance"})
			carol.Do(t, "PUT", room.Path("/send/m.room.message/1"), `{"body":"x"}`).Fails(t, srv, errcode.NotJoined)
			bob.Do(t, "PUT", room.Path("/redact/"+apitest.Escape(message)+"/1"), `{"reason":"typo"}`).OK(t, nil)
			bob.Do(t, "PUT", room.Path("/state/m.room.name"), `{"name":"x"}`).Fails(t, srv, errcode.InsufficientPower)
			var state []map[string]any
			alice.Do(t, "GET", room.Path("/state"), nil).OK(t, &state)
			if len(state) != 9 {
				t.Errorf("the room has %d state events, want 9: %v", len(state), state)
			}
			bob.Do(t, "GET", room.Path("/joined_members"), nil).OK(t, nil)
			bob.Do(t, "POST", room.Path("/leave"), nil).OK(t, nil)
		})
	}
}
