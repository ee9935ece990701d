package accounts_test

import (
	"strings"
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/errcode"
)

const (
	number  = "+4915123456789"
	dialled = "0151 23456789"
)

// withPhones is a server with a gateway for text messages.
func withPhones(t *testing.T) (*apitest.Server, *apitest.Phones) {
	t.Helper()
	phones := apitest.NewPhones(t)
	return apitest.New(t, phones.Configure), phones
}

// TestTP50_52_54_ByPhone walks through each requestToken endpoint for phones, up to a
// validated number.
func TestTP50_52_54_ByPhone(t *testing.T) {
	for _, path := range []string{registerPhonePath, addPhonePath, resetPhonePath} {
		t.Run(path, func(t *testing.T) {
			srv, phones := withPhones(t)
			if path == resetPhonePath {
				alice := srv.User(t, "alice")
				own(t, srv, alice.UserID, "msisdn", number[1:])
				own(t, srv, alice.UserID, "msisdn", "41791234567")
			}
			srv.Anyone().Do(t, "POST", path, phoneWish("CH", "079 123 45 67")).Fails(t, srv, errcode.DestinationRejected)
			r := request(t, srv.Anyone(), path, phoneWish("DE", dialled))
			if !strings.HasSuffix(r.SubmitURL, "/msisdn/submitToken") {
				t.Errorf("the submit_url is %s", r.SubmitURL)
			}
			code := phones.Code(t, number)
			if len(code) != 6 {
				t.Fatalf("the code is %q", code)
			}
			wrong := "000000"
			if code == wrong {
				wrong = "000001"
			}
			srv.Anyone().Do(t, "POST", r.path(t), with(creds(r.SID), object{"token": wrong})).Fails(t, srv, errcode.TokenIncorrect)
			spaced := code[:3] + " " + code[3:] // TP-24
			srv.Anyone().Do(t, "POST", r.path(t), with(creds(r.SID), object{"token": spaced})).OK(t, nil)
		})
	}
}

func TestTP71_75_AddAndResetByPhone(t *testing.T) {
	srv, phones := withPhones(t)
	alice := srv.User(t, "alice")
	shown := func(path string) object {
		t.Helper()
		r := request(t, srv.Anyone(), path, phoneWish("DE", dialled))
		srv.Anyone().Do(t, "POST", r.path(t), with(creds(r.SID), object{"token": phones.Code(t, number)})).OK(t, nil)
		return creds(r.SID)
	}
	alice.Do(t, "POST", addPath, with(shown(addPhonePath), object{"auth": byPassword("alice", apitest.Password, "")})).OK(t, nil)
	if got := addresses(t, alice); !strings.Contains(got, `"medium":"msisdn","address":"4915123456789"`) {
		t.Errorf("got %s", got)
	}
	reset := object{"new_password": "a new password", "auth": object{"type": "m.login.msisdn", "threepid_creds": shown(resetPhonePath)}}
	srv.Anyone().Do(t, "POST", passwordPath, reset).OK(t, nil)
	if !canLogIn(t, srv, "alice", "a new password") {
		t.Error("the password was not changed")
	}
}
