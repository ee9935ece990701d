package upstream_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/browsertest"
	"github.com/narthex-matrix/narthex/internal/config"
)

func shoot(t *testing.T, b *browsertest.Browser, name string) {
	t.Helper()
	b.Screen(t, browsertest.Phone, true)
	b.Shot(t, "provider-"+name+"-phone", browsertest.Phone.Width)
	b.Screen(t, browsertest.Desktop, false)
	b.Shot(t, "provider-"+name+"-desktop", browsertest.Desktop.Width)
}

func wantHeading(t *testing.T, b *browsertest.Browser, want string) {
	t.Helper()
	if got := b.Heading(t); got != want {
		t.Fatalf("the page is %q, not %q", got, want)
	}
}

// TestWalkThroughProviders is a person who makes an account by way of a provider,
// proves it once more there, chooses a password, parts with the provider, links it
// again, signs in by it, and is shut out there.
func TestWalkThroughProviders(t *testing.T) {
	p := newProvider(t)
	choose := func(e *config.Provider) { e.AskUsername = true }
	srv := server(t, []config.Provider{p.entry("example", choose)})
	srv.User(t, "bob")
	b := browsertest.New(t, srv.URL)
	b.Open(t, "/register?continue=%2Faccount%2Fproviders")
	shoot(t, b, "register")
	b.Press(t, "Continue with Example Login")
	b.Shows(t, "You come from Example Login as", "you need no password")
	b.Fill(t, "username", "bob")
	if status := b.Press(t, "Make the account"); status != 400 {
		t.Errorf("a name that is taken is answered by %d", status)
	}
	b.Shows(t, "This username is taken.")
	shoot(t, b, "welcome")
	b.Fill(t, "username", "alice")
	b.Press(t, "Make the account")
	wantHeading(t, b, "Ways to sign in")
	b.Shows(t, "You can sign in with these.", "Example Login")
	shoot(t, b, "one")
	b.Press(t, "Your account")
	b.Press(t, "Password")
	wantHeading(t, b, "Confirm that it is you")
	shoot(t, b, "confirm")
	if status := b.Press(t, "Confirm with Example Login"); status != 403 {
		t.Errorf("a provider that does not ask is answered by %d", status)
	}
	shoot(t, b, "not-asked")
	p.set(func(p *provider) { p.claims["auth_time"] = time.Now().Unix() })
	b.Open(t, "/account/password")
	b.Press(t, "Confirm with Example Login")
	wantHeading(t, b, "Choose a password")
	b.Fill(t, "new_password", apitest.Password)
	b.Fill(t, "password_again", apitest.Password)
	b.Press(t, "Set the password")
	wantHeading(t, b, "Your account")
	b.Press(t, "Ways to sign in")
	b.Press(t, "Remove Example Login, alice@example.org")
	b.Shows(t, "You sign in with your password alone.")
	shoot(t, b, "none")

	// And back again, by way of the page that goes on by itself.
	b.Press(t, "Link Example Login")
	b.Appears(t, "main .good") // the browser goes on by itself, twice
	b.Shows(t, "From now on you can sign in with it.", "alice@example.org")
	b.Press(t, "Your account")
	b.Press(t, "Sign out")

	b.Open(t, "/login?"+url.Values{"continue": {"/account/sessions"}}.Encode())
	b.Press(t, "Continue with Example Login")
	wantHeading(t, b, "Sessions")
	p.set(func(p *provider) {
		p.answer = func(back url.Values) { back.Del("code"); back.Set("error", "access_denied") }
	})
	b.Open(t, "/account")
	b.Press(t, "Sign out")
	b.Open(t, "/login")
	if status := b.Press(t, "Continue with Example Login"); status != 403 {
		t.Errorf("a provider that lets nobody in is answered by %d", status)
	}
	b.Shows(t, "did not let you sign in")
	shoot(t, b, "refused")
}
