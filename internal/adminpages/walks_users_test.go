package adminpages_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/browsertest"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
)

const (
	createRoom = "/_matrix/client/v3/createRoom"
	listUsers  = "/_synapse/admin/v2/users" // for administrators
)

// act presses what is offered on the page of an account, and then the button of the
// page that asks about it.
func act(t *testing.T, b *browsertest.Browser, offer, question, button string) {
	t.Helper()
	b.Press(t, offer)
	wantHeading(t, b, question)
	b.Press(t, button)
}

// TestWalkOfAUser does to an account what can be done, and sees what that means to
// its owner.
func TestWalkOfAUser(t *testing.T) {
	srv := walk(t)
	srv.Administrator(t, "root")
	srv.User(t, "bob")
	alice := srv.User(t, "alice")
	tablet := srv.Device(t, alice.UserID, "TABLET")
	b := administer(t, srv, "/admin/users")
	b.Shows(t, "1 to 3 of 3", "@root:narthex.test", "administrator")
	b.Fill(t, "q", "ALI")
	b.Press(t, "Search")
	b.Shows(t, "1 to 1 of 1")
	hides(t, b, "@bob:")
	b.Press(t, "@alice:narthex.test")
	b.Shows(t, "State active", "Last seen", "Registered", "DEVICE1", "TABLET", "Nothing yet.")

	act(t, b, "Sign out TABLET", "Sign this session out?", "Sign it out")
	b.Shows(t, "The session is signed out.", "DEVICE1")
	tablet.Do(t, "GET", whoami, nil).Fails(t, srv, errcode.UnknownToken)
	alice.Do(t, "GET", whoami, nil).OK(t, nil)

	act(t, b, "Lock", "Lock this account?", "Back, and change nothing")
	alice.Do(t, "GET", whoami, nil).OK(t, nil)
	act(t, b, "Lock", "Lock this account?", "Lock the account")
	b.Shows(t, "The account is locked.", "State locked")
	alice.Do(t, "GET", whoami, nil).Fails(t, srv, errcode.UserLocked)
	act(t, b, "Unlock", "Unlock this account?", "Unlock the account")
	b.Shows(t, "The account is unlocked.", "State active")
	alice.Do(t, "GET", whoami, nil).OK(t, nil)

	act(t, b, "Suspend", "Suspend this account?", "Suspend the account")
	b.Shows(t, "The account is suspended.", "State suspended")
	alice.Do(t, "POST", createRoom, object{}).Fails(t, srv, errcode.UserSuspended)
	act(t, b, "End the suspension", "End the suspension?", "End the suspension")
	b.Shows(t, "The suspension is ended.", "State active")
	alice.Do(t, "POST", createRoom, object{}).OK(t, nil)

	alice.Do(t, "GET", listUsers, nil).Fails(t, srv, errcode.Forbidden)
	act(t, b, "Make it an administrator", "Make this account an administrator’s?", "Make it an administrator")
	b.Shows(t, "The account is an administrator’s now.", "State administrator")
	hides(t, b, "Suspend")
	alice.Do(t, "GET", listUsers, nil).OK(t, nil)
	act(t, b, "Take the administrator’s rights away", "Take the administrator’s rights away?", "Take the rights away")
	b.Shows(t, "The account is an ordinary one now.", "State active")
	alice.Do(t, "GET", listUsers, nil).Fails(t, srv, errcode.Forbidden)

	walkToNewPasswords(t, srv, b, alice)
	walkToTheEnd(t, srv, b)
	wantAudit(t, srv, string(alice.UserID), `root delete_devices {"devices":["TABLET"]}`, "root lock {}", "root unlock {}", "root suspend {}",
		"root unsuspend {}", "root grant_admin {}", "root revoke_admin {}", `root delete_devices {"devices":["DEVICE1"]}`,
		`root set_password {"logout":true}`, `root set_password {"logout":true}`, `root deactivate {"erase":false}`, `root deactivate {"erase":true}`)
	walkThroughTheLog(t, srv, b)
}

// walkToNewPasswords signs a person out everywhere, and gives them new passwords, on
// the page of the account.
func walkToNewPasswords(t *testing.T, srv *apitest.Server, b *browsertest.Browser, alice *apitest.Client) {
	t.Helper()
	person := browsertest.New(t, srv.URL)
	person.Open(t, "/login")
	signIn(t, person, "alice")
	act(t, b, "Sign out all", "Sign out all sessions?", "Sign out all")
	b.Shows(t, "All sessions are signed out.", "No app is signed in.")
	alice.Do(t, "GET", whoami, nil).Fails(t, srv, errcode.UnknownToken)
	person.Open(t, "/account")
	wantHeading(t, person, "Sign in")

	b.Press(t, "Reset the password")
	wantHeading(t, b, "Give this account another password?")
	b.Fill(t, "password", "short")
	if status := b.Press(t, "Set the password"); status != 400 {
		t.Errorf("a short password: %d", status)
	}
	b.Shows(t, "at least 8 characters")
	b.Fill(t, "password", "another good one")
	b.Press(t, "Set the password")
	b.Shows(t, "The password is changed, and all sessions are signed out.")
	signIn(t, person, "alice")
	person.Shows(t, "The username or the password is wrong.")
	person.Fill(t, "password", "another good one")
	person.Press(t, "Sign in")
	wantHeading(t, person, "Your account")

	act(t, b, "Reset the password", "Give this account another password?", "Set the password")
	wantHeading(t, b, "The new password")
	b.Shows(t, "It is shown this once.")
	made := b.Read(t, "p.code")
	if !regexp.MustCompile(`^[a-z0-9]{20}$`).MatchString(made) {
		t.Fatalf("the password is %q", made)
	}
	person.Open(t, "/account")
	wantHeading(t, person, "Sign in")
	person.Fill(t, "username", "alice")
	person.Fill(t, "password", made)
	person.Press(t, "Sign in")
	wantHeading(t, person, "Your account")
	loginWith(t, srv, "alice", "another good one").Fails(t, srv, errcode.Forbidden)
	b.Press(t, "@alice:narthex.test")
	wantHeading(t, b, "@alice:narthex.test")
}

// walkToTheEnd deactivates an account and erases it then, and another both at once.
func walkToTheEnd(t *testing.T, srv *apitest.Server, b *browsertest.Browser) {
	t.Helper()
	act(t, b, "Deactivate", "Deactivate this account?", "Deactivate the account")
	b.Shows(t, "The account is deactivated.", "State deactivated")
	hides(t, b, "Reset the password", "erased")
	if a := account(t, srv, "alice"); !a.Deactivated || a.Erased {
		t.Errorf("%+v", a)
	}
	act(t, b, "Erase", "Erase this account?", "Erase the account")
	b.Shows(t, "The account is erased.", "State deactivated, erased")
	hides(t, b, "Erase")
	if !account(t, srv, "alice").Erased {
		t.Error("alice is not erased")
	}

	b.Press(t, "Users")
	hides(t, b, "@alice:")
	b.Press(t, "@bob:narthex.test")
	b.Press(t, "Deactivate")
	b.Tick(t, "Erase it, too")
	b.Press(t, "Deactivate the account")
	b.Shows(t, "State deactivated, erased")
	login(t, srv, "bob").Fails(t, srv, errcode.Forbidden)
	if a := account(t, srv, "bob"); !a.Deactivated || !a.Erased {
		t.Errorf("%+v", a)
	}
	wantAudit(t, srv, "@bob:narthex.test", `root deactivate {"erase":true}`)

	b.Press(t, "Users")
	b.Fill(t, "q", "")
	b.Type(t, "\t") // the kind
	b.Type(t, "deact")
	b.Press(t, "Search")
	b.Shows(t, "1 to 2 of 2", "@alice:", "@bob:")
	hides(t, b, "@root:")
	b.Fill(t, "q", "root")
	b.Press(t, "Search")
	b.Shows(t, "No account is like that.")
	b.Press(t, "Users")
	b.Press(t, "@root:narthex.test")
	b.Shows(t, "This is your own account.")
	hides(t, b, "What you can do")
}

// walkThroughTheLog looks for what was done, downloads it, and notices a change that
// was made behind the server's back.
func walkThroughTheLog(t *testing.T, srv *apitest.Server, b *browsertest.Browser) {
	t.Helper()
	b.Press(t, "Audit log")
	b.Fill(t, "actor", "ROOT")
	b.Fill(t, "target", "alice")
	b.Type(t, "\t") // the act
	b.Type(t, "susp")
	b.Press(t, "Search")
	b.Shows(t, "suspended @alice:narthex.test @root:narthex.test")
	hides(t, b, "@bob:")
	if got := strings.Count(b.Read(t, "tbody"), "@alice:"); got != 1 {
		t.Errorf("%d lines are shown", got)
	}
	b.Press(t, "Check the whole log")
	b.Shows(t, "The chain of hashes is whole", "@bob:", "and erased", "all sessions signed out", "devices: TABLET")

	name, file := b.Download(t, "Lines 1 to 13")
	if !strings.HasPrefix(name, "audit-") || !strings.HasSuffix(name, ".jsonl") {
		t.Errorf("the file is called %q", name)
	}
	var got []line
	for text := range strings.Lines(string(file)) {
		var l line
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		got = append(got, l)
	}
	if fmt.Sprint(got) != fmt.Sprint(exported(t, srv)) || len(got) != 13 || got[12].Target != "@bob:narthex.test" {
		t.Errorf("the file has\n%s", file)
	}
	b.Shows(t, "The chain of hashes is whole") // the page stays

	write(t, srv, func(tx *db.Tx) error {
		_, err := tx.Exec(`UPDATE audit_log SET target = $1 WHERE id = $2`, "@carol:narthex.test", 7)
		return err
	})
	b.Press(t, "Check the whole log")
	b.Shows(t, "The chain of hashes is broken: the audit log was changed at or before line 7.", "Compare it with a backup.")
}
