package clients_test

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"strings"
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/browsertest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
)

// startProvider starts the provider, and gives its issuer and what it reads.
func startProvider(t *testing.T) (issuer string, input io.Writer, output *bufio.Reader) {
	t.Helper()
	needNode(t)
	cmd := exec.Command("node", "provider.mjs")
	var failures bytes.Buffer
	cmd.Stderr = &failures
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close() // it ends by itself
		if err := cmd.Wait(); err != nil || t.Failed() {
			t.Logf("the provider: %v\n%s", err, failures.Bytes())
		}
	})
	lines := bufio.NewReader(stdout)
	line, err := lines.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(line), stdin, lines
}

// withProvider starts a server with the provider, on which accounts have to be approved.
func withProvider(t *testing.T) *apitest.Server {
	t.Helper()
	issuer, input, output := startProvider(t)
	srv := apitest.New(t, func(cfg *config.Config) {
		p := config.DefaultProvider()
		p.ID, p.Name, p.Issuer, p.ClientID, p.ClientSecret, p.UserInfo = "example", "Example Login", issuer, "narthex", "a secret of the client", true
		cfg.SSO.Providers = []config.Provider{p}
		cfg.Outbound.AllowedNetworks = []string{"127.0.0.0/8"}
		cfg.Approval.Enabled, cfg.Approval.RequiredForNewAccounts = true, true
	})
	if _, err := io.WriteString(input, srv.URL+"/sso/callback/example\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := output.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	return srv
}

// approve lets in the account that the provider's alice has.
func approve(t *testing.T, srv *apitest.Server) {
	t.Helper()
	srv.Administrator(t, "root").Do(t, "POST", "/_narthex/admin/v1/registrations/@alice:narthex.test/approve", map[string]any{}).OK(t, nil)
}

// atProvider signs in at the provider, as alice.
func atProvider(t *testing.T, b *browsertest.Browser) {
	t.Helper()
	b.Read(t, "input[name=login]:focus") // or what is typed first is lost
	b.Type(t, "alice\tany password")
	b.TypeAndLeave(t, "\r")
}

// TestRealProvider signs in with a certified provider in Chromium: first for a client
// of the older way, with an account that has to be approved, then, approved, for
// the account page; and proves who it is to a page that would ask for the password.
func TestRealProvider(t *testing.T) {
	srv := withProvider(t)
	calls := make(chan url.Values, 1)
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/back" {
			calls <- r.URL.Query()
		}
		_, _ = w.Write([]byte("<h1>Welcome back</h1>")) // the browser may have gone
	}))
	defer app.Close()

	b := browsertest.New(t, srv.URL)
	b.Open(t, "/_matrix/client/v3/login/sso/redirect/example?"+url.Values{"redirectUrl": {app.URL + "/back"}}.Encode())
	atProvider(t, b)
	b.Press(t, "Continue") // the provider asks for consent
	if got := b.Heading(t); got != "Waiting for approval" {
		t.Fatalf("the page is %q\nserver log:\n%s", got, srv.Log)
	}
	b.Shows(t, "@alice:narthex.test has been made", app.URL)
	b.Press(t, "Go on")
	token := (<-calls).Get("loginToken")
	r := srv.Anyone().Do(t, "POST", "/_matrix/client/v3/login", map[string]any{"type": "m.login.token", "token": token})
	if r.Status != 403 || !strings.Contains(string(r.Body), "USER_AWAITING_APPROVAL") {
		t.Errorf("the client is told %d %s", r.Status, r.Body)
	}
	approve(t, srv)

	b.Open(t, "/account/deactivate")
	b.Press(t, "Confirm with Example Login")
	atProvider(t, b) // it asks again, although the browser is signed in there
	if got := b.Heading(t); got != "Close your account" {
		t.Fatalf("the page is %q\nserver log:\n%s", got, srv.Log)
	}
	b.Shows(t, "@alice:narthex.test")
}

// TestRealProviderForAnApp signs in to an app by its OAuth 2.0 client, by way of the
// provider: with an account that waits, of which the app is told, then approved,
// over the page of consent to a code and tokens; and once more, from the app to the
// provider and back in one go.
func TestRealProviderForAnApp(t *testing.T) {
	srv := withProvider(t)
	b := browsertest.New(t, srv.URL)
	b.Scripts(t)
	app := serveApp(t, "oauth.mjs")
	wantHeading := func(want string) {
		t.Helper()
		if got := b.Heading(t); got != want {
			t.Fatalf("the page is %q, not %q\nserver log:\n%s", got, want, srv.Log)
		}
	}
	begin := func() {
		t.Helper()
		b.Open(t, app+"/?"+url.Values{"homeserver": {srv.URL}}.Encode())
		wantHeading("ready")
		b.Press(t, "Sign in")
	}

	begin()
	wantHeading("Sign in")
	b.Shows(t, "to go on to App with js-sdk")
	b.Press(t, "Continue with Example Login")
	atProvider(t, b)
	b.Press(t, "Continue") // the provider asks for consent
	wantHeading("Waiting for approval")
	b.Shows(t, "@alice:narthex.test has been made")
	b.Press(t, "Back to App with js-sdk")
	wantHeading("access_denied")
	if n := devicesOf(t, srv, "@alice:narthex.test"); n != 0 {
		t.Errorf("whoever waits has %d devices", n)
	}
	approve(t, srv)
	b.Press(t, "Try again")
	wantHeading("ready")
	b.Press(t, "Sign in")
	b.Shows(t, "Let App with js-sdk use your account?", "@alice:narthex.test")
	b.Press(t, "Allow")
	wantHeading("signed in as @alice:narthex.test")

	b.Open(t, "/account")
	b.Press(t, "Sign out")
	begin()
	wantHeading("Sign in")
	b.Press(t, "Continue with Example Login") // where alice is signed in still
	b.Shows(t, "Let App with js-sdk use your account?", "@alice:narthex.test")
	b.Press(t, "Allow")
	wantHeading("signed in as @alice:narthex.test")
	if n := devicesOf(t, srv, "@alice:narthex.test"); n != 2 {
		t.Errorf("there are %d devices after two sign-ins", n)
	}
}

func devicesOf(t *testing.T, srv *apitest.Server, userID id.UserID) (n int) {
	t.Helper()
	srv.Read(t, func(tx *db.Tx) error {
		devices, err := srv.App.Accounts.Devices(tx, userID)
		n = len(devices)
		return err
	})
	return n
}

// TestRealProviderSignsOut signs out at the provider, which tells the server: the pages
// are closed at once, and other people's stay open.
func TestRealProviderSignsOut(t *testing.T) {
	srv := withProvider(t)
	srv.User(t, "bob")
	b := browsertest.New(t, srv.URL)
	b.Open(t, "/login")
	b.Press(t, "Continue with Example Login")
	provider := strings.SplitAfterN(b.At(t), "/", 4)
	atProvider(t, b)
	b.Press(t, "Continue")
	approve(t, srv)
	b.Open(t, "/account")
	if got := b.Heading(t); got != "Your account" {
		t.Fatalf("the page is %q\nserver log:\n%s", got, srv.Log)
	}
	b.Shows(t, "@alice:narthex.test")
	bob := apitest.Surf(t, srv).SignIn(t, "bob")

	b.Open(t, strings.Join(provider[:3], "")+"session/end")
	b.Press(t, "Yes, sign me out")
	b.Open(t, "/account")
	if got := b.Heading(t); got != "Sign in" {
		t.Errorf("the page is %q\nserver log:\n%s", got, srv.Log)
	}
	bob.Get(t, "/account").Shows(t, 200, "@bob:narthex.test")
}
