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
	s := apitest.Surf(t, srv)
	s.Get(t, "/login").Shows(t, 200, "Sign in", "No account yet?").Without(t, "<script")
	form := url.Values{"username": {"alice"}, "password": {apitest.Password}}

	s.Post(t, "/login", with(form, "password", "wrong")).Shows(t, 403, wrongText)
	wrong := s.Post(t, "/login", with(form, "password", "wrong"))
	nobody := s.Post(t, "/login", with(form, "username", "nobody"))
	if strings.ReplaceAll(wrong.HTML, "alice", "nobody") != nobody.HTML {
		t.Error("the page tells who has an account")
	}
	wrong.Without(t, `"wrong"`)
	s.Post(t, "/login", with(form, "password", "")).Shows(t, 400, "Enter your password.")
	s.Post(t, "/login", with(form, "username", "")).Shows(t, 400, "Enter your username.")
	s.Post(t, "/login", with(form, "username", strings.Repeat("a", 9000))).Shows(t, 403, wrongText)
	s.Post(t, "/login", url.Values{"username": {"alice", "bob"}}).Shows(t, 400, "This did not work")
	s.Get(t, "/account").Goes(t, "/login?continue=%2Faccount")

	before := s.Token
	in := s.Post(t, "/login", with(form, "username", " @alice:narthex.test ")).Goes(t, "/account")
	cookie := in.Header.Get("Set-Cookie")
	for _, part := range []string{"narthex=nxt_", "Path=/", "HttpOnly", "SameSite=Lax", "Max-Age=2592000"} {
		if !strings.Contains(cookie, part) {
			t.Errorf("%q has no %q", cookie, part)
		}
	}
	s.Get(t, "/account").Shows(t, 200, "Your account", "@alice:narthex.test")
	s.Get(t, "/login").Goes(t, "/account")
	s.Get(t, "/register?continue=%2Flink").Goes(t, "/link")
	// The form again, by the back button: it was for a browser where nobody was signed in.
	s.Post(t, "/login", with(form, "form_token", before)).Shows(t, 403, "This form was out of date")
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
	s := apitest.Surf(t, srv)
	s.Get(t, "/login")
	s.Post(t, "/login", url.Values{"username": {"locked"}, "password": {apitest.Password}}).Shows(t, 403, "Your account is locked.")
	s.Post(t, "/login", url.Values{"username": {"locked"}, "password": {"wrong"}}).Shows(t, 403, wrongText)
	s.Post(t, "/login", url.Values{"username": {"gone"}, "password": {apitest.Password}}).Shows(t, 403, wrongText)
	s.Get(t, "/account").Goes(t, "/login?continue=%2Faccount")
}

func TestSignInIsLimited(t *testing.T) {
	srv := apitest.New(t, func(cfg *config.Config) { cfg.RateLimits.Enabled = true })
	srv.User(t, "alice")
	s := apitest.Surf(t, srv)
	s.Get(t, "/login")
	for range 10 {
		s.Post(t, "/login", url.Values{"username": {"alice"}, "password": {"wrong"}}).Shows(t, 403, wrongText)
	}
	s.Post(t, "/login", url.Values{"username": {"alice"}, "password": {apitest.Password}}).Shows(t, 429, "Sign in")
}

// TestForeignForms holds that no other site, and no other browser's form, does
// anything.
func TestForeignForms(t *testing.T) {
	srv := apitest.New(t)
	srv.User(t, "alice")
	form := url.Values{"username": {"alice"}, "password": {apitest.Password}}
	other := apitest.Surf(t, srv)
	other.Get(t, "/login")

	for name, change := range map[string]func(s *apitest.Surfer){
		"without a token":     func(s *apitest.Surfer) { s.Token = "" },
		"with a foreign one":  func(s *apitest.Surfer) { s.Token = other.Token },
		"without the cookies": func(s *apitest.Surfer) { s.Client.Jar = nil },
	} {
		t.Run(name, func(t *testing.T) {
			s := apitest.Surf(t, srv)
			s.Get(t, "/login")
			change(s)
			s.Post(t, "/login", form).Shows(t, 403, "This form was out of date")
			s.Get(t, "/account").Goes(t, "/login?continue=%2Faccount")
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
			s := apitest.Surf(t, srv)
			s.Get(t, "/login")
			s.Header.Set(from.name, from.value)
			if from.refused {
				s.Post(t, "/login", form).Shows(t, 403, "This form was sent by another website.")
			} else {
				s.Post(t, "/login", form).Goes(t, "/account")
			}
		})
	}

	t.Run("of a session that has ended", func(t *testing.T) {
		s := apitest.Surf(t, srv).SignIn(t, "alice")
		stale := s.Token
		s.Post(t, "/logout", nil).Goes(t, "/signed-out")
		s.Get(t, "/login")
		s.Post(t, "/login", form).Goes(t, "/account")
		for _, path := range []string{"/account/password", "/account/profile", "/account/deactivate", "/account/identity", "/account/session", "/logout"} {
			s.Post(t, path, url.Values{"form_token": {stale}, "password": {apitest.Password}}).Shows(t, 403, "This form is out of date, and nothing was changed.")
		}
		s.Get(t, "/account").Shows(t, 200)
	})
	t.Run("not a form", func(t *testing.T) {
		s := apitest.Surf(t, srv)
		s.Header.Set("Content-Type", "application/json")
		s.Post(t, "/login", nil).Shows(t, 400, "This did not work")
	})
}

func TestSignOut(t *testing.T) {
	srv := apitest.New(t)
	srv.User(t, "alice")
	s := apitest.Surf(t, srv)
	s.Post(t, "/logout", nil).Goes(t, "/signed-out") // nobody is signed in
	s.SignIn(t, "alice")
	address, err := url.Parse(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	kept := s.Client.Jar.Cookies(address)
	s.Get(t, "/signed-out").Goes(t, "/account")
	s.Post(t, "/logout", url.Values{"continue": {"/link?user_code=BCDF-GHJK"}}).Goes(t, "/login?continue=%2Flink%3Fuser_code%3DBCDF-GHJK")
	s.Get(t, "/account").Goes(t, "/login?continue=%2Faccount")
	s.Get(t, "/signed-out").Shows(t, 200, "You are signed out")
	s.Client.Jar.SetCookies(address, kept) // somebody has copied them
	s.Get(t, "/account").Goes(t, "/login?continue=%2Faccount")
	s.Get(t, "/logout").Shows(t, 405)
}

// TestCookiesOverHTTPS holds that no other host can set the cookies.
func TestCookiesOverHTTPS(t *testing.T) {
	srv := apitest.New(t, func(cfg *config.Config) { cfg.PublicURL = "https://narthex.example" })
	srv.User(t, "alice")
	s := apitest.Surf(t, srv)
	s.Client.Jar = nil // this server is reached without HTTPS, whatever it is told
	v := s.Get(t, "/login")
	visit := v.Header.Get("Set-Cookie")
	if !strings.HasPrefix(visit, "__Host-narthex-visit=") || !strings.Contains(visit, "Secure") || strings.Contains(visit, "Domain") {
		t.Errorf("the cookie is %q", visit)
	}
	visit = strings.Split(visit, ";")[0]
	s.Header.Set("Cookie", visit)
	in := s.Post(t, "/login", url.Values{"username": {"alice"}, "password": {apitest.Password}}).Goes(t, "/account")
	session := in.Header.Get("Set-Cookie")
	if !strings.HasPrefix(session, "__Host-narthex=nxt_") || !strings.Contains(session, "Secure") || !strings.Contains(session, "HttpOnly") {
		t.Errorf("the cookie is %q", session)
	}
	s.Header.Set("Cookie", strings.Replace(strings.Split(session, ";")[0], "__Host-narthex", "narthex", 1))
	s.Get(t, "/account").Goes(t, "/login?continue=%2Faccount")
	s.Header.Set("Cookie", strings.Split(session, ";")[0])
	s.Get(t, "/account").Shows(t, 200, "Your account")
}

// TestHeaders holds what every page is sent with.
func TestHeaders(t *testing.T) {
	srv := apitest.New(t)
	srv.User(t, "alice")
	s := apitest.Surf(t, srv).SignIn(t, "alice")
	for _, v := range []apitest.Seen{s.Get(t, "/account"), s.Get(t, "/account/session?device_id=none"), s.Get(t, "/link"), s.Post(t, "/account/password", url.Values{"password": {"x"}})} {
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
	v := s.Get(t, "/account")
	_, rest, _ := strings.Cut(v.HTML, `rel="stylesheet" href="`)
	path, _, _ := strings.Cut(rest, `"`)
	css := s.Get(t, path).Shows(t, 200, "prefers-color-scheme")
	if css.Header.Get("Cache-Control") != "public, max-age=31536000, immutable" || css.Header.Get("Content-Type") != "text/css; charset=utf-8" || css.Header.Get("Pragma") != "" {
		t.Errorf("the stylesheet has the headers %v", css.Header)
	}
	s.Get(t, "/assets/narthex.css").Shows(t, 404, "There is nothing here")
	s.Get(t, "/assets/..%2fpage.go").Shows(t, 404)
	if v.Header.Get("Content-Length") == "" || v.Status != http.StatusOK {
		t.Errorf("got %d %v", v.Status, v.Header)
	}
}
