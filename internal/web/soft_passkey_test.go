package web_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
)

// softPasskey is a passkey in memory, with the answers that a browser makes of it: for
// what a browser does not do, such as answering twice.
type softPasskey struct {
	key    *ecdsa.PrivateKey
	id     []byte
	handle string // of the user
	origin string
	count  uint32
}

func newSoftPasskey(t testing.TB, srv *apitest.Server) *softPasskey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &softPasskey{key: key, id: []byte(rand.Text()), origin: srv.App.Config.PublicURL}
}

// ceremony is what a page asks the browser for.
type ceremony struct {
	Key struct {
		Challenge string
		User      struct{ ID string }
	} `json:"publicKey"`
}

var optionsField = regexp.MustCompile(`data-options="([^"]*)"`)

func ceremonyOn(t testing.TB, v apitest.Seen) (c ceremony) {
	t.Helper()
	m := optionsField.FindStringSubmatch(v.HTML)
	if m == nil {
		t.Fatalf("the page asks for no passkey: %d\n%s", v.Status, v.Text)
	}
	decode(t, []byte(html.UnescapeString(m[1])), &c)
	return c
}

func url64(raw []byte) string { return base64.RawURLEncoding.EncodeToString(raw) }

func (p *softPasskey) clientData(t testing.TB, kind, challenge string) []byte {
	t.Helper()
	raw, err := json.Marshal(map[string]any{"type": kind, "challenge": challenge, "origin": p.origin, "crossOrigin": false})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// The flags of authenticator data: Web Authentication Level 3, section 6.1.
const (
	flagPresent  = 0x01
	flagVerified = 0x04
	flagAttested = 0x40
)

func (p *softPasskey) data(t testing.TB, flags byte) []byte {
	t.Helper()
	site, err := url.Parse(p.origin)
	if err != nil {
		t.Fatal(err)
	}
	p.count++
	party := sha256.Sum256([]byte(site.Hostname()))
	return binary.BigEndian.AppendUint32(append(party[:], flags|flagPresent|flagVerified), p.count)
}

// made is the answer that makes the passkey.
func (p *softPasskey) made(t testing.TB, c ceremony) string {
	t.Helper()
	p.handle = c.Key.User.ID
	public, err := p.key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	data := append(p.data(t, flagAttested), make([]byte, 16)...) // of no known make
	data = append(binary.BigEndian.AppendUint16(data, uint16(len(p.id))), p.id...)
	// The key in CBOR, RFC 9053: {kty: EC2, alg: ES256, crv: P-256, x, y}.
	data = append(append(data, 0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 32), public[1:33]...)
	data = append(append(data, 0x22, 0x58, 32), public[33:]...)
	// {"fmt": "none", "attStmt": {}, "authData": data}
	object := append([]byte("\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58"), byte(len(data)))
	return p.answer(t, map[string]string{
		"clientDataJSON": url64(p.clientData(t, "webauthn.create", c.Key.Challenge)), "attestationObject": url64(append(object, data...)),
	})
}

// signed is the answer that proves who has the passkey.
func (p *softPasskey) signed(t testing.TB, c ceremony) string {
	t.Helper()
	client, data := p.clientData(t, "webauthn.get", c.Key.Challenge), p.data(t, 0)
	inner := sha256.Sum256(client)
	outer := sha256.Sum256(append(data[:len(data):len(data)], inner[:]...))
	signature, err := ecdsa.SignASN1(rand.Reader, p.key, outer[:])
	if err != nil {
		t.Fatal(err)
	}
	return p.answer(t, map[string]string{
		"clientDataJSON": url64(client), "authenticatorData": url64(data), "signature": url64(signature), "userHandle": p.handle,
	})
}

func (p *softPasskey) answer(t testing.TB, response map[string]string) string {
	t.Helper()
	raw, err := json.Marshal(map[string]any{
		"id": url64(p.id), "rawId": url64(p.id), "type": "public-key", "response": response, "clientExtensionResults": map[string]any{},
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// addSoftPasskey adds a passkey to the account that is signed in.
func addSoftPasskey(t testing.TB, srv *apitest.Server, s *apitest.Surfer, name string) *softPasskey {
	t.Helper()
	p := newSoftPasskey(t, srv)
	s.Get(t, "/account/security")
	asked := ceremonyOn(t, s.Post(t, "/account/security/passkeys", nil))
	form := url.Values{"name": {name}, "response": {p.made(t, asked)}}
	if v := s.Post(t, "/account/security/passkeys", form); v.Status >= 400 {
		t.Fatalf("the passkey is not added: %d\n%s", v.Status, v.Text)
	}
	s.Get(t, "/account/security").Shows(t, 200, name)
	return p
}

// postWithCookies sends a form as a browser with these cookies, to any server; a test
// may call it from several goroutines.
func postWithCookies(t testing.TB, address, form string, cookies []*http.Cookie) (status int, err error) {
	req, err := http.NewRequestWithContext(t.Context(), "POST", address, strings.NewReader(form))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for _, c := range cookies {
		req.AddCookie(c)
	}
	resp, err := http.DefaultTransport.RoundTrip(req) // follows no redirect
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}
