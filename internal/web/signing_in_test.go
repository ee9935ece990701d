package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
)

const wrongText = "The username or the password is wrong."

func TestSignIn(t *testing.T) {
	srv := apitest.New(t)
	srv.User(t, "alice")
	s := surf(t, srv)
	s.get(t, "/login").shows(t, 200, "Sign in", "No account yet?").without(t, "<script")
	form := url.Values{"username": {"alice"}, "password": {apitest.Password}}

	s.post(t, "/login", with(form, "password", "wrong")).shows(t, 403, wrongText)
	wrong := s.post(t, "/login", with(form, "password", "wrong"))
	nobody := s.post(t, "/login", with(form, "username", "nobody"))
	if strings.ReplaceAll(wrong.HTML, "alice", "nobody") != nobody.HTML {
		t.Error("the page tells who has an account")
	}
	wrong.without(t, `"wrong"`)
	s.post(t, "/login", with(form, "password", "")).shows(t, 400, "Enter your password.")
	s.post(t, "/login", with(form, "username", "")).shows(t, 400, "Enter your username.")
	s.post(t, "/login", with(form, "username", strings.Repeat("a", 9000))).shows(t, 403, wrongText)
	s.post(t, "/login", url.Values{"username": {"alice", "bob"}}).shows(t, 400, "This did not work")
	s.get(t, "/account").goes(t, "/login?continue=%2Faccount")

	before := s.token
	in := s.post(t, "/login", with(form, "username", " @alice:narthex.test ")).goes(t, "/account")
	cookie := in.Header.Get("Set-Cookie")
	for _, part := range []string{"narthex=nxt_", "Path=/", "HttpOnly", "SameSite=Lax", "Max-Age=2592000"} {
		if !strings.Contains(cookie, part) {
			t.Errorf("%q has no %q", cookie, part)
		}
	}
	s.get(t, "/account").shows(t, 200, "Your account", "@alice:narthex.test")
	s.get(t, "/login").goes(t, "/account")
	s.get(t, "/register?continue=%2Flink").goes(t, "/link")
	// The form again, by the back button: it was for a browser where nobody was signed in.
	s.post(t, "/login", with(form, "form_token", before)).shows(t, 403, "This form was out of date")
}

func TestSignInOfAccountsThatMayNot(t *testing.T) {
	srv := apitest.New(t)
	locked, gone := srv.User(t, "locked"), srv.User(t, "gone")
	err := srv.App.DB.Write(t.Context(), func(tx *db.Tx) error {
		if err := srv.App.Accounts.SetLocked(tx, locked.UserID, true, "test"); err != nil {
			return err
		}
		return srv.App.Accounts.Deactivate(tx, gone.UserID, "test", false)
	})
	if err != nil {
		t.Fatal(err)
	}
	s := surf(t, srv)
	s.get(t, "/login")
	s.post(t, "/login", url.Values{"username": {"locked"}, "password": {apitest.Password}}).shows(t, 403, "Your account is locked.")
	s.post(t, "/login", url.Values{"username": {"locked"}, "password": {"wrong"}}).shows(t, 403, wrongText)
	s.post(t, "/login", url.Values{"username": {"gone"}, "password": {apitest.Password}}).shows(t, 403, wrongText)
	s.get(t, "/account").goes(t, "/login?continue=%2Faccount")
}

func TestSignInIsLimited(t *testing.T) {
	srv := apitest.New(t, func(cfg *config.Config) { cfg.RateLimits.Enabled = true })
	srv.User(t, "alice")
	s := surf(t, srv)
	s.get(t, "/login")
	for range 10 {
		s.post(t, "/login", url.Values{"username": {"alice"}, "password": {"wrong"}}).shows(t, 403, wrongText)
	}
	s.post(t, "/login", url.Values{"username": {"alice"}, "password": {apitest.Password}}).shows(t, 429, "Sign in")
}

// TestForeignForms holds that no other site, and no other browser's form, does
// anything.
func TestForeignForms(t *testing.T) {
	srv := apitest.New(t)
	srv.User(t, "alice")
	form := url.Values{"username": {"alice"}, "password": {apitest.Password}}
	other := surf(t, srv)
	other.get(t, "/login")

	for name, change := range map[string]func(s *surfer){
		"without a token":     func(s *surfer) { s.token = "" },
		"with a foreign one":  func(s *surfer) { s.token = other.token },
		"without the cookies": func(s *surfer) { s.client.Jar = nil },
	} {
		t.Run(name, func(t *testing.T) {
			s := surf(t, srv)
			s.get(t, "/login")
			change(s)
			s.post(t, "/login", form).shows(t, 403, "This form was out of date")
			s.get(t, "/account").goes(t, "/login?continue=%2Faccount")
		})
	}
	for _, from := range []struct {
		name, value string
		refused     bool
	}{
		{"Sec-Fetch-Site", "cross-site", true}, {"Sec-Fetch-Site", "same-site", true}, {"Sec-Fetch-Site", "same-origin", false},
		{"Origin", "https://evil.example", true}, {"Origin", "null", false}, {"Origin", srv.URL, false},
	} {
		t.Run(from.name+" "+from.value, func(t *testing.T) {
			s := surf(t, srv)
			s.get(t, "/login")
			s.header.Set(from.name, from.value)
			if from.refused {
				s.post(t, "/login", form).shows(t, 403, "This form was sent by another website.")
			} else {
				s.post(t, "/login", form).goes(t, "/account")
			}
		})
	}

	t.Run("of a session that has ended", func(t *testing.T) {
		s := surf(t, srv).signIn(t, "alice")
		stale := s.token
		s.post(t, "/logout", nil).goes(t, "/signed-out")
		s.get(t, "/login")
		s.post(t, "/login", form).goes(t, "/account")
		for _, path := range []string{"/account/password", "/account/profile", "/account/deactivate", "/account/identity", "/account/session", "/logout"} {
			s.post(t, path, url.Values{"form_token": {stale}, "password": {apitest.Password}}).shows(t, 403, "This form is out of date, and nothing was changed.")
		}
		s.get(t, "/account").shows(t, 200)
	})
	t.Run("not a form", func(t *testing.T) {
		s := surf(t, srv)
		s.header.Set("Content-Type", "application/json")
		s.post(t, "/login", nil).shows(t, 400, "This did not work")
	})
}

func TestSignOut(t *testing.T) {
	srv := apitest.New(t)
	srv.User(t, "alice")
	s := surf(t, srv)
	s.post(t, "/logout", nil).goes(t, "/signed-out") // nobody is signed in
	s.signIn(t, "alice")
	address, err := url.Parse(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	kept := s.client.Jar.Cookies(address)
	s.get(t, "/signed-out").goes(t, "/account")
	s.post(t, "/logout", url.Values{"continue": {"/link?user_code=BCDF-GHJK"}}).goes(t, "/login?continue=%2Flink%3Fuser_code%3DBCDF-GHJK")
	s.get(t, "/account").goes(t, "/login?continue=%2Faccount")
	s.get(t, "/signed-out").shows(t, 200, "You are signed out")
	s.client.Jar.SetCookies(address, kept) // somebody has copied them
	s.get(t, "/account").goes(t, "/login?continue=%2Faccount")
	s.get(t, "/logout").shows(t, 405)
}

// TestCookiesOverHTTPS holds that no other host can set the cookies.
func TestCookiesOverHTTPS(t *testing.T) {
	srv := apitest.New(t, func(cfg *config.Config) { cfg.PublicURL = "https://narthex.example" })
	srv.User(t, "alice")
	s := surf(t, srv)
	s.client.Jar = nil // this server is reached without HTTPS, whatever it is told
	v := s.get(t, "/login")
	visit := v.Header.Get("Set-Cookie")
	if !strings.HasPrefix(visit, "__Host-narthex-visit=") || !strings.Contains(visit, "Secure") || strings.Contains(visit, "Domain") {
		t.Errorf("the cookie is %q", visit)
	}
	visit = strings.Split(visit, ";")[0]
	s.header.Set("Cookie", visit)
	in := s.post(t, "/login", url.Values{"username": {"alice"}, "password": {apitest.Password}}).goes(t, "/account")
	session := in.Header.Get("Set-Cookie")
	if !strings.HasPrefix(session, "__Host-narthex=nxt_") || !strings.Contains(session, "Secure") || !strings.Contains(session, "HttpOnly") {
		t.Errorf("the cookie is %q", session)
	}
	s.header.Set("Cookie", strings.Replace(strings.Split(session, ";")[0], "__Host-narthex", "narthex", 1))
	s.get(t, "/account").goes(t, "/login?continue=%2Faccount")
	s.header.Set("Cookie", strings.Split(session, ";")[0])
	s.get(t, "/account").shows(t, 200, "Your account")
}

// TestHeaders holds what every page is sent with.
func TestHeaders(t *testing.T) {
	srv := apitest.New(t)
	srv.User(t, "alice")
	s := surf(t, srv).signIn(t, "alice")
	for _, v := range []seen{s.get(t, "/account"), s.get(t, "/account/session?device_id=none"), s.get(t, "/link"), s.post(t, "/account/password", url.Values{"password": {"x"}})} {
		for name, want := range map[string]string{
			"Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
			"X-Frame-Options":         "DENY", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
			"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin", "Content-Type": "text/html; charset=utf-8",
			"Access-Control-Allow-Origin": "",
		} {
			if got := v.Header.Get(name); got != want {
				t.Errorf("%s: got %q, want %q", name, got, want)
			}
		}
		if v.Header.Get("Permissions-Policy") == "" {
			t.Error("no Permissions-Policy")
		}
	}
	v := s.get(t, "/account")
	_, rest, _ := strings.Cut(v.HTML, `rel="stylesheet" href="`)
	path, _, _ := strings.Cut(rest, `"`)
	css := s.get(t, path).shows(t, 200, "prefers-color-scheme")
	if css.Header.Get("Cache-Control") != "public, max-age=31536000, immutable" || css.Header.Get("Content-Type") != "text/css; charset=utf-8" || css.Header.Get("Pragma") != "" {
		t.Errorf("the stylesheet has the headers %v", css.Header)
	}
	s.get(t, "/assets/narthex.css").shows(t, 404, "There is nothing here")
	s.get(t, "/assets/..%2fpage.go").shows(t, 404)
	if v.Header.Get("Content-Length") == "" || v.Status != http.StatusOK {
		t.Errorf("got %d %v", v.Status, v.Header)
	}
}
