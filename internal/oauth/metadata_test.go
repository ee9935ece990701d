package oauth_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/errcode"
)

var (
	metadataPaths = []string{
		"/_matrix/client/v1/auth_metadata", "/_matrix/client/unstable/org.matrix.msc2965/auth_metadata",
		"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server",
	}
	issuerPaths = []string{"/_matrix/client/v1/auth_issuer", "/_matrix/client/unstable/org.matrix.msc2965/auth_issuer"}
)

func TestMetadata(t *testing.T) {
	srv := apitest.New(t, func(c *config.Config) { c.PublicURL = "https://matrix.example.org" })
	const issuer = "https://matrix.example.org/"
	first := srv.Anyone().Do(t, "GET", metadataPaths[0], nil).OK(t, nil)

	t.Run("OA-0 OA-1 members", func(t *testing.T) {
		want := object{
			"issuer":                        issuer,
			"authorization_endpoint":        issuer + "oauth2/authorize",
			"token_endpoint":                issuer + "oauth2/token",
			"revocation_endpoint":           issuer + "oauth2/revoke",
			"registration_endpoint":         issuer + "oauth2/register",
			"device_authorization_endpoint": issuer + "oauth2/device",
			"account_management_uri":        issuer + "account",

			"response_types_supported":                       []any{"code"},
			"response_modes_supported":                       []any{"query", "fragment"},
			"grant_types_supported":                          []any{"authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"},
			"code_challenge_methods_supported":               []any{"S256"},
			"token_endpoint_auth_methods_supported":          []any{"none"},
			"revocation_endpoint_auth_methods_supported":     []any{"none"},
			"scopes_supported":                               []any{"urn:matrix:client:api:*", "urn:matrix:org.matrix.msc2967.client:api:*"},
			"prompt_values_supported":                        []any{"create"},
			"authorization_response_iss_parameter_supported": true,
			"account_management_actions_supported": []any{
				"org.matrix.profile", "org.matrix.devices_list", "org.matrix.device_view", "org.matrix.device_delete",
				"org.matrix.account_deactivate", "org.matrix.cross_signing_reset",
				"profile", "sessions_list", "session_view", "session_end",
				"org.matrix.sessions_list", "org.matrix.session_view", "org.matrix.session_end",
			},
		}
		if diff := cmp.Diff(want, decode[object](t, first)); diff != "" {
			t.Errorf("metadata (-want +got):\n%s", diff)
		}
	})
	t.Run("LG-5 one answer under every path", func(t *testing.T) {
		for _, path := range metadataPaths {
			if r := srv.Anyone().Do(t, "GET", path, nil); r.Status != 200 || !bytes.Equal(r.Body, first.Body) {
				t.Errorf("%s: got %d %s, want %s", path, r.Status, r.Body, first.Body)
			}
		}
		for _, path := range issuerPaths {
			if r := srv.Anyone().Do(t, "GET", path, nil); r.Status != 200 || string(r.Body) != `{"issuer":"`+issuer+`"}` {
				t.Errorf("%s: got %d %s", path, r.Status, r.Body)
			}
		}
	})
	t.Run("LG-5 whoever asks", func(t *testing.T) {
		as(srv, "nobody's").Do(t, "GET", metadataPaths[0], nil).OK(t, nil)
		srv.Anyone().Do(t, "POST", metadataPaths[0], object{}).Fails(t, srv, errcode.WrongMethod)
		srv.Anyone().Do(t, "GET", metadataPaths[0]+"/x", nil).Fails(t, srv, errcode.Unrecognized)
	})
}

func TestMetadataAsConfigured(t *testing.T) {
	t.Run("OA-1 introspection, and no registration", func(t *testing.T) {
		srv := apitest.New(t, func(c *config.Config) {
			c.OAuth.IntrospectionSecret = "of my other services"
			c.Registration.Enabled = false
			c.PublicURL = "https://example.org/matrix/"
		})
		r := srv.Anyone().Do(t, "GET", metadataPaths[0], nil).OK(t, nil)
		m := decode[object](t, r)
		if m["issuer"] != "https://example.org/matrix/" || m["introspection_endpoint"] != "https://example.org/matrix/oauth2/introspect" ||
			!cmp.Equal(m["introspection_endpoint_auth_methods_supported"], []any{"client_secret_post"}) {
			t.Errorf("got %s", r.Body)
		}
		if m["prompt_values_supported"] != nil || strings.Contains(string(r.Body), "of my other services") {
			t.Errorf("got %s", r.Body)
		}
	})
	t.Run("LG-5 OAuth is off", func(t *testing.T) {
		srv := apitest.New(t, func(c *config.Config) { c.OAuth.Enabled = false })
		for _, path := range append(metadataPaths, issuerPaths...) {
			srv.Anyone().Do(t, "GET", path, nil).Fails(t, srv, errcode.Unrecognized)
		}
		srv.Anyone().Do(t, "POST", clientsPath, element()).Fails(t, srv, errcode.Unrecognized)
		srv.Anyone().Do(t, "GET", loginPath, nil).OK(t, nil)
	})
}
