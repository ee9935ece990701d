package web_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/id"
)

func TestMain(m *testing.M) { apitest.Main(m) }

// surfer is a person's browser without a window: it keeps cookies, and follows no
// redirect by itself.
type surfer struct {
	srv    *apitest.Server
	client *http.Client
	// token is the one in the forms of the last page.
	token string
	// header is sent with each request.
	header http.Header
}

// seen is an answer that a surfer got.
type seen struct {
	Status   int
	Header   http.Header
	Text     string // without tags, and with white space folded
	HTML     string
	Location string
}

func surf(t testing.TB, srv *apitest.Server) *surfer {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &surfer{srv: srv, header: http.Header{}, client: &http.Client{
		Jar: jar, Transport: &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

var (
	tokenField = regexp.MustCompile(`name="form_token" value="([^"]*)"`)
	anyTag     = regexp.MustCompile(`<[^>]*>`)
)

func (s *surfer) do(t testing.TB, method, path string, body io.Reader) seen {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.srv.URL+path, body)
	if err != nil {
		t.Fatal(err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, values := range s.header {
		req.Header[name] = values
	}
	resp, err := s.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	out := seen{Status: resp.StatusCode, Header: resp.Header, HTML: string(raw), Location: resp.Header.Get("Location")}
	out.Text = strings.Join(strings.Fields(html.UnescapeString(anyTag.ReplaceAllString(out.HTML, ""))), " ")
	if m := tokenField.FindStringSubmatch(out.HTML); m != nil {
		s.token = m[1]
	}
	return out
}

func (s *surfer) get(t testing.TB, path string) seen {
	t.Helper()
	return s.do(t, "GET", path, nil)
}

// post sends a form with the token of the last page, unless it has one.
func (s *surfer) post(t testing.TB, path string, form url.Values) seen {
	t.Helper()
	sent := url.Values{"form_token": {s.token}}
	for name, values := range form {
		sent[name] = values
	}
	return s.do(t, "POST", path, strings.NewReader(sent.Encode()))
}

// signIn signs in as the user, whose password is that of apitest.
func (s *surfer) signIn(t testing.TB, username string) *surfer {
	t.Helper()
	s.get(t, "/login")
	s.post(t, "/login", url.Values{"username": {username}, "password": {apitest.Password}}).goes(t, "/account")
	s.get(t, "/account/password") // for the token of the new session
	return s
}

// shows fails the test unless the answer has the status and the texts.
func (v seen) shows(t testing.TB, status int, texts ...string) seen {
	t.Helper()
	if v.Status != status {
		t.Errorf("got %d, want %d:\n%s", v.Status, status, v.Text)
	}
	for _, text := range texts {
		if !strings.Contains(v.Text, text) {
			t.Errorf("the page does not say %q:\n%s", text, v.Text)
		}
	}
	return v
}

// goes fails the test unless the answer sends the browser to the address.
func (v seen) goes(t testing.TB, to string) seen {
	t.Helper()
	if v.Status != http.StatusSeeOther || v.Location != to {
		t.Errorf("got %d to %q, want 303 to %q:\n%s", v.Status, v.Location, to, v.Text)
	}
	return v
}

// without fails the test if the page has any of the texts.
func (v seen) without(t testing.TB, texts ...string) seen {
	t.Helper()
	for _, text := range texts {
		if strings.Contains(v.HTML, text) {
			t.Errorf("the page has %q:\n%s", text, v.HTML)
		}
	}
	return v
}

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
	s := surf(t, srv)
	v := s.do(t, "POST", "/oauth2/token", strings.NewReader(form.Encode()))
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
