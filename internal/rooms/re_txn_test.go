package rooms_test

import (
	"sync"
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/id"
)

func TestReplay(t *testing.T) {
	inEveryMode(t, func(t *testing.T, srv *apitest.Server) {
		h := newHouse(t, srv)
		path := h.Path("/send/m.room.message/txn")
		first := eventID(t, h.member.Do(t, "PUT", path, `{"body":"x"}`))
		redact := h.Path("/redact/" + apitest.Escape(first) + "/txn")
		redaction := eventID(t, h.member.Do(t, "PUT", redact, nil))
		h.act(t, h.creator, "kick", h.member).OK(t, nil)
		t.Run("RE-64 after a kick", func(t *testing.T) {
			if got := eventID(t, h.member.Do(t, "PUT", path, `{"body":"x"}`)); got != first {
				t.Errorf("the replay gave %s, want %s", got, first)
			}
			if got := eventID(t, h.member.Do(t, "PUT", redact, nil)); got != redaction {
				t.Errorf("the replay of the redaction gave %s, want %s", got, redaction)
			}
			h.member.Do(t, "PUT", path+"2", `{"body":"x"}`).Fails(t, srv, errcode.NotJoined)
		})
		t.Run("RE-9 a failure does not use up the transaction id", func(t *testing.T) {
			path := h.Path("/send/m.room.message/late")
			h.newcomer.Do(t, "PUT", path, `{"body":"x"}`).Fails(t, srv, errcode.NotJoined)
			h.Invite(t, h.newcomer).Join(t, h.newcomer)
			sent := eventID(t, h.newcomer.Do(t, "PUT", path, `{"body":"x"}`))
			if again := eventID(t, h.newcomer.Do(t, "PUT", path, `{"body":"x"}`)); again != sent {
				t.Errorf("the second request gave %s, want %s", again, sent)
			}
		})
	})
}

func TestTransactionIDs(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	room, other := alice.CreateRoom(t), alice.CreateRoom(t)
	const message = "/send/m.room.message/t%2F1"
	send := func(as *apitest.Client, path string, body any) id.EventID {
		t.Helper()
		return eventID(t, as.Do(t, "PUT", path, body))
	}
	first := send(alice, room.Path(message), `{"body":"x"}`)
	second := srv.Device(t, alice.UserID, "DEVICE2")
	for _, c := range []struct {
		name string
		got  id.EventID
		same bool
	}{
		{"the same body", send(alice, room.Path(message), `{"body":"x"}`), true},
		{"another body", send(alice, room.Path(message), `{"body":"y"}`), true},
		{"another room", send(alice, other.Path(message), `{"body":"x"}`), false},
		{"another type", send(alice, room.Path("/send/org.example/t%2F1"), `{"body":"x"}`), false},
		{"another device", send(second, room.Path(message), `{"body":"x"}`), false},
		{"another id", send(alice, room.Path("/send/m.room.message/t%2F2"), `{"body":"x"}`), false},
	} {
		if (c.got == first) != c.same {
			t.Errorf("%s: the first event is %s, this one %s", c.name, first, c.got)
		}
	}
	alice.Do(t, "POST", "/_matrix/client/v3/logout", `{}`).OK(t, nil)
	if got := send(srv.Device(t, alice.UserID, "DEVICE3"), room.Path(message), `{"body":"x"}`); got == first {
		t.Error("after signing in on a new device the old transaction id is still used up")
	}
}

func TestTransactionIDSurvivesARestart(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	room := alice.CreateRoom(t)
	path := room.Path("/send/m.room.message/1")
	first := eventID(t, alice.Do(t, "PUT", path, `{"body":"x"}`))
	srv.App.Close()
	again := apitest.Over(t, srv.App.Config.Database)
	alice = &apitest.Client{Server: again, UserID: alice.UserID, DeviceID: alice.DeviceID, Token: alice.Token}
	if got := eventID(t, alice.Do(t, "PUT", path, `{"body":"x"}`)); got != first {
		t.Errorf("after the restart the event is %s, want %s", got, first)
	}
}

func TestHundredEqualRequestsAtOnce(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	room := alice.CreateRoom(t)
	path := room.Path("/send/m.room.message/1")
	got := make([]id.EventID, 100)
	var wait sync.WaitGroup
	for i := range got {
		wait.Go(func() { got[i] = eventID(t, alice.Do(t, "PUT", path, `{"body":"x"}`)) })
	}
	wait.Wait()
	for _, e := range got {
		if e != got[0] {
			t.Fatalf("two events came of it: %s and %s", got[0], e)
		}
	}
	if n := count(t, srv, room, "m.room.message"); n != 1 {
		t.Errorf("the room has %d messages, want 1", n)
	}
}
