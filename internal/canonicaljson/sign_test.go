package canonicaljson

import (
	"crypto/ed25519"
	"errors"
	"testing"
)

// vectorKey is the key of the appendix "Cryptographic Test Vectors".
func vectorKey(t testing.TB) ed25519.PrivateKey {
	t.Helper()
	seed, err := DecodeBase64("YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1")
	if err != nil {
		t.Fatal(err)
	}
	return ed25519.NewKeyFromSeed(seed)
}

func TestSignVectors(t *testing.T) {
	key := vectorKey(t)
	cases := []struct{ in, want string }{
		{
			`{}`,
			`{"signatures":{"domain":{"ed25519:1":"K8280/U9SSy9IVtjBuVeLr+HpOB4BQFWbg+UZaADMtTdGYI7Geitb76LTrr5QV/7Xg4ahLwYGYZzuHGZKM5ZAQ"}}}`,
		},
		{
			`{"two": "Two", "one": 1}`,
			`{"one":1,"signatures":{"domain":{"ed25519:1":"KqmLSbO39/Bzb0QIYE82zqLwsA+PDzYIpIRA2sRQ4sL53+sN6/fpNSoqE7BP7vBZhG6kYdD13EIMJpvhJI+6Bw"}},"two":"Two"}`,
		},
	}
	for _, c := range cases {
		got, err := Sign([]byte(c.in), "domain", "ed25519:1", key)
		if err != nil || string(got) != c.want {
			t.Errorf("Sign(%s): got %s, %v, want %s", c.in, got, err, c.want)
		}
		if err := Verify(got, "domain", "ed25519:1", key.Public().(ed25519.PublicKey)); err != nil {
			t.Errorf("Verify(%s): %v", got, err)
		}
	}
}

func TestSignKeepsWhatItDoesNotCover(t *testing.T) {
	key := vectorKey(t)
	public := key.Public().(ed25519.PublicKey)
	first, err := Sign([]byte(`{"unsigned":{"age":1},"a":1}`), "one", "ed25519:1", key)
	if err != nil {
		t.Fatal(err)
	}
	both, err := Sign(first, "two", "ed25519:2", key)
	if err != nil {
		t.Fatal(err)
	}
	for server, keyID := range map[string]string{"one": "ed25519:1", "two": "ed25519:2"} {
		if err := Verify(both, server, keyID, public); err != nil {
			t.Errorf("Verify for %s: %v", server, err)
		}
	}
	members, err := AppendMembers(nil, both)
	if err != nil || string(Get(members, "unsigned")) != `{"age":1}` {
		t.Errorf("unsigned: got %s, %v", Get(members, "unsigned"), err)
	}
	changed := AppendObject(nil, Set(members, "unsigned", []byte(`{"age":2}`)))
	if err := Verify(changed, "one", "ed25519:1", public); err != nil {
		t.Errorf("Verify after a change of unsigned: %v", err)
	}
}

func TestVerifyRefuses(t *testing.T) {
	key := vectorKey(t)
	public := key.Public().(ed25519.PublicKey)
	signed, err := Sign([]byte(`{"a":1}`), "domain", "ed25519:1", key)
	if err != nil {
		t.Fatal(err)
	}
	members, err := AppendMembers(nil, signed)
	if err != nil {
		t.Fatal(err)
	}
	forged := AppendObject(nil, Set(members, "a", []byte(`2`)))
	cases := []struct {
		name, server, keyID string
		object              string
		want                error
	}{
		{"another server", "other", "ed25519:1", string(signed), ErrNotSigned},
		{"another key", "domain", "ed25519:2", string(signed), ErrNotSigned},
		{"no signatures", "domain", "ed25519:1", `{"a":1}`, ErrNotSigned},
		{"signatures are a list", "domain", "ed25519:1", `{"signatures":[]}`, ErrNotSigned},
		{"a signature is a number", "domain", "ed25519:1", `{"signatures":{"domain":{"ed25519:1":1}}}`, ErrNotSigned},
		{"a signature is not base64", "domain", "ed25519:1", `{"signatures":{"domain":{"ed25519:1":"*"}}}`, ErrBadSignature},
		{"a signature is short", "domain", "ed25519:1", `{"signatures":{"domain":{"ed25519:1":"AAAA"}}}`, ErrBadSignature},
		{"the object is changed", "domain", "ed25519:1", string(forged), ErrBadSignature},
	}
	for _, c := range cases {
		if err := Verify([]byte(c.object), c.server, c.keyID, public); !errors.Is(err, c.want) {
			t.Errorf("Verify, %s: got %v, want %v", c.name, err, c.want)
		}
	}
	if err := Verify(signed, "domain", "ed25519:1", public[:31]); !errors.Is(err, ErrBadKey) {
		t.Errorf("Verify with a short key: got %v, want ErrBadKey", err)
	}
	if _, err := Sign([]byte(`{}`), "domain", "ed25519:1", nil); !errors.Is(err, ErrBadKey) {
		t.Errorf("Sign without a key: got %v, want ErrBadKey", err)
	}
	for _, bad := range []string{``, `[]`, `{"a":1.5}`, `{"signatures":1}`, `{"signatures":{"domain":1}}`} {
		if _, err := Sign([]byte(bad), "domain", "ed25519:1", key); err == nil {
			t.Errorf("Sign(%s): accepted, want an error", bad)
		}
	}
}

func TestBase64(t *testing.T) {
	if got := EncodeBase64([]byte{0xfb, 0xff}); got != "+/8" {
		t.Errorf("EncodeBase64: got %q, want %q", got, "+/8")
	}
	for _, text := range []string{"+/8", "+/8="} {
		if got, err := DecodeBase64(text); err != nil || string(got) != "\xfb\xff" {
			t.Errorf("DecodeBase64(%q): got %x, %v", text, got, err)
		}
	}
	if _, err := DecodeBase64("-_8"); err == nil {
		t.Error("DecodeBase64 of the URL-safe alphabet: accepted, want an error")
	}
}
