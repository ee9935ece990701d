package web_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
)

// TestGraveActsTakeBothFactors holds that who has a second factor changes the password,
// closes the account and resets the identity by no password alone.
func TestGraveActsTakeBothFactors(t *testing.T) {
	srv := apitest.New(t, withKey(t))
	srv.User(t, "alice")
	s := apitest.Surf(t, srv).SignIn(t, "alice")
	mine, _ := setUpCodes(t, s)
	srv.Advance(16 * time.Minute)
	mine.ahead += 16 * time.Minute
	acts := map[string]url.Values{
		"/account/identity":   {"password": {apitest.Password}},
		"/account/password":   {"password": {apitest.Password}, "new_password": {"three new words"}, "password_again": {"three new words"}},
		"/account/deactivate": {"password": {apitest.Password}},
	}
	about := map[string]string{"/account/identity": "reset your encryption identity", "/account/password": "change your password", "/account/deactivate": "close your account"}
	s.Get(t, "/account/security")
	for path, form := range acts {
		confirm := "/confirm?" + url.Values{"continue": {path}}.Encode()
		s.Get(t, path).Goes(t, confirm)
		s.Get(t, confirm).Shows(t, 200, "You are about to "+about[path]+".")
		s.Post(t, path, form).Goes(t, confirm)
	}
	s.Get(t, "/confirm")
	s.Post(t, "/confirm", url.Values{"password": {apitest.Password}, "code": {mine.code(t)}, "continue": {"/account/identity"}}).Goes(t, "/account/identity")
	s.Get(t, "/account/identity").Shows(t, 200, "Allow the reset").Without(t, `name="password"`)
	s.Post(t, "/account/identity", nil).Shows(t, 200, "Go back to your app now")
	s.Get(t, "/account/password").Shows(t, 200, "Change the password").Without(t, "Your password now")
	s.Post(t, "/account/password", url.Values{"new_password": {"three new words"}, "password_again": {"other"}}).Shows(t, 400, "not the same")
	s.Post(t, "/account/password", acts["/account/password"]).Goes(t, "/account?done=password")
	s.Get(t, "/account/deactivate").Shows(t, 200, "Close my account for good").Without(t, `name="password"`)
	s.Post(t, "/account/deactivate", url.Values{"form_token": {"x"}}).Shows(t, 403, "out of date")
	s.Get(t, "/account/deactivate")
	s.Post(t, "/account/deactivate", nil).Goes(t, "/signed-out?done=deactivated")
}

// says fails the test unless an answer has all of the texts.
func says(t *testing.T, answer *apitest.Response, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(string(answer.Body), text) {
			t.Errorf("the answer is %s, without %q", answer.Body, text)
		}
	}
}

// TestSecondFactorForEveryone holds that where everybody has to have a second factor, no
// way of the API begins a session without one: the account is made, and the answer says
// how to go on.
func TestSecondFactorForEveryone(t *testing.T) {
	srv := apitest.New(t, withKey(t), func(cfg *config.Config) {
		cfg.Login.SecondFactor.Required = "everyone"
		cfg.Registration.AllowGuests = true
	})
	const path = "/_matrix/client/v3/register"
	var asked struct{ Session string }
	wish := object{"username": "alice", "password": apitest.Password}
	decode(t, srv.Anyone().Do(t, "POST", path, wish).Body, &asked)
	wish["auth"] = object{"type": "m.login.dummy", "session": asked.Session}
	refused := srv.Anyone().Do(t, "POST", path, wish)
	refused.Fails(t, srv, errcode.Forbidden)
	says(t, refused, "The account has been made.", "/account in a web browser")
	again := srv.Anyone().Do(t, "POST", path, wish) // whose first answer was lost
	again.Fails(t, srv, errcode.Forbidden)
	says(t, again, "The account has been made.")
	srv.Anyone().Do(t, "POST", path+"?kind=guest", object{}).OK(t, nil)

	delete(wish, "auth")
	wish["username"], wish["inhibit_login"] = "bob", true
	decode(t, srv.Anyone().Do(t, "POST", path, wish).Body, &asked)
	wish["auth"] = object{"type": "m.login.dummy", "session": asked.Session}
	srv.Anyone().Do(t, "POST", path, wish).OK(t, nil)

	s := apitest.Surf(t, srv)
	s.Get(t, "/login")
	s.Post(t, "/login", url.Values{"username": {"alice"}, "password": {apitest.Password}}).Goes(t, "/login/second?continue=%2Faccount")
	s.Get(t, "/login/second?continue=%2Faccount").Shows(t, 200, "one-time codes")
}

// TestAdministratorsNeedTheirFactor holds that an administrator without the second
// factor that is required has the rights of one neither by an old token nor by a new.
func TestAdministratorsNeedTheirFactor(t *testing.T) {
	srv := apitest.New(t, withKey(t), func(cfg *config.Config) { cfg.Login.SecondFactor.Required = "administrators" })
	root, alice := srv.Administrator(t, "root"), srv.User(t, "alice") // whose tokens are older than the factor
	const users = "/_synapse/admin/v2/users"
	refused := root.Do(t, "GET", users, nil)
	refused.Fails(t, srv, errcode.Forbidden)
	says(t, refused, "Administrators of this server need a second factor", "in a web browser")
	other := alice.Do(t, "GET", users, nil)
	other.Fails(t, srv, errcode.Forbidden)
	says(t, other, "Only an administrator")
	root.Do(t, "GET", "/_matrix/client/v3/account/whoami", nil).OK(t, nil)
	srv.Write(t, func(tx *db.Tx) error { return srv.App.Accounts.SetSecondFactor(tx, root.UserID, true) })
	root.Do(t, "GET", users, nil).OK(t, nil)
}
