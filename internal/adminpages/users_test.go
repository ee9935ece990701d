package adminpages_test

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
)

const whoami = "/_matrix/client/v3/account/whoami"

func page(name string) string { return "/admin/user?id=" + url.QueryEscape(string(userID(name))) }

func question(name, act string, more ...string) string {
	return "/admin/user/act?act=" + act + strings.Join(more, "") + "&id=" + url.QueryEscape(string(userID(name)))
}

// do opens the page that asks, and answers it.
func do(t *testing.T, s *apitest.Surfer, name, act string, more ...string) apitest.Seen {
	t.Helper()
	s.Get(t, question(name, act)).Shows(t, 200, string(userID(name)))
	return s.Post(t, "/admin/user/act", form(append([]string{"id", string(userID(name)), "act", act}, more...)...))
}

func did(name, act string) string {
	return "/admin/user?done=" + act + "&id=" + url.QueryEscape(string(userID(name)))
}

func TestUsers(t *testing.T) {
	srv, root := begin(t)
	srv.User(t, "alice")
	srv.User(t, "bob")
	pend(t, srv, "waiting")
	write(t, srv, func(tx *db.Tx) error {
		if err := srv.App.Accounts.SetLocked(tx, userID("bob"), true, "test"); err != nil {
			return err
		}
		return srv.App.Accounts.SetProfileField(tx, userID("alice"), accounts.DisplayName, []byte(`"Älice"`))
	})
	root.Get(t, "/admin/users").Shows(t, 200, "1 to 4 of 4", "@alice:narthex.test", "Älice", "@root:narthex.test", "administrator", "locked", "waits for approval")
	for query, want := range map[string]string{
		"q=ÄLI": "@alice:", "q=ob": "@bob:", "kind=administrators": "@root:", "kind=locked": "@bob:", "kind=waiting": "@waiting:", "kind=nothing&q=waiting": "@waiting:",
	} {
		v := root.Get(t, "/admin/users?"+query).Shows(t, 200, "1 to 1 of 1", want)
		if strings.Count(v.HTML, "/admin/user?id=") != 1 {
			t.Errorf("%s shows others, too: %s", query, v.Text)
		}
	}
	root.Get(t, "/admin/users?kind=deactivated").Shows(t, 200, "No account is like that.")
	root.Get(t, "/admin/users?kind=all&from=-5").Shows(t, 200, "1 to 4 of 4")
	root.Get(t, "/admin/users?from=x").Shows(t, 400)
	write(t, srv, func(tx *db.Tx) error {
		for i := range 50 {
			if err := srv.App.Accounts.Insert(tx, accounts.Account{UserID: userID(fmt.Sprintf("u%02d", i))}); err != nil {
				return err
			}
		}
		return nil
	})
	root.Get(t, "/admin/users").Shows(t, 200, "1 to 50 of 54", "More").Without(t, ">Before<")
	root.Get(t, "/admin/users?from=50").Shows(t, 200, "51 to 54 of 54", "Before").Without(t, ">More<")
}

func TestUser(t *testing.T) {
	srv, root := begin(t)
	alice := srv.User(t, "alice")
	pend(t, srv, "waiting")
	root.Get(t, page("alice")).Shows(t, 200, "@alice:narthex.test", "active", "DEVICE1", "Lock", "Make it an administrator", "Nothing yet.").
		Without(t, `value="approve"`)
	root.Get(t, page("waiting")).Shows(t, 200, "waits for approval", "127.0.0.1", "No app is signed in.", "Approve")
	root.Post(t, "/admin/registrations", form("user", "@waiting:narthex.test", "decision", "approve")).Goes(t, queue+"?done=approved&number=1")
	root.Get(t, page("waiting")).Shows(t, 200, "active", "approved", "@root:narthex.test", "Take the approval back")
	root.Get(t, page("root")).Shows(t, 200, "This is your own account.").Without(t, "What you can do")
	root.Get(t, page("nobody")).Shows(t, 404, "This server has no such account.")
	root.Get(t, "/admin/user").Shows(t, 404, "This server has no such account.")
	root.Get(t, "/admin/user?id=%40alice%3Aother.test").Shows(t, 404)
	alice.Do(t, "GET", whoami, nil).OK(t, nil)
}

// TestActs goes through what can be done with an account, and back.
func TestActs(t *testing.T) {
	srv, root := begin(t)
	alice := srv.User(t, "alice")
	var want []string
	done := func(act, line string) {
		t.Helper()
		do(t, root, "alice", act).Goes(t, did("alice", act))
		root.Get(t, did("alice", act)).Shows(t, 200).Without(t, "ZgotmplZ")
		want = append(want, "root "+line)
		wantAudit(t, srv, "@alice:narthex.test", want...)
	}
	done("lock", "lock {}")
	alice.Do(t, "GET", whoami, nil).Fails(t, srv, errcode.UserLocked)
	done("unlock", "unlock {}")
	done("suspend", "suspend {}")
	alice.Do(t, "POST", "/_matrix/client/v3/createRoom", object{}).Fails(t, srv, errcode.UserSuspended)
	done("unsuspend", "unsuspend {}")
	alice.Do(t, "POST", "/_matrix/client/v3/createRoom", object{}).OK(t, nil)
	done("promote", "grant_admin {}")
	if !account(t, srv, "alice").Admin {
		t.Error("alice is no administrator")
	}
	done("demote", "revoke_admin {}")
	done("unapprove", `unapprove {"logout":true}`)
	alice.Do(t, "GET", whoami, nil).Fails(t, srv, errcode.UnknownToken)
	if !account(t, srv, "alice").Pending() {
		t.Error("alice does not wait")
	}
	done("deactivate", `deactivate {"erase":false}`)
	done("erase", `deactivate {"erase":true}`)
	if a := account(t, srv, "alice"); !a.Deactivated || !a.Erased {
		t.Errorf("%+v", a)
	}
	srv.User(t, "bob")
	do(t, root, "bob", "deactivate", "erase", "yes").Goes(t, did("bob", "deactivate"))
	wantAudit(t, srv, "@bob:narthex.test", `root deactivate {"erase":true}`)
}

func TestSignOut(t *testing.T) {
	srv, root := begin(t)
	alice := srv.User(t, "alice")
	tablet, odd := srv.Device(t, alice.UserID, "TABLET"), srv.Device(t, alice.UserID, "a/b+&c")
	browser := apitest.Surf(t, srv).SignIn(t, "alice")
	root.Get(t, question("alice", "sign_out", "&device_id=a%2Fb%2B%26c")).Shows(t, 200, "Sign this session out?", "a/b+&c")
	root.Post(t, "/admin/user/act", form("id", "@alice:narthex.test", "act", "sign_out", "device_id", "a/b+&c")).Goes(t, did("alice", "sign_out"))
	odd.Do(t, "GET", whoami, nil).Fails(t, srv, errcode.UnknownToken)
	tablet.Do(t, "GET", whoami, nil).OK(t, nil)
	root.Get(t, question("alice", "sign_out", "&device_id=a%2Fb%2B%26c")).Shows(t, 404, "The account has no such session.")
	root.Get(t, question("alice", "sign_out")).Shows(t, 404, "The account has no such session.")
	browser.Get(t, "/account").Shows(t, 200)

	do(t, root, "alice", "sign_out_all").Goes(t, did("alice", "sign_out_all"))
	tablet.Do(t, "GET", whoami, nil).Fails(t, srv, errcode.UnknownToken)
	alice.Do(t, "GET", whoami, nil).Fails(t, srv, errcode.UnknownToken)
	browser.Get(t, "/account").Goes(t, "/login?continue=%2Faccount")
	wantAudit(t, srv, "@alice:narthex.test", `root delete_devices {"devices":["a/b+&c"]}`, `root delete_devices {"devices":["DEVICE1","TABLET"]}`)
}

func TestPassword(t *testing.T) {
	srv, root := begin(t)
	alice := srv.User(t, "alice")
	do(t, root, "alice", "password", "password", "short").Shows(t, 400, "at least 8 characters").Without(t, `"short"`)
	alice.Do(t, "GET", whoami, nil).OK(t, nil)
	do(t, root, "alice", "password", "password", "another good one").Goes(t, did("alice", "password"))
	alice.Do(t, "GET", whoami, nil).Fails(t, srv, errcode.UnknownToken)
	loginWith(t, srv, "alice", "another good one").OK(t, nil)

	v := do(t, root, "alice", "password").Shows(t, 200, "The new password", "It is shown this once.")
	m := regexp.MustCompile(`class="code id">([a-z0-9]{20})<`).FindStringSubmatch(v.HTML)
	if m == nil {
		t.Fatal(v.HTML)
	}
	loginWith(t, srv, "alice", m[1]).OK(t, nil)
	if v.Header.Get("Cache-Control") != "no-store" || strings.Contains(srv.Log.String(), m[1]) {
		t.Error("the password is kept somewhere")
	}
	wantAudit(t, srv, "@alice:narthex.test", `root set_password {"logout":true}`, `root set_password {"logout":true}`)
}

func TestActsThatAreRefused(t *testing.T) {
	srv, root := begin(t)
	srv.User(t, "alice")
	srv.Administrator(t, "other")
	gone := srv.User(t, "gone")
	do(t, root, "gone", "deactivate").Goes(t, did("gone", "deactivate"))
	for _, act := range []string{"lock", "suspend", "deactivate", "demote", "unapprove"} {
		do(t, root, "root", act).Shows(t, 403, "You cannot do this to your own account.")
	}
	do(t, root, "other", "lock").Shows(t, 403, "An administrator can be neither locked nor suspended.")
	do(t, root, "other", "suspend").Shows(t, 403, "An administrator can be neither locked nor suspended.")
	do(t, root, "gone", "lock").Shows(t, 404, "This account is deactivated.")
	do(t, root, "gone", "promote").Shows(t, 400, "can be an administrator's")
	do(t, root, "gone", "password", "password", "another good one").Shows(t, 400, "A deactivated account cannot have a password.")
	do(t, root, "gone", "unapprove").Shows(t, 400, "The account is deactivated.")
	wantAudit(t, srv, string(gone.UserID), `root deactivate {"erase":false}`)
	wantAudit(t, srv, "@root:narthex.test")

	root.Get(t, question("nobody", "lock")).Shows(t, 404, "This server has no such account.")
	root.Get(t, question("alice", "nothing")).Shows(t, 404, "Nothing like that can be done")
	root.Get(t, page("alice"))
	for name, f := range map[string]url.Values{
		"unknown":           form("id", "@nobody:narthex.test", "act", "lock"),
		"of another server": form("id", "@alice:other.test", "act", "lock"),
		"no user ID":        form("id", "alice", "act", "lock"),
		"an unknown act":    form("id", "@alice:narthex.test", "act", "nothing"),
		"no act":            form("id", "@alice:narthex.test"),
		"nothing":           form(),
	} {
		t.Run(name, func(t *testing.T) { root.Post(t, "/admin/user/act", f).Shows(t, 404) })
	}
	root.Post(t, "/admin/user/act", form("id", "@alice:narthex.test", "act", "lock", "act", "unlock")).Shows(t, 400, "only once")
	wantAudit(t, srv, "@alice:narthex.test")
}
