package upstream_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
)

// TestLinking links a provider to an account that has a password, and takes it away.
func TestLinking(t *testing.T) {
	p := newProvider(t)
	srv := server(t, []config.Provider{p.entry("example")})
	srv.User(t, "bob")
	s := apitest.Surf(t, srv).SignIn(t, "bob")
	s.Get(t, "/account").Shows(t, 200, "Ways to sign in")
	s.Get(t, "/account/providers").Shows(t, 200, "You sign in with your password alone.", "Link Example Login")
	link := url.Values{"action": {"link"}, "provider": {"example"}}
	s.Post(t, "/account/providers", url.Values{"action": {"link"}, "provider": {"none"}}).Shows(t, 404)
	onward := s.Post(t, "/account/providers", link).Shows(t, 200, "Go on to Example Login")
	_, address, _ := cutRefresh(onward.Header.Get("Refresh"))
	back := p.follow(t, srv, address)
	thief := apitest.Surf(t, srv)
	thief.Get(t, back).Shows(t, 400)
	s.Get(t, back).Goes(t, "/account/providers?done=linked")
	s.Get(t, "/account/providers?done=linked").Shows(t, 200, "alice@example.org", "From now on you can sign in with it.")

	other := apitest.Surf(t, srv)
	p.signIn(t, other, srv, "/account").Goes(t, "/account")
	other.Get(t, "/account").Shows(t, 200, "@bob:narthex.test")

	srv.User(t, "carol")
	c := apitest.Surf(t, srv).SignIn(t, "carol")
	c.Get(t, "/account/providers")
	_, address, _ = cutRefresh(c.Post(t, "/account/providers", link).Header.Get("Refresh"))
	c.Get(t, p.follow(t, srv, address)).Shows(t, 403, "belongs to another account of this server already")

	srv.Advance(16 * time.Minute)
	s.Get(t, "/account/providers")
	unlink := url.Values{"action": {"unlink"}, "provider": {"example"}, "subject": {"7"}}
	s.Post(t, "/account/providers", unlink).Goes(t, "/confirm?continue=%2Faccount%2Fproviders")
	s.Get(t, "/confirm?continue=%2Faccount%2Fproviders")
	s.Post(t, "/confirm", url.Values{"continue": {"/account/providers"}, "password": {apitest.Password}}).Goes(t, "/account/providers")
	s.Get(t, "/account/providers")
	s.Post(t, "/account/providers", url.Values{"form_token": {"x"}, "action": {"unlink"}}).Shows(t, 403, "out of date")
	s.Get(t, "/account/providers")
	s.Post(t, "/account/providers", unlink).Goes(t, "/account/providers?done=unlinked")
	s.Post(t, "/account/providers", unlink).Goes(t, "/account/providers?done=unlinked")
	stranger := apitest.Surf(t, srv)
	p.signIn(t, stranger, srv, "/account").Goes(t, "/account")
	stranger.Get(t, "/account").Shows(t, 200, "@alice:narthex.test")
}

func cutRefresh(header string) (seconds, address string, ok bool) {
	const before = "0; url="
	if len(header) < len(before) || header[:len(before)] != before {
		return "", "", false
	}
	return "0", header[len(before):], true
}

// TestAccountWithoutPassword proves who it is by the provider, which has to ask.
func TestAccountWithoutPassword(t *testing.T) {
	p := newProvider(t)
	srv := server(t, []config.Provider{p.entry("example")})
	s := apitest.Surf(t, srv)
	p.signIn(t, s, srv, "/account").Goes(t, "/account")
	confirm := "/confirm?continue=%2Faccount%2Fpassword"
	s.Get(t, "/account/password").Goes(t, confirm)
	s.Get(t, "/account/deactivate").Goes(t, "/confirm?continue=%2Faccount%2Fdeactivate")
	s.Get(t, "/account/identity").Goes(t, "/confirm?continue=%2Faccount%2Fidentity")
	s.Get(t, confirm).Shows(t, 200, "Confirm with Example Login")
	s.Get(t, "/account/providers")
	s.Post(t, "/account/providers", url.Values{"action": {"unlink"}, "provider": {"example"}, "subject": {"7"}}).Goes(t, "/confirm?continue=%2Faccount%2Fproviders")

	prove := "/sso/begin/example?continue=%2Faccount%2Fpassword&purpose=prove"
	apitest.Surf(t, srv).Get(t, prove).Goes(t, "/login?continue=%2Faccount%2Fpassword")
	s.Get(t, p.visit(t, s, srv, prove)).Shows(t, 403, "does not say when you last proved to it who you are", "Confirm it in another way.")
	if p.asked.Get("prompt") != "login" || p.asked.Get("max_age") != "0" {
		t.Errorf("the provider is asked %v", p.asked)
	}
	p.set(func(p *provider) { p.claims["auth_time"] = time.Now().Add(-time.Hour).Unix() })
	s.Get(t, p.visit(t, s, srv, prove)).Shows(t, 403, "did not ask you again who you are")
	p.set(func(p *provider) { p.claims["auth_time"], p.claims["sub"] = time.Now().Unix(), "8" })
	s.Get(t, p.visit(t, s, srv, prove)).Shows(t, 403, "You signed in there as somebody else.")
	p.set(func(p *provider) { p.claims["sub"] = "7" })
	s.Get(t, p.visit(t, s, srv, prove)).Goes(t, "/account/password")

	s.Get(t, "/account/providers")
	s.Post(t, "/account/providers", url.Values{"action": {"unlink"}, "provider": {"example"}, "subject": {"7"}}).Shows(t, 403, "This is the only way in which you can sign in.")
	s.Get(t, "/account/password").Shows(t, 200, "Choose a password")
	s.Post(t, "/account/password", url.Values{"new_password": {"three short words"}, "password_again": {"three short words"}}).Goes(t, "/account?done=password")
	s.Get(t, "/account/providers")
	s.Post(t, "/account/providers", url.Values{"action": {"unlink"}, "provider": {"example"}, "subject": {"7"}}).Goes(t, "/account/providers?done=unlinked")
}

// TestUpstreamIsAskedAgain: an app that signs in later takes the person by way of the
// provider, which may have signed them out or shut them out.
func TestUpstreamIsAskedAgain(t *testing.T) {
	p := newProvider(t)
	srv := server(t, []config.Provider{p.entry("example")})
	s := apitest.Surf(t, srv)
	p.signIn(t, s, srv, "/account").Goes(t, "/account")
	page := "/sso?" + url.Values{"redirect_url": {legacy}}.Encode()
	s.Get(t, page).Shows(t, 200, "You go back, signed in, to")
	srv.Advance(16 * time.Minute)
	again := "/sso/begin/example?" + url.Values{"continue": {page}}.Encode()
	s.Post(t, "/sso", url.Values{"redirect_url": {legacy}, "answer": {"allow"}}).Goes(t, again)
	s.Get(t, page).Goes(t, again)
	p.set(func(p *provider) {
		p.answer = func(back url.Values) { back.Del("code"); back.Set("error", "access_denied") }
	})
	s.Get(t, p.visit(t, s, srv, again)).Shows(t, 403, "did not let you sign in")
	s.Get(t, page).Goes(t, again)
	p.set(func(p *provider) { p.answer = nil })
	s.Get(t, p.visit(t, s, srv, again)).Goes(t, page)
	s.Get(t, page).Shows(t, 200, "You go back, signed in, to")
	for range 13 { // using it does not keep it
		srv.Advance(time.Hour)
		if v := s.Get(t, "/account"); v.Status != 200 {
			v.Goes(t, "/login?continue=%2Faccount")
			return
		}
	}
	t.Error("the session goes on for ever")
}
