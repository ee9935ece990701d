package web_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/browsertest"
	"github.com/narthex-matrix/narthex/internal/id"
)

func TestMain(m *testing.M) { apitest.Main(m, browsertest.End) }

const (
	deviceGrant = "urn:ietf:params:oauth:grant-type:device_code"
	callback    = "https://app.example.org/callback"
	verifier    = "a-verifier-that-is-long-enough-to-be-one-of-rfc-7636"
)

// register registers an OAuth client, and gives its ID.
func register(t testing.TB, srv *apitest.Server, name string) string {
	t.Helper()
	r := srv.Anyone().Do(t, "POST", "/oauth2/register", map[string]any{
		"client_name": name, "client_uri": "https://app.example.org/", "redirect_uris": []string{callback},
		"policy_uri": "https://app.example.org/privacy", "application_type": "web", "response_types": []string{"code"},
		"token_endpoint_auth_method": "none", "grant_types": []string{"authorization_code", "refresh_token", deviceGrant},
	})
	var client struct {
		ID string `json:"client_id"`
	}
	if err := json.Unmarshal(r.Body, &client); err != nil || client.ID == "" {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	return client.ID
}

const scopeOf = "urn:matrix:client:api:* urn:matrix:client:device:"

// authorizePath is the page of consent for a client that asks for a device.
func authorizePath(clientID, device string, more ...string) string {
	sum := sha256.Sum256([]byte(verifier))
	query := url.Values{
		"client_id": {clientID}, "redirect_uri": {callback}, "response_type": {"code"}, "state": {"the <state>"}, "scope": {scopeOf + device},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}
	for i := 0; i+1 < len(more); i += 2 {
		query.Set(more[i], more[i+1])
	}
	return "/oauth2/authorize?" + query.Encode()
}

// queryOf is the hidden field of the page of consent.
func queryOf(path string) url.Values {
	_, query, _ := strings.Cut(path, "?")
	return url.Values{"query": {query}}
}

// exchange sends a form to the token endpoint.
func exchange(t testing.TB, srv *apitest.Server, form url.Values) (status int, answer map[string]any) {
	t.Helper()
	s := apitest.Surf(t, srv)
	v := s.Do(t, "POST", "/oauth2/token", strings.NewReader(form.Encode()))
	if err := json.Unmarshal([]byte(v.HTML), &answer); err != nil {
		t.Fatal(v.HTML)
	}
	return v.Status, answer
}

// with adds to a form.
func with(form url.Values, more ...string) url.Values {
	out := url.Values{}
	for name, values := range form {
		out[name] = values
	}
	for i := 0; i+1 < len(more); i += 2 {
		out.Set(more[i], more[i+1])
	}
	return out
}

// newFor is a while after which an account is no longer called new.
const newFor = time.Hour

func accountsID(t testing.TB, localpart string) id.UserID {
	t.Helper()
	userID, err := id.NewUserID(localpart, apitest.ServerName)
	if err != nil {
		t.Fatal(err)
	}
	return userID
}

func decode(t testing.TB, raw []byte, v any) {
	t.Helper()
	if err := json.Unmarshal(raw, v); err != nil {
		t.Fatalf("%v in %s", err, raw)
	}
}
