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

// TestRealProvider signs in with a certified provider in Chromium: first for a client
// of the older way, with an account that has to be approved, then, approved, for
// the account page; and proves who it is to a page that would ask for the password.
func TestRealProvider(t *testing.T) {
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
	calls := make(chan url.Values, 1)
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/back" {
			calls <- r.URL.Query()
		}
		_, _ = w.Write([]byte("<h1>Welcome back</h1>")) // the browser may have gone
	}))
	defer app.Close()

	b := browsertest.New(t, srv.URL)
	atProvider := func() {
		t.Helper()
		b.Type(t, "alice\tany password")
		b.TypeAndLeave(t, "\r")
	}
	b.Open(t, "/_matrix/client/v3/login/sso/redirect/example?"+url.Values{"redirectUrl": {app.URL + "/back"}}.Encode())
	atProvider()
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
	srv.Administrator(t, "root").Do(t, "POST", "/_narthex/admin/v1/registrations/@alice:narthex.test/approve", map[string]any{}).OK(t, nil)

	b.Open(t, "/account/deactivate")
	b.Press(t, "Confirm with Example Login")
	atProvider() // it asks again, although the browser is signed in there
	if got := b.Heading(t); got != "Close your account" {
		t.Fatalf("the page is %q\nserver log:\n%s", got, srv.Log)
	}
	b.Shows(t, "@alice:narthex.test")
}
