package identity_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
)

func TestTP80_TP81_VersionsAndPing(t *testing.T) {
	s := start(t)
	apitest.Run(t, []apitest.Case{
		{Name: "versions", As: s.Anyone(), Do: "GET", Path: "/_matrix/identity/versions", Has: []string{`"versions":[`, `"v1.18"`}},
		{Name: "ping", As: s.Anyone(), Do: "GET", Path: v2, Has: []string{`{}`}},
	})
	if r := s.Anyone().Do(t, "OPTIONS", v2+"/lookup", nil).OK(t, nil); r.Header.Get("Access-Control-Allow-Origin") != "*" ||
		!strings.Contains(r.Header.Get("Access-Control-Allow-Headers"), "Authorization") {
		t.Errorf("no CORS: %v", r.Header)
	}
}

func TestTP98_TP99_UnknownPathsAndMethods(t *testing.T) {
	s := start(t)
	apitest.Run(t, []apitest.Case{
		{Name: "version 1: ping", As: s.Anyone(), Do: "GET", Path: "/_matrix/identity/api/v1", Want: errcode.Unrecognized},
		{Name: "version 1: lookup", As: s.Anyone(), Do: "GET", Path: "/_matrix/identity/api/v1/lookup?medium=email&address=a@b.example", Want: errcode.Unrecognized},
		{Name: "version 1: bind", As: s.Anyone(), Do: "POST", Path: "/_matrix/identity/api/v1/3pid/bind", Body: "{}", Want: errcode.Unrecognized},
		{Name: "an unknown path", As: s.Anyone(), Do: "GET", Path: v2 + "/nothing", Want: errcode.Unrecognized},
		{Name: "a wrong method", As: s.Anyone(), Do: "GET", Path: v2 + "/lookup", Want: errcode.WrongMethod},
		{Name: "another one", As: s.Anyone(), Do: "PUT", Path: v2 + "/account", Want: errcode.WrongMethod},
	})
}

func TestDisabledUnlessConfigured(t *testing.T) {
	srv := apitest.New(t)
	srv.Anyone().Do(t, "GET", v2, nil).Fails(t, srv, errcode.Unrecognized)
}

func TestTP82_RegisterByOpenID(t *testing.T) {
	s := start(t)
	alice := s.user(t, "alice")
	apitest.Run(t, []apitest.Case{
		{Name: "the account", As: alice, Do: "GET", Path: v2 + "/account", Has: []string{`"user_id":"` + string(alice.UserID) + `"`}},
		{Name: "a token that the homeserver refuses", As: s.Anyone(), Do: "POST", Path: v2 + "/account/register",
			Body: apitest.Object{"access_token": "other", "matrix_server_name": s.other.name}, Want: errcode.IdentityUnauthorized},
		{Name: "no token", As: s.Anyone(), Do: "POST", Path: v2 + "/account/register",
			Body: apitest.Object{"matrix_server_name": s.other.name}, Want: errcode.MissingParams},
		{Name: "no server", As: s.Anyone(), Do: "POST", Path: v2 + "/account/register", Body: apitest.Object{"access_token": "a"}, Want: errcode.MissingParams},
		{Name: "a server name that is none", As: s.Anyone(), Do: "POST", Path: v2 + "/account/register",
			Body: apitest.Object{"access_token": "a", "matrix_server_name": "a/b?"}, Want: errcode.InvalidParam},
		{Name: "a server name with a user in it", As: s.Anyone(), Do: "POST", Path: v2 + "/account/register",
			Body: apitest.Object{"access_token": "a", "matrix_server_name": "a@b.example"}, Want: errcode.InvalidParam},
		{Name: "a token of another type", As: s.Anyone(), Do: "POST", Path: v2 + "/account/register",
			Body: apitest.Object{"access_token": 1, "matrix_server_name": s.other.name}, Want: errcode.InvalidParam},
		{Name: "not JSON", As: s.Anyone(), Do: "POST", Path: v2 + "/account/register", Body: "access_token=a", Want: errcode.NotJSON},
		{Name: "a homeserver that does not answer", As: s.Anyone(), Do: "POST", Path: v2 + "/account/register",
			Body: apitest.Object{"access_token": "a", "matrix_server_name": "127.0.0.1:1"}, Want: errcode.Unknown},
		{Name: "an address that is not public", As: s.Anyone(), Do: "POST", Path: v2 + "/account/register",
			Body: apitest.Object{"access_token": "a", "matrix_server_name": "127.0.0.2:8448"}, Want: errcode.Unknown},
	})
}

// A homeserver can say what it likes, but not for the users of others.
func TestTP82_WhatAHomeserverMaySay(t *testing.T) {
	s := start(t)
	openID := s.other.token(s.other.user("alice"))
	for name, c := range map[string]struct {
		status int
		body   string
		want   *errcode.Code
	}{
		"a user of another server": {200, `{"sub":"@alice:example.org"}`, errcode.IdentityUnauthorized},
		"no user":                  {200, `{}`, errcode.Unknown},
		"what is no user":          {200, `{"sub":"alice"}`, errcode.Unknown},
		"no JSON":                  {200, `<html>`, errcode.Unknown},
		"a failure":                {500, `{}`, errcode.Unknown},
		"too much to do":           {429, `{}`, errcode.Unknown},
		"a redirect":               {302, ``, errcode.Unknown},
		"a refusal":                {403, `{}`, errcode.IdentityUnauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			s.other.answers(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", "https://"+string(s.other.name)+"/elsewhere")
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.body)
			})
			s.Anyone().Do(t, "POST", v2+"/account/register", openID).Fails(t, s.Server, c.want)
		})
	}
	if strings.Contains(s.Log.String(), "openid%20") || strings.Contains(s.Log.String(), "openid+") {
		t.Error("an OpenID token was logged")
	}
}

func TestTP82_AllowedServers(t *testing.T) {
	s := start(t, func(c *config.Config) { c.Identity.AllowedServers = []string{string(apitest.ServerName)} })
	s.Anyone().Do(t, "POST", v2+"/account/register", s.other.token(s.other.user("alice"))).Fails(t, s.Server, errcode.NotYours)
	var openID apitest.Object
	alice := s.User(t, "alice")
	alice.Do(t, "POST", "/_matrix/client/v3/user/"+string(alice.UserID)+"/openid/request_token", "{}").OK(t, &openID)
	s.register(t, openID)
}

// Users of the homeserver in the same process are asked for without the network.
func TestTP82_UsersOfThisServer(t *testing.T) {
	s := start(t, func(c *config.Config) { c.Outbound.AllowedNetworks = nil })
	alice := s.User(t, "alice")
	var openID apitest.Object
	alice.Do(t, "POST", "/_matrix/client/v3/user/"+string(alice.UserID)+"/openid/request_token", "{}").OK(t, &openID)
	here := s.Anyone()
	here.Token = s.register(t, openID)
	here.Do(t, "GET", v2+"/account", nil).OK(t, &openID)
	if openID["user_id"] != string(alice.UserID) {
		t.Errorf("got %v, want %s", openID, alice.UserID)
	}
	s.Anyone().Do(t, "POST", v2+"/account/register", apitest.Object{"access_token": "nothing", "matrix_server_name": apitest.ServerName}).
		Fails(t, s.Server, errcode.IdentityUnauthorized)
}

// The tokens of the two services are no good for each other.
func TestTP83_TokensAreOfOneService(t *testing.T) {
	s := start(t)
	alice, here := s.User(t, "alice"), s.user(t, "alice")
	alice.Do(t, "GET", v2+"/account", nil).Fails(t, s.Server, errcode.IdentityUnauthorized)
	here.Do(t, "GET", "/_matrix/client/v3/account/whoami", nil).Fails(t, s.Server, errcode.UnknownToken)
	s.Anyone().Do(t, "GET", v2+"/account", nil).Fails(t, s.Server, errcode.IdentityUnauthorized)
	damaged := *here
	damaged.Token = here.Token[:len(here.Token)-1] + "_"
	damaged.Do(t, "GET", v2+"/account", nil).Fails(t, s.Server, errcode.IdentityUnauthorized)
}

func TestTokensAreStoredAsHashesAndRunOut(t *testing.T) {
	s := start(t)
	alice := s.user(t, "alice")
	s.Read(t, func(tx *db.Tx) error {
		hash, err := db.Value[[]byte](tx, `SELECT token_hash FROM identity_tokens`)
		if strings.Contains(string(hash), alice.Token) || len(hash) != 32 {
			t.Errorf("stored: %q", hash)
		}
		return err
	})
	s.Advance(366 * 24 * time.Hour)
	alice.Do(t, "GET", v2+"/account", nil).Fails(t, s.Server, errcode.IdentityUnauthorized)
	s.RunJobs(t)
	s.Read(t, func(tx *db.Tx) error {
		n, err := db.Value[int64](tx, `SELECT COUNT(*) FROM identity_tokens`)
		if n != 0 {
			t.Errorf("%d tokens are left", n)
		}
		return err
	})
}

func TestTP84_Logout(t *testing.T) {
	s := start(t)
	alice, again := s.user(t, "alice"), s.user(t, "alice")
	malformed := *alice
	malformed.Token = "a b"
	apitest.Run(t, []apitest.Case{
		{Name: "no token", As: s.Anyone(), Do: "POST", Path: v2 + "/account/logout", Want: errcode.IdentityUnauthorized},
		{Name: "what is no token", As: &malformed, Do: "POST", Path: v2 + "/account/logout", Want: errcode.UnknownToken},
		{Name: "without a body", As: alice, Do: "POST", Path: v2 + "/account/logout", Has: []string{"{}"}},
		{Name: "once more", As: alice, Do: "POST", Path: v2 + "/account/logout", Want: errcode.UnknownToken},
		{Name: "it is gone", As: alice, Do: "GET", Path: v2 + "/account", Want: errcode.IdentityUnauthorized},
		{Name: "the other one is not", As: again, Do: "GET", Path: v2 + "/account"},
		{Name: "with a body", As: again, Do: "POST", Path: v2 + "/account/logout", Body: "{}"},
	})
}

func terms(c *config.Config) {
	c.Identity.Terms = []string{
		"terms_of_service 1.0 en https://example.org/terms-en Terms of Service",
		"terms_of_service 1.0 fr https://example.org/terms-fr Conditions",
		"privacy 2 en https://example.org/privacy Privacy Policy",
	}
}

func TestTP85_Terms(t *testing.T) {
	s := start(t, terms)
	var got map[string]map[string]map[string]any
	s.Anyone().Do(t, "GET", v2+"/terms", nil).OK(t, &got)
	service := got["policies"]["terms_of_service"]
	if french, _ := service["fr"].(map[string]any); service["version"] != "1.0" || french["url"] != "https://example.org/terms-fr" || french["name"] != "Conditions" {
		t.Errorf("got %v", got)
	}
	if got["policies"]["privacy"]["version"] != "2" {
		t.Errorf("got %v", got)
	}
	start(t).Anyone().Do(t, "GET", v2+"/terms", nil).OK(t, &got)
	if len(got["policies"]) != 0 {
		t.Errorf("without terms: got %v", got)
	}
}

func TestTP6_TP41_TP86_AcceptingTerms(t *testing.T) {
	s := start(t, terms)
	alice, bob := s.user(t, "alice"), s.user(t, "bob")
	accept := func(urls ...string) apitest.Object {
		return apitest.Object{"user_accepts": append([]string{}, urls...)}
	}
	apitest.Run(t, []apitest.Case{
		{Name: "nothing accepted", As: alice, Do: "GET", Path: v2 + "/account", Want: errcode.TermsNotSigned},
		{Name: "before parameters are looked at", As: alice, Do: "POST", Path: v2 + "/lookup", Body: "{", Want: errcode.TermsNotSigned},
		{Name: "requestToken", As: alice, Do: "POST", Path: v2 + "/validate/email/requestToken", Body: "{", Want: errcode.TermsNotSigned},
		{Name: "submitToken", As: alice, Do: "POST", Path: v2 + "/validate/email/submitToken", Body: "{", Want: errcode.TermsNotSigned},
		{Name: "unbind", As: alice, Do: "POST", Path: v2 + "/3pid/unbind", Body: "{", Want: errcode.TermsNotSigned},
		{Name: "no list", As: alice, Do: "POST", Path: v2 + "/terms", Body: apitest.Object{"user_accepts": "all"}, Want: errcode.InvalidParam},
		{Name: "no strings", As: alice, Do: "POST", Path: v2 + "/terms", Body: apitest.Object{"user_accepts": []int{1}}, Want: errcode.InvalidParam},
		{Name: "nothing", As: alice, Do: "POST", Path: v2 + "/terms", Body: "{}", Want: errcode.MissingParams},
		{Name: "without a token", As: s.Anyone(), Do: "POST", Path: v2 + "/terms", Body: accept("a"), Want: errcode.IdentityUnauthorized},
		{Name: "others", As: alice, Do: "POST", Path: v2 + "/terms", Body: accept("https://example.org/other")},
		{Name: "none", As: alice, Do: "POST", Path: v2 + "/terms", Body: accept()},
		{Name: "still not", As: alice, Do: "GET", Path: v2 + "/account", Want: errcode.TermsNotSigned},
		{Name: "one of the two, in French", As: alice, Do: "POST", Path: v2 + "/terms", Body: accept("https://example.org/terms-fr")},
		{Name: "that was one", As: alice, Do: "GET", Path: v2 + "/account", Want: errcode.TermsNotSigned},
		{Name: "the other one", As: alice, Do: "POST", Path: v2 + "/terms", Body: accept("https://example.org/privacy")},
		{Name: "that was all", As: alice, Do: "GET", Path: v2 + "/account"},
		{Name: "once more", As: alice, Do: "POST", Path: v2 + "/terms", Body: accept("https://example.org/privacy")},
		{Name: "of nobody else", As: bob, Do: "GET", Path: v2 + "/account", Want: errcode.TermsNotSigned},
		{Name: "without terms a user can sign out", As: bob, Do: "POST", Path: v2 + "/account/logout"},
	})
}
