package upstream_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
)

// logout is a logout token of the provider for its session "one" of alice; the function
// may change it.
func (p *provider) logout(t testing.TB, change func(claims map[string]any)) (payload []byte) {
	t.Helper()
	claims := map[string]any{
		"iss": p.URL, "aud": "narthex", "iat": time.Now().Unix(), "exp": time.Now().Add(2 * time.Minute).Unix(), "jti": rand.Text(),
		"sub": "7", "sid": "one", "events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
	}
	change(claims)
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	return payload
}

// vouched is a browser in which alice has signed in, in a session of the provider.
func (p *provider) vouched(t testing.TB, srv *apitest.Server, session string) *apitest.Surfer {
	t.Helper()
	p.set(func(p *provider) { p.claims["sid"] = session })
	s := apitest.Surf(t, srv)
	p.signIn(t, s, srv, "/account").Goes(t, "/account")
	s.Get(t, "/account").Shows(t, 200, "@alice:narthex.test")
	return s
}

func sendLogout(t testing.TB, srv *apitest.Server, provider string, form url.Values) apitest.Seen {
	t.Helper()
	return apitest.Surf(t, srv).Do(t, "POST", "/sso/logout/"+provider, strings.NewReader(form.Encode()))
}

const toSignIn = "/login?continue=%2Faccount"

// TestLogoutByProvider holds that a provider ends the sessions that it has vouched for:
// one of them, or all of a person; and those of nobody else.
func TestLogoutByProvider(t *testing.T) {
	p := newProvider(t)
	srv := server(t, []config.Provider{p.entry("example"), p.entry("another")})
	srv.User(t, "bob")
	bob := apitest.Surf(t, srv).SignIn(t, "bob")
	one, two := p.vouched(t, srv, "one"), p.vouched(t, srv, "two")
	var session struct {
		Token string `json:"access_token"`
	}
	login(t, srv, loginToken(t, one)).OK(t, &session)
	app := *srv.Anyone()
	app.Token = session.Token
	send := func(provider string, payload []byte) apitest.Seen {
		t.Helper()
		return sendLogout(t, srv, provider, url.Values{"logout_token": {signed(p, payload)}})
	}
	ok := func(provider string, change func(map[string]any)) {
		t.Helper()
		if v := send(provider, p.logout(t, change)); v.Status != 200 || v.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("got %d %s", v.Status, v.HTML)
		}
	}

	ok("another", func(map[string]any) {}) // to which nobody of these came
	ok("example", func(c map[string]any) { c["sub"] = "8" })
	one.Get(t, "/account").Shows(t, 200, "@alice:narthex.test")
	late := loginToken(t, one) // on its way to an app
	ok("example", func(map[string]any) {})
	one.Get(t, "/account").Goes(t, toSignIn)
	two.Get(t, "/account").Shows(t, 200, "@alice:narthex.test")
	if r := login(t, srv, late); r.Status != 403 {
		t.Errorf("the login token of before is answered by %d %s", r.Status, r.Body)
	}

	three := p.vouched(t, srv, "three")
	ok("example", func(c map[string]any) { delete(c, "sub"); c["sid"] = "three" })
	three.Get(t, "/account").Goes(t, toSignIn)
	four := p.vouched(t, srv, "four")
	ok("example", func(c map[string]any) { delete(c, "sid") })
	two.Get(t, "/account").Goes(t, toSignIn)
	four.Get(t, "/account").Goes(t, toSignIn)
	bob.Get(t, "/account").Shows(t, 200, "@bob:narthex.test")
	app.Do(t, "GET", "/_matrix/client/v3/account/whoami", nil).OK(t, nil) // apps stay signed in
}

// TestLogoutTokensAreUsedOnce holds that a logout that was sent once ends nothing later.
func TestLogoutTokensAreUsedOnce(t *testing.T) {
	p := newProvider(t)
	srv := server(t, []config.Provider{p.entry("example")})
	form := url.Values{"logout_token": {signed(p, p.logout(t, func(map[string]any) {}))}}
	p.vouched(t, srv, "one")
	if v := sendLogout(t, srv, "example", form); v.Status != 200 {
		t.Fatalf("got %d %s", v.Status, v.HTML)
	}
	s := p.vouched(t, srv, "one")
	if v := sendLogout(t, srv, "example", form); v.Status != 400 || !strings.Contains(v.HTML, `"error":"invalid_request"`) {
		t.Errorf("the second time: %d %s", v.Status, v.HTML)
	}
	srv.RunJobs(t)
	if v := sendLogout(t, srv, "example", form); v.Status != 400 {
		t.Errorf("the third time: %d %s", v.Status, v.HTML)
	}
	srv.Advance(12 * time.Minute) // and then it is too old
	srv.RunJobs(t)
	if v := sendLogout(t, srv, "example", form); v.Status != 400 {
		t.Errorf("much later: %d %s", v.Status, v.HTML)
	}
	s.Get(t, "/account").Shows(t, 200, "@alice:narthex.test")
}

// TestForgedLogouts: no token signs anybody out but a logout token of the provider, for
// this server, of now.
func TestForgedLogouts(t *testing.T) {
	p := newProvider(t)
	srv := server(t, []config.Provider{p.entry("example")})
	s := p.vouched(t, srv, "one")
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	forms := map[string]url.Values{
		"nothing": {}, "an empty token": {"logout_token": {""}}, "no token": {"logout_token": {"x"}}, "three dots": {"logout_token": {"a.b.c"}},
		"two tokens":            {"logout_token": {signed(p, p.logout(t, func(map[string]any) {})), signed(p, p.logout(t, func(map[string]any) {}))}},
		"a stranger's":          {"logout_token": {signedBy(jose.RS256, stranger, p.logout(t, func(map[string]any) {}))}},
		"the secret's":          {"logout_token": {signedBy(jose.HS256, []byte(clientSecret+strings.Repeat(" ", 32)), p.logout(t, func(map[string]any) {}))}},
		"with a hole signature": {"logout_token": {signed(p, p.logout(t, func(map[string]any) {})) + "x"}},
	}
	claim := func(name string, value any) func(map[string]any) {
		return func(c map[string]any) { c[name] = value }
	}
	without := func(names ...string) func(map[string]any) {
		return func(c map[string]any) {
			for _, name := range names {
				delete(c, name)
			}
		}
	}
	const event = "http://schemas.openid.net/event/backchannel-logout"
	for name, change := range map[string]func(map[string]any){
		"another issuer":             claim("iss", "https://accounts.example.org"),
		"for another":                claim("aud", "another"),
		"for nobody":                 without("aud"),
		"expired":                    claim("exp", 1),
		"without an end":             without("exp"),
		"from the future":            claim("iat", time.Now().Add(time.Hour).Unix()),
		"from long ago":              claim("iat", time.Now().Add(-time.Hour).Unix()),
		"from no time":               without("iat"),
		"an ID token":                func(c map[string]any) { delete(c, "events"); c["nonce"] = "x" },
		"without events":             without("events"),
		"another event":              claim("events", map[string]any{"https://example.org/event": map[string]any{}}),
		"an event that is no object": claim("events", map[string]any{event: true}),
		"events in a list":           claim("events", []string{event}),
		"with a nonce":               claim("nonce", "x"),
		"with an empty nonce":        claim("nonce", ""),
		"without jti":                without("jti"),
		"a jti that is a list":       claim("jti", []string{"x"}),
		"a jti without end":          claim("jti", strings.Repeat("x", 300)),
		"about nobody":               without("sub", "sid"),
		"about lists":                func(c map[string]any) { c["sub"], c["sid"] = []string{"7"}, []string{"one"} },
	} {
		forms[name] = url.Values{"logout_token": {signed(p, p.logout(t, change))}}
	}
	for name, form := range forms {
		t.Run(name, func(t *testing.T) {
			if v := sendLogout(t, srv, "example", form); v.Status != 400 || !strings.Contains(v.HTML, `"error":"invalid_request"`) {
				t.Errorf("got %d %s", v.Status, v.HTML)
			}
		})
	}
	s.Get(t, "/account").Shows(t, 200, "@alice:narthex.test")
	right := url.Values{"logout_token": {signed(p, p.logout(t, func(map[string]any) {}))}}
	for _, other := range []string{"nobody", "x"} {
		if v := sendLogout(t, srv, other, right); v.Status != 400 {
			t.Errorf("a provider that is not there: %d %s", v.Status, v.HTML)
		}
	}
	s.Get(t, "/account").Shows(t, 200, "@alice:narthex.test")
}

// TestLogoutOfAProviderThatIsDown holds that the provider is told to send it again.
func TestLogoutOfAProviderThatIsDown(t *testing.T) {
	p := newProvider(t)
	srv := server(t, []config.Provider{p.entry("example")})
	form := url.Values{"logout_token": {signed(p, p.logout(t, func(map[string]any) {}))}}
	p.Close()
	if v := sendLogout(t, srv, "example", form); v.Status != 400 || !strings.Contains(v.HTML, "Send it again later.") {
		t.Errorf("got %d %s", v.Status, v.HTML)
	}
}
