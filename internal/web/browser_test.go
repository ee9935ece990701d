package web_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/browsertest"
	"github.com/narthex-matrix/narthex/internal/config"
)

// shoot takes pictures of the page that is open, on a phone and on a desktop.
func shoot(t *testing.T, b *browsertest.Browser, name string) {
	t.Helper()
	b.Screen(t, browsertest.Phone, true)
	b.Shot(t, "walk-"+name+"-phone", browsertest.Phone.Width)
	b.Screen(t, browsertest.Desktop, false)
	b.Shot(t, "walk-"+name+"-desktop", browsertest.Desktop.Width)
}

func wantHeading(t *testing.T, b *browsertest.Browser, want string) {
	t.Helper()
	if got := b.Heading(t); got != want {
		t.Fatalf("the page is %q, not %q", got, want)
	}
}

// TestWalkThroughLinking is a person who reads a code off another device.
func TestWalkThroughLinking(t *testing.T) {
	srv := apitest.New(t)
	srv.User(t, "alice")
	device := ask(t, srv, register(t, srv, "Element"), "NEWDEVICE1")
	b := browsertest.New(t, srv.URL)

	b.Open(t, "/link")
	wantHeading(t, b, "Sign in")
	b.Fill(t, "username", "alice")
	b.Fill(t, "password", "not the password")
	if status := b.Press(t, "Sign in"); status != 403 {
		t.Errorf("a wrong password is answered by %d", status)
	}
	b.Shows(t, wrongText)
	shoot(t, b, "wrong-password")
	b.Fill(t, "password", apitest.Password)
	b.Press(t, "Sign in")

	wantHeading(t, b, "Sign in another device")
	b.Fill(t, "user_code", "zzzzzzzz")
	b.Press(t, "Go on")
	b.Shows(t, unknownCode)
	shoot(t, b, "wrong-code")
	b.Fill(t, "user_code", strings.ToLower(strings.ReplaceAll(device.UserCode, "-", " ")))
	b.Press(t, "Go on")

	wantHeading(t, b, "Another device asks to sign in")
	b.Shows(t, device.UserCode, "Element", "@alice:narthex.test")
	shoot(t, b, "link")
	b.Poke(t, "Allow") // the browser asks for the tick
	wantHeading(t, b, "Another device asks to sign in")
	b.Tick(t, "This is my device.")
	if status := b.Press(t, "Allow"); status != 200 {
		t.Errorf("agreeing is answered by %d", status)
	}
	wantHeading(t, b, "The other device may sign in")
	shoot(t, b, "linked")
	if token, failure, _ := device.poll(t, srv); token == "" {
		t.Errorf("the device is told %q", failure)
	}
	b.Press(t, "Your sessions")
	b.Shows(t, "Element", "DEVICE1")
	shoot(t, b, "sessions")

	// A second device, whose owner denies without ticking anything.
	second := ask(t, srv, device.client, "NEWDEVICE2")
	b.Open(t, second.Complete)
	b.Press(t, "Deny")
	wantHeading(t, b, "The other device was refused")
	b.Back(t)
	wantHeading(t, b, "The other device was refused")
	b.Shows(t, "This was answered before.")
}

// TestWalkThroughConsent is a person whose app sends the browser here, and gets it
// back.
func TestWalkThroughConsent(t *testing.T) {
	calls := make(chan url.Values, 2)
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/callback" {
			calls <- r.URL.Query()
		}
		_, _ = w.Write([]byte("<h1>Welcome back</h1>")) // the browser may have gone
	}))
	defer app.Close()
	_, port, _ := strings.Cut(strings.TrimPrefix(app.URL, "http://"), ":")
	back := "http://localhost:" + port + "/callback"

	srv := apitest.New(t)
	srv.User(t, "bob")
	var client struct {
		ID string `json:"client_id"`
	}
	r := srv.Anyone().Do(t, "POST", "/oauth2/register", map[string]any{
		"client_name": "Element", "client_uri": "https://app.example.org/", "redirect_uris": []string{"http://localhost/callback"},
		"application_type": "native", "response_types": []string{"code"}, "token_endpoint_auth_method": "none",
		"grant_types": []string{"authorization_code", "refresh_token"},
	})
	decode(t, r.Body, &client)
	b := browsertest.New(t, srv.URL)
	b.Open(t, authorizePath(client.ID, "NEWDEVICE1", "prompt", "create", "redirect_uri", back))

	wantHeading(t, b, "Make an account")
	b.Shows(t, "to go on to Element")
	b.Fill(t, "username", "carol")
	b.Fill(t, "password", "three short words")
	b.Fill(t, "password_again", "three short word")
	b.Press(t, "Make the account")
	b.Shows(t, "The two passwords are not the same.")
	shoot(t, b, "register-problem")
	b.Fill(t, "password", "three short words")
	b.Fill(t, "password_again", "three short words")
	b.Press(t, "Make the account")

	wantHeading(t, b, "Let Element use your account?")
	b.Shows(t, "@carol:narthex.test", "http://localhost:"+port)
	shoot(t, b, "consent")
	b.Press(t, "Use another account")
	wantHeading(t, b, "Sign in")
	b.Fill(t, "username", "bob")
	b.Fill(t, "password", apitest.Password)
	b.Press(t, "Sign in")
	b.Shows(t, "@bob:narthex.test")
	b.Press(t, "Allow")
	wantHeading(t, b, "Welcome back")
	got := <-calls
	status, tokens := exchange(t, srv, url.Values{"grant_type": {"authorization_code"}, "client_id": {client.ID}, "redirect_uri": {back},
		"code_verifier": {verifier}, "code": {got.Get("code")}})
	if status != 200 {
		t.Fatalf("got %d %v for %v", status, tokens, got)
	}

	// A second session is refused.
	b.Open(t, authorizePath(client.ID, "NEWDEVICE2", "redirect_uri", back))
	wantHeading(t, b, "Let Element use your account?")
	b.Press(t, "Deny")
	wantHeading(t, b, "Welcome back")
	if got := <-calls; got.Get("error") != "access_denied" || got.Has("code") {
		t.Errorf("the app got %v", got)
	}

	// And once in the older way, by a page that nobody has registered.
	b.Open(t, "/_matrix/client/v3/login/sso/redirect?"+url.Values{"redirectUrl": {app.URL + "/callback?x=1"}}.Encode())
	wantHeading(t, b, "Sign in to another app?")
	b.Shows(t, app.URL, "@bob:narthex.test")
	shoot(t, b, "sso")
	b.Press(t, "Go on")
	wantHeading(t, b, "Welcome back")
	if got := <-calls; got.Get("loginToken") == "" || got.Get("x") != "1" {
		t.Errorf("the app got %v", got)
	}
}

// TestWalkThroughWaiting is a person who registers where an administrator decides.
func TestWalkThroughWaiting(t *testing.T) {
	srv := apitest.New(t, func(cfg *config.Config) {
		cfg.Approval.Enabled, cfg.Approval.RequiredForNewAccounts = true, true
		cfg.Registration.Terms = config.Terms{URL: "https://narthex.test/terms", Name: "House rules", Version: "1"}
	})
	b := browsertest.New(t, srv.URL)
	b.Open(t, "/register")
	b.Fill(t, "username", "carol")
	b.Fill(t, "password", "three short words")
	b.Fill(t, "password_again", "three short words")
	b.Poke(t, "Make the account") // the browser asks for the tick
	b.Tick(t, "I have read and accept the")
	b.Press(t, "Make the account")
	wantHeading(t, b, "Waiting for approval")
	b.Shows(t, "@carol:narthex.test has been made")
	shoot(t, b, "waiting")
}

// TestWalkThroughAccount is a person who looks after the account.
func TestWalkThroughAccount(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	b := browsertest.New(t, srv.URL)
	b.Open(t, "/account?action=org.matrix.device_delete&device_id=DEVICE1")
	b.Fill(t, "username", "alice")
	b.Fill(t, "password", apitest.Password)
	b.Press(t, "Sign in")
	wantHeading(t, b, "Sign out DEVICE1?")
	shoot(t, b, "session")
	b.Press(t, "Sign this session out")
	b.Shows(t, "The session is signed out.", "No app is signed in to your account.")
	if r := alice.Do(t, "GET", "/_matrix/client/v3/account/whoami", nil); r.Status != 401 {
		t.Errorf("the session is still there: %d", r.Status)
	}
	b.Press(t, "Your account")
	b.Press(t, "Profile")
	b.Fill(t, "displayname", "Alice Liddell")
	b.Press(t, "Save")
	b.Shows(t, "Your name is changed.", "Alice Liddell")
	shoot(t, b, "account")

	b.Press(t, "Password")
	b.Fill(t, "password", apitest.Password)
	b.Fill(t, "new_password", "four other short words")
	b.Fill(t, "password_again", "four other short words")
	b.Press(t, "Change the password")
	b.Shows(t, "Your password is changed.")

	b.Press(t, "Encryption identity")
	shoot(t, b, "identity")
	b.Fill(t, "password", "four other short words")
	b.Press(t, "Allow the reset")
	wantHeading(t, b, "Go back to your app now")
	b.Press(t, "Your account")

	b.Press(t, "Sign out")
	wantHeading(t, b, "You are signed out")
	b.Back(t)
	if at := b.At(t); strings.HasPrefix(at, "/account") {
		t.Errorf("the page of the account is still shown, at %s", at)
	}
	b.Open(t, "/account/deactivate")
	b.Fill(t, "username", "alice")
	b.Fill(t, "password", "four other short words")
	b.Press(t, "Sign in")
	wantHeading(t, b, "Close your account")
	b.Fill(t, "password", "wrong")
	b.Press(t, "Close my account for good")
	b.Shows(t, "This is not your password.")
	shoot(t, b, "close")
	b.Fill(t, "password", "four other short words")
	b.Press(t, "Close my account for good")
	wantHeading(t, b, "Your account is closed")
}

// TestWalkByKeyboard is a person who has no mouse: the fields come in their order,
// and the first thing of every page is the way past its head.
func TestWalkByKeyboard(t *testing.T) {
	srv := apitest.New(t)
	srv.User(t, "alice")
	b := browsertest.New(t, srv.URL)
	b.Open(t, "/login")
	b.Focused(t, "username")
	b.Type(t, "alice\t")
	b.Focused(t, "password")
	b.Type(t, apitest.Password)
	if status := b.TypeAndLeave(t, "\r"); status != 200 {
		t.Errorf("signing in is answered by %d", status)
	}
	wantHeading(t, b, "Your account")
	b.Type(t, "\t")
	shoot(t, b, "skip-link")
	b.Type(t, "\r\t")
	shoot(t, b, "focus")
	b.TypeAndLeave(t, "\r")
	wantHeading(t, b, "Your profile")
}
