package rooms_test

import (
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
)

func TestJoin(t *testing.T) {
	inEveryMode(t, func(t *testing.T, srv *apitest.Server) {
		h := newHouse(t, srv)
		h.creator.Do(t, "PUT", alias("#hall:narthex.test"), map[string]any{"room_id": h.ID}).OK(t, nil)
		events := len(stored(t, srv, h.ID))
		apitest.Run(t, []apitest.Case{
			{Name: "RE-66 RE-6 joined already", As: h.member, Do: "POST", Path: join(h.ID), Body: `{}`, Has: []string{string(h.ID)}},
			{Name: "RE-66 joined already, by the room's path", As: h.member, Do: "POST", Path: h.Path("/join"), Has: []string{string(h.ID)}},
			{Name: "RE-66 joined already, by alias", As: h.member, Do: "POST", Path: join("#hall:narthex.test"), Has: []string{string(h.ID)}},
			{Name: "RE-67 banned", As: h.banned, Do: "POST", Path: join(h.ID), Want: errcode.Forbidden},
			{Name: "RE-67 not invited", As: h.stranger, Do: "POST", Path: join(h.ID), Want: errcode.Forbidden},
			{Name: "RE-67 knocked only", As: h.knocked, Do: "POST", Path: h.Path("/join"), Want: errcode.Forbidden},
			{Name: "RE-67 has left", As: h.left, Do: "POST", Path: h.Path("/join"), Want: errcode.Forbidden},
			{Name: "RE-68 no such room", As: h.stranger, Do: "POST", Path: join(nowhere), Want: errcode.NotFound},
			{Name: "RE-68 no such room, by the room's path", As: h.stranger, Do: "POST", Path: roomPath(nowhere) + "/join", Want: errcode.NotFound},
			{Name: "RE-68 no such alias", As: h.stranger, Do: "POST", Path: join("#nowhere:narthex.test"), Want: errcode.NotFound},
			{Name: "RE-68 an alias of another server", As: h.stranger, Do: "POST", Path: join("#hall:elsewhere.test"), Want: errcode.NotFound},
			{Name: "neither room nor alias", As: h.stranger, Do: "POST", Path: join("hall"), Want: errcode.InvalidParam},
			{Name: "an alias where a room belongs", As: h.stranger, Do: "POST", Path: roomPath("#hall:narthex.test") + "/join", Want: errcode.InvalidParam},
			{Name: "the reason is no string", As: h.invited, Do: "POST", Path: join(h.ID), Body: `{"reason":[]}`, Want: errcode.BadJSON},
		})
		if now := len(stored(t, srv, h.ID)); now != events {
			t.Errorf("joining again, or being refused, wrote %d events", now-events)
		}
		h.invited.Do(t, "POST", join("#hall:narthex.test")+"?server_name=elsewhere.test&via=other.test", `{"reason":"hi"}`).OK(t, nil)
		h.is(t, h.invited, "join")
	})
}

func TestRoomOfAnUnknownVersion(t *testing.T) {
	inEveryMode(t, func(t *testing.T, srv *apitest.Server) {
		alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
		room := alice.CreateRoom(t)
		srv.Write(t, func(tx *db.Tx) error {
			_, err := tx.Exec(`UPDATE rooms SET version = '99' WHERE room_id = $1`, room.ID)
			return err
		})
		version := []string{`"room_version":"99"`}
		apitest.Run(t, []apitest.Case{
			{Name: "RE-69 join", As: bob, Do: "POST", Path: join(room.ID), Want: errcode.IncompatibleRoomVersion, Has: version},
			{Name: "RE-69 join by the room's path", As: bob, Do: "POST", Path: room.Path("/join"), Want: errcode.IncompatibleRoomVersion, Has: version},
			{Name: "RE-69 join by state", As: bob, Do: "PUT", Path: room.Path("/state/m.room.member/" + apitest.Escape(bob.UserID)), Body: membership("join"), Want: errcode.IncompatibleRoomVersion, Has: version},
			{Name: "RE-69 knock", As: bob, Do: "POST", Path: knock(room.ID), Want: errcode.IncompatibleRoomVersion, Has: version},
		})
	})
}

func TestRestrictedJoin(t *testing.T) {
	srv := apitest.New(t)
	alice, bob, carol := srv.User(t, "alice"), srv.User(t, "bob"), srv.User(t, "carol")
	club := alice.CreateRoom(t)
	club.Join(t, bob)
	rule := func(name string) map[string]any {
		return map[string]any{"join_rule": name, "allow": []any{
			map[string]any{"type": "m.room_membership", "room_id": "!nul\u0000:x"}, 7, map[string]any{"type": "org.example"},
			map[string]any{"type": "m.room_membership", "room_id": club.ID},
		}}
	}
	for _, c := range []struct {
		version, rule string
		want          *errcode.Code
	}{
		{"7", "restricted", errcode.Forbidden},
		{"8", "restricted", nil},
		{"9", "knock_restricted", errcode.Forbidden},
		{"10", "knock_restricted", nil},
		{"11", "restricted", nil},
		{"12", "restricted", nil},
	} {
		t.Run("RE-67 RE-95 version "+c.version+", "+c.rule, func(t *testing.T) {
			room := alice.CreateRoom(t, map[string]any{"room_version": c.version})
			room.SetState(t, alice, "m.room.join_rules", rule(c.rule))
			carol.Do(t, "POST", join(room.ID), nil).Fails(t, srv, errcode.Forbidden)
			r := bob.Do(t, "POST", join(room.ID), nil)
			if c.want != nil {
				r.Fails(t, srv, c.want)
				return
			}
			r.OK(t, nil)
			var content map[string]any
			alice.Do(t, "GET", room.Path("/state/m.room.member/"+apitest.Escape(bob.UserID)), nil).OK(t, &content)
			if content["join_authorised_via_users_server"] != string(alice.UserID) {
				t.Errorf("the join is %v, and not in the name of %s", content, alice.UserID)
			}
			// A change of the profile is nobody's favour, and nobody can claim it was.
			bob.Do(t, "PUT", room.Path("/state/m.room.member/"+apitest.Escape(bob.UserID)),
				map[string]any{"membership": "join", "displayname": "B", "join_authorised_via_users_server": carol.UserID}).OK(t, nil)
			room.Creator.Do(t, "POST", room.Path("/ban"), user(bob)).OK(t, nil)
			bob.Do(t, "POST", join(room.ID), nil).Fails(t, srv, errcode.Forbidden)
		})
	}
}

// TestSponsor looks for somebody who may let others in: not those whose level is
// too low, and nobody if there is no such member.
func TestSponsor(t *testing.T) {
	srv := apitest.New(t)
	alice, bob, carol, dave := srv.User(t, "alice"), srv.User(t, "bob"), srv.User(t, "carol"), srv.User(t, "dave")
	club := alice.CreateRoom(t)
	club.Join(t, dave)
	room := alice.CreateRoom(t, map[string]any{"preset": "public_chat", "room_version": "11"})
	room.Join(t, bob, carol)
	setLevels(t, room, alice, map[string]any{"users": map[string]int{string(alice.UserID): 100, string(bob.UserID): -1}})
	room.SetState(t, alice, "m.room.join_rules", map[string]any{"join_rule": "restricted", "allow": []any{map[string]any{"type": "m.room_membership", "room_id": club.ID}}})
	alice.Do(t, "POST", room.Path("/leave"), nil).OK(t, nil)
	dave.Do(t, "POST", join(room.ID), nil).OK(t, nil) // by carol
	for _, u := range []*apitest.Client{dave, carol} {
		u.Do(t, "POST", room.Path("/leave"), nil).OK(t, nil)
	}
	dave.Do(t, "POST", join(room.ID), nil).Fails(t, srv, errcode.Forbidden) // bob may not
}

func TestGuests(t *testing.T) {
	srv := apitest.New(t)
	alice, bob, guest := srv.User(t, "alice"), srv.User(t, "bob"), srv.Guest(t, "1")
	open := alice.CreateRoom(t, map[string]any{"preset": "public_chat", "initial_state": []any{
		map[string]any{"type": "m.room.guest_access", "content": map[string]any{"guest_access": "can_join"}}}})
	closed := alice.CreateRoom(t)
	open.Join(t, bob)
	own := "/state/m.room.member/" + apitest.Escape(guest.UserID)
	open.SetState(t, alice, "m.room.power_levels", map[string]any{"events": map[string]int{"m.room.topic": 0}})
	apitest.Run(t, []apitest.Case{
		{Name: "RE-67 a room that admits no guests", As: guest, Do: "POST", Path: join(closed.ID), Want: errcode.GuestAccessForbidden},
		{Name: "RE-67 a room that admits no guests, by the room's path", As: guest, Do: "POST", Path: closed.Path("/join"), Want: errcode.GuestAccessForbidden},
		{Name: "RE-67 a room that admits no guests, by state", As: guest, Do: "PUT", Path: closed.Path(own), Body: membership("join"), Want: errcode.GuestAccessForbidden},
		{Name: "a knock by state", As: guest, Do: "PUT", Path: closed.Path(own), Body: membership("knock"), Want: errcode.GuestAccessForbidden},
		{Name: "a room that admits guests", As: guest, Do: "POST", Path: join(open.ID)},
		{Name: "they send", As: guest, Do: "PUT", Path: open.Path("/send/m.room.message/1"), Body: `{"body":"x"}`},
		{Name: "they set state", As: guest, Do: "PUT", Path: open.Path("/state/m.room.topic"), Body: `{"topic":"x"}`},
		{Name: "they read", As: guest, Do: "GET", Path: open.Path("/members")},
		{Name: "they make no rooms", As: guest, Do: "POST", Path: "/_matrix/client/v3/createRoom", Body: `{}`, Want: errcode.GuestAccessForbidden},
		{Name: "the room stays open", As: alice, Do: "PUT", Path: open.Path("/state/m.room.guest_access"), Body: `{"guest_access":"can_join","note":1}`},
	})
	membershipIs(t, open, guest, "join")
	open.SetState(t, alice, "m.room.guest_access", map[string]any{"guest_access": "forbidden"})
	membershipIs(t, open, guest, "leave")
	membershipIs(t, open, bob, "join")
}

func TestLeave(t *testing.T) {
	inEveryMode(t, func(t *testing.T, srv *apitest.Server) {
		h := newHouse(t, srv)
		leave := h.Path("/leave")
		apitest.Run(t, []apitest.Case{
			{Name: "RE-70 joined", As: h.member, Do: "POST", Path: leave, Body: `{"reason":"late"}`},
			{Name: "RE-70 invited", As: h.invited, Do: "POST", Path: leave},
			{Name: "RE-70 knocked", As: h.knocked, Do: "POST", Path: leave, Body: `{}`},
			{Name: "RE-71 left", As: h.left, Do: "POST", Path: leave},
			{Name: "RE-71 kicked", As: h.kicked, Do: "POST", Path: leave},
			{Name: "RE-71 again", As: h.member, Do: "POST", Path: leave},
			{Name: "RE-72 banned", As: h.banned, Do: "POST", Path: leave, Want: errcode.NotJoined},
			{Name: "RE-72 never a member", As: h.stranger, Do: "POST", Path: leave, Want: errcode.NotJoined},
			{Name: "RE-72 an unknown room", As: h.stranger, Do: "POST", Path: roomPath(nowhere) + "/leave", Want: errcode.NotJoined},
			{Name: "the reason is no string", As: h.moderator, Do: "POST", Path: leave, Body: `{"reason":1}`, Want: errcode.BadJSON},
		})
		for _, gone := range []*apitest.Client{h.member, h.invited, h.knocked} {
			h.is(t, gone, "leave")
		}
	})
}

func TestForget(t *testing.T) {
	inEveryMode(t, func(t *testing.T, srv *apitest.Server) {
		h := newHouse(t, srv)
		forget := h.Path("/forget")
		apitest.Run(t, []apitest.Case{
			{Name: "RE-74 joined", As: h.member, Do: "POST", Path: forget, Want: errcode.NotForgettable},
			{Name: "RE-74 invited", As: h.invited, Do: "POST", Path: forget, Body: `{}`, Want: errcode.NotForgettable},
			{Name: "RE-74 knocked", As: h.knocked, Do: "POST", Path: forget, Want: errcode.NotForgettable},
			{Name: "RE-75 never a member", As: h.stranger, Do: "POST", Path: forget, Want: errcode.NotJoined},
			{Name: "RE-75 an unknown room", As: h.stranger, Do: "POST", Path: roomPath(nowhere) + "/forget", Want: errcode.NotJoined},
			{Name: "before, one who has left reads", As: h.left, Do: "GET", Path: h.Path("/members")},
			{Name: "RE-75 left", As: h.left, Do: "POST", Path: forget},
			{Name: "RE-75 left, again", As: h.left, Do: "POST", Path: forget},
			{Name: "RE-75 banned", As: h.banned, Do: "POST", Path: forget},
			{Name: "after it, one who has left does not read", As: h.left, Do: "GET", Path: h.Path("/members"), Want: errcode.NotJoined},
			{Name: "after it, one who is banned does not read", As: h.banned, Do: "GET", Path: h.Path("/state"), Want: errcode.NotJoined},
			{Name: "and is still banned", As: h.banned, Do: "POST", Path: join(h.ID), Want: errcode.Forbidden},
		})
	})
}

// TestDeactivatedUsersLeave holds that an account that ends takes part in no room
// any more, and that its invites end too.
func TestDeactivatedUsersLeave(t *testing.T) {
	srv := apitest.New(t)
	h := newHouse(t, srv)
	for _, gone := range []*apitest.Client{h.member, h.invited, h.knocked, h.left, h.banned} {
		srv.Write(t, func(tx *db.Tx) error { return srv.App.Accounts.Deactivate(tx, gone.UserID, "test", false) })
	}
	srv.RunJobs(t)
	for _, gone := range []*apitest.Client{h.member, h.invited, h.knocked, h.left} {
		h.is(t, gone, "leave")
	}
	h.is(t, h.banned, "ban")
	h.act(t, h.creator, "invite", h.member).Fails(t, srv, errcode.NotFound)
	acceptable(t, srv, h.ID)
}
