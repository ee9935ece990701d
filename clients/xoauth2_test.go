package clients_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/browsertest"
	"github.com/narthex-matrix/narthex/signin"
)

const xDevice = "XOAUTH2DEVICE"

// xoauth2 is a client of golang.org/x/oauth2, which knows no Matrix: all that it is
// told is in the server's metadata. Redirects go to the loopback interface.
func xoauth2(t *testing.T, srv *apitest.Server, redirect string) *oauth2.Config {
	t.Helper()
	var m signin.Metadata
	srv.Anyone().Do(t, "GET", "/.well-known/openid-configuration", nil).OK(t, &m)
	body := map[string]any{
		"client_name": "Client in Go", "client_uri": "https://client.example.org/", "application_type": "native",
		"token_endpoint_auth_method": "none", "redirect_uris": []string{"http://127.0.0.1/callback"}, "response_types": []string{"code"},
		"grant_types": []string{signin.GrantCode, signin.GrantRefresh, signin.GrantDevice},
	}
	path := strings.TrimPrefix(m.RegistrationEndpoint, srv.URL)
	var client struct {
		ID string `json:"client_id"`
	}
	r := srv.Anyone().Do(t, "POST", path, body)
	if err := json.Unmarshal(r.Body, &client); err != nil || client.ID == "" {
		t.Fatalf("registering: %d %s", r.Status, r.Body)
	}
	return &oauth2.Config{
		ClientID: client.ID, RedirectURL: redirect, Scopes: strings.Fields(signin.Scope(xDevice)),
		Endpoint: oauth2.Endpoint{AuthURL: m.AuthorizationEndpoint, TokenURL: m.TokenEndpoint, DeviceAuthURL: m.DeviceAuthorizationEndpoint, AuthStyle: oauth2.AuthStyleInParams},
	}
}

// useful fails the test unless the client of tokens is the device that asked for
// them, before and after they have run out.
func useful(t *testing.T, srv *apitest.Server, cfg *oauth2.Config, token *oauth2.Token) {
	t.Helper()
	if !strings.EqualFold(token.TokenType, "bearer") || token.RefreshToken == "" || !token.Valid() {
		t.Errorf("the token is of type %q, with a refresh token %t, valid %t", token.TokenType, token.RefreshToken != "", token.Valid())
	}
	ask := func(token *oauth2.Token) (who struct {
		UserID   string `json:"user_id"`
		DeviceID string `json:"device_id"`
	}) {
		t.Helper()
		resp, err := cfg.Client(t.Context(), token).Get(srv.URL + "/_matrix/client/v3/account/whoami")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if err := json.NewDecoder(resp.Body).Decode(&who); err != nil {
			t.Fatal(err)
		}
		return who
	}
	if who := ask(token); who.UserID != "@alice:narthex.test" || who.DeviceID != xDevice {
		t.Errorf("the token is that of %+v", who)
	}
	srv.Advance(10 * time.Minute)
	if who := ask(token); who.UserID != "" {
		t.Errorf("the token still is that of %+v", who)
	}
	token.Expiry = time.Now().Add(-time.Minute) // the server's clock is ahead
	if who := ask(token); who.DeviceID != xDevice {
		t.Errorf("after a refresh, the token is that of %+v", who)
	}
}

// isError fails the test unless the server has answered with this OAuth error.
func isError(t *testing.T, err error, status int, code string) {
	t.Helper()
	e, ok := errors.AsType[*oauth2.RetrieveError](err)
	if !ok || e.ErrorCode != code || e.Response.StatusCode != status || e.ErrorDescription == "" {
		t.Errorf("got %v, not %d %s with a description", err, status, code)
	}
}

// TestXOAuth2Code has golang.org/x/oauth2 do the authorization code grant with PKCE.
func TestXOAuth2Code(t *testing.T) {
	srv := apitest.New(t)
	srv.User(t, "alice")
	answers := make(chan url.Values, 1)
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/callback" {
			answers <- r.URL.Query()
		}
		_, _ = w.Write([]byte("<h1>Welcome back</h1>")) // the browser may have gone
	}))
	defer app.Close()
	cfg := xoauth2(t, srv, app.URL+"/callback")
	b := browsertest.New(t, srv.URL)
	verifier := oauth2.GenerateVerifier()

	b.Open(t, cfg.AuthCodeURL("state of ours", oauth2.S256ChallengeOption(verifier)))
	b.Fill(t, "username", "alice")
	b.Fill(t, "password", apitest.Password)
	b.Press(t, "Sign in")
	b.Shows(t, "Client in Go", "@alice:narthex.test")
	b.Press(t, "Allow")
	if got := b.Heading(t); got != "Welcome back" {
		t.Fatalf("the page is %q", got)
	}
	answer := <-answers
	if answer.Get("state") != "state of ours" || answer.Get("error") != "" {
		t.Fatalf("the app got %v", answer)
	}
	code := answer.Get("code")
	_, err := cfg.Exchange(t.Context(), "another code", oauth2.VerifierOption(verifier))
	isError(t, err, 400, "invalid_grant")
	token, err := cfg.Exchange(t.Context(), code, oauth2.VerifierOption(verifier))
	if err != nil {
		t.Fatal(err)
	}
	useful(t, srv, cfg, token)
	_, err = cfg.Exchange(t.Context(), code, oauth2.VerifierOption(verifier))
	isError(t, err, 400, "invalid_grant")
}

// TestXOAuth2Device has golang.org/x/oauth2 do the device authorization grant.
func TestXOAuth2Device(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	cfg := xoauth2(t, srv, "")

	begun := begunDevice(t, cfg)
	if begun.Interval <= 0 || time.Until(begun.Expiry) < time.Minute || !strings.HasPrefix(begun.VerificationURI, srv.URL) ||
		!strings.Contains(begun.VerificationURIComplete, url.QueryEscape(begun.UserCode)) {
		t.Errorf("the server answers %+v", begun)
	}
	begun.Interval = 1 // in seconds; the library waits before it asks
	asked := 0
	ctx := context.WithValue(t.Context(), oauth2.HTTPClient, &http.Client{Transport: watch(func() {
		if asked++; asked == 1 { // nobody had answered
			srv.Advance(time.Minute) // by the server's clock, the interval is kept
			allow(t, alice, begun.UserCode)
		}
	})})
	token, err := cfg.DeviceAccessToken(ctx, begun)
	if err != nil || asked != 2 {
		t.Fatalf("asked %d times: %v", asked, err)
	}
	useful(t, srv, cfg, token)
	_, err = cfg.DeviceAccessToken(t.Context(), begun)
	isError(t, err, 400, "invalid_grant")

	refused := begunDevice(t, cfg)
	refused.Interval = 1
	deny(t, alice, refused.UserCode)
	_, err = cfg.DeviceAccessToken(t.Context(), refused)
	isError(t, err, 400, "access_denied")

	late := begunDevice(t, cfg)
	late.Interval = 1
	srv.Advance(time.Hour)
	_, err = cfg.DeviceAccessToken(t.Context(), late)
	isError(t, err, 400, "expired_token")
}

func begunDevice(t *testing.T, cfg *oauth2.Config) *oauth2.DeviceAuthResponse {
	t.Helper()
	begun, err := cfg.DeviceAuth(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return begun
}

// watch is a transport that calls it after each answer.
type watch func()

func (w watch) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(req)
	w()
	return resp, err
}
