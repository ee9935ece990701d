package oauth_test

import (
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
)

const (
	revokePath     = "/oauth2/revoke"
	introspectPath = "/oauth2/introspect"
)

// oauthSession signs alice in on a device by the device grant.
func oauthSession(t *testing.T, srv *apitest.Server, alice *apitest.Client, clientID, device string) granted {
	t.Helper()
	a := ask(t, srv, clientID, device)
	decide(t, srv, alice.UserID, a.UserCode, true)
	return decode[granted](t, poll(t, srv, clientID, a.DeviceCode).OK(t, nil))
}

func renew(t *testing.T, srv *apitest.Server, clientID, token string) *apitest.Response {
	t.Helper()
	return srv.Anyone().Do(t, "POST", tokenPath, url.Values{"grant_type": {"refresh_token"}, "client_id": {clientID}, "refresh_token": {token}})
}

func TestOA32_RefreshAtOnce(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	clientID, _ := registered(t, srv, element())
	renamed := element()
	renamed["client_name"] = "Another"
	otherID, _ := registered(t, srv, renamed)

	t.Run("OA-30 a token runs out and is replaced", func(t *testing.T) {
		g := oauthSession(t, srv, alice, clientID, newDevice)
		srv.Advance(5 * time.Minute)
		r := as(srv, g.AccessToken).Do(t, "GET", whoamiPath, nil).Fails(t, srv, errcode.ExpiredToken)
		if !strings.Contains(string(r.Body), `"soft_logout":true`) {
			t.Errorf("got %s", r.Body)
		}
		next := decode[granted](t, renew(t, srv, clientID, g.RefreshToken).OK(t, nil))
		if next.Scope != scopeOf(newDevice) || next.AccessToken == g.AccessToken || next.RefreshToken == g.RefreshToken || next.ExpiresIn != 300 {
			t.Errorf("got %+v", next)
		}
		as(srv, next.AccessToken).Do(t, "GET", whoamiPath, nil).OK(t, nil)
	})
	t.Run("K10 the answer was lost", func(t *testing.T) {
		g := oauthSession(t, srv, alice, clientID, newDevice)
		lost := decode[granted](t, renew(t, srv, clientID, g.RefreshToken).OK(t, nil))
		next := decode[granted](t, renew(t, srv, clientID, g.RefreshToken).OK(t, nil))
		as(srv, lost.AccessToken).Do(t, "GET", whoamiPath, nil).Fails(t, srv, errcode.UnknownToken)
		as(srv, next.AccessToken).Do(t, "GET", whoamiPath, nil).OK(t, nil)
		t.Run("and reuse after that ends the session", func(t *testing.T) {
			renew(t, srv, clientID, g.RefreshToken).Fails(t, srv, errcode.InvalidGrant)
			as(srv, next.AccessToken).Do(t, "GET", whoamiPath, nil).Fails(t, srv, errcode.UnknownToken)
			renew(t, srv, clientID, next.RefreshToken).Fails(t, srv, errcode.InvalidGrant)
		})
	})
	t.Run("another client's token is no use and stays good", func(t *testing.T) {
		g := oauthSession(t, srv, alice, clientID, newDevice)
		renew(t, srv, otherID, g.RefreshToken).Fails(t, srv, errcode.InvalidGrant)
		srv.Anyone().Do(t, "POST", refreshPath, object{"refresh_token": g.RefreshToken}).Fails(t, srv, errcode.UnknownToken)
		renew(t, srv, clientID, g.RefreshToken).OK(t, nil)
	})
	t.Run("a token of the legacy login is none of a client's", func(t *testing.T) {
		s := decode[session](t, login(t, srv, with(passwordLogin("alice", apitest.Password), object{"refresh_token": true})).OK(t, nil))
		renew(t, srv, clientID, s.RefreshToken).Fails(t, srv, errcode.InvalidGrant)
		srv.Anyone().Do(t, "POST", refreshPath, object{"refresh_token": s.RefreshToken}).OK(t, nil)
	})
	t.Run("other kinds of tokens", func(t *testing.T) {
		g := oauthSession(t, srv, alice, clientID, newDevice)
		for _, token := range []string{g.AccessToken, g.RefreshToken + "x", strings.ToUpper(g.RefreshToken), "x"} {
			renew(t, srv, clientID, token).Fails(t, srv, errcode.InvalidGrant)
		}
	})
	t.Run("a locked account", func(t *testing.T) {
		bob := srv.User(t, "bob")
		g := oauthSession(t, srv, bob, clientID, newDevice)
		write(t, srv, func(tx *db.Tx) error { return srv.App.Accounts.SetLocked(tx, bob.UserID, true, "test") })
		renew(t, srv, clientID, g.RefreshToken).Fails(t, srv, errcode.InvalidGrant)
	})
	t.Run("twenty at once, through two servers: one pair is left", func(t *testing.T) {
		g := oauthSession(t, srv, alice, clientID, newDevice)
		second := apitest.Over(t, srv.App.Config.Database)
		second.Advance(5 * time.Minute) // as far as the first
		var wait sync.WaitGroup
		answers := make([]*apitest.Response, 20)
		for i := range answers {
			wait.Go(func() { answers[i] = renew(t, []*apitest.Server{srv, second}[i%2], clientID, g.RefreshToken) })
		}
		wait.Wait()
		good := 0
		for _, r := range answers {
			if r.Status == 200 && as(srv, decode[granted](t, r).AccessToken).Do(t, "GET", whoamiPath, nil).Status == 200 {
				good++
			}
		}
		if good != 1 {
			t.Errorf("%d access tokens are good", good)
		}
	})
}

func TestOA33_Revocation(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	clientID, _ := registered(t, srv, element())
	revoke := func(values url.Values) *apitest.Response { return srv.Anyone().Do(t, "POST", revokePath, values) }
	for name, form := range map[string]func(granted) url.Values{
		"the access token": func(g granted) url.Values { return url.Values{"token": {g.AccessToken}, "client_id": {clientID}} },
		"the refresh token": func(g granted) url.Values {
			return url.Values{"token": {g.RefreshToken}, "token_type_hint": {"access_token"}}
		},
		"by another client, or by none": func(g granted) url.Values { return url.Values{"token": {g.RefreshToken}, "client_id": {"unknown"}} },
	} {
		t.Run(name, func(t *testing.T) {
			g := oauthSession(t, srv, alice, clientID, newDevice)
			revoke(form(g)).OK(t, nil)
			as(srv, g.AccessToken).Do(t, "GET", whoamiPath, nil).Fails(t, srv, errcode.UnknownToken)
			renew(t, srv, clientID, g.RefreshToken).Fails(t, srv, errcode.InvalidGrant)
			alice.Do(t, "GET", "/_matrix/client/v3/devices/"+newDevice, nil).Fails(t, srv, errcode.NotFound)
			revoke(form(g)).OK(t, nil)
		})
	}
	revoke(url.Values{"token": {"unknown"}}).OK(t, nil)
	revoke(url.Values{}).Fails(t, srv, errcode.MissingParam)
}

func TestIntrospection(t *testing.T) {
	srv := apitest.New(t, func(c *config.Config) { c.OAuth.IntrospectionSecret = "of the administrator" })
	alice := srv.User(t, "alice")
	clientID, _ := registered(t, srv, element())
	g := oauthSession(t, srv, alice, clientID, newDevice)
	introspect := func(token, secret string) *apitest.Response {
		return srv.Anyone().Do(t, "POST", introspectPath, url.Values{"token": {token}, "client_secret": {secret}})
	}
	const right = "of the administrator"
	got := decode[object](t, introspect(g.AccessToken, right).OK(t, nil))
	if got["active"] != true || got["scope"] != scopeOf(newDevice) || got["client_id"] != clientID || got["sub"] != string(alice.UserID) ||
		got["username"] != "alice" || got["device_id"] != newDevice || got["token_type"] != "access_token" || got["exp"] == nil || got["iss"] != srv.URL+"/" {
		t.Errorf("got %v", got)
	}
	if got := decode[object](t, introspect(g.RefreshToken, right).OK(t, nil)); got["active"] != true || got["token_type"] != "refresh_token" {
		t.Errorf("got %v", got)
	}
	for _, token := range []string{"unknown", g.AccessToken + "x"} {
		if got := string(introspect(token, right).OK(t, nil).Body); got != `{"active":false}` {
			t.Errorf("got %s", got)
		}
	}
	for _, secret := range []string{"", "wrong", right + "x"} {
		introspect(g.AccessToken, secret).Fails(t, srv, errcode.InvalidClient)
	}
	srv.Advance(5 * time.Minute)
	if got := string(introspect(g.AccessToken, right).OK(t, nil).Body); got != `{"active":false}` {
		t.Errorf("got %s", got)
	}
	without := apitest.New(t)
	without.Anyone().Do(t, "POST", introspectPath, url.Values{"token": {"x"}, "client_secret": {""}}).Fails(t, without, errcode.InvalidClient)
}

// TestSSOToken signs in with the token that the page of single sign-on gives out.
func TestSSOToken(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	sso := func() (token string) {
		write(t, srv, func(tx *db.Tx) (err error) {
			token, err = srv.App.OAuth.SSOToken(tx, alice.UserID)
			return err
		})
		return token
	}
	token := sso()
	login(t, srv, object{"type": "m.login.token", "token": token}).OK(t, nil)
	login(t, srv, object{"type": "m.login.token", "token": token}).Fails(t, srv, errcode.Forbidden)
	late := sso()
	srv.Advance(time.Duration(srv.App.Config.Login.LoginTokenLifetime))
	login(t, srv, object{"type": "m.login.token", "token": late}).Fails(t, srv, errcode.Forbidden)
	write(t, srv, func(tx *db.Tx) error { return srv.App.Accounts.SetLocked(tx, alice.UserID, true, "test") })
	err := srv.App.DB.Write(t.Context(), func(tx *db.Tx) error {
		_, err := srv.App.OAuth.SSOToken(tx, alice.UserID)
		return err
	})
	if !isCode(err, errcode.AccessDenied) {
		t.Error(err)
	}
}
