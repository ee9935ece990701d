package rooms_test

import (
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/errcode"
)

func TestInvite(t *testing.T) {
	inEveryMode(t, func(t *testing.T, srv *apitest.Server) {
		h := newHouse(t, srv)
		invite := h.Path("/invite")
		address := map[string]any{"medium": "email", "address": "a@example.org", "id_server": "is.example.org", "id_access_token": "x"}
		blocking := srv.User(t, "blocking")
		blocking.Do(t, "PUT", "/_matrix/client/v3/user/"+apitest.Escape(blocking.UserID)+"/account_data/m.invite_permission_config",
			map[string]any{"default_action": "block"}).OK(t, nil)

		apitest.Run(t, h.notJoined("RE-10 the caller is not joined", "POST", "/invite", user(h.newcomer)))
		apitest.Run(t, h.notJoined("RE-10 the caller is not joined, and the target is", "POST", "/invite", user(h.member)))
		apitest.Run(t, []apitest.Case{
			{Name: "RE-11 the target is banned", As: h.creator, Do: "POST", Path: invite, Body: user(h.banned), Want: errcode.Forbidden},
			{Name: "RE-11 the target is banned, and the caller below the invite level", As: h.member, Do: "POST", Path: invite, Body: user(h.banned), Want: errcode.Forbidden},
			{Name: "RE-12 the target is joined", As: h.moderator, Do: "POST", Path: invite, Body: user(h.member), Want: errcode.AlreadyJoined},
			{Name: "RE-12 oneself", As: h.moderator, Do: "POST", Path: invite, Body: user(h.moderator), Want: errcode.AlreadyJoined},
			{Name: "RE-13 the target is joined, and the caller below the invite level", As: h.member, Do: "POST", Path: invite, Body: user(h.moderator), Want: errcode.AlreadyJoined},
			{Name: "RE-14 the caller is below the invite level", As: h.member, Do: "POST", Path: invite, Body: user(h.newcomer), Want: errcode.InsufficientPower},
			{Name: "RE-14 the caller is below the invite level, and the target blocks invites", As: h.member, Do: "POST", Path: invite, Body: user(blocking), Want: errcode.InsufficientPower},
			{Name: "RE-15 the target is invited already", As: h.creator, Do: "POST", Path: invite, Body: user(h.invited)},
			{Name: "RE-15 the target is invited already, by another", As: h.moderator, Do: "POST", Path: invite, Body: user(h.invited)},
			{Name: "RE-16 the target has knocked", As: h.moderator, Do: "POST", Path: invite, Body: user(h.knocked)},
			{Name: "RE-17 by address, below the invite level", As: h.member, Do: "POST", Path: invite, Body: address, Want: errcode.InsufficientPower},
			{Name: "RE-17 by address, with the power", As: h.moderator, Do: "POST", Path: invite, Body: address, Want: errcode.ServerNotTrusted},
			{Name: "RE-17 by address, incomplete", As: h.member, Do: "POST", Path: invite, Body: `{"medium":"email"}`, Want: errcode.MissingParam, Has: []string{"address"}},
			{Name: "RE-18 the target blocks invites", As: h.moderator, Do: "POST", Path: invite, Body: user(blocking), Want: errcode.InviteBlocked},
			{Name: "the target does not exist", As: h.moderator, Do: "POST", Path: invite, Body: `{"user_id":"@ghost:narthex.test"}`, Want: errcode.NotFound},
			{Name: "the target is on a server that cannot be reached", As: h.moderator, Do: "POST", Path: invite, Body: `{"user_id":"@ghost:elsewhere.test"}`, Want: errcode.NotFound},
			{Name: "nobody is named", As: h.moderator, Do: "POST", Path: invite, Body: `{}`, Want: errcode.MissingParam, Has: []string{"user_id"}},
			{Name: "what is named is no user", As: h.moderator, Do: "POST", Path: invite, Body: `{"user_id":"alice"}`, Want: errcode.InvalidParam},
		})
		apitest.Run(t, h.notJoined("RE-17 by address, not joined", "POST", "/invite", address))
		h.is(t, h.knocked, "invite")
	})
}

func TestInviteByState(t *testing.T) {
	inEveryMode(t, func(t *testing.T, srv *apitest.Server) {
		h := newHouse(t, srv)
		invite := membership("invite")
		apitest.Run(t, h.notJoined("RE-44 the caller is not joined", "PUT", "/state/m.room.member/"+apitest.Escape(h.newcomer.UserID), invite))
		apitest.Run(t, []apitest.Case{
			{Name: "RE-44 the target is banned", As: h.creator, Do: "PUT", Path: h.memberPath(h.banned), Body: invite, Want: errcode.Forbidden},
			{Name: "RE-44 the target is joined", As: h.member, Do: "PUT", Path: h.memberPath(h.moderator), Body: invite, Want: errcode.AlreadyJoined},
			{Name: "RE-44 the caller is below the invite level", As: h.member, Do: "PUT", Path: h.memberPath(h.newcomer), Body: invite, Want: errcode.InsufficientPower},
			{Name: "RE-44 the target does not exist", As: h.moderator, Do: "PUT", Path: h.Path("/state/m.room.member/@ghost:narthex.test"), Body: invite, Want: errcode.NotFound},
			{Name: "RE-44 it works", As: h.moderator, Do: "PUT", Path: h.memberPath(h.newcomer), Body: invite},
		})
		h.is(t, h.newcomer, "invite")
		srv.User(t, "blocking").Do(t, "PUT", "/_matrix/client/v3/user/@blocking:narthex.test/account_data/m.invite_permission_config",
			map[string]any{"default_action": "block"}).OK(t, nil)
		h.moderator.Do(t, "PUT", h.Path("/state/m.room.member/@blocking:narthex.test"), invite).Fails(t, srv, errcode.InviteBlocked)
	})
}

// TestInviteAgainSaysTheSame holds that an invite that says nothing new is not
// sent again.
func TestInviteAgainSaysTheSame(t *testing.T) {
	srv := apitest.New(t)
	h := newHouse(t, srv)
	as := h.moderator
	first := eventID(t, as.Do(t, "PUT", h.memberPath(h.newcomer), membership("invite")))
	again := eventID(t, as.Do(t, "PUT", h.memberPath(h.newcomer), membership("invite")))
	if first != again {
		t.Errorf("the same invite is %s and then %s", first, again)
	}
	other := eventID(t, as.Do(t, "PUT", h.memberPath(h.newcomer), `{"membership":"invite","reason":"please"}`))
	if other == first {
		t.Error("an invite with another reason is not sent")
	}
}
