package upstream_test

import (
	"net/url"
	"regexp"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
)

var (
	secretField  = regexp.MustCompile(`name="secret" value="([A-Z2-7]{32})"`)
	recoveryCode = regexp.MustCompile(`\b[0-9a-z]{4}-[0-9a-z]{4}-[0-9a-z]{4}-[0-9a-z]{4}\b`)
)

// codeNow is what an app for one-time codes shows, so much later.
func codeNow(t testing.TB, secret string, ahead time.Duration) string {
	t.Helper()
	code, err := totp.GenerateCode(secret, time.Now().Add(ahead))
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// setUpCodes proves who it is by the provider, switches one-time codes on, and gives
// the secret and the recovery codes.
func setUpCodes(t testing.TB, p *provider, srv *apitest.Server, s *apitest.Surfer) (secret string, recovery []string) {
	t.Helper()
	const codes = "/account/security/codes"
	p.set(func(p *provider) { p.claims["auth_time"] = time.Now().Unix() })
	s.Get(t, p.visit(t, s, srv, "/sso/begin/example?"+url.Values{"continue": {codes}, "purpose": {"prove"}}.Encode())).Goes(t, codes)
	m := secretField.FindStringSubmatch(s.Get(t, codes).Shows(t, 200, "Scan this with the app").HTML)
	if m == nil {
		t.Fatal("there is no secret")
	}
	v := s.Post(t, codes, url.Values{"secret": {m[1]}, "code": {codeNow(t, m[1], 0)}}).Shows(t, 200, "Keep these recovery codes")
	return m[1], recoveryCode.FindAllString(v.Text, -1)
}

// TestSecondFactorAfterTheProvider holds that a second factor is asked for when the
// provider has vouched for somebody, and that the sign-in stays one by the provider.
func TestSecondFactorAfterTheProvider(t *testing.T) {
	p := newProvider(t)
	folder := t.TempDir()
	srv := server(t, []config.Provider{p.entry("example")}, func(cfg *config.Config) { cfg.Data = folder })
	first := apitest.Surf(t, srv)
	p.signIn(t, first, srv, "/account").Goes(t, "/account")
	secret, recovery := setUpCodes(t, p, srv, first)

	srv.Advance(time.Minute)
	s := apitest.Surf(t, srv)
	p.signIn(t, s, srv, "/account/sessions").Goes(t, "/login/second?continue=%2Faccount%2Fsessions")
	s.Get(t, "/account").Goes(t, "/login?continue=%2Faccount")
	s.Get(t, "/login/second?continue=%2Faccount%2Fsessions").Shows(t, 200, "One more step")
	s.Post(t, "/login/second", url.Values{"code": {"aaaa-aaaa-aaaa-aaaa"}}).Shows(t, 403, "This code is wrong")
	s.Post(t, "/login/second", nil).Shows(t, 403, "This code is wrong")
	s.Post(t, "/login/second", url.Values{"code": {codeNow(t, secret, time.Minute)}, "continue": {"/account/sessions"}}).Goes(t, "/account/sessions")
	s.Get(t, "/account").Shows(t, 200, "@alice:narthex.test")
	page := "/sso?" + url.Values{"redirect_url": {legacy}}.Encode()
	s.Get(t, page).Shows(t, 200, "You go back, signed in, to")
	srv.Advance(16 * time.Minute)
	s.Get(t, page).Goes(t, "/sso/begin/example?"+url.Values{"continue": {page}}.Encode())

	// The older way of apps goes by the second step, too.
	app := apitest.Surf(t, srv)
	begin := app.Get(t, "/_matrix/client/v3/login/sso/redirect/example?"+url.Values{"redirectUrl": {legacy}}.Encode()).Location
	app.Get(t, p.visit(t, app, srv, begin)).Goes(t, "/login/second?"+url.Values{"continue": {page}}.Encode())
	app.Get(t, "/login/second")
	app.Post(t, "/login/second", url.Values{"code": {recovery[0]}, "continue": {page}}).Goes(t, page)
	login(t, srv, loginToken(t, app)).OK(t, nil)

	// A provider that vouches for somebody else opens nothing of alice's.
	p.person("8", "bob")
	other := apitest.Surf(t, srv)
	p.signIn(t, other, srv, "/account").Goes(t, "/account")
	other.Get(t, "/account").Shows(t, 200, "@bob:narthex.test")
}

// TestConfirmByCodeWithoutAPassword holds that who has no password confirms by a code
// of the app, once, and by no recovery code: these are for whoever has lost the app.
func TestConfirmByCodeWithoutAPassword(t *testing.T) {
	p := newProvider(t)
	folder := t.TempDir()
	srv := server(t, []config.Provider{p.entry("example")}, func(cfg *config.Config) { cfg.Data = folder })
	s := apitest.Surf(t, srv)
	p.signIn(t, s, srv, "/account").Goes(t, "/account")
	secret, recovery := setUpCodes(t, p, srv, s)
	srv.Advance(16 * time.Minute)
	const confirm = "/confirm?continue=%2Faccount%2Fsecurity%2Fcodes"
	s.Get(t, "/account/security/codes").Goes(t, confirm)
	s.Get(t, confirm).Shows(t, 200, "Confirm that it is you", "The six digits that your app shows now", "Confirm with Example Login")
	const wrong = "This code is wrong, or was used already."
	right := codeNow(t, secret, 16*time.Minute)
	for _, code := range []string{codeNow(t, secret, 0), recovery[0], "12345", right + "0"} {
		s.Post(t, "/confirm", url.Values{"code": {code}}).Shows(t, 403, wrong)
	}
	s.Post(t, "/confirm", nil).Shows(t, 403)
	s.Post(t, "/confirm", url.Values{"code": {right}, "form_token": {"x"}}).Shows(t, 403, "out of date")
	s.Get(t, confirm)
	s.Post(t, "/confirm", url.Values{"code": {right}, "continue": {"/account/security/codes"}}).Goes(t, "/account/security/codes")
	s.Get(t, "/account/security/codes").Shows(t, 200, "Scan this with the app")

	again := apitest.Surf(t, srv)
	p.signIn(t, again, srv, "/account").Goes(t, "/login/second?continue=%2Faccount")
	again.Get(t, "/login/second")
	again.Post(t, "/login/second", url.Values{"code": {right}}).Shows(t, 403, wrong)
	again.Post(t, "/login/second", url.Values{"code": {recovery[0]}}).Goes(t, "/account") // it was not used up
}
