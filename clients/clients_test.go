// Package clients_test runs unmodified Matrix clients against the server.
package clients_test

import (
	"os"
	"os/exec"
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
)

func TestMain(m *testing.M) { apitest.Main(m) }

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
	cmd := exec.CommandContext(t.Context(), "node", "--test", "--test-reporter=spec", "js-sdk.mjs")
	cmd.Env = append(os.Environ(), "HOMESERVER_URL="+srv.URL)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}
