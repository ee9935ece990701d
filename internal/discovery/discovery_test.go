package discovery_test

import (
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/errcode"
)

func TestMain(m *testing.M) { apitest.Main(m) }

func TestDiscovery(t *testing.T) {
	srv := apitest.New(t)
	alice, anyone := srv.User(t, "alice"), srv.Anyone()
	apitest.Run(t, []apitest.Case{
		{Name: "versions", As: anyone, Do: "GET", Path: "/_matrix/client/versions", Has: []string{`"v1.1"`, `"v1.10"`, `"unstable_features":{`}, HasNot: []string{`"v1.11"`, "false"}},
		{Name: "versions of a stranger", As: &apitest.Client{Server: srv, Token: "nobody's"}, Do: "GET", Path: "/_matrix/client/versions"},
		{Name: "well-known for clients", As: anyone, Do: "GET", Path: "/.well-known/matrix/client", Has: []string{
			`{"m.homeserver":{"base_url":"` + srv.URL + `"},"org.matrix.msc2965.authentication":{"issuer":"` + srv.URL + `/","account":"` + srv.URL + `/account"}}`,
		}},
		{Name: "well-known for servers, unset", As: anyone, Do: "GET", Path: "/.well-known/matrix/server", Want: errcode.NotFound},
		{Name: "support, unset", As: anyone, Do: "GET", Path: "/.well-known/matrix/support", Want: errcode.NotFound},
		{Name: "capabilities", As: alice, Do: "GET", Path: "/_matrix/client/v3/capabilities", Has: []string{
			`"m.room_versions":{"default":"12"`, `"1":"stable"`, `"12":"stable"`, `"m.change_password":{"enabled":true}`, `"m.3pid_changes":{"enabled":true}`, `"m.profile_fields":{"enabled":true}`,
		}, HasNot: []string{"m.account_moderation"}},
		{Name: "capabilities of an administrator", As: srv.Administrator(t, "root"), Do: "GET", Path: "/_matrix/client/v3/capabilities", Has: []string{
			`"m.account_moderation":{"suspend":true,"lock":true}`,
		}},
		{Name: "capabilities of nobody", As: anyone, Do: "GET", Path: "/_matrix/client/v3/capabilities", Want: errcode.MissingToken},
		{Name: "no TURN server", As: alice, Do: "GET", Path: "/_matrix/client/v3/voip/turnServer", Has: []string{`{}`}},
		{Name: "TURN server of nobody", As: anyone, Do: "GET", Path: "/_matrix/client/v3/voip/turnServer", Want: errcode.MissingToken},
		{Name: "no protocols", As: alice, Do: "GET", Path: "/_matrix/client/v3/thirdparty/protocols", Has: []string{`{}`}},
		{Name: "what there is not", As: alice, Do: "GET", Path: "/_matrix/client/unstable/org.matrix.msc4143/rtc/transports", Want: errcode.Unrecognized},
		{Name: "dehydrated devices", As: alice, Do: "GET", Path: "/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device", Want: errcode.Unrecognized},
	})
}

func TestDiscoveryAsConfigured(t *testing.T) {
	srv := apitest.New(t, func(c *config.Config) {
		c.WellKnown.ClientBaseURL, c.WellKnown.Server = "https://matrix.example.org/", "matrix.example.org:443"
		c.Support.AdminContactEmail, c.Support.Page = "admin@example.org", "https://example.org/help"
		c.Rooms.DefaultVersion = "11"
		c.OAuth.Enabled = false
	})
	alice, anyone := srv.User(t, "alice"), srv.Anyone()
	apitest.Run(t, []apitest.Case{
		{Name: "client", As: anyone, Do: "GET", Path: "/.well-known/matrix/client", Has: []string{`{"m.homeserver":{"base_url":"https://matrix.example.org"}}`}},
		{Name: "server", As: anyone, Do: "GET", Path: "/.well-known/matrix/server", Has: []string{`{"m.server":"matrix.example.org:443"}`}},
		{Name: "support", As: anyone, Do: "GET", Path: "/.well-known/matrix/support", Has: []string{`"role":"m.role.admin"`, `"email_address":"admin@example.org"`, `"support_page":"https://example.org/help"`}, HasNot: []string{"matrix_id"}},
		{Name: "room version", As: alice, Do: "GET", Path: "/_matrix/client/v3/capabilities", Has: []string{`"default":"11"`}},
	})
}

// TestTP71_CapabilityToChangeAddresses holds that clients are told when they cannot
// change addresses: because the administrator or the kind of session forbids it, or
// because no message can be sent.
func TestTP71_CapabilityToChangeAddresses(t *testing.T) {
	const path, no = "/_matrix/client/v3/capabilities", `"m.3pid_changes":{"enabled":false}`
	open := apitest.New(t)
	alice := open.User(t, "alice")
	closed := apitest.New(t, func(cfg *config.Config) { cfg.Threepid.AllowChanges = false })
	mute := apitest.New(t, func(cfg *config.Config) { cfg.Dev = false })
	apitest.Run(t, []apitest.Case{
		{Name: "allowed", As: alice, Do: "GET", Path: path, HasNot: []string{no}},
		{Name: "a session of OAuth 2.0", As: open.OAuthDevice(t, alice.UserID, "PHONE_OF_ALICE"), Do: "GET", Path: path, Has: []string{no}},
		{Name: "not allowed", As: closed.User(t, "alice"), Do: "GET", Path: path, Has: []string{no}},
		{Name: "no way to send messages", As: mute.User(t, "alice"), Do: "GET", Path: path, Has: []string{no}},
	})
}
