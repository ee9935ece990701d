package adminpages_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/browsertest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/id"
)

func TestMain(m *testing.M) { apitest.Main(m, browsertest.End) }

type object map[string]any

func approvalRequired(cfg *config.Config) {
	cfg.Approval.Enabled, cfg.Approval.RequiredForNewAccounts = true, true
}

// begin starts a server on which accounts wait, with the administrator root, who is
// signed in in a browser.
func begin(t *testing.T, change ...func(*config.Config)) (*apitest.Server, *apitest.Surfer) {
	t.Helper()
	srv := apitest.New(t, append([]func(*config.Config){approvalRequired}, change...)...)
	srv.Administrator(t, "root")
	return srv, apitest.Surf(t, srv).SignIn(t, "root")
}

func userID(localpart string) id.UserID {
	return id.UserID("@" + localpart + ":" + string(apitest.ServerName))
}

// pend registers accounts that then wait for approval.
func pend(t *testing.T, srv *apitest.Server, names ...string) {
	t.Helper()
	for _, name := range names {
		srv.Anyone().Do(t, "POST", "/_matrix/client/v3/register", object{
			"username": name, "password": apitest.Password, "auth": object{"type": "m.login.dummy"},
		}).Fails(t, srv, errcode.UserAwaitingApproval)
	}
}

func login(t *testing.T, srv *apitest.Server, name string) *apitest.Response {
	t.Helper()
	return loginWith(t, srv, name, apitest.Password)
}

func loginWith(t *testing.T, srv *apitest.Server, name, password string) *apitest.Response {
	t.Helper()
	return srv.Anyone().Do(t, "POST", "/_matrix/client/v3/login", object{
		"type": "m.login.password", "identifier": object{"type": "m.id.user", "user": name}, "password": password,
	})
}

func account(t testing.TB, srv *apitest.Server, name string) (a accounts.Account) {
	t.Helper()
	err := srv.App.DB.Read(t.Context(), func(tx *db.Tx) (err error) {
		a, err = srv.App.Accounts.Find(tx, userID(name))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// wantAudit fails the test unless these are the lines of the audit log about the
// target, as "actor action details", the oldest first, and the log is whole.
func wantAudit(t testing.TB, srv *apitest.Server, target string, want ...string) {
	t.Helper()
	var got []string
	err := srv.App.DB.Read(t.Context(), func(tx *db.Tx) error {
		lines, err := srv.App.Accounts.AuditLog(tx, 0, 1000)
		for _, e := range lines {
			if e.Target == target {
				got = append(got, fmt.Sprintf("%s %s %s", id.UserID(e.Actor).Localpart(), e.Action, e.Details))
			}
		}
		if err != nil {
			return err
		}
		return srv.App.Accounts.CheckAuditLog(tx)
	})
	if err != nil || strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%v: the audit log has\n%s\nand should have\n%s", err, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// form makes a form of names and values; a name may come several times.
func form(pairs ...string) url.Values {
	out := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		out.Add(pairs[i], pairs[i+1])
	}
	return out
}

func write(t testing.TB, srv *apitest.Server, do func(tx *db.Tx) error) {
	t.Helper()
	if err := srv.App.DB.Write(t.Context(), do); err != nil {
		t.Fatal(err)
	}
}
