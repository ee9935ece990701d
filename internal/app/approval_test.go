package app_test

import (
	"strings"
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/id"
)

func approving(cfg *config.Config) {
	cfg.Approval.Enabled, cfg.Approval.RequiredForNewAccounts = true, true
}

// TestA61_NothingIsKeptForAPendingAccount holds that others can leave nothing for
// somebody who has not been let in.
func TestA61_NothingIsKeptForAPendingAccount(t *testing.T) {
	srv := apitest.New(t, approving)
	root, alice := srv.Administrator(t, "root"), srv.User(t, "alice")
	srv.Anyone().Do(t, "POST", "/_matrix/client/v3/register", `{"username":"bob","password":"`+apitest.Password+`","auth":{"type":"m.login.dummy"}}`).
		Fails(t, srv, errcode.UserAwaitingApproval)
	bob := id.UserID("@bob:narthex.test")

	var keys struct {
		DeviceKeys map[id.UserID]map[id.DeviceID]any `json:"device_keys"`
	}
	alice.Do(t, "POST", "/_matrix/client/v3/keys/query", map[string]any{"device_keys": map[id.UserID][]string{bob: {}}}).OK(t, &keys)
	if len(keys.DeviceKeys[bob]) != 0 {
		t.Errorf("keys of a pending account: %v", keys)
	}
	toBob := map[string]any{"messages": map[id.UserID]any{bob: map[string]any{"*": map[string]string{"text": "too early"}}}}
	alice.Do(t, "PUT", "/_matrix/client/v3/sendToDevice/org.example.note/"+apitest.TxnID(), toBob).OK(t, nil)

	root.Do(t, "POST", "/_narthex/admin/v1/registrations/"+apitest.Escape(bob)+"/approve", `{}`).OK(t, nil)
	client := srv.Device(t, bob, "PHONE")
	if r := client.Do(t, "GET", "/_matrix/client/v3/sync?timeout=0", nil).OK(t, nil); strings.Contains(string(r.Body), "too early") {
		t.Errorf("a message was kept for a pending account: %s", r.Body)
	}
}

// TestA64_ApprovalIsNotAnnounced holds that nothing is invented to announce it.
func TestA64_ApprovalIsNotAnnounced(t *testing.T) {
	srv := apitest.New(t, approving)
	alice := srv.User(t, "alice")
	apitest.Run(t, []apitest.Case{
		{Name: "versions", As: srv.Anyone(), Do: "GET", Path: "/_matrix/client/versions", HasNot: []string{"3866", "approv"}},
		{Name: "capabilities", As: alice, Do: "GET", Path: "/_matrix/client/v3/capabilities", HasNot: []string{"3866", "approv"}},
	})
}

// TestRE4_RoomErrorsAreNotAnnounced holds the same of the errors of room actions.
func TestRE4_RoomErrorsAreNotAnnounced(t *testing.T) {
	srv := apitest.New(t)
	apitest.Run(t, []apitest.Case{
		{Name: "versions", As: srv.Anyone(), Do: "GET", Path: "/_matrix/client/versions", HasNot: []string{"3848"}},
	})
}

// TestEC1_EveryErrorIsJSON holds that an error of any of the interfaces has both
// keys, whether a route answers it or none.
func TestEC1_EveryErrorIsJSON(t *testing.T) {
	srv := apitest.New(t)
	requests := []apitest.Case{}
	for _, r := range srv.App.Routes() {
		requests = append(requests, apitest.Case{Do: "PATCH", Path: sample(r, nil)})
		if authenticated(r) {
			requests = append(requests, apitest.Case{Do: r.Method, Path: sample(r, nil)})
		}
	}
	for _, path := range []string{"/_matrix/nothing", "/_synapse/nothing", "/_narthex/nothing", "/_matrix//", "/"} {
		requests = append(requests, apitest.Case{Do: "GET", Path: path}, apitest.Case{Do: "HEAD", Path: path})
	}
	for _, c := range requests {
		r := srv.Anyone().Do(t, c.Do, c.Path, nil)
		body := string(r.Body)
		whole := strings.Contains(body, `"errcode":"M_`) && strings.Contains(body, `"error":"`)
		if r.Status < 400 || r.Status >= 500 || !whole && c.Do != "HEAD" ||
			r.Header.Get("Content-Type") != "application/json" || r.Header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s %s: got %d %s %v", c.Do, c.Path, r.Status, body, r.Header)
		}
	}
}
