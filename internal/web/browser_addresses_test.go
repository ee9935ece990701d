package web_test

import (
	"strings"
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/browsertest"
	"github.com/narthex-matrix/narthex/internal/config"
)

// TestWalkThroughForgetting is a person who has forgotten the password, and opens the
// link of the mail in the same browser.
func TestWalkThroughForgetting(t *testing.T) {
	mails := apitest.NewMailbox(t)
	srv := apitest.New(t, mails.Configure)
	own(t, srv, srv.User(t, "alice").UserID, "email", "alice@example.org")
	b := browsertest.New(t, srv.URL)
	b.Open(t, "/account/sessions")
	shoot(t, b, "sign-in-forgot")
	b.Press(t, "Forgot your password?")
	wantHeading(t, b, "Choose a new password")
	b.Fill(t, "address", "alice")
	if status := b.Press(t, "Send the message"); status != 400 {
		t.Errorf("a wrong address is answered by %d", status)
	}
	shoot(t, b, "forgot-wrong")
	b.Fill(t, "address", "Alice@example.org")
	b.Press(t, "Send the message")
	wantHeading(t, b, "Look into your mails")
	here := b.At(t)
	b.Press(t, "Go on")
	b.Shows(t, "The link in the mail has not been opened yet.")
	shoot(t, b, "forgot-code")
	deliver(t, srv)
	b.Open(t, mails.Last(t, "alice@example.org").Link(t, srv))
	wantHeading(t, b, "Choose a new password?")
	shoot(t, b, "forgot-link")
	b.Press(t, "Yes, it is me")
	wantHeading(t, b, "Your address is confirmed")
	shoot(t, b, "forgot-confirmed")
	b.Press(t, "Go on")
	wantHeading(t, b, "Choose a new password")
	shoot(t, b, "forgot-new")
	b.Open(t, here) // the first tab
	b.Shows(t, "@alice:narthex.test")
	b.Fill(t, "new_password", fresh)
	b.Fill(t, "password_again", fresh)
	b.Press(t, "Change the password")
	wantHeading(t, b, "Sign in")
	b.Shows(t, "Your password is changed. Sign in with the new one.")
	shoot(t, b, "forgot-done")
	b.Fill(t, "username", "alice@example.org")
	b.Fill(t, "password", fresh)
	b.Press(t, "Sign in")
	wantHeading(t, b, "Sessions")
	b.Shows(t, "No app is signed in to your account.")
}

// TestWalkThroughAddresses is a person who adds a phone number to the account, and
// removes a mail address.
func TestWalkThroughAddresses(t *testing.T) {
	mails, phones := apitest.NewMailbox(t), apitest.NewPhones(t)
	srv := apitest.New(t, mails.Configure, phones.Configure)
	own(t, srv, srv.User(t, "alice").UserID, "email", "alice@example.org")
	b := browsertest.New(t, srv.URL)
	b.Open(t, "/account")
	b.Fill(t, "username", "alice")
	b.Fill(t, "password", apitest.Password)
	b.Press(t, "Sign in")
	b.Press(t, "Mail addresses and phone numbers")
	wantHeading(t, b, "Mail addresses and phone numbers")
	shoot(t, b, "addresses")
	b.Fill(t, "address", number)
	b.Press(t, "Send a message to confirm it")
	wantHeading(t, b, "Look at your messages")
	b.Fill(t, "code_msisdn", wrongCode(phones.Code(t, number)))
	b.Fill(t, "password", apitest.Password)
	b.Press(t, "Add the address")
	b.Shows(t, wrongPhone)
	shoot(t, b, "addresses-code")
	b.Fill(t, "code_msisdn", phones.Code(t, number))
	b.Fill(t, "password", "wrong")
	b.Press(t, "Add the address")
	b.Shows(t, "This is not your password.")
	shoot(t, b, "addresses-password")
	b.Fill(t, "password", apitest.Password)
	b.Press(t, "Add the address")
	b.Shows(t, "The address is added.", dialled)
	b.Press(t, "Remove alice@example.org")
	wantHeading(t, b, "Remove this mail address?")
	shoot(t, b, "addresses-remove")
	b.Fill(t, "password", apitest.Password)
	b.Press(t, "Remove it")
	b.Shows(t, "The address is removed.", dialled)
	shoot(t, b, "addresses-removed")
}

// TestWalkThroughRegisteringWithAnAddress is a person who makes an account where an
// address is needed, closes the tab, and goes on by the link of the mail.
func TestWalkThroughRegisteringWithAnAddress(t *testing.T) {
	mails := apitest.NewMailbox(t)
	srv := apitest.New(t, mails.Configure, needs("email"), func(cfg *config.Config) {
		cfg.Approval.Enabled, cfg.Approval.RequiredForNewAccounts, cfg.Approval.NotifyEmail = true, true, true
	})
	b := browsertest.New(t, srv.URL)
	b.Open(t, "/register")
	b.Fill(t, "username", "carol")
	b.Fill(t, "password", "three short words")
	b.Fill(t, "password_again", "three short words")
	b.Poke(t, "Make the account") // the browser asks for the address
	b.Fill(t, "email", "carol@example.org")
	shoot(t, b, "register-address")
	b.Press(t, "Make the account")
	wantHeading(t, b, "Look into your mails")
	shoot(t, b, "register-code")
	b.Open(t, "/signed-out")
	b.Open(t, "/register")
	wantHeading(t, b, "Look into your mails")
	b.Open(t, mails.Last(t, "carol@example.org").Link(t, srv))
	wantHeading(t, b, "Your address is confirmed")
	if at := b.At(t); !strings.HasPrefix(at, "/register/code") {
		t.Errorf("the link leads to %s", at)
	}
	shoot(t, b, "register-confirmed")
	b.Press(t, "Make the account")
	wantHeading(t, b, "Waiting for approval")
	b.Shows(t, "@carol:narthex.test has been made", "carol@example.org")
	shoot(t, b, "register-waiting")
}
