package app_test

import (
	"bufio"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/errcode"
)

func TestMain(m *testing.M) { apitest.Main(m) }

// TestEveryRouteIsWhole holds that each row says who may call it and what it costs.
func TestEveryRouteIsWhole(t *testing.T) {
	srv := apitest.New(t)
	ops := map[string]string{}
	for _, r := range srv.App.Routes() {
		if r.Auth == "" || r.Class == "" || r.Op == "" {
			t.Errorf("%s lacks its kind of caller, class or operationId", r)
		}
		// The push rules are one piece of account data that is not stored as such.
		pushRules := strings.HasSuffix(r.Path, "/account_data/m.push_rules")
		if other, twice := ops[r.Op]; twice && !pushRules {
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

// TestEncodedSlashStaysInItsSegment: a quotation mark or a letter beyond ASCII that is
// not encoded made an encoded slash beside it part two segments, so that a state key
// was taken from the event type.
func TestEncodedSlashStaysInItsSegment(t *testing.T) {
	s := echoes(apitest.New(t).App.Routes())
	const state = "/_matrix/client/v3/rooms/!a:b/state/"
	for target, want := range map[string]string{
		state + "m.x%2Fy": "m.x/y", state + "m.x%2F%22": `m.x/"`, state + "é": "é", state + "m.x%2Fé": "", state + `m.x%2F"`: "", state + "m.x%2f|": "", `/_matrix/client/v3/profile/@a:b%2Fdisplayname"`: "",
	} {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader("GET " + target + " HTTP/1.1\r\nHost: narthex.test\r\n\r\n")))
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		var got reached
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || got.Values["eventType"] != want || (w.Code == http.StatusOK) != (want != "") {
			t.Errorf("%s: got %d %s, %v, want %q", target, w.Code, w.Body, err, want)
		}
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
