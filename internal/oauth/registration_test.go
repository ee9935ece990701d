package oauth_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
)

func TestRegisterWorks(t *testing.T) {
	srv := apitest.New(t)
	t.Run("in one request", func(t *testing.T) {
		s := register(t, srv, with(registration("Alice"), object{"device_id": "PHONE", "initial_device_display_name": "Alice's phone"}))
		if s.UserID != userID("alice") || s.DeviceID != "PHONE" || s.AccessToken == "" || s.RefreshToken != "" || s.HomeServer != "narthex.test" {
			t.Errorf("got %+v", s)
		}
		who := decode[object](t, as(srv, s.AccessToken).Do(t, "GET", whoamiPath, nil).OK(t, nil))
		if who["user_id"] != string(s.UserID) || who["device_id"] != "PHONE" || who["is_guest"] != false {
			t.Errorf("whoami: got %v", who)
		}
		if d := devices(t, srv, s.UserID); len(d) != 1 || d[0].DisplayName == nil || *d[0].DisplayName != "Alice's phone" {
			t.Errorf("devices: got %+v", d)
		}
	})
	t.Run("in two requests", func(t *testing.T) {
		body := object{"username": "bob", "password": apitest.Password}
		c := challenged(t, srv, srv.Anyone().Do(t, "POST", registerPath, body))
		if len(c.Flows) != 1 || !slices.Equal(c.Flows[0].Stages, []string{"m.login.dummy"}) || len(c.Completed) != 0 || c.Errcode != "" {
			t.Errorf("got %+v", c)
		}
		s := register(t, srv, with(body, object{"auth": object{"type": "m.login.dummy", "session": c.Session}}))
		if s.UserID != userID("bob") || s.DeviceID == "" {
			t.Errorf("got %+v", s)
		}
	})
	t.Run("the first request is remembered", func(t *testing.T) {
		body := object{"username": "carol", "password": apitest.Password, "device_id": "TABLET", "refresh_token": true}
		c := challenged(t, srv, srv.Anyone().Do(t, "POST", registerPath, body))
		s := register(t, srv, object{"auth": object{"type": "m.login.dummy", "session": c.Session}})
		if s.UserID != userID("carol") || s.DeviceID != "TABLET" || s.RefreshToken == "" || s.ExpiresInMS != time.Hour.Milliseconds() {
			t.Errorf("got %+v", s)
		}
		login(t, srv, passwordLogin("carol", apitest.Password)).OK(t, nil)
	})
	t.Run("without a name", func(t *testing.T) {
		s := register(t, srv, with(dummy(), object{"password": apitest.Password}))
		if s.UserID == "" || s.AccessToken == "" {
			t.Errorf("got %+v", s)
		}
	})
	t.Run("without a session", func(t *testing.T) {
		r := srv.Anyone().Do(t, "POST", registerPath, with(registration("dave"), object{"inhibit_login": true})).OK(t, nil)
		if got, want := string(r.Body), `{"user_id":"@dave:narthex.test"}`; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if d := devices(t, srv, userID("dave")); len(d) != 0 {
			t.Errorf("devices: got %+v", d)
		}
	})
	t.Run("what clients ask to learn the flows", func(t *testing.T) {
		challenged(t, srv, srv.Anyone().Do(t, "POST", registerPath, object{}))
		challenged(t, srv, srv.Anyone().Do(t, "POST", "/_matrix/client/r0/register", nil))
	})
}

func TestRegisterRefuses(t *testing.T) {
	srv := apitest.New(t)
	register(t, srv, registration("taken"))
	anyone := srv.Anyone()
	refuse := func(name string, body any, want *errcode.Code) apitest.Case {
		return apitest.Case{Name: name, As: anyone, Do: "POST", Path: registerPath, Body: body, Want: want}
	}
	long := strings.Repeat("a", 255-len("@:narthex.test"))
	apitest.Run(t, []apitest.Case{
		refuse("a name that is taken", registration("taken"), errcode.UserInUse),
		refuse("a name that is taken in upper case", registration("TAKEN"), errcode.UserInUse),
		refuse("a name that is taken, before authentication", object{"username": "taken", "password": apitest.Password}, errcode.UserInUse),
		refuse("a name with a space", registration("a b"), errcode.InvalidUsername),
		refuse("a name with an umlaut", registration("käthe"), errcode.InvalidUsername),
		refuse("a Kelvin sign for a k", registration("\u212aelvin"), errcode.InvalidUsername),
		refuse("a name with NUL", registration("a\x00b"), errcode.InvalidUsername),
		refuse("a whole user ID", registration("@eve:narthex.test"), errcode.InvalidUsername),
		refuse("a name of digits", registration("12345"), errcode.InvalidUsername),
		refuse("a name with a leading underscore", registration("_bridge"), errcode.InvalidUsername),
		refuse("a name that is too long", registration(long+"a"), errcode.InvalidUsername),
		refuse("a short password", with(registration("eve"), object{"password": "short"}), errcode.WeakPassword),
		refuse("no password", with(dummy(), object{"username": "eve"}), errcode.MissingParam),
		refuse("a malformed device id", with(registration("eve"), object{"device_id": "a\nb"}), errcode.InvalidParam),
		refuse("another stage", with(registration("eve"), object{"auth": object{"type": "m.login.email.identity"}}), errcode.InteractiveAuth),
		refuse("an authentication that is no object", with(registration("eve"), object{"auth": "dummy"}), errcode.BadJSON),
		refuse("a name that is no string", with(registration("eve"), object{"username": 5}), errcode.BadJSON),
		refuse("what is not JSON", `{"username":`, errcode.NotJSON),
		refuse("a member twice", `{"username":"eve","username":"mallory"}`, errcode.BadJSON),
		{Name: "an unknown kind", As: anyone, Do: "POST", Path: registerPath + "?kind=robot", Body: object{}, Want: errcode.InvalidParam},
		{Name: "a name of the greatest length", As: anyone, Do: "POST", Path: registerPath, Body: registration(long)},
		{Name: "a guest where there are none", As: anyone, Do: "POST", Path: registerPath + "?kind=guest", Body: object{}, Want: errcode.Forbidden},
	})
	if n := rows(t, srv, `SELECT COUNT(*) FROM users`); n != 2 {
		t.Errorf("got %d accounts, want 2", n)
	}
}

func TestRegisterAgain(t *testing.T) {
	srv := apitest.New(t)
	body := object{"username": "alice", "password": apitest.Password}
	c := challenged(t, srv, srv.Anyone().Do(t, "POST", registerPath, body))
	final := with(body, object{"auth": object{"type": "m.login.dummy", "session": c.Session}})
	first := register(t, srv, final)

	again := register(t, srv, final)
	if again.UserID != first.UserID || again.DeviceID != first.DeviceID || again.AccessToken == first.AccessToken {
		t.Errorf("got %+v after %+v, want the same account and device with a new token", again, first)
	}
	as(srv, first.AccessToken).Do(t, "GET", whoamiPath, nil).Fails(t, srv, errcode.UnknownToken)
	as(srv, again.AccessToken).Do(t, "POST", "/_matrix/client/v3/logout", nil).OK(t, nil)

	// After the person signed out, the session of the registration signs nobody in.
	srv.Anyone().Do(t, "POST", registerPath, final).Fails(t, srv, errcode.UserInUse)

	// A session that has run out is unknown, and the name is taken.
	srv.Advance(time.Hour)
	srv.Anyone().Do(t, "POST", registerPath, final).Fails(t, srv, errcode.UserInUse)
	if n := rows(t, srv, `SELECT COUNT(*) FROM interactive_sessions`); n != 1 {
		t.Errorf("got %d sessions, want 1", n)
	}
	srv.RunJobs(t)
	if n := rows(t, srv, `SELECT COUNT(*) FROM interactive_sessions`); n != 0 {
		t.Errorf("got %d sessions after the sweep, want 0", n)
	}
}

func TestRegisterTheSameNameAtOnce(t *testing.T) {
	srv := apitest.New(t)
	count, _ := atOnce(t, 20, func(int) (*apitest.Response, error) {
		return srv.Anyone().Try(t.Context(), "POST", registerPath, registration("alice"))
	})
	if count["200"] != 1 || count["400 M_USER_IN_USE"] != 19 {
		t.Errorf("got %v, want one account", count)
	}
	if d := devices(t, srv, userID("alice")); len(d) != 1 {
		t.Errorf("got %d devices, want 1", len(d))
	}
}

func TestRegisterTheSameSessionAtOnce(t *testing.T) {
	srv := apitest.New(t)
	body := object{"password": apitest.Password}
	c := challenged(t, srv, srv.Anyone().Do(t, "POST", registerPath, body))
	count, answers := atOnce(t, 8, func(int) (*apitest.Response, error) {
		return srv.Anyone().Try(t.Context(), "POST", registerPath, with(body, object{"auth": object{"type": "m.login.dummy", "session": c.Session}}))
	})
	users := map[string]bool{}
	for _, r := range answers {
		users[string(decode[session](t, r).UserID)] = true
	}
	if len(users) != 1 || count["200"] != 8 {
		t.Errorf("got %v for %v", count, users)
	}
	if n := rows(t, srv, `SELECT COUNT(*) FROM users`); n != 1 {
		t.Errorf("got %d accounts, want 1", n)
	}
}

func TestRegisterWithTokenAndTerms(t *testing.T) {
	srv := apitest.New(t, func(cfg *config.Config) {
		cfg.Registration.RequireToken = true
		cfg.Registration.Terms = config.Terms{URL: "https://narthex.test/terms", Name: "Terms", Version: "2"}
	})
	one := int64(1)
	write(t, srv, func(tx *db.Tx) error {
		_, err := srv.App.Accounts.CreateRegistrationToken(tx, accounts.RegistrationToken{Token: "welcome", UsesAllowed: &one})
		return err
	})
	valid := func(want bool) {
		t.Helper()
		r := srv.Anyone().Do(t, "GET", "/_matrix/client/v1/register/m.login.registration_token/validity?token=welcome", nil).OK(t, nil)
		if got := decode[object](t, r)["valid"]; got != want {
			t.Errorf("valid: got %v, want %v", got, want)
		}
	}
	post := func(body object) *apitest.Response { return srv.Anyone().Do(t, "POST", registerPath, body) }
	stage := func(session string, auth object) object {
		return with(object{"username": "alice", "password": apitest.Password}, object{"auth": with(auth, object{"session": session})})
	}
	token, terms := object{"type": "m.login.registration_token", "token": "welcome"}, object{"type": "m.login.terms"}

	c := challenged(t, srv, post(object{"username": "alice", "password": apitest.Password}))
	if !slices.Equal(c.Flows[0].Stages, []string{"m.login.registration_token", "m.login.terms"}) ||
		string(c.Params["m.login.terms"]) != `{"policies":{"terms_of_service":{"version":"2","en":{"name":"Terms","url":"https://narthex.test/terms"}}}}` {
		t.Errorf("got %+v", c)
	}
	if c := challenged(t, srv, post(stage(c.Session, terms))); c.Errcode != "M_UNAUTHORIZED" || len(c.Completed) != 0 {
		t.Errorf("stages in the wrong order: got %+v", c)
	}
	if c := challenged(t, srv, post(stage(c.Session, object{"type": "m.login.registration_token", "token": "wrong"}))); c.Errcode != "M_UNAUTHORIZED" || c.Error == "" {
		t.Errorf("a wrong token: got %+v", c)
	}
	valid(true)
	if c := challenged(t, srv, post(stage(c.Session, token))); c.Errcode != "" || !slices.Equal(c.Completed, []string{"m.login.registration_token"}) {
		t.Errorf("the first stage: got %+v", c)
	}
	valid(false) // held by the registration under way
	if c := challenged(t, srv, post(stage(c.Session, token))); c.Errcode != "" || len(c.Completed) != 1 {
		t.Errorf("the first stage again: got %+v", c)
	}
	register(t, srv, stage(c.Session, terms))
	valid(false)
	if a := account(t, srv, userID("alice")); a.Signup.Token != "welcome" || a.Signup.IP == "" || a.Signup.UserAgent == "" {
		t.Errorf("got %+v", a.Signup)
	}
}

func TestARegistrationThatIsGivenUpReturnsItsToken(t *testing.T) {
	srv := apitest.New(t, func(cfg *config.Config) {
		cfg.Registration.RequireToken = true
		cfg.Registration.Terms.URL = "https://narthex.test/terms"
	})
	two := int64(2)
	write(t, srv, func(tx *db.Tx) error {
		_, err := srv.App.Accounts.CreateRegistrationToken(tx, accounts.RegistrationToken{Token: "welcome", UsesAllowed: &two})
		return err
	})
	for range 2 {
		challenged(t, srv, srv.Anyone().Do(t, "POST", registerPath, object{"auth": object{"type": "m.login.registration_token", "token": "welcome"}}))
	}
	pending := func() (n int64) {
		return rows(t, srv, `SELECT pending FROM registration_tokens WHERE token = 'welcome'`)
	}
	if n := pending(); n != 2 {
		t.Errorf("got %d pending, want 2", n)
	}
	srv.Advance(time.Hour)
	srv.RunJobs(t)
	if n := pending(); n != 0 {
		t.Errorf("got %d pending after the sessions ran out, want 0", n)
	}
}

func TestCheckUsernameAvailability(t *testing.T) {
	srv := apitest.New(t)
	register(t, srv, registration("taken"))
	closed := apitest.New(t, func(cfg *config.Config) { cfg.Registration.Enabled = false })
	path := registerPath + "/available?username="
	apitest.Run(t, []apitest.Case{
		{Name: "free", As: srv.Anyone(), Do: "GET", Path: path + "free", Has: []string{`"available":true`}},
		{Name: "taken", As: srv.Anyone(), Do: "GET", Path: path + "Taken", Want: errcode.UserInUse},
		{Name: "not a name", As: srv.Anyone(), Do: "GET", Path: path + "a%20b", Want: errcode.InvalidUsername},
		{Name: "empty", As: srv.Anyone(), Do: "GET", Path: path, Want: errcode.InvalidUsername},
		{Name: "missing", As: srv.Anyone(), Do: "GET", Path: registerPath + "/available", Want: errcode.MissingParam},
		{Name: "twice", As: srv.Anyone(), Do: "GET", Path: path + "a&username=b", Want: errcode.InvalidParam},
		{Name: "registration is closed", As: closed.Anyone(), Do: "GET", Path: path + "free", Want: errcode.Forbidden},
	})
}
