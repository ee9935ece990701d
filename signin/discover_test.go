package signin_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/narthex-matrix/narthex/signin"
)

func TestDiscoverByServerName(t *testing.T) {
	w := homeserver(nil)
	h, err := w.client().Discover(t.Context(), " example.org ")
	if err != nil {
		t.Fatal(err)
	}
	if h.BaseURL != home || !slices.Equal(h.Versions, []string{"v1.11", "v1.15"}) || !h.Features["org.matrix.msc4108"] || h.Unstable {
		t.Errorf("found %+v", h)
	}
	if h.Metadata.TokenEndpoint != auth+"/token" || !h.Metadata.HasDeviceGrant() {
		t.Errorf("metadata: %+v", h.Metadata)
	}
	wantRequests(t, w, "GET https://example.org/.well-known/matrix/client",
		"GET "+home+"/_matrix/client/versions", "GET "+home+"/_matrix/client/v1/auth_metadata")
}

func TestWhatPeopleType(t *testing.T) {
	wellKnown := func(base string) page { return page{body: `{"m.homeserver":{"base_url":"` + base + `"}}`} }
	for name, c := range map[string]struct {
		typed string
		web   *web
		base  string // "" for an error
		step  string
	}{
		"base URL": {home + "/", homeserver(nil), home, ""},
		"name as URL": {"https://example.org", homeserver(nil).
			on("GET https://example.org/_matrix/client/versions", page{status: 404, body: "<html>"}), home, ""},
		"no well-known": {"example.org", homeserver(nil).on("GET https://example.org/.well-known/matrix/client", page{status: 404}).
			on("GET https://example.org/_matrix/client/versions", versions), "https://example.org", ""},
		"name with port": {"example.org:8448", homeserver(nil), home, ""},
		"only at its port": {"example.net:8448", newWeb().on("GET https://example.net:8448/_matrix/client/versions", versions),
			"https://example.net:8448", ""},
		"loopback": {"localhost:8008", newWeb().on("GET http://localhost:8008/.well-known/matrix/client", wellKnown("http://127.0.0.1:8008")).
			on("GET http://127.0.0.1:8008/_matrix/client/versions", versions), "http://127.0.0.1:8008", ""},
		"IPv6": {"[2001:db8::1]:8448", newWeb().on("GET https://[2001:db8::1]/.well-known/matrix/client", wellKnown(home)).
			on("GET "+home+"/_matrix/client/versions", versions), home, ""},
		"base URL with a path": {"https://example.org/matrix/", newWeb().on("GET https://example.org/matrix/_matrix/client/versions", versions),
			"https://example.org/matrix", ""},

		"nothing":          {"", newWeb(), "", "server name"},
		"a user ID":        {"@alice:example.org", newWeb(), "", "server name"},
		"words":            {"my server", newWeb(), "", "server name"},
		"http":             {"http://example.org", newWeb(), "", "server name"},
		"no host":          {"https://", newWeb(), "", "server name"},
		"unreachable":      {"example.net", newWeb(), "", "well-known"},
		"well-known 500":   {"example.org", newWeb().on("GET https://example.org/.well-known/matrix/client", page{status: 500}), "", "well-known"},
		"well-known empty": {"example.org", newWeb().on("GET https://example.org/.well-known/matrix/client", page{}), "", "well-known"},
		"well-known lacks": {"example.org", newWeb().on("GET https://example.org/.well-known/matrix/client", page{body: `{"m.homeserver":{}}`}), "", "well-known"},
		"well-known type":  {"example.org", newWeb().on("GET https://example.org/.well-known/matrix/client", page{body: `{"m.homeserver":"x"}`}), "", "well-known"},
		"well-known http":  {"example.org", newWeb().on("GET https://example.org/.well-known/matrix/client", wellKnown("http://example.org")), "", "well-known"},
		"well-known to this machine": {"example.org", newWeb().on("GET https://example.org/.well-known/matrix/client", wellKnown("http://127.0.0.1:8008")),
			"", "well-known"},
		"no homeserver":        {home, newWeb(), "", "versions"},
		"versions not JSON":    {home, newWeb().on("GET "+home+"/_matrix/client/versions", page{body: "<html>"}), "", "versions"},
		"no versions":          {home, newWeb().on("GET "+home+"/_matrix/client/versions", page{body: "{}"}), "", "versions"},
		"versions of 300 KB":   {home, newWeb().on("GET "+home+"/_matrix/client/versions", page{body: strings.Repeat(" ", 300<<10)}), "", "versions"},
		"well-known downgrade": {"example.org", newWeb().on("GET https://example.org/.well-known/matrix/client", page{status: 302, header: http.Header{"Location": {"http://example.org/x"}}}), "", "well-known"},
	} {
		t.Run(name, func(t *testing.T) {
			h, err := c.web.client().Find(t.Context(), c.typed)
			if c.base != "" {
				if err != nil || h.BaseURL != c.base {
					t.Errorf("found %+v, %v", h, err)
				}
				return
			}
			var failure *signin.DiscoveryError
			if !errors.As(err, &failure) || failure.Step != c.step {
				t.Errorf("got %v, want a failure at %s", err, c.step)
			}
		})
	}
}

func TestRedirectsOfTheWellKnownFileAreFollowed(t *testing.T) {
	w := homeserver(nil)
	w.on("GET https://www.example.org/file", w.pages["GET https://example.org/.well-known/matrix/client"]...)
	w.on("GET https://example.org/.well-known/matrix/client", page{status: 301, header: http.Header{"Location": {"https://www.example.org/file"}}})
	if h := discovered(t, w); h.BaseURL != home {
		t.Errorf("found %q", h.BaseURL)
	}
	w.on("GET https://example.org/.well-known/matrix/client", page{status: 301, header: http.Header{"Location": {"/.well-known/matrix/client"}}})
	if _, err := w.client().Find(t.Context(), "example.org"); err == nil || !strings.Contains(err.Error(), "circles") {
		t.Errorf("a circle: %v", err)
	}
}

func TestMetadataOfThreeAges(t *testing.T) {
	msc2965 := "GET " + home + "/_matrix/client/unstable/org.matrix.msc2965/auth_metadata"
	issuer := "GET " + home + "/_matrix/client/v1/auth_issuer"
	unstableIssuer := "GET " + home + "/_matrix/client/unstable/org.matrix.msc2965/auth_issuer"
	openID := "GET " + auth + "/.well-known/openid-configuration"
	named := page{body: `{"issuer":"` + auth + `/"}`}
	old := func() *web {
		w := homeserver(nil)
		for _, path := range []string{"GET " + home + "/_matrix/client/v1/auth_metadata", msc2965, issuer, unstableIssuer} {
			w.on(path, missing)
		}
		return w
	}
	for name, w := range map[string]*web{
		"MSC2965":              old().on(msc2965, metadata(nil)),
		"issuer":               old().on(issuer, named).on(openID, metadata(nil)),
		"unstable issuer":      old().on(unstableIssuer, named).on(openID, metadata(nil)),
		"405 before":           old().on(issuer, page{status: 405}).on(unstableIssuer, named).on(openID, metadata(nil)),
		"400 M_UNRECOGNIZED":   old().on(issuer, page{status: 400, body: missing.body}).on(unstableIssuer, named).on(openID, metadata(nil)),
		"404 without any body": old().on(msc2965, page{status: 404}).on(issuer, named).on(openID, metadata(nil)),
	} {
		t.Run(name, func(t *testing.T) {
			h, err := w.client().Discover(t.Context(), "example.org")
			if err != nil {
				t.Fatal(err)
			}
			if h.Metadata.Issuer != auth+"/" || !h.Unstable || h.Scope(device) != signin.UnstableScope(device) {
				t.Errorf("found %+v", h)
			}
		})
	}
	for name, c := range map[string]struct {
		w       *web
		noOAuth bool
	}{
		"none":           {old(), true},
		"busy":           {old().on(msc2965, page{status: 503}), false},
		"forbidden":      {old().on(msc2965, page{status: 403, body: `{"errcode":"M_FORBIDDEN"}`}), false},
		"no issuer":      {old().on(issuer, page{body: "{}"}), false},
		"http issuer":    {old().on(issuer, page{body: `{"issuer":"http://auth.example.org/"}`}), false},
		"issuer is 404":  {old().on(issuer, named).on(openID, missing), false},
		"another issuer": {old().on(issuer, named).on(openID, metadata(map[string]any{"issuer": "https://evil.example.org/"})), false},
		"not JSON":       {old().on(msc2965, page{body: "<html>"}), false},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.w.client().Discover(t.Context(), "example.org")
			var failure *signin.DiscoveryError
			if !errors.As(err, &failure) || errors.Is(err, signin.ErrNoOAuth) != c.noOAuth {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestMetadataSayWhatTheyLack(t *testing.T) {
	for name, c := range map[string]struct {
		changes map[string]any
		want    []string
	}{
		"everything": {map[string]any{"issuer": nil, "authorization_endpoint": nil, "token_endpoint": nil, "revocation_endpoint": nil,
			"registration_endpoint": nil, "response_types_supported": nil, "response_modes_supported": nil, "grant_types_supported": nil,
			"code_challenge_methods_supported": nil},
			[]string{"issuer is missing", "authorization_endpoint is missing", "token_endpoint is missing", "revocation_endpoint is missing",
				"registration_endpoint is missing", `response_types_supported lacks "code"`, `response_modes_supported lacks "query"`,
				`response_modes_supported lacks "fragment"`, `grant_types_supported lacks "authorization_code"`,
				`grant_types_supported lacks "refresh_token"`, `code_challenge_methods_supported lacks "S256"`}},
		"http":                {map[string]any{"token_endpoint": "http://auth.example.org/token"}, []string{`token_endpoint: "http://auth.example.org/token" is not an https URL`}},
		"http to loopback":    {map[string]any{"token_endpoint": "http://localhost/token"}, []string{`token_endpoint: "http://localhost/token" is not an https URL`}},
		"relative":            {map[string]any{"device_authorization_endpoint": "/device"}, []string{`device_authorization_endpoint: "/device" is not an absolute URL`}},
		"issuer with query":   {map[string]any{"issuer": "https://auth.example.org/?a=b"}, []string{"issuer has a query"}},
		"issuer and fragment": {map[string]any{"issuer": "https://auth.example.org/#a"}, []string{`issuer: "https://auth.example.org/#a" has a fragment`}},
		"a user name":         {map[string]any{"revocation_endpoint": "https://a:b@auth.example.org/"}, []string{`revocation_endpoint: "https://a:xxxxx@auth.example.org/" contains a user name`}},
		"control characters":  {map[string]any{"issuer": "x\x1b[2J"}, []string{`issuer: "x [2J" is not an absolute URL`}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := homeserver(c.changes).client().Discover(t.Context(), "example.org")
			var lacks *signin.MetadataError
			if !errors.As(err, &lacks) {
				t.Fatalf("got %v, want a MetadataError", err)
			}
			if diff := cmp.Diff(c.want, lacks.Problems); diff != "" {
				t.Error(diff)
			}
		})
	}
	_, err := homeserver(map[string]any{"grant_types_supported": "code"}).client().Discover(t.Context(), "example.org")
	wantAnswer(t, err, "has grant_types_supported of the wrong type")
}

func TestScopes(t *testing.T) {
	for _, scope := range []string{signin.Scope(device), signin.UnstableScope(device), "openid " + signin.Scope(device)} {
		if got, err := signin.ScopeDevice(scope); err != nil || got != device {
			t.Errorf("ScopeDevice(%q) = %q, %v", scope, got, err)
		}
	}
	for _, scope := range []string{"", "openid", signin.Scope(""), signin.Scope(device) + " " + signin.Scope("OTHERDEVICE"), signin.Scope(`A"B`), signin.Scope(`A\B`), signin.Scope("Ä")} {
		if got, err := signin.ScopeDevice(scope); err == nil {
			t.Errorf("ScopeDevice(%q) = %q", scope, got)
		}
	}
	if h := discovered(t, homeserver(nil)); h.Scope(device) != "urn:matrix:client:api:* urn:matrix:client:device:"+device {
		t.Errorf("Scope: %q", h.Scope(device))
	}
	seen := map[string]bool{}
	for range 100 {
		id := signin.NewDeviceID()
		if len(id) < 10 || seen[id] || strings.Trim(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") != "" {
			t.Errorf("NewDeviceID() = %q", id)
		}
		seen[id] = true
	}
}
