package adminpages_test

import (
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/browsertest"
	"github.com/narthex-matrix/narthex/internal/config"
)

// shoot takes pictures of the page that is open. docs/operating/images has those that
// the documents show; this makes them again:
//
//	NARTHEX_TEST_DATABASE=sqlite NARTHEX_TEST_SCREENSHOTS=$PWD/docs/operating/images \
//	  go test -count=1 -run TestApprovingAccounts ./internal/adminpages
func shoot(t *testing.T, b *browsertest.Browser, name string) {
	t.Helper()
	b.Screen(t, browsertest.Phone, true)
	b.Shot(t, name+"-phone", browsertest.Phone.Width)
	b.Screen(t, browsertest.Desktop, false)
	b.Shot(t, name+"-desktop", browsertest.Desktop.Width)
}

func wantHeading(t *testing.T, b *browsertest.Browser, want string) {
	t.Helper()
	if got := b.Heading(t); got != want {
		t.Fatalf("the page is %q, not %q", got, want)
	}
}

func signIn(t *testing.T, b *browsertest.Browser, name string) {
	t.Helper()
	b.Fill(t, "username", name)
	b.Fill(t, "password", apitest.Password)
	b.Press(t, "Sign in")
}

// join makes an account on the page, and leaves the browser signed out.
func join(t *testing.T, b *browsertest.Browser, name, reason string) {
	t.Helper()
	b.Open(t, "/register")
	b.Fill(t, "username", name)
	b.Fill(t, "password", apitest.Password)
	b.Fill(t, "password_again", apitest.Password)
	b.Type(t, "\t")
	b.Type(t, reason)
	b.Press(t, "Make the account")
	wantHeading(t, b, "Waiting for approval")
}

// TestApprovingAccounts is the story of docs/operating/approving-accounts.md: it
// starts with nothing but the link that the server prints.
func TestApprovingAccounts(t *testing.T) {
	srv := apitest.New(t, approvalRequired, func(cfg *config.Config) { cfg.Approval.Reason = "optional" })
	path, _ := firstLink(t, srv)
	join(t, browsertest.New(t, srv.URL), "alice", "Bob told me of this server at the chess club. I would like to help with the next tournament.")
	join(t, browsertest.New(t, srv.URL), "bob", "I play, too.")
	join(t, browsertest.New(t, srv.URL), "win-a-prize", "Cheap watches! See my site.")

	b := browsertest.New(t, srv.URL)
	b.Open(t, path)
	wantHeading(t, b, "Make the first administrator")
	b.Fill(t, "username", "root")
	b.Fill(t, "password", apitest.Password)
	b.Fill(t, "password_again", apitest.Password)
	b.Press(t, "Make the account")
	wantHeading(t, b, "Administration")
	b.Shows(t, "Waiting accounts", "3")
	shoot(t, b, "overview")
	b.Press(t, "Decide")

	wantHeading(t, b, "Waiting accounts")
	b.Shows(t, "3 accounts wait, the oldest first.", "Bob told me of this server")
	if status := b.Press(t, "Approve the chosen"); status != 400 {
		t.Errorf("nothing chosen: %d", status)
	}
	b.Shows(t, "Nothing was changed: choose at least one account.")
	b.Open(t, "/admin/registrations")
	b.Tick(t, "@alice:narthex.test")
	b.Tick(t, "@bob:narthex.test")
	b.Type(t, "\t\t") // over the third box
	b.Type(t, "Welcome to the club!")
	shoot(t, b, "queue")
	b.Press(t, "Approve the chosen")
	b.Shows(t, "2 accounts are approved.", "1 account waits")
	b.Tick(t, "@win-a-prize:narthex.test")
	b.Type(t, "\t")
	b.Type(t, "Advertising.")
	b.Press(t, "Refuse the chosen …")
	wantHeading(t, b, "Refuse this account?")
	shoot(t, b, "refusing")
	b.Press(t, "Refuse the account")
	b.Shows(t, "1 account is refused.", "Nobody waits for approval.")
	b.Press(t, "Decisions")
	b.Shows(t, "“Welcome to the club!”", "refused", "“Advertising.”")
	shoot(t, b, "decisions")

	person := browsertest.New(t, srv.URL)
	person.Open(t, "/login")
	signIn(t, person, "alice")
	wantHeading(t, person, "Your account")
}

// TestAdministeringByKeyboard holds that the queue can be worked without a mouse.
func TestAdministeringByKeyboard(t *testing.T) {
	srv := apitest.New(t, approvalRequired)
	srv.Administrator(t, "root")
	pend(t, srv, "alice")
	b := browsertest.New(t, srv.URL)
	b.Open(t, "/admin/registrations?q=alice")
	wantHeading(t, b, "Sign in")
	signIn(t, b, "root")
	wantHeading(t, b, "Waiting accounts")
	b.Fill(t, "q", "alice")
	b.Type(t, "\t\t\t") // the button, the link that shows all, and the box of the account
	b.Type(t, " ")
	b.Type(t, "\t") // the note
	b.Type(t, "hello")
	b.Type(t, "\t")
	b.TypeAndLeave(t, "\r")
	b.Shows(t, "1 account is approved.")
	wantAudit(t, srv, "@alice:narthex.test", `root approve {"note":"hello"}`)
}

// TestPicturesOfUsers goes through the pages about users, tokens and the log.
func TestPicturesOfUsers(t *testing.T) {
	srv := apitest.New(t, approvalRequired)
	srv.Administrator(t, "root")
	srv.User(t, "alice")
	b := browsertest.New(t, srv.URL)
	b.Open(t, "/admin/users")
	signIn(t, b, "root")
	wantHeading(t, b, "Users")
	b.Press(t, "@alice:narthex.test")
	wantHeading(t, b, "@alice:narthex.test")
	b.Press(t, "Lock")
	b.Press(t, "Lock the account")
	b.Shows(t, "The account is locked.", "Unlock")
	shoot(t, b, "user")
	b.Press(t, "Registration tokens")
	b.Press(t, "Make a token")
	b.Fill(t, "token", "chess-club")
	b.Fill(t, "limit", "20")
	b.Press(t, "Make the token")
	b.Shows(t, "The token is made.", "/register?token=chess-club")
	shoot(t, b, "tokens")
	b.Press(t, "Audit log")
	b.Press(t, "Check the whole log")
	b.Shows(t, "The chain of hashes is whole")
	shoot(t, b, "audit")
}
