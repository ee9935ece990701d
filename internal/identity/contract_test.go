package identity_test

import (
	"strings"
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
)

// own are the routes of the service.
func (s service) own() (routes []httpapi.Route) {
	for _, r := range s.App.Routes() {
		if strings.HasPrefix(r.Path, "/_matrix/identity/") {
			routes = append(routes, r)
		}
	}
	return routes
}

func sample(r httpapi.Route) string { return strings.ReplaceAll(r.Path, "{keyId}", "ed25519:x") }

func TestTP5_TP6_EveryRouteAsksForTheTokenAndTheTerms(t *testing.T) {
	s := start(t, terms)
	alice, homeserver := s.user(t, "alice"), s.User(t, "alice")
	routes := s.own()
	if len(routes) != 23 {
		t.Errorf("%d routes, want 23", len(routes))
	}
	for _, r := range routes {
		if r.Auth != httpapi.IdentityUser {
			continue
		}
		s.Anyone().Do(t, r.Method, sample(r), nil).Fails(t, s.Server, errcode.IdentityUnauthorized)
		homeserver.Do(t, r.Method, sample(r), nil).Fails(t, s.Server, errcode.IdentityUnauthorized)
		if !r.BeforeTerms {
			alice.Do(t, r.Method, sample(r), nil).Fails(t, s.Server, errcode.TermsNotSigned)
		}
	}
}

func TestTP7_EveryBodyIsAnObject(t *testing.T) {
	s := start(t)
	alice := s.user(t, "alice")
	for _, r := range s.own() {
		if r.Method != "POST" || strings.HasSuffix(r.Path, "/logout") {
			continue
		}
		alice.Do(t, r.Method, sample(r), "{").Fails(t, s.Server, errcode.NotJSON)
		alice.Do(t, r.Method, sample(r), "[]").Fails(t, s.Server, errcode.BadJSON)
		alice.Do(t, r.Method, sample(r), "{}").Fails(t, s.Server, errcode.MissingParams)
		alice.Do(t, r.Method, sample(r), `{"a":"`+strings.Repeat("a", 5<<20)+`"}`).Fails(t, s.Server, errcode.TooLarge)
	}
}

func TestTP10_TP48_EveryRouteIsLimited(t *testing.T) {
	s := start(t, func(c *config.Config) {
		slow := config.Rate{PerSecond: 0.001, Burst: 1}
		c.Dev = false
		c.RateLimits = config.RateLimits{Enabled: true, Cheap: slow, Sending: slow, Login: slow, Registration: slow, Validation: slow, Expensive: slow}
	})
	alice := s.user(t, "alice")
	type spent struct {
		class httpapi.Class
		as    *apitest.Client
	}
	anyone := s.Anyone()
	seen := map[spent]bool{{httpapi.Login, anyone}: true} // by registering
	for _, r := range s.own() {
		if r.Class == httpapi.Unlimited {
			continue
		}
		as := anyone
		if r.Auth == httpapi.IdentityUser {
			as = alice
		}
		if !seen[spent{r.Class, as}] {
			seen[spent{r.Class, as}] = true
			as.Do(t, r.Method, sample(r), nil)
		}
		answer := as.Do(t, r.Method, sample(r), nil).Fails(t, s.Server, errcode.LimitExceeded)
		if after := answer.Header.Get("Retry-After"); after == "" || after == "0" {
			t.Errorf("%s: Retry-After is %q", r, after)
		}
	}
}

func TestEveryParameterIsText(t *testing.T) {
	s := start(t)
	alice := s.user(t, "alice")
	for _, path := range []string{"/pubkey/%00", "/pubkey/isvalid?public_key=%00", "/pubkey/ephemeral/isvalid?public_key=%ff", "/3pid/getValidated3pid?sid=%00&client_secret=a"} {
		alice.Do(t, "GET", v2+path, nil).Fails(t, s.Server, errcode.InvalidParam)
	}
}

func TestWellKnownNamesTheService(t *testing.T) {
	s := start(t)
	r := s.Anyone().Do(t, "GET", "/.well-known/matrix/client", nil).OK(t, nil)
	if !strings.Contains(string(r.Body), `"m.identity_server":{"base_url":"`+s.URL+`"}`) {
		t.Errorf("got %s", r.Body)
	}
}
