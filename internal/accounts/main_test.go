package accounts_test

import (
	"encoding/json"
	"sync"
	"testing"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/id"
)

func TestMain(m *testing.M) { apitest.Main(m) }

type object = map[string]any

const admin = "@root:narthex.test"

// challenge is the body that asks for user-interactive authentication.
type challenge struct {
	Session   string   `json:"session"`
	Completed []string `json:"completed"`
	Errcode   string   `json:"errcode"`
	Error     string   `json:"error"`
}

func challenged(t *testing.T, srv *apitest.Server, r *apitest.Response) challenge {
	t.Helper()
	r.Fails(t, srv, errcode.InteractiveAuth)
	return decode[challenge](t, r)
}

func decode[T any](t testing.TB, r *apitest.Response) (v T) {
	t.Helper()
	if err := json.Unmarshal(r.Body, &v); err != nil {
		t.Fatalf("%v in %s", err, r.Body)
	}
	return v
}

// byPassword is the member auth with a password.
func byPassword(user, password, session string) object {
	auth := object{"type": "m.login.password", "identifier": object{"type": "m.id.user", "user": user}, "password": password}
	if session != "" {
		auth["session"] = session
	}
	return auth
}

func write(t *testing.T, srv *apitest.Server, f func(tx *db.Tx) error) {
	t.Helper()
	if err := srv.App.DB.Write(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

func try(t *testing.T, srv *apitest.Server, f func(tx *db.Tx) error) error {
	t.Helper()
	return srv.App.DB.Write(t.Context(), f)
}

func account(t *testing.T, srv *apitest.Server, userID id.UserID) (a accounts.Account) {
	t.Helper()
	write(t, srv, func(tx *db.Tx) (err error) {
		a, err = srv.App.Accounts.Find(tx, userID)
		return err
	})
	return a
}

func exists(t *testing.T, srv *apitest.Server, userID id.UserID) (yes bool) {
	t.Helper()
	write(t, srv, func(tx *db.Tx) (err error) {
		yes, err = srv.App.Accounts.Exists(tx, userID)
		return err
	})
	return yes
}

func deviceIDs(t *testing.T, srv *apitest.Server, userID id.UserID) (ids []string) {
	t.Helper()
	write(t, srv, func(tx *db.Tx) error {
		ids = nil
		devices, err := srv.App.Accounts.Devices(tx, userID)
		for _, d := range devices {
			ids = append(ids, string(d.DeviceID))
		}
		return err
	})
	return ids
}

// count gives the number that a query counts.
func count(t *testing.T, srv *apitest.Server, query string, args ...any) (n int64) {
	t.Helper()
	write(t, srv, func(tx *db.Tx) (err error) {
		n, err = db.Value[int64](tx, query, args...)
		return err
	})
	return n
}

// trail gives the audit log as "actor action target".
func trail(t *testing.T, srv *apitest.Server) (lines []string) {
	t.Helper()
	write(t, srv, func(tx *db.Tx) error {
		lines = nil
		entries, err := srv.App.Accounts.AuditLog(tx, 0, 1000)
		for _, e := range entries {
			lines = append(lines, e.Actor+" "+e.Action+" "+e.Target)
		}
		return err
	})
	return lines
}

func userID(localpart string) id.UserID {
	return id.UserID("@" + localpart + ":" + string(apitest.ServerName))
}

func approvalRequired(cfg *config.Config) {
	cfg.Approval.Enabled, cfg.Approval.RequiredForNewAccounts = true, true
}

// pend makes an account that waits for approval.
func pend(t *testing.T, srv *apitest.Server, localpart string) id.UserID {
	t.Helper()
	no := false
	write(t, srv, func(tx *db.Tx) error {
		return srv.App.Accounts.Insert(tx, accounts.Account{UserID: userID(localpart), PasswordHash: "x", Approved: &no,
			Signup: accounts.Signup{IP: "192.0.2.1", UserAgent: "Element", Token: "welcome"}})
	})
	return userID(localpart)
}

// atOnce runs n functions at the same time.
func atOnce(n int, f func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { f(i) })
	}
	wg.Wait()
}
