package secretstorage

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// counting is the key of the bytes 0, 1, 2, … 31.
func counting(t *testing.T) Key {
	t.Helper()
	k, err := FromRecoveryKey("one", "EsSz ykH7 LCZx 7Cae cmKD wcmY JRXi Ybtu 8iQ3 t8Ez nRwK pUY1")
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// Written by matrix-js-sdk 43 with the key of the bytes 0 … 31; its base64 is padded.
func TestAnotherClientsSecret(t *testing.T) {
	k := counting(t)
	s := Secret{Encrypted: map[string]Encrypted{"one": {
		IV: "MDEyMzQ1Njc4OWFiY2RlZg==", Ciphertext: "h95M0ZX37+U=", MAC: "6IOgCGfEJMNv8s1pC47YRXmAKFr79gCAUjDV03F6ZyU=",
	}}}
	if got, err := k.Open(MasterKeyType, s); err != nil || got != "a secret" {
		t.Errorf("got %q %v", got, err)
	}
	d := Description{Algorithm: Algorithm, IV: "MDEyMzQ1Njc4OWFiY2RlZg==", MAC: "AEOoVkWteUlDyWq56LIu3STabysLWyNDT/KS7A2GiKQ="}
	if err := k.Fits(d); err != nil {
		t.Error(err)
	}
	if sealed := k.seal(MasterKeyType, []byte("0123456789abcdef"), "a secret"); sealed.Ciphertext != "h95M0ZX37+U" || sealed.MAC != "6IOgCGfEJMNv8s1pC47YRXmAKFr79gCAUjDV03F6ZyU" {
		t.Errorf("got %+v, want what the other client wrote, without padding", sealed)
	}
}

func TestSealAndOpen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := NewKey()
		name, secret := rapid.String().Draw(t, "name"), rapid.String().Draw(t, "secret")
		if got, err := k.Open(name, k.Seal(name, secret)); err != nil || got != secret {
			t.Fatalf("got %q %v, want %q", got, err, secret)
		}
		if err := k.Fits(k.Describe("")); err != nil {
			t.Fatal(err)
		}
		again, err := FromRecoveryKey(k.ID, k.RecoveryKey())
		if err != nil || again != k {
			t.Fatalf("%s is read as another key: %v", k.RecoveryKey(), err)
		}
	})
}

func TestOpenRefuses(t *testing.T) {
	k := counting(t)
	good := k.Seal(MasterKeyType, "a secret").Encrypted["one"]
	change := func(f func(*Encrypted)) Secret {
		e := good
		f(&e)
		return Secret{Encrypted: map[string]Encrypted{"one": e}}
	}
	stranger := NewKey()
	stranger.ID = "one"
	for name, c := range map[string]struct {
		key   Key
		name  string
		s     Secret
		wrong bool
	}{
		"another key":         {stranger, MasterKeyType, change(func(*Encrypted) {}), true},
		"another name":        {k, SelfSigningKeyType, change(func(*Encrypted) {}), true},
		"changed text":        {k, MasterKeyType, change(func(e *Encrypted) { e.Ciphertext = "AAAA" + e.Ciphertext[4:] }), true},
		"half a MAC":          {k, MasterKeyType, change(func(e *Encrypted) { e.MAC = e.MAC[:20] }), true},
		"no MAC":              {k, MasterKeyType, change(func(e *Encrypted) { e.MAC = "" }), true},
		"encrypted by others": {NewKey(), MasterKeyType, change(func(*Encrypted) {}), true},
		"not encrypted":       {k, MasterKeyType, Secret{}, true},
		"a short IV":          {k, MasterKeyType, change(func(e *Encrypted) { e.IV = "AAAA" }), false},
		"text not base64":     {k, MasterKeyType, change(func(e *Encrypted) { e.Ciphertext = "?" }), false},
		"MAC not base64":      {k, MasterKeyType, change(func(e *Encrypted) { e.MAC = "?" }), false},
	} {
		if got, err := c.key.Open(c.name, c.s); err == nil || errors.Is(err, ErrWrongKey) != c.wrong {
			t.Errorf("%s: got %q %v", name, got, err)
		}
	}
}

func TestFits(t *testing.T) {
	k := counting(t)
	d := k.Describe("mine")
	if d.Name != "mine" || strings.Contains(d.IV+d.MAC, "=") {
		t.Errorf("got %+v", d)
	}
	if err := NewKey().Fits(d); !errors.Is(err, ErrWrongKey) {
		t.Errorf("another key: got %v", err)
	}
	if err := NewKey().Fits(Description{Algorithm: Algorithm}); err != nil {
		t.Errorf("a description without a check: got %v", err)
	}
	for name, d := range map[string]Description{
		"another algorithm": {Algorithm: "m.other"},
		"a bad IV":          {Algorithm: Algorithm, IV: "AA", MAC: d.MAC},
		"a bad MAC":         {Algorithm: Algorithm, IV: d.IV, MAC: "?"},
	} {
		if err := k.Fits(d); err == nil || errors.Is(err, ErrWrongKey) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// A common pair in Matrix clients: the first private key of RFC 7748, 6.1.
func TestRecoveryKey(t *testing.T) {
	k := Key{secret: [32]byte{0x77, 0x07, 0x6d, 0x0a, 0x73, 0x18, 0xa5, 0x7d, 0x3c, 0x16, 0xc1, 0x72, 0x51, 0xb2, 0x66, 0x45,
		0xdf, 0x4c, 0x2f, 0x87, 0xeb, 0xc0, 0x99, 0x2a, 0xb1, 0x77, 0xfb, 0xa5, 0x1d, 0xb9, 0x2c, 0x2a}}
	const want = "EsTc LW2K PGiF wKEA 3As5 g5c4 BXwk qeeJ ZJV8 Q9fu gUMN UE4d"
	if got := k.RecoveryKey(); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	got, err := FromRecoveryKey("", " EsTcLW2KPGiFwKEA3As5g5c4\tBXwkqeeJZJV8Q9fugUMNUE4d\n")
	if err != nil || got != k {
		t.Errorf("without its spaces: %v", err)
	}
	for name, text := range map[string]string{
		"nothing":               "",
		"a group missing":       want[5:],
		"a group too many":      want + " UE4d",
		"a wrong character":     strings.Replace(want, "UE4d", "UE4e", 1),
		"a character of no key": strings.Replace(want, "UE4d", "UE0d", 1),
		"another beginning":     strings.Replace(want, "EsTc", "FsTc", 1),
		"a whole book":          strings.Repeat(want, 100),
	} {
		if _, err := FromRecoveryKey("", text); err == nil {
			t.Errorf("%s was read as a key", name)
		}
	}
}

// The key is what matrix-js-sdk 43 makes of the same passphrase.
func TestFromPassphrase(t *testing.T) {
	k, err := FromPassphrase("", "correct horse", Passphrase{Algorithm: "m.pbkdf2", Salt: "MmMsAlty", Iterations: 1000})
	if err != nil || encode(k.secret[:]) != "J58u2J5LZchCj7Ltmkj6Qa7dHrq7mEKPXGk+Wr+iD8A" {
		t.Errorf("got %s %v", encode(k.secret[:]), err)
	}
	for name, p := range map[string]Passphrase{
		"another algorithm":   {Algorithm: "m.scrypt", Salt: "x", Iterations: 1000},
		"another length":      {Algorithm: "m.pbkdf2", Salt: "x", Iterations: 1000, Bits: 128},
		"no iterations":       {Algorithm: "m.pbkdf2", Salt: "x"},
		"work without an end": {Algorithm: "m.pbkdf2", Salt: "x", Iterations: 1 << 40},
	} {
		if _, err := FromPassphrase("", "correct horse", p); err == nil {
			t.Errorf("%s: a key was made", name)
		}
	}
}

func TestPrintingShowsNothingSecret(t *testing.T) {
	k := counting(t)
	b, err := NewBackupKey()
	if err != nil {
		t.Fatal(err)
	}
	shown := fmt.Sprintf("%v %+v %#v %v %+v %#v", k, k, k, b, b, b)
	if strings.Contains(shown, b.Secret()) || strings.Contains(shown, "31") || strings.Contains(shown, "0x1f") {
		t.Errorf("a private key is shown in %s", shown)
	}
}
