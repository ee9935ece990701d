package web_test

import (
	"net/url"
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
)

// TestRegisteringWhileSignedIn holds that somebody who has an account is asked before
// they are signed out of it to make another.
func TestRegisteringWhileSignedIn(t *testing.T) {
	srv := apitest.New(t, func(cfg *config.Config) { cfg.Approval.Enabled, cfg.Approval.RequiredForNewAccounts = true, true })
	srv.User(t, "alice")
	s := apitest.Surf(t, srv)
	s.Get(t, "/login")
	s.Post(t, "/login", url.Values{"username": {"alice"}, "password": {apitest.Password}}).Goes(t, "/account")
	s.Get(t, "/register?token=chess").Shows(t, 200, "You have an account already", "@alice:narthex.test", "Sign out and make another account")
	s.Get(t, "/register?continue=%2Flink").Goes(t, "/link") // the way of apps

	s.Post(t, "/logout", url.Values{"continue": {"/register?token=chess"}, "form_token": {"x"}}).Shows(t, 403, "This form is out of date")
	s.Get(t, "/account").Shows(t, 200, "@alice:narthex.test")
	s.Get(t, "/register")
	s.Post(t, "/logout", url.Values{"continue": {"/register?token=chess"}}).Goes(t, "/register?token=chess")
	s.Get(t, "/register?token=chess").Shows(t, 200, "Make an account", "Registration token")

	for to, leads := range map[string]string{
		"/registered": "/login?continue=%2Fregistered", "//evil.example/register": "/login?continue=%2Faccount", "https://evil.example/register": "/login?continue=%2Faccount",
	} {
		s.Post(t, "/logout", url.Values{"continue": {to}}).Goes(t, leads)
	}
	s.Get(t, "/register")
	s.Post(t, "/register", url.Values{"username": {"bob"}, "password": {"three short words"}, "password_again": {"three short words"}}).Goes(t, "/account")
	s.Get(t, "/register").Goes(t, "/account") // which says that the account waits
	s.Get(t, "/account").Shows(t, 200, "Waiting for approval", "Sign in to another account")
	s.Get(t, "/login").Shows(t, 200, "Sign in")
}
