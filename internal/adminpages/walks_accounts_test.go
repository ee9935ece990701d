package adminpages_test

import (
	"strings"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/browsertest"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
)

// walk starts a server on which accounts wait, for a walk through its pages.
func walk(t *testing.T) *apitest.Server {
	t.Helper()
	return apitest.New(t, approvalRequired)
}

// administer opens a page of administrators in a browser, and signs in there as root.
func administer(t *testing.T, srv *apitest.Server, path string) *browsertest.Browser {
	t.Helper()
	b := browsertest.New(t, srv.URL)
	b.Open(t, path)
	wantHeading(t, b, "Sign in")
	signIn(t, b, "root")
	return b
}

// hides fails the test if the page shows one of the texts.
func hides(t *testing.T, b *browsertest.Browser, texts ...string) {
	t.Helper()
	shown := b.Read(t, "main")
	for _, text := range texts {
		if strings.Contains(shown, text) {
			t.Errorf("the page shows %q:\n%s", text, shown)
		}
	}
}

// enlist fills the form for a new account that is open.
func enlist(t *testing.T, b *browsertest.Browser, name string) int {
	t.Helper()
	b.Fill(t, "username", name)
	b.Fill(t, "password", apitest.Password)
	b.Fill(t, "password_again", apitest.Password)
	return b.Press(t, "Make the account")
}

// TestWalkToTheFirstAdministrator uses the link that the server prints, and finds out
// what it leads to afterwards, and for others.
func TestWalkToTheFirstAdministrator(t *testing.T) {
	srv := walk(t)
	srv.User(t, "alice")
	path, _ := firstLink(t, srv)
	b := browsertest.New(t, srv.URL)
	b.Open(t, path)
	wantHeading(t, b, "Make the first administrator")
	if status := enlist(t, b, "alice"); status != 400 {
		t.Errorf("a name that is taken: %d", status)
	}
	b.Shows(t, "This username is taken.")
	enlist(t, b, "root")
	wantHeading(t, b, "Administration")
	if !account(t, srv, "root").Admin || account(t, srv, "alice").Admin {
		t.Error("the wrong account is the administrator's")
	}
	if status := b.Open(t, path); status != 404 {
		t.Errorf("the link is answered by %d when it was used", status)
	}
	b.Shows(t, notGood)

	b.Open(t, "/account")
	b.Press(t, "Administration")
	wantHeading(t, b, "Administration")
	b.Shows(t, "Nobody waits for your approval.", "Database SQLite", "New accounts", "Sign-ins")
	b.Press(t, "Sign out")
	b.Open(t, "/admin/users")
	signIn(t, b, "alice")
	wantHeading(t, b, "You are not an administrator")
	hides(t, b, "@root:")
	b.Press(t, "Use another account")
	signIn(t, b, "root")
	wantHeading(t, b, "Users")
}

// TestWalkThroughTheQueue decides on accounts in every way that the pages have.
func TestWalkThroughTheQueue(t *testing.T) {
	srv := walk(t)
	srv.Administrator(t, "root")
	pend(t, srv, "alice", "bob", "carol", "dave", "erin", "mallory")
	b := administer(t, srv, "/admin")
	wantHeading(t, b, "Administration")
	b.Shows(t, "Waiting accounts 6")
	b.Press(t, "Decide")

	b.Fill(t, "q", "ALI")
	b.Press(t, "Search")
	b.Shows(t, "1 account waits whose name or address has “ALI” in it")
	hides(t, b, "@bob:")
	b.Tick(t, "@alice:narthex.test")
	b.Press(t, "Approve the chosen")
	b.Shows(t, "1 account is approved.", "Nobody who waits has “ALI”")
	login(t, srv, "alice").OK(t, nil)
	b.Press(t, "Show all")
	b.Shows(t, "5 accounts wait, the oldest first.")

	refuse := func() {
		t.Helper()
		b.Tick(t, "@bob:narthex.test")
		b.Tick(t, "@carol:narthex.test")
		b.Press(t, "Refuse the chosen …")
		wantHeading(t, b, "Refuse these accounts?")
		b.Shows(t, "A refused account is closed for good", "@bob:narthex.test", "@carol:narthex.test")
		hides(t, b, "@dave:")
	}
	refuse()
	b.Press(t, "Back, and refuse nobody")
	b.Shows(t, "5 accounts wait")
	if account(t, srv, "bob").Deactivated {
		t.Error("bob was refused by the question alone")
	}
	refuse()
	b.Write(t, "note", "We are full.")
	b.Press(t, "Refuse 2 accounts")
	b.Shows(t, "2 accounts are refused.", "3 accounts wait")
	for _, name := range []string{"bob", "carol"} {
		login(t, srv, name).Fails(t, srv, errcode.Forbidden)
		wantAudit(t, srv, string(userID(name)), `root deny {"reason":"We are full.","release_localpart":false}`)
	}

	b.Tick(t, "@dave:narthex.test")
	b.Tick(t, "@erin:narthex.test")
	b.Write(t, "note", "Welcome!")
	b.Press(t, "Approve the chosen")
	b.Shows(t, "2 accounts are approved.", "1 account waits")
	for _, name := range []string{"dave", "erin"} {
		login(t, srv, name).OK(t, nil)
		wantAudit(t, srv, string(userID(name)), `root approve {"note":"Welcome!"}`)
	}
	walkToOne(t, srv, b)
	walkThroughDecisions(t, srv, b)
}

// walkToOne decides on accounts on the page that each has.
func walkToOne(t *testing.T, srv *apitest.Server, b *browsertest.Browser) {
	t.Helper()
	b.Press(t, "Users")
	b.Fill(t, "q", "")
	b.Type(t, "\t") // the kind
	b.Type(t, "those who")
	b.Press(t, "Search")
	b.Shows(t, "1 to 1 of 1")
	b.Press(t, "@mallory:narthex.test")
	b.Shows(t, "State waits for approval")
	b.Write(t, "note", "Advertising.")
	b.Press(t, "Refuse …")
	wantHeading(t, b, "Refuse this account?")
	b.Press(t, "Refuse the account")
	b.Shows(t, "1 account is refused.", "Nobody waits for approval.")
	login(t, srv, "mallory").Fails(t, srv, errcode.Forbidden)
	wantAudit(t, srv, "@mallory:narthex.test", `root deny {"reason":"Advertising.","release_localpart":false}`)

	b.Press(t, "Users")
	b.Press(t, "@alice:narthex.test")
	b.Press(t, "Take the approval back")
	wantHeading(t, b, "Take the approval back?")
	b.Press(t, "Take it back")
	b.Shows(t, "The account waits for approval again.", "State waits for approval")
	login(t, srv, "alice").Fails(t, srv, errcode.UserAwaitingApproval)
	b.Write(t, "note", "Once more.")
	b.Press(t, "Approve")
	b.Shows(t, "1 account is approved.")
	login(t, srv, "alice").OK(t, nil)
}

func walkThroughDecisions(t *testing.T, srv *apitest.Server, b *browsertest.Browser) {
	t.Helper()
	b.Press(t, "Decisions")
	b.Shows(t, "“Welcome!”", "“We are full.”", "“Advertising.”", "took the approval back", "@root:narthex.test")
	b.Fill(t, "q", "bob")
	b.Press(t, "Search")
	b.Shows(t, "refused", "@bob:narthex.test", "“We are full.”")
	hides(t, b, "@dave:", "“Welcome!”")
	b.Fill(t, "q", "nobody")
	b.Press(t, "Search")
	b.Shows(t, "There are no decisions like that.")
	b.Press(t, "Show all")
	b.Press(t, "@bob:narthex.test")
	b.Shows(t, "State refused", "What administrators did")
	if a := account(t, srv, "bob"); !a.Deactivated || a.PasswordHash != "" {
		t.Errorf("%+v", a)
	}
}

// TestWalkOfTokens makes tokens, follows their links in another browser, and revokes
// one.
func TestWalkOfTokens(t *testing.T) {
	srv := walk(t)
	srv.Administrator(t, "root")
	b := administer(t, srv, "/admin/tokens")
	b.Shows(t, "There are none.")
	b.Press(t, "Make a token")
	b.Fill(t, "token", "chess-club")
	b.Fill(t, "limit", "none")
	if status := b.Press(t, "Make the token"); status != 400 {
		t.Errorf("a limit that is no number: %d", status)
	}
	b.Shows(t, "Enter a whole number from 1 to 1000000, or nothing.")
	b.Fill(t, "limit", "1")
	b.Fill(t, "days", "30")
	b.Tick(t, "need no approval")
	b.Press(t, "Make the token")
	b.Shows(t, "The token is made.", "0 of 1", "approved at once", endOf(t, srv, "chess-club").UTC().Format("2 January 2006"))
	link := b.Read(t, ".fresh a.id")

	person := browsertest.New(t, srv.URL)
	person.Open(t, link)
	enlist(t, person, "alice")
	wantHeading(t, person, "Your account")
	login(t, srv, "alice").OK(t, nil)
	wantToken(t, srv, "chess-club", false)
	b.Press(t, "Registration tokens")
	b.Shows(t, "chess-club cannot be used any more", "1 of 1")
	person.Press(t, "Sign out")
	person.Open(t, link)
	if status := enlist(t, person, "bob"); status != 400 {
		t.Errorf("a token that is used up: %d", status)
	}
	person.Shows(t, "This registration token is not valid, or has been used up.")

	b.Press(t, "Make a token")
	b.Press(t, "Make the token")
	b.Shows(t, "never", "as usual")
	text := b.Read(t, ".fresh .id")
	wantToken(t, srv, text, true)
	person.Open(t, b.Read(t, ".fresh a.id"))
	enlist(t, person, "bob")
	wantHeading(t, person, "Waiting for approval")
	b.Press(t, "Waiting accounts")
	b.Shows(t, "@bob:narthex.test", "With the token "+text)
	b.Press(t, "Registration tokens")
	b.Press(t, "Revoke "+text)
	wantHeading(t, b, "Revoke this token?")
	b.Shows(t, text)
	b.Press(t, "Revoke the token")
	b.Shows(t, "The token is revoked.", "chess-club")
	hides(t, b, text)
	wantToken(t, srv, text, false)
}

func endOf(t *testing.T, srv *apitest.Server, token string) (end time.Time) {
	t.Helper()
	srv.Read(t, func(tx *db.Tx) error {
		found, err := srv.App.Accounts.RegistrationToken(tx, token)
		end = found.Expires
		return err
	})
	return end
}

// wantToken fails the test unless an account can, or cannot, be made with a token.
func wantToken(t *testing.T, srv *apitest.Server, token string, good bool) {
	t.Helper()
	var answer struct{ Valid bool }
	srv.Anyone().Do(t, "GET", "/_matrix/client/v1/register/m.login.registration_token/validity?token="+token, nil).OK(t, &answer)
	if answer.Valid != good {
		t.Errorf("the token %s is good: %t", token, answer.Valid)
	}
}

// confirm is asked for the password, and gives it.
func confirm(t *testing.T, b *browsertest.Browser) {
	t.Helper()
	wantHeading(t, b, "Confirm that it is you")
	b.Fill(t, "password", apitest.Password)
	b.Press(t, "Go on")
}

// TestWalkWithAnOldProof comes back after a while to a browser that was left open.
func TestWalkWithAnOldProof(t *testing.T) {
	srv := walk(t)
	srv.Administrator(t, "root")
	srv.User(t, "alice")
	b := administer(t, srv, "/admin/users")
	srv.Advance(16 * time.Minute)
	b.Press(t, "@alice:narthex.test")
	wantHeading(t, b, "@alice:narthex.test")
	b.Press(t, "Lock")
	wantHeading(t, b, "Confirm that it is you")
	b.Fill(t, "password", "not the password")
	if status := b.Press(t, "Go on"); status != 403 {
		t.Errorf("a wrong password: %d", status)
	}
	confirm(t, b)
	wantHeading(t, b, "Lock this account?")
	srv.Advance(16 * time.Minute) // with the question open
	b.Press(t, "Lock the account")
	confirm(t, b)
	wantHeading(t, b, "Lock this account?")
	if account(t, srv, "alice").Locked {
		t.Error("it was locked without a proof")
	}
	b.Press(t, "Lock the account")
	b.Shows(t, "The account is locked.", "State locked")
	b.Press(t, "Unlock")
	wantHeading(t, b, "Unlock this account?") // no second time

	b.Press(t, "Registration tokens")
	b.Press(t, "Make a token")
	b.Fill(t, "token", "chess-club")
	b.Fill(t, "limit", "7")
	b.Tick(t, "need no approval")
	srv.Advance(16 * time.Minute)
	b.Press(t, "Make the token")
	confirm(t, b)
	wantHeading(t, b, "Make a registration token")
	b.Press(t, "Make the token") // what was typed is there still
	b.Shows(t, "The token is made.", "chess-club", "0 of 7", "approved at once")
	srv.Advance(16 * time.Minute)
	b.Press(t, "Revoke chess-club")
	confirm(t, b)
	wantHeading(t, b, "Revoke this token?")
	b.Press(t, "Revoke the token")
	b.Shows(t, "The token is revoked.")
	wantToken(t, srv, "chess-club", false)
}
