package accounts_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
)

// TestADeactivatedAccountGetsNoPasswordAtOnce changes the password of an account that
// is deactivated when the request has been let in.
func TestADeactivatedAccountGetsNoPasswordAtOnce(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	body := object{"new_password": "a new password", "auth": byPassword("alice", apitest.Password, "")}
	deactivate := func(tx *db.Tx) error {
		return srv.App.Accounts.Deactivate(tx, alice.UserID, admin, false)
	}
	answers := srv.InTurn(t, "user", string(alice.UserID), deactivate, func() (*apitest.Response, error) {
		return alice.Try(t.Context(), "POST", passwordPath, body)
	})
	answers[0].Fails(t, srv, errcode.UnknownToken)
	if a := account(t, srv, alice.UserID); a.PasswordHash != "" {
		t.Error("the deactivated account has a password")
	}
}

// TestNoPasswordIsLookedAtAfterTooManyGuesses breaks the hash, so that looking at
// it would be noticed.
func TestNoPasswordIsLookedAtAfterTooManyGuesses(t *testing.T) {
	srv := apitest.New(t, func(cfg *config.Config) {
		cfg.RateLimits.Enabled = true
		cfg.RateLimits.Login = config.Rate{PerSecond: 1000, Burst: 1000}
	})
	alice := srv.User(t, "alice")
	body := object{"type": "m.login.password", "user": "alice", "password": "wrong"}
	for range 10 {
		srv.Anyone().Do(t, "POST", "/_matrix/client/v3/login", body).Fails(t, srv, errcode.Forbidden)
	}
	write(t, srv, func(tx *db.Tx) error {
		_, err := tx.Exec(`UPDATE users SET password_hash = 'broken' WHERE user_id = $1`, alice.UserID)
		return err
	})
	srv.Anyone().Do(t, "POST", "/_matrix/client/v3/login", body).Fails(t, srv, errcode.LimitExceeded)
}

// TestATokenMadeAgainHasNoMoreUses deletes a registration token while it is held,
// and makes it again: what was held before counts for nothing.
func TestATokenMadeAgainHasNoMoreUses(t *testing.T) {
	srv := apitest.New(t, func(cfg *config.Config) { cfg.Registration.RequireToken = true })
	once := int64(1)
	create := func(tx *db.Tx) error {
		_, err := srv.App.Accounts.CreateRegistrationToken(tx, accounts.RegistrationToken{Token: "welcome", UsesAllowed: &once})
		return err
	}
	remake := func() {
		write(t, srv, func(tx *db.Tx) error {
			if err := srv.App.Accounts.DeleteRegistrationToken(tx, "welcome"); err != nil {
				return err
			}
			return create(tx)
		})
	}
	pending := func(want int64) {
		t.Helper()
		if got := count(t, srv, `SELECT pending FROM registration_tokens WHERE token = 'welcome'`); got != want {
			t.Errorf("got %d pending uses, want %d", got, want)
		}
	}
	stage := object{"type": "m.login.registration_token", "token": "welcome"}
	// Held, by a registration that fails after the stage: it has no password.
	hold := func() {
		body := object{"username": "eve", "auth": stage}
		srv.Anyone().Do(t, "POST", "/_matrix/client/v3/register", body).Fails(t, srv, errcode.MissingParam)
	}
	write(t, srv, create)
	hold()
	pending(1)
	remake()
	hold()
	pending(1)
	srv.Advance(time.Hour)
	srv.RunJobs(t)
	pending(0)
}

// TestTheNameOfSomebodyWhoWasHereStaysTaken denies accounts that signed in while
// approval was not required.
func TestTheNameOfSomebodyWhoWasHereStaysTaken(t *testing.T) {
	srv := apitest.New(t, approvalRequired)
	d := decider{t, srv}
	here, gone, never := pend(t, srv, "here"), pend(t, srv, "gone"), pend(t, srv, "never")
	srv.Device(t, here, "PHONE")
	srv.Device(t, gone, "PHONE").Do(t, "POST", "/_matrix/client/v3/logout", nil).OK(t, nil)
	for _, user := range []string{"here", "gone"} {
		if err := d.deny(userID(user), true); err == nil {
			t.Errorf("%s: the name was released", user)
		}
	}
	write(t, srv, func(tx *db.Tx) error {
		return srv.App.Accounts.SetProfileField(tx, never, accounts.DisplayName, []byte(`"Never"`))
	})
	if err := d.deny(never, true); err != nil {
		t.Fatal(err)
	}
	if n := count(t, srv, `SELECT COUNT(*) FROM profile_fields`); n != 0 {
		t.Error("the profile outlived the account")
	}
}

// TestASessionKeepsNoLongList holds that a session remembers of what it is for no
// more than it has to compare.
func TestASessionKeepsNoLongList(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	devices := make([]string, 5000)
	for i := range devices {
		devices[i] = fmt.Sprint("DEVICE", i)
	}
	body := object{"devices": devices}
	c := challenged(t, srv, alice.Do(t, "POST", "/_matrix/client/v3/delete_devices", body))
	if n := count(t, srv, `SELECT MAX(LENGTH(target)) FROM interactive_sessions`); n > 100 {
		t.Errorf("the session keeps %d characters", n)
	}
	body["auth"] = byPassword("alice", apitest.Password, c.Session)
	alice.Do(t, "POST", "/_matrix/client/v3/delete_devices", body).OK(t, nil)
}
