package oauth_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/oauth"
)

const (
	clientsPath     = "/oauth2/register"
	deviceGrantType = "urn:ietf:params:oauth:grant-type:device_code"
)

// element is what a client in the browser registers.
func element() object {
	return object{
		"client_name": "Element", "client_uri": "https://app.example.org/", "redirect_uris": []any{"https://app.example.org/?no_universal_links=true"},
		"application_type": "web", "response_types": []any{"code"}, "token_endpoint_auth_method": "none",
		"grant_types": []any{"authorization_code", "refresh_token", deviceGrantType},
	}
}

// registered registers a client and gives what the server keeps of it.
func registered(t *testing.T, srv *apitest.Server, metadata any) (clientID string, kept object) {
	t.Helper()
	r := srv.Anyone().Do(t, "POST", clientsPath, metadata)
	if r.Status != 201 {
		t.Fatalf("got %d %s, want 201", r.Status, r.Body)
	}
	kept = decode[object](t, r)
	clientID, _ = kept["client_id"].(string)
	if len(clientID) != 24 {
		t.Errorf("got %s, want a client_id of 24 characters", r.Body)
	}
	delete(kept, "client_id")
	return clientID, kept
}

func TestClientRegistration(t *testing.T) {
	srv := apitest.New(t)
	for name, test := range map[string]struct{ ask, kept object }{
		"OA-34 a client in the browser": {ask: element(), kept: element()},
		"OA-34 the example of the specification": {
			ask: object{
				"client_name": "My App", "client_name#fr": "Mon application", "client_uri": "https://example.com/", "logo_uri": "https://example.com/logo.png",
				"tos_uri": "https://example.com/tos.html", "tos_uri#fr": "https://example.com/fr/tos.html",
				"policy_uri": "https://example.com/policy.html", "policy_uri#fr": "https://example.com/fr/policy.html",
				"redirect_uris": []any{"https://app.example.com/callback"}, "token_endpoint_auth_method": "none", "response_types": []any{"code"},
				"grant_types":      []any{"authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:token-exchange"},
				"application_type": "web",
			},
			kept: object{
				"client_name": "My App", "client_name#fr": "Mon application", "client_uri": "https://example.com/", "logo_uri": "https://example.com/logo.png",
				"tos_uri": "https://example.com/tos.html", "tos_uri#fr": "https://example.com/fr/tos.html",
				"policy_uri": "https://example.com/policy.html", "policy_uri#fr": "https://example.com/fr/policy.html",
				"redirect_uris": []any{"https://app.example.com/callback"}, "token_endpoint_auth_method": "none", "response_types": []any{"code"},
				"grant_types":      []any{"authorization_code", "refresh_token"},
				"application_type": "web",
			},
		},
		"OA-34 a client without a browser needs no redirect_uris": {
			ask: object{"client_uri": "https://example.com", "grant_types": []any{deviceGrantType}},
			kept: object{
				"client_uri": "https://example.com", "grant_types": []any{"refresh_token", deviceGrantType}, "response_types": []any{},
				"token_endpoint_auth_method": "none", "application_type": "web",
			},
		},
		"OA-34 defaults": {
			ask: object{"client_uri": "https://example.com", "redirect_uris": []any{"https://example.com/cb", "https://example.com/cb"}, "client_name": nil},
			kept: object{
				"client_uri": "https://example.com", "redirect_uris": []any{"https://example.com/cb"}, "response_types": []any{"code"},
				"grant_types": []any{"authorization_code", "refresh_token"}, "token_endpoint_auth_method": "none", "application_type": "web",
			},
		},
		"OA-34 unknown members and values": {
			ask: with(element(), object{
				"software_id": "x", "contacts": []any{1}, "client_secret": "s", "client_id": "mine", "#": 1, "client_name#": 1, "client_name#not a tag": 1,
				"client_name#" + strings.Repeat("a", 9): 1, "software_id#fr": 1, "grant_types": []any{"implicit", "authorization_code", deviceGrantType},
				"response_types": []any{"token", "code", "id_token"},
			}),
			kept: element(),
		},
		"OA-34 a native client": {
			ask:  with(element(), object{"application_type": "native", "redirect_uris": []any{"org.example.app:/cb", "http://127.0.0.1/cb", "https://app.example.org/cb"}}),
			kept: with(element(), object{"application_type": "native", "redirect_uris": []any{"org.example.app:/cb", "http://127.0.0.1/cb", "https://app.example.org/cb"}}),
		},
		"names on one line, without what cannot be seen": {
			ask:  with(element(), object{"client_name": "\u202eEle\u200bment\n\n \u2066on\u0000 the\u00a0\u3164 web\ufeff", "client_name#fa": "\u200f\u2800", "logo_uri#fa": ""}),
			kept: with(element(), object{"client_name": "Element on the web"}),
		},
	} {
		if name == "OA-34 a native client" {
			test.ask["client_uri"], test.kept["client_uri"] = "https://example.org/", "https://example.org/"
		}
		t.Run(name, func(t *testing.T) {
			_, kept := registered(t, srv, test.ask)
			if diff := cmp.Diff(test.kept, kept); diff != "" {
				t.Errorf("registered (-want +got):\n%s", diff)
			}
		})
	}
}

func TestClientRegistrationRefused(t *testing.T) {
	srv := apitest.New(t)
	many := object{}
	for i := range 65 {
		many[fmt.Sprintf("client_name#x-%d", i)] = "x"
	}
	redirects := func(kind string, uris ...any) object {
		return with(element(), object{"client_uri": "https://example.com/", "application_type": kind, "redirect_uris": uris})
	}
	var thirtyThree []any
	for i := range 33 {
		thirtyThree = append(thirtyThree, fmt.Sprintf("https://example.com/%d", i))
	}
	for name, test := range map[string]struct {
		ask  any
		want *errcode.Code
		has  string
	}{
		"OA-34 http":                                    {redirects("web", "http://example.com/cb"), errcode.InvalidRedirectURI, "URI 1 of redirect_uris has to begin with https://"},
		"OA-34 another host":                            {redirects("web", "https://example.com/", "https://evil.example/cb"), errcode.InvalidRedirectURI, "URI 2 of redirect_uris has to be on the host of client_uri"},
		"OA-34 a fragment":                              {redirects("native", "https://example.com/#x"), errcode.InvalidRedirectURI, "fragment"},
		"OA-34 the own machine for a web client":        {redirects("web", "http://localhost/cb"), errcode.InvalidRedirectURI, ""},
		"OA-34 a port on the own machine":               {redirects("native", "http://localhost:1234/cb"), errcode.InvalidRedirectURI, "without a port"},
		"OA-34 a scheme of its own for a web client":    {redirects("web", "com.example:/cb"), errcode.InvalidRedirectURI, ""},
		"OA-34 the scheme of another one":               {redirects("native", "org.example:/cb"), errcode.InvalidRedirectURI, "such as com.example:/"},
		"OA-34 javascript":                              {redirects("native", "javascript:alert(1)"), errcode.InvalidRedirectURI, ""},
		"OA-34 none":                                    {redirects("web"), errcode.InvalidRedirectURI, "at least one URI"},
		"OA-34 too many":                                {redirects("web", thirtyThree...), errcode.InvalidRedirectURI, "more than 32"},
		"OA-34 a bad one of a client without a browser": {with(redirects("web", "data:x"), object{"grant_types": []any{deviceGrantType}}), errcode.InvalidRedirectURI, ""},

		"OA-34 no client_uri":                              {object{"redirect_uris": []any{"https://example.com/"}}, errcode.InvalidClientMetadata, "client_uri"},
		"OA-34 nothing":                                    {nil, errcode.InvalidClientMetadata, "client_uri"},
		"OA-34 client_uri over http":                       {with(element(), object{"client_uri": "http://app.example.org/"}), errcode.InvalidClientMetadata, "https://"},
		"OA-34 client_uri with a user":                     {with(element(), object{"client_uri": "https://a:b@app.example.org/"}), errcode.InvalidClientMetadata, "user name"},
		"OA-34 client_uri at an address":                   {with(element(), object{"client_uri": "https://192.0.2.1/"}), errcode.InvalidClientMetadata, "domain name"},
		"OA-34 logo elsewhere":                             {with(element(), object{"logo_uri": "https://evil.example/logo.png"}), errcode.InvalidClientMetadata, "logo_uri has to be on the host of client_uri"},
		"OA-34 terms over http":                            {with(element(), object{"tos_uri": "http://app.example.org/tos"}), errcode.InvalidClientMetadata, "tos_uri"},
		"OA-34 policy as a script":                         {with(element(), object{"policy_uri": "javascript:alert(1)"}), errcode.InvalidClientMetadata, "policy_uri"},
		"OA-34 policy elsewhere in another language":       {with(element(), object{"policy_uri#fr": "https://evil.example/"}), errcode.InvalidClientMetadata, "policy_uri#fr"},
		"OA-34 a long name":                                {with(element(), object{"client_name": strings.Repeat("é", 101)}), errcode.InvalidClientMetadata, "100 characters"},
		"OA-34 a long name in another language":            {with(element(), object{"client_name#de": strings.Repeat("é", 101)}), errcode.InvalidClientMetadata, "client_name#de"},
		"OA-34 many languages":                             {with(element(), many), errcode.InvalidClientMetadata, "more than 64"},
		"OA-34 another kind of application":                {with(element(), object{"application_type": "tv"}), errcode.InvalidClientMetadata, "application_type"},
		"OA-34 a secret":                                   {with(element(), object{"token_endpoint_auth_method": "client_secret_basic"}), errcode.InvalidClientMetadata, "token_endpoint_auth_method"},
		"OA-34 other grants":                               {with(element(), object{"grant_types": []any{"implicit"}}), errcode.InvalidClientMetadata, "grant_types"},
		"OA-34 other response types":                       {with(element(), object{"response_types": []any{"token"}}), errcode.InvalidClientMetadata, "response_types"},
		"OA-34 a name that is no text in another language": {with(element(), object{"client_name#fr": 1}), errcode.InvalidClientMetadata, "client_name#fr"},

		"malformed: not JSON":               {"{", errcode.NotJSON, ""},
		"malformed: no object":              {"[]", errcode.BadJSON, ""},
		"malformed: a form":                 {"client_uri=https://example.com/", errcode.NotJSON, ""},
		"malformed: a member twice":         {`{"client_uri":"https://example.com/","client_uri":"https://evil.example/"}`, errcode.BadJSON, ""},
		"malformed: one URI":                {with(element(), object{"redirect_uris": "https://app.example.org/"}), errcode.BadJSON, "redirect_uris"},
		"malformed: a number":               {with(element(), object{"client_name": 1}), errcode.BadJSON, "client_name"},
		"malformed: a URI that is a number": {with(element(), object{"redirect_uris": []any{1}}), errcode.BadJSON, "redirect_uris"},
		"malformed: too large":              {with(element(), object{"x": strings.Repeat("x", 64<<10)}), errcode.TooLarge, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := srv.Anyone().Do(t, "POST", clientsPath, test.ask).Fails(t, srv, test.want)
			text, _ := decode[object](t, r)["error_description"].(string)
			if !strings.Contains(text, test.has) || (test.want.OAuth != "" && strings.ContainsAny(text, "\"\\")) {
				t.Errorf("got %q, want it to say %q", text, test.has)
			}
			if test.want.OAuth == "" && !strings.Contains(string(r.Body), `"error":"invalid_client_metadata"`) {
				t.Errorf("got %s", r.Body)
			}
		})
	}
	if n := rows(t, srv, `SELECT COUNT(*) FROM oauth_clients`); n != 0 {
		t.Errorf("got %d clients, want none", n)
	}
}

func TestClientsShareAnIDAtOnce(t *testing.T) {
	srv := apitest.New(t)
	first, _ := registered(t, srv, element())
	t.Run("OA-34 the same metadata", func(t *testing.T) {
		again, _ := registered(t, srv, with(element(), object{"software_version": "2", "client_name": " Element\u200b"}))
		count, _ := atOnce(t, 8, func(int) (*apitest.Response, error) {
			return srv.Anyone().Try(t.Context(), "POST", clientsPath, element())
		})
		if again != first || count["201"] != 8 || rows(t, srv, `SELECT COUNT(*) FROM oauth_clients`) != 1 {
			t.Errorf("got %s, want %s; %v", again, first, count)
		}
	})
	t.Run("OA-34 on another server", func(t *testing.T) {
		if other, _ := registered(t, apitest.New(t), element()); other != first {
			t.Errorf("got %s, want %s", other, first)
		}
	})
	t.Run("OA-34 other metadata", func(t *testing.T) {
		seen := map[string]bool{first: true}
		for _, more := range []object{
			{"client_name": "element"}, {"client_name#fr": "Élément"}, {"logo_uri": "https://app.example.org/"}, {"tos_uri": "https://app.example.org/"},
			{"application_type": "native"}, {"grant_types": []any{"authorization_code"}}, {"redirect_uris": []any{"https://app.example.org/"}},
		} {
			clientID, _ := registered(t, srv, with(element(), more))
			if seen[clientID] {
				t.Errorf("with %v: the ID %s is in use", more, clientID)
			}
			seen[clientID] = true
		}
	})
}

func TestClientsUnderDevelopment(t *testing.T) {
	local := with(element(), object{"client_uri": "http://localhost:8080/", "redirect_uris": []any{"http://localhost:8080/"}})
	registered(t, apitest.New(t), local)
	if _, kept := registered(t, apitest.New(t), local); kept["client_uri"] != "http://localhost:8080/" {
		t.Errorf("got %v", kept)
	}
	srv := apitest.New(t, func(c *config.Config) { c.Dev = false })
	srv.Anyone().Do(t, "POST", clientsPath, local).Fails(t, srv, errcode.InvalidClientMetadata)
}

func TestClientsAreFound(t *testing.T) {
	srv := apitest.New(t)
	find := func(clientID string) (c oauth.Client, err error) {
		err = srv.App.DB.Read(t.Context(), func(tx *db.Tx) error {
			c, err = oauth.FindClient(tx, clientID)
			return err
		})
		return c, err
	}
	clientID, _ := registered(t, srv, with(element(), object{"client_name#fr": "Élément", "logo_uri": "https://app.example.org/logo"}))
	got, err := find(clientID)
	want := oauth.Client{
		ID: clientID, Name: "Element", URI: "https://app.example.org/", LogoURI: "https://app.example.org/logo", ApplicationType: "web",
		RedirectURIs: []string{"https://app.example.org/?no_universal_links=true"},
		GrantTypes:   []string{"authorization_code", "refresh_token", deviceGrantType},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v, (-want +got):\n%s", err, diff)
	}
	if !got.Allows(deviceGrantType) || got.Allows("implicit") || got.Allows("") {
		t.Errorf("got %+v", got)
	}
	nameless, _ := registered(t, srv, object{"client_uri": "https://App.example.org:8443/", "grant_types": []any{deviceGrantType}})
	if c, err := find(nameless); err != nil || c.Name != "App.example.org" || c.Allows("authorization_code") {
		t.Errorf("got %+v, %v", c, err)
	}
	for _, unknown := range []string{"", "unknown", strings.ToLower(clientID) + "x"} {
		if c, err := find(unknown); !errors.Is(err, db.ErrNoRow) {
			t.Errorf("%q: got %+v, %v", unknown, c, err)
		}
	}
}

func TestClientsAreForgotten(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	const day = 24 * time.Hour
	makes := func(name string) string {
		clientID, _ := registered(t, srv, with(element(), object{"client_name": name}))
		return clientID
	}
	use := func(clientID string) {
		t.Helper()
		write(t, srv, func(tx *db.Tx) error { return oauth.UseClient(tx, clientID) })
	}
	kept := func(after time.Duration, clientIDs ...string) {
		t.Helper()
		srv.Advance(after)
		srv.RunJobs(t)
		for _, clientID := range clientIDs {
			if n := rows(t, srv, `SELECT COUNT(*) FROM oauth_clients WHERE client_id = $1`, clientID); n != 1 {
				t.Errorf("the client %s is gone", clientID)
			}
		}
		if n := rows(t, srv, `SELECT COUNT(*) FROM oauth_clients`); n != int64(len(clientIDs)) {
			t.Errorf("got %d clients, want %d", n, len(clientIDs))
		}
	}
	makes("never used")
	again, used, signedIn := makes("registered again"), makes("used"), makes("signed in")
	use(used)
	use(signedIn)
	use("unknown")
	write(t, srv, func(tx *db.Tx) error {
		_, err := tx.Exec(`INSERT INTO oauth_sessions (user_id, device_id, client_id, scope, created_ts, code_hash) VALUES ($1, $2, $3, $4, $5, $6)`,
			alice.UserID, alice.DeviceID, signedIn, "", tx.Now.UnixMilli(), []byte("x"))
		return err
	})
	srv.Advance(day / 2)
	makes("registered again")
	use(used) // so soon, it is not noted
	kept(day/2, again, used, signedIn)
	kept(day/2, used, signedIn)
	use(used)
	registered(t, srv, with(element(), object{"client_name": "used"})) // does not shorten its life
	kept(90*day-day/4, used, signedIn)
	kept(day/2, signedIn)
	write(t, srv, func(tx *db.Tx) error {
		_, err := tx.Exec(`DELETE FROM oauth_sessions`)
		return err
	})
	kept(day)
}
