package main

import (
	"regexp"
	"strings"
	"testing"

	"github.com/narthex-matrix/narthex/internal/browsertest"
)

// linkAfter is the link that the server prints after a sentence with these words.
func linkAfter(t *testing.T, printed, words string) string {
	t.Helper()
	found := regexp.MustCompile(`(?s)` + regexp.QuoteMeta(words) + `.*?\n +(http://\S+)`).FindStringSubmatch(printed)
	if found == nil {
		t.Fatalf("no link is printed about %q:\n%s", words, printed)
	}
	return found[1]
}

// enlist fills the form for a new account.
func enlist(t *testing.T, b *browsertest.Browser, name string) {
	t.Helper()
	b.Fill(t, "username", name)
	b.Fill(t, "password", "the password of "+name)
	b.Fill(t, "password_again", "the password of "+name)
	b.Press(t, "Make the account")
}

func signIn(t *testing.T, b *browsertest.Browser, name string) {
	t.Helper()
	b.Fill(t, "username", name)
	b.Fill(t, "password", "the password of "+name)
	b.Press(t, "Sign in")
}

func wantHeading(t *testing.T, b *browsertest.Browser, want string) {
	t.Helper()
	if got := b.Heading(t); got != want {
		t.Fatalf("the page is %q, not %q", got, want)
	}
}

// TestFirstWalk is the way of somebody who has never seen the program: started as the
// README says, without a configuration, to a second account that was approved. What the
// server prints and what the pages show is all that leads on: the test knows no path.
func TestFirstWalk(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("NARTHEX_LISTEN", "127.0.0.1:0") // or several tests would meet at one port
	srv := launch(t, nil)
	printed := srv.out.String()
	t.Cleanup(browsertest.End)
	b := browsertest.New(t, srv.url)
	b.Open(t, linkAfter(t, printed, "There is no administrator yet"))
	wantHeading(t, b, "Make the first administrator")
	enlist(t, b, "root")

	wantHeading(t, b, "Administration")
	b.Shows(t, "Nobody waits for your approval.", "Everybody can make an account by this link.", "Nothing is wrong with the setup")
	b.Press(t, b.Read(t, "main a.id"))
	wantHeading(t, b, "You have an account already")
	b.Press(t, "Sign out and make another account")
	wantHeading(t, b, "Make an account")
	b.Shows(t, "An administrator of this server looks at each new account.", "Why do you want to join? (optional)")
	b.Write(t, "reason", "I would like to see how this goes.")
	enlist(t, b, "alice")
	wantHeading(t, b, "Waiting for approval")
	b.Shows(t, "An administrator of localhost has to approve it")

	friend := browsertest.New(t, srv.url) // somebody else, with the link that the server prints
	friend.Open(t, linkAfter(t, printed, "People ask for an account"))
	enlist(t, friend, "bob")
	wantHeading(t, friend, "Waiting for approval")

	b.Press(t, "Sign in to another account")
	signIn(t, b, "root")
	wantHeading(t, b, "Your account")
	b.Press(t, "Administration")
	b.Shows(t, "Waiting accounts 2")
	b.Press(t, "Decide")
	b.Shows(t, "2 accounts wait", "I would like to see how this goes.")
	b.Tick(t, "@alice:localhost")
	b.Tick(t, "@bob:localhost")
	b.Write(t, "note", "Welcome!")
	b.Press(t, "Approve the chosen")
	b.Shows(t, "2 accounts are approved.", "Nobody waits for approval.")
	b.Press(t, "Decisions")
	b.Shows(t, "@alice:localhost", "“Welcome!”")

	b.Press(t, "Sign out")
	b.Press(t, "Sign in")
	signIn(t, b, "alice")
	wantHeading(t, b, "Your account")
	b.Shows(t, "@alice:localhost", "sign in to this account in a Matrix app", srv.url)
	friend.Press(t, "Try to sign in again")
	wantHeading(t, friend, "Your account")
	friend.Shows(t, "@bob:localhost")

	srv.stop()
	again := launch(t, nil)
	if printed := again.out.String(); strings.Contains(printed, "no administrator") || !strings.Contains(printed, "Administrators: "+again.url+"/admin\n") {
		t.Errorf("the second start prints:\n%s", printed)
	}
}

// TestGreetingSaysHowPeopleJoin holds that the first lines tell of registration what is
// true.
func TestGreetingSaysHowPeopleJoin(t *testing.T) {
	for name, c := range map[string]struct{ variable, value, want string }{
		"fresh":    {"NARTHEX_LOG_LEVEL", "info", "People ask for an account here, and an administrator approves or refuses it:\n  http://"},
		"open":     {"NARTHEX_APPROVAL_REQUIRED_FOR_NEW_ACCOUNTS", "false", "Anybody makes an account here:\n  http://"},
		"by token": {"NARTHEX_REGISTRATION_REQUIRE_TOKEN", "true", "People with a registration token from an administrator make an account at:\n  http://"},
		"closed":   {"NARTHEX_REGISTRATION_ENABLED", "false", "There is no administrator yet"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(c.variable, c.value)
			printed := launch(t, []string{"--data", t.TempDir(), "--listen", "127.0.0.1:0"}).out.String()
			if !strings.Contains(printed, c.want) || strings.Contains(printed, "/register") == (name == "closed") {
				t.Errorf("got:\n%s", printed)
			}
		})
	}
}
