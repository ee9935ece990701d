package app_test

import (
	"strings"
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/id"
)

// A server keeps events in memory. What another one redacts must be gone from there as
// soon as the redaction is answered, without a message that might come late.
func TestReplicasForgetWhatIsRedacted(t *testing.T) {
	servers := replicas(t, 2)
	forgets(t, servers[0], servers[1])
}

// TestWhatIsRedactedIsForgotten is the same with one server.
func TestWhatIsRedactedIsForgotten(t *testing.T) {
	srv := apitest.New(t)
	forgets(t, srv, srv)
}

// forgets writes and redacts by one server and reads by the other.
func forgets(t *testing.T, here, there *apitest.Server) {
	t.Helper()
	const word = "sesame"
	alice, bob := here.User(t, "alice"), here.User(t, "bob")
	room := here.User(t, "owner").CreateRoom(t, map[string]any{"preset": "public_chat", "power_level_content_override": map[string]any{
		"state_default": 0, "redact": 0,
	}}).Join(t, alice, bob)
	readers := map[string]string{
		"messages": room.Path("/messages?dir=b&limit=100"), "state": room.Path("/state"), "members": room.Path("/members"),
		"initial sync": "/_matrix/client/v3/sync",
	}
	redacted := map[string]id.EventID{
		"message": room.SendEvent(t, alice, "m.room.message", map[string]any{"msgtype": "m.text", "body": word}),
		"topic":   room.SetState(t, alice, "m.room.topic", map[string]any{"topic": word}),
		"member":  room.SetState(t, alice, "m.room.member/"+apitest.Escape(alice.UserID), map[string]any{"membership": "join", "displayname": word}),
	}
	for name, eventID := range redacted {
		readers["event of the "+name] = room.Path("/event/" + apitest.Escape(eventID))
	}
	reads := func(path string) string { return string(at(there, bob).Do(t, "GET", path, nil).OK(t, nil).Body) }
	for range 2 { // to be kept, and from what was kept
		for name, path := range readers {
			if !strings.Contains(reads(path), word) && !strings.HasPrefix(name, "event of") {
				t.Errorf("%s does not have the word before it is redacted", name)
			}
		}
	}
	for name, eventID := range redacted {
		alice.Do(t, "PUT", room.Path("/redact/"+apitest.Escape(eventID)+"/"+apitest.TxnID()), map[string]any{}).OK(t, nil)
		if path := readers["event of the "+name]; strings.Contains(reads(path), word) {
			t.Errorf("the %s is still told after it was redacted", name)
		}
	}
	for name, path := range readers {
		if body := reads(path); strings.Contains(body, word) {
			t.Errorf("%s tells the word after it was redacted: %s", name, body)
		}
	}
}
