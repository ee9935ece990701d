package oauth_test

import (
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
)

// refreshing is a signed-in session with a refresh token.
func refreshing(t *testing.T, srv *apitest.Server) session {
	t.Helper()
	s := decode[session](t, login(t, srv, with(passwordLogin("alice", apitest.Password), object{"refresh_token": true})).OK(t, nil))
	if s.RefreshToken == "" || s.ExpiresInMS != time.Hour.Milliseconds() {
		t.Fatalf("got %+v", s)
	}
	return s
}

func exchange(t *testing.T, srv *apitest.Server, token string) *apitest.Response {
	t.Helper()
	return srv.Anyone().Do(t, "POST", refreshPath, object{"refresh_token": token})
}

func refreshed(t *testing.T, srv *apitest.Server, token string) session {
	t.Helper()
	s := decode[session](t, exchange(t, srv, token).OK(t, nil))
	if s.AccessToken == "" || s.RefreshToken == "" || s.RefreshToken == token || s.ExpiresInMS != time.Hour.Milliseconds() {
		t.Errorf("refresh: got %+v", s)
	}
	return s
}

func whoami(t *testing.T, srv *apitest.Server, token string) *apitest.Response {
	t.Helper()
	return as(srv, token).Do(t, "GET", whoamiPath, nil)
}

func TestRefreshAtOnce(t *testing.T) {
	srv := apitest.New(t)
	srv.User(t, "alice")

	t.Run("an access token expires and is replaced", func(t *testing.T) {
		s := refreshing(t, srv)
		srv.Advance(2 * time.Hour)
		r := whoami(t, srv, s.AccessToken)
		r.Fails(t, srv, errcode.ExpiredToken)
		if decode[object](t, r)["soft_logout"] != true {
			t.Errorf("got %s, want soft_logout", r.Body)
		}
		next := refreshed(t, srv, s.RefreshToken)
		who := decode[session](t, whoami(t, srv, next.AccessToken).OK(t, nil))
		if who.DeviceID != s.DeviceID {
			t.Errorf("the device is %s, want %s", who.DeviceID, s.DeviceID)
		}
	})
	t.Run("a lost answer can be asked for again", func(t *testing.T) {
		s := refreshing(t, srv)
		lost := refreshed(t, srv, s.RefreshToken)
		got := refreshed(t, srv, s.RefreshToken)
		whoami(t, srv, s.AccessToken).OK(t, nil) // until the new one is used
		whoami(t, srv, got.AccessToken).OK(t, nil)
		whoami(t, srv, lost.AccessToken).Fails(t, srv, errcode.UnknownToken)
		exchange(t, srv, lost.RefreshToken).Fails(t, srv, errcode.UnknownToken)
		whoami(t, srv, s.AccessToken).Fails(t, srv, errcode.UnknownToken)
		refreshed(t, srv, got.RefreshToken)
	})
	for name, use := range map[string]func(session){
		"the access token":  func(s session) { whoami(t, srv, s.AccessToken).OK(t, nil) },
		"the refresh token": func(s session) { refreshed(t, srv, s.RefreshToken) },
	} {
		t.Run("reuse after the use of "+name+" ends the session", func(t *testing.T) {
			s := refreshing(t, srv)
			next := refreshed(t, srv, s.RefreshToken)
			use(next)
			r := exchange(t, srv, s.RefreshToken)
			r.Fails(t, srv, errcode.UnknownToken)
			if decode[object](t, r)["soft_logout"] != false {
				t.Errorf("got %s, want no soft_logout", r.Body)
			}
			whoami(t, srv, next.AccessToken).Fails(t, srv, errcode.UnknownToken)
			exchange(t, srv, next.RefreshToken).Fails(t, srv, errcode.UnknownToken)
			for _, d := range devices(t, srv, userID("alice")) {
				if d.DeviceID == s.DeviceID {
					t.Error("the device is still there")
				}
			}
		})
	}
	t.Run("twenty at once leave one head", func(t *testing.T) {
		s := refreshing(t, srv)
		count, answers := atOnce(t, 20, func(int) (*apitest.Response, error) {
			return srv.Anyone().Try(t.Context(), "POST", refreshPath, object{"refresh_token": s.RefreshToken})
		})
		if count["200"] != 20 {
			t.Errorf("got %v", count)
		}
		live := 0
		for _, r := range answers {
			if next := decode[session](t, r); whoami(t, srv, next.AccessToken).Status == 200 {
				live++
				refreshed(t, srv, next.RefreshToken)
			}
		}
		if live != 1 {
			t.Errorf("%d of the new tokens are good, want 1", live)
		}
	})
	t.Run("refused and malformed", func(t *testing.T) {
		s := refreshing(t, srv)
		exchange(t, srv, "").Fails(t, srv, errcode.MissingParam)
		exchange(t, srv, "nonsense").Fails(t, srv, errcode.UnknownToken)
		exchange(t, srv, s.AccessToken).Fails(t, srv, errcode.UnknownToken)
		exchange(t, srv, s.RefreshToken[:len(s.RefreshToken)-1]).Fails(t, srv, errcode.UnknownToken)
		whoami(t, srv, s.RefreshToken).Fails(t, srv, errcode.UnknownToken)
		srv.Anyone().Do(t, "POST", refreshPath, object{"refresh_token": 1}).Fails(t, srv, errcode.BadJSON)
		as(srv, s.AccessToken).Do(t, "POST", "/_matrix/client/v3/logout", nil).OK(t, nil)
		exchange(t, srv, s.RefreshToken).Fails(t, srv, errcode.UnknownToken)
	})
	t.Run("a locked account", func(t *testing.T) {
		s := refreshing(t, srv)
		lock := func(locked bool) {
			write(t, srv, func(tx *db.Tx) error { return srv.App.Accounts.SetLocked(tx, s.UserID, locked, "test") })
		}
		lock(true)
		exchange(t, srv, s.RefreshToken).Fails(t, srv, errcode.UserLocked)
		lock(false)
		refreshed(t, srv, s.RefreshToken)
	})
	t.Run("the reuse of an old token is noticed", func(t *testing.T) {
		s := refreshing(t, srv)
		srv.Advance(31 * 24 * time.Hour) // the device was not used for so long
		next := refreshed(t, srv, s.RefreshToken)
		whoami(t, srv, next.AccessToken).OK(t, nil)
		srv.RunJobs(t)
		exchange(t, srv, s.RefreshToken).Fails(t, srv, errcode.UnknownToken)
		whoami(t, srv, next.AccessToken).Fails(t, srv, errcode.UnknownToken)
	})
	t.Run("spent tokens are forgotten in the end", func(t *testing.T) {
		srv.Advance(31 * 24 * time.Hour)
		srv.RunJobs(t)
		if n := rows(t, srv, `SELECT COUNT(*) FROM refresh_tokens WHERE spent_ts IS NOT NULL`); n != 0 {
			t.Errorf("got %d", n)
		}
	})
}
