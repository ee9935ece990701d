package oauth_test

import (
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/errcode"
)

// TestALateFirstUseEndsNoSessionAtOnce has a request that saw a token before its first
// use, and writes that only when the client has refreshed once more.
func TestALateFirstUseEndsNoSessionAtOnce(t *testing.T) {
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
	answers := srv.InTurn(t, "device", string(first.UserID)+" "+string(first.DeviceID), nil, use, refresh, use)
	for i, r := range answers {
		if r.Status != 200 {
			t.Fatalf("request %d: got %d %s", i, r.Status, r.Body)
		}
	}
	third := decode[session](t, answers[1])
	whoami(t, srv, third.AccessToken).OK(t, nil)
	whoami(t, srv, second.AccessToken).Fails(t, srv, errcode.UnknownToken)
}

// TestAGuestUpgradedAtOnceIsOneAccount has two registrations that both found a guest: the
// second must not change the password that the first has set.
func TestAGuestUpgradedAtOnceIsOneAccount(t *testing.T) {
	srv := apitest.New(t, func(cfg *config.Config) { cfg.Registration.AllowGuests = true })
	guest := decode[session](t, srv.Anyone().Do(t, "POST", registerPath+"?kind=guest", object{}).OK(t, nil))
	upgrade := func(password string) func() (*apitest.Response, error) {
		body := with(registration(guest.UserID.Localpart()), object{"guest_access_token": guest.AccessToken, "password": password})
		return func() (*apitest.Response, error) {
			return srv.Anyone().Try(t.Context(), "POST", registerPath, body)
		}
	}
	answers := srv.InTurn(t, "user", string(guest.UserID), nil, upgrade("first password"), upgrade("second password"))
	answers[0].OK(t, nil)
	answers[1].Fails(t, srv, errcode.Forbidden)
	login(t, srv, passwordLogin(guest.UserID.Localpart(), "first password")).OK(t, nil)
	login(t, srv, passwordLogin(guest.UserID.Localpart(), "second password")).Fails(t, srv, errcode.Forbidden)
}
