package oauth_test

import (
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
)

func TestGetLoginFlows(t *testing.T) {
	srv := apitest.New(t)
	r := srv.Anyone().Do(t, "GET", loginPath, nil).OK(t, nil)
	if got, want := string(r.Body), `{"flows":[{"type":"m.login.password"},{"type":"m.login.sso","oauth_aware_preferred":true,"org.matrix.msc3824.delegated_oidc_compatibility":true},{"type":"m.login.token","get_login_token":true}]}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestLoginByPassword(t *testing.T) {
	srv := apitest.New(t)
	srv.User(t, "alice")
	ok := func(name string, body object) apitest.Case {
		return apitest.Case{Name: name, As: srv.Anyone(), Do: "POST", Path: loginPath, Body: body,
			Has: []string{`"user_id":"@alice:narthex.test"`, `"access_token":"nxt_a_`, `"device_id":"`}}
	}
	fails := func(name string, body any, want *errcode.Code) apitest.Case {
		return apitest.Case{Name: name, As: srv.Anyone(), Do: "POST", Path: loginPath, Body: body, Want: want}
	}
	password := object{"type": "m.login.password", "password": apitest.Password}
	withID := func(o object) object { return with(password, object{"identifier": o}) }
	apitest.Run(t, []apitest.Case{
		ok("by localpart", passwordLogin("alice", apitest.Password)),
		ok("by localpart in upper case", passwordLogin("ALICE", apitest.Password)),
		ok("by user ID", passwordLogin("@Alice:narthex.test", apitest.Password)),
		ok("by the older member", with(password, object{"user": "alice"})),
		ok("with a refresh token", with(passwordLogin("alice", apitest.Password), object{"refresh_token": true})),
		{Name: "by the older path", As: srv.Anyone(), Do: "POST", Path: "/_matrix/client/r0/login", Body: passwordLogin("alice", apitest.Password)},

		fails("a wrong password", passwordLogin("alice", "wrong"), errcode.Forbidden),
		fails("an empty password", passwordLogin("alice", ""), errcode.Forbidden),
		fails("an unknown user", passwordLogin("nobody", apitest.Password), errcode.Forbidden),
		fails("a user of another server", passwordLogin("@alice:elsewhere.test", apitest.Password), errcode.Forbidden),
		fails("the server's name in upper case", passwordLogin("@alice:NARTHEX.test", apitest.Password), errcode.Forbidden),
		fails("what cannot be a user", passwordLogin("@alice", apitest.Password), errcode.Forbidden),
		fails("NUL in the name", passwordLogin("ali\x00ce", apitest.Password), errcode.Forbidden),
		fails("a mail address", withID(object{"type": "m.id.thirdparty", "medium": "email", "address": "a@b.test"}), errcode.Forbidden),
		fails("a mail address without a type", withID(object{"medium": "email", "address": "a@b.test"}), errcode.Forbidden),
		fails("a mail address by the older members", with(password, object{"medium": "email", "address": "a@b.test"}), errcode.Forbidden),
		fails("a phone", withID(object{"type": "m.id.phone", "country": "GB", "phone": "07700900001"}), errcode.Forbidden),

		fails("no type", object{"password": apitest.Password}, errcode.MissingParam),
		fails("an unknown type", with(password, object{"type": "m.login.magic"}), errcode.UnrecognizedValue),
		fails("an unknown identifier", withID(object{"type": "m.id.magic"}), errcode.UnrecognizedValue),
		fails("no identifier", password, errcode.MissingParam),
		fails("an identifier without a user", withID(object{"type": "m.id.user"}), errcode.MissingParam),
		fails("an identifier without an address", withID(object{"type": "m.id.thirdparty", "medium": "email"}), errcode.MissingParam),
		fails("an identifier without a phone", withID(object{"type": "m.id.phone"}), errcode.MissingParam),
		fails("no password", object{"type": "m.login.password", "user": "alice"}, errcode.MissingParam),
		fails("a device id that is too long", with(passwordLogin("alice", apitest.Password), object{"device_id": longText(513)}), errcode.InvalidParam),
		fails("a device id with NUL", with(passwordLogin("alice", apitest.Password), object{"device_id": "a\x00"}), errcode.InvalidParam),
		fails("a name of the device with NUL", with(passwordLogin("alice", apitest.Password), object{"initial_device_display_name": "a\x00"}), errcode.InvalidParam),
		fails("an identifier that is no object", withID(nil)["type"], errcode.NotJSON),
		fails("a user that is no string", passwordLoginOf(7), errcode.BadJSON),
	})
}

func passwordLoginOf(user any) object {
	return object{"type": "m.login.password", "identifier": object{"type": "m.id.user", "user": user}, "password": "p"}
}

func longText(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = 'x'
	}
	return string(b)
}

func TestLoginOnADeviceThatIsThere(t *testing.T) {
	srv := apitest.New(t)
	srv.User(t, "alice")
	body := with(passwordLogin("alice", apitest.Password), object{"device_id": "PHONE/1+", "initial_device_display_name": "Phone", "refresh_token": true})
	first := decode[session](t, login(t, srv, body).OK(t, nil))
	second := decode[session](t, login(t, srv, with(body, object{"initial_device_display_name": "Other"})).OK(t, nil))
	if first.DeviceID != "PHONE/1+" || second.DeviceID != first.DeviceID {
		t.Errorf("got %s and %s", first.DeviceID, second.DeviceID)
	}
	as(srv, first.AccessToken).Do(t, "GET", whoamiPath, nil).Fails(t, srv, errcode.UnknownToken)
	srv.Anyone().Do(t, "POST", refreshPath, object{"refresh_token": first.RefreshToken}).Fails(t, srv, errcode.UnknownToken)
	as(srv, second.AccessToken).Do(t, "GET", whoamiPath, nil).OK(t, nil)
	for _, d := range devices(t, srv, userID("alice")) {
		if d.DeviceID == "PHONE/1+" && *d.DisplayName != "Phone" {
			t.Errorf("the name is %q, want the first one", *d.DisplayName)
		}
	}
}

func TestLoginIsLimitedForEachAccount(t *testing.T) {
	srv := apitest.New(t, func(cfg *config.Config) { cfg.RateLimits.Enabled = true })
	srv.User(t, "alice")
	srv.User(t, "bob")
	for _, name := range []string{"alice", "nobody"} {
		for range 10 {
			login(t, srv, passwordLogin(name, "wrong")).Fails(t, srv, errcode.Forbidden)
		}
		r := login(t, srv, passwordLogin(name, "wrong"))
		r.Fails(t, srv, errcode.LimitExceeded)
		if got := r.Header.Get("Retry-After"); got != "600" {
			t.Errorf("%s: Retry-After is %q, want 600", name, got)
		}
	}
	login(t, srv, passwordLogin("@alice:narthex.test", apitest.Password)).Fails(t, srv, errcode.LimitExceeded)
	login(t, srv, passwordLogin("bob", apitest.Password)).OK(t, nil)
	srv.Advance(11 * time.Minute)
	login(t, srv, passwordLogin("alice", apitest.Password)).OK(t, nil)
	login(t, srv, passwordLogin("nobody", apitest.Password)).Fails(t, srv, errcode.Forbidden) // counts from one again
	srv.RunJobs(t)
	if n := rows(t, srv, `SELECT COUNT(*) FROM password_guesses`); n != 1 {
		t.Errorf("got %d counters, want 1", n)
	}
}

func TestGuessesAtOnceAreCounted(t *testing.T) {
	srv := apitest.New(t, func(cfg *config.Config) { cfg.RateLimits.Enabled = true })
	srv.User(t, "alice")
	count, _ := atOnce(t, 30, func(int) (*apitest.Response, error) {
		return srv.Anyone().Try(t.Context(), "POST", loginPath, passwordLogin("alice", "wrong"))
	})
	if count["403 M_FORBIDDEN"] != 10 || count["429 M_LIMIT_EXCEEDED"] != 20 {
		t.Errorf("got %v, want ten guesses", count)
	}
}

func TestLoginTokenAtOnce(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	const path = "/_matrix/client/v1/login/get_token"
	mint := func(client *apitest.Client) string {
		t.Helper()
		c := challenged(t, srv, client.Do(t, "POST", path, object{}))
		body := object{"auth": object{"type": "m.login.password", "session": c.Session, "identifier": object{"type": "m.id.user", "user": "alice"}, "password": apitest.Password}}
		answer := decode[object](t, client.Do(t, "POST", path, body).OK(t, nil))
		if answer["expires_in_ms"] != float64(120_000) {
			t.Errorf("got %v", answer)
		}
		return answer["login_token"].(string)
	}
	by := func(token string) object { return object{"type": "m.login.token", "token": token} }

	t.Run("works once", func(t *testing.T) {
		token := mint(alice)
		count, _ := atOnce(t, 8, func(int) (*apitest.Response, error) {
			return srv.Anyone().Try(t.Context(), "POST", loginPath, by(token))
		})
		if count["200"] != 1 || count["403 M_FORBIDDEN"] != 7 {
			t.Errorf("got %v", count)
		}
	})
	t.Run("runs out", func(t *testing.T) {
		token := mint(alice)
		srv.Advance(3 * time.Minute)
		login(t, srv, by(token)).Fails(t, srv, errcode.Forbidden)
		token = mint(alice)
		srv.Advance(6 * time.Minute)
		srv.RunJobs(t)
		if n := rows(t, srv, `SELECT COUNT(*) FROM login_tokens`); n != 0 {
			t.Errorf("got %d tokens after the sweep", n)
		}
		login(t, srv, by(token)).Fails(t, srv, errcode.Forbidden)
	})
	t.Run("dies with the device", func(t *testing.T) {
		other := srv.Device(t, alice.UserID, "OTHER")
		token := mint(other)
		other.Do(t, "POST", "/_matrix/client/v3/logout", nil).OK(t, nil)
		login(t, srv, by(token)).Fails(t, srv, errcode.Forbidden)
	})
	t.Run("needs authentication", func(t *testing.T) {
		wrong := object{"auth": object{"type": "m.login.password", "user": "alice", "password": "wrong"}}
		if c := challenged(t, srv, alice.Do(t, "POST", path, wrong)); c.Errcode != "M_FORBIDDEN" {
			t.Errorf("got %+v", c)
		}
		srv.Anyone().Do(t, "POST", path, object{}).Fails(t, srv, errcode.MissingToken)
	})
	t.Run("malformed", func(t *testing.T) {
		login(t, srv, by("")).Fails(t, srv, errcode.MissingParam)
		login(t, srv, by("nonsense")).Fails(t, srv, errcode.Forbidden)
		login(t, srv, by(alice.Token)).Fails(t, srv, errcode.Forbidden) // another kind of token
		alice.Do(t, "POST", path, object{"auth": object{"type": 1}}).Fails(t, srv, errcode.BadJSON)
	})
	t.Run("of a locked and of a deactivated account", func(t *testing.T) {
		locked, ended := mint(alice), mint(alice)
		write(t, srv, func(tx *db.Tx) error { return srv.App.Accounts.SetLocked(tx, alice.UserID, true, "@root:narthex.test") })
		login(t, srv, by(locked)).Fails(t, srv, errcode.UserLocked)
		login(t, srv, by(locked)).Fails(t, srv, errcode.Forbidden) // used up
		write(t, srv, func(tx *db.Tx) error {
			return srv.App.Accounts.Deactivate(tx, alice.UserID, "@root:narthex.test", false)
		})
		login(t, srv, by(ended)).Fails(t, srv, errcode.UserDeactivated)
	})
}
