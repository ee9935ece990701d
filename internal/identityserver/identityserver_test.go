package identityserver_test

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/event"
	"github.com/narthex-matrix/narthex/internal/identityserver"
	"github.com/narthex-matrix/narthex/internal/outbound"
	"github.com/narthex-matrix/narthex/internal/validation"
)

// asked is a request that an identity server got.
type asked struct {
	method, uri, authorization, body string
}

// script is an identity server that answers by path.
type script struct {
	answers map[string]string // "status body"; gone after the first request if there are others behind "|"
	got     []asked
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.got = append(s.got, asked{r.Method, r.RequestURI, r.Header.Get("Authorization"), string(body)})
	answer, later, more := strings.Cut(s.answers[strings.TrimPrefix(r.URL.Path, "/_matrix/identity/v2")], "|")
	if more {
		s.answers[strings.TrimPrefix(r.URL.Path, "/_matrix/identity/v2")] = later
	}
	status, text, _ := strings.Cut(answer, " ")
	if status != "200" {
		w.WriteHeader(http.StatusBadRequest)
	}
	_, _ = io.WriteString(w, text)
}

// servers are an identity server over TLS and the own one, which follow scripts.
type servers struct {
	*identityserver.Service
	front   *apitest.Front
	foreign *script
	own     *script
}

func start(t *testing.T) servers {
	t.Helper()
	s := servers{front: apitest.NewFront(t), foreign: &script{}, own: &script{}}
	s.front.Serve(s.foreign)
	cfg := config.Default()
	apitest.ReachFronts(t)(&cfg)
	cfg.ServerName, cfg.PublicURL, cfg.Identity.Enabled = "example.org", "http://matrix.example.org:8008", true
	cfg.Threepid.TrustedIdentityServers = []string{s.front.Name}
	roots, err := outbound.Roots(cfg.Outbound.Authorities)
	if err != nil {
		t.Fatal(err)
	}
	s.Service = identityserver.New(identityserver.Deps{
		Config: cfg, Home: s.own, Client: outbound.New(outbound.Options{Allowed: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, Roots: roots}),
		Signer: event.Signer{Server: "example.org", KeyID: "ed25519:1", Key: ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))},
	})
	return s
}

func TestTrusts(t *testing.T) {
	s := start(t)
	for name, want := range map[string]bool{
		s.front.Name: true, "example.org": true, "matrix.example.org:8008": true,
		"": false, "matrix.example.org": false, "id.example.com": false, "https://example.org": false, "EXAMPLE.ORG": false,
	} {
		if got := s.Trusts(name); got != want {
			t.Errorf("%q: got %v", name, got)
		}
	}
}

const details = `200 {"lookup_pepper":"matrixrocks","algorithms":["none","sha256"]}`

func TestLookup(t *testing.T) {
	const hash = "4kenr7N9drpCJ4AfalmlGQVsOn3o2RHjkADUpXJWZUc"
	for name, c := range map[string]struct {
		details, lookup string
		want            string // the user, or the key of the row
		asked           string // the last request
	}{
		"found":            {details, `200 {"mappings":{"` + hash + `":"@alice:example.org"}}`, "@alice:example.org", `{"addresses":["` + hash + `"],"algorithm":"sha256","pepper":"matrixrocks"}`},
		"not found":        {details, `200 {"mappings":{}}`, "", ""},
		"another's":        {details, `200 {"mappings":{"x":"@bob:example.org"}}`, "", ""},
		"in plain text":    {`200 {"lookup_pepper":"p","algorithms":["none"]}`, `200 {"mappings":{"alice@example.com email":"@alice:example.org"}}`, "@alice:example.org", `{"addresses":["alice@example.com email"],"algorithm":"none","pepper":"p"}`},
		"a new pepper":     {`200 {"lookup_pepper":"old","algorithms":["sha256"]}|` + details, `400 {"errcode":"M_INVALID_PEPPER","error":"Again."}|200 {"mappings":{"` + hash + `":"@alice:example.org"}}`, "@alice:example.org", ""},
		"ever new peppers": {details, `400 {"errcode":"M_INVALID_PEPPER","error":"Again."}`, "Unknown", ""},
		"no algorithm":     {`200 {"lookup_pepper":"p","algorithms":["md5"]}`, "", "Unknown", ""},
		"no terms":         {`400 {"errcode":"M_TERMS_NOT_SIGNED","error":"Accept them."}`, "", "TermsNotSigned", ""},
		"no user":          {details, `200 {"mappings":{"` + hash + `":"alice"}}`, "Unknown", ""},
		"rubbish":          {details, `200 [`, "Unknown", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t)
			for server, script := range map[string]*script{s.front.Name: s.foreign, "example.org": s.own} {
				script.answers = map[string]string{"/hash_details": c.details, "/lookup": c.lookup}
				user, err := s.Lookup(t.Context(), server, "token", validation.Email, "alice@example.com")
				if got := outcome(string(user), err); got != c.want {
					t.Errorf("%s: got %q, %v, want %q", server, user, err, c.want)
				}
				for _, r := range script.got {
					if r.authorization != "Bearer token" {
						t.Errorf("%s %s came with the authorization %q", r.method, r.uri, r.authorization)
					}
				}
				if last := script.got[len(script.got)-1]; c.asked != "" && !sameJSON(last.body, c.asked) {
					t.Errorf("asked %s, want %s", last.body, c.asked)
				}
			}
		})
	}
	s := start(t)
	if _, err := s.Lookup(t.Context(), "id.example.com", "token", validation.Email, "alice@example.com"); !errors.Is(err, errcode.ServerNotTrusted) {
		t.Errorf("a server that is not trusted: got %v", err)
	}
}

func TestStoreInvite(t *testing.T) {
	invite := identityserver.Invite{Medium: validation.Email, Address: "f@example.com", RoomID: "!r:example.org", Sender: "@alice:example.org", RoomName: "Room"}
	const asks = `{"medium":"email","address":"f@example.com","room_id":"!r:example.org","sender":"@alice:example.org","room_name":"Room"}`
	for name, c := range map[string]struct{ answer, want string }{
		"stored":           {`200 {"token":"t","display_name":"f...@e...","public_keys":[{"public_key":"k","key_validity_url":"https://u"},{"public_key":"e"}],"public_key":"k"}`, "t k https://u"},
		"without a list":   {`200 {"token":"t","display_name":"f...@e...","public_key":"k"}`, "t k https://SERVER/_matrix/identity/v2/pubkey/isvalid"},
		"without a key":    {`200 {"token":"t"}`, "Unknown"},
		"without a token":  {`200 {"public_key":"k"}`, "Unknown"},
		"bound by now":     {`400 {"errcode":"M_THREEPID_IN_USE","error":"It is Frida's.","mxid":"@frida:example.org"}`, "ThreepidInUse"},
		"a bad address":    {`400 {"errcode":"M_INVALID_EMAIL","error":"Bad."}`, "InvalidEmail"},
		"a refused mail":   {`400 {"errcode":"M_EMAIL_SEND_ERROR","error":"Bad."}`, "EmailSendError"},
		"something unkown": {`400 {"errcode":"M_SESSION_EXPIRED","error":"Bad."}`, "Unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t)
			for server, script := range map[string]*script{s.front.Name: s.foreign, "matrix.example.org:8008": s.own} {
				script.answers = map[string]string{"/store-invite": c.answer}
				stored, err := s.StoreInvite(t.Context(), server, "token", invite)
				got := ""
				if err == nil {
					got = stored.Token + " " + stored.PublicKeys[0].PublicKey + " " + stored.PublicKeys[0].ValidityURL
				}
				if got, want := outcome(got, err), strings.Replace(c.want, "SERVER", server, 1); got != want {
					t.Errorf("%s: got %q, %v, want %q", server, got, err, want)
				}
				if !sameJSON(script.got[0].body, asks) {
					t.Errorf("asked %s, want %s", script.got[0].body, asks)
				}
				if failed, ok := errors.AsType[*errcode.Error](err); ok && failed.Code == errcode.ThreepidInUse {
					if want := []errcode.Member{{Name: "mxid", Value: "@frida:example.org"}}; !cmp.Equal(failed.Extra, want) {
						t.Errorf("got %v, want %v", failed.Extra, want)
					}
				}
			}
		})
	}
	s := start(t)
	if _, err := s.StoreInvite(t.Context(), "id.example.com", "token", invite); !errors.Is(err, errcode.ServerNotTrusted) {
		t.Errorf("a server that is not trusted: got %v", err)
	}
}

func TestKeyIsValid(t *testing.T) {
	s := start(t)
	s.foreign.answers = map[string]string{"/valid": `200 {"valid":true}`, "/invalid": `200 {"valid":false}`, "/odd": `200 {"valid":"yes"}`, "/refused": `400 {}`}
	s.own.answers = s.foreign.answers
	const v2 = "/_matrix/identity/v2"
	for url, want := range map[string]string{
		s.front.URL + v2 + "/valid":                      "valid",
		s.front.URL + v2 + "/valid?a=b#c":                "valid",
		s.front.URL + v2 + "/invalid":                    "invalid",
		s.front.URL + v2 + "/odd":                        "failed",
		s.front.URL + v2 + "/refused":                    "failed",
		"http://matrix.example.org:8008" + v2 + "/valid": "valid",
		"https://example.org" + v2 + "/invalid":          "invalid",
		"http://" + s.front.Name + v2 + "/valid":         "failed",
		"https://user@" + s.front.Name + v2 + "/valid":   "failed",
		"https://127.0.0.1:1/valid":                      "failed",
		"https:///valid":                                 "failed",
		"valid":                                          "failed",
		"%":                                              "failed",
		"":                                               "failed",
	} {
		valid, err := s.KeyIsValid(t.Context(), url, "a+/=&b")
		got := map[bool]string{true: "valid", false: "invalid"}[valid]
		if err != nil {
			got = "failed"
		}
		if got != want {
			t.Errorf("%s: got %s, %v, want %s", url, got, err, want)
		}
	}
	for _, r := range append(s.foreign.got, s.own.got...) {
		if !strings.Contains(r.uri, "public_key=a%2B%2F%3D%26b") || r.authorization != "" {
			t.Errorf("asked %+v", r)
		}
	}
}

// TestOwnAnswersHaveALimit holds that the limit of outbound is that of the own service
// too.
func TestOwnAnswersHaveALimit(t *testing.T) {
	s := start(t)
	s.own.answers = map[string]string{"/hash_details": "200 " + strings.Repeat(" ", outbound.MaxBody+1)}
	if _, err := s.Lookup(t.Context(), "example.org", "token", validation.Email, "a@example.org"); !errors.Is(err, errcode.Unknown) || !errors.Is(err, outbound.ErrTooLarge) {
		t.Errorf("got %v", err)
	}
}

// outcome is what came of a request: the value, or the key of the row.
func outcome(value string, err error) string {
	if failed, ok := errors.AsType[*errcode.Error](err); ok {
		return failed.Code.Key
	}
	return value
}

func sameJSON(a, b string) bool {
	var x, y any
	return json.Unmarshal([]byte(a), &x) == nil && json.Unmarshal([]byte(b), &y) == nil && cmp.Equal(x, y)
}
