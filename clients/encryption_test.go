package clients_test

import (
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
)

// TestMatrixJSSDKEncrypts plays two people with cross-signing and key backup.
func TestMatrixJSSDKEncrypts(t *testing.T) {
	needNode(t)
	srv := apitest.New(t)
	srv.User(t, "alice")
	srv.User(t, "bob")
	node(t, "encryption.mjs", "HOMESERVER_URL="+srv.URL)
}
