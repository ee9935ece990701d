package identity_test

import (
	"crypto/ed25519"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/canonicaljson"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/id"
)

func TestMain(m *testing.M) { apitest.Main(m) }

const (
	v2     = "/_matrix/identity/v2"
	secret = "a-client-secret.=_-"
	// backOff is longer than a job waits for its second try.
	backOff = time.Minute
)

// service is an identity service, with a mail server and a homeserver of others.
type service struct {
	*apitest.Server
	mails *apitest.Mailbox
	other *homeserver
}

func start(t *testing.T, change ...func(*config.Config)) service {
	t.Helper()
	s := service{mails: apitest.NewMailbox(t), other: newHomeserver(t)}
	file := filepath.Join(t.TempDir(), "authorities.pem")
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.other.web.Certificate().Raw})
	if err := os.WriteFile(file, certificate, 0o600); err != nil {
		t.Fatal(err)
	}
	s.Server = apitest.New(t, append([]func(*config.Config){s.mails.Configure, func(c *config.Config) {
		c.Identity.Enabled = true
		c.Outbound.AllowedNetworks, c.Outbound.Authorities = []string{"127.0.0.1/32"}, file
	}}, change...)...)
	return s
}

// user is somebody of the other homeserver who is registered here.
func (s service) user(t *testing.T, localpart string) *apitest.Client {
	t.Helper()
	c := s.Anyone()
	c.UserID = s.other.user(localpart)
	c.Token = s.register(t, s.other.token(c.UserID))
	return c
}

func (s service) register(t *testing.T, openID apitest.Object) string {
	t.Helper()
	var got struct {
		Token       string `json:"token"`
		AccessToken string `json:"access_token"`
	}
	s.Anyone().Do(t, "POST", v2+"/account/register", openID).OK(t, &got)
	if got.Token == "" || got.Token != got.AccessToken {
		t.Errorf("TP-82: got the tokens %q and %q, want one under both names", got.Token, got.AccessToken)
	}
	return got.Token
}

// validate makes a session that shows that a mail address is somebody's.
func (s service) validate(t *testing.T, c *apitest.Client, address string) (sid string) {
	t.Helper()
	sid = s.requestToken(t, c, address)
	if r := s.Anyone().Do(t, "GET", s.mails.Last(t, strings.ToLower(address)).Link(t, s.Server), nil); r.Status != 200 {
		t.Fatalf("following the link: got %d %s", r.Status, r.Body)
	}
	return sid
}

func (s service) requestToken(t *testing.T, c *apitest.Client, address string) (sid string) {
	t.Helper()
	var got struct {
		SID string `json:"sid"`
	}
	c.Do(t, "POST", v2+"/validate/email/requestToken", apitest.Object{"client_secret": secret, "email": address, "send_attempt": 1}).OK(t, &got)
	return got.SID
}

// bind makes an address a user's.
func (s service) bind(t *testing.T, c *apitest.Client, address string) *apitest.Response {
	t.Helper()
	sid := s.validate(t, c, address)
	return c.Do(t, "POST", v2+"/3pid/bind", apitest.Object{"sid": sid, "client_secret": secret, "mxid": c.UserID}).OK(t, nil)
}

// key is the long-term public key.
func (s service) key(t *testing.T, keyID string) ed25519.PublicKey {
	t.Helper()
	var got struct {
		PublicKey string `json:"public_key"`
	}
	s.Anyone().Do(t, "GET", v2+"/pubkey/"+keyID, nil).OK(t, &got)
	key, err := canonicaljson.DecodeBase64(got.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// verify checks that an object is signed by the service, and gives the id of the key.
func (s service) verify(t *testing.T, object []byte) (keyID string) {
	t.Helper()
	var signed struct {
		Signatures map[string]map[string]string `json:"signatures"`
	}
	if err := json.Unmarshal(object, &signed); err != nil {
		t.Fatal(err)
	}
	for keyID = range signed.Signatures[string(apitest.ServerName)] {
		if err := canonicaljson.Verify(object, string(apitest.ServerName), keyID, s.key(t, keyID)); err != nil {
			t.Errorf("%s: %v", object, err)
		}
		return keyID
	}
	t.Fatalf("%s is not signed", object)
	return ""
}

// homeserver is a homeserver of other people.
type homeserver struct {
	web  *httptest.Server
	name id.ServerName
	seed ed25519.PrivateKey

	mu      sync.Mutex
	tokens  map[string]id.UserID
	notices []notice
	// answer, if set, answers in place of the homeserver.
	answer http.HandlerFunc
}

// notice is a request that the homeserver got.
type notice struct {
	method, uri, authorization string
	body                       []byte
}

const otherKey = "ed25519:other"

func newHomeserver(t *testing.T) *homeserver {
	t.Helper()
	h := &homeserver{tokens: map[string]id.UserID{}, seed: ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))}
	h.web = httptest.NewTLSServer(h)
	h.name = id.ServerName(strings.TrimPrefix(h.web.URL, "https://"))
	t.Cleanup(h.web.Close)
	return h
}

func (h *homeserver) user(localpart string) id.UserID {
	return id.UserID("@" + localpart + ":" + string(h.name))
}

// token is an OpenID token as the homeserver gives it to its user.
func (h *homeserver) token(user id.UserID) apitest.Object {
	h.mu.Lock()
	defer h.mu.Unlock()
	token := "openid " + string(user)
	h.tokens[token] = user
	return apitest.Object{"access_token": token, "token_type": "Bearer", "matrix_server_name": h.name, "expires_in": 3600}
}

// answers replaces the homeserver by another one, until the test ends.
func (h *homeserver) answers(answer http.HandlerFunc) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.answer = answer
}

func (h *homeserver) received() []notice {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.notices
}

func (h *homeserver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.answer != nil:
		h.answer(w, r)
	case r.URL.Path == "/_matrix/federation/v1/openid/userinfo":
		user, ok := h.tokens[r.URL.Query().Get("access_token")]
		if !ok {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_ = json.NewEncoder(w).Encode(apitest.Object{"sub": user})
	case r.URL.Path == "/_matrix/key/v2/server":
		_, _ = w.Write(h.keys(h.name, time.Now().Add(time.Hour)))
	default:
		body, _ := io.ReadAll(r.Body)
		h.notices = append(h.notices, notice{r.Method, r.RequestURI, r.Header.Get("Authorization"), body})
		_, _ = io.WriteString(w, "{}")
	}
}

// keys is what the homeserver publishes of its keys.
func (h *homeserver) keys(server id.ServerName, until time.Time) []byte {
	raw, _ := json.Marshal(apitest.Object{
		"server_name": server, "valid_until_ts": until.UnixMilli(), "old_verify_keys": apitest.Object{},
		"verify_keys": apitest.Object{otherKey: apitest.Object{"key": canonicaljson.EncodeBase64(h.seed.Public().(ed25519.PublicKey))}},
	})
	signed, _ := canonicaljson.Sign(raw, string(server), otherKey, h.seed)
	return signed
}

func query(pairs ...string) string {
	values := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		values.Set(pairs[i], pairs[i+1])
	}
	return "?" + values.Encode()
}
