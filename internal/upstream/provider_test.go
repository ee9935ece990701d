package upstream_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
)

// provider is an OpenID Connect provider that signs in whomever the test says, and
// answers as the test wants it to.
type provider struct {
	*httptest.Server
	key *rsa.PrivateKey

	mu     sync.Mutex
	claims map[string]any        // of the person who signs in
	codes  map[string]url.Values // not used yet, with the request that they are for
	// asked is the last request of the authorization endpoint.
	asked url.Values

	// What is false about the next answers; nil for nothing.
	metadata func(map[string]any)
	answer   func(url.Values)                           // of the authorization endpoint
	forge    func(claims map[string]any)                // of the ID token
	sign     func(p *provider, payload []byte) string   // in place of the right signature
	token    func(w http.ResponseWriter) (handled bool) // the token endpoint
	info     map[string]any                             // the userinfo endpoint
}

var rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func newProvider(t testing.TB) *provider {
	p := &provider{key: rsaKey(), codes: map[string]url.Values{}, claims: map[string]any{
		"sub": "7", "preferred_username": "Alice", "name": "Alice Liddell", "email": "alice@example.org", "email_verified": true,
	}}
	p.Server = httptest.NewServer(http.HandlerFunc(p.serve))
	t.Cleanup(p.Close)
	return p
}

const clientSecret = "a secret of the client"

// entry is the provider in the configuration.
func (p *provider) entry(id string, change ...func(*config.Provider)) config.Provider {
	e := config.DefaultProvider()
	e.ID, e.Name, e.Issuer, e.ClientID, e.ClientSecret = id, "Example Login", p.URL, "narthex", clientSecret
	for _, f := range change {
		f(&e)
	}
	return e
}

// server starts Narthex with providers.
func server(t testing.TB, providers []config.Provider, change ...func(*config.Config)) *apitest.Server {
	t.Helper()
	return apitest.New(t, func(cfg *config.Config) {
		cfg.SSO.Providers = providers
		cfg.Outbound.AllowedNetworks = []string{"127.0.0.0/8"}
		for _, f := range change {
			f(cfg)
		}
	})
}

func (p *provider) serve(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		m := map[string]any{
			"issuer": p.URL, "authorization_endpoint": p.URL + "/authorize", "token_endpoint": p.URL + "/token", "jwks_uri": p.URL + "/keys",
			"userinfo_endpoint": p.URL + "/userinfo", "id_token_signing_alg_values_supported": []string{"RS256"},
		}
		if p.metadata != nil {
			p.metadata(m)
		}
		write(w, m)
	case "/keys":
		write(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: p.key.Public(), KeyID: "1", Algorithm: "RS256", Use: "sig"}}})
	case "/authorize":
		p.authorize(w, r)
	case "/token":
		p.exchange(w, r)
	case "/userinfo":
		if r.Header.Get("Authorization") != "Bearer access" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		write(w, p.info)
	default:
		http.NotFound(w, r)
	}
}

func write(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // the server may have gone
}

func (p *provider) authorize(w http.ResponseWriter, r *http.Request) {
	p.asked = r.URL.Query()
	code := rand.Text()
	p.codes[code] = p.asked
	back := url.Values{"code": {code}, "state": {p.asked.Get("state")}}
	if p.answer != nil {
		p.answer(back)
	}
	http.Redirect(w, r, p.asked.Get("redirect_uri")+"?"+back.Encode(), http.StatusFound)
}

func (p *provider) exchange(w http.ResponseWriter, r *http.Request) {
	if p.token != nil && p.token(w) {
		return
	}
	asked, ok := p.codes[r.PostFormValue("code")]
	delete(p.codes, r.PostFormValue("code"))
	sum := crypto.SHA256.New()
	sum.Write([]byte(r.PostFormValue("code_verifier")))
	client, secret, _ := r.BasicAuth()
	switch {
	case !ok, asked.Get("code_challenge") != base64.RawURLEncoding.EncodeToString(sum.Sum(nil)), asked.Get("code_challenge_method") != "S256",
		r.PostFormValue("redirect_uri") != asked.Get("redirect_uri"):
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"error":"invalid_grant"}`)
		return
	case client != "narthex" || secret != url.QueryEscape(clientSecret):
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, `{"error":"invalid_client"}`)
		return
	}
	now := int64(1) << 40 // of the clock of the test, which only ever runs ahead
	claims := map[string]any{"iss": p.URL, "aud": "narthex", "nonce": asked.Get("nonce"), "iat": 1, "exp": now}
	maps.Copy(claims, p.claims)
	if p.forge != nil {
		p.forge(claims)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		panic(err)
	}
	sign := signed
	if p.sign != nil {
		sign = p.sign
	}
	write(w, map[string]any{"access_token": "access", "token_type": "Bearer", "id_token": sign(p, payload)})
}

// signed signs with the key of the provider.
func signed(p *provider, payload []byte) string { return signedBy(jose.RS256, p.key, payload) }

func signedBy(algorithm jose.SignatureAlgorithm, key any, payload []byte) string {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, (&jose.SignerOptions{}).WithHeader("kid", "1"))
	if err != nil {
		panic(err)
	}
	object, err := signer.Sign(payload)
	if err != nil {
		panic(err)
	}
	text, err := object.CompactSerialize()
	if err != nil {
		panic(err)
	}
	return text
}

// set changes the provider, for the requests from now on.
func (p *provider) set(change func(p *provider)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(p)
}

// person is who signs in from now on.
func (p *provider) person(subject, username string, more ...any) {
	p.set(func(p *provider) {
		p.claims = map[string]any{"sub": subject, "preferred_username": username}
		for i := 0; i+1 < len(more); i += 2 {
			p.claims[more[i].(string)] = more[i+1]
		}
	})
}

// visit takes a browser to a path of the server that leads to the provider, and to the
// provider and back; it gives the path that the provider sends it to.
func (p *provider) visit(t testing.TB, s *apitest.Surfer, srv *apitest.Server, path string) (callback string) {
	t.Helper()
	there := s.Get(t, path)
	if there.Status != http.StatusSeeOther || !strings.HasPrefix(there.Location, p.URL+"/authorize?") {
		t.Fatalf("%s leads to %d %q:\n%s", path, there.Status, there.Location, there.Text)
	}
	return p.follow(t, srv, there.Location)
}

// follow opens an address of the provider, and gives the path that it leads back to.
func (p *provider) follow(t testing.TB, srv *apitest.Server, address string) string {
	t.Helper()
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	back, ok := strings.CutPrefix(resp.Header.Get("Location"), srv.URL)
	if !ok {
		t.Fatalf("the provider sends the browser to %q", resp.Header.Get("Location"))
	}
	return back
}

// signIn goes to the provider and comes back.
func (p *provider) signIn(t testing.TB, s *apitest.Surfer, srv *apitest.Server, next string) apitest.Seen {
	t.Helper()
	return s.Get(t, p.visit(t, s, srv, "/sso/begin/example?"+url.Values{"continue": {next}}.Encode()))
}
