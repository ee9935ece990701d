package crosssigning

import (
	"strings"
	"testing"
)

func TestCanonical(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"the specification's nested example": {`{"auth":{"success":true,"mxid":"@john.doe:example.com","profile":{"display_name":"John Doe","three_pids":[{"medium":"email","address":"a@example.org"}]}}}`,
			`{"auth":{"mxid":"@john.doe:example.com","profile":{"display_name":"John Doe","three_pids":[{"address":"a@example.org","medium":"email"}]},"success":true}}`},
		"keys by code point":        {`{"本": 2, "日": 1}`, `{"日":1,"本":2}`},
		"escapes become characters": {`{"a":"\u65E5\/"}`, `{"a":"日/"}`},
		"shortest escapes":          {`{"a":"\u0001\u0008\u0009\u000a\u000c\u000d\u001f\"\\\u007f\u2028<>&"}`, "{\"a\":\"\\u0001\\b\\t\\n\\f\\r\\u001f\\\"\\\\\u007f\u2028<>&\"}"},
		"null":                      {`{"a": null }`, `{"a":null}`},
		"minus zero":                {`{"a":-0}`, `{"a":0}`},
		"the largest number":        {`[9007199254740991,-9007199254740991]`, `[9007199254740991,-9007199254740991]`},
		"empty":                     {` { } `, `{}`},
	} {
		if got, err := Canonical([]byte(c.in)); err != nil || string(got) != c.want {
			t.Errorf("%s: got %s %v, want %s", name, got, err, c.want)
		}
	}
}

func TestCanonicalRefuses(t *testing.T) {
	for name, in := range map[string]string{
		"a fraction":                     `{"a":1.5}`,
		"an exponent":                    `{"a":1e3}`,
		"a number that is too large":     `{"a":9007199254740992}`,
		"a number beyond 64 bits":        `{"a":99999999999999999999}`,
		"a key that occurs twice":        `{"a":1,"a":2}`,
		"a key twice by an escape":       `{"a":1,"\u0061":2}`,
		"bytes that are no text":         "{\"a\":\"\xff\"}",
		"two values":                     `{} {}`,
		"half a value":                   `{"a":`,
		"no comma":                       `[1 2]`,
		"no closing brace":               `{"a":1]`,
		"nothing":                        ``,
		"something nested without end":   strings.Repeat("[", 100) + strings.Repeat("]", 100),
		"something nested and not ended": strings.Repeat(`{"a":`, 100_000),
	} {
		if got, err := Canonical([]byte(in)); err == nil {
			t.Errorf("%s: got %s, want an error", name, got)
		}
	}
}

func FuzzCanonical(f *testing.F) {
	f.Add([]byte(`{"b":[1,"\u0000",null,true],"a":{}}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		once, err := Canonical(in)
		if err != nil {
			return
		}
		twice, err := Canonical(once)
		if err != nil || string(twice) != string(once) {
			t.Errorf("%q: its canonical form %q becomes %q, %v", in, once, twice, err)
		}
	})
}

// The vectors of the appendix "Signing JSON".
func TestSignVectors(t *testing.T) {
	key, err := parseSigningKey("1", "YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1")
	if err != nil {
		t.Fatal(err)
	}
	for in, signature := range map[string]string{
		`{}`:                         "K8280/U9SSy9IVtjBuVeLr+HpOB4BQFWbg+UZaADMtTdGYI7Geitb76LTrr5QV/7Xg4ahLwYGYZzuHGZKM5ZAQ",
		`{"one": 1, "two":"Two"}`:    "KqmLSbO39/Bzb0QIYE82zqLwsA+PDzYIpIRA2sRQ4sL53+sN6/fpNSoqE7BP7vBZhG6kYdD13EIMJpvhJI+6Bw",
		`{"unsigned":{"age":1.0e0}}`: "",
		`{"unsigned":{"age":1}}`:     "K8280/U9SSy9IVtjBuVeLr+HpOB4BQFWbg+UZaADMtTdGYI7Geitb76LTrr5QV/7Xg4ahLwYGYZzuHGZKM5ZAQ",
	} {
		got, err := Sign([]byte(in), "domain", key)
		if signature == "" {
			if err == nil {
				t.Errorf("%s was signed: %s", in, got)
			}
			continue
		}
		if err != nil || !strings.Contains(string(got), `"signatures":{"domain":{"ed25519:1":"`+signature+`"}}`) {
			t.Errorf("%s: got %s %v, want the signature %s", in, got, err, signature)
		}
		if err := Verify(got, "domain", "ed25519:1", key.Public()); err != nil {
			t.Errorf("%s: %v", got, err)
		}
	}
}

func TestSignKeepsOtherSignatures(t *testing.T) {
	key, err := newSigningKey("D")
	if err != nil {
		t.Fatal(err)
	}
	got, err := Sign([]byte(`{"a":1,"signatures":{"@a:x":{"ed25519:E":"e"},"@b:x":{"ed25519:F":"f"}}}`), "@a:x", key)
	if err != nil || !strings.Contains(string(got), `"ed25519:E":"e"`) || !strings.Contains(string(got), `"ed25519:F":"f"`) {
		t.Errorf("got %s %v", got, err)
	}
}

func TestVerifyRefuses(t *testing.T) {
	key, err := newSigningKey("D")
	if err != nil {
		t.Fatal(err)
	}
	other, err := newSigningKey("D")
	if err != nil {
		t.Fatal(err)
	}
	good, err := Sign([]byte(`{"a":1}`), "@a:x", key)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ object, user, id, public, want string }{
		"another key":        {string(good), "@a:x", "ed25519:D", other.Public(), "is not valid"},
		"another user":       {string(good), "@b:x", "ed25519:D", key.Public(), "no signature by"},
		"another name":       {string(good), "@a:x", "ed25519:E", key.Public(), "no signature by"},
		"a changed object":   {strings.Replace(string(good), `"a":1`, `"a":2`, 1), "@a:x", "ed25519:D", key.Public(), "is not valid"},
		"half a key":         {string(good), "@a:x", "ed25519:D", key.Public()[:20], "15 bytes instead of 32"},
		"no key":             {string(good), "@a:x", "ed25519:D", "", "0 bytes instead of 32"},
		"a short signature":  {`{"signatures":{"@a:x":{"ed25519:D":"aaaa"}}}`, "@a:x", "ed25519:D", key.Public(), "malformed"},
		"a signature as 1":   {`{"signatures":{"@a:x":{"ed25519:D":1}}}`, "@a:x", "ed25519:D", key.Public(), "no signature by"},
		"signatures as list": {`{"signatures":[]}`, "@a:x", "ed25519:D", key.Public(), "no signature by"},
		"no object":          {`[]`, "@a:x", "ed25519:D", key.Public(), "JSON object"},
		"no JSON":            {`{`, "@a:x", "ed25519:D", key.Public(), "cannot be read"},
	} {
		if err := Verify([]byte(c.object), c.user, c.id, c.public); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
	if _, err := Sign([]byte(`{}`), "@a:x", SigningKey{}); err == nil {
		t.Error("signed without a key")
	}
}
