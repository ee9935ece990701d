package web_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
)

func TestRegister(t *testing.T) {
	srv := apitest.New(t)
	srv.User(t, "alice")
	s := apitest.Surf(t, srv)
	s.Get(t, "/register?continue=%2Flink").Shows(t, 200, "Make an account", "At least 8 characters").Without(t, "Registration token", "I have read")
	form := url.Values{"username": {"Carol"}, "password": {"three short words"}, "password_again": {"three short words"}, "continue": {"/link"}}

	s.Post(t, "/register", with(form, "username", "")).Shows(t, 400, "Choose a username.")
	s.Post(t, "/register", with(form, "username", "alice")).Shows(t, 400, "This username is taken. Choose another one.").Without(t, "three short words")
	s.Post(t, "/register", with(form, "username", "cärol")).Shows(t, 400)
	s.Post(t, "/register", with(form, "username", "12345")).Shows(t, 400, "names of digits alone belong to guests")
	s.Post(t, "/register", with(form, "password", "short", "password_again", "short")).Shows(t, 400, "The password needs at least 8 characters.")
	s.Post(t, "/register", with(form, "password_again", "three short word")).Shows(t, 400, "The two passwords are not the same.")
	s.Post(t, "/register", with(form, "form_token", "")).Shows(t, 403, "This form was out of date")
	s.Get(t, "/account").Goes(t, "/login?continue=%2Faccount")

	s.Get(t, "/register")
	before := s.Token
	s.Post(t, "/register", form).Goes(t, "/link")
	s.Get(t, "/account").Shows(t, 200, "@carol:narthex.test", "No app is signed in")
	s.Post(t, "/register", form).Goes(t, "/link") // sent twice
	s.Post(t, "/register", with(form, "form_token", before, "username", "dave")).Shows(t, 403, "This form was out of date")
	// The answer was lost, and the form is sent again by a browser that has no session.
	again := apitest.Surf(t, srv)
	again.Get(t, "/register")
	again.Post(t, "/register", with(form, "password", "three other words", "password_again", "three other words")).Shows(t, 400, "This username is taken.")
	again.Post(t, "/register", form).Goes(t, "/link")
	again.Get(t, "/account").Shows(t, 200, "@carol:narthex.test")
	late := apitest.Surf(t, srv)
	late.Get(t, "/register")
	srv.Advance(newFor)
	late.Post(t, "/register", form).Shows(t, 400, "This username is taken.")
	srv.Anyone().Do(t, "POST", "/_matrix/client/v3/login", map[string]any{
		"type": "m.login.password", "identifier": map[string]any{"type": "m.id.user", "user": "carol"}, "password": "three short words"}).OK(t, nil)
}

func TestRegistrationIsClosed(t *testing.T) {
	srv := apitest.New(t, func(cfg *config.Config) { cfg.Registration.Enabled = false })
	s := apitest.Surf(t, srv)
	s.Get(t, "/login").Shows(t, 200, "Sign in").Without(t, "No account yet?")
	s.Get(t, "/register").Shows(t, 403, "This server does not allow registration.")
	s.Post(t, "/register", url.Values{"username": {"carol"}}).Shows(t, 403, "This server does not allow registration.")
	client := register(t, srv, "Element")
	page := authorizePath(client, "CAROLDEVICE", "prompt", "create")
	s.Get(t, page).Goes(t, "/login?"+url.Values{"continue": {sorted(t, page)}}.Encode())
}

// sorted is a path with its query in the order in which the pages write it.
func sorted(t testing.TB, path string) string {
	t.Helper()
	u, err := url.Parse(path)
	if err != nil {
		t.Fatal(err)
	}
	return u.Path + "?" + u.Query().Encode()
}

func TestRegistrationNeedsTokenAndTerms(t *testing.T) {
	srv := apitest.New(t, func(cfg *config.Config) {
		cfg.Registration.RequireToken = true
		cfg.Registration.Terms = config.Terms{URL: "https://narthex.test/terms", Name: "House rules", Version: "1"}
	})
	one := int64(1)
	err := srv.App.DB.Write(t.Context(), func(tx *db.Tx) error {
		_, err := srv.App.Accounts.CreateRegistrationToken(tx, accounts.RegistrationToken{Token: "welcome", UsesAllowed: &one})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	s := apitest.Surf(t, srv)
	s.Get(t, "/register").Shows(t, 200, "Registration token", "I have read and accept the House rules")
	form := url.Values{"username": {"carol"}, "password": {"three short words"}, "password_again": {"three short words"},
		"registration_token": {"welcome"}, "accept_terms": {"yes"}}
	s.Post(t, "/register", with(form, "registration_token", "")).Shows(t, 400, "Enter the registration token.")
	s.Post(t, "/register", with(form, "registration_token", "other")).Shows(t, 400, "This registration token is not valid, or has been used up.")
	s.Post(t, "/register", with(form, "accept_terms", "")).Shows(t, 400, "Tick this to make an account here.")
	s.Post(t, "/register", form).Goes(t, "/account")

	second := apitest.Surf(t, srv)
	second.Get(t, "/register")
	second.Post(t, "/register", with(form, "username", "dave")).Shows(t, 400, "This registration token is not valid, or has been used up.")
}

// TestA19_A32_RegistrationWithApproval: the page says that the account
// waits, and the app is told.
func TestA19_A32_RegistrationWithApproval(t *testing.T) {
	srv := apitest.New(t, func(cfg *config.Config) {
		cfg.Approval.Enabled, cfg.Approval.RequiredForNewAccounts = true, true
	})
	client := register(t, srv, "Element")
	page := sorted(t, authorizePath(client, "CAROLDEVICE", "prompt", "create"))
	s := apitest.Surf(t, srv)
	s.Get(t, page).Goes(t, "/register?"+url.Values{"continue": {page}}.Encode())
	s.Get(t, "/register?"+url.Values{"continue": {page}}.Encode()).Shows(t, 200, "to go on to Element", "An administrator of this server looks at each new account.")
	form := url.Values{"username": {"carol"}, "password": {"three short words"}, "password_again": {"three short words"}, "continue": {page}}
	s.Post(t, "/register", form).Goes(t, page)
	waiting := s.Get(t, page).Shows(t, 200, "Waiting for approval", "Your account @carol:narthex.test has been made.", "Back to Element")
	_, rest, _ := strings.Cut(waiting.HTML, `class="button" href="`)
	back, _, _ := strings.Cut(rest, `"`)
	for _, part := range []string{callback + "?", "error=access_denied", "state=the&#43;%3Cstate%3E", "waiting&#43;for&#43;the&#43;approval"} {
		if !strings.Contains(back, part) && !strings.Contains(back, strings.ReplaceAll(part, "&#43;", "+")) {
			t.Errorf("the way back is %q, without %q", back, part)
		}
	}
	for _, path := range []string{"/account", "/account/sessions", "/account/password"} {
		s.Get(t, path).Shows(t, 200, "Waiting for approval").Without(t, "<form")
	}
	s.Get(t, "/sso?redirect_url=https%3A%2F%2Fchat.example.net%2F").Shows(t, 200, "Waiting for approval", "The app will tell you the same.")
	if answer := s.Post(t, "/oauth2/authorize", with(queryOf(page), "answer", "allow")); answer.Status == 303 && strings.Contains(answer.Location, "code=") {
		t.Errorf("got a code: %s", answer.Location)
	}

	again := apitest.Surf(t, srv)
	again.Get(t, "/login")
	again.Post(t, "/login", url.Values{"username": {"carol"}, "password": {"wrong"}}).Shows(t, 403, wrongText).Without(t, "approval")
	srv.Advance(newFor)
	again.Post(t, "/login", url.Values{"username": {"carol"}, "password": {"three short words"}}).Goes(t, "/account")
	again.Get(t, "/account").Shows(t, 200, "Your account @carol:narthex.test is not approved yet.")

	carol := accountsID(t, "carol")
	if err := srv.App.DB.Write(t.Context(), func(tx *db.Tx) error { return srv.App.Accounts.Approve(tx, carol, "test", "") }); err != nil {
		t.Fatal(err)
	}
	again.Get(t, "/account").Shows(t, 200, "Your account")
	again.Get(t, "/login").Goes(t, "/account")
	s.Get(t, page).Shows(t, 200, "Let Element use your account?")
}

func TestPreapprovedRegistration(t *testing.T) {
	srv := apitest.New(t, func(cfg *config.Config) {
		cfg.Approval.Enabled, cfg.Approval.RequiredForNewAccounts, cfg.Registration.RequireToken = true, true, true
	})
	err := srv.App.DB.Write(t.Context(), func(tx *db.Tx) error {
		_, err := srv.App.Accounts.CreateRegistrationToken(tx, accounts.RegistrationToken{Token: "friend", Preapproved: true})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	s := apitest.Surf(t, srv)
	s.Get(t, "/register")
	s.Post(t, "/register", url.Values{"username": {"carol"}, "password": {"three short words"}, "password_again": {"three short words"}, "registration_token": {"friend"}}).Goes(t, "/account")
	s.Get(t, "/account").Shows(t, 200, "Your account", "@carol:narthex.test")
}
