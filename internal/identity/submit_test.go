package identity_test

import (
	"net/http"
	"net/url"
	"regexp"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/errcode"
)

// TestTP20_TP21_WhatIsWrongWithASubmission plays each refusal on both media, by a
// program and in a browser, and then what works.
func TestTP20_TP21_WhatIsWrongWithASubmission(t *testing.T) {
	configure, text := gateway(t, http.StatusOK)
	s := start(t, configure)
	alice := s.user(t, "alice")
	byMail := s.requestToken(t, alice, "alice@example.com")
	link, err := url.Parse(s.mails.Last(t, "alice@example.com").Link(t, s.Server))
	if err != nil {
		t.Fatal(err)
	}
	var byText struct{ SID string }
	alice.Do(t, "POST", v2+"/validate/msisdn/requestToken", number("GB", "07400 123456")).OK(t, &byText)
	sent := []struct{ medium, sid, token string }{
		{"email", byMail, link.Query().Get("token")},
		{"msisdn", byText.SID, regexp.MustCompile(`\b\d{6}\b`).FindString(text())},
	}
	ask := func(medium, method, sid, token string) *apitest.Response {
		path := v2 + "/validate/" + medium + "/submitToken"
		if method == "GET" {
			return s.Anyone().Do(t, "GET", path+query("sid", sid, "client_secret", secret, "token", token), nil)
		}
		return alice.Do(t, "POST", path, apitest.Object{"sid": sid, "client_secret": secret, "token": token})
	}
	for _, v := range sent {
		wrong := "000000"
		if v.token == wrong {
			wrong = "000001"
		}
		for _, method := range []string{"POST", "GET"} {
			t.Run(v.medium+" "+method, func(t *testing.T) {
				ask(v.medium, method, "unknown", v.token).Fails(t, s.Server, errcode.InvalidParam)
				ask(v.medium, method, "not a sid!", v.token).Fails(t, s.Server, errcode.InvalidParam)
				ask(v.medium, method, v.sid, wrong).Fails(t, s.Server, errcode.TokenIncorrect)
			})
		}
		s.Anyone().Do(t, "GET", v2+"/validate/"+v.medium+"/submitToken", nil).Fails(t, s.Server, errcode.MissingParams)
	}
	for _, method := range []string{"GET", "POST"} {
		for _, v := range sent {
			ask(v.medium, method, v.sid, v.token).OK(t, nil)
		}
	}
	s.Advance(25 * time.Hour)
	alice = s.user(t, "alice")
	for _, v := range sent {
		for _, method := range []string{"POST", "GET"} {
			ask(v.medium, method, v.sid, v.token).Fails(t, s.Server, errcode.SessionExpired)
		}
	}
}
