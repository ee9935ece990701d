package admin_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/id"
)

func TestCreateUser(t *testing.T) {
	srv := apitest.New(t, approvalRequired)
	root := srv.Administrator(t, "root")
	put := func(t *testing.T, name string, body object) *apitest.Response {
		t.Helper()
		return root.Do(t, "PUT", user(userID(name)), body)
	}
	t.Run("A-53 A-18 a new account is approved", func(t *testing.T) {
		r := put(t, "alice", object{"password": apitest.Password, "displayname": "Alice", "avatar_url": "mxc://narthex.test/alice"})
		if r.Status != 201 {
			t.Fatalf("got %d %s, want 201", r.Status, r.Body)
		}
		for _, text := range []string{`"approved":true`, `"displayname":"Alice"`, `"avatar_url":"mxc://narthex.test/alice"`, `"admin":false`} {
			if !strings.Contains(string(r.Body), text) {
				t.Errorf("got %s, want %s", r.Body, text)
			}
		}
		login(t, srv, userID("alice")).OK(t, nil)
		want := []string{
			`@root:narthex.test create {"admin":false}`,
			`@root:narthex.test set_profile {"displayname":"Alice"}`,
			`@root:narthex.test set_profile {"avatar_url":"mxc://narthex.test/alice"}`,
		}
		if diff := cmp.Diff(want, audit(t, root, string(userID("alice")))); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("A-53 unless the request says otherwise", func(t *testing.T) {
		if r := put(t, "bob", object{"password": apitest.Password, "approved": false}); r.Status != 201 {
			t.Fatalf("got %d %s, want 201", r.Status, r.Body)
		}
		login(t, srv, userID("bob")).Fails(t, srv, errcode.UserAwaitingApproval)
	})
	t.Run("an administrator without a password", func(t *testing.T) {
		if r := put(t, "boss", object{"admin": true}); r.Status != 201 {
			t.Fatalf("got %d %s, want 201", r.Status, r.Body)
		}
		if a := account(t, srv, userID("boss")); !a.Admin || a.PasswordHash != "" {
			t.Errorf("got %+v", a)
		}
	})
	t.Run("one that is locked from the beginning", func(t *testing.T) {
		put(t, "locked", object{"password": apitest.Password, "locked": true})
		login(t, srv, userID("locked")).Fails(t, srv, errcode.UserLocked)
	})
	apitest.Run(t, []apitest.Case{
		{Name: "a username with capitals", As: root, Do: "PUT", Path: user(userID("Alice")), Body: object{}, Want: errcode.InvalidUsername},
		{Name: "a username of digits", As: root, Do: "PUT", Path: user(userID("123")), Body: object{}, Want: errcode.InvalidUsername},
		{Name: "of another server", As: root, Do: "PUT", Path: user("@a:other.test"), Body: object{}, Want: errcode.InvalidParam},
		{Name: "a weak password", As: root, Do: "PUT", Path: user(userID("weak")), Body: object{"password": "short"}, Want: errcode.WeakPassword},
	})
}

func TestChangeUser(t *testing.T) {
	srv := apitest.New(t, approvalRequired)
	root, alice := srv.Administrator(t, "root"), srv.User(t, "alice")
	put := func(t *testing.T, body object) *apitest.Response {
		t.Helper()
		return root.Do(t, "PUT", user(alice.UserID), body).OK(t, nil)
	}
	whoami := func(c *apitest.Client) *apitest.Response {
		return c.Do(t, "GET", "/_matrix/client/v3/account/whoami", nil)
	}

	t.Run("A-52 approved is independent of other members", func(t *testing.T) {
		put(t, object{"approved": false, "displayname": "Alice"})
		if a := account(t, srv, alice.UserID); !a.Pending() {
			t.Errorf("got %+v, want pending", a)
		}
		put(t, object{"displayname": "Alicia"})
		if a := account(t, srv, alice.UserID); !a.Pending() {
			t.Errorf("got %+v, want pending", a)
		}
		r := put(t, object{"approved": true})
		if !strings.Contains(string(r.Body), `"approved":true`) || !strings.Contains(string(r.Body), `"displayname":"Alicia"`) {
			t.Errorf("got %s", r.Body)
		}
	})
	t.Run("a password, keeping the devices", func(t *testing.T) {
		put(t, object{"password": "another good one", "logout_devices": false})
		whoami(alice).OK(t, nil)
		login(t, srv, alice.UserID).Fails(t, srv, errcode.Forbidden)
		loginWith(t, srv, alice.UserID, "another good one").OK(t, nil)
	})
	t.Run("a password, signing out", func(t *testing.T) {
		put(t, object{"password": apitest.Password})
		whoami(alice).Fails(t, srv, errcode.UnknownToken)
		login(t, srv, alice.UserID).OK(t, nil)
	})
	t.Run("a profile is removed by empty texts", func(t *testing.T) {
		r := put(t, object{"displayname": "", "avatar_url": ""})
		if !strings.Contains(string(r.Body), `"displayname":null`) {
			t.Errorf("got %s", r.Body)
		}
	})
	t.Run("the rights of an administrator", func(t *testing.T) {
		put(t, object{"admin": true})
		root.Do(t, "PUT", user(alice.UserID), object{"locked": true}).Fails(t, srv, errcode.Forbidden)
		put(t, object{"admin": false, "locked": true})
		if a := account(t, srv, alice.UserID); a.Admin || !a.Locked {
			t.Errorf("got %+v, want locked and no administrator", a)
		}
		put(t, object{"locked": false})
	})
	t.Run("what is so already leaves no trace", func(t *testing.T) {
		before := audit(t, root, string(alice.UserID))
		put(t, object{"admin": false, "locked": false, "approved": true, "displayname": "", "deactivated": false, "threepids": []any{}, "user_type": nil})
		if diff := cmp.Diff(before, audit(t, root, string(alice.UserID))); diff != "" {
			t.Error(diff)
		}
		for _, line := range before {
			if strings.Contains(line, "another good one") || strings.Contains(line, apitest.Password) {
				t.Errorf("the audit log holds a password: %s", line)
			}
		}
	})
	t.Run("a request that fails changes nothing", func(t *testing.T) {
		before := audit(t, root, string(alice.UserID))
		put(t, object{"admin": true})
		root.Do(t, "PUT", user(alice.UserID), object{"displayname": "Half", "locked": true}).Fails(t, srv, errcode.Forbidden)
		put(t, object{"admin": false})
		if got := audit(t, root, string(alice.UserID)); len(got) != len(before)+2 {
			t.Errorf("got %q", got)
		}
	})
	t.Run("deactivation", func(t *testing.T) {
		put(t, object{"deactivated": true})
		apitest.Run(t, []apitest.Case{
			{Name: "cannot be undone", As: root, Do: "PUT", Path: user(alice.UserID), Body: object{"deactivated": false}, Want: errcode.InvalidParam},
			{Name: "leaves no way to a password", As: root, Do: "PUT", Path: user(alice.UserID), Body: object{"password": apitest.Password}, Want: errcode.InvalidParam},
			{Name: "leaves no way to approval", As: root, Do: "PUT", Path: user(alice.UserID), Body: object{"approved": true}, Want: errcode.InvalidParam},
		})
	})
}

func TestChangeUserIsRefused(t *testing.T) {
	srv := apitest.New(t, approvalRequired)
	root, alice := srv.Administrator(t, "root"), srv.User(t, "alice")
	try := func(name string, who id.UserID, body any, want *errcode.Code) apitest.Case {
		return apitest.Case{Name: name, As: root, Do: "PUT", Path: user(who), Body: body, Want: want}
	}
	apitest.Run(t, []apitest.Case{
		try("A-52 approved as a text", alice.UserID, `{"approved":"true"}`, errcode.InvalidParam),
		try("A-52 approved as a number", alice.UserID, `{"approved":1}`, errcode.InvalidParam),
		try("third-party identifiers", alice.UserID, `{"threepids":[{"medium":"email","address":"a@example.org"}]}`, errcode.InvalidParam),
		try("external identifiers", alice.UserID, `{"external_ids":[{}]}`, errcode.InvalidParam),
		try("a type", alice.UserID, `{"user_type":"bot"}`, errcode.InvalidParam),
		try("locked and deactivated", alice.UserID, `{"locked":true,"deactivated":true}`, errcode.InvalidParam),
		try("an avatar that is no media", alice.UserID, `{"avatar_url":"https://example.org/a.png"}`, errcode.InvalidParam),
		try("a display name that is too long", alice.UserID, object{"displayname": strings.Repeat("ä", 257)}, errcode.InvalidParam),
		try("a password that is too short", alice.UserID, `{"password":""}`, errcode.WeakPassword),
		try("admin as a text", alice.UserID, `{"admin":"yes"}`, errcode.BadJSON),
		try("not JSON", alice.UserID, `{"admin":`, errcode.NotJSON),
		try("demoting oneself", root.UserID, `{"admin":false}`, errcode.Forbidden),
		try("locking oneself", root.UserID, `{"locked":true}`, errcode.Forbidden),
		try("deactivating oneself", root.UserID, `{"deactivated":true}`, errcode.Forbidden),
		try("un-approving oneself", root.UserID, `{"approved":false}`, errcode.Forbidden),
		{Name: "not an administrator", As: alice, Do: "PUT", Path: user(alice.UserID), Body: `{"admin":true}`, Want: errcode.Forbidden},
		{Name: "without a token", As: srv.Anyone(), Do: "PUT", Path: user(alice.UserID), Body: `{"admin":true}`, Want: errcode.MissingToken},
	})
	if lines := audit(t, root, string(alice.UserID)); len(lines) != 0 {
		t.Errorf("got the lines %q, want none", lines)
	}
}

func TestANewNameReachesTheRooms(t *testing.T) {
	srv := apitest.New(t)
	root, alice := srv.Administrator(t, "root"), srv.User(t, "alice")
	room := alice.CreateRoom(t)
	root.Do(t, "PUT", "/_synapse/admin/v2/users/"+apitest.Escape(alice.UserID), `{"displayname":"Alice of the hall"}`).OK(t, nil)
	var member struct {
		Name string `json:"displayname"`
	}
	alice.Do(t, "GET", room.Path("/state/m.room.member/"+apitest.Escape(alice.UserID)), nil).OK(t, &member)
	if member.Name != "Alice of the hall" {
		t.Errorf("in the room the name is %q", member.Name)
	}
}
