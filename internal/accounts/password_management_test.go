package accounts_test

import (
	"slices"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/errcode"
)

const passwordPath = "/_matrix/client/v3/account/password"

func canLogIn(t *testing.T, srv *apitest.Server, user, password string) bool {
	t.Helper()
	r := srv.Anyone().Do(t, "POST", "/_matrix/client/v3/login", object{"type": "m.login.password", "user": user, "password": password, "device_id": "PROBE"})
	if r.Status != 200 {
		r.Fails(t, srv, errcode.Forbidden)
	}
	return r.Status == 200
}

func TestChangePassword(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	other := srv.Device(t, alice.UserID, "OTHER")
	const fresh = "a new password"

	c := challenged(t, srv, alice.Do(t, "POST", passwordPath, object{"new_password": fresh}))
	if got := challenged(t, srv, alice.Do(t, "POST", passwordPath, object{"new_password": fresh, "auth": byPassword("alice", "wrong", c.Session)})); got.Errcode != "M_FORBIDDEN" || got.Session != c.Session {
		t.Errorf("got %+v", got)
	}
	alice.Do(t, "POST", passwordPath, object{"new_password": fresh, "auth": byPassword("alice", apitest.Password, c.Session)}).OK(t, nil)
	alice.Do(t, "GET", devicesPath, nil).OK(t, nil)
	other.Do(t, "GET", devicesPath, nil).Fails(t, srv, errcode.UnknownToken)
	if got := deviceIDs(t, srv, alice.UserID); !slices.Equal(got, []string{"DEVICE1"}) {
		t.Errorf("got %v", got)
	}
	if canLogIn(t, srv, "alice", apitest.Password) || !canLogIn(t, srv, "alice", fresh) {
		t.Error("the password was not changed")
	}

	other = srv.Device(t, alice.UserID, "OTHER")
	alice.Do(t, "POST", passwordPath, object{"new_password": apitest.Password, "logout_devices": false, "auth": byPassword("alice", fresh, "")}).OK(t, nil)
	other.Do(t, "GET", devicesPath, nil).OK(t, nil)

	apitest.Run(t, []apitest.Case{
		{Name: "a short one", As: alice, Do: "POST", Path: passwordPath, Body: object{"new_password": "short"}, Want: errcode.WeakPassword},
		{Name: "none", As: alice, Do: "POST", Path: passwordPath, Body: object{}, Want: errcode.MissingParam},
		{Name: "one that is no string", As: alice, Do: "POST", Path: passwordPath, Body: object{"new_password": 12345678}, Want: errcode.BadJSON},
		{Name: "with a token that is none", As: &apitest.Client{Server: srv, Token: "none"}, Do: "POST", Path: passwordPath, Body: object{"new_password": fresh}, Want: errcode.UnknownToken},
	})
}

func TestPasswordGuessesWithATokenAreLimited(t *testing.T) {
	srv := apitest.New(t, func(cfg *config.Config) { cfg.RateLimits.Enabled = true })
	alice := srv.User(t, "alice")
	body := func(password string) object {
		return object{"new_password": "a new password", "auth": byPassword("alice", password, "")}
	}
	for range 10 {
		challenged(t, srv, alice.Do(t, "POST", passwordPath, body("wrong")))
	}
	alice.Do(t, "POST", passwordPath, body(apitest.Password)).Fails(t, srv, errcode.LimitExceeded)
	srv.Advance(time.Hour)
	alice.Do(t, "POST", passwordPath, body(apitest.Password)).OK(t, nil)
}

func TestDeactivateAccount(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	const path = "/_matrix/client/v3/account/deactivate"
	challenged(t, srv, alice.Do(t, "POST", path, object{}))
	challenged(t, srv, alice.Do(t, "POST", path, object{"erase": true, "auth": byPassword("alice", "wrong", "")}))
	alice.Do(t, "POST", path, object{"erase": "yes"}).Fails(t, srv, errcode.BadJSON)
	srv.Anyone().Do(t, "POST", path, object{}).Fails(t, srv, errcode.MissingToken)
	if account(t, srv, alice.UserID).Deactivated {
		t.Fatal("it was deactivated without authentication")
	}

	r := alice.Do(t, "POST", path, object{"erase": true, "auth": byPassword("alice", apitest.Password, "")}).OK(t, nil)
	if got, want := string(r.Body), `{"id_server_unbind_result":"success"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if a := account(t, srv, alice.UserID); !a.Deactivated || !a.Erased || a.PasswordHash != "" {
		t.Errorf("got %+v", a)
	}
	alice.Do(t, "GET", devicesPath, nil).Fails(t, srv, errcode.UnknownToken)
	if canLogIn(t, srv, "alice", apitest.Password) || exists(t, srv, alice.UserID) || len(deviceIDs(t, srv, alice.UserID)) > 0 {
		t.Error("something of the account is left")
	}
	if n := count(t, srv, `SELECT COUNT(*) FROM jobs WHERE kind = 'rooms.leave_all' AND id = $1`, alice.UserID); n != 1 {
		t.Errorf("got %d jobs to leave the rooms, want 1", n)
	}
	body := object{"username": "alice", "password": apitest.Password, "auth": object{"type": "m.login.dummy"}}
	srv.Anyone().Do(t, "POST", "/_matrix/client/v3/register", body).Fails(t, srv, errcode.UserInUse)
	if got := trail(t, srv); !slices.Equal(got, []string{"@alice:narthex.test deactivate @alice:narthex.test"}) {
		t.Errorf("got %v", got)
	}
}
