package web_test

import (
	"errors"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/oauth"
)

// sessionCookie is the cookie of the session that the browser has.
func sessionCookie(t testing.TB, srv *apitest.Server, s *apitest.Surfer) string {
	t.Helper()
	site, err := url.Parse(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range s.Client.Jar.Cookies(site) {
		if c.Name == "narthex" {
			return c.Value
		}
	}
	t.Fatal("the browser has no session")
	return ""
}

func findBrowser(t testing.TB, srv *apitest.Server, cookie string) (b oauth.Browser, err error) {
	t.Helper()
	err = srv.App.DB.Read(t.Context(), func(tx *db.Tx) (err error) {
		b, err = srv.App.OAuth.Browser(tx, cookie)
		return err
	})
	return b, err
}

func TestConfirm(t *testing.T) {
	srv := apitest.New(t)
	srv.User(t, "alice")
	s := apitest.Surf(t, srv)
	s.Get(t, "/confirm?continue=%2Faccount%2Fprofile").Goes(t, "/login?continue=%2Fconfirm%3Fcontinue%3D%252Faccount%252Fprofile")
	s.SignIn(t, "alice")
	stolen := sessionCookie(t, srv, s)
	srv.Advance(16 * time.Minute)

	s.Get(t, "/confirm?continue=https://evil.example").Shows(t, 200, "Confirm that it is you", "@alice:narthex.test").Without(t, "evil")
	s.Get(t, "/confirm?continue=%2Faccount%2Fprofile").Shows(t, 200)
	s.Post(t, "/confirm", url.Values{"password": {"wrong"}}).Shows(t, 403, "This is not your password.").Without(t, `"wrong"`)
	s.Post(t, "/confirm", nil).Shows(t, 403, "This is not your password.")
	s.Post(t, "/confirm", url.Values{"password": {apitest.Password}, "form_token": {"x"}}).Shows(t, 403, "This form is out of date, and nothing was changed.")
	s.Post(t, "/confirm", url.Values{"password": {apitest.Password, apitest.Password}}).Shows(t, 400)
	before, err := findBrowser(t, srv, stolen)
	if err != nil {
		t.Fatal(err)
	}

	s.Post(t, "/confirm", url.Values{"password": {apitest.Password}, "continue": {"/account/profile"}}).Goes(t, "/account/profile")
	if b, err := findBrowser(t, srv, sessionCookie(t, srv, s)); err != nil || b.Proved.Sub(before.Proved) < 16*time.Minute {
		t.Errorf("proved at %s, %v", b.Proved, err)
	}
	if _, err := findBrowser(t, srv, stolen); !errors.Is(err, db.ErrNoRow) {
		t.Errorf("the cookie of before is still good: %v", err)
	}
	s.Get(t, "/account").Shows(t, http.StatusOK, "Your account")
	s.Get(t, "/confirm")
	s.Post(t, "/confirm", url.Values{"password": {apitest.Password}, "continue": {"//evil.example"}}).Goes(t, "/account")
}

func TestConfirmIsLimited(t *testing.T) {
	srv := apitest.New(t, func(cfg *config.Config) { cfg.RateLimits.Enabled = true })
	srv.User(t, "alice")
	s := apitest.Surf(t, srv).SignIn(t, "alice")
	s.Get(t, "/confirm")
	for range 10 {
		s.Post(t, "/confirm", url.Values{"password": {"wrong"}}).Shows(t, 403, "This is not your password.")
	}
	s.Post(t, "/confirm", url.Values{"password": {apitest.Password}}).Shows(t, 429)
}
