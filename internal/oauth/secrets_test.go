package oauth_test

import (
	"strings"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
)

// What must appear neither in the log nor in the database.
const (
	plantedPassword = "planted-password-8d1f"
	plantedWrong    = "planted-wrong-password-77aa"
	plantedNew      = "planted-new-password-51c0"
)

func TestSecretsStayOutOfTheLog(t *testing.T) {
	srv := apitest.New(t, func(cfg *config.Config) { cfg.Registration.SharedSecret = sharedSecret })
	planted := []string{plantedPassword, plantedWrong, plantedNew, sharedSecret}
	keep := func(s session) session {
		planted = append(planted, s.AccessToken)
		if s.RefreshToken != "" {
			planted = append(planted, s.RefreshToken)
		}
		return s
	}
	body := object{"username": "alice", "password": plantedPassword, "refresh_token": true}
	c := challenged(t, srv, srv.Anyone().Do(t, "POST", registerPath, body))
	planted = append(planted, c.Session)
	s := keep(register(t, srv, with(body, object{"auth": object{"type": "m.login.dummy", "session": c.Session}})))
	s = keep(refreshed(t, srv, s.RefreshToken))
	keep(decode[session](t, login(t, srv, passwordLogin("alice", plantedPassword)).OK(t, nil)))
	login(t, srv, passwordLogin("alice", plantedWrong)).Fails(t, srv, errcode.Forbidden)
	login(t, srv, passwordLogin(plantedPassword, plantedWrong)).Fails(t, srv, errcode.Forbidden) // typed into the wrong field
	login(t, srv, `{"password":"`+plantedWrong+`",`).Fails(t, srv, errcode.NotJSON)
	login(t, srv, `{"type":{"x":"`+plantedWrong+`"}}`).Fails(t, srv, errcode.BadJSON)

	alice := as(srv, s.AccessToken)
	auth := object{"type": "m.login.password", "user": "alice", "password": plantedPassword}
	got := decode[object](t, alice.Do(t, "POST", "/_matrix/client/v1/login/get_token", object{"auth": auth}).OK(t, nil))
	planted = append(planted, got["login_token"].(string))
	got = decode[object](t, alice.Do(t, "POST", "/_matrix/client/v3/user/@alice:narthex.test/openid/request_token", nil).OK(t, nil))
	planted = append(planted, got["access_token"].(string))
	srv.Anyone().Do(t, "GET", whoamiPath+"?access_token="+s.AccessToken, nil).OK(t, nil)
	alice.Do(t, "POST", "/_matrix/client/v3/account/password", object{"new_password": plantedNew, "auth": auth}).OK(t, nil)
	secretBody := bySecret(t, srv, "bob", plantedPassword, "notadmin")
	planted = append(planted, secretBody["nonce"].(string), secretBody["mac"].(string))
	srv.Anyone().Do(t, "POST", secretPath, secretBody).OK(t, nil)
	challenged(t, srv, srv.Anyone().Do(t, "POST", registerPath, object{"username": "carol", "password": plantedPassword}))
	checkRemembered(t, srv, planted)
	srv.Advance(2 * time.Hour)
	srv.RunJobs(t)

	log := srv.Log.String()
	for _, secret := range planted {
		if strings.Contains(log, secret) {
			t.Errorf("the log contains %s", secret)
		}
	}
	checkAudit(t, srv, planted)
}

func checkAudit(t *testing.T, srv *apitest.Server, planted []string) {
	t.Helper()
	write(t, srv, func(tx *db.Tx) error {
		lines, err := srv.App.Accounts.AuditLog(tx, 0, 100)
		for _, line := range lines {
			for _, secret := range planted {
				if strings.Contains(string(line.Details)+line.Actor+line.Target, secret) {
					t.Errorf("the audit log contains %s", secret)
				}
			}
		}
		return err
	})
}

// checkRemembered looks into what sessions of user-interactive authentication
// remember of their first requests.
func checkRemembered(t *testing.T, srv *apitest.Server, planted []string) {
	t.Helper()
	requests := sessionsOf(t, srv)
	if len(requests) == 0 {
		t.Error("there is no session to look into")
	}
	for _, request := range requests {
		for _, secret := range planted {
			if strings.Contains(request, secret) {
				t.Errorf("a session remembers %s", secret)
			}
		}
	}
}

func sessionsOf(t *testing.T, srv *apitest.Server) (requests []string) {
	t.Helper()
	write(t, srv, func(tx *db.Tx) (err error) {
		raw, err := db.All(tx, db.Scalar[[]byte], `SELECT request FROM interactive_sessions`)
		for _, r := range raw {
			requests = append(requests, string(r))
		}
		return err
	})
	return requests
}
