package clients_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/browsertest"
)

// TestMatrixJSSDKOAuth signs in with the OAuth 2.0 client of js-sdk in Chromium,
// on the pages that people see: refused once, then allowed; it has its token
// refreshed, and signs out.
func TestMatrixJSSDKOAuth(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	b := browsertest.New(t, srv.URL)
	b.Scripts(t)
	app := serveApp(t, "oauth.mjs")
	wantHeading := func(want string) {
		t.Helper()
		if got := b.Heading(t); got != want {
			t.Fatalf("the page is %q, not %q\nserver log:\n%s", got, want, srv.Log)
		}
	}

	b.Open(t, app+"/?"+url.Values{"homeserver": {srv.URL}}.Encode())
	wantHeading("ready")
	b.Press(t, "Sign in")
	wantHeading("Sign in")
	b.Fill(t, "username", "alice")
	b.Fill(t, "password", apitest.Password)
	b.Press(t, "Sign in")
	b.Shows(t, "App with js-sdk", string(alice.UserID))
	b.Press(t, "Deny")
	wantHeading("access_denied")

	b.Press(t, "Try again")
	wantHeading("ready")
	b.Press(t, "Sign in")
	b.Shows(t, "App with js-sdk", string(alice.UserID))
	b.Press(t, "Allow")
	wantHeading("signed in as " + string(alice.UserID))

	srv.Advance(10 * time.Minute) // the access token runs out
	b.Poke(t, "Ask again")
	wantHeading(string(alice.UserID) + " with another token")
	b.Poke(t, "Sign out")
	wantHeading("signed out: M_UNKNOWN_TOKEN")
	var left struct {
		Devices []struct {
			ID string `json:"device_id"`
		} `json:"devices"`
	}
	alice.Do(t, "GET", "/_matrix/client/v3/devices", nil).OK(t, &left)
	if len(left.Devices) != 1 || left.Devices[0].ID != string(alice.DeviceID) {
		t.Errorf("the devices that are left: %+v", left)
	}
}
