package rooms_test

import (
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/errcode"
)

func TestSend(t *testing.T) {
	inEveryMode(t, func(t *testing.T, srv *apitest.Server) {
		h := newHouse(t, srv)
		setLevels(t, h.Room, h.creator, map[string]any{"events_default": 10, "events": map[string]int{"m.room.message": 0, "org.example.high": 60}})
		send := func(eventType string) string { return h.Path("/send/" + eventType + "/" + apitest.TxnID()) }
		const body = `{"body":"x"}`
		apitest.Run(t, h.notJoined("RE-62 the caller is not joined", "PUT", "/send/m.room.message/1", body))
		apitest.Run(t, h.notJoined("RE-62 the caller is not joined, and below the level", "PUT", "/send/org.example.high/1", body))
		apitest.Run(t, []apitest.Case{
			{Name: "RE-63 below the level of the type", As: h.moderator, Do: "PUT", Path: send("org.example.high"), Body: body, Want: errcode.InsufficientPower},
			{Name: "RE-63 below events_default", As: h.member, Do: "PUT", Path: send("org.example"), Body: body, Want: errcode.InsufficientPower},
			{Name: "RE-63 with the level of the type", As: h.member, Do: "PUT", Path: send("m.room.message"), Body: body},
			{Name: "RE-63 with events_default", As: h.moderator, Do: "PUT", Path: send("org.example"), Body: body},
			{Name: "a membership is not a message", As: h.creator, Do: "PUT", Path: send("m.room.member"), Body: membership("join"), Want: errcode.BadJSON},
			{Name: "a room is created only once", As: h.creator, Do: "PUT", Path: send("m.room.create"), Body: `{}`, Want: errcode.Forbidden},
		})
	})
}

func TestDuplicateReaction(t *testing.T) {
	srv := apitest.New(t)
	h := newHouse(t, srv)
	message := h.Send(t, h.creator, "hello")
	react := func(key string) map[string]any {
		return map[string]any{"m.relates_to": map[string]any{"rel_type": "m.annotation", "event_id": message, "key": key}}
	}
	send := func() string { return h.Path("/send/m.reaction/" + apitest.TxnID()) }
	reaction := h.SendEvent(t, h.member, "m.reaction", react("+1"))
	apitest.Run(t, []apitest.Case{
		{Name: "the same again", As: h.member, Do: "PUT", Path: send(), Body: react("+1"), Want: errcode.DuplicateAnnotation},
		{Name: "another key", As: h.member, Do: "PUT", Path: send(), Body: react("-1")},
		{Name: "another person", As: h.moderator, Do: "PUT", Path: send(), Body: react("+1")},
		{Name: "membership comes first", As: h.left, Do: "PUT", Path: send(), Body: react("+1"), Want: errcode.NotJoined},
		{Name: "a key with NUL", As: h.member, Do: "PUT", Path: send(), Body: react("\x00")},
	})
	h.member.Do(t, "PUT", h.Path("/redact/"+apitest.Escape(reaction)+"/1"), nil).OK(t, nil)
	h.SendEvent(t, h.member, "m.reaction", react("+1"))
}

func TestRedact(t *testing.T) {
	inEveryMode(t, func(t *testing.T, srv *apitest.Server) {
		h := newHouse(t, srv)
		own, others := h.Send(t, h.member, "mine"), h.Send(t, h.creator, "yours")
		elsewhere := h.creator.CreateRoom(t).Send(t, h.creator, "elsewhere")
		redact := func(event string) string { return "/redact/" + event + "/" + apitest.TxnID() }
		path := func(event string) string { return h.Path(redact(event)) }
		ownID, othersID, unknown := apitest.Escape(own), apitest.Escape(others), apitest.Escape("$unknown")
		apitest.Run(t, h.notJoined("RE-76 the caller is not joined", "PUT", redact(othersID), nil))
		apitest.Run(t, h.notJoined("RE-76 the caller is not joined, and the event unknown", "PUT", redact(unknown), nil))
		apitest.Run(t, []apitest.Case{
			{Name: "RE-78 somebody else's event", As: h.member, Do: "PUT", Path: path(othersID), Want: errcode.InsufficientPower},
			{Name: "RE-65 somebody else's event, by sending a redaction", As: h.member, Do: "PUT", Path: h.Path("/send/m.room.redaction/" + apitest.TxnID()), Body: map[string]any{"redacts": others}, Want: errcode.InsufficientPower},
			{Name: "RE-80 an unknown event", As: h.member, Do: "PUT", Path: path(unknown), Want: errcode.NotFound},
			{Name: "RE-80 an event of another room", As: h.creator, Do: "PUT", Path: path(apitest.Escape(elsewhere)), Want: errcode.NotFound},
			{Name: "RE-65 an unknown event, by sending a redaction", As: h.member, Do: "PUT", Path: h.Path("/send/m.room.redaction/" + apitest.TxnID()), Body: `{"redacts":"$unknown"}`, Want: errcode.NotFound},
			{Name: "RE-65 nothing to redact", As: h.member, Do: "PUT", Path: h.Path("/send/m.room.redaction/" + apitest.TxnID()), Body: `{"Redacts":"$x"}`, Want: errcode.MissingParam},
			{Name: "RE-65 what is to be redacted is no event", As: h.member, Do: "PUT", Path: h.Path("/send/m.room.redaction/" + apitest.TxnID()), Body: `{"redacts":"x"}`, Want: errcode.InvalidParam},
			{Name: "RE-65 what is to be redacted is no string", As: h.member, Do: "PUT", Path: h.Path("/send/m.room.redaction/" + apitest.TxnID()), Body: `{"redacts":1}`, Want: errcode.BadJSON},
			{Name: "RE-79 one's own event", As: h.member, Do: "PUT", Path: path(ownID), Body: `{"reason":"typo"}`},
			{Name: "RE-79 one's own event, again", As: h.member, Do: "PUT", Path: path(ownID)},
			{Name: "RE-78 somebody else's event, with the level", As: h.moderator, Do: "PUT", Path: path(othersID)},
			{Name: "RE-65 one's own event, by sending a redaction", As: h.member, Do: "PUT", Path: h.Path("/send/m.room.redaction/" + apitest.TxnID()), Body: map[string]any{"redacts": h.Send(t, h.member, "x")}},
			{Name: "no event id", As: h.member, Do: "PUT", Path: path("x"), Want: errcode.InvalidParam},
			{Name: "the reason is no string", As: h.member, Do: "PUT", Path: path(ownID), Body: `{"reason":1}`, Want: errcode.BadJSON},
		})
		setLevels(t, h.Room, h.creator, map[string]any{"events": map[string]int{"m.room.redaction": 20}})
		apitest.Run(t, []apitest.Case{
			{Name: "RE-77 below the level for redactions, one's own event", As: h.member, Do: "PUT", Path: path(ownID), Want: errcode.InsufficientPower},
			{Name: "RE-77 below the level for redactions, an unknown event", As: h.member, Do: "PUT", Path: path(unknown), Want: errcode.InsufficientPower},
		})
	})
}

func TestRedactInEveryVersion(t *testing.T) {
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	for _, version := range versions {
		t.Run("RE-96 version "+version, func(t *testing.T) {
			room := alice.CreateRoom(t, map[string]any{"preset": "public_chat", "room_version": version})
			room.Join(t, bob)
			mine, hers := room.Send(t, bob, "secret"), room.Send(t, alice, "secret")
			topic := room.SetState(t, alice, "m.room.topic", map[string]any{"topic": "secret"})
			bob.Do(t, "PUT", room.Path("/redact/"+apitest.Escape(hers)+"/1"), nil).Fails(t, srv, errcode.InsufficientPower)
			redaction := eventID(t, bob.Do(t, "PUT", room.Path("/redact/"+apitest.Escape(mine)+"/2"), `{"reason":"r"}`))
			alice.Do(t, "PUT", room.Path("/redact/"+apitest.Escape(topic)+"/3"), nil).OK(t, nil)
			var content map[string]any
			bob.Do(t, "GET", room.Path("/state/m.room.topic"), nil).OK(t, &content)
			if len(content) != 0 {
				t.Errorf("the redacted topic is %v", content)
			}
			events := clientEvents(t, srv, room, bob)
			if got := events[redaction]; got["redacts"] != string(mine) || got["content"].(map[string]any)["redacts"] != string(mine) {
				t.Errorf("the redaction is shown as %v, without what it redacts", got)
			}
			if got := events[mine]; len(got["content"].(map[string]any)) != 0 || got["unsigned"].(map[string]any)["redacted_because"] == nil {
				t.Errorf("the redacted message is shown as %v", got)
			}
		})
	}
}

// TestGuestAccessRedacted holds that a redaction is seen by whoever has read the
// event before: the content of guest_access does not survive it.
func TestGuestAccessRedacted(t *testing.T) {
	srv := apitest.New(t)
	alice, guest := srv.User(t, "alice"), srv.Guest(t, "1")
	room := alice.CreateRoom(t)
	access := room.SetState(t, alice, "m.room.guest_access", map[string]any{"guest_access": "can_join"})
	room.Join(t, guest)
	guest.Do(t, "POST", room.Path("/leave"), nil).OK(t, nil)
	alice.Do(t, "PUT", room.Path("/redact/"+apitest.Escape(access)+"/1"), nil).OK(t, nil)
	guest.Do(t, "POST", room.Path("/join"), nil).Fails(t, srv, errcode.GuestAccessForbidden)
}

func TestSuspendedUsersRedactTheirOwn(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	room := alice.CreateRoom(t, map[string]any{"preset": "public_chat"})
	bob := srv.User(t, "bob")
	room.Join(t, bob)
	mine, his := room.Send(t, alice, "mine"), room.Send(t, bob, "his")
	srv.Suspend(t, alice)
	apitest.Run(t, []apitest.Case{
		{Name: "their own", As: alice, Do: "PUT", Path: room.Path("/redact/" + apitest.Escape(mine) + "/1")},
		{Name: "somebody else's, whatever their level", As: alice, Do: "PUT", Path: room.Path("/redact/" + apitest.Escape(his) + "/2"), Want: errcode.UserSuspended},
		{Name: "they send nothing", As: alice, Do: "PUT", Path: room.Path("/send/m.room.message/3"), Body: `{}`, Want: errcode.UserSuspended},
		{Name: "they leave", As: alice, Do: "POST", Path: room.Path("/leave")},
	})
}
