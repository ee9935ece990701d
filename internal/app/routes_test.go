package app_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
)

func TestMain(m *testing.M) { apitest.Main(m) }

// sample is a path of the route with something valid in each place.
func sample(r httpapi.Route) string {
	var out []string
	for segment := range strings.SplitSeq(r.Path, "/") {
		if strings.HasPrefix(segment, "{") {
			switch segment {
			case "{roomId}":
				segment = "!unknown:narthex.test"
			case "{userId}":
				segment = "@nobody:narthex.test"
			case "{eventId}", "{parentId}", "{threadRootEventId}":
				segment = "$unknown"
			case "{roomAlias}":
				segment = "%23unknown:narthex.test"
			case "{roomIdOrAlias}":
				segment = "!unknown:narthex.test"
			case "{$}":
				segment = ""
			default:
				segment = "x"
			}
		}
		out = append(out, segment)
	}
	return strings.Join(out, "/")
}

// TestImpliedCodes provokes, on every route, what its kind of caller implies.
func TestImpliedCodes(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	for _, r := range srv.App.Routes() {
		if r.Auth != httpapi.User && r.Auth != httpapi.Admin {
			continue
		}
		path := sample(r)
		srv.Anyone().Do(t, r.Method, path, nil).Fails(t, srv, errcode.MissingToken)
		wrong := *alice
		wrong.Token = alice.Token[:len(alice.Token)-1] + "_"
		wrong.Do(t, r.Method, path, nil).Fails(t, srv, errcode.UnknownToken)
		if r.Auth == httpapi.Admin {
			alice.Do(t, r.Method, path, nil).Fails(t, srv, errcode.Forbidden)
		}
	}
}

// TestEveryRouteIsWhole holds that each row says who may call it and what it costs.
func TestEveryRouteIsWhole(t *testing.T) {
	srv := apitest.New(t)
	ops := map[string]string{}
	for _, r := range srv.App.Routes() {
		if r.Auth == "" || r.Class == "" || r.Op == "" {
			t.Errorf("%s lacks its kind of caller, class or operationId", r)
		}
		if other, twice := ops[r.Op]; twice {
			t.Errorf("%s has the operationId of %s", r, other)
		}
		ops[r.Op] = r.String()
	}
}

func TestEC2_UnknownPathsAndMethods(t *testing.T) {
	srv := apitest.New(t)
	for _, path := range []string{"/", "/_matrix", "/_matrix/client/v3/nothing", "/_matrix/client/v3//account/whoami", "/_matrix/client/v3/x/../account/whoami", "/_matrix/client/v3/account/whoami/"} {
		r := srv.Anyone().Do(t, "GET", path, nil).Fails(t, srv, errcode.Unrecognized)
		if r.Header.Get("Access-Control-Allow-Origin") != "*" || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: headers %v", path, r.Header)
		}
	}
	r := srv.Anyone().Do(t, "DELETE", "/_matrix/client/v3/account/whoami", nil).Fails(t, srv, errcode.WrongMethod)
	if got := r.Header.Get("Allow"); got != "GET, OPTIONS" {
		t.Errorf("Allow: got %q", got)
	}
	if r := srv.Anyone().Do(t, "OPTIONS", "/_matrix/client/v3/account/whoami", nil); r.Status != http.StatusOK || r.Header.Get("Access-Control-Allow-Methods") == "" {
		t.Errorf("OPTIONS: got %d %v", r.Status, r.Header)
	}
}

func TestAccessTokenForms(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	const path = "/_matrix/client/v3/account/whoami"
	alice.Do(t, "GET", path, nil).OK(t, nil)
	alice.Do(t, "GET", "/_matrix/client/r0/account/whoami", nil).OK(t, nil)
	alice.Do(t, "GET", path+"?access_token="+alice.Token, nil).Fails(t, srv, errcode.UnknownToken)
	srv.Anyone().Do(t, "GET", path+"?access_token="+alice.Token, nil).OK(t, nil)
	srv.Anyone().Do(t, "GET", path+"?access_token=", nil).Fails(t, srv, errcode.MissingToken)
}

func TestEC3_RateLimit(t *testing.T) {
	srv := apitest.New(t, func(c *config.Config) {
		c.Dev = false
		c.RateLimits.Enabled = true
		c.RateLimits.Cheap = config.Rate{PerSecond: 0.1, Burst: 2}
	})
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	const path = "/_matrix/client/v3/account/whoami"
	alice.Do(t, "GET", path, nil).OK(t, nil)
	alice.Do(t, "GET", path, nil).OK(t, nil)
	r := alice.Do(t, "GET", path, nil).Fails(t, srv, errcode.LimitExceeded)
	if got := r.Header.Get("Retry-After"); got != "10" {
		t.Errorf("Retry-After: got %q, want 10", got)
	}
	bob.Do(t, "GET", path, nil).OK(t, nil)
	srv.Advance(11 * time.Second)
	alice.Do(t, "GET", path, nil).OK(t, nil)
}
