package rooms_test

import (
	"crypto/ed25519"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/canonicaljson"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/id"
)

// identityServer is an identity server of other people. It stores invites, and knows
// those whose addresses a test binds.
type identityServer struct {
	web *httptest.Server
	key ed25519.PrivateKey

	mu    sync.Mutex
	bound map[string]id.UserID // by "address medium"
	asked []request
	count int
	// answers, by path, replace what it says.
	answers map[string]http.HandlerFunc
}

// request is what the identity server was asked.
type request struct {
	path, token string
	body        map[string]any
}

const (
	identityPath = "/_matrix/identity/v2"
	identityKey  = "ed25519:0"
	storePath    = identityPath + "/store-invite"
	lookupPath   = identityPath + "/lookup"
	validPath    = identityPath + "/pubkey/isvalid"
)

func newIdentityServer(t *testing.T) *identityServer {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	s := &identityServer{key: key, bound: map[string]id.UserID{}, answers: map[string]http.HandlerFunc{}}
	s.web = httptest.NewTLSServer(s)
	t.Cleanup(s.web.Close)
	return s
}

// start runs a homeserver that trusts the identity server.
func (s *identityServer) start(t *testing.T, change ...func(*config.Config)) *apitest.Server {
	t.Helper()
	file := filepath.Join(t.TempDir(), "authorities.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.web.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return apitest.New(t, append(change, func(c *config.Config) {
		c.Threepid.TrustedIdentityServers = []string{s.name()}
		c.Outbound.AllowedNetworks, c.Outbound.Authorities = []string{"127.0.0.1/32"}, file
	})...)
}

func (s *identityServer) name() string { return strings.TrimPrefix(s.web.URL, "https://") }

func (s *identityServer) public() string {
	return canonicaljson.EncodeBase64(s.key.Public().(ed25519.PublicKey))
}

// bind makes an address somebody's.
func (s *identityServer) bind(address, medium string, user id.UserID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bound[address+" "+medium] = user
}

// says makes it answer otherwise at a path; nil takes that back.
func (s *identityServer) says(path string, answer http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers[path] = answer
}

// requests are what it was asked at a path since the last call.
func (s *identityServer) requests(path string) (asked []request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.asked {
		if r.path == path || path == "" {
			asked = append(asked, r)
		}
	}
	s.asked = nil
	return asked
}

func (s *identityServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	asked := request{path: r.URL.Path, token: r.Header.Get("Authorization")}
	_ = json.NewDecoder(r.Body).Decode(&asked.body) // GET has none
	s.asked = append(s.asked, asked)
	s.count++
	token, answer := fmt.Sprint("token", s.count), s.answers[r.URL.Path]
	s.mu.Unlock()
	switch {
	case answer != nil:
		answer(w, r)
	case r.URL.Path == identityPath+"/hash_details":
		reply(http.StatusOK, apitest.Object{"algorithms": []string{"none"}, "lookup_pepper": "p"})(w, r)
	case r.URL.Path == lookupPath:
		mappings := map[string]id.UserID{}
		for _, address := range asked.body["addresses"].([]any) {
			if owner := s.owner(address.(string)); owner != "" {
				mappings[address.(string)] = owner
			}
		}
		reply(http.StatusOK, apitest.Object{"mappings": mappings})(w, r)
	case r.URL.Path == storePath:
		reply(http.StatusOK, apitest.Object{"token": token, "display_name": "f...@e...", "public_key": s.public(),
			"public_keys": []apitest.Object{{"public_key": s.public(), "key_validity_url": s.web.URL + validPath}, {"public_key": "AAAA"}}})(w, r)
	case r.URL.Path == validPath:
		reply(http.StatusOK, apitest.Object{"valid": r.URL.Query().Get("public_key") == s.public()})(w, r)
	default:
		reply(http.StatusNotFound, apitest.Object{"errcode": "M_UNRECOGNIZED", "error": "What?"})(w, r)
	}
}

func (s *identityServer) owner(address string) id.UserID {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bound[address]
}

func reply(status int, body any) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(body)
	}
}

// invitee is who is invited by address.
func (s *identityServer) invitee(address string) map[string]any {
	return map[string]any{"medium": "email", "address": address, "id_server": s.name(), "id_access_token": "at-the-identity-server"}
}

// invite has somebody invite an address that is nobody's, and gives the token.
func (s *identityServer) invite(t *testing.T, room *apitest.Room, as *apitest.Client) (token string) {
	t.Helper()
	before := s.tokens(t, room, as)
	as.Do(t, "POST", room.Path("/invite"), s.invitee("frank@example.com")).OK(t, nil)
	for token := range s.tokens(t, room, as) {
		if !before[token] {
			return token
		}
	}
	t.Fatal("there is no invite by address in the room")
	return ""
}

// tokens are those of the invites by address in a room.
func (s *identityServer) tokens(t *testing.T, room *apitest.Room, as *apitest.Client) map[string]bool {
	t.Helper()
	var state []apitest.Event
	as.Do(t, "GET", room.Path("/state"), nil).OK(t, &state)
	tokens := map[string]bool{}
	for _, ev := range state {
		if ev.Type == "m.room.third_party_invite" {
			tokens[*ev.StateKey] = true
		}
	}
	return tokens
}

// signed is the proof that an invite is for a user.
func (s *identityServer) signed(t *testing.T, user, sender id.UserID, token string) map[string]any {
	t.Helper()
	object := map[string]any{"mxid": user, "token": token}
	if sender != "" {
		object["sender"] = sender
	}
	return s.sign(t, object)
}

func (s *identityServer) sign(t *testing.T, object map[string]any) (signed map[string]any) {
	t.Helper()
	raw, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	if raw, err = canonicaljson.Sign(raw, s.name(), identityKey, s.key); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &signed); err != nil {
		t.Fatal(err)
	}
	return signed
}
