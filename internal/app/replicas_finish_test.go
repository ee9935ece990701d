package app_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/id"
)

const (
	registerPath = "/_matrix/client/v3/register"
	refreshPath  = "/_matrix/client/v3/refresh"
	tokenPath    = "/oauth2/token"
	callback     = "https://app.example.org/callback"
	verifier     = "a-verifier-that-is-long-enough-to-be-one-of-rfc-7636"
)

// signedIn is what registration, login, and the token endpoint answer.
type signedIn struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
}

// as is somebody with a token.
func as(srv *apitest.Server, token string) *apitest.Client {
	return &apitest.Client{Server: srv, Token: token}
}

// members decodes an answer, be it success or not.
func members(t *testing.T, r *apitest.Response) (m map[string]any) {
	t.Helper()
	if err := json.Unmarshal(r.Body, &m); err != nil {
		t.Fatalf("%v in %s", err, r.Body)
	}
	return m
}

func text(t *testing.T, r *apitest.Response, name string) string {
	t.Helper()
	s, _ := members(t, r)[name].(string)
	if s == "" {
		t.Fatalf("%s has no %q", r.Body, name)
	}
	return s
}

// TestReplicasFinishSignIns begins each way of signing in on one replica and finishes
// it on another.
func TestReplicasFinishSignIns(t *testing.T) {
	servers := replicas(t, 2)
	here, there := servers[0], servers[1]
	alice := here.User(t, "alice")

	t.Run("registration", func(t *testing.T) {
		body := object{"username": "newcomer", "password": "a password"}
		challenge := here.Anyone().Do(t, "POST", registerPath, body).Fails(t, here, errcode.InteractiveAuth)
		body["auth"] = object{"type": "m.login.dummy", "session": text(t, challenge, "session")}
		token := text(t, there.Anyone().Do(t, "POST", registerPath, body).OK(t, nil), "access_token")
		as(here, token).Do(t, "GET", whoamiPath, nil).OK(t, nil)
	})
	t.Run("user-interactive authentication", func(t *testing.T) {
		here.Device(t, alice.UserID, "OLD")
		body := object{"devices": []string{"OLD"}}
		const path = "/_matrix/client/v3/delete_devices"
		challenge := alice.Do(t, "POST", path, body).Fails(t, here, errcode.InteractiveAuth)
		body["auth"] = password(alice.UserID, text(t, challenge, "session"))
		at(there, alice).Do(t, "POST", path, body).OK(t, nil)
		alice.Do(t, "POST", path, body).Fails(t, here, errcode.InteractiveAuth) // it is used up
	})
	t.Run("a login token", func(t *testing.T) {
		const path = "/_matrix/client/v1/login/get_token"
		challenge := alice.Do(t, "POST", path, `{}`).Fails(t, here, errcode.InteractiveAuth)
		made := at(there, alice).Do(t, "POST", path, object{"auth": password(alice.UserID, text(t, challenge, "session"))}).OK(t, nil)
		body := object{"type": "m.login.token", "token": text(t, made, "login_token")}
		here.Anyone().Do(t, "POST", loginPath, body).OK(t, nil)
		there.Anyone().Do(t, "POST", loginPath, body).Fails(t, there, errcode.Forbidden)
	})
	t.Run("refreshing", func(t *testing.T) {
		body := signIn(alice.UserID, apitest.Password)
		body["refresh_token"] = true
		var first, second signedIn
		here.Anyone().Do(t, "POST", loginPath, body).OK(t, &first)
		there.Anyone().Do(t, "POST", refreshPath, object{"refresh_token": first.RefreshToken}).OK(t, &second)
		as(here, first.AccessToken).Do(t, "GET", whoamiPath, nil).OK(t, nil) // until the new one is used
		as(there, second.AccessToken).Do(t, "GET", whoamiPath, nil).OK(t, nil)
		as(here, first.AccessToken).Do(t, "GET", whoamiPath, nil).Fails(t, here, errcode.UnknownToken)
		here.Anyone().Do(t, "POST", refreshPath, object{"refresh_token": first.RefreshToken}).Fails(t, here, errcode.UnknownToken)
		as(there, second.AccessToken).Do(t, "GET", whoamiPath, nil).Fails(t, there, errcode.UnknownToken) // the session is over
	})
	t.Run("an OpenID token", func(t *testing.T) {
		made := alice.Do(t, "POST", "/_matrix/client/v3/user/"+apitest.Escape(alice.UserID)+"/openid/request_token", `{}`).OK(t, nil)
		there.Anyone().Do(t, "GET", "/_matrix/federation/v1/openid/userinfo?access_token="+text(t, made, "access_token"), nil).OK(t, nil)
	})
	t.Run("a meeting of MSC4388", func(t *testing.T) {
		const path = "/_matrix/client/unstable/io.element.msc4388/rendezvous"
		made := alice.Do(t, "POST", path, object{"data": "one"}).OK(t, nil)
		place := path + "/" + text(t, made, "id")
		there.Anyone().Do(t, "PUT", place, object{"data": "two", "sequence_token": text(t, made, "sequence_token")}).OK(t, nil)
		if got := text(t, here.Anyone().Do(t, "GET", place, nil).OK(t, nil), "data"); got != "two" {
			t.Errorf("got %q", got)
		}
		here.Anyone().Do(t, "PUT", place, object{"data": "late", "sequence_token": text(t, made, "sequence_token")}).Fails(t, here, errcode.StaleSequenceUnstable)
	})
}

// client registers an OAuth client, and gives its id.
func client(t *testing.T, srv *apitest.Server) string {
	t.Helper()
	return text(t, srv.Anyone().Do(t, "POST", "/oauth2/register", object{
		"client_name": "Element", "client_uri": "https://app.example.org/", "redirect_uris": []string{callback}, "application_type": "web",
		"response_types": []string{"code"}, "token_endpoint_auth_method": "none", "grant_types": []string{"authorization_code", "refresh_token", deviceGrant},
	}), "client_id")
}

// TestReplicasFinishConsent takes a browser and a client from replica to replica with
// each step.
func TestReplicasFinishConsent(t *testing.T) {
	servers := replicas(t, 2)
	here, there := servers[0], servers[1]
	here.User(t, "alice")
	one, two := apitest.Surf(t, here), apitest.Surf(t, there)
	two.Client = one.Client // one browser, with its cookies
	clientID := client(t, here)
	const scope = "urn:matrix:client:api:* urn:matrix:client:device:"

	sum := sha256.Sum256([]byte(verifier))
	query := url.Values{
		"client_id": {clientID}, "redirect_uri": {callback}, "response_type": {"code"}, "state": {"s"}, "scope": {scope + "BROWSER001"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}.Encode()
	page := "/oauth2/authorize?" + query
	one.Get(t, "/login?"+url.Values{"continue": {page}}.Encode())
	two.Token = one.Token
	two.Post(t, "/login", url.Values{"username": {"alice"}, "password": {apitest.Password}, "continue": {page}}).Goes(t, page)
	one.Get(t, page).Shows(t, 200, "Let Element use your account?")
	two.Token = one.Token
	back, err := url.Parse(two.Post(t, "/oauth2/authorize", url.Values{"query": {query}, "answer": {"allow"}}).Location)
	if err != nil || back.Query().Get("code") == "" || back.Query().Get("iss") != here.URL+"/" {
		t.Fatalf("goes back to %s, %v", back, err)
	}
	form := url.Values{"grant_type": {"authorization_code"}, "client_id": {clientID}, "redirect_uri": {callback}, "code_verifier": {verifier}, "code": {back.Query().Get("code")}}
	var first, second signedIn
	here.Anyone().Do(t, "POST", tokenPath, form).OK(t, &first)
	there.Anyone().Do(t, "POST", tokenPath, url.Values{"grant_type": {"refresh_token"}, "client_id": {clientID}, "refresh_token": {first.RefreshToken}}).OK(t, &second)
	as(here, second.AccessToken).Do(t, "GET", whoamiPath, nil).OK(t, nil)
	there.Anyone().Do(t, "POST", "/oauth2/revoke", url.Values{"client_id": {clientID}, "token": {second.AccessToken}}).OK(t, nil)
	as(here, second.AccessToken).Do(t, "GET", whoamiPath, nil).Fails(t, here, errcode.UnknownToken)

	// A device that shows a code.
	asked := here.Anyone().Do(t, "POST", "/oauth2/device", url.Values{"client_id": {clientID}, "scope": {scope + "SCREEN0001"}}).OK(t, nil)
	poll := func(srv *apitest.Server) *apitest.Response {
		return srv.Anyone().Do(t, "POST", tokenPath, url.Values{"grant_type": {deviceGrant}, "client_id": {clientID}, "device_code": {text(t, asked, "device_code")}})
	}
	poll(there).Fails(t, there, errcode.AuthorizationPending)
	poll(here).Fails(t, here, errcode.SlowDown) // too soon after the other
	code := text(t, asked, "user_code")
	one.Get(t, "/link?user_code="+code).Shows(t, 200, "Another device asks to sign in")
	two.Token = one.Token
	two.Post(t, "/link", url.Values{"user_code": {code}, "mine": {"yes"}, "answer": {"allow"}}).Shows(t, 200, "The other device may sign in")
	for _, srv := range servers {
		srv.Advance(time.Minute)
	}
	poll(here).OK(t, &first)
	as(there, first.AccessToken).Do(t, "GET", whoamiPath, nil).OK(t, nil)
	there.Advance(time.Minute)
	poll(there).Fails(t, there, errcode.InvalidGrant) // it is used up

	// And out again.
	two.Get(t, "/account").Shows(t, 200)
	two.Post(t, "/logout", nil)
	one.Get(t, "/account").Goes(t, "/login?continue=%2Faccount")
}

// TestReplicasMeetByMSC4108 writes to a meeting place on each replica by turns.
func TestReplicasMeetByMSC4108(t *testing.T) {
	servers := replicas(t, 2, func(cfg *config.Config) { cfg.Rendezvous.Mode = "open" })
	here, there := servers[0], servers[1]
	send := func(srv *apitest.Server, method, path, etag, data string, want int) *apitest.Response {
		t.Helper()
		c := srv.Anyone()
		c.Header = http.Header{"Content-Type": {"text/plain"}}
		if etag != "" {
			c.Header.Set("If-Match", etag)
		}
		r := c.Do(t, method, path, data)
		if r.Status != want {
			t.Fatalf("%s: got %d %s, want %d", method, r.Status, r.Body, want)
		}
		return r
	}
	made := send(here, "POST", "/_matrix/client/unstable/org.matrix.msc4108/rendezvous", "", "one", 201)
	path, ok := strings.CutPrefix(text(t, made, "url"), here.URL)
	if !ok {
		t.Fatalf("the place is at %s", made.Body)
	}
	second := send(there, "PUT", path, made.Header.Get("ETag"), "two", 202)
	send(here, "PUT", path, made.Header.Get("ETag"), "late", 412)
	if got := there.Anyone().Do(t, "GET", path, nil); string(got.Body) != "two" || got.Header.Get("ETag") != second.Header.Get("ETag") {
		t.Errorf("got %s", got.Body)
	}
	send(here, "DELETE", path, "", "", 204)
	there.Anyone().Do(t, "GET", path, nil).Fails(t, there, errcode.NotFound)
}

// TestReplicasAgreeAtOnce has two replicas do at the same time what can be done once.
func TestReplicasAgreeAtOnce(t *testing.T) {
	servers := replicas(t, 3, approving)
	srv := servers[0]
	root, alice := srv.Administrator(t, "root"), srv.User(t, "alice")
	on := func(i int, c *apitest.Client) *apitest.Client { return at(servers[i%3], c) }
	count := func(query string, args ...any) (n int64) {
		srv.Read(t, func(tx *db.Tx) (err error) { n, err = db.Value[int64](tx, query, args...); return err })
		return n
	}
	statuses := func(ask func(i int) (*apitest.Response, error)) map[int]int {
		got := map[int]int{}
		for _, r := range together(t, 12, ask) {
			got[r.Status]++
		}
		return got
	}

	register := object{"username": "dora", "password": "a password", "auth": object{"type": "m.login.dummy"}}
	if got := statuses(func(i int) (*apitest.Response, error) {
		return servers[i%3].Anyone().Try(t.Context(), "POST", registerPath, register)
	}); got[403] != 1 || got[400] != 11 {
		t.Errorf("one name registered at once: got %v", got)
	}
	dora := id.UserID("@dora:narthex.test")
	if got := statuses(func(i int) (*apitest.Response, error) {
		return on(i, root).Try(t.Context(), "POST", "/_narthex/admin/v1/registrations/"+apitest.Escape(dora)+"/approve", object{})
	}); got[200] != 12 {
		t.Errorf("one person approved at once: got %v", got)
	}
	if n := count(`SELECT COUNT(*) FROM audit_log WHERE action = 'approve' AND target = $1`, dora); n != 1 {
		t.Errorf("the audit log has the approval %d times", n)
	}

	body := signIn(alice.UserID, apitest.Password)
	body["refresh_token"] = true
	var first signedIn
	srv.Anyone().Do(t, "POST", loginPath, body).OK(t, &first)
	good := 0
	for i, r := range together(t, 12, func(i int) (*apitest.Response, error) {
		return servers[i%3].Anyone().Try(t.Context(), "POST", refreshPath, object{"refresh_token": first.RefreshToken})
	}) {
		var fresh signedIn
		if r.OK(t, &fresh); as(servers[i%3], fresh.AccessToken).Do(t, "GET", whoamiPath, nil).Status == 200 {
			good++
		}
	}
	if good != 1 {
		t.Errorf("of one refresh token refreshed at once came %d access tokens that are good", good)
	}

	alias := "/_matrix/client/v3/directory/room/" + apitest.Escape("#hall:narthex.test")
	var halls []*apitest.Room
	for range 12 {
		halls = append(halls, alice.CreateRoom(t, object{}))
	}
	if got := statuses(func(i int) (*apitest.Response, error) {
		return on(i, alice).Try(t.Context(), "PUT", alias, object{"room_id": halls[i].ID})
	}); got[200] != 1 || got[409] != 11 {
		t.Errorf("one alias for 12 rooms: got %v", got)
	}

	clientID := client(t, srv)
	asked := srv.Anyone().Do(t, "POST", "/oauth2/device", url.Values{"client_id": {clientID}, "scope": {"urn:matrix:client:api:* urn:matrix:client:device:SCREEN0001"}}).OK(t, nil)
	srv.Write(t, func(tx *db.Tx) error {
		_, err := srv.App.OAuth.ApproveDevice(tx, alice.UserID, text(t, asked, "user_code"))
		return err
	})
	form := url.Values{"grant_type": {deviceGrant}, "client_id": {clientID}, "device_code": {text(t, asked, "device_code")}}
	if got := statuses(func(i int) (*apitest.Response, error) {
		return servers[i%3].Anyone().Try(t.Context(), "POST", tokenPath, form)
	}); got[200] != 1 {
		t.Errorf("one device code exchanged at once: got %v", got)
	}
}

// TestReplicasGiveAKeyOnceAtOnce has sixteen claim the keys of a device through three
// replicas, while a fourth connection uploads them again: each key goes to one, in the
// order of the upload, and only when there is none left the fallback key (K6).
func TestReplicasGiveAKeyOnceAtOnce(t *testing.T) {
	servers := replicas(t, 3)
	alice := servers[0].User(t, "alice")
	const keys, claimers, claims = 48, 16, 4
	uploadOneTimeKeys(t, alice, keys)
	alice.Do(t, "POST", "/_matrix/client/v3/keys/upload",
		object{"fallback_keys": object{"signed_curve25519:last": object{"key": "last", "fallback": true}}}).OK(t, nil)
	var people []*apitest.Client
	for i := range claimers {
		people = append(people, servers[0].User(t, fmt.Sprint("claimer", i)))
	}
	given := map[string]int{}
	for _, r := range together(t, claimers*claims, func(i int) (*apitest.Response, error) {
		return at(servers[i%3], people[i%claimers]).Try(t.Context(), "POST", claimPath, wantOne(alice.UserID))
	}) {
		var got struct {
			Keys map[id.UserID]map[id.DeviceID]map[string]any `json:"one_time_keys"`
		}
		r.OK(t, &got)
		for name := range got.Keys[alice.UserID]["DEVICE1"] {
			given[name]++
		}
	}
	if n := given["signed_curve25519:last"]; n != claimers*claims-keys || len(given) != keys+1 {
		t.Errorf("%d keys were given, and the fallback key %d times; want %d and %d", len(given)-1, n, keys, claimers*claims-keys)
	}
	delete(given, "signed_curve25519:last")
	for name, n := range given {
		if n != 1 {
			t.Errorf("%s was given %d times", name, n)
		}
	}
	if got := alice.Sync(t, "").OneTimeKeys["signed_curve25519"]; got != 0 {
		t.Errorf("%d keys are left", got)
	}
}

// TestReplicasKeepAMessageUntilItsTokenIsShown holds K5 over replicas: a message to a
// device comes again until the token that covers it is shown, on whichever replica.
func TestReplicasKeepAMessageUntilItsTokenIsShown(t *testing.T) {
	servers := replicas(t, 2)
	here, there := servers[0], servers[1]
	alice := here.User(t, "alice")
	since := alice.Sync(t, "").NextBatch
	alice.Do(t, "PUT", "/_matrix/client/v3/sendToDevice/org.example.note/1", object{"messages": object{string(alice.UserID): object{"*": object{"n": 1}}}}).OK(t, nil)
	first := at(there, alice).Sync(t, "since="+since)
	again := alice.Sync(t, "since="+since)
	if len(first.ToDevice.Events) != 1 || len(again.ToDevice.Events) != 1 {
		t.Errorf("got %s and %s", first.Body, again.Body)
	}
	if next := alice.Sync(t, "since="+first.NextBatch); len(next.ToDevice.Events) != 0 {
		t.Errorf("got it although its token was shown: %s", next.Body)
	}
	if old := at(there, alice).Sync(t, "since="+since); len(old.ToDevice.Events) != 0 {
		t.Errorf("got it again after its token was shown: %s", old.Body)
	}
}
