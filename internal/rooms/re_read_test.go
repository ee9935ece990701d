package rooms_test

import (
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/errcode"
)

func TestReadState(t *testing.T) {
	inEveryMode(t, func(t *testing.T, srv *apitest.Server) {
		h := newHouse(t, srv)
		reads := []string{"/state", "/state/m.room.create", "/state/m.room.create/", "/state/m.room.member/" + apitest.Escape(h.creator.UserID), "/members"}
		present := []string{"/joined_members", "/aliases"}
		never := map[string]*apitest.Client{"invited": h.invited, "knocked": h.knocked, "never a member": h.stranger}
		former := map[string]*apitest.Client{"left": h.left, "kicked": h.kicked, "banned": h.banned}
		for _, path := range append(reads, present...) {
			cases := []apitest.Case{
				{Name: "RE-83 " + path + ", joined", As: h.member, Do: "GET", Path: h.Path(path)},
				{Name: "RE-83 " + path + ", unknown room", As: h.member, Do: "GET", Path: roomPath(nowhere) + path, Want: errcode.NotJoined},
			}
			for what, as := range never {
				cases = append(cases, apitest.Case{Name: "RE-83 " + path + ", " + what, As: as, Do: "GET", Path: h.Path(path), Want: errcode.NotJoined})
			}
			apitest.Run(t, cases)
		}
		for what, as := range former {
			for _, path := range reads {
				apitest.Run(t, []apitest.Case{{Name: "RE-83 " + path + ", " + what, As: as, Do: "GET", Path: h.Path(path)}})
			}
			for _, path := range present {
				apitest.Run(t, []apitest.Case{{Name: "RE-83 " + path + ", " + what, As: as, Do: "GET", Path: h.Path(path), Want: errcode.NotJoined}})
			}
		}
		h.SetState(t, h.creator, "m.room.history_visibility", map[string]any{"history_visibility": "world_readable"})
		for _, path := range append(reads, present...) {
			apitest.Run(t, []apitest.Case{{Name: "RE-83 " + path + ", world readable", As: h.stranger, Do: "GET", Path: h.Path(path)}})
		}
		apitest.Run(t, []apitest.Case{
			{Name: "no such state", As: h.member, Do: "GET", Path: h.Path("/state/org.example"), Want: errcode.NotFound},
			{Name: "no such key", As: h.member, Do: "GET", Path: h.Path("/state/m.room.name/x"), Want: errcode.NotFound},
			{Name: "the whole event", As: h.member, Do: "GET", Path: h.Path("/state/m.room.create?format=event"), Has: []string{`"event_id"`, `"sender"`}},
			{Name: "another form", As: h.member, Do: "GET", Path: h.Path("/state/m.room.create?format=xml"), Want: errcode.InvalidParam},
			{Name: "another form with a key", As: h.member, Do: "GET", Path: h.Path("/state/m.room.name/x?format=xml"), Want: errcode.InvalidParam},
			{Name: "an unknown membership", As: h.member, Do: "GET", Path: h.Path("/members?membership=sleep"), Want: errcode.InvalidParam},
			{Name: "an unknown membership not to have", As: h.member, Do: "GET", Path: h.Path("/members?not_membership=sleep"), Want: errcode.InvalidParam},
			{Name: "the banned", As: h.member, Do: "GET", Path: h.Path("/members?membership=ban"), Has: []string{string(h.banned.UserID)}, HasNot: []string{string(h.member.UserID)}},
			{Name: "all but those who have left", As: h.member, Do: "GET", Path: h.Path("/members?not_membership=leave"), Has: []string{`"join"`}, HasNot: []string{`"leave"`}},
			{Name: "a time that is none", As: h.member, Do: "GET", Path: h.Path("/members?at=x"), Want: errcode.InvalidParam},
			{Name: "a time with a sign", As: h.member, Do: "GET", Path: h.Path("/members?at=s-1"), Want: errcode.InvalidParam},
			{Name: "a time to come", As: h.member, Do: "GET", Path: h.Path("/members?at=s999999999"), Has: []string{`"join"`}},
		})
	})
}

// TestFormerMembersReadUntilTheyLeft holds that what happens after somebody has
// left is not shown to them.
func TestFormerMembersReadUntilTheyLeft(t *testing.T) {
	srv := apitest.New(t)
	alice, bob, carol := srv.User(t, "alice"), srv.User(t, "bob"), srv.User(t, "carol")
	room := alice.CreateRoom(t, map[string]any{"preset": "public_chat", "topic": "before"})
	room.Join(t, bob)
	bob.Do(t, "POST", room.Path("/leave"), nil).OK(t, nil)
	room.SetState(t, alice, "m.room.topic", map[string]any{"topic": "after"})
	room.SetState(t, alice, "org.example.new", map[string]any{})
	room.Join(t, carol)
	apitest.Run(t, []apitest.Case{
		{Name: "the state", As: bob, Do: "GET", Path: room.Path("/state"), Has: []string{"before", `"membership":"leave"`}, HasNot: []string{"after", "org.example.new", string(carol.UserID)}},
		{Name: "one piece", As: bob, Do: "GET", Path: room.Path("/state/m.room.topic"), Has: []string{"before"}},
		{Name: "a piece that is new", As: bob, Do: "GET", Path: room.Path("/state/org.example.new"), Want: errcode.NotFound},
		{Name: "the members", As: bob, Do: "GET", Path: room.Path("/members"), Has: []string{string(alice.UserID)}, HasNot: []string{string(carol.UserID)}},
		{Name: "the members now", As: alice, Do: "GET", Path: room.Path("/members"), Has: []string{string(carol.UserID)}},
	})
	room.Join(t, bob)
	apitest.Run(t, []apitest.Case{
		{Name: "having come back", As: bob, Do: "GET", Path: room.Path("/state/m.room.topic"), Has: []string{"after"}},
	})
}

// TestMembersAtATimeBeforeOneCame holds that a token does not open what the
// history does not show.
func TestMembersAtATimeBeforeOneCame(t *testing.T) {
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	room := alice.CreateRoom(t)
	room.SetState(t, alice, "m.room.history_visibility", map[string]any{"history_visibility": "joined"})
	early := token(t, srv, room, room.Send(t, alice, "x"))
	room.Join(t, bob)
	late := token(t, srv, room, room.Send(t, alice, "x"))
	apitest.Run(t, []apitest.Case{
		{Name: "before, by one who was there", As: alice, Do: "GET", Path: room.Path("/members?at=" + early), HasNot: []string{string(bob.UserID)}},
		{Name: "before, by one who was not", As: bob, Do: "GET", Path: room.Path("/members?at=" + early), Want: errcode.NotJoined},
		{Name: "after", As: bob, Do: "GET", Path: room.Path("/members?at=" + late), Has: []string{string(bob.UserID)}},
	})
}
