package xmatrix_test

import (
	"crypto/ed25519"
	"errors"
	"testing"

	"github.com/narthex-matrix/narthex/internal/canonicaljson"
	"github.com/narthex-matrix/narthex/internal/xmatrix"
)

var key = ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))

func request() xmatrix.Request {
	return xmatrix.Request{Method: "POST", URI: "/path?query", Origin: "a.example", Destination: "b.example:1",
		DestinationName: xmatrix.Destination, Body: []byte(`{"b":1,"a":"text"}`)}
}

func TestSignAndVerify(t *testing.T) {
	header, err := request().Sign("ed25519:1", key)
	if err != nil {
		t.Fatal(err)
	}
	claims, ok := xmatrix.Parse(header)
	if !ok || claims["origin"] != "a.example" || claims["destination"] != "b.example:1" || claims["key"] != "ed25519:1" {
		t.Fatalf("got %s", header)
	}
	public := key.Public().(ed25519.PublicKey)
	if err := request().Verify(claims["sig"], public); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*xmatrix.Request){
		"method":              func(r *xmatrix.Request) { r.Method = "PUT" },
		"path":                func(r *xmatrix.Request) { r.URI = "/path" },
		"origin":              func(r *xmatrix.Request) { r.Origin = "c.example" },
		"destination":         func(r *xmatrix.Request) { r.Destination = "c.example" },
		"destination's name":  func(r *xmatrix.Request) { r.DestinationName = xmatrix.DestinationIs },
		"body":                func(r *xmatrix.Request) { r.Body = []byte(`{}`) },
		"body, which is away": func(r *xmatrix.Request) { r.Body = nil },
	} {
		changed := request()
		change(&changed)
		if err := changed.Verify(claims["sig"], public); !errors.Is(err, canonicaljson.ErrBadSignature) {
			t.Errorf("another %s: got %v", name, err)
		}
	}
	for _, signature := range []string{"", "?", "AAAA"} {
		if err := request().Verify(signature, public); !errors.Is(err, canonicaljson.ErrBadSignature) {
			t.Errorf("the signature %q: got %v", signature, err)
		}
	}
}

// The object that is signed is that of the specification, in canonical form.
func TestWhatIsSigned(t *testing.T) {
	r := request()
	r.Body = nil
	header, err := r.Sign("ed25519:1", key)
	if err != nil {
		t.Fatal(err)
	}
	claims, _ := xmatrix.Parse(header)
	object := []byte(`{"destination":"b.example:1","method":"POST","origin":"a.example","uri":"/path?query"}`)
	if want := canonicaljson.EncodeBase64(ed25519.Sign(key, object)); claims["sig"] != want {
		t.Errorf("got the signature %s, want %s", claims["sig"], want)
	}
	r.Body = []byte("no JSON")
	if _, err := r.Sign("ed25519:1", key); err == nil {
		t.Error("a body that is no JSON was signed")
	}
}
