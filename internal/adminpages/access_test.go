package adminpages_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/httpapi"
)

// ours gives the routes of the pages for administrators.
func ours(srv *apitest.Server) (routes []httpapi.Route) {
	for _, r := range srv.App.Routes() {
		if r.Errors == httpapi.PageErrors && strings.HasPrefix(r.Path, "/admin") && r.Path != "/admin/first" {
			routes = append(routes, r)
		}
	}
	return routes
}

func send(t *testing.T, s *apitest.Surfer, r httpapi.Route, form url.Values) apitest.Seen {
	t.Helper()
	if r.Method == "GET" {
		return s.Get(t, r.Path)
	}
	return s.Post(t, r.Path, form)
}

// TestOnlyAdministratorsGetIn goes to every page, and sends every form, as each of
// those who are not administrators: they learn nothing, and change nothing.
func TestOnlyAdministratorsGetIn(t *testing.T) {
	srv, root := begin(t)
	srv.User(t, "alice")
	pend(t, srv, "waiting")
	for _, name := range []string{"suspended", "withdrawn", "demoted", "locked"} {
		srv.Administrator(t, name)
	}
	alice, waiting, nobody := apitest.Surf(t, srv).SignIn(t, "alice"), apitest.Surf(t, srv).SignIn(t, "waiting"), apitest.Surf(t, srv)
	suspended, withdrawn := apitest.Surf(t, srv).SignIn(t, "suspended"), apitest.Surf(t, srv).SignIn(t, "withdrawn")
	demoted, locked := apitest.Surf(t, srv).SignIn(t, "demoted"), apitest.Surf(t, srv).SignIn(t, "locked")
	write(t, srv, func(tx *db.Tx) error {
		for _, do := range []func() error{
			func() error { return srv.App.Accounts.SetSuspended(tx, userID("suspended"), true, "test") },
			func() error { return srv.App.Accounts.Unapprove(tx, userID("withdrawn"), "test", false) },
			func() error { return srv.App.Accounts.SetAdmin(tx, userID("demoted"), false, "test") },
			func() error { return srv.App.Accounts.SetLocked(tx, userID("locked"), true, "test") },
		} {
			if err := do(); err != nil {
				return err
			}
		}
		return nil
	})
	routes := ours(srv)
	if len(routes) < 14 {
		t.Errorf("there are only %d routes", len(routes))
	}
	for _, r := range routes {
		t.Run(r.Op, func(t *testing.T) {
			for _, s := range []*apitest.Surfer{nobody, locked} {
				if v := send(t, s, r, nil); v.Status != 303 || !strings.HasPrefix(v.Location, "/login?continue=%2Fadmin") {
					t.Errorf("nobody: got %d to %q", v.Status, v.Location)
				}
			}
			for _, s := range []*apitest.Surfer{alice, suspended, demoted} {
				send(t, s, r, form("user", string(userID("waiting")), "decision", "approve")).
					Shows(t, 403, "You are not an administrator").Without(t, "waiting:", "aria-current", `href="/admin`)
			}
			for _, s := range []*apitest.Surfer{waiting, withdrawn} {
				send(t, s, r, nil).Shows(t, 403, "Waiting for approval").Without(t, "aria-current", `href="/admin`)
			}
		})
	}
	if !account(t, srv, "waiting").Pending() {
		t.Error("somebody approved an account")
	}
	root.Get(t, "/admin").Shows(t, 200, "Administration")
}

// TestStaleForms holds that no form counts in another session than its own.
func TestStaleForms(t *testing.T) {
	srv, root := begin(t)
	pend(t, srv, "alice")
	for _, r := range ours(srv) {
		if r.Method == "POST" {
			root.Post(t, r.Path, form("form_token", "another", "user", string(userID("alice")), "decision", "approve", "id", string(userID("alice")), "act", "deactivate")).
				Shows(t, 403, "This form is out of date, and nothing was changed.")
		}
	}
	if a := account(t, srv, "alice"); !a.Pending() || a.Deactivated {
		t.Errorf("%+v", a)
	}
}

// TestStepUp holds that what gives power or cannot be undone needs a fresh proof,
// and what only looks, approves or refuses does not.
func TestStepUp(t *testing.T) {
	srv, root := begin(t)
	pend(t, srv, "alice")
	free := map[string]bool{
		"showAdministration": true, "showRegistrations": true, "decideRegistrations": true, "showDecisions": true,
		"showRegistrationTokens": true, "showUsers": true, "showUser": true, "showAudit": true, "exportAudit": true,
	}
	srv.Advance(16 * time.Minute)
	for _, r := range ours(srv) {
		v := send(t, root, r, form("id", string(userID("alice")), "act", "promote", "token", "friends"))
		if asked := v.Status == 303 && strings.HasPrefix(v.Location, "/confirm?continue=%2Fadmin"); asked == free[r.Op] {
			t.Errorf("%s: %d to %q", r.Op, v.Status, v.Location)
		}
	}
	if account(t, srv, "alice").Admin {
		t.Error("it was done without a proof")
	}
	wantAudit(t, srv, "friends")

	v := root.Get(t, "/admin/user/act?id=%40alice%3Anarthex.test&act=lock")
	root.Get(t, v.Location).Shows(t, 200, "Confirm that it is you")
	next := root.Post(t, "/confirm", form("password", apitest.Password, "continue", "/admin/user/act?act=lock&id=%40alice%3Anarthex.test"))
	root.Get(t, next.Location).Shows(t, 200, "Lock this account?", "@alice:narthex.test")
	root.Post(t, "/admin/user/act", form("id", "@alice:narthex.test", "act", "lock")).Goes(t, "/admin/user?done=lock&id=%40alice%3Anarthex.test")
	if !account(t, srv, "alice").Locked {
		t.Error("it is not locked")
	}
}
