package web_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
)

// asking is a device that asks to sign in.
type asking struct {
	DeviceCode string `json:"device_code"`
	UserCode   string `json:"user_code"`
	Complete   string `json:"verification_uri_complete"`
	client     string
}

func ask(t testing.TB, srv *apitest.Server, client, device string) asking {
	t.Helper()
	s := apitest.Surf(t, srv)
	s.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0")
	v := s.Do(t, "POST", "/oauth2/device", strings.NewReader(url.Values{"client_id": {client}, "scope": {scopeOf + device}}.Encode()))
	out := asking{client: client}
	if err := json.Unmarshal([]byte(v.HTML), &out); err != nil || out.UserCode == "" {
		t.Fatalf("%d %s", v.Status, v.HTML)
	}
	return out
}

// poll asks for the tokens, and gives the error if there is one.
func (a asking) poll(t testing.TB, srv *apitest.Server) (token, failure, why string) {
	t.Helper()
	srv.Advance(30 * time.Second) // so that it is never too soon
	_, answer := exchange(t, srv, url.Values{"grant_type": {deviceGrant}, "client_id": {a.client}, "device_code": {a.DeviceCode}})
	token, _ = answer["access_token"].(string)
	failure, _ = answer["error"].(string)
	why, _ = answer["error_description"].(string)
	return token, failure, why
}

func TestLink(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	client := register(t, srv, "Element")
	device := ask(t, srv, client, "NEWDEVICE1")
	page := "/link?user_code=" + device.UserCode
	if device.Complete != srv.URL+page {
		t.Errorf("the device shows %s", device.Complete)
	}
	s := apitest.Surf(t, srv)
	// OA-37: whoever is not signed in signs in first, and comes back to the code.
	s.Get(t, page).Goes(t, "/login?"+url.Values{"continue": {page}}.Encode())
	s.Get(t, "/link").Goes(t, "/login?continue=%2Flink")
	s.Get(t, "/login")
	s.Post(t, "/login", url.Values{"username": {"alice"}, "password": {apitest.Password}, "continue": {page}}).Goes(t, page)
	s.Get(t, "/link").Shows(t, 200, "Sign in another device", "Code")

	// OA-38, OA-39
	for range 3 { // OA-36: looking decides nothing
		s.Get(t, page).Shows(t, 200, "Another device asks to sign in", device.UserCode, "Element", "https://app.example.org/", "You are @alice:narthex.test",
			"127.0.0.1", "Firefox on Linux", "just now", "NEWDEVICE1", "never", "This is my device.", "Use another account").Without(t, "checked", "takes the place")
	}
	s.Get(t, "/link?user_code="+url.QueryEscape(" "+strings.ToLower(strings.ReplaceAll(device.UserCode, "-", "  "))+"-")).Shows(t, 200, device.UserCode)
	form := url.Values{"user_code": {device.UserCode}, "mine": {"yes"}, "answer": {"allow"}}
	s.Post(t, "/link", with(form, "form_token", "x")).Shows(t, 403, "This form is out of date, and nothing was changed.")
	s.Post(t, "/link", with(form, "mine", "")).Shows(t, 400, "Tick this if it is your device.")
	s.Post(t, "/link", with(form, "answer", "")).Shows(t, 400, "Choose one of the two buttons.")
	apitest.Surf(t, srv).Post(t, "/link", form).Goes(t, "/login?"+url.Values{"continue": {page}}.Encode())
	if _, failure, _ := device.poll(t, srv); failure != "authorization_pending" {
		t.Errorf("the device is told %q", failure)
	}

	s.Post(t, "/link", form).Shows(t, 200, "The other device may sign in", "Go back to Element").Without(t, "answered before")
	s.Post(t, "/link", form).Shows(t, 200, "The other device may sign in", "This was answered before.") // OA-40
	s.Post(t, "/link", with(form, "answer", "deny")).Shows(t, 200, "The other device may sign in", "This was answered before.")
	s.Get(t, page).Shows(t, 200, "The other device may sign in", "This was answered before.")
	token, failure, _ := device.poll(t, srv)
	if token == "" {
		t.Fatalf("the device is told %q", failure)
	}
	var who map[string]any
	(&apitest.Client{Server: srv, Token: token}).Do(t, "GET", "/_matrix/client/v3/account/whoami", nil).OK(t, &who)
	if who["user_id"] != string(alice.UserID) || who["device_id"] != "NEWDEVICE1" {
		t.Errorf("it is the session of %v", who)
	}
	second := ask(t, srv, client, "NEWDEVICE1")
	s.Get(t, "/link?user_code="+second.UserCode).Shows(t, 200, "This takes the place of your session Element") // OA-31
}

func TestLinkDenied(t *testing.T) {
	srv := apitest.New(t)
	srv.User(t, "alice")
	srv.User(t, "bob")
	device := ask(t, srv, register(t, srv, "Element"), "NEWDEVICE1")
	s, bob := apitest.Surf(t, srv).SignIn(t, "alice"), apitest.Surf(t, srv).SignIn(t, "bob")
	form := url.Values{"user_code": {device.UserCode}, "answer": {"deny"}}
	s.Post(t, "/link", form).Shows(t, 200, "The other device was refused", "It has no access to your account.")
	s.Post(t, "/link", with(form, "answer", "allow", "mine", "yes")).Shows(t, 200, "The other device was refused", "This was answered before.")
	if _, failure, _ := device.poll(t, srv); failure != "access_denied" {
		t.Errorf("the device is told %q", failure)
	}
	// What somebody else has decided on is as unknown as any other code.
	bob.Get(t, "/link?user_code="+device.UserCode).Shows(t, 404, unknownCode)
	bob.Post(t, "/link", with(form, "answer", "allow", "mine", "yes")).Shows(t, 404, unknownCode)
}

const unknownCode = "This code is not right, or is no longer valid."

// TestLinkUnknownCodes holds that wrong, used up and expired codes look the same, and
// that guessing ends (OA-16, OA-42).
func TestLinkUnknownCodes(t *testing.T) {
	srv := apitest.New(t)
	srv.User(t, "alice")
	s := apitest.Surf(t, srv).SignIn(t, "alice")
	expired := ask(t, srv, register(t, srv, "Element"), "NEWDEVICE1")
	srv.Advance(21 * time.Minute)
	pages := map[string]bool{}
	for _, code := range []string{expired.UserCode, "ZZZZ-ZZZZ"} {
		v := s.Get(t, "/link?user_code="+code).Shows(t, 404, "Sign in another device", unknownCode)
		pages[strings.ReplaceAll(v.HTML, code, "")] = true
		v = s.Post(t, "/link", url.Values{"user_code": {code}, "answer": {"allow"}, "mine": {"yes"}}).Shows(t, 404, unknownCode)
		pages[strings.ReplaceAll(v.HTML, code, "")] = true
	}
	if len(pages) != 1 {
		t.Errorf("there are %d pages for codes that are not good", len(pages))
	}
	s.Get(t, "/link?user_code="+strings.Repeat("x", 5000)).Shows(t, 404, unknownCode)
	for range 5 {
		s.Get(t, "/link?user_code=aaaa").Without(t, "aaaaa")
	}
	good := ask(t, srv, expired.client, "NEWDEVICE2")
	s.Get(t, "/link?user_code="+good.UserCode).Shows(t, 429, "There were too many wrong codes.").Without(t, "<form", good.UserCode)
	s.Post(t, "/link", url.Values{"user_code": {good.UserCode}, "answer": {"allow"}, "mine": {"yes"}}).Shows(t, 429, "There were too many wrong codes.")
	srv.Advance(10 * time.Minute)
	s.Get(t, "/link?user_code="+good.UserCode).Shows(t, 200, good.UserCode)
	s.Get(t, "/link?user_code=a&user_code=b").Shows(t, 400, "This did not work")
}

// TestLinkWhileAwaitingApproval is A-33.
func TestLinkWhileAwaitingApproval(t *testing.T) {
	srv := apitest.New(t, func(cfg *config.Config) {
		cfg.Approval.Enabled, cfg.Approval.RequiredForNewAccounts = true, true
	})
	hash, err := srv.App.Passwords.Hash(t.Context(), apitest.Password)
	if err != nil {
		t.Fatal(err)
	}
	pending := false
	err = srv.App.DB.Write(t.Context(), func(tx *db.Tx) error {
		return srv.App.Accounts.Insert(tx, accounts.Account{UserID: accountsID(t, "carol"), PasswordHash: hash, Approved: &pending})
	})
	if err != nil {
		t.Fatal(err)
	}
	device := ask(t, srv, register(t, srv, "Element"), "NEWDEVICE1")
	s := apitest.Surf(t, srv)
	s.Get(t, "/login")
	s.Post(t, "/login", url.Values{"username": {"carol"}, "password": {apitest.Password}}).Goes(t, "/account")
	s.Get(t, "/link?user_code="+device.UserCode).Shows(t, 200, "Your account waits for the approval of an administrator.", "Allow", "Deny")
	if _, failure, _ := device.poll(t, srv); failure != "authorization_pending" {
		t.Errorf("the device is told %q", failure)
	}
	s.Post(t, "/link", url.Values{"user_code": {device.UserCode}, "answer": {"allow"}, "mine": {"yes"}}).Shows(t, 200, "Waiting for approval")
	if _, failure, why := device.poll(t, srv); failure != "access_denied" || !strings.Contains(why, "waiting for the approval") {
		t.Errorf("the device is told %q, %q", failure, why)
	}
}
