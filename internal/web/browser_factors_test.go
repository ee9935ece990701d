package web_test

import (
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/browsertest"
	"github.com/narthex-matrix/narthex/internal/config"
)

var keyInGroups = regexp.MustCompile(`\b([A-Z2-7]{4} ){7}[A-Z2-7]{4}\b`)

// keyShown reads the key of one-time codes off the page, as somebody types it into an
// app.
func keyShown(t *testing.T, b *browsertest.Browser) app {
	t.Helper()
	key := keyInGroups.FindString(b.Text(t))
	if key == "" {
		t.Fatalf("there is no key:\n%s", b.Text(t))
	}
	return app{secret: strings.ReplaceAll(key, " ", "")}
}

// TestWalkThroughCodes is a person with an app for one-time codes: sets it up, signs in
// with it, loses it, confirms something for an app, and switches it off.
func TestWalkThroughCodes(t *testing.T) {
	srv := apitest.New(t, withKey(t))
	alice := srv.User(t, "alice")
	srv.Device(t, alice.UserID, "OLD")
	b := browsertest.New(t, srv.URL)
	signIn := func(heading string) {
		t.Helper()
		b.Open(t, "/login")
		b.Fill(t, "username", "alice")
		b.Fill(t, "password", apitest.Password)
		b.Press(t, "Sign in")
		wantHeading(t, b, heading)
	}
	signIn("Your account")
	b.Press(t, "How you sign in")
	b.Press(t, "Set up an app")
	wantHeading(t, b, "One-time codes from an app")
	mine := keyShown(t, b)
	b.Fill(t, "code", "12345")
	if status := b.Press(t, "Switch the codes on"); status != 403 {
		t.Errorf("a wrong code is answered by %d", status)
	}
	b.Shows(t, "This is not the code of now.")
	shoot(t, b, "codes-wrong")
	b.Fill(t, "code", mine.code(t))
	b.Press(t, "Switch the codes on")
	wantHeading(t, b, "Keep these recovery codes")
	b.Press(t, "I have kept them")
	b.Shows(t, "You have 10 left.", "Use another app")
	b.Press(t, "Make new recovery codes")
	wantHeading(t, b, "Keep these recovery codes")
	b.Shows(t, "The codes of before no longer work.")
	shoot(t, b, "recovery-anew")
	recovery := recoveryCode.FindAllString(b.Text(t), -1)
	if len(recovery) != 10 {
		t.Fatalf("there are %d recovery codes", len(recovery))
	}
	b.Press(t, "I have kept them")
	b.Press(t, "Sign out")
	wantHeading(t, b, "You are signed out")

	// By the app; then without it.
	srv.Advance(time.Minute)
	mine.ahead += time.Minute
	signIn("One more step")
	b.Fill(t, "code", "x")
	b.Press(t, "Go on")
	b.Shows(t, refusedCode)
	shoot(t, b, "second-step-wrong")
	b.Fill(t, "code", mine.code(t))
	b.Press(t, "Go on")
	wantHeading(t, b, "Your account")
	b.Press(t, "Sign out")
	signIn("One more step")
	b.Press(t, "Start again")
	wantHeading(t, b, "Sign in")
	signIn("One more step")
	b.Fill(t, "code", recovery[0])
	b.Press(t, "Go on")
	wantHeading(t, b, "Your account")

	// An app is about to sign a session out.
	var asked struct{ Session string }
	const path = "/_matrix/client/v3/devices/OLD"
	decode(t, alice.Do(t, "DELETE", path, object{}).Body, &asked)
	b.Open(t, "/_matrix/client/v3/auth/m.login.sso/fallback/web?"+url.Values{"session": {asked.Session}}.Encode())
	b.Shows(t, "is about to sign out one of your sessions")
	shoot(t, b, "fallback")
	b.Press(t, "Confirm")
	b.Shows(t, "Go back to your app")
	shoot(t, b, "fallback-done")
	alice.Do(t, "DELETE", path, object{"auth": object{"session": asked.Session}}).OK(t, nil)

	// Much later, it takes the password once more.
	srv.Advance(16 * time.Minute)
	b.Open(t, "/account/security")
	b.Shows(t, "You have 9 left.")
	b.Press(t, "Switch off")
	wantHeading(t, b, "Confirm that it is you")
	b.Fill(t, "password", "wrong")
	b.Fill(t, "code", "123")
	b.Press(t, "Go on")
	b.Shows(t, "This is not your password.")
	b.Fill(t, "password", apitest.Password)
	b.Fill(t, "code", "123")
	b.Press(t, "Go on")
	b.Shows(t, refusedCode)
	shoot(t, b, "confirm-both")
	mine.ahead += 16 * time.Minute
	b.Fill(t, "password", apitest.Password)
	b.Fill(t, "code", mine.code(t))
	b.Press(t, "Go on")
	b.Open(t, "/account/security")
	b.Press(t, "Switch off")
	b.Shows(t, "One-time codes are switched off.")
	b.Press(t, "Sign out")
	signIn("Your account")
}

// TestWalkThroughSettingUp is two people who must have a second factor: one takes an
// app, the other a passkey.
func TestWalkThroughSettingUp(t *testing.T) {
	srv := apitest.New(t, withKey(t), byName, func(cfg *config.Config) { cfg.Login.SecondFactor.Required = "everyone" })
	srv.User(t, "alice")
	srv.User(t, "bob")
	b := browsertest.New(t, srv.URL)
	signIn := func(name string) {
		t.Helper()
		b.Open(t, "/login?continue=%2Faccount%2Fprofile")
		b.Fill(t, "username", name)
		b.Fill(t, "password", apitest.Password)
		b.Press(t, "Sign in")
		wantHeading(t, b, "Protect your account")
	}
	signIn("alice")
	shoot(t, b, "set-up")
	mine := keyShown(t, b)
	b.Fill(t, "code", "12345")
	b.Press(t, "Switch the codes on")
	b.Shows(t, "This is not the code of now.")
	b.Fill(t, "code", mine.code(t))
	b.Press(t, "Switch the codes on")
	wantHeading(t, b, "Keep these recovery codes")
	b.Press(t, "I have kept them")
	wantHeading(t, b, "Your profile")
	b.Open(t, "/account/security")
	b.Press(t, "Switch off")
	b.Shows(t, "This server wants you to have a second proof")
	shoot(t, b, "last-factor")
	b.Open(t, "/account")
	b.Press(t, "Sign out")

	b.Scripts(t)
	device := b.Authenticator(t)
	signIn("bob")
	b.Press(t, "Make a passkey")
	wantHeading(t, b, "Add a passkey")
	b.Fill(t, "name", "My laptop")
	b.Press(t, "Make the passkey")
	wantHeading(t, b, "Keep these recovery codes")
	b.Press(t, "I have kept them")
	wantHeading(t, b, "Your profile")
	if n := device.Passkeys(t); n != 1 {
		t.Errorf("there are %d passkeys", n)
	}
	b.Open(t, "/account/security")
	b.Press(t, "My laptop")
	if status := b.Press(t, "Remove"); status != 403 {
		t.Errorf("removing the last one is answered by %d", status)
	}
	b.Shows(t, "This server wants you to have a second proof")
}

// TestWalkThroughInvitations is a person with the link of a registration token, who
// finds the way to make another account for an app, and signs out one of two sessions.
func TestWalkThroughInvitations(t *testing.T) {
	srv := apitest.New(t, func(cfg *config.Config) {
		cfg.Registration.RequireToken = true
		cfg.Registration.Terms = config.Terms{URL: "https://narthex.test/terms", Name: "House rules", Version: "1"}
	})
	root := srv.Administrator(t, "root")
	root.Do(t, "POST", "/_synapse/admin/v1/registration_tokens/new", object{"token": "chess-club", "uses_allowed": 1}).OK(t, nil)
	b := browsertest.New(t, srv.URL)
	b.Open(t, "/register?token=chess-club")
	wantHeading(t, b, "Make an account")
	shoot(t, b, "register-token")
	b.Fill(t, "username", "carol")
	b.Fill(t, "password", "three short words")
	b.Fill(t, "password_again", "three short words")
	b.Tick(t, "I have read and accept the")
	b.Fill(t, "registration_token", "chess-clubs")
	if status := b.Press(t, "Make the account"); status != 400 {
		t.Errorf("a wrong token is answered by %d", status)
	}
	b.Shows(t, "This registration token is not valid, or has been used up.")
	shoot(t, b, "register-token-wrong")
	b.Fill(t, "registration_token", "chess-club")
	b.Fill(t, "password", "three short words")
	b.Fill(t, "password_again", "three short words")
	b.Press(t, "Make the account")
	wantHeading(t, b, "Your account")

	// An app asks, and somebody else wants to be the one that it may use.
	b.Open(t, authorizePath(register(t, srv, "Element"), "NEWDEVICE1", "redirect_uri", callback))
	wantHeading(t, b, "Let Element use your account?")
	b.Press(t, "Use another account")
	wantHeading(t, b, "Sign in")
	b.Press(t, "Make one")
	b.Shows(t, "to go on to Element")

	// Two sessions, of which one is signed out.
	carol := accountsID(t, "carol")
	phone, laptop := srv.Device(t, carol, "PHONE"), srv.Device(t, carol, "LAPTOP")
	b.Open(t, "/account/sessions")
	b.Fill(t, "username", "carol")
	b.Fill(t, "password", "three short words")
	b.Press(t, "Sign in")
	wantHeading(t, b, "Sessions")
	b.Press(t, "PHONE")
	b.Press(t, "Sign this session out")
	b.Shows(t, "The session is signed out.", "LAPTOP")
	const whoami = "/_matrix/client/v3/account/whoami"
	if p, l := phone.Do(t, "GET", whoami, nil).Status, laptop.Do(t, "GET", whoami, nil).Status; p != 401 || l != 200 {
		t.Errorf("the sessions are answered by %d and %d", p, l)
	}
}
