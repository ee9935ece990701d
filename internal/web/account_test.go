package web_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
)

func TestAccountActions(t *testing.T) {
	srv := apitest.New(t)
	srv.User(t, "alice")
	s := apitest.Surf(t, srv).SignIn(t, "alice")
	for query, want := range map[string]string{
		"action=org.matrix.profile":                        "/account/profile",
		"action=profile":                                   "/account/profile",
		"action=org.matrix.devices_list":                   "/account/sessions",
		"action=sessions_list":                             "/account/sessions",
		"action=org.matrix.device_view&device_id=DEVICE1":  "/account/session?device_id=DEVICE1",
		"action=org.matrix.session_view&device_id=a%26b":   "/account/session?device_id=a%26b",
		"action=org.matrix.device_view":                    "/account/sessions",
		"action=org.matrix.device_delete&device_id=D":      "/account/session?ask=yes&device_id=D",
		"action=session_end&device_id=D":                   "/account/session?ask=yes&device_id=D",
		"action=org.matrix.account_deactivate":             "/account/deactivate",
		"action=org.matrix.cross_signing_reset":            "/account/identity",
		"action=org.matrix.cross_signing_reset&id_token=x": "/account/identity",
	} {
		s.Get(t, "/account?"+query).Goes(t, want)
		apitest.Surf(t, srv).Get(t, "/account?"+query).Goes(t, "/login?"+url.Values{"continue": {want}}.Encode())
	}
	s.Get(t, "/account?action=https://evil.example").Shows(t, 200, "Your account")
	s.Get(t, "/account?action=a&action=b").Shows(t, 400, "This did not work")
	s.Get(t, "/account?done=%3Cscript%3E").Shows(t, 200).Without(t, "script")
	s.Get(t, "/account?done=session").Shows(t, 200, "The session is signed out.")
}

func TestSessions(t *testing.T) {
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	second := srv.Device(t, alice.UserID, "a/b ?&#<x>")
	alice.Do(t, "PUT", "/_matrix/client/v3/devices/DEVICE1", map[string]string{"display_name": "Alice's <b>laptop</b>\u202e"}).OK(t, nil)
	s := apitest.Surf(t, srv).SignIn(t, "alice")

	list := s.Get(t, "/account/sessions").Shows(t, 200, "Alice's <b>laptop</b>", "a/b ?&#<x>").Without(t, "<b>laptop", "\u202e")
	if n := strings.Count(list.HTML, "/account/session?device_id="); n != 2 {
		t.Errorf("the list has %d sessions, not 2", n)
	}
	s.Get(t, "/account/session?device_id="+url.QueryEscape("a/b ?&#<x>")).Shows(t, 200, "Sign this session out")
	s.Get(t, "/account/session?device_id=DEVICE1&ask=yes").Shows(t, 200, "Sign out Alice's <b>laptop</b>?")
	s.Get(t, "/account/session?device_id=BOBS").Shows(t, 404, "You have no such session.")
	s.Get(t, "/account/session").Shows(t, 404, "You have no such session.")
	s.Get(t, "/account/session?device_id=%ff").Shows(t, 400)

	s.Get(t, "/account/sessions")
	s.Post(t, "/account/session", url.Values{"device_id": {"a/b ?&#<x>"}, "form_token": {"x"}}).Shows(t, 403, "This form is out of date, and nothing was changed.")
	second.Do(t, "GET", "/_matrix/client/v3/account/whoami", nil).OK(t, nil)
	for range 2 { // the second time it is gone already
		s.Post(t, "/account/session", url.Values{"device_id": {"a/b ?&#<x>"}}).Goes(t, "/account/sessions?done=session")
	}
	second.Do(t, "GET", "/_matrix/client/v3/account/whoami", nil).Fails(t, srv, errcode.UnknownToken)
	s.Post(t, "/account/session", url.Values{"device_id": {"DEVICE1"}}).Goes(t, "/account/sessions?done=session")
	s.Get(t, "/account/sessions").Shows(t, 200, "No app is signed in to your account.")
	bob.Do(t, "GET", "/_matrix/client/v3/account/whoami", nil).OK(t, nil) // who has a device of the same name
}

func TestProfile(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	s := apitest.Surf(t, srv).SignIn(t, "alice")
	s.Post(t, "/account/profile", url.Values{"displayname": {`Alice "Al" <Liddell>`}}).Goes(t, "/account?done=profile")
	s.Get(t, "/account?done=profile").Shows(t, 200, `Alice "Al" <Liddell>`, "Your name is changed.")
	s.Get(t, "/account/profile").Shows(t, 200, "Your profile").Without(t, "<Liddell>")
	s.Post(t, "/account/profile", url.Values{"displayname": {strings.Repeat("x", 257)}}).Shows(t, 400, "A display name has at most 256 characters.")
	s.Post(t, "/account/profile", url.Values{"displayname": {"a\x00b"}}).Shows(t, 400)
	var profile map[string]string
	alice.Do(t, "GET", "/_matrix/client/v3/profile/@alice:narthex.test", nil).OK(t, &profile)
	if profile["displayname"] != `Alice "Al" <Liddell>` {
		t.Errorf("the profile is %v", profile)
	}
	s.Post(t, "/account/profile", url.Values{"displayname": {""}}).Goes(t, "/account?done=profile")
	s.Get(t, "/account").Shows(t, 200).Without(t, "Liddell")

	err := srv.App.DB.Write(t.Context(), func(tx *db.Tx) error { return srv.App.Accounts.SetSuspended(tx, alice.UserID, true, "test") })
	if err != nil {
		t.Fatal(err)
	}
	s.Post(t, "/account/profile", url.Values{"displayname": {"x"}}).Shows(t, 403, "Your account is suspended")
}

func TestChangePassword(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	s, elsewhere := apitest.Surf(t, srv).SignIn(t, "alice"), apitest.Surf(t, srv).SignIn(t, "alice")
	const fresh = "four other short words"
	form := url.Values{"password": {apitest.Password}, "new_password": {fresh}, "password_again": {fresh}}

	s.Post(t, "/account/password", with(form, "password", "wrong")).Shows(t, 403, "This is not your password.")
	s.Post(t, "/account/password", with(form, "password", "")).Shows(t, 403, "This is not your password.")
	s.Post(t, "/account/password", with(form, "password_again", "x")).Shows(t, 400, "The two passwords are not the same.")
	s.Post(t, "/account/password", with(form, "new_password", "x", "password_again", "x")).Shows(t, 400, "The password needs at least 8 characters.")
	s.Post(t, "/account/password", with(form, "form_token", elsewhere.Token)).Shows(t, 403, "This form is out of date, and nothing was changed.")
	s.Get(t, "/account/password").Without(t, apitest.Password)

	s.Post(t, "/account/password", form).Goes(t, "/account?done=password")
	s.Get(t, "/account?done=password").Shows(t, 200, "Your password is changed.")
	elsewhere.Get(t, "/account").Goes(t, "/login?continue=%2Faccount")
	alice.Do(t, "GET", "/_matrix/client/v3/account/whoami", nil).OK(t, nil) // apps stay
	s.Post(t, "/account/password", form).Shows(t, 403, "This is not your password.")

	s.Post(t, "/account/password", url.Values{"password": {fresh}, "new_password": {apitest.Password}, "password_again": {apitest.Password}, "sign_out": {"yes"}}).Goes(t, "/account?done=password")
	alice.Do(t, "GET", "/_matrix/client/v3/account/whoami", nil).Fails(t, srv, errcode.UnknownToken)
	apitest.Surf(t, srv).SignIn(t, "alice")
}

func TestDeactivate(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	room := alice.CreateRoom(t, map[string]any{"preset": "public_chat"})
	bob := srv.User(t, "bob")
	room.Join(t, bob)
	s := apitest.Surf(t, srv).SignIn(t, "alice")
	s.Get(t, "/account/deactivate").Shows(t, 200, "This cannot be undone")
	s.Post(t, "/account/deactivate", url.Values{"password": {"wrong"}, "erase": {"yes"}}).Shows(t, 403, "This is not your password.")
	s.Post(t, "/account/deactivate", nil).Shows(t, 403, "This is not your password.")
	alice.Do(t, "GET", "/_matrix/client/v3/account/whoami", nil).OK(t, nil)

	s.Post(t, "/account/deactivate", url.Values{"password": {apitest.Password}, "erase": {"yes"}}).Goes(t, "/signed-out?done=deactivated")
	s.Get(t, "/signed-out?done=deactivated").Shows(t, 200, "Your account is closed")
	alice.Do(t, "GET", "/_matrix/client/v3/account/whoami", nil).Fails(t, srv, errcode.UnknownToken)
	s.Get(t, "/account").Goes(t, "/login?continue=%2Faccount")
	s.Get(t, "/login")
	s.Post(t, "/login", url.Values{"username": {"alice"}, "password": {apitest.Password}}).Shows(t, 403, wrongText)
	err := srv.App.DB.Read(t.Context(), func(tx *db.Tx) error {
		a, err := srv.App.Accounts.Find(tx, alice.UserID)
		if !a.Deactivated || !a.Erased {
			t.Errorf("the account is %+v", a)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAllowIdentityReset(t *testing.T) {
	srv := apitest.New(t)
	srv.User(t, "alice")
	s := apitest.Surf(t, srv).SignIn(t, "alice")
	s.Get(t, "/account/identity").Shows(t, 200, "Do this only if you cannot get in any other way")
	s.Post(t, "/account/identity", url.Values{"password": {"wrong"}}).Shows(t, 403, "This is not your password.")
	s.Post(t, "/account/identity", url.Values{"password": {apitest.Password}, "form_token": {""}}).Shows(t, 403, "This form is out of date, and nothing was changed.")
	s.Post(t, "/account/identity", url.Values{"password": {apitest.Password}}).Shows(t, 200, "Go back to your app now", "in the next ten minutes")
}
