package oauth_test

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
)

const (
	secretPath   = "/_synapse/admin/v1/register"
	sharedSecret = "the shared secret of the test"
)

// bySecret is a request with its nonce and its mac.
func bySecret(t *testing.T, srv *apitest.Server, parts ...string) object {
	t.Helper()
	nonce, _ := decode[object](t, srv.Anyone().Do(t, "GET", secretPath, nil).OK(t, nil))["nonce"].(string)
	mac := hmac.New(sha1.New, []byte(sharedSecret))
	mac.Write([]byte(nonce + "\x00" + strings.Join(parts, "\x00")))
	body := object{"nonce": nonce, "username": parts[0], "password": parts[1], "admin": parts[2] == "admin", "mac": hex.EncodeToString(mac.Sum(nil))}
	if len(parts) > 3 {
		body["user_type"] = parts[3]
	}
	return body
}

func TestRegisterBySecret(t *testing.T) {
	srv := apitest.New(t, approvalRequired, func(cfg *config.Config) {
		cfg.Registration.SharedSecret = sharedSecret
		cfg.Registration.Enabled = false
	})
	post := func(body object) *apitest.Response { return srv.Anyone().Do(t, "POST", secretPath, body) }

	t.Run("A-18 approved at once", func(t *testing.T) {
		body := with(bySecret(t, srv, "root", apitest.Password, "admin"), object{"displayname": "The Root"})
		s := decode[session](t, post(body).OK(t, nil))
		if s.UserID != userID("root") || s.AccessToken == "" || s.DeviceID == "" {
			t.Errorf("got %+v", s)
		}
		if a := account(t, srv, s.UserID); !a.Admin || a.Pending() {
			t.Errorf("got %+v, want an approved administrator", a)
		}
		login(t, srv, passwordLogin("root", apitest.Password)).OK(t, nil)
		write(t, srv, func(tx *db.Tx) error {
			fields, err := srv.App.Accounts.ProfileFields(tx, s.UserID)
			if got := string(fields["displayname"]); got != `"The Root"` {
				t.Errorf("displayname: got %s", got)
			}
			return err
		})
		post(body).Fails(t, srv, errcode.InvalidParam) // the nonce is used up
	})
	t.Run("not an administrator, with a user type", func(t *testing.T) {
		s := decode[session](t, post(bySecret(t, srv, "bot", apitest.Password, "notadmin", "bot")).OK(t, nil))
		if a := account(t, srv, s.UserID); a.Admin {
			t.Errorf("got %+v", a)
		}
	})
	t.Run("refused", func(t *testing.T) {
		post(bySecret(t, srv, "root", apitest.Password, "notadmin")).Fails(t, srv, errcode.UserInUse)
		post(bySecret(t, srv, "a b", apitest.Password, "notadmin")).Fails(t, srv, errcode.InvalidUsername)
		post(bySecret(t, srv, "eve", "short", "notadmin")).Fails(t, srv, errcode.WeakPassword)
		post(with(bySecret(t, srv, "eve", apitest.Password, "notadmin"), object{"admin": true})).Fails(t, srv, errcode.Forbidden)
		body := with(bySecret(t, srv, "eve", apitest.Password, "notadmin"), object{"mac": "00"})
		post(body).Fails(t, srv, errcode.Forbidden)
		post(body).Fails(t, srv, errcode.InvalidParam) // one attempt for each nonce
		body = bySecret(t, srv, "eve", apitest.Password, "notadmin")
		srv.Advance(2 * time.Minute)
		post(body).Fails(t, srv, errcode.InvalidParam)
		srv.RunJobs(t)
	})
	t.Run("malformed", func(t *testing.T) {
		post(object{"nonce": "n"}).Fails(t, srv, errcode.MissingParam)
		post(object{"nonce": 1}).Fails(t, srv, errcode.BadJSON)
	})
	t.Run("switched off", func(t *testing.T) {
		off := apitest.New(t)
		off.Anyone().Do(t, "GET", secretPath, nil).Fails(t, off, errcode.Unrecognized)
		off.Anyone().Do(t, "POST", secretPath, object{"nonce": "n", "username": "u", "password": "p", "mac": "m"}).Fails(t, off, errcode.Unrecognized)
	})
}

// TestRegisterBySecretWhereAFactorIsRequired holds that a script gets no session of an
// account that has to have a second factor, but can make the account.
func TestRegisterBySecretWhereAFactorIsRequired(t *testing.T) {
	srv := apitest.New(t, func(cfg *config.Config) {
		cfg.Registration.SharedSecret, cfg.Login.SecondFactor.Required = sharedSecret, "administrators"
	})
	srv.Anyone().Do(t, "POST", secretPath, bySecret(t, srv, "root", apitest.Password, "admin")).Fails(t, srv, errcode.Forbidden)
	srv.Anyone().Do(t, "GET", "/_matrix/client/v3/register/available?username=root", nil).OK(t, nil) // nothing was made
	s := decode[session](t, srv.Anyone().Do(t, "POST", secretPath, with(bySecret(t, srv, "root", apitest.Password, "admin"), object{"inhibit_login": true})).OK(t, nil))
	if s.AccessToken != "" {
		t.Error("there is a token")
	}
	srv.Anyone().Do(t, "POST", secretPath, bySecret(t, srv, "alice", apitest.Password, "notadmin")).OK(t, nil)
}
