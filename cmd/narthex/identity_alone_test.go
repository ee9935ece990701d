package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/identityserver"
	"github.com/narthex-matrix/narthex/internal/validation"
)

// identityProcess is the identity service alone, in a process of its own behind a
// proxy with TLS.
type identityProcess struct {
	*process
	front *apitest.Front
	mails *apitest.Mailbox
}

// startIdentity starts it from a configuration file, as docs/operating tells.
func startIdentity(t *testing.T) identityProcess {
	t.Helper()
	s := identityProcess{front: apitest.NewFront(t), mails: apitest.NewMailbox(t)}
	var cfg config.Config
	apitest.ReachFronts(t)(&cfg)
	s.mails.Configure(&cfg)
	folder := t.TempDir()
	file := filepath.Join(folder, "identity.yaml")
	text := `
server_name: ` + s.front.Name + `
public_url: ` + s.front.URL + `
data: ` + filepath.Join(folder, "data") + `
listen: ["127.0.0.1:0"]
identity:
  web_client: https://app.example.org
outbound:
  allowed_networks: ["127.0.0.1/32"]
  authorities: ` + cfg.Outbound.Authorities + `
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s.process = launch(t, []string{"--only", "identity", "--config", file}, mailEnvironment(cfg)...)
	s.front.Serve(httputil.NewSingleHostReverseProxy(parsed(t, s.url)))
	return s
}

// mailEnvironment is the part of a configuration that says how mails are sent.
func mailEnvironment(cfg config.Config) []string {
	return []string{"NARTHEX_MAIL_FROM=" + cfg.Mail.From, "NARTHEX_MAIL_SMTP_HOST=" + cfg.Mail.SMTP.Host,
		"NARTHEX_MAIL_SMTP_PORT=" + strconv.Itoa(cfg.Mail.SMTP.Port), "NARTHEX_MAIL_SMTP_TLS=" + cfg.Mail.SMTP.TLS}
}

func parsed(t *testing.T, address string) *url.URL {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// ask makes a request and gives status and answer.
func (s identityProcess) ask(t *testing.T, token, method, path string, body any) (status int, answer map[string]any) {
	t.Helper()
	var raw bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&raw).Encode(body); err != nil {
			t.Fatal(err)
		}
	}
	r, err := http.NewRequestWithContext(t.Context(), method, s.url+path, &raw)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	_ = json.NewDecoder(resp.Body).Decode(&answer) // a page leaves it empty
	return resp.StatusCode, answer
}

// must is ask for what has to succeed.
func (s identityProcess) must(t *testing.T, token, method, path string, body any) map[string]any {
	t.Helper()
	status, answer := s.ask(t, token, method, path, body)
	if status != http.StatusOK {
		t.Fatalf("%s %s: got %d %v", method, path, status, answer)
	}
	return answer
}

// owner looks an address up.
func (s identityProcess) owner(t *testing.T, token, address string) any {
	t.Helper()
	pepper := s.must(t, token, "GET", "/_matrix/identity/v2/hash_details", nil)["lookup_pepper"].(string)
	hash := identityserver.LookupHash(validation.Email, address, pepper)
	found := s.must(t, token, "POST", "/_matrix/identity/v2/lookup", apitest.Object{"algorithm": "sha256", "pepper": pepper, "addresses": []string{hash}})
	return found["mappings"].(map[string]any)[hash]
}

// TestTP82_TheIdentityServiceAlone plays a user of another homeserver who publishes
// an address, is found by it, and takes it back.
func TestTP82_TheIdentityServiceAlone(t *testing.T) {
	ids := startIdentity(t)
	homeFront := apitest.NewFront(t)
	home := apitest.Over(t, filepath.Join(t.TempDir(), "home.db"), apitest.ReachFronts(t), func(cfg *config.Config) {
		cfg.ServerName, cfg.PublicURL = homeFront.Name, homeFront.URL
		cfg.Threepid.TrustedIdentityServers = []string{ids.front.Name}
	})
	homeFront.Serve(home.App)
	alice := home.User(t, "alice")

	var openID apitest.Object
	alice.Do(t, "POST", "/_matrix/client/v3/user/"+string(alice.UserID)+"/openid/request_token", apitest.Object{}).OK(t, &openID)
	token := ids.must(t, "", "POST", "/_matrix/identity/v2/account/register", openID)["token"].(string)
	if got := ids.must(t, token, "GET", "/_matrix/identity/v2/account", nil)["user_id"]; got != string(alice.UserID) {
		t.Errorf("registered as %v", got)
	}
	if got := ids.owner(t, token, "alice@example.org"); got != nil {
		t.Errorf("bound to %v before binding", got)
	}

	session := apitest.Object{"client_secret": "secret", "email": "alice@example.org", "send_attempt": 1}
	sid := ids.must(t, token, "POST", "/_matrix/identity/v2/validate/email/requestToken", session)["sid"]
	_, link, _ := strings.Cut(ids.mails.Last(t, "alice@example.org").Text, ids.front.URL)
	link, _, _ = strings.Cut(link, "\n")
	if status, body := get(t, ids.url+strings.TrimSpace(link)); status != 200 || !strings.Contains(body, "<html") {
		t.Fatalf("following the link: got %d %s", status, body)
	}
	alice.Do(t, "POST", "/_matrix/client/v3/account/3pid/bind",
		apitest.Object{"sid": sid, "client_secret": "secret", "id_server": ids.front.Name, "id_access_token": token}).OK(t, nil)
	if got := ids.owner(t, token, "alice@example.org"); got != string(alice.UserID) {
		t.Errorf("bound to %v", got)
	}
	var deleted struct {
		Result string `json:"id_server_unbind_result"`
	}
	alice.Do(t, "POST", "/_matrix/client/v3/account/3pid/delete", apitest.Object{"medium": "email", "address": "alice@example.org"}).OK(t, &deleted)
	if got := ids.owner(t, token, "alice@example.org"); got != nil || deleted.Result != "success" {
		t.Errorf("bound to %v after unbinding, which gave %q", got, deleted.Result)
	}
}

// TestTP99_NoHomeserverBesideTheIdentityService holds that the identity service alone
// answers what is its own and nothing else.
func TestTP99_NoHomeserverBesideTheIdentityService(t *testing.T) {
	ids := startIdentity(t)
	for path, want := range map[string]int{
		"/_matrix/identity/v2":                        200,
		"/_matrix/identity/versions":                  200,
		"/_matrix/identity/api/v1/lookup":             404,
		"/_matrix/client/versions":                    404,
		"/_matrix/client/v3/login":                    404,
		"/_matrix/client/v3/account/whoami":           404,
		"/_matrix/federation/v1/openid/userinfo":      404,
		"/_matrix/key/v2/server":                      404,
		"/.well-known/matrix/client":                  404,
		"/account":                                    404,
		"/admin":                                      404,
		"/register":                                   404,
		"/oauth2/token":                               404,
		"/_synapse/admin/v1/server_version":           404,
		"/assets/unknown.css":                         404,
		"/_matrix/identity/v2/account":                401,
		"/_matrix/identity/v2/pubkey/ed25519:unknown": 404,
	} {
		status, answer := ids.ask(t, "", "GET", path, nil)
		if status != want {
			t.Errorf("%s: got %d %v, want %d", path, status, answer, want)
		}
		if code := answer["errcode"]; want == 404 && code != "M_UNRECOGNIZED" && !strings.Contains(path, "unknown") {
			t.Errorf("%s: got %v", path, code)
		}
	}
	if status, answer := ids.ask(t, "", "POST", "/_matrix/identity/v2", apitest.Object{}); status != 405 || answer["errcode"] != "M_UNRECOGNIZED" {
		t.Errorf("a wrong method: got %d %v", status, answer)
	}
}

func TestServeOnlyRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		args        []string
		environment string
		code        int
		want        string
	}{
		"what is no part":      {args: []string{"--only", "sync"}, code: 2, want: "identity"},
		"mails without client": {args: []string{"--only", "identity", "--listen", "127.0.0.1:0"}, environment: "mail.example.org", code: 1, want: "identity.web_client"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("NARTHEX_MAIL_FROM", "narthex@example.org")
			t.Setenv("NARTHEX_MAIL_SMTP_HOST", c.environment)
			std, out := newStreams("")
			if code := run(t.Context(), append([]string{"serve", "--data", t.TempDir()}, c.args...), std); code != c.code || !contains(out.String(), c.want) {
				t.Errorf("got exit code %d and %q, want %d and %q", code, out, c.code, c.want)
			}
		})
	}
}
