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
	s := surf(t, srv).signIn(t, "alice")
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
		s.get(t, "/account?"+query).goes(t, want)
		surf(t, srv).get(t, "/account?"+query).goes(t, "/login?"+url.Values{"continue": {want}}.Encode())
	}
	s.get(t, "/account?action=https://evil.example").shows(t, 200, "Your account")
	s.get(t, "/account?action=a&action=b").shows(t, 400, "This did not work")
	s.get(t, "/account?done=%3Cscript%3E").shows(t, 200).without(t, "script")
	s.get(t, "/account?done=session").shows(t, 200, "The session is signed out.")
}

func TestSessions(t *testing.T) {
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	second := srv.Device(t, alice.UserID, "a/b ?&#<x>")
	alice.Do(t, "PUT", "/_matrix/client/v3/devices/DEVICE1", map[string]string{"display_name": "Alice's <b>laptop</b>\u202e"}).OK(t, nil)
	s := surf(t, srv).signIn(t, "alice")

	list := s.get(t, "/account/sessions").shows(t, 200, "Alice's <b>laptop</b>", "a/b ?&#<x>").without(t, "<b>laptop", "\u202e")
	if n := strings.Count(list.HTML, "/account/session?device_id="); n != 2 {
		t.Errorf("the list has %d sessions, not 2", n)
	}
	s.get(t, "/account/session?device_id="+url.QueryEscape("a/b ?&#<x>")).shows(t, 200, "Sign this session out")
	s.get(t, "/account/session?device_id=DEVICE1&ask=yes").shows(t, 200, "Sign out Alice's <b>laptop</b>?")
	s.get(t, "/account/session?device_id=BOBS").shows(t, 404, "You have no such session.")
	s.get(t, "/account/session").shows(t, 404, "You have no such session.")
	s.get(t, "/account/session?device_id=%ff").shows(t, 400)

	s.get(t, "/account/sessions")
	s.post(t, "/account/session", url.Values{"device_id": {"a/b ?&#<x>"}, "form_token": {"x"}}).shows(t, 403, "This form is out of date, and nothing was changed.")
	second.Do(t, "GET", "/_matrix/client/v3/account/whoami", nil).OK(t, nil)
	for range 2 { // the second time it is gone already
		s.post(t, "/account/session", url.Values{"device_id": {"a/b ?&#<x>"}}).goes(t, "/account/sessions?done=session")
	}
	second.Do(t, "GET", "/_matrix/client/v3/account/whoami", nil).Fails(t, srv, errcode.UnknownToken)
	s.post(t, "/account/session", url.Values{"device_id": {"DEVICE1"}}).goes(t, "/account/sessions?done=session")
	s.get(t, "/account/sessions").shows(t, 200, "No app is signed in to your account.")
	bob.Do(t, "GET", "/_matrix/client/v3/account/whoami", nil).OK(t, nil) // who has a device of the same name
}

func TestProfile(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	s := surf(t, srv).signIn(t, "alice")
	s.post(t, "/account/profile", url.Values{"displayname": {`Alice "Al" <Liddell>`}}).goes(t, "/account?done=profile")
	s.get(t, "/account?done=profile").shows(t, 200, `Alice "Al" <Liddell>`, "Your name is changed.")
	s.get(t, "/account/profile").shows(t, 200, "Your profile").without(t, "<Liddell>")
	s.post(t, "/account/profile", url.Values{"displayname": {strings.Repeat("x", 257)}}).shows(t, 400, "A display name has at most 256 characters.")
	s.post(t, "/account/profile", url.Values{"displayname": {"a\x00b"}}).shows(t, 400)
	var profile map[string]string
	alice.Do(t, "GET", "/_matrix/client/v3/profile/@alice:narthex.test", nil).OK(t, &profile)
	if profile["displayname"] != `Alice "Al" <Liddell>` {
		t.Errorf("the profile is %v", profile)
	}
	s.post(t, "/account/profile", url.Values{"displayname": {""}}).goes(t, "/account?done=profile")
	s.get(t, "/account").shows(t, 200).without(t, "Liddell")

	err := srv.App.DB.Write(t.Context(), func(tx *db.Tx) error { return srv.App.Accounts.SetSuspended(tx, alice.UserID, true, "test") })
	if err != nil {
		t.Fatal(err)
	}
	s.post(t, "/account/profile", url.Values{"displayname": {"x"}}).shows(t, 403, "Your account is suspended")
}

func TestChangePassword(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	s, elsewhere := surf(t, srv).signIn(t, "alice"), surf(t, srv).signIn(t, "alice")
	const fresh = "four other short words"
	form := url.Values{"password": {apitest.Password}, "new_password": {fresh}, "password_again": {fresh}}

	s.post(t, "/account/password", with(form, "password", "wrong")).shows(t, 403, "This is not your password.")
	s.post(t, "/account/password", with(form, "password", "")).shows(t, 403, "This is not your password.")
	s.post(t, "/account/password", with(form, "password_again", "x")).shows(t, 400, "The two passwords are not the same.")
	s.post(t, "/account/password", with(form, "new_password", "x", "password_again", "x")).shows(t, 400, "The password needs at least 8 characters.")
	s.post(t, "/account/password", with(form, "form_token", elsewhere.token)).shows(t, 403, "This form is out of date, and nothing was changed.")
	s.get(t, "/account/password").without(t, apitest.Password)

	s.post(t, "/account/password", form).goes(t, "/account?done=password")
	s.get(t, "/account?done=password").shows(t, 200, "Your password is changed.")
	elsewhere.get(t, "/account").goes(t, "/login?continue=%2Faccount")
	alice.Do(t, "GET", "/_matrix/client/v3/account/whoami", nil).OK(t, nil) // apps stay
	s.post(t, "/account/password", form).shows(t, 403, "This is not your password.")

	s.post(t, "/account/password", url.Values{"password": {fresh}, "new_password": {apitest.Password}, "password_again": {apitest.Password}, "sign_out": {"yes"}}).goes(t, "/account?done=password")
	alice.Do(t, "GET", "/_matrix/client/v3/account/whoami", nil).Fails(t, srv, errcode.UnknownToken)
	surf(t, srv).signIn(t, "alice")
}

func TestDeactivate(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	room := alice.CreateRoom(t, map[string]any{"preset": "public_chat"})
	bob := srv.User(t, "bob")
	room.Join(t, bob)
	s := surf(t, srv).signIn(t, "alice")
	s.get(t, "/account/deactivate").shows(t, 200, "This cannot be undone")
	s.post(t, "/account/deactivate", url.Values{"password": {"wrong"}, "erase": {"yes"}}).shows(t, 403, "This is not your password.")
	s.post(t, "/account/deactivate", nil).shows(t, 403, "This is not your password.")
	alice.Do(t, "GET", "/_matrix/client/v3/account/whoami", nil).OK(t, nil)

	s.post(t, "/account/deactivate", url.Values{"password": {apitest.Password}, "erase": {"yes"}}).goes(t, "/signed-out?done=deactivated")
	s.get(t, "/signed-out?done=deactivated").shows(t, 200, "Your account is closed")
	alice.Do(t, "GET", "/_matrix/client/v3/account/whoami", nil).Fails(t, srv, errcode.UnknownToken)
	s.get(t, "/account").goes(t, "/login?continue=%2Faccount")
	s.get(t, "/login")
	s.post(t, "/login", url.Values{"username": {"alice"}, "password": {apitest.Password}}).shows(t, 403, wrongText)
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
	s := surf(t, srv).signIn(t, "alice")
	s.get(t, "/account/identity").shows(t, 200, "Do this only if you cannot get in any other way")
	s.post(t, "/account/identity", url.Values{"password": {"wrong"}}).shows(t, 403, "This is not your password.")
	s.post(t, "/account/identity", url.Values{"password": {apitest.Password}, "form_token": {""}}).shows(t, 403, "This form is out of date, and nothing was changed.")
	s.post(t, "/account/identity", url.Values{"password": {apitest.Password}}).shows(t, 200, "Go back to your app now", "in the next ten minutes")
}
