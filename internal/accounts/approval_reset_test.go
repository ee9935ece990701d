package accounts_test

import (
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/errcode"
)

// TestA36_WhoWaitsChoosesAnotherPassword holds that a forgotten password can be
// replaced while one waits, by which nobody gets in.
func TestA36_WhoWaitsChoosesAnotherPassword(t *testing.T) {
	srv, mails := withMail(t, approvalRequired)
	carol := pend(t, srv, "carol")
	own(t, srv, carol, "email", "carol@example.org")
	sid := validate(t, srv, mails, resetEmailPath, "carol@example.org")
	const fresh = "a new password"
	r := srv.Anyone().Do(t, "POST", passwordPath, object{"new_password": fresh, "auth": byAddress(sid)}).OK(t, nil)
	if string(r.Body) != "{}" {
		t.Errorf("got %s", r.Body)
	}
	login := func(password string) *apitest.Response {
		return srv.Anyone().Do(t, "POST", "/_matrix/client/v3/login",
			object{"type": "m.login.password", "identifier": object{"type": "m.id.user", "user": "carol"}, "password": password})
	}
	login(apitest.Password).Fails(t, srv, errcode.Forbidden)
	login(fresh).Fails(t, srv, errcode.UserAwaitingApproval)
	if got := deviceIDs(t, srv, carol); len(got) != 0 {
		t.Errorf("the devices are %v", got)
	}
}
