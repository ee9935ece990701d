package rooms_test

import (
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/errcode"
)

func TestKnock(t *testing.T) {
	inEveryMode(t, func(t *testing.T, srv *apitest.Server) {
		h := newHouse(t, srv)
		public := h.creator.CreateRoom(t)
		public.Join(t, h.member)
		h.creator.Do(t, "PUT", alias("#hall:narthex.test"), map[string]any{"room_id": h.ID}).OK(t, nil)
		apitest.Run(t, []apitest.Case{
			{Name: "RE-20 no such room", As: h.stranger, Do: "POST", Path: knock(nowhere), Want: errcode.NotFound},
			{Name: "RE-20 no such alias", As: h.stranger, Do: "POST", Path: knock("#nowhere:narthex.test"), Want: errcode.NotFound},
			{Name: "RE-21 joined", As: h.member, Do: "POST", Path: knock(h.ID), Want: errcode.AlreadyJoined},
			{Name: "RE-21 joined, by alias", As: h.member, Do: "POST", Path: knock("#hall:narthex.test"), Want: errcode.AlreadyJoined},
			{Name: "RE-21 joined to a public room", As: h.member, Do: "POST", Path: knock(public.ID), Want: errcode.AlreadyJoined},
			{Name: "RE-22 banned", As: h.banned, Do: "POST", Path: knock(h.ID), Want: errcode.Forbidden},
			{Name: "RE-23 invited", As: h.invited, Do: "POST", Path: knock(h.ID), Want: errcode.Forbidden},
			{Name: "RE-24 knocked already", As: h.knocked, Do: "POST", Path: knock(h.ID), Has: []string{string(h.ID)}},
			{Name: "RE-25 a public room", As: h.stranger, Do: "POST", Path: knock(public.ID), Want: errcode.Forbidden},
			{Name: "RE-26 one who has left may knock, and needs neither membership nor power", As: h.left, Do: "POST", Path: knock(h.ID), Body: `{"reason":"please"}`},
			{Name: "RE-51 joined, by state", As: h.member, Do: "PUT", Path: h.memberPath(h.member), Body: membership("knock"), Want: errcode.AlreadyJoined},
			{Name: "RE-51 knocking by state", As: h.stranger, Do: "PUT", Path: h.memberPath(h.stranger), Body: membership("knock")},
			{Name: "RE-51 knocking by state, no such room", As: h.stranger, Do: "PUT", Path: roomPath(nowhere) + "/state/m.room.member/" + apitest.Escape(h.stranger.UserID), Body: membership("knock"), Want: errcode.NotFound},
			{Name: "RE-52 for another user", As: h.member, Do: "PUT", Path: h.memberPath(h.newcomer), Body: membership("knock"), Want: errcode.Forbidden},
			{Name: "neither room nor alias", As: h.stranger, Do: "POST", Path: knock("hall"), Want: errcode.InvalidParam},
			{Name: "the reason is no string", As: h.newcomer, Do: "POST", Path: knock(h.ID), Body: `{"reason":1}`, Want: errcode.BadJSON},
		})
		h.is(t, h.left, "knock")
		h.is(t, h.stranger, "knock")
	})
}

func TestKnockByVersionAndRule(t *testing.T) {
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	for _, c := range []struct {
		version, rule string
		want          *errcode.Code
	}{
		{"6", "knock", errcode.Forbidden},
		{"7", "knock", nil},
		{"9", "knock_restricted", errcode.Forbidden},
		{"10", "knock_restricted", nil},
		{"12", "knock", nil},
		{"12", "invite", errcode.Forbidden},
		{"12", "restricted", errcode.Forbidden},
		{"12", "private", errcode.Forbidden},
	} {
		t.Run("RE-25 RE-95 version "+c.version+", "+c.rule, func(t *testing.T) {
			room := alice.CreateRoom(t, map[string]any{"room_version": c.version})
			room.SetState(t, alice, "m.room.join_rules", map[string]any{"join_rule": c.rule})
			r := bob.Do(t, "POST", knock(room.ID), nil)
			if c.want != nil {
				r.Fails(t, srv, c.want)
				return
			}
			r.OK(t, nil)
			membershipIs(t, room, bob, "knock")
		})
	}
}

func alias(name string) string { return "/_matrix/client/v3/directory/room/" + apitest.Escape(name) }
