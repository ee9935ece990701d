package upstream_test

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/id"
)

func approval(cfg *config.Config) {
	cfg.Approval.Enabled, cfg.Approval.RequiredForNewAccounts = true, true
}

// legacy is a client that signs in the older way.
const legacy = "https://app.example.org/back?x=1"

// loginToken goes on from the page of single sign-on to the client.
func loginToken(t *testing.T, s *apitest.Surfer) string {
	t.Helper()
	page := "/sso?" + url.Values{"redirect_url": {legacy}}.Encode()
	s.Get(t, page).Shows(t, 200, "https://app.example.org")
	to, err := url.Parse(s.Post(t, "/sso", url.Values{"redirect_url": {legacy}, "answer": {"allow"}}).Location)
	if err != nil || to.Query().Get("loginToken") == "" || to.Host != "app.example.org" {
		t.Fatalf("the browser goes to %v", to)
	}
	return to.Query().Get("loginToken")
}

func login(t *testing.T, srv *apitest.Server, token string) *apitest.Response {
	t.Helper()
	return srv.Anyone().Do(t, "POST", "/_matrix/client/v3/login", map[string]any{"type": "m.login.token", "token": token})
}

func account(t *testing.T, srv *apitest.Server, localpart string) (a accounts.Account, devices int) {
	t.Helper()
	err := srv.App.DB.Read(t.Context(), func(tx *db.Tx) (err error) {
		if a, err = srv.App.Accounts.Find(tx, id.UserID("@"+localpart+":narthex.test")); err != nil {
			return err
		}
		list, err := srv.App.Accounts.Devices(tx, a.UserID)
		devices = len(list)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return a, devices
}

// TestSignIn is a person who comes from a provider for the first time, and again.
func TestSignIn(t *testing.T) {
	p := newProvider(t)
	srv := server(t, []config.Provider{p.entry("example")})
	apitest.Surf(t, srv).Get(t, "/login").Shows(t, 200, "Continue with Example Login")
	apitest.Surf(t, srv).Get(t, "/register").Shows(t, 200, "Continue with Example Login")
	s := apitest.Surf(t, srv)
	p.signIn(t, s, srv, "/account/sessions").Goes(t, "/account/sessions")
	s.Get(t, "/account").Shows(t, 200, "@alice:narthex.test", "Alice Liddell")
	if p.asked.Get("scope") != "openid profile email" || p.asked.Get("redirect_uri") != srv.URL+"/sso/callback/example" || p.asked.Get("prompt") != "" {
		t.Errorf("the provider is asked %v", p.asked)
	}
	a, _ := account(t, srv, "alice")
	if a.Signup.Provider != "example" || a.PasswordHash != "" || a.Signup.IP == "" {
		t.Errorf("the account is %+v", a)
	}
	var addresses []accounts.Threepid
	if err := srv.App.DB.Read(t.Context(), func(tx *db.Tx) (err error) {
		addresses, err = srv.App.Accounts.Threepids(tx, a.UserID)
		return err
	}); err != nil || len(addresses) != 1 || addresses[0].Address != "alice@example.org" {
		t.Errorf("its addresses are %+v, %v", addresses, err)
	}

	again := apitest.Surf(t, srv)
	p.set(func(p *provider) { p.claims["preferred_username"], p.claims["email"] = "renamed", "other@example.org" })
	p.signIn(t, again, srv, "https://evil.example/").Goes(t, "/account")
	again.Get(t, "/account").Shows(t, 200, "@alice:narthex.test")

	srv.Anyone().Do(t, "GET", "/_matrix/client/v3/login", nil).OK(t, nil)
	if body := string(srv.Anyone().Do(t, "GET", "/_matrix/client/v3/login", nil).Body); !strings.Contains(body, `"identity_providers":[{"id":"example","name":"Example Login"}]`) {
		t.Errorf("the ways to sign in are %s", body)
	}
	srv.Anyone().Do(t, "POST", "/_matrix/client/v3/login", map[string]any{"type": "m.login.password", "identifier": map[string]any{"type": "m.id.user", "user": "alice"},
		"password": ""}).Fails(t, srv, errcode.Forbidden)
}

// TestLegacyClient signs in the older way, by the path for one provider.
func TestLegacyClient(t *testing.T) {
	p := newProvider(t)
	srv := server(t, []config.Provider{p.entry("example")})
	s := apitest.Surf(t, srv)
	query := "?" + url.Values{"redirectUrl": {legacy}}.Encode()
	there := s.Get(t, "/_matrix/client/v3/login/sso/redirect/example"+query)
	page := "/sso?" + url.Values{"redirect_url": {legacy}}.Encode()
	s.Get(t, p.visit(t, s, srv, there.Location)).Goes(t, page)
	s.Get(t, page).Shows(t, 200, "Sign in to another app?", "You go back, signed in, to")
	var resp struct {
		UserID string `json:"user_id"`
	}
	token := loginToken(t, s)
	login(t, srv, token).OK(t, &resp)
	if resp.UserID != "@alice:narthex.test" {
		t.Errorf("signed in as %s", resp.UserID)
	}
	login(t, srv, token).Fails(t, srv, errcode.Forbidden)
	s.Get(t, "/_matrix/client/v3/login/sso/redirect/other"+query).Shows(t, 404, "no such identity provider")
	s.Get(t, "/_matrix/client/v3/login/sso/redirect/example?redirectUrl=javascript:alert(1)").Shows(t, 400, "made a mistake")
	s.Get(t, "/_matrix/client/v3/login/sso/redirect/example").Shows(t, 400)
}

// TestA27FirstLogin: an account that has to be approved is made at the callback; the
// client gets its login token, and then the refusal; there is no device.
func TestA27FirstLogin(t *testing.T) {
	p := newProvider(t)
	srv := server(t, []config.Provider{p.entry("example")}, approval)
	s := apitest.Surf(t, srv)
	page := "/sso?" + url.Values{"redirect_url": {legacy}}.Encode()
	p.signIn(t, s, srv, page).Goes(t, page)
	s.Get(t, page).Shows(t, 200, "Waiting for approval", "@alice:narthex.test has been made", "The app will tell you the same.")
	if a, devices := account(t, srv, "alice"); !a.Pending() || devices != 0 {
		t.Errorf("the account is %+v with %d devices", a, devices)
	}
	token := loginToken(t, s)
	login(t, srv, token).Fails(t, srv, errcode.UserAwaitingApproval)
	login(t, srv, token).Fails(t, srv, errcode.Forbidden) // it is spent
	if _, devices := account(t, srv, "alice"); devices != 0 {
		t.Errorf("there are %d devices", devices)
	}
	s.Get(t, "/account").Shows(t, 200, "Waiting for approval")

	root := srv.Administrator(t, "root")
	var list struct {
		Registrations []struct {
			UserID   string  `json:"user_id"`
			Provider *string `json:"sso_provider"`
		} `json:"registrations"`
	}
	root.Do(t, "GET", "/_narthex/admin/v1/registrations?state=pending", nil).OK(t, &list)
	if len(list.Registrations) != 1 || list.Registrations[0].Provider == nil || *list.Registrations[0].Provider != "example" {
		t.Errorf("the queue is %+v", list)
	}
}

// TestA28LaterLogins: the same until the account is approved.
func TestA28LaterLogins(t *testing.T) {
	p := newProvider(t)
	srv := server(t, []config.Provider{p.entry("example")}, approval)
	p.signIn(t, apitest.Surf(t, srv), srv, "/account").Goes(t, "/account")
	srv.Advance(time.Hour)
	s := apitest.Surf(t, srv)
	p.signIn(t, s, srv, "/account").Goes(t, "/account")
	s.Get(t, "/account").Shows(t, 200, "@alice:narthex.test is not approved yet")
	login(t, srv, loginToken(t, s)).Fails(t, srv, errcode.UserAwaitingApproval)
	if _, devices := account(t, srv, "alice"); devices != 0 {
		t.Errorf("there are %d devices", devices)
	}
	srv.Administrator(t, "root").Do(t, "POST", "/_narthex/admin/v1/registrations/@alice:narthex.test/approve", map[string]any{}).OK(t, nil)
	login(t, srv, loginToken(t, s)).OK(t, nil)
	s.Get(t, "/account").Shows(t, 200, "Your account")
}

// TestA24PasswordOnPage: whoever waits and signs in on the page by password gets the
// login token, too, and the client the refusal.
func TestA24PasswordOnPage(t *testing.T) {
	srv := server(t, nil, approval)
	s := apitest.Surf(t, srv)
	s.Get(t, "/register")
	s.Post(t, "/register", url.Values{"username": {"bob"}, "password": {"three short words"}, "password_again": {"three short words"}}).Goes(t, "/account")
	token := loginToken(t, s)
	login(t, srv, token).Fails(t, srv, errcode.UserAwaitingApproval)
	login(t, srv, token).Fails(t, srv, errcode.Forbidden)
	if _, devices := account(t, srv, "bob"); devices != 0 {
		t.Errorf("there are %d devices", devices)
	}
}

// TestWelcomePage asks for what the provider did not say.
func TestWelcomePage(t *testing.T) {
	p := newProvider(t)
	srv := server(t, []config.Provider{p.entry("example")}, func(cfg *config.Config) {
		cfg.Registration.RequireToken = true
		cfg.Registration.Terms = config.Terms{URL: "https://narthex.test/terms", Name: "House rules", Version: "1"}
	})
	srv.User(t, "alice")
	if err := srv.App.DB.Write(t.Context(), func(tx *db.Tx) error {
		_, err := srv.App.Accounts.CreateRegistrationToken(tx, accounts.RegistrationToken{Token: "friend"})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	s := apitest.Surf(t, srv)
	to := p.signIn(t, s, srv, "/account/sessions")
	path, _, _ := strings.Cut(to.Location, "=")
	if to.Status != 303 || path != "/sso/welcome?ticket" {
		t.Fatalf("got %d to %s", to.Status, to.Location)
	}
	_, ticket, _ := strings.Cut(to.Location, "ticket=")
	s.Get(t, to.Location).Shows(t, 200, "You come from Example Login as alice@example.org", "The username alice is taken. Choose another one.", "House rules")
	form := url.Values{"ticket": {ticket}, "username": {"alice2"}, "registration_token": {"friend"}, "accept_terms": {"yes"}}
	with := func(name, value string) url.Values {
		out := url.Values{}
		for k, v := range form {
			out[k] = v
		}
		out.Set(name, value)
		return out
	}
	s.Post(t, "/sso/welcome", with("form_token", "x")).Shows(t, 403, "out of date")
	s.Post(t, "/sso/welcome", with("username", "")).Shows(t, 400, "Choose a username.")
	s.Post(t, "/sso/welcome", with("username", "not allowed")).Shows(t, 400)
	s.Post(t, "/sso/welcome", with("username", "alice")).Shows(t, 400, "This username is taken.")
	s.Post(t, "/sso/welcome", with("registration_token", "")).Shows(t, 400, "Enter the registration token.")
	s.Post(t, "/sso/welcome", with("registration_token", "foe")).Shows(t, 400, "This registration token is not valid")
	s.Post(t, "/sso/welcome", with("accept_terms", "")).Shows(t, 400, "Tick this to make an account here.")
	apitest.Surf(t, srv).Get(t, to.Location).Shows(t, 410, "begun in another browser")
	s.Post(t, "/sso/welcome", with("ticket", "x")).Shows(t, 410, "took too long")
	s.Post(t, "/sso/welcome", form).Goes(t, "/account/sessions")
	s.Get(t, "/account").Shows(t, 200, "@alice2:narthex.test")
	s.Post(t, "/sso/welcome", form).Goes(t, "/account") // sent twice
	s.Get(t, to.Location).Goes(t, "/account")

	late := apitest.Surf(t, srv)
	p.person("8", "carol")
	to = p.signIn(t, late, srv, "/account")
	late.Get(t, to.Location).Shows(t, 200, "Make an account", "as carol")
	srv.Advance(31 * time.Minute)
	late.Get(t, to.Location).Shows(t, 410, "took too long")
	srv.RunJobs(t)
}

// TestWhoGetsNoAccount is everybody whom the operator does not let in.
func TestWhoGetsNoAccount(t *testing.T) {
	p := newProvider(t)
	srv := server(t, []config.Provider{
		p.entry("example", func(e *config.Provider) { e.AllowRegistration = false }),
		p.entry("staff", func(e *config.Provider) { e.Require = []string{"groups contains staff", "level is 3"} }),
	})
	s := apitest.Surf(t, srv)
	p.signIn(t, s, srv, "/account").Shows(t, 403, "No account of this server belongs to alice@example.org")
	s.Get(t, p.visit(t, s, srv, "/sso/begin/staff")).Shows(t, 403, "may not be used to sign in here")
	p.person("8", "bob", "groups", []string{"staff", "all"}, "level", 4)
	s.Get(t, p.visit(t, s, srv, "/sso/begin/staff")).Shows(t, 403, "may not be used to sign in here")
	p.person("8", "bob", "groups", "staff", "level", 3)
	s.Get(t, p.visit(t, s, srv, "/sso/begin/staff")).Shows(t, 403, "may not be used to sign in here")
	p.person("8", "bob", "groups", []string{"staff", "all"}, "level", 3)
	s.Get(t, p.visit(t, s, srv, "/sso/begin/staff")).Goes(t, "/account")
	s.Get(t, "/account").Shows(t, 200, "@bob:narthex.test")

	needs := server(t, []config.Provider{p.entry("example")}, func(cfg *config.Config) { cfg.Registration.RequiredThreepids = []string{"email"} })
	p.person("9", "carol", "email", "carol@example.org", "email_verified", false)
	p.signIn(t, apitest.Surf(t, needs), needs, "/account").Shows(t, 403, "An account here needs a mail address")
	p.person("9", "carol", "email", "carol@example.org", "email_verified", true)
	p.signIn(t, apitest.Surf(t, needs), needs, "/account").Goes(t, "/account")
}

// TestLockedAndClosed refuses accounts that nobody may use, with words.
func TestLockedAndClosed(t *testing.T) {
	p := newProvider(t)
	srv := server(t, []config.Provider{p.entry("example")})
	p.signIn(t, apitest.Surf(t, srv), srv, "/account").Goes(t, "/account")
	root := srv.Administrator(t, "root")
	root.Do(t, "PUT", "/_synapse/admin/v2/users/@alice:narthex.test", map[string]any{"locked": true}).OK(t, nil)
	p.signIn(t, apitest.Surf(t, srv), srv, "/account").Shows(t, 403, "Your account is locked.")
	root.Do(t, "PUT", "/_synapse/admin/v2/users/@alice:narthex.test", map[string]any{"locked": false}).OK(t, nil)
	root.Do(t, "POST", "/_synapse/admin/v1/deactivate/@alice:narthex.test", map[string]any{}).OK(t, nil)
	p.signIn(t, apitest.Surf(t, srv), srv, "/account").Shows(t, 403, "Your account on this server is closed")
}

// TestEmailOfAnotherAccount: an address that both sides have verified leads to the
// account that has it, where the operator says so, and nowhere else.
func TestEmailOfAnotherAccount(t *testing.T) {
	p := newProvider(t)
	byEmail := func(e *config.Provider) { e.Link = "by_email" }
	srv := server(t, []config.Provider{p.entry("example", byEmail), p.entry("careful")})
	carol := srv.User(t, "carol")
	if err := srv.App.DB.Write(t.Context(), func(tx *db.Tx) error {
		_, err := srv.App.Accounts.AttachVouched(tx, carol.UserID, "Carol@Example.org")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	p.person("1", "mallory", "email", "carol@example.org", "email_verified", false)
	s := apitest.Surf(t, srv)
	p.signIn(t, s, srv, "/account").Goes(t, "/account")
	s.Get(t, "/account").Shows(t, 200, "@mallory:narthex.test")
	p.person("2", "mallory2", "email", "carol@example.org", "email_verified", true)
	s = apitest.Surf(t, srv)
	s.Get(t, p.visit(t, s, srv, "/sso/begin/careful")).Goes(t, "/account")
	s.Get(t, "/account").Shows(t, 200, "@mallory2:narthex.test")
	p.person("3", "x", "email", "CAROL@example.org", "email_verified", true)
	s = apitest.Surf(t, srv)
	p.signIn(t, s, srv, "/account").Goes(t, "/account")
	s.Get(t, "/account").Shows(t, 200, "@carol:narthex.test")
	p.person("3", "x") // linked by now
	s = apitest.Surf(t, srv)
	p.signIn(t, s, srv, "/account").Goes(t, "/account")
	s.Get(t, "/account").Shows(t, 200, "@carol:narthex.test")
}

// TestUserInfo takes what the ID token does not say from the other endpoint, and only
// if it is about the same person.
func TestUserInfo(t *testing.T) {
	p := newProvider(t)
	srv := server(t, []config.Provider{p.entry("example", func(e *config.Provider) {
		e.UserInfo, e.Localpart, e.SubjectClaim = true, `{{before "@" .email | lower}}`, "number"
	})})
	p.person("7", "", "email_verified", false)
	p.set(func(p *provider) {
		p.info = map[string]any{"sub": "8", "number": 12345678, "email": "Dora@example.org", "email_verified": true}
	})
	s := apitest.Surf(t, srv)
	p.signIn(t, s, srv, "/account").Shows(t, 502, "does not work at this moment")
	p.set(func(p *provider) { p.info["sub"] = "7" })
	p.signIn(t, s, srv, "/account").Goes(t, "/account")
	s.Get(t, "/account").Shows(t, 200, "@dora:narthex.test")
	p.set(func(p *provider) { p.info["number"] = 12345678.5 })
	p.signIn(t, apitest.Surf(t, srv), srv, "/account").Shows(t, 502)
}

// TestIcon answers the picture of a provider so that it can do nothing.
func TestIcon(t *testing.T) {
	p := newProvider(t)
	path := filepath.Join(t.TempDir(), "icon.svg")
	if err := os.WriteFile(path, []byte(`<svg xmlns="http://www.w3.org/2000/svg"/>`), 0o600); err != nil {
		t.Fatal(err)
	}
	srv := server(t, []config.Provider{p.entry("example", func(e *config.Provider) { e.Icon = path }), p.entry("plain")})
	s := apitest.Surf(t, srv)
	v := s.Get(t, "/sso/icon/example").Shows(t, 200)
	if v.Header.Get("Content-Type") != "image/svg+xml" || !strings.Contains(v.Header.Get("Content-Security-Policy"), "sandbox") || v.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("the header is %v", v.Header)
	}
	s.Get(t, "/sso/icon/plain").Shows(t, 404)
	s.Get(t, "/sso/icon/none").Shows(t, 404)
}
