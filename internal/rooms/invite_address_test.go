package rooms_test

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/id"
)

func TestInviteByAddress(t *testing.T) {
	for _, version := range []string{"10", "11", "12"} {
		t.Run("version "+version, func(t *testing.T) {
			is := newIdentityServer(t)
			srv := is.start(t)
			alice := srv.User(t, "alice")
			alice.Do(t, "PUT", "/_matrix/client/v3/profile/@alice:narthex.test/displayname", `{"displayname":"Alice"}`).OK(t, nil)
			room := alice.CreateRoom(t, map[string]any{"room_version": version, "preset": "private_chat", "name": "Allotments", "room_alias_name": "plots"})
			alice.Do(t, "POST", room.Path("/invite"), is.invitee(" Frank@Example.COM ")).OK(t, nil)

			asked := is.requests(storePath)
			if len(asked) != 1 {
				t.Fatalf("the identity server was asked to store %d invites, want 1", len(asked))
			}
			want := map[string]any{"medium": "email", "address": "frank@example.com", "room_id": string(room.ID), "sender": "@alice:narthex.test",
				"sender_display_name": "Alice", "room_name": "Allotments", "room_alias": "#plots:narthex.test", "room_join_rules": "invite"}
			if diff := cmp.Diff(want, asked[0].body); diff != "" || asked[0].token != "Bearer at-the-identity-server" {
				t.Errorf("the identity server was told, with the token %q (-want +got):\n%s", asked[0].token, diff)
			}
			for token := range is.tokens(t, room, alice) {
				var content map[string]any
				alice.Do(t, "GET", room.Path("/state/m.room.third_party_invite/"+token), nil).OK(t, &content)
				url := is.web.URL + validPath
				want := map[string]any{"display_name": "f...@e...", "public_key": is.public(), "key_validity_url": url,
					"public_keys": []any{map[string]any{"public_key": is.public(), "key_validity_url": url}, map[string]any{"public_key": "AAAA"}}}
				if diff := cmp.Diff(want, content); diff != "" {
					t.Errorf("the event (-want +got):\n%s", diff)
				}
			}
			if n := len(is.tokens(t, room, alice)); n != 1 {
				t.Errorf("%d invites by address, want 1", n)
			}
		})
	}
}

// Of whose address is known nobody else is asked, and the invite is an ordinary one.
func TestInviteByAddressThatIsSomebodys(t *testing.T) {
	is := newIdentityServer(t)
	srv := is.start(t)
	h := newHouse(t, srv)
	blocking := srv.User(t, "blocking")
	blocking.Do(t, "PUT", "/_matrix/client/v3/user/"+apitest.Escape(blocking.UserID)+"/account_data/m.invite_permission_config",
		map[string]any{"default_action": "block"}).OK(t, nil)
	for _, who := range []*apitest.Client{h.newcomer, h.member, h.banned, blocking} {
		is.bind(who.UserID.Localpart()+"@example.com", "email", who.UserID)
	}
	is.bind("ghost@example.com", "email", "@ghost:narthex.test")
	is.bind("far@example.com", "email", "@far:elsewhere.test")
	is.bind("447700900123", "msisdn", h.anotherUser.UserID)
	phone := is.invitee("+44 7700 900123")
	phone["medium"] = "msisdn"
	invite := h.Path("/invite")
	apitest.Run(t, []apitest.Case{
		{Name: "it works", As: h.moderator, Do: "POST", Path: invite, Body: is.invitee("newcomer@example.com")},
		{Name: "by phone number", As: h.moderator, Do: "POST", Path: invite, Body: phone},
		{Name: "somebody who is in the room", As: h.moderator, Do: "POST", Path: invite, Body: is.invitee("member@example.com"), Want: errcode.AlreadyJoined},
		{Name: "somebody who is banned", As: h.moderator, Do: "POST", Path: invite, Body: is.invitee("banned@example.com"), Want: errcode.Forbidden},
		{Name: "somebody who blocks invites", As: h.moderator, Do: "POST", Path: invite, Body: is.invitee("blocking@example.com"), Want: errcode.InviteBlocked},
		{Name: "somebody who does not exist", As: h.moderator, Do: "POST", Path: invite, Body: is.invitee("ghost@example.com"), Want: errcode.NotFound},
		{Name: "somebody of a server that cannot be reached", As: h.moderator, Do: "POST", Path: invite, Body: is.invitee("far@example.com"), Want: errcode.NotFound},
	})
	if asked := is.requests(storePath); len(asked) != 0 {
		t.Errorf("the identity server was asked to store %d invites", len(asked))
	}
	h.is(t, h.newcomer, "invite")
	h.is(t, h.anotherUser, "invite")
	// Whoever binds the address between the look-up and the storing is invited as well.
	is.says(storePath, reply(http.StatusBadRequest, apitest.Object{"errcode": "M_THREEPID_IN_USE", "error": "Taken", "mxid": h.stranger.UserID}))
	h.moderator.Do(t, "POST", invite, is.invitee("stranger@example.com")).OK(t, nil)
	h.is(t, h.stranger, "invite")
}

func TestInviteByAddressRefused(t *testing.T) {
	is := newIdentityServer(t)
	srv := is.start(t)
	h := newHouse(t, srv)
	invite := h.Path("/invite")
	with := func(name string, value any) map[string]any {
		body := is.invitee("frank@example.com")
		if body[name] = value; value == "" {
			delete(body, name)
		}
		return body
	}
	apitest.Run(t, h.notJoined("RE-17 not joined", "POST", "/invite", with("medium", "email")))
	apitest.Run(t, []apitest.Case{
		{Name: "RE-17 below the invite level", As: h.member, Do: "POST", Path: invite, Body: with("medium", "email"), Want: errcode.InsufficientPower},
		{Name: "below the invite level, with a server that is not trusted", As: h.member, Do: "POST", Path: invite, Body: with("id_server", "is.example.org"), Want: errcode.InsufficientPower},
		{Name: "a server that is not trusted", As: h.moderator, Do: "POST", Path: invite, Body: with("id_server", "is.example.org"), Want: errcode.ServerNotTrusted},
		{Name: "no server", As: h.moderator, Do: "POST", Path: invite, Body: with("id_server", ""), Want: errcode.MissingParam, Has: []string{"id_server"}},
		{Name: "no token", As: h.moderator, Do: "POST", Path: invite, Body: with("id_access_token", ""), Want: errcode.MissingParam, Has: []string{"id_access_token"}},
		{Name: "no medium", As: h.moderator, Do: "POST", Path: invite, Body: with("medium", ""), Want: errcode.MissingParam, Has: []string{"medium"}},
		{Name: "no address", As: h.moderator, Do: "POST", Path: invite, Body: with("address", ""), Want: errcode.MissingParam, Has: []string{"address"}},
		{Name: "an unknown medium", As: h.moderator, Do: "POST", Path: invite, Body: with("medium", "pigeon"), Want: errcode.ThreepidMediumNotSupported},
		{Name: "what is no address", As: h.moderator, Do: "POST", Path: invite, Body: with("address", "frank"), Want: errcode.InvalidParam, Has: []string{"address"}},
		{Name: "what is no phone number", As: h.moderator, Do: "POST", Path: invite, Body: with("medium", "msisdn"), Want: errcode.InvalidParam, Has: []string{"address"}},
		{Name: "an address of another type", As: h.moderator, Do: "POST", Path: invite, Body: with("address", 1), Want: errcode.BadJSON},
		{Name: "not JSON", As: h.moderator, Do: "POST", Path: invite, Body: `{"medium"`, Want: errcode.NotJSON},
	})
	if asked := is.requests(""); len(asked) != 0 {
		t.Errorf("the identity server was asked although there was nothing to ask: %v", asked)
	}
	for _, c := range []struct {
		path, name string
		status     int
		code       string
		want       *errcode.Code
	}{
		{lookupPath, "a token that it does not know", 401, "M_UNKNOWN_TOKEN", errcode.IdentityUnauthorized},
		{lookupPath, "terms", 403, "M_TERMS_NOT_SIGNED", errcode.TermsNotSigned},
		{lookupPath, "too many", 429, "M_LIMIT_EXCEEDED", errcode.LimitExceeded},
		{lookupPath, "silence", 502, "", errcode.Unknown},
		{storePath, "terms for storing", 403, "M_TERMS_NOT_SIGNED", errcode.TermsNotSigned},
		{storePath, "a medium that it does not take", 400, "M_UNRECOGNIZED", errcode.ThreepidMediumNotSupported},
		{storePath, "an address that it does not take", 400, "M_INVALID_EMAIL", errcode.InvalidEmail},
		{storePath, "a mail that comes back", 400, "M_EMAIL_SEND_ERROR", errcode.EmailSendError},
		{storePath, "somebody's address, without saying whose", 400, "M_THREEPID_IN_USE", errcode.ThreepidInUse},
		{storePath, "silence when storing", 500, "", errcode.Unknown},
		{storePath, "nothing", 200, "", errcode.Unknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			is.says(c.path, reply(c.status, apitest.Object{"errcode": c.code, "error": "No"}))
			defer is.says(c.path, nil)
			h.moderator.Do(t, "POST", invite, is.invitee("frank@example.com")).Fails(t, srv, c.want)
		})
	}
	if tokens := is.tokens(t, h.Room, h.moderator); len(tokens) != 0 {
		t.Errorf("there are the invites %v", tokens)
	}
}

// Who loses the power while the identity server thinks it over has not got it.
func TestInviteByAddressIsCheckedAgain(t *testing.T) {
	for name, c := range map[string]struct {
		meanwhile func(house) *apitest.Response
		want      *errcode.Code
	}{
		"the power is gone": {func(h house) *apitest.Response {
			return h.creator.Do(t, "PUT", h.Path("/state/m.room.power_levels"), map[string]any{"invite": 60, "users": map[id.UserID]int{h.creator.UserID: 100, h.moderator.UserID: 50}})
		}, errcode.InsufficientPower},
		"the inviter is gone": {func(h house) *apitest.Response { return h.act(t, h.creator, "kick", h.moderator) }, errcode.NotJoined},
	} {
		t.Run(name, func(t *testing.T) {
			is := newIdentityServer(t)
			srv := is.start(t)
			h := newHouse(t, srv)
			is.says(storePath, func(w http.ResponseWriter, r *http.Request) {
				if got := c.meanwhile(h); got.Status != http.StatusOK {
					t.Errorf("meanwhile: %d %s", got.Status, got.Body)
				}
				reply(http.StatusOK, apitest.Object{"token": "t", "display_name": "f", "public_key": is.public()})(w, r)
			})
			h.moderator.Do(t, "POST", h.Path("/invite"), is.invitee("frank@example.com")).Fails(t, srv, c.want)
			if tokens := is.tokens(t, h.Room, h.creator); len(tokens) != 0 {
				t.Errorf("there are the invites %v", tokens)
			}
		})
	}
}

func TestCreateRoomWithInvitesByAddress(t *testing.T) {
	is := newIdentityServer(t)
	srv := is.start(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	is.bind("bob@example.com", "email", bob.UserID)
	create := func(invitees ...map[string]any) map[string]any {
		return map[string]any{"preset": "private_chat", "is_direct": true, "invite_3pid": invitees}
	}
	room := alice.CreateRoom(t, create(is.invitee("bob@example.com"), is.invitee("frank@example.com")))
	membershipIs(t, room, bob, "invite")
	var content map[string]any
	alice.Do(t, "GET", room.Path("/state/m.room.member/"+apitest.Escape(bob.UserID)), nil).OK(t, &content)
	if content["is_direct"] != true {
		t.Errorf("got %v, want an invite to a direct chat", content)
	}
	if tokens := is.tokens(t, room, alice); len(tokens) != 1 {
		t.Errorf("%d invites by address, want 1", len(tokens))
	}
	is.requests("")

	other := func(name string, value any) map[string]any {
		body := is.invitee("frank@example.com")
		body[name] = value
		return body
	}
	many := make([]map[string]any, 11)
	for i := range many {
		many[i] = is.invitee("frank@example.com")
	}
	const path = "/_matrix/client/v3/createRoom"
	apitest.Run(t, []apitest.Case{
		{Name: "an identity server that is not trusted", As: alice, Do: "POST", Path: path, Body: create(other("id_server", "is.example.org")), Want: errcode.ServerNotTrusted},
		{Name: "no token", As: alice, Do: "POST", Path: path, Body: create(other("id_access_token", "")), Want: errcode.MissingParam, Has: []string{"invite_3pid.id_access_token"}},
		{Name: "an unknown medium", As: alice, Do: "POST", Path: path, Body: create(other("medium", "pigeon")), Want: errcode.ThreepidMediumNotSupported},
		{Name: "what is no address", As: alice, Do: "POST", Path: path, Body: create(other("address", "frank")), Want: errcode.InvalidParam},
		{Name: "too many", As: alice, Do: "POST", Path: path, Body: create(many...), Want: errcode.InvalidParam, Has: []string{"10"}},
		{Name: "another type", As: alice, Do: "POST", Path: path, Body: `{"invite_3pid":[1]}`, Want: errcode.BadJSON},
	})
	if asked := is.requests(""); len(asked) != 0 {
		t.Errorf("the identity server was asked for rooms that were not made: %v", asked)
	}
}

// RE-91: the room is made, whatever becomes of the invites.
func TestCreateRoomWhenInvitesByAddressFail(t *testing.T) {
	is := newIdentityServer(t)
	srv := is.start(t)
	alice := srv.User(t, "alice")
	request := map[string]any{"invite_3pid": []any{is.invitee("frank@example.com"), is.invitee("erin@example.com")}}
	is.says(lookupPath, reply(http.StatusForbidden, apitest.Object{"errcode": "M_TERMS_NOT_SIGNED", "error": "Sign"}))
	alice.CreateRoom(t, request)
	if asked := is.requests(lookupPath); len(asked) != 2 {
		t.Errorf("%d look-ups after a refusal, want 2", len(asked))
	}
	is.says(lookupPath, reply(http.StatusBadGateway, nil))
	alice.CreateRoom(t, request)
	if asked := is.requests(lookupPath); len(asked) != 1 {
		t.Errorf("%d look-ups at a server that is silent, want 1", len(asked))
	}
}
