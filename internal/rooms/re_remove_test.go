package rooms_test

import (
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/errcode"
)

func TestKick(t *testing.T) {
	inEveryMode(t, func(t *testing.T, srv *apitest.Server) {
		h := newHouse(t, srv)
		h.Join(t, letIn(t, h, h.anotherUser)...)
		kick := h.Path("/kick")
		apitest.Run(t, h.notJoined("RE-27 the caller is not joined", "POST", "/kick", user(h.member)))
		apitest.Run(t, h.notJoined("RE-27 the caller is not joined, and nor is the target", "POST", "/kick", user(h.newcomer)))
		apitest.Run(t, []apitest.Case{
			{Name: "RE-27 an invited user removes oneself", As: h.invited, Do: "POST", Path: kick, Body: user(h.invited), Want: errcode.NotJoined},
			{Name: "RE-28 the target has left", As: h.creator, Do: "POST", Path: kick, Body: user(h.left), Want: errcode.Forbidden},
			{Name: "RE-28 the target was never a member", As: h.member, Do: "POST", Path: kick, Body: user(h.newcomer), Want: errcode.Forbidden},
			{Name: "RE-28 the target is banned", As: h.creator, Do: "POST", Path: kick, Body: user(h.banned), Want: errcode.Forbidden},
			{Name: "RE-29 the caller is below the kick level", As: h.member, Do: "POST", Path: kick, Body: user(h.anotherUser), Want: errcode.InsufficientPower},
			{Name: "RE-30 the target stands higher", As: h.moderator, Do: "POST", Path: kick, Body: user(h.creator), Want: errcode.InsufficientPower},
			{Name: "RE-31 the target is invited", As: h.moderator, Do: "POST", Path: kick, Body: user(h.invited)},
			{Name: "RE-31 the target has knocked", As: h.moderator, Do: "POST", Path: kick, Body: map[string]any{"user_id": h.knocked.UserID, "reason": "full"}},
			{Name: "RE-31 the target is joined", As: h.moderator, Do: "POST", Path: kick, Body: user(h.anotherUser)},
			{Name: "RE-32 oneself", As: h.member, Do: "POST", Path: kick, Body: user(h.member)},
			{Name: "nobody is named", As: h.moderator, Do: "POST", Path: kick, Body: `{}`, Want: errcode.MissingParam},
			{Name: "what is named is no user", As: h.moderator, Do: "POST", Path: kick, Body: `{"user_id":"#a:b"}`, Want: errcode.InvalidParam},
		})
		for _, gone := range []*apitest.Client{h.invited, h.knocked, h.anotherUser, h.member} {
			h.is(t, gone, "leave")
		}
	})
}

// letIn invites users and gives them back, so that they can join a room that is not public.
func letIn(t *testing.T, h house, users ...*apitest.Client) []*apitest.Client {
	t.Helper()
	h.Invite(t, users...)
	return users
}

func TestKickEqual(t *testing.T) {
	inEveryMode(t, func(t *testing.T, srv *apitest.Server) {
		h := newHouse(t, srv)
		h.Join(t, letIn(t, h, h.anotherUser)...)
		setLevels(t, h.Room, h.creator, map[string]any{"users": map[string]int{
			string(h.creator.UserID): 100, string(h.moderator.UserID): 50, string(h.anotherUser.UserID): 50, string(h.bannedAbove.UserID): 60}})
		apitest.Run(t, []apitest.Case{
			{Name: "RE-30 the target stands as high", As: h.moderator, Do: "POST", Path: h.Path("/kick"), Body: user(h.anotherUser), Want: errcode.InsufficientPower},
			{Name: "RE-35 the target stands as high", As: h.moderator, Do: "POST", Path: h.Path("/ban"), Body: user(h.anotherUser), Want: errcode.InsufficientPower},
		})
	})
}

func TestBan(t *testing.T) {
	inEveryMode(t, func(t *testing.T, srv *apitest.Server) {
		h := newHouse(t, srv)
		ban := h.Path("/ban")
		apitest.Run(t, h.notJoined("RE-33 the caller is not joined", "POST", "/ban", user(h.member)))
		apitest.Run(t, []apitest.Case{
			{Name: "RE-34 the caller is below the ban level", As: h.member, Do: "POST", Path: ban, Body: user(h.newcomer), Want: errcode.InsufficientPower},
			{Name: "RE-35 the target stands higher", As: h.moderator, Do: "POST", Path: ban, Body: user(h.creator), Want: errcode.InsufficientPower},
			{Name: "RE-35 oneself", As: h.moderator, Do: "POST", Path: ban, Body: user(h.moderator), Want: errcode.InsufficientPower},
			{Name: "RE-36 the target is banned already", As: h.moderator, Do: "POST", Path: ban, Body: map[string]any{"user_id": h.banned.UserID, "reason": "again"}},
			{Name: "RE-37 the target was never a member", As: h.moderator, Do: "POST", Path: ban, Body: user(h.newcomer)},
			{Name: "RE-37 the target is joined", As: h.moderator, Do: "POST", Path: ban, Body: user(h.member)},
			{Name: "nobody is named", As: h.moderator, Do: "POST", Path: ban, Body: `{}`, Want: errcode.MissingParam},
		})
		h.is(t, h.newcomer, "ban")
		h.is(t, h.member, "ban")
		apitest.Run(t, h.notJoined("RE-45 by state, the caller is not joined", "PUT", "/state/m.room.member/"+apitest.Escape(h.anotherUser.UserID), membership("ban")))
		apitest.Run(t, []apitest.Case{
			{Name: "RE-45 by state, the target stands higher", As: h.moderator, Do: "PUT", Path: h.memberPath(h.creator), Body: membership("ban"), Want: errcode.InsufficientPower},
			{Name: "RE-45 by state", As: h.moderator, Do: "PUT", Path: h.memberPath(h.anotherUser), Body: membership("ban")},
		})
		h.is(t, h.anotherUser, "ban")
	})
}

func TestUnban(t *testing.T) {
	inEveryMode(t, func(t *testing.T, srv *apitest.Server) {
		h := newHouse(t, srv)
		unban := h.Path("/unban")
		janitor := h.anotherUser
		h.Join(t, letIn(t, h, janitor)...)
		setLevels(t, h.Room, h.creator, map[string]any{"users": map[string]int{
			string(h.creator.UserID): 100, string(h.moderator.UserID): 50, string(janitor.UserID): 35, string(h.bannedAbove.UserID): 60}})
		apitest.Run(t, h.notJoined("RE-38 the caller is not joined", "POST", "/unban", user(h.kicked)))
		apitest.Run(t, h.notJoined("RE-38 the caller is not joined, and the target banned", "POST", "/unban", user(h.bannedAbove)))
		apitest.Run(t, []apitest.Case{
			{Name: "RE-39 the target is joined", As: h.moderator, Do: "POST", Path: unban, Body: user(h.member), Want: errcode.BadState},
			{Name: "RE-39 the target has left", As: h.moderator, Do: "POST", Path: unban, Body: user(h.left), Want: errcode.BadState},
			{Name: "RE-39 the target is invited", As: h.moderator, Do: "POST", Path: unban, Body: user(h.invited), Want: errcode.BadState},
			{Name: "RE-39 the target was never a member, and the caller lacks the power", As: h.member, Do: "POST", Path: unban, Body: user(h.newcomer), Want: errcode.BadState},
			{Name: "RE-40 the caller is below the ban level", As: h.member, Do: "POST", Path: unban, Body: user(h.banned), Want: errcode.InsufficientPower},
			{Name: "RE-41 the caller may ban but not kick", As: janitor, Do: "POST", Path: unban, Body: user(h.banned), Want: errcode.InsufficientPower},
			{Name: "RE-41 the target stands higher", As: h.moderator, Do: "POST", Path: unban, Body: user(h.bannedAbove), Want: errcode.InsufficientPower},
			{Name: "RE-46 by state, the caller may ban but not kick", As: janitor, Do: "PUT", Path: h.memberPath(h.banned), Body: membership("leave"), Want: errcode.InsufficientPower},
			{Name: "it works", As: h.moderator, Do: "POST", Path: unban, Body: user(h.banned)},
			{Name: "RE-46 by state, of a banned user it is the end of the ban", As: h.creator, Do: "PUT", Path: h.memberPath(h.bannedAbove), Body: membership("leave")},
			{Name: "RE-46 by state, of a joined user it is a kick, below the level", As: janitor, Do: "PUT", Path: h.memberPath(h.member), Body: membership("leave"), Want: errcode.InsufficientPower},
			{Name: "RE-46 by state, of somebody who has left", As: h.moderator, Do: "PUT", Path: h.memberPath(h.left), Body: membership("leave"), Want: errcode.Forbidden},
			{Name: "RE-46 by state, of a joined user it is a kick", As: h.moderator, Do: "PUT", Path: h.memberPath(h.member), Body: membership("leave")},
			{Name: "nobody is named", As: h.moderator, Do: "POST", Path: unban, Body: `{}`, Want: errcode.MissingParam},
		})
		h.is(t, h.banned, "leave")
		h.is(t, h.member, "leave")
		h.is(t, h.bannedAbove, "leave")
	})
}

// setLevels changes some of a room's power levels.
func setLevels(t *testing.T, room *apitest.Room, as *apitest.Client, changes map[string]any) {
	t.Helper()
	levels := map[string]any{}
	as.Do(t, "GET", room.Path("/state/m.room.power_levels"), nil).OK(t, &levels)
	for name, value := range changes {
		levels[name] = value
	}
	room.SetState(t, as, "m.room.power_levels", levels)
}
