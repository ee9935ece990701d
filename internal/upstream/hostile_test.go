package upstream_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
)

const notNow = "does not work at this moment"

// TestForgedTokens: no ID token signs anybody in but one of the provider, for this
// server and this sign-in.
func TestForgedTokens(t *testing.T) {
	p := newProvider(t)
	srv := server(t, []config.Provider{p.entry("example")})
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(p.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	secretOf := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})
	claim := func(name string, value any) func(*provider) {
		return func(p *provider) { p.forge = func(c map[string]any) { c[name] = value } }
	}
	signer := func(sign func(*provider, []byte) string) func(*provider) { return func(p *provider) { p.sign = sign } }
	for name, change := range map[string]func(*provider){
		"the issuer is another":              claim("iss", "https://accounts.example.org"),
		"the nonce is another":               claim("nonce", "x"),
		"there is no nonce":                  func(p *provider) { p.forge = func(c map[string]any) { delete(c, "nonce") } },
		"it is for another":                  claim("aud", "another"),
		"it is for several":                  claim("aud", []string{"narthex", "another"}),
		"another asked for it":               claim("azp", "another"),
		"it has expired":                     claim("exp", 1),
		"it is not yet good":                 claim("nbf", 1<<40),
		"it comes from the future":           claim("iat", 1<<39),
		"it is for another access token":     claim("at_hash", "AAAAAAAAAAAAAAAAAAAAAA"),
		"there is no subject":                func(p *provider) { p.forge = func(c map[string]any) { delete(c, "sub") } },
		"the subject is a list":              claim("sub", []string{"7"}),
		"the subject is too long":            claim("sub", strings.Repeat("7", 256)),
		"the signature is another's":         signer(func(_ *provider, payload []byte) string { return signedBy(jose.RS256, stranger, payload) }),
		"the public key is taken for secret": signer(func(_ *provider, payload []byte) string { return signedBy(jose.HS256, secretOf, payload) }),
		"the client secret signs": signer(func(_ *provider, payload []byte) string {
			return signedBy(jose.HS256, []byte(clientSecret+strings.Repeat(" ", 32)), payload)
		}),
		"nothing is signed": signer(func(_ *provider, payload []byte) string {
			b64 := base64.RawURLEncoding
			return b64.EncodeToString([]byte(`{"alg":"none"}`)) + "." + b64.EncodeToString(payload) + "."
		}),
		"the signature is damaged": signer(func(p *provider, payload []byte) string {
			text := signed(p, payload)
			return text[:len(text)-8] + "AAAAAAAA"
		}),
		"it is no token":    signer(func(*provider, []byte) string { return "x" }),
		"there is no token": signer(func(*provider, []byte) string { return "" }),
	} {
		p.set(func(p *provider) { p.forge, p.sign = nil, nil; change(p) })
		s := apitest.Surf(t, srv)
		if v := p.signIn(t, s, srv, "/account"); v.Status != 502 || !strings.Contains(v.Text, notNow) {
			t.Errorf("%s: got %d %s", name, v.Status, v.Text)
		}
		s.Get(t, "/account").Goes(t, "/login?continue=%2Faccount")
	}
	p.set(func(p *provider) {
		p.forge, p.sign = func(c map[string]any) { c["azp"], c["aud"] = "narthex", []string{"narthex", "another"} }, nil
	})
	p.signIn(t, apitest.Surf(t, srv), srv, "/account").Goes(t, "/account")
}

// TestStates: an answer counts once, in the browser that asked, for the provider that
// was asked, and for ten minutes.
func TestStates(t *testing.T) {
	p, other := newProvider(t), newProvider(t)
	srv := server(t, []config.Provider{p.entry("example"), other.entry("other")})
	const stale = "was begun in another browser"
	s := apitest.Surf(t, srv)
	back := p.visit(t, s, srv, "/sso/begin/example")
	apitest.Surf(t, srv).Get(t, back).Shows(t, 400, stale)
	s.Get(t, strings.Replace(back, "/callback/example", "/callback/other", 1)).Shows(t, 400, stale) // a mix-up
	s.Get(t, strings.Replace(back, "state=", "state=x", 1)).Shows(t, 400, stale)
	s.Get(t, "/sso/callback/example").Shows(t, 400, stale)
	s.Get(t, "/sso/callback/none?state=x").Shows(t, 404)
	s.Get(t, "/sso/begin/none").Shows(t, 404)
	s.Get(t, back).Goes(t, "/account")
	s.Get(t, back).Shows(t, 400, stale) // again

	late := apitest.Surf(t, srv)
	back = p.visit(t, late, srv, "/sso/begin/example")
	srv.Advance(11 * time.Minute)
	late.Get(t, back).Shows(t, 400, stale)
	srv.RunJobs(t)

	// The code of one sign-in does not do for another one: the verifier is another.
	thief := apitest.Surf(t, srv)
	stolen, err := url.Parse(p.visit(t, apitest.Surf(t, srv), srv, "/sso/begin/example"))
	if err != nil {
		t.Fatal(err)
	}
	own, err := url.Parse(p.visit(t, thief, srv, "/sso/begin/example"))
	if err != nil {
		t.Fatal(err)
	}
	thief.Get(t, "/sso/callback/example?"+url.Values{"state": {own.Query().Get("state")}, "code": {stolen.Query().Get("code")}}.Encode()).
		Shows(t, 403, "did not accept the sign-in any more")
}

// TestIssuerOfAnswers is RFC 9207.
func TestIssuerOfAnswers(t *testing.T) {
	p := newProvider(t)
	p.metadata = func(m map[string]any) { m["authorization_response_iss_parameter_supported"] = true }
	srv := server(t, []config.Provider{p.entry("example")})
	p.signIn(t, apitest.Surf(t, srv), srv, "/account").Shows(t, 502, notNow)
	p.set(func(p *provider) {
		p.answer = func(back url.Values) { back.Set("iss", "https://accounts.example.org") }
	})
	p.signIn(t, apitest.Surf(t, srv), srv, "/account").Shows(t, 502, notNow)
	p.set(func(p *provider) { p.answer = func(back url.Values) { back.Set("iss", p.URL) } })
	p.signIn(t, apitest.Surf(t, srv), srv, "/account").Goes(t, "/account")
}

// TestErrorsOfProviders puts what a provider answers into words.
func TestErrorsOfProviders(t *testing.T) {
	p := newProvider(t)
	srv := server(t, []config.Provider{p.entry("example")})
	for code, want := range map[string]struct {
		status int
		text   string
	}{
		"access_denied":  {403, "did not let you sign in, or you cancelled it"},
		"login_required": {403, "wants something of you before you can sign in"},
		"server_error":   {502, notNow},
		"<script>":       {502, notNow},
	} {
		p.set(func(p *provider) {
			p.answer = func(back url.Values) {
				back.Del("code")
				back.Set("error", code)
				back.Set("error_description", "<b>planted</b>")
			}
		})
		p.signIn(t, apitest.Surf(t, srv), srv, "/account").Shows(t, want.status, want.text).Without(t, "planted", "<script>")
	}
	p.set(func(p *provider) { p.answer = func(back url.Values) { back.Del("code") } })
	p.signIn(t, apitest.Surf(t, srv), srv, "/account").Shows(t, 502, notNow)
	p.set(func(p *provider) { p.answer = nil })
	for name, answer := range map[string]func(w http.ResponseWriter){
		"a fault": func(w http.ResponseWriter) { w.WriteHeader(http.StatusInternalServerError) },
		"no JSON": func(w http.ResponseWriter) { _, _ = w.Write([]byte("<html>")) },
		"too much": func(w http.ResponseWriter) {
			_, _ = w.Write([]byte(`{"access_token":"` + strings.Repeat("x", 2<<20) + `"}`))
		},
		"a redirect": func(w http.ResponseWriter) {
			w.Header().Set("Location", "http://127.0.0.1:1/")
			w.WriteHeader(http.StatusTemporaryRedirect)
		},
	} {
		p.set(func(p *provider) { p.token = func(w http.ResponseWriter) bool { answer(w); return true } })
		if v := p.signIn(t, apitest.Surf(t, srv), srv, "/account"); v.Status != 502 {
			t.Errorf("%s: got %d %s", name, v.Status, v.Text)
		}
	}
}

// TestDiscovery believes no provider that calls itself otherwise, leads elsewhere, or
// answers without end; and none in a network that the operator has not named.
func TestDiscovery(t *testing.T) {
	p := newProvider(t)
	srv := server(t, []config.Provider{p.entry("example")})
	for name, change := range map[string]func(map[string]any){
		"another issuer":     func(m map[string]any) { m["issuer"] = "https://accounts.example.org" },
		"too much":           func(m map[string]any) { m["x"] = strings.Repeat("x", 1<<20) },
		"no endpoint":        func(m map[string]any) { delete(m, "authorization_endpoint") },
		"a script":           func(m map[string]any) { m["authorization_endpoint"] = "javascript:alert(1)" },
		"a file for keys":    func(m map[string]any) { m["jwks_uri"] = "file:///etc/passwd" },
		"a token by gopher":  func(m map[string]any) { m["token_endpoint"] = "gopher://127.0.0.1/" },
		"credentials in one": func(m map[string]any) { m["token_endpoint"] = "http://a:b@127.0.0.1/" },
	} {
		p.set(func(p *provider) { p.metadata = change })
		if v := apitest.Surf(t, srv).Get(t, "/sso/begin/example"); v.Status != 502 || !strings.Contains(v.Text, notNow) {
			t.Errorf("%s: got %d %q %s", name, v.Status, v.Location, v.Text)
		}
	}
	p.set(func(p *provider) { p.metadata = nil })
	lost := httptest.NewServer(http.RedirectHandler(p.URL+"/.well-known/openid-configuration", http.StatusFound))
	defer lost.Close()
	elsewhere := server(t, []config.Provider{p.entry("example", func(e *config.Provider) { e.Issuer = lost.URL })})
	apitest.Surf(t, elsewhere).Get(t, "/sso/begin/example").Shows(t, 502, notNow)

	guarded := server(t, []config.Provider{p.entry("example")}, func(cfg *config.Config) { cfg.Outbound.AllowedNetworks = nil })
	apitest.Surf(t, guarded).Get(t, "/sso/begin/example").Shows(t, 502, notNow)
	if !strings.Contains(guarded.Log.String(), "the address is not public") {
		t.Errorf("the log does not say why:\n%s", guarded.Log)
	}
	p.Close() // and now it is down
	srv.Advance(2 * time.Hour)
	apitest.Surf(t, srv).Get(t, "/sso/begin/example?continue=/account/sessions").Shows(t, 502, "Signing in with Example Login "+notNow, "or sign in in another way")
}
