package accounts_test

import (
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/canonicaljson"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/outbound"
	"github.com/narthex-matrix/narthex/internal/xmatrix"
)

// says is an identity server that answers everything alike.
func says(status int, body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
}

func errorBody(code, text string) string { return fmt.Sprintf(`{"errcode":%q,"error":%q}`, code, text) }

// withIdentityServer is a homeserver that trusts an identity server at the front.
func withIdentityServer(t *testing.T) (*apitest.Server, *apitest.Front) {
	t.Helper()
	front := apitest.NewFront(t)
	srv := apitest.New(t, apitest.ReachFronts(t), func(cfg *config.Config) { cfg.Threepid.TrustedIdentityServers = []string{front.Name} })
	return srv, front
}

func TestTP72_ErrorsOfIdentityServers(t *testing.T) {
	srv, front := withIdentityServer(t)
	alice := srv.User(t, "alice")
	good := `{"medium":"email","address":"a@example.org","mxid":"` + string(alice.UserID) + `","ts":1,"signatures":{}}`
	for name, c := range map[string]struct {
		answer http.Handler
		want   *errcode.Code
		text   string // of the answer to the client
	}{
		"a known code":                    {says(404, errorBody("M_NO_VALID_SESSION", "No such session.")), errcode.NoValidSession, "No such session."},
		"by another status":               {says(400, errorBody("M_NO_VALID_SESSION", "No such session.")), errcode.NoValidSession, "No such session."},
		"one of two rows, by its status":  {says(403, errorBody("M_UNAUTHORIZED", "Not yours.")), errcode.NotYours, "Not yours."},
		"the other":                       {says(401, errorBody("M_UNAUTHORIZED", "Who?")), errcode.IdentityUnauthorized, "Who?"},
		"a code that would sign out":      {says(401, errorBody("M_UNKNOWN_TOKEN", "Unknown.")), errcode.IdentityUnauthorized, "Unknown."},
		"what is invalid":                 {says(400, errorBody("M_INVALID_PARAM", "Bad sid.")), errcode.InvalidParam, "Bad sid."},
		"a text that cannot be shown":     {says(400, errorBody("M_SESSION_EXPIRED", "a\x00b")), errcode.SessionExpired, "gave no reason"},
		"a text without an end":           {says(400, errorBody("M_SESSION_EXPIRED", strings.Repeat("long ", 100))), errcode.SessionExpired, "gave no reason"},
		"an unknown code":                 {says(400, errorBody("ORG.EXAMPLE_ODD", "secret of the server")), errcode.Unknown, "refused"},
		"a code of something else":        {says(403, errorBody("M_USER_DEACTIVATED", "x")), errcode.Unknown, "refused"},
		"a refusal that is no JSON":       {says(400, "<html>"), errcode.Unknown, "refused"},
		"a refusal of another shape":      {says(400, `{"errcode":5}`), errcode.Unknown, "refused"},
		"too many requests":               {says(429, `{"errcode":"M_LIMIT_EXCEEDED","error":"Slow down.","retry_after_ms":4500}`), errcode.LimitExceeded, `"retry_after_ms":5000`},
		"too many, for ever":              {says(429, `{"errcode":"M_LIMIT_EXCEEDED","retry_after_ms":999999999999}`), errcode.LimitExceeded, `"retry_after_ms":3600000`},
		"too many, before the past":       {says(429, `{"retry_after_ms":-5}`), errcode.LimitExceeded, `"retry_after_ms":1000`},
		"a fault":                         {says(500, errorBody("M_NO_VALID_SESSION", "x")), errcode.Unknown, "could not be reached"},
		"a redirect":                      {http.RedirectHandler("https://example.org/", http.StatusFound), errcode.Unknown, "could not be reached"},
		"success that is no JSON":         {says(200, "<html>"), errcode.Unknown, "could not be reached"},
		"success without an association":  {says(200, "{}"), errcode.Unknown, "could not be reached"},
		"an association of another user":  {says(200, strings.Replace(good, "alice", "bob", 1)), errcode.Unknown, "could not be reached"},
		"an association of what is none":  {says(200, strings.Replace(good, "a@example.org", "nothing", 1)), errcode.Unknown, "does not know"},
		"an association of another kind":  {says(200, strings.Replace(good, "email", "pigeon", 1)), errcode.Unknown, "does not know"},
		"more than anybody wants to read": {says(200, good+strings.Repeat(" ", outbound.MaxBody)), errcode.Unknown, "could not be reached"},
		"a refusal without an end":        {says(400, strings.Repeat(" ", outbound.MaxBody+1)), errcode.Unknown, "could not be reached"},
	} {
		t.Run(name, func(t *testing.T) {
			front.Serve(c.answer)
			resp := alice.Do(t, "POST", bindPath, with(creds("x"), object{"id_server": front.Name, "id_access_token": "secret of alice"}))
			resp.Fails(t, srv, c.want)
			if !strings.Contains(string(resp.Body), c.text) {
				t.Errorf("got %s, want %q in it", resp.Body, c.text)
			}
		})
	}
	expectBindings(t, srv, 0, 0)
	front.Serve(says(200, good))
	alice.Do(t, "POST", bindPath, with(creds("x"), object{"id_server": front.Name, "id_access_token": "secret of alice"})).OK(t, nil)
	expectBindings(t, srv, 1, 0)
	if strings.Contains(srv.Log.String(), "secret of alice") {
		t.Error("a token of the identity server is in the log")
	}
}

// TestTP72_UnreachableIdentityServers holds that a server which is trusted is not
// reached in a network that is not allowed, or where nobody listens.
func TestTP72_UnreachableIdentityServers(t *testing.T) {
	front := apitest.NewFront(t)
	for name, server := range map[string]string{"in a private network": front.Name, "where nobody listens": "127.0.0.1:1", "a name that makes no address": "id example"} {
		t.Run(name, func(t *testing.T) {
			srv := apitest.New(t, func(cfg *config.Config) { cfg.Threepid.TrustedIdentityServers = []string{server} })
			alice := srv.User(t, "alice")
			front.Serve(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was reached") }))
			alice.Do(t, "POST", bindPath, with(creds("x"), object{"id_server": server, "id_access_token": "x"})).Fails(t, srv, errcode.Unknown)
		})
	}
}

// TestTP73_UnbindingGoesOn holds that an identity server which does not answer is told
// later, unless the user binds the address again.
func TestTP73_UnbindingGoesOn(t *testing.T) {
	home, ids, front := withForeignIdentityServer(t)
	alice := home.User(t, "alice")
	body := object{"medium": "email", "address": "alice@example.org"}
	as := ids.register(t, alice)
	later := func() { home.Advance(7 * time.Hour); home.RunJobs(t) }

	ids.bind(t, alice, "alice@example.org")
	for name, broken := range map[string]http.Handler{"down": says(503, ""), "rubbish": says(200, "<html>"), "overloaded": says(429, "{}"),
		"too much": says(200, "{}"+strings.Repeat(" ", outbound.MaxBody))} {
		front.Serve(broken)
		unbindAs(t, alice, deletePath, body, "no-support")
		later()
		if got := bindings(t, home); got != [2]int64{1, 1} {
			t.Errorf("%s: the homeserver remembers %v bindings", name, got)
		}
	}
	front.Serve(ids.App)
	later()
	expectBindings(t, home, 0, 0)
	if got := ids.owner(t, as, "alice@example.org"); got != "" {
		t.Errorf("still bound to %s", got)
	}

	ids.bind(t, alice, "alice@example.org")
	front.Serve(says(503, ""))
	unbindAs(t, alice, unbindPath, body, "no-support")
	front.Serve(ids.App)
	ids.bind(t, alice, "alice@example.org")
	later()
	expectBindings(t, home, 1, 0)
	if got := ids.owner(t, as, "alice@example.org"); got != string(alice.UserID) {
		t.Errorf("bound to %q after binding again", got)
	}
}

// TestTP73_UnbindingEnds holds that an identity server that has gone is not asked for
// ever.
func TestTP73_UnbindingEnds(t *testing.T) {
	srv, front := withIdentityServer(t)
	alice := srv.User(t, "alice")
	var asked atomic.Int64
	front.Serve(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { asked.Add(1); w.WriteHeader(http.StatusBadGateway) }))
	unbindAs(t, alice, unbindPath, object{"medium": "msisdn", "address": "447700900123", "id_server": front.Name}, "no-support")
	for range 40 {
		srv.Advance(7 * time.Hour)
		srv.RunJobs(t)
	}
	expectBindings(t, srv, 0, 0)
	if got := asked.Load(); got != 31 {
		t.Errorf("asked %d times", got)
	}
}

// TestTP74_NoSupport holds that an identity server which does not unbind is not asked
// again.
func TestTP74_NoSupport(t *testing.T) {
	srv, front := withIdentityServer(t)
	alice := srv.User(t, "alice")
	for _, status := range []int{400, 401, 403, 404, 405} {
		front.Serve(says(status, errorBody("M_UNRECOGNIZED", "What?")))
		unbindAs(t, alice, unbindPath, object{"medium": "email", "address": "alice@example.org", "id_server": front.Name}, "no-support")
		expectBindings(t, srv, 0, 0)
	}
	front.Serve(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was asked again") }))
	srv.Advance(7 * time.Hour)
	srv.RunJobs(t)
}

// TestTP74_BothSignatures holds that identity servers of both readings of the
// signature take an address back.
func TestTP74_BothSignatures(t *testing.T) {
	srv, front := withIdentityServer(t)
	alice := srv.User(t, "alice")
	key := serverKey(t, srv)
	for _, name := range []string{xmatrix.Destination, xmatrix.DestinationIs} {
		front.Serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			claims, _ := xmatrix.Parse(r.Header.Get("Authorization"))
			signed := xmatrix.Request{Method: "POST", URI: r.RequestURI, Origin: string(apitest.ServerName), Destination: front.Name, DestinationName: name, Body: body}
			if signed.Verify(claims["sig"], key) != nil || claims["origin"] != string(apitest.ServerName) {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			var got struct {
				Threepid struct{ Medium, Address string }
				MXID     string
			}
			if json.Unmarshal(body, &got) != nil || got.Threepid.Address != "alice@example.org" || got.Threepid.Medium != "email" || got.MXID != string(alice.UserID) {
				t.Errorf("got %s", body)
			}
			_, _ = io.WriteString(w, "{}")
		}))
		unbindAs(t, alice, unbindPath, object{"medium": "email", "address": "alice@example.org", "id_server": front.Name}, "success")
	}
}

// TestTP74_DeactivationDoesNotWait holds that an account is closed although an identity
// server does not answer, which is told later.
func TestTP74_DeactivationDoesNotWait(t *testing.T) {
	home, ids, front := withForeignIdentityServer(t)
	alice, bob := home.User(t, "alice"), home.User(t, "bob")
	as := ids.register(t, bob)
	ids.bind(t, alice, "alice@example.org")
	front.Serve(says(503, ""))
	unbindAs(t, alice, "/_matrix/client/v3/account/deactivate", object{"auth": byPassword("alice", apitest.Password, "")}, "no-support")
	alice.Do(t, "GET", addressesPath, nil).Fails(t, home, errcode.UnknownToken)
	front.Serve(ids.App)
	home.Advance(7 * time.Hour)
	home.RunJobs(t)
	expectBindings(t, home, 0, 0)
	if got := ids.owner(t, as, "alice@example.org"); got != "" {
		t.Errorf("still bound to %s", got)
	}
}

// serverKey is the key that a homeserver publishes.
func serverKey(t *testing.T, srv *apitest.Server) ed25519.PublicKey {
	t.Helper()
	keys := decode[struct {
		VerifyKeys map[string]struct{ Key string } `json:"verify_keys"`
	}](t, srv.Anyone().Do(t, "GET", "/_matrix/key/v2/server", nil).OK(t, nil))
	for _, published := range keys.VerifyKeys {
		key, err := canonicaljson.DecodeBase64(published.Key)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	t.Fatal("there is no key")
	return nil
}

// TestTP72_BindWhileTheAccountIsClosed holds that nothing stays published of an account
// that is closed while an identity server binds its address.
func TestTP72_BindWhileTheAccountIsClosed(t *testing.T) {
	srv, front := withIdentityServer(t)
	alice := srv.User(t, "alice")
	front.Serve(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if err := try(t, srv, func(tx *db.Tx) error { return srv.App.Accounts.Deactivate(tx, alice.UserID, admin, false) }); err != nil {
			t.Error(err)
		}
		_, _ = io.WriteString(w, `{"medium":"email","address":"a@example.org","mxid":"`+string(alice.UserID)+`"}`)
	}))
	alice.Do(t, "POST", bindPath, with(creds("x"), object{"id_server": front.Name, "id_access_token": "x"})).OK(t, nil)
	expectBindings(t, srv, 1, 1)
	front.Serve(says(200, "{}"))
	srv.Advance(7 * time.Hour)
	srv.RunJobs(t)
	expectBindings(t, srv, 0, 0)
}
