package oauth_test

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/oauth"
)

const (
	verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk" // RFC 7636, appendix B
	redirect = "https://app.example.org/?no_universal_links=true"
)

func challengeOf(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// authorization is the query that a client sends a browser with; pairs replace
// parameters, or take them away where the value is "".
func authorization(clientID string, pairs ...string) url.Values {
	v := url.Values{
		"response_type": {"code"}, "response_mode": {"fragment"}, "client_id": {clientID}, "redirect_uri": {redirect}, "state": {"s t&te"},
		"scope": {scopeOf(newDevice)}, "code_challenge": {challengeOf(verifier)}, "code_challenge_method": {"S256"},
	}
	for i := 0; i < len(pairs); i += 2 {
		v.Del(pairs[i])
		if pairs[i+1] != "" {
			v.Set(pairs[i], pairs[i+1])
		}
	}
	return v
}

func parse(t *testing.T, srv *apitest.Server, query url.Values) (a oauth.Authorization, err error) {
	t.Helper()
	if err := srv.App.DB.Read(t.Context(), func(tx *db.Tx) error {
		a, err = srv.App.OAuth.ParseAuthorization(tx, query)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return a, err
}

// back gives the parameters with which the browser goes back to the client.
func back(t *testing.T, address string) url.Values {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	text := u.Fragment
	if u.Fragment == "" {
		text = u.RawQuery
	} else if !strings.HasPrefix(address, redirect+"#") {
		t.Errorf("it goes to %s", address)
	} else {
		_, text, _ = strings.Cut(address, "#")
	}
	values, err := url.ParseQuery(text)
	if err != nil {
		t.Fatal(err)
	}
	return values
}

func TestAuthorizationRequests(t *testing.T) {
	srv := apitest.New(t)
	clientID, _ := registered(t, srv, element())
	deviceOnly := element()
	deviceOnly["grant_types"] = []any{deviceGrantType, "refresh_token"}
	other, _ := registered(t, srv, deviceOnly)

	t.Run("it works", func(t *testing.T) {
		a, err := parse(t, srv, authorization(clientID))
		if err != nil || a.Client.Name != "Element" || a.Scope.DeviceID != newDevice || a.Create || a.Target() != "https://app.example.org" {
			t.Errorf("got %+v, %v", a, err)
		}
	})
	t.Run("prompt=create", func(t *testing.T) {
		if a, err := parse(t, srv, authorization(clientID, "prompt", "create")); err != nil || !a.Create {
			t.Errorf("got %+v, %v", a, err)
		}
	})
	for name, query := range map[string]url.Values{
		"no client":              authorization(clientID, "client_id", ""),
		"unknown client":         authorization("unknown"),
		"two clients":            {"client_id": {clientID, clientID}, "redirect_uri": {redirect}},
		"no redirect":            authorization(clientID, "redirect_uri", ""),
		"another redirect":       authorization(clientID, "redirect_uri", "https://evil.example/"),
		"nearly the redirect":    authorization(clientID, "redirect_uri", redirect+"/../"),
		"the redirect with more": authorization(clientID, "redirect_uri", redirect+"&x=1"),
	} {
		t.Run("nothing is sent anywhere: "+name, func(t *testing.T) {
			_, err := parse(t, srv, query)
			var sent *oauth.RedirectError
			if errors.As(err, &sent) || !(isCode(err, errcode.InvalidParam) || isCode(err, errcode.NotFound)) {
				t.Errorf("got %v", err)
			}
		})
	}
	for _, c := range []struct {
		name, want string
		query      url.Values
	}{
		{"response_type", "unsupported_response_type", authorization(clientID, "response_type", "token")},
		{"response_mode", "invalid_request", authorization(clientID, "response_mode", "form_post")},
		{"the grant is not registered", "unauthorized_client", authorization(other)},
		{"scope", "invalid_scope", authorization(clientID, "scope", "urn:matrix:client:api:*")},
		{"two devices in the scope", "invalid_scope", authorization(clientID, "scope", scopeOf(newDevice)+" urn:matrix:client:device:ANOTHERDEVICE")},
		{"no challenge", "invalid_request", authorization(clientID, "code_challenge", "")},
		{"plain", "invalid_request", authorization(clientID, "code_challenge_method", "plain")},
		{"a challenge that is no hash", "invalid_request", authorization(clientID, "code_challenge", "short")},
		{"prompt", "invalid_request", authorization(clientID, "prompt", "none")},
		{"prompt=login", "invalid_request", authorization(clientID, "prompt", "login")},
		{"request", "invalid_request", authorization(clientID, "request", "eyJ")},
		{"request_uri", "invalid_request", authorization(clientID, "request_uri", "https://evil.example/")},
		{"long state", "invalid_request", authorization(clientID, "state", strings.Repeat("x", 5000))},
	} {
		t.Run("the client is told: "+c.name, func(t *testing.T) {
			_, err := parse(t, srv, c.query)
			var sent *oauth.RedirectError
			if !errors.As(err, &sent) {
				t.Fatalf("got %v", err)
			}
			got := back(t, sent.URL)
			if got.Get("error") != c.want || got.Get("iss") != srv.URL+"/" || got.Get("error_description") == "" || got.Has("code") {
				t.Errorf("got %s", sent.URL)
			}
			if c.name != "long state" && got.Get("state") != "s t&te" {
				t.Errorf("the state is not the same: %s", sent.URL)
			}
		})
	}
	t.Run("a parameter twice", func(t *testing.T) {
		query := authorization(clientID)
		query.Add("scope", "x")
		_, err := parse(t, srv, query)
		var sent *oauth.RedirectError
		if !errors.As(err, &sent) || back(t, sent.URL).Get("error") != "invalid_request" {
			t.Errorf("got %v", err)
		}
	})
}

// codeFor makes a person agree and gives the code.
func codeFor(t *testing.T, srv *apitest.Server, userID id.UserID, query url.Values) string {
	t.Helper()
	a, err := parse(t, srv, query)
	if err != nil {
		t.Fatal(err)
	}
	var address string
	write(t, srv, func(tx *db.Tx) (err error) {
		address, err = srv.App.OAuth.GrantAuthorization(tx, a, userID)
		return err
	})
	got := back(t, address)
	if got.Get("state") != "s t&te" || got.Get("iss") != srv.URL+"/" {
		t.Errorf("goes back to %s", address)
	}
	return got.Get("code")
}

func exchangeCode(t *testing.T, srv *apitest.Server, clientID, code string, pairs ...string) *apitest.Response {
	t.Helper()
	v := url.Values{"grant_type": {"authorization_code"}, "client_id": {clientID}, "code": {code}, "redirect_uri": {redirect}, "code_verifier": {verifier}}
	for i := 0; i < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return srv.Anyone().Do(t, "POST", tokenPath, v)
}

func TestAuthorizationCodesAtOnce(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	clientID, _ := registered(t, srv, element())
	renamed := element()
	renamed["client_name"] = "Another"
	otherID, _ := registered(t, srv, renamed)

	for _, mode := range []string{"fragment", "query"} {
		t.Run("it works with response_mode="+mode, func(t *testing.T) {
			code := codeFor(t, srv, alice.UserID, authorization(clientID, "response_mode", mode))
			g := decode[granted](t, exchangeCode(t, srv, clientID, code).OK(t, nil))
			me := decode[session](t, as(srv, g.AccessToken).Do(t, "GET", whoamiPath, nil).OK(t, nil))
			if me.UserID != alice.UserID || me.DeviceID != newDevice || g.RefreshToken == "" || g.TokenType != "Bearer" || g.ExpiresIn != 300 {
				t.Errorf("got %+v, %+v", me, g)
			}
		})
	}
	for name, pairs := range map[string][]string{
		"another client":         {"client_id", otherID},
		"another redirect":       {"redirect_uri", "https://app.example.org/"},
		"another verifier":       {"code_verifier", strings.Repeat("a", 43)},
		"42 characters":          {"code_verifier", strings.Repeat("a", 42)},
		"129 characters":         {"code_verifier", strings.Repeat("a", 129)},
		"characters not of PKCE": {"code_verifier", verifier[:42] + "+"},
		"another code":           {"code", "nxt_c_other"},
	} {
		t.Run("refused: "+name, func(t *testing.T) {
			code := codeFor(t, srv, alice.UserID, authorization(clientID))
			exchangeCode(t, srv, clientID, code, pairs...).Fails(t, srv, errcode.InvalidGrant)
			exchangeCode(t, srv, clientID, code).OK(t, nil) // it was no use to whoever tried
		})
	}
	t.Run("no verifier", func(t *testing.T) {
		code := codeFor(t, srv, alice.UserID, authorization(clientID))
		exchangeCode(t, srv, clientID, code, "code_verifier", "").Fails(t, srv, errcode.InvalidRequest)
	})
	t.Run("after a minute", func(t *testing.T) {
		code := codeFor(t, srv, alice.UserID, authorization(clientID))
		srv.Advance(time.Minute)
		exchangeCode(t, srv, clientID, code).Fails(t, srv, errcode.InvalidGrant)
	})
	t.Run("twice: the session ends", func(t *testing.T) {
		code := codeFor(t, srv, alice.UserID, authorization(clientID))
		g := decode[granted](t, exchangeCode(t, srv, clientID, code).OK(t, nil))
		exchangeCode(t, srv, clientID, code).Fails(t, srv, errcode.InvalidGrant)
		as(srv, g.AccessToken).Do(t, "GET", whoamiPath, nil).Fails(t, srv, errcode.UnknownToken)
	})
	t.Run("twice, but somebody has signed in on the device since", func(t *testing.T) {
		code := codeFor(t, srv, alice.UserID, authorization(clientID))
		exchangeCode(t, srv, clientID, code).OK(t, nil)
		later := decode[granted](t, exchangeCode(t, srv, clientID, codeFor(t, srv, alice.UserID, authorization(clientID))).OK(t, nil))
		exchangeCode(t, srv, clientID, code).Fails(t, srv, errcode.InvalidGrant)
		as(srv, later.AccessToken).Do(t, "GET", whoamiPath, nil).OK(t, nil)
	})
	t.Run("K11 at once, through two servers", func(t *testing.T) {
		code := codeFor(t, srv, alice.UserID, authorization(clientID))
		second := apitest.Over(t, srv.App.Config.Database)
		var wait sync.WaitGroup
		answers := make([]*apitest.Response, 6)
		for i := range answers {
			wait.Go(func() { answers[i] = exchangeCode(t, []*apitest.Server{srv, second}[i%2], clientID, code) })
		}
		wait.Wait()
		sets := 0
		for _, r := range answers {
			if r.Status == 200 {
				sets++
			}
		}
		if sets != 1 {
			t.Errorf("%d sets of tokens", sets)
		}
	})
}

func TestA32_NoCodeForAnAccountThatAwaitsApproval(t *testing.T) {
	srv := apitest.New(t, approvalRequired)
	alice := srv.User(t, "alice")
	clientID, _ := registered(t, srv, element())
	early := codeFor(t, srv, alice.UserID, authorization(clientID))
	write(t, srv, func(tx *db.Tx) error { return srv.App.Accounts.Unapprove(tx, alice.UserID, "test", false) })
	a, err := parse(t, srv, authorization(clientID))
	if err != nil {
		t.Fatal(err)
	}
	var address string
	write(t, srv, func(tx *db.Tx) (err error) {
		address, err = srv.App.OAuth.GrantAuthorization(tx, a, alice.UserID)
		return err
	})
	for _, address := range []string{address, a.Awaiting()} {
		got := back(t, address)
		if got.Get("error") != "access_denied" || !strings.Contains(got.Get("error_description"), "waiting for the approval") || got.Get("state") != "s t&te" || got.Has("code") {
			t.Errorf("goes back to %s", address)
		}
	}
	if got := back(t, a.Deny()); got.Get("error") != "access_denied" || got.Get("state") != "s t&te" {
		t.Errorf("a refusal goes back with %v", got)
	}
	exchangeCode(t, srv, clientID, early).Fails(t, srv, errcode.AccessDenied) // given before
}
