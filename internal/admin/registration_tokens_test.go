package admin_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/errcode"
)

const tokens = "/_synapse/admin/v1/registration_tokens"

type token struct {
	Token       string
	UsesAllowed *int64 `json:"uses_allowed"`
	Pending     int64
	Completed   int64
	ExpiryTime  *int64 `json:"expiry_time"`
	Preapproved bool
}

func TestRegistrationTokens(t *testing.T) {
	srv := apitest.New(t, approvalRequired, func(cfg *config.Config) { cfg.Registration.RequireToken = true })
	root := srv.Administrator(t, "root")
	tomorrow := time.Now().Add(24 * time.Hour).UnixMilli()

	t.Run("defaults", func(t *testing.T) {
		var made token
		root.Do(t, "POST", tokens+"/new", object{}).OK(t, &made)
		if len(made.Token) != 16 {
			t.Errorf("got %q, want 16 characters", made.Token)
		}
		if diff := cmp.Diff(token{Token: made.Token}, made); diff != "" {
			t.Error(diff)
		}
		root.Do(t, "POST", tokens+"/new", object{"length": 64}).OK(t, &made)
		if len(made.Token) != 64 {
			t.Errorf("got %q, want 64 characters", made.Token)
		}
		for _, text := range []string{made.Token} {
			wantJSON(t, root.Do(t, "DELETE", tokens+"/"+text, nil), object{})
		}
	})
	t.Run("A-13 a token that approves lets people in once", func(t *testing.T) {
		wantJSON(t, root.Do(t, "POST", tokens+"/new", object{"token": "friends", "uses_allowed": 1, "expiry_time": tomorrow, "preapproved": true}),
			object{"token": "friends", "uses_allowed": 1, "pending": 0, "completed": 0, "expiry_time": tomorrow, "preapproved": true})
		registerWith(t, srv, "alice", "friends").OK(t, nil)
		wantJSON(t, root.Do(t, "GET", tokens+"/friends", nil),
			object{"token": "friends", "uses_allowed": 1, "pending": 0, "completed": 1, "expiry_time": tomorrow, "preapproved": true})
		registerWith(t, srv, "bob", "friends").Fails(t, srv, errcode.InteractiveAuth)
	})
	t.Run("what is absent stays, what is null goes", func(t *testing.T) {
		want := object{"token": "friends", "uses_allowed": 2, "pending": 0, "completed": 1, "expiry_time": tomorrow, "preapproved": false}
		wantJSON(t, root.Do(t, "PUT", tokens+"/friends", object{"uses_allowed": 2, "preapproved": false}), want)
		want["expiry_time"] = nil
		wantJSON(t, root.Do(t, "PUT", tokens+"/friends", object{"expiry_time": nil}), want)
		wantJSON(t, root.Do(t, "PUT", tokens+"/friends", object{}), want)
		want["uses_allowed"] = nil
		wantJSON(t, root.Do(t, "PUT", tokens+"/friends", object{"uses_allowed": nil}), want)
		wantJSON(t, root.Do(t, "GET", tokens+"/friends", nil), want)
		registerWith(t, srv, "bob", "friends").Fails(t, srv, errcode.UserAwaitingApproval)
	})
	t.Run("lists", func(t *testing.T) {
		root.Do(t, "POST", tokens+"/new", object{"token": "spent", "uses_allowed": 0}).OK(t, nil)
		root.Do(t, "POST", tokens+"/new", object{"token": "old", "expiry_time": tomorrow}).OK(t, nil)
		srv.Advance(48 * time.Hour)
		root.Token = srv.Device(t, root.UserID, "LATER").Token
		for query, want := range map[string]string{"": "friends old spent", "?valid=true": "friends", "?valid=false": "old spent"} {
			var l struct {
				Tokens []token `json:"registration_tokens"`
			}
			root.Do(t, "GET", tokens+query, nil).OK(t, &l)
			var names []string
			for _, tk := range l.Tokens {
				if len(tk.Token) != 16 { // the random one
					names = append(names, tk.Token)
				}
			}
			if got := strings.Join(names, " "); got != want {
				t.Errorf("%q: got %q, want %q", query, got, want)
			}
		}
	})
	t.Run("the audit log", func(t *testing.T) {
		lines := audit(t, root, accounts.RegistrationToken{Token: "friends"}.Mark())
		if len(lines) != 5 || !strings.Contains(lines[0], "create_registration_token") || !strings.Contains(lines[4], "update_registration_token") {
			t.Errorf("got %q", lines)
		}
	})
	post := func(name string, body any) apitest.Case {
		return apitest.Case{Name: name, As: root, Do: "POST", Path: tokens + "/new", Body: body, Want: errcode.InvalidParam}
	}
	put := func(name string, body any) apitest.Case {
		return apitest.Case{Name: name, As: root, Do: "PUT", Path: tokens + "/friends", Body: body, Want: errcode.InvalidParam}
	}
	apitest.Run(t, []apitest.Case{
		post("taken", object{"token": "friends"}),
		post("an empty text", object{"token": ""}),
		post("a text with other characters", object{"token": "a b"}),
		post("a text that is too long", object{"token": strings.Repeat("a", 65)}),
		post("too short", object{"length": 0}),
		post("too long", object{"length": 65}),
		post("negative uses", object{"uses_allowed": -1}),
		post("uses as a text", object{"uses_allowed": "1"}),
		post("a broken number of uses", object{"uses_allowed": 1.5}),
		post("an expiry in the past", object{"expiry_time": 1}),
		post("an expiry as a text", object{"expiry_time": "tomorrow"}),
		put("changed to negative uses", object{"uses_allowed": -1}),
		put("changed to an expiry in the past", object{"expiry_time": 1}),
		{Name: "a text of another type", As: root, Do: "POST", Path: tokens + "/new", Body: `{"token":1}`, Want: errcode.BadJSON},
		{Name: "malformed filter", As: root, Do: "GET", Path: tokens + "?valid=x", Want: errcode.InvalidParam},
		{Name: "unknown", As: root, Do: "GET", Path: tokens + "/none", Want: errcode.NotFound},
		{Name: "change of an unknown one", As: root, Do: "PUT", Path: tokens + "/none", Body: object{}, Want: errcode.NotFound},
		{Name: "deletion of an unknown one", As: root, Do: "DELETE", Path: tokens + "/none", Want: errcode.NotFound},
		{Name: "not an administrator", As: srv.Device(t, userID("alice"), "A"), Do: "GET", Path: tokens, Want: errcode.Forbidden},
		{Name: "without a token", As: srv.Anyone(), Do: "POST", Path: tokens + "/new", Body: object{}, Want: errcode.MissingToken},
	})
}

func registerWith(t *testing.T, srv *apitest.Server, username, token string) *apitest.Response {
	t.Helper()
	const path = "/_matrix/client/v3/register"
	body := object{"username": username, "password": apitest.Password}
	var challenge struct{ Session string }
	first := srv.Anyone().Do(t, "POST", path, body).Fails(t, srv, errcode.InteractiveAuth)
	first.Status = 200
	first.OK(t, &challenge)
	body["auth"] = object{"type": "m.login.registration_token", "token": token, "session": challenge.Session}
	if r := srv.Anyone().Do(t, "POST", path, body); r.Status != 401 || strings.Contains(string(r.Body), "errcode") {
		return r
	}
	body["auth"] = object{"type": "m.login.dummy", "session": challenge.Session}
	return srv.Anyone().Do(t, "POST", path, body)
}
