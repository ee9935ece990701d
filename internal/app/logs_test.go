package app_test

import (
	"strings"
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
)

// TestLogsHoldNoSecretsAndNoContent plants texts where people write, goes through
// what succeeds and what fails, and looks for them in the log at its finest level.
func TestLogsHoldNoSecretsAndNoContent(t *testing.T) {
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	room := alice.CreateRoom(t, map[string]any{"preset": "public_chat", "name": "planted-name", "topic": "planted-topic"}).Join(t, bob)
	for _, as := range []*apitest.Client{alice, bob, srv.Anyone(), srv.User(t, "carol")} {
		as.Do(t, "PUT", room.Path("/send/m.room.message/"+apitest.TxnID()), map[string]any{"msgtype": "m.text", "body": "planted-message"})
		as.Do(t, "PUT", room.Path("/state/m.room.topic"), map[string]any{"topic": "planted-state"})
		as.Do(t, "PUT", room.Path("/send/m.room.message/broken"), `{"body":"planted-broken`)
		as.Do(t, "PUT", "/_matrix/client/v3/profile/"+apitest.Escape(as.UserID)+"/displayname", `{"displayname":"planted-display-name"}`)
		as.Do(t, "PUT", "/_matrix/client/v3/user/"+apitest.Escape(as.UserID)+"/account_data/org.example.note", `{"text":"planted-account-data"}`)
		as.Do(t, "POST", room.Path("/report"), `{"reason":"planted-report"}`)
		as.Do(t, "POST", "/_matrix/client/v3/login", `{"type":"m.login.password","identifier":{"type":"m.id.user","user":"alice"},"password":"planted-password"}`)
		as.Do(t, "POST", "/_matrix/client/v3/register", `{"username":"dave","password":"planted-password","auth":{"type":"m.login.dummy"}}`)
		as.Do(t, "GET", "/_matrix/client/v3/account/whoami?access_token=planted-token", nil)
		as.Do(t, "GET", "/_matrix/client/v3/sync?timeout=0", nil)
		as.Do(t, "GET", room.Path("/messages?dir=b"), nil)
	}
	if log := srv.Log.String(); strings.Contains(log, "planted") {
		t.Errorf("the log holds what people wrote:\n%s", log)
	}
}
