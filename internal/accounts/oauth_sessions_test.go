package accounts_test

import (
	"strings"
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/errcode"
)

// TestOA35_SessionsOfOAuthPassNoInteractiveAuthentication holds that a session of
// OAuth 2.0 is sent to the account's page instead, even with the right password.
func TestOA35_SessionsOfOAuthPassNoInteractiveAuthentication(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	phone := srv.OAuthDevice(t, alice.UserID, "PHONE_OF_ALICE")
	auth := byPassword("alice", apitest.Password, "")
	for _, c := range []struct {
		method, path string
		body         object
	}{
		{"DELETE", "/_matrix/client/v3/devices/DEVICE1", object{}},
		{"POST", "/_matrix/client/v3/delete_devices", object{"devices": []string{"DEVICE1"}}},
		{"POST", "/_matrix/client/v3/account/password", object{"new_password": "another good one"}},
		{"POST", "/_matrix/client/v3/account/deactivate", object{}},
		{"POST", "/_matrix/client/v1/login/get_token", object{}},
	} {
		for range 2 {
			r := phone.Do(t, c.method, c.path, c.body).Fails(t, srv, errcode.Forbidden)
			if !strings.Contains(string(r.Body), srv.URL+"/account") {
				t.Errorf("%s: %s does not say where to go", c.path, r.Body)
			}
			c.body["auth"] = auth
		}
	}
	if got := deviceIDs(t, srv, alice.UserID); len(got) != 2 {
		t.Errorf("the devices are %v", got)
	}
	// A session of the legacy login goes on as before.
	challenged(t, srv, alice.Do(t, "POST", "/_matrix/client/v3/account/deactivate", object{}))
}
