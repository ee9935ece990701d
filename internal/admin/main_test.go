package admin_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/id"
)

func TestMain(m *testing.M) { apitest.Main(m) }

type object map[string]any

func approvalRequired(cfg *config.Config) {
	cfg.Approval.Enabled, cfg.Approval.RequiredForNewAccounts = true, true
}

func userID(localpart string) id.UserID {
	return id.UserID("@" + localpart + ":" + string(apitest.ServerName))
}

// pend registers an account that then waits for approval.
func pend(t *testing.T, srv *apitest.Server, username string) id.UserID {
	t.Helper()
	srv.Anyone().Do(t, "POST", "/_matrix/client/v3/register", object{
		"username": username, "password": apitest.Password, "auth": object{"type": "m.login.dummy"},
	}).Fails(t, srv, errcode.UserAwaitingApproval)
	return userID(username)
}

// login signs in with apitest.Password.
func login(t *testing.T, srv *apitest.Server, user id.UserID) *apitest.Response {
	t.Helper()
	return loginWith(t, srv, user, apitest.Password)
}

func loginWith(t *testing.T, srv *apitest.Server, user id.UserID, password string) *apitest.Response {
	t.Helper()
	return srv.Anyone().Do(t, "POST", "/_matrix/client/v3/login", object{
		"type": "m.login.password", "identifier": object{"type": "m.id.user", "user": user}, "password": password,
	})
}

func registrations(rest string) string { return "/_narthex/admin/v1/registrations" + rest }

// decision is the path of a decision on a registration.
func decision(user id.UserID, what string) string {
	return registrations("/" + apitest.Escape(user) + "/" + what)
}

func account(t *testing.T, srv *apitest.Server, user id.UserID) (a accounts.Account) {
	t.Helper()
	err := srv.App.DB.Read(t.Context(), func(tx *db.Tx) (err error) {
		a, err = srv.App.Accounts.Find(tx, user)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

type auditLine struct {
	ID            int64
	TS            int64
	Actor, Action string
	Target        string
	Details       json.RawMessage
}

// audit gives the lines about a target, as "actor action details".
func audit(t *testing.T, root *apitest.Client, target string) (lines []string) {
	t.Helper()
	var log struct{ Entries []auditLine }
	root.Do(t, "GET", "/_narthex/admin/v1/audit?limit=1000", nil).OK(t, &log)
	for _, e := range log.Entries {
		if e.Target == target {
			lines = append(lines, fmt.Sprintf("%s %s %s", e.Actor, e.Action, e.Details))
		}
	}
	err := root.Server.App.DB.Read(t.Context(), root.Server.App.Accounts.CheckAuditLog)
	if err != nil {
		t.Error(err)
	}
	return lines
}

// wantJSON fails the test unless the answer is 200 with exactly this JSON.
func wantJSON(t *testing.T, r *apitest.Response, want any) {
	t.Helper()
	var got, wanted any
	r.OK(t, &got)
	raw, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &wanted); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(got) != fmt.Sprint(wanted) {
		t.Errorf("got  %s\nwant %s", r.Body, raw)
	}
}
