package web_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/db"
)

// answerOf reads where the browser is sent back to.
func answerOf(t testing.TB, v apitest.Seen) url.Values {
	t.Helper()
	if v.Status != 303 || !strings.HasPrefix(v.Location, callback+"?") {
		t.Fatalf("got %d to %q:\n%s", v.Status, v.Location, v.Text)
	}
	u, err := url.Parse(v.Location)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query()
}

func TestConsent(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	client := register(t, srv, "Element\u202e")
	page := sorted(t, authorizePath(client, "NEWDEVICE1"))
	s := apitest.Surf(t, srv)
	s.Get(t, page).Goes(t, "/login?"+url.Values{"continue": {page}}.Encode())
	s.Get(t, "/login?"+url.Values{"continue": {page}}.Encode()).Shows(t, 200, "to go on to Element").Without(t, "\u202e")
	s.Post(t, "/login", url.Values{"username": {"alice"}, "password": {apitest.Password}, "continue": {page}}).Goes(t, page)

	consent := s.Get(t, page).Shows(t, 200, "Let Element use your account?", "https://app.example.org/", "You are @alice:narthex.test", "NEWDEVICE1",
		"You then go to https://app.example.org", "privacy policy", "Use another account").Without(t, "takes the place", "\u202e")
	if csp := consent.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "form-action 'self' https://app.example.org;") {
		t.Errorf("the policy is %q", csp)
	}
	// Looking has agreed to nothing, and other forms agree to nothing.
	form := queryOf(page)
	s.Post(t, "/oauth2/authorize", with(form, "answer", "allow", "form_token", "x")).Shows(t, 403, "This form is out of date, and nothing was changed.")
	s.Post(t, "/oauth2/authorize", form).Shows(t, 400, "Choose one of the two buttons.")
	s.Post(t, "/oauth2/authorize", with(form, "answer", "maybe")).Shows(t, 400, "Choose one of the two buttons.")
	s.Post(t, "/oauth2/authorize", url.Values{"query": {"%zz"}, "answer": {"allow"}}).Shows(t, 400, "This form is damaged.")
	s.Post(t, "/oauth2/authorize", url.Values{"answer": {"allow"}}).Shows(t, 400, "needs \"client_id\" exactly once")
	apitest.Surf(t, srv).Post(t, "/oauth2/authorize", with(form, "answer", "allow")).Goes(t, "/login?"+url.Values{"continue": {page}}.Encode())

	s.Get(t, page)
	denied := answerOf(t, s.Post(t, "/oauth2/authorize", with(form, "answer", "deny")))
	if denied.Get("error") != "access_denied" || denied.Get("state") != "the <state>" || denied.Get("code") != "" || denied.Get("iss") != srv.URL+"/" {
		t.Errorf("the refusal is %v", denied)
	}
	allowed := answerOf(t, s.Post(t, "/oauth2/authorize", with(form, "answer", "allow")))
	if allowed.Get("code") == "" || allowed.Get("state") != "the <state>" || allowed.Get("error") != "" {
		t.Errorf("the answer is %v", allowed)
	}
	grant := url.Values{"grant_type": {"authorization_code"}, "client_id": {client}, "redirect_uri": {callback}, "code_verifier": {verifier}, "code": {allowed.Get("code")}}
	status, tokens := exchange(t, srv, grant)
	if status != 200 || tokens["access_token"] == nil {
		t.Fatalf("got %d %v", status, tokens)
	}
	token, _ := tokens["access_token"].(string)
	session := &apitest.Client{Server: srv, Token: token}
	var who map[string]any
	session.Do(t, "GET", "/_matrix/client/v3/account/whoami", nil).OK(t, &who)
	if who["user_id"] != string(alice.UserID) || who["device_id"] != "NEWDEVICE1" {
		t.Errorf("it is the session of %v", who)
	}
	s.Get(t, "/account/sessions").Shows(t, 200, "Element")
	s.Get(t, "/account/session?device_id=NEWDEVICE1").Shows(t, 200, "Element", "https://app.example.org/")
	// The same device once more replaces its session (OA-31).
	s.Get(t, page).Shows(t, 200, "This takes the place of your session")
	s.Post(t, "/logout", url.Values{"continue": {page}}).Goes(t, "/login?"+url.Values{"continue": {page}}.Encode())
}

// TestConsentRefuses holds what is shown here, because nobody knows whose the
// redirect would be, and what is sent back.
func TestConsentRefuses(t *testing.T) {
	srv := apitest.New(t)
	srv.User(t, "alice")
	client := register(t, srv, "Element")
	s := apitest.Surf(t, srv).SignIn(t, "alice")
	for name, c := range map[string]struct {
		path string
		want int
		text string
	}{
		"no client":              {"/oauth2/authorize", 400, "needs \"client_id\" exactly once"},
		"an unknown client":      {authorizePath("nobody", "NEWDEVICE1"), 404, "is not known to this server"},
		"no redirect":            {authorizePath(client, "NEWDEVICE1", "redirect_uri", ""), 400, "needs \"redirect_uri\" exactly once"},
		"two clients":            {authorizePath(client, "NEWDEVICE1") + "&client_id=x", 400, "needs \"client_id\" exactly once"},
		"another redirect":       {authorizePath(client, "NEWDEVICE1", "redirect_uri", "https://evil.example/"), 400, "has not registered"},
		"a path below":           {authorizePath(client, "NEWDEVICE1", "redirect_uri", callback+"/x"), 400, "has not registered"},
		"a script":               {authorizePath(client, "NEWDEVICE1", "redirect_uri", "javascript:alert(1)"), 400, "has not registered"},
		"too long":               {authorizePath(client, "NEWDEVICE1", "state", strings.Repeat("x", 20<<10)), 400, "too long"},
		"bytes that are no text": {"/oauth2/authorize?client_id=%ff", 400, "This did not work"},
	} {
		t.Run(name, func(t *testing.T) {
			s.Get(t, c.path).Shows(t, c.want, c.text)
			s.Post(t, "/oauth2/authorize", with(queryOf(c.path), "answer", "allow")).Shows(t, c.want)
		})
	}
	for name, c := range map[string]struct{ path, want string }{
		"no scope":        {authorizePath(client, "NEWDEVICE1", "scope", ""), "invalid_scope"},
		"a prompt":        {authorizePath(client, "NEWDEVICE1", "prompt", "none"), "invalid_request"},
		"no challenge":    {authorizePath(client, "NEWDEVICE1", "code_challenge", ""), "invalid_request"},
		"a token":         {authorizePath(client, "NEWDEVICE1", "response_type", "token"), "unsupported_response_type"},
		"a request_uri":   {authorizePath(client, "NEWDEVICE1", "request_uri", "https://x.example"), "invalid_request"},
		"two of anything": {authorizePath(client, "NEWDEVICE1") + "&scope=x", "invalid_request"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, v := range []apitest.Seen{s.Get(t, c.path), s.Post(t, "/oauth2/authorize", with(queryOf(c.path), "answer", "allow"))} {
				if got := answerOf(t, v); got.Get("error") != c.want || got.Get("code") != "" {
					t.Errorf("got %v, want %s", got, c.want)
				}
			}
		})
	}
}

// TestConsentOfALockedAccount holds that a browser is signed out by a lock.
func TestConsentOfALockedAccount(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	page := sorted(t, authorizePath(register(t, srv, "Element"), "NEWDEVICE1"))
	s := apitest.Surf(t, srv).SignIn(t, "alice")
	s.Get(t, page).Shows(t, 200)
	err := srv.App.DB.Write(t.Context(), func(tx *db.Tx) error { return srv.App.Accounts.SetLocked(tx, alice.UserID, true, "test") })
	if err != nil {
		t.Fatal(err)
	}
	s.Post(t, "/oauth2/authorize", with(queryOf(page), "answer", "allow")).Goes(t, "/login?"+url.Values{"continue": {page}}.Encode())
}

// TestConsentTampered holds that what is agreed to is checked as it is sent, not as
// it was shown, and goes by the account of the session.
func TestConsentTampered(t *testing.T) {
	srv := apitest.New(t)
	srv.User(t, "alice")
	srv.User(t, "bob")
	client := register(t, srv, "Element")
	page := authorizePath(client, "NEWDEVICE1")
	s := apitest.Surf(t, srv).SignIn(t, "alice")
	s.Get(t, page)
	shown := s.Token
	s.Post(t, "/oauth2/authorize", with(queryOf(authorizePath(client, "NEWDEVICE1", "redirect_uri", "https://evil.example/")), "answer", "allow")).Shows(t, 400, "has not registered")
	// Somebody else signs in in another tab: the page that alice was shown is void.
	s.Post(t, "/logout", nil).Goes(t, "/signed-out")
	s.SignIn(t, "bob")
	s.Post(t, "/oauth2/authorize", with(queryOf(page), "answer", "allow", "form_token", shown)).Shows(t, 403, "This form is out of date, and nothing was changed.")
}

func TestSSO(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	const address = "https://chat.example.net/?x=<1>#/home"
	redirect := "/_matrix/client/v3/login/sso/redirect?" + url.Values{"redirectUrl": {address}}.Encode()
	page := "/sso?" + url.Values{"redirect_url": {address}}.Encode()
	s := apitest.Surf(t, srv)
	s.Get(t, redirect).Goes(t, page)
	s.Get(t, strings.Replace(redirect, "v3", "r0", 1)).Goes(t, page)
	s.Get(t, redirect+"&action=login").Goes(t, page)
	s.Get(t, redirect+"&action=register").Goes(t, "/register?"+url.Values{"continue": {page}}.Encode())
	s.Get(t, strings.Replace(redirect, "redirect?", "redirect/google?", 1)).Shows(t, 404, "no such identity provider")
	s.Get(t, "/_matrix/client/v3/login/sso/redirect").Shows(t, 400)
	s.Get(t, "/_matrix/client/v3/login/sso/redirect/google").Shows(t, 400)
	for _, bad := range []string{"javascript:alert(1)", "/account", "https://a;b/", "http://chat.example.net/"} {
		query := url.Values{"redirectUrl": {bad}, "redirect_url": {bad}}
		s.Get(t, "/_matrix/client/v3/login/sso/redirect?"+query.Encode()).Shows(t, 400, "made a mistake")
		s.Get(t, "/sso?"+query.Encode()).Shows(t, 400, "made a mistake")
		s.Post(t, "/sso", query).Shows(t, 400, "made a mistake")
	}
	s.Get(t, page).Goes(t, "/login?"+url.Values{"continue": {page}}.Encode())
	s.SignIn(t, "alice")
	shown := s.Get(t, page).Shows(t, 200, "Sign in to another app?", "https://chat.example.net", "You are @alice:narthex.test")
	if csp := shown.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "form-action 'self' https://chat.example.net;") {
		t.Errorf("the policy is %q", csp)
	}
	for to, want := range map[string]string{
		"http://[::1]:8080/cb": "form-action 'self' http:;", "http://localhost:8080/cb": "form-action 'self' http://localhost:8080;", "element://connect": "form-action 'self' element:;",
	} {
		v := s.Get(t, "/sso?"+url.Values{"redirect_url": {to}}.Encode()).Shows(t, 200)
		if csp := v.Header.Get("Content-Security-Policy"); !strings.Contains(csp, want) {
			t.Errorf("%s: the policy is %q", to, csp)
		}
	}
	form := url.Values{"redirect_url": {address}, "answer": {"allow"}}
	s.Post(t, "/sso", with(form, "form_token", "x")).Shows(t, 403, "This form is out of date, and nothing was changed.")
	s.Post(t, "/sso", with(form, "answer", "deny")).Goes(t, "/account")
	apitest.Surf(t, srv).Post(t, "/sso", form).Goes(t, "/login?"+url.Values{"continue": {page}}.Encode())
	back := s.Post(t, "/sso", form)
	_, rest, _ := strings.Cut(back.Location, "&loginToken=")
	token, fragment, _ := strings.Cut(rest, "#")
	if back.Status != 303 || !strings.HasPrefix(back.Location, "https://chat.example.net/?x=<1>&loginToken=") || fragment != "/home" {
		t.Fatalf("got %d to %q", back.Status, back.Location)
	}
	var session map[string]any
	login := map[string]string{"type": "m.login.token", "token": token}
	srv.Anyone().Do(t, "POST", "/_matrix/client/v3/login", login).OK(t, &session)
	if session["user_id"] != string(alice.UserID) {
		t.Errorf("it is the session of %v", session)
	}
	if again := srv.Anyone().Do(t, "POST", "/_matrix/client/v3/login", login); again.Status != 403 {
		t.Errorf("the token is good twice: %d", again.Status)
	}
}
