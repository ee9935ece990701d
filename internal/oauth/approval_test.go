package oauth_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/id"
)

const admin = "@root:narthex.test"

func approve(t *testing.T, srv *apitest.Server, user id.UserID) {
	t.Helper()
	write(t, srv, func(tx *db.Tx) error { return srv.App.Accounts.Approve(tx, user, admin, "") })
}

func unapprove(t *testing.T, srv *apitest.Server, user id.UserID, logout bool) {
	t.Helper()
	write(t, srv, func(tx *db.Tx) error { return srv.App.Accounts.Unapprove(tx, user, admin, logout) })
}

// pend registers an account that then waits.
func pend(t *testing.T, srv *apitest.Server, username string) id.UserID {
	t.Helper()
	srv.Anyone().Do(t, "POST", registerPath, registration(username)).Fails(t, srv, errcode.UserAwaitingApproval)
	return userID(username)
}

func TestApprovalForms(t *testing.T) {
	for mode, want := range map[string]string{
		"unstable": `{"errcode":"ORG.MATRIX.MSC3866_USER_AWAITING_APPROVAL","error":%,"approval_notice_medium":"org.matrix.msc3866.none"}`,
		"stable":   `{"errcode":"M_USER_AWAITING_APPROVAL","error":%,"approval_notice_medium":"m.none"}`,
		"seed":     `{"errcode":"ORG_MATRIX_MSC3866_USER_AWAITING_APPROVAL","error":%,"approval_notice_medium":"m.none"}`,
	} {
		t.Run("A-1 A-4 "+mode, func(t *testing.T) {
			srv := apitest.New(t, approvalRequired, func(cfg *config.Config) { cfg.Approval.Errcode = mode })
			before, after, _ := strings.Cut(want, "%")
			for name, r := range map[string]*apitest.Response{
				"register": srv.Anyone().Do(t, "POST", registerPath, registration("alice")),
				"login":    login(t, srv, passwordLogin("alice", apitest.Password)),
			} {
				if r.Status != 403 || !bytes.HasPrefix(r.Body, []byte(before)) || !bytes.HasSuffix(r.Body, []byte(after)) {
					t.Errorf("%s: got %d %s, want 403 %s", name, r.Status, r.Body, want)
				}
			}
		})
	}
}

func TestApprovalSwitches(t *testing.T) {
	srv := apitest.New(t)
	old := register(t, srv, registration("old")).UserID
	over := func(change func(*config.Config)) *apitest.Server {
		t.Helper()
		return apitest.Over(t, srv.App.Config.Database, change)
	}
	t.Run("A-2 accounts from before stay approved", func(t *testing.T) {
		srv := over(approvalRequired)
		login(t, srv, passwordLogin("old", apitest.Password)).OK(t, nil)
		if a := account(t, srv, old); a.Approved != nil {
			t.Errorf("approved: got %v, want nothing", *a.Approved)
		}
		pend(t, srv, "new")
	})
	t.Run("A-3 switching it off lets pending accounts in and leaves their state", func(t *testing.T) {
		srv := over(func(cfg *config.Config) { cfg.Approval.Enabled = true })
		login(t, srv, passwordLogin("new", apitest.Password)).OK(t, nil)
		if !account(t, srv, userID("new")).Pending() {
			t.Error("the account is no longer pending")
		}
		s := register(t, srv, registration("third"))
		if a := account(t, srv, s.UserID); a.Approved == nil || !*a.Approved {
			t.Errorf("a new account: got %+v, want approved", a)
		}
	})
	t.Run("A-47 another process sees the approval", func(t *testing.T) {
		one, other := over(approvalRequired), over(approvalRequired)
		login(t, one, passwordLogin("new", apitest.Password)).Fails(t, one, errcode.UserAwaitingApproval)
		approve(t, other, userID("new"))
		login(t, one, passwordLogin("new", apitest.Password)).OK(t, nil)
	})
	t.Run("A-14 registration that is disabled", func(t *testing.T) {
		srv := over(func(cfg *config.Config) { approvalRequired(cfg); cfg.Registration.Enabled = false })
		srv.Anyone().Do(t, "POST", registerPath, registration("fourth")).Fails(t, srv, errcode.Forbidden)
		srv.Anyone().Do(t, "POST", registerPath, object{}).Fails(t, srv, errcode.Forbidden)
		srv.Anyone().Do(t, "GET", "/_matrix/client/v1/register/m.login.registration_token/validity?token=x", nil).Fails(t, srv, errcode.Forbidden)
	})
}

func TestApprovalAtRegistration(t *testing.T) {
	srv := apitest.New(t, approvalRequired)
	post := func(body object) *apitest.Response { return srv.Anyone().Do(t, "POST", registerPath, body) }
	body := object{"username": "alice", "password": apitest.Password, "refresh_token": true, "device_id": "PHONE",
		"initial_device_display_name": "Phone"}
	var session string

	t.Run("A-6 the first request asks for authentication", func(t *testing.T) {
		c := challenged(t, srv, post(body))
		if c.Errcode != "" {
			t.Errorf("got %+v", c)
		}
		session = c.Session
	})
	final := with(body, object{"auth": object{"type": "m.login.dummy", "session": session}})
	var first *apitest.Response
	t.Run("A-7 A-9 A-30 the last one makes an account and no session", func(t *testing.T) {
		first = post(final)
		first.Fails(t, srv, errcode.UserAwaitingApproval)
		for _, member := range []string{"user_id", "access_token", "refresh_token", "home_server", "well_known", "device_id"} {
			if _, has := decode[object](t, first)[member]; has {
				t.Errorf("got %s, want no %s", first.Body, member)
			}
		}
		if a := account(t, srv, userID("alice")); !a.Pending() || a.PasswordHash == "" {
			t.Errorf("got %+v", a)
		}
		nothing(t, srv)
	})
	t.Run("A-10 the same session again", func(t *testing.T) {
		for range 2 {
			if again := post(final); again.Status != 403 || !bytes.Equal(again.Body, first.Body) {
				t.Errorf("got %d %s, want %s", again.Status, again.Body, first.Body)
			}
		}
		if n := rows(t, srv, `SELECT COUNT(*) FROM users`); n != 1 {
			t.Errorf("got %d accounts, want 1", n)
		}
		nothing(t, srv)
	})
	t.Run("A-46 after a restart", func(t *testing.T) {
		again := apitest.Over(t, srv.App.Config.Database, approvalRequired)
		again.Anyone().Do(t, "POST", registerPath, final).Fails(t, again, errcode.UserAwaitingApproval)
		again.Anyone().Do(t, "POST", registerPath, registration("alice")).Fails(t, again, errcode.UserInUse)
	})
	t.Run("A-8 inhibit_login", func(t *testing.T) {
		post(with(registration("bob"), object{"inhibit_login": true})).Fails(t, srv, errcode.UserAwaitingApproval)
	})
	t.Run("A-5 the server chose the name", func(t *testing.T) {
		r := post(with(dummy(), object{"password": apitest.Password}))
		r.Fails(t, srv, errcode.UserAwaitingApproval)
		user, _ := decode[object](t, r)["user_id"].(string)
		if user == "" {
			t.Fatalf("got %s, want user_id", r.Body)
		}
		l := login(t, srv, passwordLogin(user, apitest.Password))
		l.Fails(t, srv, errcode.UserAwaitingApproval)
		if _, has := decode[object](t, l)["user_id"]; has {
			t.Errorf("login: got %s, want no user_id", l.Body)
		}
		approve(t, srv, id.UserID(user))
		login(t, srv, passwordLogin(user, apitest.Password)).OK(t, nil)
	})
	t.Run("A-11 the name is taken", func(t *testing.T) {
		post(registration("alice")).Fails(t, srv, errcode.UserInUse)
		r := srv.Anyone().Do(t, "GET", registerPath+"/available?username=alice", nil)
		r.Fails(t, srv, errcode.UserInUse)
		taken := apitest.New(t)
		register(t, taken, registration("alice"))
		if other := taken.Anyone().Do(t, "GET", registerPath+"/available?username=alice", nil); !bytes.Equal(r.Body, other.Body) {
			t.Errorf("A-59: a pending account answers %s, another one %s", r.Body, other.Body)
		}
	})
	t.Run("A-10 after the approval the session signs nobody in", func(t *testing.T) {
		approve(t, srv, userID("alice"))
		post(final).Fails(t, srv, errcode.UserInUse)
		write(t, srv, func(tx *db.Tx) error {
			return srv.App.Accounts.Deactivate(tx, userID("alice"), admin, false)
		})
		post(final).Fails(t, srv, errcode.Forbidden)
	})
}

// nothing checks that there is no trace of a session.
func nothing(t *testing.T, srv *apitest.Server) {
	t.Helper()
	for _, query := range []string{`SELECT COUNT(*) FROM devices`, `SELECT COUNT(*) FROM access_tokens`, `SELECT COUNT(*) FROM refresh_tokens`,
		`SELECT COUNT(*) FROM device_list_changes`} {
		if n := rows(t, srv, query); n != 0 {
			t.Errorf("%s: got %d, want 0", query, n)
		}
	}
}

func TestA13RegistrationTokens(t *testing.T) {
	srv := apitest.New(t, approvalRequired, func(cfg *config.Config) { cfg.Registration.RequireToken = true })
	write(t, srv, func(tx *db.Tx) error {
		if _, err := srv.App.Accounts.CreateRegistrationToken(tx, accounts.RegistrationToken{Token: "plain"}); err != nil {
			return err
		}
		_, err := srv.App.Accounts.CreateRegistrationToken(tx, accounts.RegistrationToken{Token: "vouched", Preapproved: true})
		return err
	})
	with := func(username, token string) object {
		return object{"username": username, "password": apitest.Password, "auth": object{"type": "m.login.registration_token", "token": token}}
	}
	srv.Anyone().Do(t, "POST", registerPath, with("alice", "plain")).Fails(t, srv, errcode.UserAwaitingApproval)
	if n := rows(t, srv, `SELECT completed FROM registration_tokens WHERE token = 'plain'`); n != 1 {
		t.Errorf("got %d uses, want 1", n)
	}
	register(t, srv, with("bob", "vouched"))
}

func TestApprovalOfGuests(t *testing.T) {
	srv := apitest.New(t, approvalRequired, func(cfg *config.Config) { cfg.Registration.AllowGuests = true })
	g := decode[session](t, srv.Anyone().Do(t, "POST", registerPath+"?kind=guest", object{}).OK(t, nil))
	t.Run("A-16 a guest needs none", func(t *testing.T) { whoami(t, srv, g.AccessToken).OK(t, nil) })
	t.Run("A-17 a guest who makes an account does", func(t *testing.T) {
		body := with(registration(g.UserID.Localpart()), object{"guest_access_token": g.AccessToken})
		srv.Anyone().Do(t, "POST", registerPath, body).Fails(t, srv, errcode.UserAwaitingApproval)
		whoami(t, srv, g.AccessToken).Fails(t, srv, errcode.UnknownToken)
		if d := devices(t, srv, g.UserID); len(d) != 0 {
			t.Errorf("got %+v", d)
		}
		login(t, srv, passwordLogin(string(g.UserID), apitest.Password)).Fails(t, srv, errcode.UserAwaitingApproval)
		approve(t, srv, g.UserID)
		login(t, srv, passwordLogin(string(g.UserID), apitest.Password)).OK(t, nil)
	})
}

func TestApprovalAtLogin(t *testing.T) {
	srv := apitest.New(t, approvalRequired)
	user := pend(t, srv, "alice")
	srv.User(t, "bob")
	bad := func(r *apitest.Response) []byte {
		t.Helper()
		return r.Fails(t, srv, errcode.Forbidden).Body
	}
	t.Run("A-22 A-30 the right password", func(t *testing.T) {
		for _, name := range []string{"alice", "@alice:narthex.test", "ALICE"} {
			login(t, srv, with(passwordLogin(name, apitest.Password), object{"device_id": "PHONE"})).Fails(t, srv, errcode.UserAwaitingApproval)
		}
		if d := devices(t, srv, user); len(d) != 0 {
			t.Errorf("got %+v", d)
		}
	})
	t.Run("A-23 A-58 a wrong password and an unknown user are one answer", func(t *testing.T) {
		pending := login(t, srv, passwordLogin("alice", "wrong"))
		for name, other := range map[string]*apitest.Response{
			"an approved account": login(t, srv, passwordLogin("bob", "wrong")),
			"an unknown user":     login(t, srv, passwordLogin("nobody", "wrong")),
			"a mail address": login(t, srv, object{"type": "m.login.password", "password": "wrong",
				"identifier": object{"type": "m.id.thirdparty", "medium": "email", "address": "a@b.test"}}),
		} {
			if !bytes.Equal(bad(pending), bad(other)) {
				t.Errorf("%s: got %s, a pending account has %s", name, other.Body, pending.Body)
			}
			for _, h := range []string{"Content-Length", "Content-Type", "Retry-After"} {
				if pending.Header.Get(h) != other.Header.Get(h) {
					t.Errorf("%s: header %s differs", name, h)
				}
			}
		}
	})
	t.Run("A-24 A-25 login tokens", func(t *testing.T) {
		client := srv.Device(t, userID("bob"), "OTHER")
		answer := decode[object](t, client.Do(t, "POST", "/_matrix/client/v1/login/get_token",
			object{"auth": object{"type": "m.login.password", "user": "bob", "password": apitest.Password}}).OK(t, nil))
		by := object{"type": "m.login.token", "token": answer["login_token"]}
		unapprove(t, srv, userID("bob"), false)
		login(t, srv, by).Fails(t, srv, errcode.UserAwaitingApproval)
		bad(login(t, srv, by)) // used up
		bad(login(t, srv, object{"type": "m.login.token", "token": "nonsense"}))
	})
	t.Run("A-31 once approved", func(t *testing.T) {
		approve(t, srv, user)
		login(t, srv, passwordLogin("alice", apitest.Password)).OK(t, nil)
	})
}

func TestA21OrderOfChecks(t *testing.T) {
	srv := apitest.New(t, approvalRequired, func(cfg *config.Config) { cfg.RateLimits.Enabled = true })
	user := pend(t, srv, "alice")
	try := func(deviceID, password string, want *errcode.Code) {
		t.Helper()
		login(t, srv, with(passwordLogin("alice", password), object{"device_id": deviceID})).Fails(t, srv, want)
	}
	lock := func(locked bool) {
		write(t, srv, func(tx *db.Tx) error { return srv.App.Accounts.SetLocked(tx, user, locked, admin) })
	}
	long := longText(513)
	lock(true)
	try(long, "wrong", errcode.Forbidden) // credentials before everything
	try(long, apitest.Password, errcode.UserLocked)
	lock(false)
	try(long, apitest.Password, errcode.InvalidParam)
	try("PHONE", apitest.Password, errcode.UserAwaitingApproval)
	for range 9 {
		try("PHONE", "wrong", errcode.Forbidden)
	}
	lock(true)
	try(long, apitest.Password, errcode.LimitExceeded)
	try(long, "wrong", errcode.LimitExceeded)
}

func TestA21DeactivatedBeforeLocked(t *testing.T) {
	srv := apitest.New(t, approvalRequired)
	alice := srv.User(t, "alice")
	answer := decode[object](t, alice.Do(t, "POST", "/_matrix/client/v1/login/get_token",
		object{"auth": object{"type": "m.login.password", "user": "alice", "password": apitest.Password}}).OK(t, nil))
	write(t, srv, func(tx *db.Tx) error {
		if err := srv.App.Accounts.SetLocked(tx, alice.UserID, true, admin); err != nil {
			return err
		}
		return srv.App.Accounts.Deactivate(tx, alice.UserID, admin, false)
	})
	login(t, srv, object{"type": "m.login.token", "token": answer["login_token"], "device_id": longText(513)}).Fails(t, srv, errcode.UserDeactivated)
	login(t, srv, passwordLogin("alice", apitest.Password)).Fails(t, srv, errcode.Forbidden) // the password is gone
}

func TestUnapproved(t *testing.T) {
	srv := apitest.New(t, approvalRequired)
	user := pend(t, srv, "alice")
	approve(t, srv, user)
	s := refreshing(t, srv)

	t.Run("A-43 blocks new logins only", func(t *testing.T) {
		unapprove(t, srv, user, false)
		login(t, srv, passwordLogin("alice", apitest.Password)).Fails(t, srv, errcode.UserAwaitingApproval)
		whoami(t, srv, s.AccessToken).OK(t, nil)
	})
	t.Run("A-34 refreshing still works", func(t *testing.T) {
		s = refreshed(t, srv, s.RefreshToken)
		whoami(t, srv, s.AccessToken).OK(t, nil)
	})
	t.Run("A-44 with the sessions revoked", func(t *testing.T) {
		unapprove(t, srv, user, true)
		whoami(t, srv, s.AccessToken).Fails(t, srv, errcode.UnknownToken)
		exchange(t, srv, s.RefreshToken).Fails(t, srv, errcode.UnknownToken)
		if d := devices(t, srv, user); len(d) != 0 {
			t.Errorf("got %+v", d)
		}
	})
}

func TestA35OnlyRegisterAndLoginSayIt(t *testing.T) {
	srv := apitest.New(t)
	var ops []string
	for _, r := range srv.App.Routes() {
		if r.Declares(errcode.UserAwaitingApproval) {
			ops = append(ops, r.Op)
		}
	}
	if !slices.Equal(ops, []string{"register", "login"}) {
		t.Errorf("got %v", ops)
	}
}

func TestA62PendingAccountsCountForTheLimit(t *testing.T) {
	srv := apitest.New(t, approvalRequired, func(cfg *config.Config) {
		cfg.Dev, cfg.RateLimits.Enabled = false, true
		cfg.RateLimits.Registration = config.Rate{PerSecond: 0.001, Burst: 2}
	})
	pend(t, srv, "alice")
	pend(t, srv, "bob")
	srv.Anyone().Do(t, "POST", registerPath, registration("carol")).Fails(t, srv, errcode.LimitExceeded)
	srv.Advance(time.Hour)
	pend(t, srv, "carol")
}
