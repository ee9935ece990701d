package admin_test

import (
	"strings"
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/errcode"
)

// TestA55_ReasonForJoining holds that administrators see why somebody wants to join,
// in the person's own words, and null where they gave none.
func TestA55_ReasonForJoining(t *testing.T) {
	srv := apitest.New(t, func(cfg *config.Config) {
		cfg.Approval.Enabled, cfg.Approval.RequiredForNewAccounts, cfg.Approval.Reason = true, true, "optional"
	})
	root := srv.Administrator(t, "root")
	for name, reason := range map[string]string{"carol": `I "sing"`, "dave": ""} {
		srv.Anyone().Do(t, "POST", "/_matrix/client/v3/register", object{"username": name, "password": apitest.Password,
			"auth": object{"type": "m.login.dummy"}, "io.github.narthex-matrix.reason": reason}).Fails(t, srv, errcode.UserAwaitingApproval)
	}
	body := string(root.Do(t, "GET", registrations("?state=pending"), nil).OK(t, nil).Body)
	if !strings.Contains(body, `"reason":"I \"sing\""`) || strings.Count(body, `"reason":null`) != 1 {
		t.Errorf("got %s", body)
	}
}
