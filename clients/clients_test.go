// Package clients_test runs unmodified Matrix clients against the server.
package clients_test

import (
	"os"
	"os/exec"
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/browsertest"
	"github.com/narthex-matrix/narthex/internal/config"
)

func TestMain(m *testing.M) { apitest.Main(m, browsertest.End) }

// need skips the test, with what to install, where something is missing; with
// CI=true it fails.
func need(t *testing.T, missing bool, install string) {
	t.Helper()
	if !missing {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("needed where CI=true: " + install)
	}
	t.Skip("to run it: " + install)
}

func needNode(t *testing.T) {
	t.Helper()
	_, err := exec.LookPath("node")
	need(t, err != nil, "install Node.js 20 or newer")
	_, err = os.Stat("node_modules")
	need(t, err != nil, "npm ci in the folder clients")
}

// TestMatrixJSSDK plays two people with matrix-js-sdk on Node.
func TestMatrixJSSDK(t *testing.T) {
	needNode(t)
	srv := apitest.New(t)
	node(t, "js-sdk.mjs", "HOMESERVER_URL="+srv.URL)
}

// TestMatrixJSSDKWaitsForApproval plays somebody whose account has to be approved.
func TestMatrixJSSDKWaitsForApproval(t *testing.T) {
	needNode(t)
	srv := apitest.New(t, func(cfg *config.Config) {
		cfg.Approval.Enabled, cfg.Approval.RequiredForNewAccounts = true, true
	})
	node(t, "approval.mjs", "HOMESERVER_URL="+srv.URL, "ADMIN_TOKEN="+srv.Administrator(t, "root").Token)
}

// node runs a test script on Node.
func node(t *testing.T, script string, environment ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "node", "--test", "--test-reporter=spec", "--test-force-exit", script)
	cmd.Env = append(os.Environ(), environment...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}
