package identity_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/errcode"
)

func TestTP41_TP42_TP43_RequestTokenByMail(t *testing.T) {
	s := start(t)
	alice := s.user(t, "alice")
	path := v2 + "/validate/email/requestToken"
	body := func(change apitest.Object) apitest.Object {
		b := apitest.Object{"client_secret": secret, "email": "alice@example.com", "send_attempt": 1}
		for name, value := range change {
			if b[name] = value; value == nil {
				delete(b, name)
			}
		}
		return b
	}
	apitest.Run(t, []apitest.Case{
		{Name: "sent", As: alice, Do: "POST", Path: path, Body: body(nil), Has: []string{`"sid":"`}},
		{Name: "no token", As: s.Anyone(), Do: "POST", Path: path, Body: body(nil), Want: errcode.IdentityUnauthorized},
		{Name: "no secret", As: alice, Do: "POST", Path: path, Body: body(apitest.Object{"client_secret": nil}), Want: errcode.MissingParams},
		{Name: "no address", As: alice, Do: "POST", Path: path, Body: body(apitest.Object{"email": nil}), Want: errcode.MissingParams},
		{Name: "no attempt", As: alice, Do: "POST", Path: path, Body: body(apitest.Object{"send_attempt": nil}), Want: errcode.MissingParams},
		{Name: "an empty secret", As: alice, Do: "POST", Path: path, Body: body(apitest.Object{"client_secret": ""}), Want: errcode.InvalidParam},
		{Name: "a secret with a space", As: alice, Do: "POST", Path: path, Body: body(apitest.Object{"client_secret": "a b"}), Want: errcode.InvalidParam},
		{Name: "a negative attempt", As: alice, Do: "POST", Path: path, Body: body(apitest.Object{"send_attempt": -1}), Want: errcode.InvalidParam},
		{Name: "an attempt in words", As: alice, Do: "POST", Path: path, Body: body(apitest.Object{"send_attempt": "one"}), Want: errcode.InvalidParam},
		{Name: "an attempt that is nothing", As: alice, Do: "POST", Path: path, Body: `{"client_secret":"a","email":"a@example.com","send_attempt":null}`, Want: errcode.InvalidParam},
		{Name: "an attempt and a half", As: alice, Do: "POST", Path: path, Body: body(apitest.Object{"send_attempt": 1.5}), Want: errcode.InvalidParam},
		{Name: "an attempt in digits, as matrix-js-sdk sends it", As: alice, Do: "POST", Path: path, Body: body(apitest.Object{"send_attempt": "1"}), Has: []string{`"sid":"`}},
		{Name: "an empty address", As: alice, Do: "POST", Path: path, Body: body(apitest.Object{"email": ""}), Want: errcode.InvalidParam},
		{Name: "an address that is no string", As: alice, Do: "POST", Path: path, Body: body(apitest.Object{"email": []string{"a@b.example"}}), Want: errcode.InvalidParam},
		{Name: "an address of 501 bytes", As: alice, Do: "POST", Path: path, Body: body(apitest.Object{"email": strings.Repeat("a", 489) + "@example.com"}), Want: errcode.InvalidParam},
		{Name: "an address that is none", As: alice, Do: "POST", Path: path, Body: body(apitest.Object{"email": "alice"}), Want: errcode.InvalidEmail},
		{Name: "an address with a line in it", As: alice, Do: "POST", Path: path, Body: body(apitest.Object{"email": "a@example.com\r\nBcc: b@example.com"}), Want: errcode.InvalidEmail},
		{Name: "a link elsewhere", As: alice, Do: "POST", Path: path, Body: body(apitest.Object{"next_link": "https://evil.example/"}), Want: errcode.InvalidParam},
		{Name: "not JSON", As: alice, Do: "POST", Path: path, Body: "a=b", Want: errcode.NotJSON},
		{Name: "not an object", As: alice, Do: "POST", Path: path, Body: "[]", Want: errcode.BadJSON},
	})
	if mails := s.mails.Mails("alice@example.com"); len(mails) != 1 {
		t.Errorf("%d mails, want 1", len(mails))
	}
}

func TestTP45_AMailThatIsRefused(t *testing.T) {
	s := start(t)
	s.mails.Refuse("gone@example.com")
	s.user(t, "alice").Do(t, "POST", v2+"/validate/email/requestToken",
		apitest.Object{"client_secret": secret, "email": "gone@example.com", "send_attempt": 1}).Fails(t, s.Server, errcode.EmailSendError)
}

func TestTP44_RequestTokenByPhone(t *testing.T) {
	s := start(t)
	alice := s.user(t, "alice")
	path := v2 + "/validate/msisdn/requestToken"
	body := func(country, number any) apitest.Object {
		return apitest.Object{"client_secret": secret, "country": country, "phone_number": number, "send_attempt": 1}
	}
	apitest.Run(t, []apitest.Case{
		{Name: "no number", As: alice, Do: "POST", Path: path, Body: apitest.Object{"client_secret": secret, "country": "GB", "send_attempt": 1}, Want: errcode.MissingParams},
		{Name: "no country", As: alice, Do: "POST", Path: path, Body: apitest.Object{"client_secret": secret, "phone_number": "1", "send_attempt": 1}, Want: errcode.MissingParams},
		{Name: "an empty number", As: alice, Do: "POST", Path: path, Body: body("GB", ""), Want: errcode.InvalidParam},
		{Name: "a number that is a number", As: alice, Do: "POST", Path: path, Body: body("GB", 7700900001), Want: errcode.InvalidParam},
		{Name: "a number too short", As: alice, Do: "POST", Path: path, Body: body("GB", "12"), Want: errcode.InvalidAddress},
		{Name: "words", As: alice, Do: "POST", Path: path, Body: body("GB", "call me"), Want: errcode.InvalidAddress},
		{Name: "no token", As: s.Anyone(), Do: "POST", Path: path, Body: body("GB", "7700900001"), Want: errcode.IdentityUnauthorized},
	})
}

func TestTP1_TP3_SubmitToken(t *testing.T) {
	s := start(t)
	alice := s.user(t, "alice")
	sid := s.requestToken(t, alice, "alice@example.com")
	link, err := url.Parse(s.mails.Last(t, "alice@example.com").Link(t, s.Server))
	if err != nil {
		t.Fatal(err)
	}
	if link.Path != v2+"/validate/email/submitToken" {
		t.Errorf("TP-3: the mail leads to %s", link.Path)
	}
	token := link.Query().Get("token")
	body := func(token string) apitest.Object {
		return apitest.Object{"sid": sid, "client_secret": secret, "token": token}
	}
	path := v2 + "/validate/email/submitToken"
	apitest.Run(t, []apitest.Case{
		{Name: "TP-5 no token of the service", As: s.Anyone(), Do: "POST", Path: path, Body: body(token), Want: errcode.IdentityUnauthorized},
		{Name: "TP-8 a parameter is missing", As: alice, Do: "POST", Path: path, Body: apitest.Object{"sid": sid}, Want: errcode.MissingParams},
		{Name: "TP-14 a wrong token", As: alice, Do: "POST", Path: path, Body: body("wrong"), Want: errcode.TokenIncorrect},
		{Name: "TP-2 the other medium", As: alice, Do: "POST", Path: v2 + "/validate/msisdn/submitToken", Body: body(token), Want: errcode.InvalidParam},
		{Name: "the session is not validated yet", As: alice, Do: "GET", Path: v2 + "/3pid/getValidated3pid" + query("sid", sid, "client_secret", secret), Want: errcode.SessionNotValidated},
		{Name: "TP-1 a form", As: alice, Do: "POST", Path: path, Body: url.Values{"sid": {sid}, "client_secret": {secret}, "token": {token}}, Has: []string{`{"success":true}`}},
		{Name: "TP-16 again", As: alice, Do: "POST", Path: path, Body: body(token), Has: []string{`{"success":true}`}},
	})
}

func TestTP93_GetValidated3pid(t *testing.T) {
	s := start(t)
	alice := s.user(t, "alice")
	before := time.Now().Add(-time.Minute).UnixMilli()
	sid := s.validate(t, alice, "alice@example.com")
	path := v2 + "/3pid/getValidated3pid"
	var got struct {
		Medium, Address string
		At              int64 `json:"validated_at"`
	}
	alice.Do(t, "GET", path+query("sid", sid, "client_secret", secret), nil).OK(t, &got)
	if got.Medium != "email" || got.Address != "alice@example.com" || got.At < before {
		t.Errorf("got %+v", got)
	}
	apitest.Run(t, []apitest.Case{
		{Name: "no token", As: s.Anyone(), Do: "GET", Path: path + query("sid", sid, "client_secret", secret), Want: errcode.IdentityUnauthorized},
		{Name: "no secret", As: alice, Do: "GET", Path: path + query("sid", sid), Want: errcode.MissingParams},
	})
	unknown := alice.Do(t, "GET", path+query("sid", "none", "client_secret", secret), nil).Fails(t, s.Server, errcode.NoValidSession)
	wrong := alice.Do(t, "GET", path+query("sid", sid, "client_secret", "wrong"), nil).Fails(t, s.Server, errcode.NoValidSession)
	if string(unknown.Body) != string(wrong.Body) {
		t.Errorf("an unknown session is answered %s, a wrong secret %s", unknown.Body, wrong.Body)
	}
	s.Advance(25 * time.Hour)
	alice.Do(t, "GET", path+query("sid", sid, "client_secret", secret), nil).Fails(t, s.Server, errcode.SessionExpired)
}

func TestTP94_Bind(t *testing.T) {
	s := start(t)
	alice, bob := s.user(t, "alice"), s.user(t, "bob")
	sid := s.validate(t, alice, "alice@example.com")
	open := s.requestToken(t, alice, "other@example.com")
	old := s.validate(t, alice, "old@example.com")
	path := v2 + "/3pid/bind"
	body := func(sid, secret string, user any) apitest.Object {
		return apitest.Object{"sid": sid, "client_secret": secret, "mxid": user}
	}
	apitest.Run(t, []apitest.Case{
		{Name: "for another user", As: bob, Do: "POST", Path: path, Body: body(sid, secret, alice.UserID), Want: errcode.NotYours},
		{Name: "a wrong secret", As: alice, Do: "POST", Path: path, Body: body(sid, "wrong", alice.UserID), Want: errcode.NoValidSession},
		{Name: "an unknown session", As: alice, Do: "POST", Path: path, Body: body("none", secret, alice.UserID), Want: errcode.NoValidSession},
		{Name: "not validated", As: alice, Do: "POST", Path: path, Body: body(open, secret, alice.UserID), Want: errcode.SessionNotValidated},
		{Name: "no session", As: alice, Do: "POST", Path: path, Body: apitest.Object{"client_secret": secret, "mxid": alice.UserID}, Want: errcode.MissingParams},
		{Name: "no user", As: alice, Do: "POST", Path: path, Body: apitest.Object{"client_secret": secret, "sid": sid}, Want: errcode.MissingParams},
		{Name: "what is no user", As: alice, Do: "POST", Path: path, Body: body(sid, secret, "alice"), Want: errcode.InvalidParam},
		{Name: "no token", As: s.Anyone(), Do: "POST", Path: path, Body: body(sid, secret, alice.UserID), Want: errcode.IdentityUnauthorized},
	})

	answer := alice.Do(t, "POST", path, body(sid, secret, alice.UserID)).OK(t, nil)
	s.verify(t, answer.Body)
	var got struct {
		Medium, Address, MXID string
		NotBefore             int64 `json:"not_before"`
		NotAfter              int64 `json:"not_after"`
		TS                    int64
	}
	if err := json.Unmarshal(answer.Body, &got); err != nil {
		t.Fatal(err)
	}
	if got.Medium != "email" || got.Address != "alice@example.com" || got.MXID != string(alice.UserID) || got.NotBefore > got.TS || got.NotAfter <= got.TS {
		t.Errorf("got %s", answer.Body)
	}
	alice.Do(t, "POST", path, body(sid, secret, alice.UserID)).OK(t, nil) // again is no failure

	pepper := s.details(t, bob).Pepper
	known := hash("alice@example.com", "email", pepper)
	if found := s.lookup(t, bob, "sha256", pepper, known); found[known] != string(alice.UserID) {
		t.Errorf("got %v", found)
	}
	// Whoever shows that the address is theirs now takes it over.
	s.bind(t, bob, "alice@example.com")
	if found := s.lookup(t, bob, "sha256", pepper, known); found[known] != string(bob.UserID) {
		t.Errorf("after bob: got %v", found)
	}
	s.Advance(25 * time.Hour)
	alice.Do(t, "POST", path, body(old, secret, alice.UserID)).Fails(t, s.Server, errcode.SessionExpired)
}

func TestTP95_UnbindBySession(t *testing.T) {
	s := start(t)
	alice, bob := s.user(t, "alice"), s.user(t, "bob")
	s.bind(t, alice, "alice@example.com")
	sid := s.validate(t, alice, "alice@example.com")
	other := s.validate(t, bob, "bob@example.com")
	open := s.requestToken(t, bob, "open@example.com")
	path := v2 + "/3pid/unbind"
	threepid := func(address string) apitest.Object { return apitest.Object{"medium": "email", "address": address} }
	body := func(address, sid, secret string) apitest.Object {
		return apitest.Object{"threepid": threepid(address), "mxid": alice.UserID, "sid": sid, "client_secret": secret}
	}
	pepper := s.details(t, bob).Pepper
	known := hash("alice@example.com", "email", pepper)
	apitest.Run(t, []apitest.Case{
		{Name: "no token", As: s.Anyone(), Do: "POST", Path: path, Body: body("alice@example.com", sid, secret), Want: errcode.IdentityUnauthorized},
		{Name: "not JSON", As: alice, Do: "POST", Path: path, Body: "{", Want: errcode.NotJSON},
		{Name: "not an object", As: alice, Do: "POST", Path: path, Body: "[]", Want: errcode.BadJSON},
		{Name: "too large", As: alice, Do: "POST", Path: path, Body: `{"a":"` + strings.Repeat("a", 65<<10) + `"}`, Want: errcode.TooLarge},
		{Name: "no address", As: alice, Do: "POST", Path: path, Body: apitest.Object{"mxid": alice.UserID, "sid": sid, "client_secret": secret}, Want: errcode.MissingParams},
		{Name: "half an address", As: alice, Do: "POST", Path: path, Body: apitest.Object{"threepid": apitest.Object{"medium": "email"}, "mxid": alice.UserID}, Want: errcode.MissingParams},
		{Name: "an address that is no object", As: alice, Do: "POST", Path: path, Body: apitest.Object{"threepid": "a", "mxid": alice.UserID}, Want: errcode.InvalidParam},
		{Name: "no user", As: alice, Do: "POST", Path: path, Body: apitest.Object{"threepid": threepid("a@b.example")}, Want: errcode.MissingParams},
		{Name: "no session", As: alice, Do: "POST", Path: path, Body: apitest.Object{"threepid": threepid("alice@example.com"), "mxid": alice.UserID}, Want: errcode.MissingParams},
		{Name: "an unknown session", As: alice, Do: "POST", Path: path, Body: body("alice@example.com", "none", secret), Want: errcode.NoValidSession},
		{Name: "a wrong secret", As: alice, Do: "POST", Path: path, Body: body("alice@example.com", sid, "wrong"), Want: errcode.NoValidSession},
		{Name: "not validated", As: bob, Do: "POST", Path: path, Body: body("open@example.com", open, secret), Want: errcode.SessionNotValidated},
		{Name: "another address", As: bob, Do: "POST", Path: path, Body: body("alice@example.com", other, secret), Want: errcode.Forbidden},
		{Name: "still bound", As: bob, Do: "POST", Path: v2 + "/lookup", Body: apitest.Object{"algorithm": "sha256", "pepper": pepper, "addresses": []string{known}}, Has: []string{string(alice.UserID)}},
		{Name: "unbound", As: alice, Do: "POST", Path: path, Body: body("Alice@example.com", sid, secret), Has: []string{`{}`}},
		{Name: "no more bound", As: bob, Do: "POST", Path: v2 + "/lookup", Body: apitest.Object{"algorithm": "sha256", "pepper": pepper, "addresses": []string{known}}, Has: []string{`{"mappings":{}}`}},
		{Name: "nothing to unbind", As: alice, Do: "POST", Path: path, Body: body("alice@example.com", sid, secret), Has: []string{`{}`}},
	})
	s.Advance(25 * time.Hour)
	alice.Do(t, "POST", path, body("alice@example.com", sid, secret)).Fails(t, s.Server, errcode.SessionExpired)
}

// An address that somebody else has bound since stays theirs.
func TestTP95_OnlyTheNamedUserIsUnbound(t *testing.T) {
	s := start(t)
	alice, bob := s.user(t, "alice"), s.user(t, "bob")
	sid := s.validate(t, alice, "us@example.com")
	s.bind(t, bob, "us@example.com")
	alice.Do(t, "POST", v2+"/3pid/unbind", apitest.Object{"mxid": alice.UserID, "sid": sid, "client_secret": secret,
		"threepid": apitest.Object{"medium": "email", "address": "us@example.com"}}).OK(t, nil)
	pepper := s.details(t, bob).Pepper
	if got := s.lookup(t, bob, "sha256", pepper, hash("us@example.com", "email", pepper)); len(got) != 1 {
		t.Errorf("got %v", got)
	}
}

func TestMediaThatAreNotConfigured(t *testing.T) {
	s := start(t, func(c *config.Config) { c.Dev, c.Mail.SMTP.Host = false, "" })
	alice := s.user(t, "alice")
	apitest.Run(t, []apitest.Case{
		{Name: "mail", As: alice, Do: "POST", Path: v2 + "/validate/email/requestToken",
			Body: apitest.Object{"client_secret": secret, "email": "a@example.com", "send_attempt": 1}, Want: errcode.ThreepidMediumNotSupported},
		{Name: "text messages", As: alice, Do: "POST", Path: v2 + "/validate/msisdn/requestToken",
			Body: apitest.Object{"client_secret": secret, "country": "GB", "phone_number": "07700900001", "send_attempt": 1}, Want: errcode.ThreepidMediumNotSupported},
		{Name: "invitations", As: alice, Do: "POST", Path: v2 + "/store-invite",
			Body: apitest.Object{"medium": "email", "address": "a@example.com", "room_id": "!a:b.example", "sender": alice.UserID}, Want: errcode.ThreepidMediumNotSupported},
	})
}
