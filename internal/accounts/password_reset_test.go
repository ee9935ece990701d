package accounts_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
)

// byAddress is the member auth with a validated mail address.
func byAddress(sid string) object {
	return object{"type": "m.login.email.identity", "threepid_creds": creds(sid)}
}

func TestTP75_ResetPasswordByMail(t *testing.T) {
	srv, mails := withMail(t)
	alice := srv.User(t, "alice")
	own(t, srv, alice.UserID, "email", "alice@example.org")
	const fresh = "a new password"
	reset := func(auth object) *apitest.Response {
		body := object{"new_password": fresh}
		if auth != nil {
			body["auth"] = auth
		}
		return srv.Anyone().Do(t, "POST", passwordPath, body)
	}

	r := reset(nil).Fails(t, srv, errcode.InteractiveAuth)
	if !strings.Contains(string(r.Body), `{"stages":["m.login.email.identity"]}`) {
		t.Errorf("got %s", r.Body)
	}
	c := decode[challenge](t, r)
	wish := request(t, srv.Anyone(), resetEmailPath, emailWish("alice@example.org"))
	// As clients poll, until the person has followed the link.
	auth := with(byAddress(wish.SID), object{"session": c.Session})
	if got := challenged(t, srv, reset(auth)); got.Errcode != "M_THREEPID_AUTH_FAILED" || got.Session != c.Session {
		t.Errorf("before validation: got %+v", got)
	}
	token := tokenIn(t, srv, mails.Last(t, "alice@example.org"))
	srv.Anyone().Do(t, "POST", wish.path(t), with(creds(wish.SID), object{"token": token})).OK(t, nil)
	alice.Do(t, "GET", devicesPath, nil).OK(t, nil)
	if got := string(reset(auth).OK(t, nil).Body); got != "{}" { // no session
		t.Errorf("got %s", got)
	}
	if canLogIn(t, srv, "alice", apitest.Password) || !canLogIn(t, srv, "alice", fresh) {
		t.Error("the password was not changed")
	}
	alice.Do(t, "GET", devicesPath, nil).Fails(t, srv, errcode.UnknownToken)
	if got := deviceIDs(t, srv, alice.UserID); !slices.Equal(got, []string{"PROBE"}) {
		t.Errorf("the devices are %v", got)
	}
	// TP-31: the validation is used up.
	if got := challenged(t, srv, reset(byAddress(wish.SID))); got.Errcode != "M_THREEPID_AUTH_FAILED" {
		t.Errorf("once more: got %+v", got)
	}
}

func TestTP75_ResetKeepsDevicesIfAsked(t *testing.T) {
	srv, mails := withMail(t)
	alice := srv.User(t, "alice")
	own(t, srv, alice.UserID, "email", "alice@example.org")
	sid := validate(t, srv, mails, resetEmailPath, "alice@example.org")
	body := object{"new_password": "a new password", "logout_devices": false, "auth": byAddress(sid)}
	srv.Anyone().Do(t, "POST", passwordPath, body).OK(t, nil)
	alice.Do(t, "GET", devicesPath, nil).OK(t, nil)
}

func TestTP67_StagesWithAddresses(t *testing.T) {
	srv, mails := withMail(t)
	own(t, srv, srv.User(t, "alice").UserID, "email", "alice@example.org")
	forAdding := validate(t, srv, mails, addEmailPath, "new@example.org")
	old := validate(t, srv, mails, resetEmailPath, "alice@example.org")
	for _, c := range []struct {
		name string
		auth object
		want string
	}{
		{"no credentials", object{"type": "m.login.email.identity"}, "M_MISSING_PARAM"},
		{"no secret", object{"type": "m.login.email.identity", "threepid_creds": object{"sid": old}}, "M_MISSING_PARAM"},
		{"an unknown session", byAddress("unknown"), "M_THREEPID_AUTH_FAILED"},
		{"a wrong secret", object{"type": "m.login.email.identity", "threepid_creds": object{"sid": old, "client_secret": "other"}}, "M_THREEPID_AUTH_FAILED"},
		{"TP-28 another purpose", byAddress(forAdding), "M_THREEPID_AUTH_FAILED"},
		{"another medium", object{"type": "m.login.msisdn", "threepid_creds": creds(old)}, "M_THREEPID_AUTH_FAILED"},
		{"a stage that is not offered", byPassword("alice", apitest.Password, ""), "M_UNAUTHORIZED"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := challenged(t, srv, srv.Anyone().Do(t, "POST", passwordPath, object{"new_password": "a new password", "auth": c.auth}))
			if got.Errcode != c.want || got.Error == "" {
				t.Errorf("got %+v, want %s", got, c.want)
			}
		})
	}
	srv.Anyone().Do(t, "POST", passwordPath, object{"new_password": "a new password", "auth": object{"threepid_creds": "x"}}).Fails(t, srv, errcode.BadJSON)

	t.Run("as older clients spell it", func(t *testing.T) {
		auth := object{"type": "m.login.email.identity", "threepidCreds": creds(old)}
		srv.Anyone().Do(t, "POST", passwordPath, object{"new_password": "a new password", "auth": auth}).OK(t, nil)
	})
	t.Run("TP-27 expired", func(t *testing.T) {
		expired := validate(t, srv, mails, resetEmailPath, "alice@example.org")
		srv.Advance(25 * time.Hour)
		got := challenged(t, srv, srv.Anyone().Do(t, "POST", passwordPath, object{"new_password": "a new password", "auth": byAddress(expired)}))
		if got.Errcode != "M_THREEPID_AUTH_FAILED" || !strings.Contains(got.Error, "too long") {
			t.Errorf("got %+v", got)
		}
	})
}

// TestTP31_OneResetForOneValidationAtOnce holds that of many requests at once with one
// validation only one changes the password.
func TestTP31_OneResetForOneValidationAtOnce(t *testing.T) {
	srv, mails := withMail(t)
	own(t, srv, srv.User(t, "alice").UserID, "email", "alice@example.org")
	sid := validate(t, srv, mails, resetEmailPath, "alice@example.org")
	status := make([]int, 6)
	atOnce(len(status), func(i int) {
		r, err := srv.Anyone().Try(t.Context(), "POST", passwordPath, object{"new_password": "a new password", "auth": byAddress(sid)})
		if err != nil {
			t.Error(err)
			return
		}
		status[i] = r.Status
	})
	slices.Sort(status)
	if want := []int{200, 401, 401, 401, 401, 401}; !slices.Equal(status, want) {
		t.Errorf("got %v, want %v", status, want)
	}
}

func TestTP76_WithATokenByPassword(t *testing.T) {
	srv, mails := withMail(t)
	alice := srv.User(t, "alice")
	own(t, srv, alice.UserID, "email", "alice@example.org")
	sid := validate(t, srv, mails, resetEmailPath, "alice@example.org")
	challenged(t, srv, alice.Do(t, "POST", passwordPath, object{"new_password": "a new password", "auth": byAddress(sid)}))
	alice.Do(t, "POST", passwordPath, object{"new_password": "a new password", "auth": byPassword("alice", apitest.Password, "")}).OK(t, nil)
	alice.Do(t, "GET", devicesPath, nil).OK(t, nil)
}

func TestTP77_WeakPassword(t *testing.T) {
	srv, mails := withMail(t)
	own(t, srv, srv.User(t, "alice").UserID, "email", "alice@example.org")
	sid := validate(t, srv, mails, resetEmailPath, "alice@example.org")
	srv.Anyone().Do(t, "POST", passwordPath, object{"new_password": "short", "auth": byAddress(sid)}).Fails(t, srv, errcode.WeakPassword)
	srv.Anyone().Do(t, "POST", passwordPath, object{"new_password": "long enough", "auth": byAddress(sid)}).OK(t, nil) // the validation is still good
}

func TestTP78_ResetAfterDeactivation(t *testing.T) {
	srv, mails := withMail(t)
	alice := srv.User(t, "alice")
	own(t, srv, alice.UserID, "email", "alice@example.org")
	sid := validate(t, srv, mails, resetEmailPath, "alice@example.org")
	write(t, srv, func(tx *db.Tx) error { return srv.App.Accounts.Deactivate(tx, alice.UserID, admin, false) })
	srv.Anyone().Do(t, "POST", passwordPath, object{"new_password": "a new password", "auth": byAddress(sid)}).Fails(t, srv, errcode.ThreepidNotFound)
	if canLogIn(t, srv, "alice", "a new password") {
		t.Error("a deactivated account has a password again")
	}
}

// TestResetTakesATransport holds that without mail and text messages nobody resets a
// password.
func TestResetTakesATransport(t *testing.T) {
	srv := apitest.New(t, func(cfg *config.Config) { cfg.Dev = false })
	apitest.Run(t, []apitest.Case{
		{Name: "no token", As: srv.Anyone(), Do: "POST", Path: passwordPath, Body: object{"new_password": "a new password"}, Want: errcode.MissingToken},
		{Name: "a stage", As: srv.Anyone(), Do: "POST", Path: passwordPath, Body: object{"new_password": "a new password", "auth": byAddress("x")}, Want: errcode.MissingToken},
		{Name: "no password", As: srv.Anyone(), Do: "POST", Path: passwordPath, Body: object{}, Want: errcode.MissingParam},
	})
}
