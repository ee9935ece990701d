package main

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/factors"
)

// TestUserResetFactors removes what somebody has lost, beside the database of a server.
func TestUserResetFactors(t *testing.T) {
	at := settings{Data: filepath.Join(t.TempDir(), "data")}
	narthex := func(want int, says string, args ...string) {
		t.Helper()
		std, shown := newStreams("a long password\n")
		if code := run(t.Context(), append(args, "--data", at.Data), std); code != want || !contains(shown.String(), says) {
			t.Errorf("narthex %v: got exit code %d and %q, want %d and %q", args, code, shown, want, says)
		}
	}
	narthex(0, "created @alice:localhost", "user", "create", "alice", "--password-stdin")
	narthex(0, "@alice:localhost has no second factor", "user", "reset-factors", "alice")
	narthex(1, "there is no account @nobody:localhost", "user", "reset-factors", "nobody")
	narthex(1, "not a user of this server", "user", "reset-factors", "@alice:elsewhere.org")
	narthex(2, "", "user", "reset-factors")

	std, shown := newStreams("")
	a, alice, err := at.account(t.Context(), std, "alice")
	if err != nil {
		t.Fatalf("%v\n%s", err, shown)
	}
	secret := factors.NewCodeSecret()
	code, err := totp.GenerateCode(secret, time.Now())
	if err == nil {
		err = a.DB.Write(t.Context(), func(tx *db.Tx) error {
			_, err := a.Factors.AddCodes(tx, alice, secret, code)
			return err
		})
	}
	a.Close()
	if err != nil {
		t.Fatal(err)
	}
	narthex(0, "removed the second factors of @alice:localhost", "user", "reset-factors", "@alice:localhost")
	narthex(0, "@alice:localhost has no second factor", "user", "reset-factors", "alice")

	a, _, err = at.account(t.Context(), std, "alice")
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	err = a.DB.Read(t.Context(), func(tx *db.Tx) error {
		has, err := a.Factors.Of(tx, alice)
		if err != nil {
			return err
		}
		if has.Any() || has.Recovery != 0 {
			t.Errorf("alice still has %+v", has)
		}
		account, err := a.Accounts.Find(tx, alice)
		if err == nil && a.Accounts.TakesTwoSteps(account) {
			t.Error("the password alone does not sign alice in")
		}
		details, failed := db.All(tx, db.Scalar[string], `SELECT details FROM audit_log WHERE actor = $1 AND action = 'reset factors' ORDER BY id`, actor)
		if want := []string{`{"codes":true,"passkeys":0}`}; failed == nil && !slices.Equal(details, want) {
			t.Errorf("the audit log says %q", details)
		}
		if err == nil {
			err = failed
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
