package oauth_test

import (
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
)

// inTurn holds a lock while it begins the requests, each after the one before
// waits for the lock, and then lets them go: they act in their order, and each on
// what it read before the first of them acted. On SQLite, where writes do not
// overlap, it makes them one after the other.
func inTurn(t *testing.T, srv *apitest.Server, kind, key string, requests ...func() (*apitest.Response, error)) []*apitest.Response {
	t.Helper()
	answers := make([]*apitest.Response, len(requests))
	begin := func(i int) {
		var err error
		if answers[i], err = requests[i](); err != nil {
			t.Errorf("request %d: %v", i, err)
		}
	}
	if srv.App.DB.Dialect() == db.SQLite {
		for i := range requests {
			begin(i)
		}
		return answers
	}
	done := make(chan struct{}, len(requests))
	err := srv.App.DB.Write(t.Context(), func(tx *db.Tx) error {
		if err := tx.Lock(kind, key); err != nil {
			return err
		}
		for i := range requests {
			go func() {
				begin(i)
				done <- struct{}{}
			}()
			for waiting := 0; waiting <= i; {
				var err error
				if waiting, err = db.Value[int](tx, `SELECT COUNT(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
					AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for range requests {
		<-done
	}
	return answers
}

// TestALateFirstUseEndsNoSession has a request that saw a token before its first
// use, and writes that only when the client has refreshed once more.
func TestALateFirstUseEndsNoSession(t *testing.T) {
	srv := apitest.New(t)
	srv.User(t, "alice")
	first := refreshing(t, srv)
	second := refreshed(t, srv, first.RefreshToken)
	use := func() (*apitest.Response, error) {
		return as(srv, second.AccessToken).Try(t.Context(), "GET", whoamiPath, nil)
	}
	refresh := func() (*apitest.Response, error) {
		return srv.Anyone().Try(t.Context(), "POST", refreshPath, object{"refresh_token": second.RefreshToken})
	}
	answers := inTurn(t, srv, "device", string(first.UserID)+" "+string(first.DeviceID), use, refresh, use)
	for i, r := range answers {
		if r.Status != 200 {
			t.Fatalf("request %d: got %d %s", i, r.Status, r.Body)
		}
	}
	third := decode[session](t, answers[1])
	whoami(t, srv, third.AccessToken).OK(t, nil)
	whoami(t, srv, second.AccessToken).Fails(t, srv, errcode.UnknownToken)
}

// TestAGuestIsUpgradedOnce has two registrations that both found a guest: the
// second must not change the password that the first has set.
func TestAGuestIsUpgradedOnce(t *testing.T) {
	srv := apitest.New(t, func(cfg *config.Config) { cfg.Registration.AllowGuests = true })
	guest := decode[session](t, srv.Anyone().Do(t, "POST", registerPath+"?kind=guest", object{}).OK(t, nil))
	upgrade := func(password string) func() (*apitest.Response, error) {
		body := with(registration(guest.UserID.Localpart()), object{"guest_access_token": guest.AccessToken, "password": password})
		return func() (*apitest.Response, error) {
			return srv.Anyone().Try(t.Context(), "POST", registerPath, body)
		}
	}
	answers := inTurn(t, srv, "user", string(guest.UserID), upgrade("first password"), upgrade("second password"))
	answers[0].OK(t, nil)
	answers[1].Fails(t, srv, errcode.Forbidden)
	login(t, srv, passwordLogin(guest.UserID.Localpart(), "first password")).OK(t, nil)
	login(t, srv, passwordLogin(guest.UserID.Localpart(), "second password")).Fails(t, srv, errcode.Forbidden)
}
