package rooms_test

import (
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/errcode"
)

func TestSetState(t *testing.T) {
	inEveryMode(t, func(t *testing.T, srv *apitest.Server) {
		h := newHouse(t, srv)
		name := h.Path("/state/m.room.name")
		setLevels(t, h.Room, h.creator, map[string]any{"events": map[string]int{"m.room.topic": 0, "m.room.name": 60, "m.room.avatar": 0}})
		apitest.Run(t, h.notJoined("RE-42 the caller is not joined", "PUT", "/state/m.room.name", `{"name":"x"}`))
		apitest.Run(t, h.notJoined("RE-42 the caller is not joined, foreign key", "PUT", "/state/org.example/@other:narthex.test", `{}`))
		apitest.Run(t, []apitest.Case{
			{Name: "RE-43 below the level of the type", As: h.moderator, Do: "PUT", Path: name, Body: `{"name":"x"}`, Want: errcode.InsufficientPower},
			{Name: "RE-43 below state_default", As: h.member, Do: "PUT", Path: h.Path("/state/org.example/"), Body: `{}`, Want: errcode.InsufficientPower},
			{Name: "RE-43 with the level of the type", As: h.member, Do: "PUT", Path: h.Path("/state/m.room.topic"), Body: `{"topic":"x"}`},
			{Name: "RE-43 with state_default", As: h.moderator, Do: "PUT", Path: h.Path("/state/org.example/key"), Body: `{}`},
			{Name: "RE-54 a foreign user's key", As: h.moderator, Do: "PUT", Path: h.Path("/state/org.example/@other:narthex.test"), Body: `{}`, Want: errcode.Forbidden},
			{Name: "RE-54 a key that only looks like a user's", As: h.creator, Do: "PUT", Path: h.Path("/state/org.example/@"), Body: `{}`, Want: errcode.Forbidden},
			{Name: "RE-54 one's own key", As: h.moderator, Do: "PUT", Path: h.Path("/state/org.example/" + apitest.Escape(h.moderator.UserID)), Body: `{}`},
			{Name: "RE-55 a foreign user's key, and below the level", As: h.member, Do: "PUT", Path: h.Path("/state/org.example/@other:narthex.test"), Body: `{}`, Want: errcode.InsufficientPower},
			{Name: "RE-58 a third-party invite below the invite level", As: h.member, Do: "PUT", Path: h.Path("/state/m.room.third_party_invite/token"), Body: `{}`, Want: errcode.InsufficientPower},
			{Name: "RE-58 a third-party invite with the invite level", As: h.moderator, Do: "PUT", Path: h.Path("/state/m.room.third_party_invite/token"), Body: `{}`},
			{Name: "RE-59 the create event", As: h.creator, Do: "PUT", Path: h.Path("/state/m.room.create"), Body: `{}`, Want: errcode.Forbidden},
			{Name: "RE-59 the create event, by a member", As: h.member, Do: "PUT", Path: h.Path("/state/m.room.create"), Body: `{}`, Want: errcode.Forbidden},
			{Name: "a redaction is not state", As: h.creator, Do: "PUT", Path: h.Path("/state/m.room.redaction"), Body: `{"redacts":"$x"}`, Want: errcode.Forbidden},
		})
	})
}

func TestMembershipByState(t *testing.T) {
	inEveryMode(t, func(t *testing.T, srv *apitest.Server) {
		h := newHouse(t, srv)
		apitest.Run(t, h.notJoined("RE-50 for another user, not joined", "PUT", "/state/m.room.member/"+apitest.Escape(h.newcomer.UserID), membership("join")))
		apitest.Run(t, []apitest.Case{
			{Name: "RE-48 a joined user changes nothing", As: h.member, Do: "PUT", Path: h.memberPath(h.member), Body: membership("join")},
			{Name: "RE-48 a joined user changes their name", As: h.member, Do: "PUT", Path: h.memberPath(h.member), Body: `{"membership":"join","displayname":"M"}`},
			{Name: "RE-49 an invited user joins", As: h.invited, Do: "PUT", Path: h.memberPath(h.invited), Body: membership("join")},
			{Name: "RE-49 a banned user does not join", As: h.banned, Do: "PUT", Path: h.memberPath(h.banned), Body: membership("join"), Want: errcode.Forbidden},
			{Name: "RE-49 a stranger does not join", As: h.stranger, Do: "PUT", Path: h.memberPath(h.stranger), Body: membership("join"), Want: errcode.Forbidden},
			{Name: "RE-49 nobody joins a room that does not exist", As: h.stranger, Do: "PUT", Path: roomPath(nowhere) + "/state/m.room.member/" + apitest.Escape(h.stranger.UserID), Body: membership("join"), Want: errcode.NotFound},
			{Name: "RE-50 for another user", As: h.creator, Do: "PUT", Path: h.memberPath(h.newcomer), Body: membership("join"), Want: errcode.Forbidden},
			{Name: "RE-50 for another user who is joined", As: h.creator, Do: "PUT", Path: h.memberPath(h.member), Body: membership("join"), Want: errcode.Forbidden},
			{Name: "RE-53 unknown membership", As: h.member, Do: "PUT", Path: h.memberPath(h.member), Body: membership("sleep"), Want: errcode.BadJSON},
			{Name: "RE-53 no membership", As: h.member, Do: "PUT", Path: h.memberPath(h.member), Body: `{}`, Want: errcode.BadJSON},
			{Name: "RE-53 no membership, but one in capitals", As: h.member, Do: "PUT", Path: h.memberPath(h.member), Body: `{"Membership":"join"}`, Want: errcode.BadJSON},
			{Name: "RE-53 a number", As: h.member, Do: "PUT", Path: h.memberPath(h.member), Body: `{"membership":1}`, Want: errcode.BadJSON},
			{Name: "RE-53 a stranger hears the same", As: h.stranger, Do: "PUT", Path: h.memberPath(h.member), Body: `{}`, Want: errcode.BadJSON},
			{Name: "RE-53 of an unknown room one hears the same", As: h.stranger, Do: "PUT", Path: roomPath(nowhere) + "/state/m.room.member/" + apitest.Escape(h.member.UserID), Body: `{}`, Want: errcode.BadJSON},
			{Name: "the key is no user", As: h.member, Do: "PUT", Path: h.Path("/state/m.room.member/member"), Body: membership("invite"), Want: errcode.InvalidParam},
			{Name: "there is no key", As: h.member, Do: "PUT", Path: h.Path("/state/m.room.member"), Body: membership("invite"), Want: errcode.InvalidParam},
			{Name: "the key is no user, unknown room", As: h.member, Do: "PUT", Path: roomPath(nowhere) + "/state/m.room.member/member", Body: membership("invite"), Want: errcode.InvalidParam},
		})
		apitest.Run(t, []apitest.Case{
			{Name: "RE-47 a member leaves", As: h.member, Do: "PUT", Path: h.memberPath(h.member), Body: `{"membership":"leave","reason":"late"}`},
			{Name: "RE-47 one who has left leaves", As: h.left, Do: "PUT", Path: h.memberPath(h.left), Body: membership("leave")},
			{Name: "RE-47 a banned user does not", As: h.banned, Do: "PUT", Path: h.memberPath(h.banned), Body: membership("leave"), Want: errcode.NotJoined},
			{Name: "RE-47 a stranger does not", As: h.stranger, Do: "PUT", Path: h.memberPath(h.stranger), Body: membership("leave"), Want: errcode.NotJoined},
		})
		h.is(t, h.member, "leave")
		h.is(t, h.invited, "join")
	})
}

func TestPowerLevels(t *testing.T) {
	inEveryMode(t, func(t *testing.T, srv *apitest.Server) {
		h := newHouse(t, srv)
		path := h.Path("/state/m.room.power_levels")
		setLevels(t, h.Room, h.creator, map[string]any{"events": map[string]int{"m.room.power_levels": 50, "m.room.name": 80}})
		change := func(changes map[string]any) map[string]any {
			levels := map[string]any{}
			h.creator.Do(t, "GET", path, nil).OK(t, &levels)
			for name, value := range changes {
				levels[name] = value
			}
			return levels
		}
		users := func(more map[string]any) map[string]any {
			all := map[string]any{string(h.creator.UserID): 100, string(h.moderator.UserID): 50, string(h.bannedAbove.UserID): 60}
			for u, level := range more {
				all[u] = level
			}
			return change(map[string]any{"users": all})
		}
		apitest.Run(t, []apitest.Case{
			{Name: "RE-56 raises a level above one's own", As: h.moderator, Do: "PUT", Path: path, Body: change(map[string]any{"ban": 60}), Want: errcode.InsufficientPower},
			{Name: "RE-56 gives somebody more than one has", As: h.moderator, Do: "PUT", Path: path, Body: users(map[string]any{string(h.member.UserID): 51}), Want: errcode.InsufficientPower},
			{Name: "RE-56 lowers somebody above", As: h.moderator, Do: "PUT", Path: path, Body: users(map[string]any{string(h.creator.UserID): 0}), Want: errcode.InsufficientPower},
			{Name: "RE-56 lowers the level of a type above one's own", As: h.moderator, Do: "PUT", Path: path, Body: change(map[string]any{"events": map[string]int{"m.room.power_levels": 50, "m.room.name": 0}}), Want: errcode.InsufficientPower},
			{Name: "RE-43 a member may not at all", As: h.member, Do: "PUT", Path: path, Body: users(nil), Want: errcode.InsufficientPower},
			{Name: "gives somebody as much as one has", As: h.moderator, Do: "PUT", Path: path, Body: users(map[string]any{string(h.member.UserID): 50})},
			{Name: "lowers oneself", As: h.moderator, Do: "PUT", Path: path, Body: users(map[string]any{string(h.member.UserID): 50, string(h.moderator.UserID): 10})},
			{Name: "RE-94 a string", As: h.creator, Do: "PUT", Path: path, Body: change(map[string]any{"ban": "50"}), Want: errcode.BadJSON},
			{Name: "RE-94 a string for a user", As: h.creator, Do: "PUT", Path: path, Body: users(map[string]any{string(h.member.UserID): "50"}), Want: errcode.BadJSON},
			{Name: "RE-94 a fraction", As: h.creator, Do: "PUT", Path: path, Body: `{"ban":50.5}`, Want: errcode.BadJSON},
			{Name: "RE-94 beyond what JSON numbers hold", As: h.creator, Do: "PUT", Path: path, Body: `{"ban":9007199254740992}`, Want: errcode.BadJSON},
			{Name: "RE-94 no object", As: h.creator, Do: "PUT", Path: path, Body: `{"users":[]}`, Want: errcode.BadJSON},
			{Name: "a key of users is no user", As: h.creator, Do: "PUT", Path: path, Body: users(map[string]any{"member": 50}), Want: errcode.BadJSON},
		})
	})
}

func TestCanonicalAlias(t *testing.T) {
	inEveryMode(t, func(t *testing.T, srv *apitest.Server) {
		h := newHouse(t, srv)
		path := h.Path("/state/m.room.canonical_alias")
		other := h.creator.CreateRoom(t)
		h.creator.Do(t, "PUT", alias("#here:narthex.test"), map[string]any{"room_id": h.ID}).OK(t, nil)
		h.creator.Do(t, "PUT", alias("#old:narthex.test"), map[string]any{"room_id": h.ID}).OK(t, nil)
		h.creator.Do(t, "PUT", alias("#there:narthex.test"), map[string]any{"room_id": other.ID}).OK(t, nil)
		apitest.Run(t, []apitest.Case{
			{Name: "RE-60 an alias that leads nowhere", As: h.creator, Do: "PUT", Path: path, Body: `{"alias":"#nowhere:narthex.test"}`, Want: errcode.BadAlias},
			{Name: "RE-60 an alias of another room", As: h.creator, Do: "PUT", Path: path, Body: `{"alias":"#there:narthex.test"}`, Want: errcode.BadAlias},
			{Name: "RE-60 an alternative that leads nowhere", As: h.creator, Do: "PUT", Path: path, Body: `{"alias":"#here:narthex.test","alt_aliases":["#nowhere:narthex.test"]}`, Want: errcode.BadAlias},
			{Name: "RE-60 no alias", As: h.creator, Do: "PUT", Path: path, Body: `{"alias":"here"}`, Want: errcode.InvalidParam},
			{Name: "RE-60 an alternative is no alias", As: h.creator, Do: "PUT", Path: path, Body: `{"alt_aliases":["here"]}`, Want: errcode.InvalidParam},
			{Name: "RE-60 a number", As: h.creator, Do: "PUT", Path: path, Body: `{"alias":1}`, Want: errcode.BadJSON},
			{Name: "RE-60 power comes first", As: h.member, Do: "PUT", Path: path, Body: `{"alias":"#nowhere:narthex.test"}`, Want: errcode.InsufficientPower},
			{Name: "it works", As: h.creator, Do: "PUT", Path: path, Body: `{"alias":"#here:narthex.test","alt_aliases":["#old:narthex.test"]}`},
		})
		h.creator.Do(t, "DELETE", alias("#old:narthex.test"), nil).OK(t, nil)
		apitest.Run(t, []apitest.Case{
			{Name: "RE-60 what was there may stay", As: h.creator, Do: "PUT", Path: path, Body: `{"alt_aliases":["#old:narthex.test"]}`},
			{Name: "RE-60 nothing", As: h.creator, Do: "PUT", Path: path, Body: `{}`},
			{Name: "RE-60 what was removed may not come back", As: h.creator, Do: "PUT", Path: path, Body: `{"alt_aliases":["#old:narthex.test"]}`, Want: errcode.BadAlias},
		})
	})
}

// TestStateAgain holds that state that is there already is not written again, and
// that it is when somebody else says it.
func TestStateAgain(t *testing.T) {
	srv := apitest.New(t)
	h := newHouse(t, srv)
	first := h.SetState(t, h.creator, "m.room.topic", map[string]any{"topic": "x", "n": 1})
	if again := eventID(t, h.creator.Do(t, "PUT", h.Path("/state/m.room.topic"), ` {"n": 1, "topic":"\u0078"}`)); again != first {
		t.Errorf("the same topic is %s and then %s", first, again)
	}
	if other := h.SetState(t, h.moderator, "m.room.topic", map[string]any{"topic": "x", "n": 1}); other == first {
		t.Error("the same topic by somebody else is not written")
	}
}
