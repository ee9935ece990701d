package profile_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/id"
)

func TestMain(m *testing.M) { apitest.Main(m) }

func path(u id.UserID, rest string) string {
	return "/_matrix/client/v3/profile/" + apitest.Escape(u) + rest
}

func TestProfile(t *testing.T) {
	srv := apitest.New(t)
	alice, bob, anyone := srv.User(t, "alice"), srv.User(t, "bob"), srv.Anyone()
	long := strings.Repeat("x", 256)
	own := path(alice.UserID, "")
	unstable := "/_matrix/client/unstable/uk.tcpip.msc4133/profile/" + apitest.Escape(alice.UserID) + "/m.tz"
	put := func(key, body string) apitest.Case {
		return apitest.Case{Name: "set " + key[:min(len(key), 30)] + " " + body[:min(len(body), 30)], As: alice, Do: "PUT", Path: own + "/" + key, Body: body}
	}
	fails := func(c apitest.Case, want *errcode.Code) apitest.Case {
		c.Want = want
		return c
	}
	get := func(name, rest string, has ...string) apitest.Case {
		return apitest.Case{Name: name, As: anyone, Do: "GET", Path: own + rest, Has: has}
	}
	apitest.Run(t, []apitest.Case{
		get("an empty profile", "", `{}`),
		fails(get("no such field", "/displayname"), errcode.NotFound),
		put("displayname", `{"displayname":"Alice"}`),
		put("avatar_url", `{"avatar_url":"mxc://narthex.test/a"}`),
		put("org.example.job", `{"org.example.job": { "title" : "smith" }}`),
		{Name: "by the unstable path", As: alice, Do: "PUT", Path: unstable, Body: `{"m.tz":"Europe/Paris"}`},
		get("the profile", "", `"displayname":"Alice"`, `"avatar_url":"mxc://narthex.test/a"`, `"org.example.job":{"title":"smith"}`, `"m.tz":"Europe/Paris"`),
		get("a field", "/org.example.job", `{"org.example.job":{"title":"smith"}}`),
		{Name: "a field is removed", As: alice, Do: "DELETE", Path: own + "/org.example.job"},
		{Name: "and again", As: alice, Do: "DELETE", Path: own + "/org.example.job"},
		fails(get("and is gone", "/org.example.job"), errcode.NotFound),
		put("displayname", `{"displayname":""}`),
		fails(get("an empty name is none", "/displayname"), errcode.NotFound),

		{Name: "somebody else's", As: bob, Do: "PUT", Path: own + "/displayname", Body: `{"displayname":"Malice"}`, Want: errcode.Forbidden},
		{Name: "somebody else's to remove", As: bob, Do: "DELETE", Path: own + "/displayname", Want: errcode.Forbidden},
		{Name: "nobody's token", As: anyone, Do: "PUT", Path: own + "/displayname", Body: `{"displayname":"Malice"}`, Want: errcode.MissingToken},
		fails(put("displayname", `{"avatar_url":"mxc://a/b"}`), errcode.MissingParam),
		fails(put("displayname", `{"displayname":null}`), errcode.BadJSON),
		fails(put("displayname", `{"displayname":"`+long+`x"}`), errcode.InvalidParam),
		put("displayname", `{"displayname":"`+long+`"}`),
		fails(put("avatar_url", `{"avatar_url":7}`), errcode.BadJSON),
		fails(put("avatar_url", `{"avatar_url":"https://example.org/a.png"}`), errcode.InvalidParam),
		fails(put("m.tz", `{"m.tz":[]}`), errcode.BadJSON),
		fails(put("displayname", `{`), errcode.NotJSON),
		fails(put("nickname", `{"nickname":"x"}`), errcode.InvalidParam),
		fails(put("org."+long, `{}`), errcode.KeyTooLarge),
		{Name: "a key too large to remove", As: alice, Do: "DELETE", Path: own + "/org." + long, Want: errcode.KeyTooLarge},
		{Name: "no name to remove", As: alice, Do: "DELETE", Path: own + "/nickname", Want: errcode.InvalidParam},
		put("org.example.large", `{"org.example.large":"`+strings.Repeat("x", 60_000)+`"}`),
		fails(put("org.example.more", `{"org.example.more":"`+strings.Repeat("x", 6_000)+`"}`), errcode.ProfileTooLarge),
		fails(put("org.example.large", `{"org.example.large":"`+strings.Repeat("x", 130<<10)+`"}`), errcode.TooLarge),
		{Name: "no user id", As: anyone, Do: "GET", Path: "/_matrix/client/v3/profile/alice", Want: errcode.InvalidParam},
		{Name: "no user id for a field", As: anyone, Do: "GET", Path: "/_matrix/client/v3/profile/alice/displayname", Want: errcode.InvalidParam},
		{Name: "no such user", As: anyone, Do: "GET", Path: path("@nobody:narthex.test", ""), Want: errcode.NotFound},
		{Name: "no such user's field", As: anyone, Do: "GET", Path: path("@nobody:narthex.test", "/displayname"), Want: errcode.NotFound},
		{Name: "of another server", As: anyone, Do: "GET", Path: path("@alice:example.org", ""), Want: errcode.NotFound},
	})
}

func TestA60_PendingUsersHaveNoProfile(t *testing.T) {
	srv := apitest.New(t, func(c *config.Config) { c.Approval.Enabled, c.Approval.RequiredForNewAccounts = true, true })
	alice := srv.User(t, "alice")
	alice.Do(t, "PUT", path(alice.UserID, "/displayname"), `{"displayname":"Alice"}`).OK(t, nil)
	err := srv.App.DB.Write(t.Context(), func(tx *db.Tx) error {
		_, err := tx.Exec(`UPDATE users SET approved = FALSE WHERE user_id = $1`, alice.UserID)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	pending := srv.Anyone().Do(t, "GET", path(alice.UserID, ""), nil).Fails(t, srv, errcode.NotFound)
	unknown := srv.Anyone().Do(t, "GET", path("@nobody:narthex.test", ""), nil)
	if string(pending.Body) != string(unknown.Body) {
		t.Errorf("a pending user is answered %s, an unknown one %s", pending.Body, unknown.Body)
	}
}

func TestProfilesGoIntoRooms(t *testing.T) {
	for _, count := range []int{2, 21} {
		t.Run(fmt.Sprint(count, " rooms"), func(t *testing.T) {
			srv := apitest.New(t)
			alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
			var in []*apitest.Room
			for range count {
				in = append(in, alice.CreateRoom(t))
			}
			left := bob.CreateRoom(t).Join(t, alice)
			alice.Do(t, "POST", left.Path("/leave"), nil).OK(t, nil)
			in[0].SetState(t, alice, "m.room.member/"+string(alice.UserID), map[string]any{"membership": "join", "displayname": "A", "org.example.mood": "fine"})
			alice.Do(t, "PUT", path(alice.UserID, "/displayname"), `{"displayname":"Alice"}`).OK(t, nil)
			alice.Do(t, "PUT", path(alice.UserID, "/avatar_url"), `{"avatar_url":"mxc://narthex.test/a"}`).OK(t, nil)
			srv.RunJobs(t)
			for i, room := range in {
				var member map[string]any
				alice.Do(t, "GET", room.Path("/state/m.room.member/"+apitest.Escape(alice.UserID)), nil).OK(t, &member)
				if member["displayname"] != "Alice" || member["avatar_url"] != "mxc://narthex.test/a" || member["membership"] != "join" {
					t.Errorf("room %d: got the member %v", i, member)
				}
				if i == 0 && member["org.example.mood"] != "fine" {
					t.Errorf("what else was in the membership is gone: %v", member)
				}
			}
			var member map[string]any
			bob.Do(t, "GET", left.Path("/state/m.room.member/"+apitest.Escape(alice.UserID)), nil).OK(t, &member)
			if member["membership"] != "leave" || member["displayname"] != nil {
				t.Errorf("in a room that alice has left: got the member %v", member)
			}
			alice.Do(t, "DELETE", path(alice.UserID, "/avatar_url"), nil).OK(t, nil)
			srv.RunJobs(t)
			member = nil
			alice.Do(t, "GET", in[1].Path("/state/m.room.member/"+apitest.Escape(alice.UserID)), nil).OK(t, &member)
			if member["avatar_url"] != nil {
				t.Errorf("the avatar is still in the membership: %v", member)
			}
		})
	}
}

func TestGuestsHaveANameOnly(t *testing.T) {
	srv := apitest.New(t)
	guest := srv.Guest(t, "guest")
	apitest.Run(t, []apitest.Case{
		{Name: "a name", As: guest, Do: "PUT", Path: path(guest.UserID, "/displayname"), Body: `{"displayname":"Passer-by"}`},
		{Name: "no avatar", As: guest, Do: "PUT", Path: path(guest.UserID, "/avatar_url"), Body: `{"avatar_url":"mxc://a/b"}`, Want: errcode.GuestAccessForbidden},
		{Name: "no avatar to remove", As: guest, Do: "DELETE", Path: path(guest.UserID, "/avatar_url"), Want: errcode.GuestAccessForbidden},
		{Name: "no name any more", As: guest, Do: "DELETE", Path: path(guest.UserID, "/displayname")},
	})
}
