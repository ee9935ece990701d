package oauth_test

import (
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
)

func TestLogout(t *testing.T) {
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	second, third := srv.Device(t, alice.UserID, "SECOND"), srv.Device(t, alice.UserID, "THIRD")

	second.Do(t, "POST", "/_matrix/client/v3/logout", nil).OK(t, nil)
	r := second.Do(t, "POST", "/_matrix/client/v3/logout", nil)
	r.Fails(t, srv, errcode.UnknownToken)
	if decode[object](t, r)["soft_logout"] != false {
		t.Errorf("got %s", r.Body)
	}
	alice.Do(t, "GET", whoamiPath, nil).OK(t, nil)

	alice.Do(t, "POST", "/_matrix/client/v3/logout/all", nil).OK(t, nil)
	alice.Do(t, "GET", whoamiPath, nil).Fails(t, srv, errcode.UnknownToken)
	third.Do(t, "GET", whoamiPath, nil).Fails(t, srv, errcode.UnknownToken)
	bob.Do(t, "GET", whoamiPath, nil).OK(t, nil)
	if d := devices(t, srv, alice.UserID); len(d) != 0 {
		t.Errorf("got %+v", d)
	}
	srv.Anyone().Do(t, "POST", "/_matrix/client/v3/logout", nil).Fails(t, srv, errcode.MissingToken)
	srv.Anyone().Do(t, "POST", "/_matrix/client/v3/logout/all", nil).Fails(t, srv, errcode.MissingToken)
}

func TestLockedAccount(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	other := srv.Device(t, alice.UserID, "OTHER")
	lock := func(locked bool) {
		write(t, srv, func(tx *db.Tx) error { return srv.App.Accounts.SetLocked(tx, alice.UserID, locked, "test") })
	}
	lock(true)
	r := alice.Do(t, "GET", whoamiPath, nil)
	r.Fails(t, srv, errcode.UserLocked)
	if decode[object](t, r)["soft_logout"] != true {
		t.Errorf("got %s, want soft_logout", r.Body)
	}
	login(t, srv, passwordLogin("alice", apitest.Password)).Fails(t, srv, errcode.UserLocked)
	login(t, srv, passwordLogin("alice", "wrong")).Fails(t, srv, errcode.Forbidden)
	other.Do(t, "POST", "/_matrix/client/v3/logout", nil).OK(t, nil)
	lock(false)
	alice.Do(t, "GET", whoamiPath, nil).OK(t, nil)
	lock(true)
	alice.Do(t, "POST", "/_matrix/client/v3/logout/all", nil).OK(t, nil)
}

func TestSuspendedAccount(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	write(t, srv, func(tx *db.Tx) error { return srv.App.Accounts.SetSuspended(tx, alice.UserID, true, "test") })
	alice.Do(t, "GET", whoamiPath, nil).OK(t, nil)
	login(t, srv, passwordLogin("alice", apitest.Password)).OK(t, nil)
	alice.Do(t, "POST", "/_matrix/client/v3/user/@alice:narthex.test/openid/request_token", object{}).Fails(t, srv, errcode.UserSuspended)
	alice.Do(t, "POST", "/_matrix/client/v3/logout", nil).OK(t, nil)
}

func TestOpenID(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	path := func(user string) string { return "/_matrix/client/v3/user/" + user + "/openid/request_token" }
	got := decode[object](t, alice.Do(t, "POST", path("@alice:narthex.test"), object{}).OK(t, nil))
	if got["token_type"] != "Bearer" || got["matrix_server_name"] != "narthex.test" || got["expires_in"] != float64(3600) {
		t.Errorf("got %v", got)
	}
	token := got["access_token"].(string)
	info := "/_matrix/federation/v1/openid/userinfo"
	if r := srv.Anyone().Do(t, "GET", info+"?access_token="+token, nil).OK(t, nil); string(r.Body) != `{"sub":"@alice:narthex.test"}` {
		t.Errorf("got %s", r.Body)
	}
	as(srv, token).Do(t, "GET", whoamiPath, nil).Fails(t, srv, errcode.UnknownToken)
	apitest.Run(t, []apitest.Case{
		{Name: "somebody else's", As: alice, Do: "POST", Path: path("@bob:narthex.test"), Body: object{}, Want: errcode.Forbidden},
		{Name: "of no user", As: alice, Do: "POST", Path: path("alice"), Body: object{}, Want: errcode.InvalidParam},
		{Name: "without a token", As: srv.Anyone(), Do: "POST", Path: path("@alice:narthex.test"), Body: object{}, Want: errcode.MissingToken},
		{Name: "an access token shown to a service", As: srv.Anyone(), Do: "GET", Path: info + "?access_token=" + alice.Token, Want: errcode.UnknownToken},
		{Name: "no token shown to a service", As: srv.Anyone(), Do: "GET", Path: info, Want: errcode.MissingParam},
	})
	srv.Advance(2 * time.Hour)
	srv.Anyone().Do(t, "GET", info+"?access_token="+token, nil).Fails(t, srv, errcode.UnknownToken)
	srv.RunJobs(t)
}

func TestLastSeenIsWrittenRarely(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	seen := func() time.Time { return devices(t, srv, alice.UserID)[0].LastSeen }
	before := seen()
	alice.Do(t, "GET", whoamiPath, nil).OK(t, nil)
	if !seen().Equal(before) {
		t.Error("the first request wrote when the device was seen")
	}
	srv.Advance(10 * time.Minute)
	alice.Do(t, "GET", whoamiPath, nil).OK(t, nil)
	after := devices(t, srv, alice.UserID)[0]
	if after.LastSeen.Sub(before) < 10*time.Minute || after.LastSeenIP != "127.0.0.1" || after.LastSeenUserAgent == "" {
		t.Errorf("got %+v", after)
	}
	alice.Do(t, "GET", whoamiPath, nil).OK(t, nil)
	if !seen().Equal(after.LastSeen) {
		t.Error("the next request wrote again")
	}
}

func TestGuests(t *testing.T) {
	srv := apitest.New(t, func(cfg *config.Config) { cfg.Registration.AllowGuests = true })
	guest := func() session {
		t.Helper()
		body := object{"username": "alice", "password": "x", "device_id": "MINE", "inhibit_login": true, "initial_device_display_name": "Web"}
		return decode[session](t, srv.Anyone().Do(t, "POST", registerPath+"?kind=guest", body).OK(t, nil))
	}
	g := guest()
	if local := g.UserID.Localpart(); len(local) != 16 || local == "alice" || g.DeviceID == "MINE" || g.AccessToken == "" || g.RefreshToken != "" {
		t.Errorf("got %+v", g)
	}
	if got := decode[object](t, whoami(t, srv, g.AccessToken).OK(t, nil))["is_guest"]; got != true {
		t.Errorf("is_guest: got %v", got)
	}
	c := as(srv, g.AccessToken)
	c.Do(t, "GET", "/_matrix/client/v3/devices", nil).OK(t, nil)
	c.Do(t, "POST", "/_matrix/client/v3/account/deactivate", object{}).Fails(t, srv, errcode.GuestAccessForbidden)

	upgrade := func(g session, username string) object {
		return with(registration(username), object{"guest_access_token": g.AccessToken})
	}
	t.Run("a guest makes an account", func(t *testing.T) {
		s := register(t, srv, upgrade(g, g.UserID.Localpart()))
		if s.UserID != g.UserID || s.AccessToken == "" {
			t.Errorf("got %+v", s)
		}
		whoami(t, srv, g.AccessToken).Fails(t, srv, errcode.UnknownToken)
		if got := decode[object](t, whoami(t, srv, s.AccessToken).OK(t, nil))["is_guest"]; got != false {
			t.Errorf("is_guest: got %v", got)
		}
		login(t, srv, passwordLogin(g.UserID.Localpart(), apitest.Password)).OK(t, nil)
	})
	t.Run("refused", func(t *testing.T) {
		g := guest()
		post := func(body object) *apitest.Response { return srv.Anyone().Do(t, "POST", registerPath, body) }
		post(upgrade(g, "alice")).Fails(t, srv, errcode.InvalidUsername)
		post(upgrade(session{AccessToken: "nonsense"}, g.UserID.Localpart())).Fails(t, srv, errcode.Forbidden)
		user := srv.User(t, "bob")
		post(upgrade(session{AccessToken: user.Token}, "bob")).Fails(t, srv, errcode.Forbidden)
		login(t, srv, passwordLogin(g.UserID.Localpart(), "")).Fails(t, srv, errcode.Forbidden)
	})
}
