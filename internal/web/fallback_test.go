package web_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/errcode"
)

type object = map[string]any

// TestConfirmingForAnApp holds that whoever has a second factor confirms in the browser
// what others confirm by the password.
func TestConfirmingForAnApp(t *testing.T) {
	srv := apitest.New(t, withKey(t))
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	srv.Device(t, alice.UserID, "OLD")
	const path = "/_matrix/client/v3/devices/OLD"
	byPassword := func(password string) object {
		return object{"type": "m.login.password", "identifier": object{"type": "m.id.user", "user": "alice"}, "password": password}
	}
	s := apitest.Surf(t, srv).SignIn(t, "alice")
	app, _ := setUpCodes(t, s)
	challenge := alice.Do(t, "DELETE", path, object{})
	var asked struct {
		Session string
		Flows   []struct{ Stages []string }
		Error   string
		Errcode string
	}
	decode(t, challenge.Body, &asked)
	if challenge.Status != 401 || len(asked.Flows) != 1 || len(asked.Flows[0].Stages) != 1 || asked.Flows[0].Stages[0] != "m.login.sso" {
		t.Fatalf("got %d %s", challenge.Status, challenge.Body)
	}
	auth := object{"session": asked.Session}
	for password, code := range map[string]string{"wrong": "The username or the password is wrong.", apitest.Password: "the password alone is not enough"} {
		with := byPassword(password)
		with["session"] = asked.Session
		r := alice.Do(t, "DELETE", path, object{"auth": with})
		if r.Status != 401 || !strings.Contains(string(r.Body), code) || !strings.Contains(string(r.Body), errcode.Forbidden.Name) {
			t.Errorf("got %d %s", r.Status, r.Body)
		}
	}
	alice.Do(t, "DELETE", path, object{"auth": auth}).Fails(t, srv, errcode.InteractiveAuth)
	alice.Do(t, "DELETE", path, object{"auth": object{"type": "m.login.sso", "session": asked.Session}}).Fails(t, srv, errcode.InteractiveAuth)

	page := "/_matrix/client/v3/auth/m.login.sso/fallback/web?session=" + asked.Session
	form := url.Values{"session": {asked.Session}}
	action, _, _ := strings.Cut(page, "?")
	apitest.Surf(t, srv).Get(t, page).Goes(t, "/login?"+url.Values{"continue": {page}}.Encode())
	stranger := apitest.Surf(t, srv).SignIn(t, "bob")
	stranger.Get(t, page).Shows(t, 404, "There is nothing to confirm")
	stranger.Post(t, action, form).Shows(t, 404)
	s.Get(t, strings.Replace(page, "m.login.sso", "m.login.terms", 1)).Shows(t, 404)
	s.Get(t, "/account/security")
	s.Post(t, strings.Replace(action, "m.login.sso", "m.login.terms", 1), form).Shows(t, 404)
	s.Get(t, page).Shows(t, 200, "is about to sign out one of your sessions")
	s.Post(t, action, with(form, "form_token", "x")).Shows(t, 403, "This form is out of date")
	s.Get(t, page)
	srv.Advance(16 * time.Minute)
	s.Post(t, action, form).Goes(t, "/confirm?"+url.Values{"continue": {page}}.Encode())
	s.Get(t, "/confirm")
	app.ahead += 16 * time.Minute
	s.Post(t, "/confirm", url.Values{"password": {apitest.Password}, "code": {app.code(t)}, "continue": {page}}).Goes(t, page)
	s.Get(t, page)
	s.Post(t, action, form).Shows(t, 200, "Go back to your app")
	s.Get(t, page).Shows(t, 404)
	alice.Do(t, "DELETE", path, object{"auth": auth}).OK(t, nil)
	alice.Do(t, "DELETE", path, object{"auth": auth}).Fails(t, srv, errcode.InteractiveAuth)
	// Others confirm by the password, as ever.
	srv.Device(t, bob.UserID, "OLD")
	mine := byPassword(apitest.Password)
	mine["identifier"] = object{"type": "m.id.user", "user": "bob"}
	bob.Do(t, "DELETE", path, object{"auth": mine}).OK(t, nil)
}
