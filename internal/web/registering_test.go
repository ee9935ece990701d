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
	s := surf(t, srv)
	s.get(t, "/register?continue=%2Flink").shows(t, 200, "Make an account", "At least 8 characters").without(t, "Registration token", "I have read")
	form := url.Values{"username": {"Carol"}, "password": {"three short words"}, "password_again": {"three short words"}, "continue": {"/link"}}

	s.post(t, "/register", with(form, "username", "")).shows(t, 400, "Choose a username.")
	s.post(t, "/register", with(form, "username", "alice")).shows(t, 400, "This username is taken. Choose another one.").without(t, "three short words")
	s.post(t, "/register", with(form, "username", "cärol")).shows(t, 400)
	s.post(t, "/register", with(form, "username", "12345")).shows(t, 400, "names of digits alone belong to guests")
	s.post(t, "/register", with(form, "password", "short", "password_again", "short")).shows(t, 400, "The password needs at least 8 characters.")
	s.post(t, "/register", with(form, "password_again", "three short word")).shows(t, 400, "The two passwords are not the same.")
	s.post(t, "/register", with(form, "form_token", "")).shows(t, 403, "This form was out of date")
	s.get(t, "/account").goes(t, "/login?continue=%2Faccount")

	s.get(t, "/register")
	before := s.token
	s.post(t, "/register", form).goes(t, "/link")
	s.get(t, "/account").shows(t, 200, "@carol:narthex.test", "No app is signed in")
	s.post(t, "/register", form).goes(t, "/link") // sent twice
	s.post(t, "/register", with(form, "form_token", before, "username", "dave")).shows(t, 403, "This form was out of date")
	// The answer was lost, and the form is sent again by a browser that has no session.
	again := surf(t, srv)
	again.get(t, "/register")
	again.post(t, "/register", with(form, "password", "three other words", "password_again", "three other words")).shows(t, 400, "This username is taken.")
	again.post(t, "/register", form).goes(t, "/link")
	again.get(t, "/account").shows(t, 200, "@carol:narthex.test")
	late := surf(t, srv)
	late.get(t, "/register")
	srv.Advance(newFor)
	late.post(t, "/register", form).shows(t, 400, "This username is taken.")
	srv.Anyone().Do(t, "POST", "/_matrix/client/v3/login", map[string]any{
		"type": "m.login.password", "identifier": map[string]any{"type": "m.id.user", "user": "carol"}, "password": "three short words"}).OK(t, nil)
}

func TestRegistrationIsClosed(t *testing.T) {
	srv := apitest.New(t, func(cfg *config.Config) { cfg.Registration.Enabled = false })
	s := surf(t, srv)
	s.get(t, "/login").shows(t, 200, "Sign in").without(t, "No account yet?")
	s.get(t, "/register").shows(t, 403, "This server does not allow registration.")
	s.post(t, "/register", url.Values{"username": {"carol"}}).shows(t, 403, "This server does not allow registration.")
	client := register(t, srv, "Element")
	page := authorizePath(client, "CAROLDEVICE", "prompt", "create")
	s.get(t, page).goes(t, "/login?"+url.Values{"continue": {sorted(t, page)}}.Encode())
}

// TestRegistrationThatNeedsAnAddress holds that no account without a required address
// is made on a page.
func TestRegistrationThatNeedsAnAddress(t *testing.T) {
	srv := apitest.New(t, func(cfg *config.Config) { cfg.Registration.RequiredThreepids = []string{"email"} })
	s := surf(t, srv)
	s.get(t, "/register").shows(t, 403, "Create it in your Matrix app, which can ask for it.")
	s.get(t, "/login").without(t, "/register")
	form := url.Values{"username": {"carol"}, "password": {"three short words"}, "password_again": {"three short words"}}
	s.post(t, "/register", form).shows(t, 403, "An account here needs a mail address or a phone number.")
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
	s := surf(t, srv)
	s.get(t, "/register").shows(t, 200, "Registration token", "I have read and accept the House rules")
	form := url.Values{"username": {"carol"}, "password": {"three short words"}, "password_again": {"three short words"},
		"registration_token": {"welcome"}, "accept_terms": {"yes"}}
	s.post(t, "/register", with(form, "registration_token", "")).shows(t, 400, "Enter the registration token.")
	s.post(t, "/register", with(form, "registration_token", "other")).shows(t, 400, "This registration token is not valid, or has been used up.")
	s.post(t, "/register", with(form, "accept_terms", "")).shows(t, 400, "Tick this to make an account here.")
	s.post(t, "/register", form).goes(t, "/account")

	second := surf(t, srv)
	second.get(t, "/register")
	second.post(t, "/register", with(form, "username", "dave")).shows(t, 400, "This registration token is not valid, or has been used up.")
}

// TestRegistrationWithApproval is: the page says that the account
// waits, and the app is told.
func TestRegistrationWithApproval(t *testing.T) {
	srv := apitest.New(t, func(cfg *config.Config) {
		cfg.Approval.Enabled, cfg.Approval.RequiredForNewAccounts = true, true
	})
	client := register(t, srv, "Element")
	page := sorted(t, authorizePath(client, "CAROLDEVICE", "prompt", "create"))
	s := surf(t, srv)
	s.get(t, page).goes(t, "/register?"+url.Values{"continue": {page}}.Encode())
	s.get(t, "/register?"+url.Values{"continue": {page}}.Encode()).shows(t, 200, "to go on to Element", "An administrator of this server looks at each new account.")
	form := url.Values{"username": {"carol"}, "password": {"three short words"}, "password_again": {"three short words"}, "continue": {page}}
	s.post(t, "/register", form).goes(t, page)
	waiting := s.get(t, page).shows(t, 200, "Waiting for approval", "Your account @carol:narthex.test has been made.", "Back to Element")
	_, rest, _ := strings.Cut(waiting.HTML, `class="button" href="`)
	back, _, _ := strings.Cut(rest, `"`)
	for _, part := range []string{callback + "?", "error=access_denied", "state=the&#43;%3Cstate%3E", "waiting&#43;for&#43;the&#43;approval"} {
		if !strings.Contains(back, part) && !strings.Contains(back, strings.ReplaceAll(part, "&#43;", "+")) {
			t.Errorf("the way back is %q, without %q", back, part)
		}
	}
	for _, path := range []string{"/account", "/account/sessions", "/account/password", "/sso?redirect_url=https%3A%2F%2Fchat.example.net%2F"} {
		s.get(t, path).shows(t, 200, "Waiting for approval").without(t, "<form")
	}
	if answer := s.post(t, "/oauth2/authorize", with(queryOf(page), "answer", "allow")); answer.Status == 303 && strings.Contains(answer.Location, "code=") {
		t.Errorf("got a code: %s", answer.Location)
	}

	again := surf(t, srv)
	again.get(t, "/login")
	again.post(t, "/login", url.Values{"username": {"carol"}, "password": {"wrong"}}).shows(t, 403, wrongText).without(t, "approval")
	srv.Advance(newFor)
	again.post(t, "/login", url.Values{"username": {"carol"}, "password": {"three short words"}}).goes(t, "/account")
	again.get(t, "/account").shows(t, 200, "Your account @carol:narthex.test is not approved yet.")

	carol := accountsID(t, "carol")
	if err := srv.App.DB.Write(t.Context(), func(tx *db.Tx) error { return srv.App.Accounts.Approve(tx, carol, "test", "") }); err != nil {
		t.Fatal(err)
	}
	again.get(t, "/account").shows(t, 200, "Your account")
	again.get(t, "/login").goes(t, "/account")
	s.get(t, page).shows(t, 200, "Let Element use your account?")
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
	s := surf(t, srv)
	s.get(t, "/register")
	s.post(t, "/register", url.Values{"username": {"carol"}, "password": {"three short words"}, "password_again": {"three short words"}, "registration_token": {"friend"}}).goes(t, "/account")
	s.get(t, "/account").shows(t, 200, "Your account", "@carol:narthex.test")
}
