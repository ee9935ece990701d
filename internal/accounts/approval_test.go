package accounts_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/id"
)

// decider decides on registrations of a server.
type decider struct {
	t   *testing.T
	srv *apitest.Server
}

func (d decider) approve(user id.UserID) error {
	return try(d.t, d.srv, func(tx *db.Tx) error { return d.srv.App.Accounts.Approve(tx, user, admin, "known in person") })
}

func (d decider) deny(user id.UserID, release bool) error {
	return try(d.t, d.srv, func(tx *db.Tx) error { return d.srv.App.Accounts.Deny(tx, user, admin, "unknown", release) })
}

func (d decider) unapprove(user id.UserID, logout bool) error {
	return try(d.t, d.srv, func(tx *db.Tx) error { return d.srv.App.Accounts.Unapprove(tx, user, admin, logout) })
}

func TestApprove(t *testing.T) {
	srv := apitest.New(t, approvalRequired)
	d := decider{t, srv}
	user := pend(t, srv, "alice")

	t.Run("A-60 a pending account does not exist for others", func(t *testing.T) {
		if exists(t, srv, user) {
			t.Error("it exists")
		}
	})
	t.Run("A-37 approve", func(t *testing.T) {
		if err := d.approve(user); err != nil {
			t.Fatal(err)
		}
		if a := account(t, srv, user); a.Pending() || a.Approved == nil || !exists(t, srv, user) {
			t.Errorf("got %+v", a)
		}
	})
	t.Run("A-38 approve again", func(t *testing.T) {
		if err := d.approve(user); err != nil {
			t.Error(err)
		}
		if got := trail(t, srv); !slices.Equal(got, []string{"@root:narthex.test approve @alice:narthex.test"}) {
			t.Errorf("got %v", got)
		}
	})
	t.Run("A-39 approve an unknown or a deactivated account", func(t *testing.T) {
		if err := d.approve(userID("nobody")); !errors.Is(err, errcode.NotFound) {
			t.Errorf("got %v", err)
		}
		denied := pend(t, srv, "denied")
		if err := d.deny(denied, false); err != nil {
			t.Fatal(err)
		}
		if err := d.approve(denied); !errors.Is(err, errcode.InvalidParam) {
			t.Errorf("got %v", err)
		}
	})
}

func TestDeny(t *testing.T) {
	srv := apitest.New(t, approvalRequired)
	d := decider{t, srv}
	t.Run("A-41 the name stays taken", func(t *testing.T) {
		user := pend(t, srv, "alice")
		if err := d.deny(user, false); err != nil {
			t.Fatal(err)
		}
		if a := account(t, srv, user); !a.Deactivated || a.PasswordHash != "" {
			t.Errorf("got %+v", a)
		}
		srv.Anyone().Do(t, "GET", "/_matrix/client/v3/register/available?username=alice", nil).Fails(t, srv, errcode.UserInUse)
	})
	t.Run("A-41 the right password is wrong afterwards", func(t *testing.T) {
		body := object{"username": "eve", "password": apitest.Password, "auth": object{"type": "m.login.dummy"}}
		srv.Anyone().Do(t, "POST", "/_matrix/client/v3/register", body).Fails(t, srv, errcode.UserAwaitingApproval)
		if err := d.deny(userID("eve"), false); err != nil {
			t.Fatal(err)
		}
		if canLogIn(t, srv, "eve", apitest.Password) {
			t.Error("signed in")
		}
	})
	t.Run("A-41 the name is released", func(t *testing.T) {
		user := pend(t, srv, "bob")
		if err := d.deny(user, true); err != nil {
			t.Fatal(err)
		}
		srv.Anyone().Do(t, "GET", "/_matrix/client/v3/register/available?username=bob", nil).OK(t, nil)
		pend(t, srv, "bob")
	})
	t.Run("A-41 the name of somebody who was here is not released", func(t *testing.T) {
		user := pend(t, srv, "carol")
		if err := errors.Join(d.approve(user), d.unapprove(user, false)); err != nil {
			t.Fatal(err)
		}
		if err := d.deny(user, true); !errors.Is(err, errcode.InvalidParam) {
			t.Errorf("got %v", err)
		}
		if err := d.deny(user, false); err != nil {
			t.Error(err)
		}
	})
	t.Run("A-42 twice, and an approved account", func(t *testing.T) {
		lines := len(trail(t, srv))
		if err := errors.Join(d.deny(userID("alice"), false), d.deny(userID("alice"), true)); err != nil {
			t.Error(err)
		}
		if got := len(trail(t, srv)); got != lines {
			t.Errorf("%d new lines in the log", got-lines)
		}
		user := pend(t, srv, "dave")
		if err := d.approve(user); err != nil {
			t.Fatal(err)
		}
		if err := d.deny(user, false); !errors.Is(err, errcode.InvalidParam) {
			t.Errorf("got %v", err)
		}
		if err := d.deny(srv.User(t, "old").UserID, false); !errors.Is(err, errcode.InvalidParam) {
			t.Errorf("an account from before: got %v", err)
		}
		if err := d.deny(userID("nobody"), true); !errors.Is(err, errcode.NotFound) {
			t.Errorf("an unknown account: got %v", err)
		}
	})
}

func TestA44Unapprove(t *testing.T) {
	srv := apitest.New(t, approvalRequired)
	d := decider{t, srv}
	alice := srv.User(t, "alice")
	if err := errors.Join(d.unapprove(alice.UserID, false), d.unapprove(alice.UserID, false)); err != nil {
		t.Fatal(err)
	}
	alice.Do(t, "GET", devicesPath, nil).OK(t, nil)
	if err := d.unapprove(alice.UserID, true); err != nil {
		t.Fatal(err)
	}
	alice.Do(t, "GET", devicesPath, nil).Fails(t, srv, errcode.UnknownToken)
	if got := trail(t, srv); len(got) != 2 {
		t.Errorf("got %v, want one line for each act that changed something", got)
	}
	if err := d.deny(alice.UserID, false); err != nil {
		t.Fatal(err)
	}
	if err := d.unapprove(alice.UserID, false); !errors.Is(err, errcode.InvalidParam) {
		t.Errorf("got %v", err)
	}
	if err := d.unapprove(userID("nobody"), false); !errors.Is(err, errcode.NotFound) {
		t.Errorf("got %v", err)
	}
}

func TestA45ApproveAndDenyAtOnce(t *testing.T) {
	srv := apitest.New(t, approvalRequired)
	d := decider{t, srv}
	for i := range 10 {
		user := pend(t, srv, "user"+string(rune('a'+i)))
		var results [8]error
		atOnce(8, func(i int) {
			if i%2 == 0 {
				results[i] = d.approve(user)
			} else {
				results[i] = d.deny(user, i > 4)
			}
		})
		// The loser is answered as if it had come second.
		approved := results[0] == nil
		for i, err := range results {
			wins := (i%2 == 0) == approved
			if wins && err != nil && (approved || !errors.Is(err, errcode.NotFound)) {
				t.Errorf("act %d of the winners: got %v", i, err)
			}
			if !wins && !errors.Is(err, errcode.InvalidParam) && !errors.Is(err, errcode.NotFound) {
				t.Errorf("act %d of the losers: got %v", i, err)
			}
		}
	}
	if got := len(trail(t, srv)); got != 10 {
		t.Errorf("got %d lines in the log, want one for each account", got)
	}
	write(t, srv, srv.App.Accounts.CheckAuditLog)
}

func TestPendingAccountsRunOut(t *testing.T) {
	srv := apitest.New(t, approvalRequired, func(cfg *config.Config) { cfg.Approval.PendingTTL = config.Duration(24 * time.Hour) })
	d := decider{t, srv}
	early, known := pend(t, srv, "early"), pend(t, srv, "known")
	if err := errors.Join(d.approve(known), d.unapprove(known, false)); err != nil {
		t.Fatal(err)
	}
	srv.Advance(20 * time.Hour)
	late := pend(t, srv, "late")
	srv.Advance(5 * time.Hour)
	srv.RunJobs(t)
	if !account(t, srv, early).Deactivated || account(t, srv, late).Deactivated || account(t, srv, known).Deactivated {
		t.Error("not exactly the account that nobody decided on in time was denied")
	}
	if got := trail(t, srv); !slices.Contains(got, "server deny @early:narthex.test") {
		t.Errorf("got %v", got)
	}
}

func TestA55Registrations(t *testing.T) {
	srv := apitest.New(t, approvalRequired)
	d := decider{t, srv}
	srv.User(t, "from-before")
	var want []id.UserID
	for _, name := range []string{"e", "d", "c", "b", "a"} {
		want = append(want, pend(t, srv, name))
		srv.Advance(time.Second)
	}
	if err := errors.Join(d.approve(want[1]), d.deny(want[3], false)); err != nil {
		t.Fatal(err)
	}
	list := func(states []string, from string, limit int) (rows []accounts.Registration, total int64, next string, err error) {
		err = try(t, srv, func(tx *db.Tx) (err error) {
			rows, total, next, err = srv.App.Accounts.Registrations(tx, states, from, limit)
			return err
		})
		return rows, total, next, err
	}
	t.Run("all of them, the oldest first, in pages", func(t *testing.T) {
		var got []id.UserID
		for from := ""; ; {
			page, total, next, err := list(nil, from, 2)
			if err != nil || total != 5 {
				t.Fatalf("got %v, total %d", err, total)
			}
			for _, r := range page {
				got = append(got, r.UserID)
			}
			if from = next; from == "" {
				break
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
	t.Run("by state", func(t *testing.T) {
		for state, users := range map[string][]id.UserID{
			accounts.StatePending: {want[0], want[2], want[4]}, accounts.StateApproved: {want[1]}, accounts.StateDenied: {want[3]},
		} {
			page, total, next, err := list([]string{state}, "", 10)
			if err != nil || next != "" || total != int64(len(users)) || len(page) != len(users) {
				t.Fatalf("%s: got %v %d %q %v", state, page, total, next, err)
			}
			for i, r := range page {
				if r.UserID != users[i] || r.State != state || r.Signup.IP != "192.0.2.1" || r.Signup.UserAgent != "Element" || r.Signup.Token != "welcome" || r.Created.IsZero() {
					t.Errorf("%s: got %+v", state, r)
				}
			}
		}
	})
	t.Run("refused", func(t *testing.T) {
		for _, from := range []string{"x", "5", "5_", "_@a:b", "5_alice"} {
			if _, _, _, err := list(nil, from, 2); !errors.Is(err, errcode.InvalidParam) {
				t.Errorf("from %q: got %v", from, err)
			}
		}
		if _, _, _, err := list([]string{"maybe"}, "", 2); !errors.Is(err, errcode.InvalidParam) {
			t.Errorf("got %v", err)
		}
	})
}
