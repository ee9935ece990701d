package rooms_test

import (
	"strconv"
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/id"
)

func TestCreatorsOfVersion12(t *testing.T) {
	inEveryMode(t, func(t *testing.T, srv *apitest.Server) {
		alice, bob, carol := srv.User(t, "alice"), srv.User(t, "bob"), srv.User(t, "carol")
		room := alice.CreateRoom(t, map[string]any{"preset": "public_chat", "room_version": "12",
			"creation_content":             map[string]any{"additional_creators": []id.UserID{bob.UserID}},
			"power_level_content_override": map[string]any{"users": map[string]int{string(carol.UserID): 1000}}})
		room.Join(t, bob, carol)
		levels := room.Path("/state/m.room.power_levels")
		apitest.Run(t, []apitest.Case{
			{Name: "RE-93 a creator needs no level", As: bob, Do: "PUT", Path: room.Path("/state/m.room.name"), Body: `{"name":"x"}`},
			{Name: "RE-93 nobody removes a creator", As: carol, Do: "POST", Path: room.Path("/kick"), Body: user(alice), Want: errcode.InsufficientPower},
			{Name: "RE-93 nobody bans an additional creator", As: carol, Do: "POST", Path: room.Path("/ban"), Body: user(bob), Want: errcode.InsufficientPower},
			{Name: "RE-93 not even a creator", As: alice, Do: "POST", Path: room.Path("/kick"), Body: user(bob), Want: errcode.InsufficientPower},
			{Name: "RE-93 a creator removes anyone else", As: bob, Do: "POST", Path: room.Path("/kick"), Body: user(carol)},
			{Name: "RE-57 a creator in the power levels", As: alice, Do: "PUT", Path: levels, Body: map[string]any{"users": map[string]int{string(alice.UserID): 100}}, Want: errcode.BadJSON},
			{Name: "RE-57 an additional creator in the power levels", As: alice, Do: "PUT", Path: levels, Body: map[string]any{"users": map[string]int{string(bob.UserID): 100}}, Want: errcode.BadJSON},
			{Name: "RE-93 levels as high as they like", As: alice, Do: "PUT", Path: levels, Body: `{"events_default":9007199254740991,"invite":9007199254740991}`},
			{Name: "RE-93 and they still speak", As: bob, Do: "PUT", Path: room.Path("/send/m.room.message/1"), Body: `{}`},
		})
		if id := string(room.ID); len(id) != 44 || id[0] != '!' {
			t.Errorf("the room is %s, want the hash of its create event", id)
		}
	})
}

func TestLevelsAsStrings(t *testing.T) {
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	for _, version := range versions {
		t.Run("RE-94 version "+version, func(t *testing.T) {
			room := alice.CreateRoom(t, map[string]any{"preset": "public_chat", "room_version": version})
			room.Join(t, bob)
			levels := map[string]any{"users": map[string]any{string(alice.UserID): "100", string(bob.UserID): " 30 "}, "ban": "30", "state_default": "40"}
			if version == "12" {
				delete(levels["users"].(map[string]any), string(alice.UserID))
			}
			r := alice.Do(t, "PUT", room.Path("/state/m.room.power_levels"), levels)
			if n, _ := strconv.Atoi(version); n >= 10 {
				r.Fails(t, srv, errcode.BadJSON)
				return
			}
			r.OK(t, nil)
			bob.Do(t, "PUT", room.Path("/state/m.room.name"), `{}`).Fails(t, srv, errcode.InsufficientPower)
			bob.Do(t, "POST", room.Path("/ban"), `{"user_id":"@ghost:narthex.test"}`).OK(t, nil)
			alice.Do(t, "PUT", room.Path("/state/m.room.power_levels"), `{"ban":"fifty"}`).Fails(t, srv, errcode.BadJSON)
		})
	}
}

func TestAliasesEvent(t *testing.T) {
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	for _, version := range versions {
		t.Run("RE-61 RE-97 version "+version, func(t *testing.T) {
			room := alice.CreateRoom(t, map[string]any{"preset": "public_chat", "room_version": version})
			room.Join(t, bob)
			ours, theirs := room.Path("/state/m.room.aliases/narthex.test"), room.Path("/state/m.room.aliases/elsewhere.test")
			if n, _ := strconv.Atoi(version); n <= 5 {
				setLevels(t, room, alice, map[string]any{"users_default": -1})
				bob.Do(t, "PUT", ours, `{"aliases":[]}`).OK(t, nil)
				bob.Do(t, "PUT", theirs, `{"aliases":[]}`).Fails(t, srv, errcode.Forbidden)
				return
			}
			bob.Do(t, "PUT", ours, `{"aliases":[]}`).Fails(t, srv, errcode.InsufficientPower)
			alice.Do(t, "PUT", theirs, `{"aliases":[]}`).OK(t, nil)
		})
	}
}

func TestDefaultLevels(t *testing.T) {
	srv := apitest.New(t)
	alice, bob, carol := srv.User(t, "alice"), srv.User(t, "bob"), srv.User(t, "carol")
	room := alice.CreateRoom(t, map[string]any{"preset": "public_chat", "room_version": "11"})
	room.Join(t, bob)
	set := func(level int) {
		room.SetState(t, alice, "m.room.power_levels", map[string]any{"users": map[string]int{string(alice.UserID): 100, string(bob.UserID): level}})
	}
	cases := func(want *errcode.Code) []apitest.Case {
		return []apitest.Case{
			{Name: "RE-98 state_default is 50", As: bob, Do: "PUT", Path: room.Path("/state/m.room.name"), Body: `{}`, Want: want},
			{Name: "RE-98 ban is 50", As: bob, Do: "POST", Path: room.Path("/ban"), Body: user(carol), Want: want},
			{Name: "RE-98 kick is 50", As: alice, Do: "POST", Path: room.Path("/unban"), Body: user(carol), Want: map[bool]*errcode.Code{true: errcode.BadState}[want != nil]},
			{Name: "RE-98 redact is 50", As: bob, Do: "PUT", Path: room.Path("/redact/" + apitest.Escape(room.Send(t, alice, "x")) + "/" + apitest.TxnID()), Want: want},
			{Name: "RE-98 invite is 0", As: bob, Do: "POST", Path: room.Path("/invite"), Body: user(carol)},
			{Name: "RE-98 events_default is 0", As: bob, Do: "PUT", Path: room.Path("/send/m.room.message/" + apitest.TxnID()), Body: `{}`},
			{Name: "RE-98 kicking is 50", As: bob, Do: "POST", Path: room.Path("/kick"), Body: user(carol), Want: want},
		}
	}
	set(49)
	apitest.Run(t, cases(errcode.InsufficientPower))
	set(50)
	apitest.Run(t, cases(nil))
}
