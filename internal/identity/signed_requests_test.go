package identity_test

import (
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/canonicaljson"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/identity"
	"github.com/narthex-matrix/narthex/internal/signing"
)

// request is a request that a homeserver signs.
type request struct {
	origin, destination, destinationName, keyID string
	uri                                         string
	key                                         ed25519.PrivateKey
	body                                        []byte
}

func (h *homeserver) request(body apitest.Object) request {
	raw, _ := json.Marshal(body)
	return request{origin: string(h.name), destination: string(apitest.ServerName), destinationName: "destination", keyID: otherKey,
		uri: v2 + "/3pid/unbind", key: h.seed, body: raw}
}

// signature signs as the specification says, by another way than the code that
// verifies.
func (r request) signature(t *testing.T) string {
	t.Helper()
	object, err := json.Marshal(apitest.Object{"method": "POST", "uri": r.uri, "origin": r.origin, r.destinationName: r.destination, "content": json.RawMessage(r.body)})
	if err != nil {
		t.Fatal(err)
	}
	signed, err := canonicaljson.Sign(object, r.origin, r.keyID, r.key)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Signatures map[string]map[string]string `json:"signatures"`
	}
	if err := json.Unmarshal(signed, &got); err != nil {
		t.Fatal(err)
	}
	return got.Signatures[r.origin][r.keyID]
}

func (r request) authorization(t *testing.T) string {
	return fmt.Sprintf(`X-Matrix origin="%s",destination="%s",key="%s",sig="%s"`, r.origin, r.destination, r.keyID, r.signature(t))
}

func (s service) send(t *testing.T, authorization string, body []byte) *apitest.Response {
	t.Helper()
	c := s.Anyone()
	c.Header = http.Header{"Authorization": {authorization}}
	return c.Do(t, "POST", v2+"/3pid/unbind", body)
}

func TestTP95_UnbindByTheHomeserver(t *testing.T) {
	s := start(t)
	alice := s.user(t, "alice")
	body := apitest.Object{"mxid": alice.UserID, "threepid": apitest.Object{"medium": "email", "address": "Alice@example.com"}}
	for name, change := range map[string]func(*request){
		"as the specification says":    func(*request) {},
		"as Synapse does":              func(r *request) { r.destinationName = "destination_is" },
		"for the host of the clients":  func(r *request) { r.destination = s.URL[len("http://"):] },
		"likewise, as Synapse does it": func(r *request) { r.destinationName, r.destination = "destination_is", s.URL[len("http://"):] },
	} {
		t.Run(name, func(t *testing.T) {
			s.Write(t, func(tx *db.Tx) error { return identity.PutAssociation(tx, "alice@example.com", alice.UserID) })
			r := s.other.request(body)
			change(&r)
			s.send(t, r.authorization(t), r.body).OK(t, nil)
			s.send(t, r.authorization(t), r.body).OK(t, nil) // nothing to unbind
			pepper := s.details(t, alice).Pepper
			if got := s.lookup(t, alice, "sha256", pepper, hash("alice@example.com", "email", pepper)); len(got) != 0 {
				t.Errorf("still bound: %v", got)
			}
		})
	}
	t.Run("without the destination, as older servers do", func(t *testing.T) {
		r := s.other.request(body)
		s.send(t, fmt.Sprintf(`x-matrix key=%s, origin=%s , sig="%s"`, r.keyID, r.origin, r.signature(t)), r.body).OK(t, nil)
	})
}

func TestTP95_BadSignatures(t *testing.T) {
	s := start(t)
	alice := s.user(t, "alice")
	s.bind(t, alice, "alice@example.com")
	body := apitest.Object{"mxid": alice.UserID, "threepid": apitest.Object{"medium": "email", "address": "alice@example.com"}}
	for name, change := range map[string]func(*request){
		"another key":          func(r *request) { r.key = ed25519.NewKeyFromSeed([]byte("another seed of thirty-two bytes")) },
		"an unknown key":       func(r *request) { r.keyID = "ed25519:none" },
		"another destination":  func(r *request) { r.destination = "example.org" },
		"another homeserver":   func(r *request) { r.origin = "example.org" },
		"this very homeserver": func(r *request) { r.origin = string(apitest.ServerName) },
		"another path":         func(r *request) { r.uri = v2 + "/3pid/bind" },
	} {
		t.Run(name, func(t *testing.T) {
			r := s.other.request(body)
			change(&r)
			s.send(t, r.authorization(t), r.body).Fails(t, s.Server, errcode.Forbidden)
		})
	}
	r := s.other.request(body)
	good := r.authorization(t)
	for name, header := range map[string]string{
		"no parameters":     "X-Matrix",
		"no signature":      `X-Matrix origin="` + r.origin + `",key="` + otherKey + `"`,
		"a bad signature":   `X-Matrix origin="` + r.origin + `",key="` + otherKey + `",sig="?"`,
		"an unclosed quote": `X-Matrix origin="` + r.origin,
	} {
		t.Run(name, func(t *testing.T) { s.send(t, header, r.body).Fails(t, s.Server, errcode.Forbidden) })
	}
	t.Run("a changed body", func(t *testing.T) {
		changed := []byte(`{"mxid":"` + string(alice.UserID) + `","threepid":{"medium":"email","address":"bob@example.com"}}`)
		s.send(t, good, changed).Fails(t, s.Server, errcode.Forbidden)
	})
	t.Run("a body that is incomplete", func(t *testing.T) { s.send(t, good, []byte("{}")).Fails(t, s.Server, errcode.MissingParams) })
	for name, keys := range map[string][]byte{
		"keys that have run out":  s.other.keys(s.other.name, time.Now().Add(-time.Minute)),
		"keys of another server":  s.other.keys("example.org", time.Now().Add(time.Hour)),
		"keys that are no JSON":   []byte("<html>"),
		"keys without signatures": []byte(fmt.Sprintf(`{"server_name":%q,"valid_until_ts":99999999999999,"verify_keys":{%q:{"key":%q}}}`, s.other.name, otherKey, canonicaljson.EncodeBase64(s.other.seed.Public().(ed25519.PublicKey)))),
	} {
		t.Run(name, func(t *testing.T) {
			s.other.answers(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(keys) })
			defer s.other.answers(nil)
			s.send(t, good, r.body).Fails(t, s.Server, errcode.Forbidden)
		})
	}
	pepper := s.details(t, alice).Pepper
	if got := s.lookup(t, alice, "sha256", pepper, hash("alice@example.com", "email", pepper)); len(got) != 1 {
		t.Error("the address was unbound by a bad signature")
	}
}

// The homeserver in the same process signs with a key that is known here.
func TestTP95_UnbindByThisHomeserver(t *testing.T) {
	s := start(t)
	signer, err := signing.Load(t.Context(), s.App.DB, apitest.ServerName)
	if err != nil {
		t.Fatal(err)
	}
	r := s.other.request(apitest.Object{"mxid": "@alice:" + apitest.ServerName, "threepid": apitest.Object{"medium": "email", "address": "alice@example.com"}})
	r.origin, r.keyID, r.key = string(apitest.ServerName), signer.KeyID, signer.Key
	s.send(t, r.authorization(t), r.body).OK(t, nil)
	r.keyID = "ed25519:none"
	s.send(t, r.authorization(t), r.body).Fails(t, s.Server, errcode.Forbidden)
}
