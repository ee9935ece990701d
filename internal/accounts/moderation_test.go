package accounts_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/id"
)

func TestActsOfAdministrators(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	a := srv.App.Accounts
	do := func(f func(tx *db.Tx) error) {
		t.Helper()
		write(t, srv, f)
		write(t, srv, f) // the second time changes nothing
	}
	do(func(tx *db.Tx) error { return a.SetLocked(tx, alice.UserID, true, admin) })
	alice.Do(t, "GET", devicesPath, nil).Fails(t, srv, errcode.UserLocked)
	do(func(tx *db.Tx) error { return a.SetLocked(tx, alice.UserID, false, admin) })
	do(func(tx *db.Tx) error { return a.SetSuspended(tx, alice.UserID, true, admin) })
	do(func(tx *db.Tx) error { return a.SetSuspended(tx, alice.UserID, false, admin) })
	do(func(tx *db.Tx) error { return a.SetAdmin(tx, alice.UserID, true, admin) })
	if got := account(t, srv, alice.UserID); !got.Admin || got.Locked || got.Suspended {
		t.Errorf("got %+v", got)
	}
	do(func(tx *db.Tx) error { return a.SetAdmin(tx, alice.UserID, false, admin) })

	hash, err := srv.App.Passwords.Hash(t.Context(), "another password")
	if err != nil {
		t.Fatal(err)
	}
	write(t, srv, func(tx *db.Tx) error { return a.SetPassword(tx, alice.UserID, hash, admin, false) })
	alice.Do(t, "GET", devicesPath, nil).OK(t, nil)
	write(t, srv, func(tx *db.Tx) error { return a.SetPassword(tx, alice.UserID, hash, admin, true) })
	alice.Do(t, "GET", devicesPath, nil).Fails(t, srv, errcode.UnknownToken)
	if !canLogIn(t, srv, "alice", "another password") {
		t.Error("the password was not changed")
	}
	do(func(tx *db.Tx) error { return a.Deactivate(tx, alice.UserID, admin, false) })
	do(func(tx *db.Tx) error { return a.Deactivate(tx, alice.UserID, admin, true) })
	if got := account(t, srv, alice.UserID); !got.Deactivated || !got.Erased {
		t.Errorf("got %+v", got)
	}

	var acts []string
	for _, line := range trail(t, srv) {
		acts = append(acts, strings.Fields(line)[1])
	}
	want := []string{"lock", "unlock", "suspend", "unsuspend", "grant_admin", "revoke_admin", "set_password", "set_password", "deactivate", "deactivate"}
	if !slices.Equal(acts, want) {
		t.Errorf("got %v, want %v", acts, want)
	}
	if err := try(t, srv, func(tx *db.Tx) error { return a.SetPassword(tx, alice.UserID, hash, admin, false) }); !errors.Is(err, errcode.InvalidParam) {
		t.Errorf("a password for a deactivated account: got %v", err)
	}
	for name, act := range map[string]func(tx *db.Tx, user id.UserID) error{
		"lock":       func(tx *db.Tx, user id.UserID) error { return a.SetLocked(tx, user, true, admin) },
		"suspend":    func(tx *db.Tx, user id.UserID) error { return a.SetSuspended(tx, user, true, admin) },
		"admin":      func(tx *db.Tx, user id.UserID) error { return a.SetAdmin(tx, user, true, admin) },
		"password":   func(tx *db.Tx, user id.UserID) error { return a.SetPassword(tx, user, hash, admin, true) },
		"deactivate": func(tx *db.Tx, user id.UserID) error { return a.Deactivate(tx, user, admin, true) },
	} {
		if err := try(t, srv, func(tx *db.Tx) error { return act(tx, userID("nobody")) }); !errors.Is(err, errcode.NotFound) {
			t.Errorf("%s of an unknown account: got %v", name, err)
		}
	}
}

func TestAuditLogShowsTampering(t *testing.T) {
	srv := apitest.New(t)
	a := srv.App.Accounts
	write(t, srv, func(tx *db.Tx) error {
		for _, target := range []string{"@a:narthex.test", "@b:narthex.test", "@c:narthex.test"} {
			if err := a.Audit(tx, admin, "lock", target, map[string]string{"why": "spam", "also": "more"}); err != nil {
				return err
			}
		}
		return nil
	})
	write(t, srv, a.CheckAuditLog)
	for name, statement := range map[string]string{
		"a changed line":    `UPDATE audit_log SET target = '@d:narthex.test' WHERE id = 2`,
		"a removed line":    `DELETE FROM audit_log WHERE id = 2`,
		"a removed start":   `DELETE FROM audit_log WHERE id = 1`,
		"a moved separator": `UPDATE audit_log SET actor = actor || 'l', action = 'ock' WHERE id = 3`,
	} {
		undo := errors.New("undo")
		err := try(t, srv, func(tx *db.Tx) error {
			if _, err := tx.Exec(statement); err != nil {
				return err
			}
			if a.CheckAuditLog(tx) == nil {
				t.Errorf("%s is not noticed", name)
			}
			return undo
		})
		if !errors.Is(err, undo) {
			t.Error(err)
		}
	}
	// An act that fails leaves no line.
	_ = try(t, srv, func(tx *db.Tx) error {
		return errors.Join(a.Audit(tx, admin, "lock", "x", nil), errors.New("undo"))
	})
	if got := len(trail(t, srv)); got != 3 {
		t.Errorf("got %d lines, want 3", got)
	}
}

func TestUsers(t *testing.T) {
	srv := apitest.New(t)
	for _, name := range []string{"anna", "bert", "bert_2", "cleo"} {
		srv.User(t, name)
	}
	srv.Administrator(t, "root")
	srv.Advance(time.Second)
	pend(t, srv, "waiting")
	write(t, srv, func(tx *db.Tx) error {
		if err := srv.App.Accounts.SetLocked(tx, userID("anna"), true, admin); err != nil {
			return err
		}
		return srv.App.Accounts.Deactivate(tx, userID("cleo"), admin, false)
	})
	yes, no := true, false
	for name, c := range map[string]struct {
		filter accounts.UserFilter
		want   string // localparts
		total  int64
	}{
		"all":                {accounts.UserFilter{Limit: 10}, "anna bert bert_2 cleo root waiting", 6},
		"a page":             {accounts.UserFilter{Limit: 2, From: 1}, "bert bert_2", 6},
		"beyond the end":     {accounts.UserFilter{Limit: 2, From: 9}, "", 6},
		"backwards":          {accounts.UserFilter{Limit: 2, Backwards: true}, "waiting root", 6},
		"the newest":         {accounts.UserFilter{Limit: 1, Order: accounts.OrderByCreation, Backwards: true}, "waiting", 6},
		"by name":            {accounts.UserFilter{Limit: 10, Name: "BERT"}, "bert bert_2", 2},
		"by a name with _":   {accounts.UserFilter{Limit: 10, Name: "t_2"}, "bert_2", 1},
		"by a name with %":   {accounts.UserFilter{Limit: 10, Name: "%"}, "", 0},
		"by a name with !":   {accounts.UserFilter{Limit: 10, Name: "!"}, "", 0},
		"administrators":     {accounts.UserFilter{Limit: 10, Admin: &yes}, "root", 1},
		"no administrators":  {accounts.UserFilter{Limit: 10, Admin: &no, Guest: &no}, "anna bert bert_2 cleo waiting", 5},
		"guests":             {accounts.UserFilter{Limit: 10, Guest: &yes}, "", 0},
		"locked":             {accounts.UserFilter{Limit: 10, Locked: &yes}, "anna", 1},
		"not deactivated":    {accounts.UserFilter{Limit: 10, Deactivated: &no}, "anna bert bert_2 root waiting", 5},
		"A-49 not approved":  {accounts.UserFilter{Limit: 10, Pending: true}, "waiting", 1},
		"several conditions": {accounts.UserFilter{Limit: 1, Locked: &no, Deactivated: &no, Name: "t"}, "bert", 4},
	} {
		write(t, srv, func(tx *db.Tx) error {
			users, total, err := srv.App.Accounts.Users(tx, c.filter)
			var got []string
			for _, u := range users {
				got = append(got, u.UserID.Localpart())
			}
			if strings.Join(got, " ") != c.want || total != c.total {
				t.Errorf("%s: got %v of %d, want %q of %d", name, got, total, c.want, c.total)
			}
			return err
		})
	}
}
