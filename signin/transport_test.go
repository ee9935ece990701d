package signin_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/signin"
)

const (
	whoami = "GET " + home + "/_matrix/client/v3/account/whoami"
	sync1  = home + "/_matrix/client/v3/sync"
	alice  = `{"user_id":"@alice:example.org","device_id":"` + device + `"}`
	second = `{"access_token":"a2","token_type":"Bearer","expires_in":300,"refresh_token":"r2"}`
)

var (
	unknownToken = page{status: 401, body: `{"errcode":"M_UNKNOWN_TOKEN","error":"no"}`}
	softLogout   = page{status: 401, body: `{"errcode":"M_UNKNOWN_TOKEN","error":"no","soft_logout":true}`}
)

// A store keeps what was saved, and fails on demand.
type store struct {
	mu    sync.Mutex
	saved []signin.Session
	err   error
}

func (s *store) save(_ context.Context, session signin.Session) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	s.saved = append(s.saved, session)
	return nil
}

func (s *store) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

// tokens lists the access tokens as they were saved.
func (s *store) tokens() (out []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, session := range s.saved {
		out = append(out, session.Tokens.AccessToken)
	}
	return out
}

// signedIn is alice with the token a1, which has five minutes to live.
func signedIn(w *web) (*http.Client, *signin.Transport, *store) {
	w.on("GET "+sync1, page{body: "synced"})
	s := &store{}
	t := w.client().Resume(signin.Session{BaseURL: home, TokenEndpoint: auth + "/token", RevocationEndpoint: auth + "/revoke", ClientID: "c1",
		DeviceID: device, UserID: "@alice:example.org",
		Tokens: signin.Tokens{AccessToken: "a1", RefreshToken: "r1", Lifetime: 5 * time.Minute, ExpiresAt: w.now.Add(5 * time.Minute), Scope: signin.Scope(device)}}, s.save)
	return &http.Client{Transport: t}, t, s
}

// get gives the status and the body, or the error.
func get(t *testing.T, c *http.Client, url string) (string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return fmt.Sprint(resp.StatusCode, " ", string(body)), err
}

func wantGet(t *testing.T, c *http.Client, want string) {
	t.Helper()
	if got, err := get(t, c, sync1); got != want || err != nil {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}

// bearer keeps the tokens of requests.
func bearer(into *[]string, p page) page {
	p.do = func(r *http.Request) { *into = append(*into, r.Header.Get("Authorization")) }
	return p
}

func TestBegin(t *testing.T) {
	w := homeserver(nil)
	h := discovered(t, w)
	s := &store{}
	var used []string
	w.on(whoami, bearer(&used, page{body: alice, do: nil}))
	tokens := signin.Tokens{AccessToken: "a1", Scope: signin.Scope(device)}
	tr, err := h.Begin(t.Context(), "c1", tokens, s.save)
	if err != nil {
		t.Fatal(err)
	}
	want := signin.Session{BaseURL: home, TokenEndpoint: auth + "/token", RevocationEndpoint: auth + "/revoke", ClientID: "c1", DeviceID: device,
		UserID: "@alice:example.org", Tokens: tokens}
	if tr.Session() != want || len(s.saved) != 2 || s.saved[1] != want || s.saved[0].UserID != "" {
		t.Errorf("session %+v, saved %+v", tr.Session(), s.saved)
	}
	if !slices.Equal(used, []string{"Bearer a1"}) {
		t.Errorf("tokens used: %q", used)
	}
	encoded, err := json.Marshal(want)
	var back signin.Session
	if err = errors.Join(err, json.Unmarshal(encoded, &back)); err != nil || back != want {
		t.Errorf("%s becomes %+v, %v", encoded, back, err)
	}

	for name, c := range map[string]struct {
		p     page
		saved int
	}{
		"another device": {page{body: `{"user_id":"@alice:example.org","device_id":"OTHER"}`}, 1},
		"nobody":         {page{body: `{}`}, 1},
		"refused":        {unknownToken, 1},
	} {
		w.on(whoami, c.p)
		s := &store{}
		if _, err := h.Begin(t.Context(), "c1", signin.Tokens{AccessToken: "a1", ExpiresAt: w.now.Add(time.Hour), Scope: signin.Scope(device)}, s.save); err == nil || len(s.saved) != c.saved {
			t.Errorf("%s: %v, saved %d times", name, err, len(s.saved))
		}
	}
	w.requests()
	if _, err := h.Begin(t.Context(), "c1", tokens, (&store{err: io.ErrShortWrite}).save); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("a session that cannot be saved: %v", err)
	}
	if _, err := h.Begin(t.Context(), "c1", signin.Tokens{AccessToken: "a1", Scope: "openid"}, s.save); err == nil {
		t.Error("a session without a device begins")
	}
	wantRequests(t, w) // no token was used before it was saved
}

func TestWhoAmI(t *testing.T) {
	w := newWeb().on(whoami, page{body: alice})
	who, err := w.client().WhoAmI(t.Context(), home, "a1")
	if err != nil || who != (signin.Identity{UserID: "@alice:example.org", DeviceID: device}) {
		t.Errorf("got %+v, %v", who, err)
	}
	w.on(whoami, unknownToken)
	var refusal *signin.MatrixError
	if _, err := w.client().WhoAmI(t.Context(), home, "a1"); !errors.As(err, &refusal) || refusal.Code != "M_UNKNOWN_TOKEN" {
		t.Errorf("a bad token: %v", err)
	}
	w.on(whoami, page{status: 302, header: http.Header{"Location": {"https://evil.example.org/"}}})
	w.requests()
	if _, err := w.client().WhoAmI(t.Context(), home, "a1"); err == nil {
		t.Error("a redirect is followed with the token")
	}
	wantRequests(t, w, whoami)

	_, tr, _ := signedIn(w)
	w.on(whoami, page{body: `{"user_id":"@eve:example.org","device_id":"` + device + `"}`})
	if _, err := tr.WhoAmI(t.Context()); err == nil {
		t.Error("the session becomes another user's")
	}
}

func TestTheTokenGoesHomeOnly(t *testing.T) {
	w := newWeb()
	c, _, _ := signedIn(w)
	var used []string
	ok := bearer(&used, page{})
	for _, url := range []string{home + "/a", "https://MATRIX.example.org:443/b", "http://matrix.example.org/c", home + ":8448/d", "https://example.org/e"} {
		w.on("GET "+url, ok)
		if _, err := get(t, c, url); err != nil {
			t.Error(err)
		}
	}
	w.on("GET "+home+"/redirect", page{status: 302, header: http.Header{"Location": {"https://example.org/e"}}})
	if _, err := get(t, c, home+"/redirect"); err != nil {
		t.Error(err)
	}
	if want := []string{"Bearer a1", "Bearer a1", "", "", "", ""}; !slices.Equal(used, want) {
		t.Errorf("used %q, want %q", used, want)
	}
	req, err := http.NewRequestWithContext(t.Context(), "GET", home+"/a", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer own")
	if resp, err := c.Do(req); err != nil || used[len(used)-1] != "Bearer own" {
		t.Errorf("a request with its own token: %v, %v, %q", resp, err, used)
	}
}

func TestSignOut(t *testing.T) {
	w := newWeb()
	c, tr, s := signedIn(w)
	var sent []string
	for name, p := range map[string]page{"401": {status: 401, body: `{"error":"invalid_client"}`}, "network": broken, "503": {status: 503}} {
		w.on("POST "+auth+"/revoke", p)
		if err := tr.SignOut(t.Context()); err == nil {
			t.Errorf("%s: signed out", name)
		}
	}
	wantGet(t, c, "200 synced")
	w.on("POST "+auth+"/revoke", page{do: form(&sent, "token", "token_type_hint", "client_id")})
	if err := tr.SignOut(t.Context()); err != nil {
		t.Fatal(err)
	}
	if want := []string{"r1", "refresh_token", "c1", "3"}; !slices.Equal(sent, want) {
		t.Errorf("sent %q, want %q", sent, want)
	}
	if _, err := get(t, c, sync1); !errors.Is(err, signin.ErrLoggedOut) {
		t.Errorf("after signing out: %v", err)
	}
	session := tr.Session()
	session.Tokens.RefreshToken = ""
	if err := w.client().Resume(session, s.save).SignOut(t.Context()); err != nil || sent[0] != "a1" || sent[1] != "access_token" {
		t.Errorf("%v, sent %q", err, sent)
	}
}
