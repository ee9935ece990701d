package oauth_test

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/id"
)

func TestMain(m *testing.M) { apitest.Main(m) }

type object = map[string]any

const (
	registerPath = "/_matrix/client/v3/register"
	loginPath    = "/_matrix/client/v3/login"
	refreshPath  = "/_matrix/client/v3/refresh"
	whoamiPath   = "/_matrix/client/v3/account/whoami"
)

// session is what registration and login answer.
type session struct {
	UserID       id.UserID   `json:"user_id"`
	DeviceID     id.DeviceID `json:"device_id"`
	AccessToken  string      `json:"access_token"`
	RefreshToken string      `json:"refresh_token"`
	ExpiresInMS  int64       `json:"expires_in_ms"`
	HomeServer   string      `json:"home_server"`
}

// challenge is the first answer of user-interactive authentication.
type challenge struct {
	Session   string   `json:"session"`
	Completed []string `json:"completed"`
	Errcode   string   `json:"errcode"`
	Error     string   `json:"error"`
	Flows     []struct {
		Stages []string `json:"stages"`
	} `json:"flows"`
	Params map[string]json.RawMessage `json:"params"`
}

func challenged(t *testing.T, srv *apitest.Server, r *apitest.Response) challenge {
	t.Helper()
	r.Fails(t, srv, errcode.InteractiveAuth)
	return decode[challenge](t, r)
}

func decode[T any](t testing.TB, r *apitest.Response) (v T) {
	t.Helper()
	if err := json.Unmarshal(r.Body, &v); err != nil {
		t.Fatalf("%v in %s", err, r.Body)
	}
	return v
}

// with adds members to an object.
func with(o object, more object) object {
	out := object{}
	for k, v := range o {
		out[k] = v
	}
	for k, v := range more {
		out[k] = v
	}
	return out
}

func dummy() object { return object{"auth": object{"type": "m.login.dummy"}} }

// registration is a request that makes an account at once.
func registration(username string) object {
	return with(dummy(), object{"username": username, "password": apitest.Password})
}

func register(t *testing.T, srv *apitest.Server, body object) session {
	t.Helper()
	r := srv.Anyone().Do(t, "POST", registerPath, body).OK(t, nil)
	return decode[session](t, r)
}

func passwordLogin(user, password string) object {
	return object{"type": "m.login.password", "identifier": object{"type": "m.id.user", "user": user}, "password": password}
}

func login(t *testing.T, srv *apitest.Server, body any) *apitest.Response {
	t.Helper()
	return srv.Anyone().Do(t, "POST", loginPath, body)
}

// as is the client that holds an access token.
func as(srv *apitest.Server, token string) *apitest.Client {
	return &apitest.Client{Server: srv, Token: token}
}

func write(t *testing.T, srv *apitest.Server, f func(tx *db.Tx) error) {
	t.Helper()
	if err := srv.App.DB.Write(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

func account(t *testing.T, srv *apitest.Server, userID id.UserID) (a accounts.Account) {
	t.Helper()
	write(t, srv, func(tx *db.Tx) (err error) {
		a, err = srv.App.Accounts.Find(tx, userID)
		return err
	})
	return a
}

func devices(t *testing.T, srv *apitest.Server, userID id.UserID) (d []accounts.Device) {
	t.Helper()
	write(t, srv, func(tx *db.Tx) (err error) {
		d, err = srv.App.Accounts.Devices(tx, userID)
		return err
	})
	return d
}

// rows counts the rows of a query.
func rows(t *testing.T, srv *apitest.Server, query string, args ...any) (n int64) {
	t.Helper()
	write(t, srv, func(tx *db.Tx) (err error) {
		n, err = db.Value[int64](tx, query, args...)
		return err
	})
	return n
}

func userID(localpart string) id.UserID {
	return id.UserID("@" + localpart + ":" + string(apitest.ServerName))
}

// atOnce makes n requests at the same time and counts the answers by status and
// errcode, such as "200" and "400 M_USER_IN_USE".
func atOnce(t *testing.T, n int, request func(i int) (*apitest.Response, error)) (count map[string]int, answers []*apitest.Response) {
	t.Helper()
	answers = make([]*apitest.Response, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			r, err := request(i)
			if err != nil {
				t.Errorf("request %d: %v", i, err)
				return
			}
			answers[i] = r
		})
	}
	wg.Wait()
	count = map[string]int{}
	for _, r := range answers {
		if r == nil {
			continue
		}
		key := fmt.Sprint(r.Status)
		if code, _ := decode[object](t, r)["errcode"].(string); code != "" {
			key += " " + code
		}
		count[key]++
	}
	return count, answers
}

// approvalRequired configures a server whose new accounts wait.
func approvalRequired(cfg *config.Config) {
	cfg.Approval.Enabled, cfg.Approval.RequiredForNewAccounts = true, true
}
