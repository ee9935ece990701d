package web_test

import (
	"net/url"
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/browsertest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
)

// byName gives the server a name that browsers keep passkeys for.
func byName(cfg *config.Config) { cfg.PublicURL = apitest.ByName }

// TestWalkThroughPasskeys is a person who adds a passkey, signs in by it alone, after
// the password, and once more for an act; loses it, and has somebody make a copy.
func TestWalkThroughPasskeys(t *testing.T) {
	srv := apitest.New(t, withKey(t), byName)
	alice := srv.User(t, "alice")
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
	shoot(t, b, "security-empty")
	b.Press(t, "Add a passkey")
	b.Shows(t, "This needs JavaScript")
	shoot(t, b, "passkey-no-script")
	b.Scripts(t)
	device := b.Authenticator(t)
	b.Open(t, "/account/security")
	b.Press(t, "Add a passkey")
	b.Fill(t, "name", "My laptop")
	shoot(t, b, "passkey-add")
	b.Press(t, "Make the passkey")
	wantHeading(t, b, "Keep these recovery codes")
	shoot(t, b, "recovery-codes")
	b.Press(t, "I have kept them")
	b.Shows(t, "My laptop", "You have 10 left.")
	shoot(t, b, "security")
	if n := device.Passkeys(t); n != 1 {
		t.Errorf("there are %d passkeys", n)
	}
	b.Press(t, "Sign out")

	// By the passkey alone.
	b.Open(t, "/login?continue=%2Faccount%2Fprofile")
	shoot(t, b, "sign-in-passkey")
	b.Press(t, "Sign in with a passkey")
	wantHeading(t, b, "Sign in with a passkey")
	device.Verified(t, false)
	b.Poke(t, "Use a passkey")
	b.Appears(t, "passkey-problem")
	shoot(t, b, "passkey-refused")
	device.Verified(t, true)
	b.Press(t, "Use a passkey")
	wantHeading(t, b, "Your profile")
	b.Press(t, "Sign out")

	// After the password.
	signIn("One more step")
	shoot(t, b, "second-step")
	b.Open(t, "/account")
	wantHeading(t, b, "Sign in")
	signIn("One more step")
	b.Press(t, "Use a passkey")
	wantHeading(t, b, "Use a passkey")
	b.Press(t, "Go on")
	wantHeading(t, b, "Your account")

	// Once more, for an act.
	srv.Write(t, func(tx *db.Tx) error {
		_, err := tx.Exec(`UPDATE browser_sessions SET proved_ts = 0 WHERE user_id = $1`, alice.UserID)
		return err
	})
	b.Open(t, "/account/security/codes")
	wantHeading(t, b, "Confirm that it is you")
	shoot(t, b, "confirm")
	b.Press(t, "Use a passkey")
	b.Press(t, "Go on")
	wantHeading(t, b, "One-time codes from an app")
	shoot(t, b, "codes")
	b.Press(t, "Sign out")

	// Somebody has a copy, made before the last uses.
	device.Rewind(t)
	b.Open(t, "/login")
	b.Press(t, "Sign in with a passkey")
	if status := b.Press(t, "Use a passkey"); status != 403 {
		t.Errorf("a copy is answered by %d", status)
	}
	b.Shows(t, "This passkey was not accepted")

	// A passkey that was removed.
	s := apitest.Surf(t, srv)
	srv.Write(t, func(tx *db.Tx) error { // so that the password does
		_, err := srv.App.Factors.Reset(tx, alice.UserID, "test")
		return err
	})
	b.Press(t, "Use a passkey")
	b.Shows(t, "This passkey was not accepted")
	s.SignIn(t, "alice")
	s.Get(t, "/account/security").Shows(t, 200).Without(t, "My laptop")
}

// TestWalkThroughRenaming is a person who tidies up.
func TestWalkThroughRenaming(t *testing.T) {
	srv := apitest.New(t, withKey(t), byName)
	srv.User(t, "alice")
	b := browsertest.New(t, srv.URL)
	b.Scripts(t)
	b.Authenticator(t)
	b.Open(t, "/account/security")
	b.Fill(t, "username", "alice")
	b.Fill(t, "password", apitest.Password)
	b.Press(t, "Sign in")
	b.Press(t, "Add a passkey")
	b.Press(t, "Make the passkey")
	b.Press(t, "I have kept them")
	b.Press(t, "Passkey")
	b.Fill(t, "name", "Blue key")
	b.Press(t, "Rename")
	b.Shows(t, "The passkey has its new name.", "Blue key")
	b.Press(t, "Blue key")
	shoot(t, b, "passkey")
	b.Press(t, "Remove")
	b.Shows(t, "The passkey is removed.")
}

// TestPasskeyAnswersThatAreNone holds what is answered to those that no browser makes.
func TestPasskeyAnswersThatAreNone(t *testing.T) {
	srv := apitest.New(t, withKey(t), byName)
	srv.User(t, "alice")
	s := apitest.Surf(t, srv)
	s.Get(t, "/login")
	for _, response := range []string{"x", "{}", `{"id":"AQID","rawId":"AQID","type":"public-key","response":{}}`} {
		s.Post(t, "/login/passkey", url.Values{"response": {response}}).Shows(t, 403, "This passkey was not accepted")
	}
	s.Post(t, "/login/passkey", url.Values{"form_token": {"x"}}).Shows(t, 403, "This form is out of date")
	csp := s.Post(t, "/login/passkey", nil).Shows(t, 200).Header.Get("Content-Security-Policy")
	if want := "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; script-src 'self'"; csp != want {
		t.Errorf("the policy is %q", csp)
	}
	s.SignIn(t, "alice")
	s.Get(t, "/account/security")
	s.Post(t, "/account/security/passkeys", url.Values{"response": {"{}"}}).Shows(t, 403, "The passkey was not added")
	s.Post(t, "/confirm/passkey", nil).Shows(t, 404)
	s.Get(t, "/account/security/passkey?id=AQID").Shows(t, 404, "You have no such passkey.")
	s.Get(t, "/account/security")
	s.Post(t, "/account/security/passkey", url.Values{"id": {"AQID"}, "act": {"remove"}}).Shows(t, 404, "You have no such passkey.")
	s.Post(t, "/account/security/passkey", url.Values{"id": {"!"}}).Shows(t, 404)

	nameless := apitest.New(t, withKey(t)) // which has an address for a name
	n := apitest.Surf(t, nameless)
	n.Get(t, "/login").Shows(t, 200).Without(t, "Sign in with a passkey")
	n.Post(t, "/login/passkey", nil).Shows(t, 404)
}
