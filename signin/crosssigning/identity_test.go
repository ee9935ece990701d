package crosssigning

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
)

const alice = "@alice:example.org"

// recorded is what another client has written for a new user.
type recorded struct {
	UserID     string          `json:"user_id"`
	DeviceID   string          `json:"device_id"`
	Secrets    Secrets         `json:"secrets"`
	KeysQuery  json.RawMessage `json:"keys_query"`
	OneTimeKey json.RawMessage `json:"one_time_key"`
}

func loadRecorded(t *testing.T) recorded {
	t.Helper()
	var r recorded
	raw, err := os.ReadFile("testdata/recorded.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

func parse(t *testing.T, answer json.RawMessage) Published {
	t.Helper()
	p, err := ParsePublished(answer, alice)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestAnotherClientsIdentity(t *testing.T) {
	r := loadRecorded(t)
	p := parse(t, r.KeysQuery)
	id, err := Import(r.UserID, r.Secrets)
	if err != nil {
		t.Fatal(err)
	}
	if err := id.Check(p); err != nil {
		t.Error(err)
	}
	if id.Secrets() != r.Secrets {
		t.Errorf("got %v back, want what was imported", id.Secrets())
	}
	found, err := p.Verify(r.DeviceID, id.Master.Public())
	if err != nil {
		t.Error(err)
	}
	if err := Verify(r.OneTimeKey, r.UserID, "ed25519:"+r.DeviceID, found.Ed25519); err != nil {
		t.Error(err)
	}
}

// world is an identity and a device that has signed itself, as the server shows
// them.
type world struct {
	id     *Identity
	device *Device
	answer json.RawMessage
}

func newWorld(t *testing.T) world {
	t.Helper()
	id, err := NewIdentity(alice)
	if err != nil {
		t.Fatal(err)
	}
	device, err := NewDevice(alice, "ABCDEFGHIJ")
	if err != nil {
		t.Fatal(err)
	}
	keys, err := device.KeysUpload(id, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	public, err := id.Upload(device)
	if err != nil {
		t.Fatal(err)
	}
	return world{id, device, answer(t, public, keys.DeviceKeys)}
}

func answer(t *testing.T, public IdentityUpload, device json.RawMessage) json.RawMessage {
	t.Helper()
	raw, err := json.Marshal(map[string]any{
		"device_keys":       map[string]any{alice: map[string]any{"ABCDEFGHIJ": device}},
		"master_keys":       map[string]any{alice: public.MasterKey},
		"self_signing_keys": map[string]any{alice: public.SelfSigningKey},
		"user_signing_keys": map[string]any{alice: public.UserSigningKey},
	})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// SX-4: both signatures are in the one upload.
func TestOneUploadCarriesBothSignatures(t *testing.T) {
	w := newWorld(t)
	p := parse(t, w.answer)
	if err := p.VerifyOwn(w.device, w.id.Master.Public()); err != nil {
		t.Error(err)
	}
	if err := w.id.Check(p); err != nil {
		t.Error(err)
	}
	for _, key := range []SigningKey{w.device.Signing, w.id.SelfSigning} {
		if err := Verify(p.Devices["ABCDEFGHIJ"], alice, key.ID(), key.Public()); err != nil {
			t.Error(err)
		}
	}
	if err := Verify(p.MasterKey, alice, "ed25519:ABCDEFGHIJ", w.device.Signing.Public()); err != nil {
		t.Errorf("the device did not sign the master key: %v", err)
	}
}

// SX-7: without an identity the device is known, and not verified.
func TestUploadWithoutIdentity(t *testing.T) {
	w := newWorld(t)
	keys, err := w.device.KeysUpload(nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	public, err := w.id.Upload(nil)
	if err != nil {
		t.Fatal(err)
	}
	err = parse(t, answer(t, public, keys.DeviceKeys)).VerifyOwn(w.device, w.id.Master.Public())
	if !errors.Is(err, ErrNotVerified) || !strings.Contains(err.Error(), "no signature by") {
		t.Errorf("got %v", err)
	}
	if strings.Contains(string(public.MasterKey), "signatures") {
		t.Errorf("the master key is signed by nobody, but has signatures: %s", public.MasterKey)
	}
}

func TestSignaturesUpload(t *testing.T) {
	w := newWorld(t)
	body, err := w.id.SignaturesUpload(w.device)
	if err != nil {
		t.Fatal(err)
	}
	if err := Verify(body[alice]["ABCDEFGHIJ"], alice, w.id.SelfSigning.ID(), w.id.SelfSigning.Public()); err != nil {
		t.Error(err)
	}
	if err := Verify(body[alice][w.id.Master.Public()], alice, "ed25519:ABCDEFGHIJ", w.device.Signing.Public()); err != nil {
		t.Error(err)
	}
}

// SX-2: a private key that is not the listed one is found, whichever it is.
func TestCheckRefuses(t *testing.T) {
	w, other := newWorld(t), newWorld(t)
	p := parse(t, w.answer)
	mix := func(change func(*Secrets)) *Identity {
		s := w.id.Secrets()
		change(&s)
		id, err := Import(alice, s)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	o := other.id.Secrets()
	foreign, err := other.id.Upload(nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		id      *Identity
		p       Published
		differs bool
		want    string
	}{
		"another master key":       {mix(func(s *Secrets) { s.MasterKey = o.MasterKey }), p, true, "the master key is another one"},
		"another self-signing key": {mix(func(s *Secrets) { s.SelfSigningKey = o.SelfSigningKey }), p, true, "the self_signing key is another one"},
		"another user-signing key": {mix(func(s *Secrets) { s.UserSigningKey = o.UserSigningKey }), p, true, "the user_signing key is another one"},
		"two keys swapped":         {mix(func(s *Secrets) { s.SelfSigningKey, s.UserSigningKey = s.UserSigningKey, s.SelfSigningKey }), p, true, "self_signing"},
		"no keys on the server":    {w.id, Published{UserID: alice}, true, "no master key"},
		"no user-signing key":      {w.id, Published{UserID: alice, MasterKey: p.MasterKey, SelfSigningKey: p.SelfSigningKey}, true, "no user_signing key"},
		"another user's answer":    {w.id, Published{UserID: "@bob:example.org", MasterKey: p.MasterKey}, false, "instead of"},
		"a key for another use":    {w.id, Published{UserID: alice, MasterKey: p.SelfSigningKey}, false, "another use"},
		"a key that is no object":  {w.id, Published{UserID: alice, MasterKey: json.RawMessage(`[]`)}, false, "cannot be read"},
		"a name of another key": {w.id, Published{UserID: alice, MasterKey: json.RawMessage(fmt.Sprintf(
			`{"user_id":%q,"usage":["master"],"keys":{"ed25519:x":%q}}`, alice, w.id.Master.Public()))}, false, "name of another key"},
		"a self-signing key signed by another master": {
			&Identity{UserID: alice, Master: w.id.Master, SelfSigning: other.id.SelfSigning, UserSigning: other.id.UserSigning},
			Published{UserID: alice, MasterKey: p.MasterKey, SelfSigningKey: foreign.SelfSigningKey, UserSigningKey: foreign.UserSigningKey}, false, "no signature by"},
	} {
		err := c.id.Check(c.p)
		if err == nil || errors.Is(err, ErrKeysDiffer) != c.differs || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q (the keys differ: %t)", name, err, c.want, c.differs)
		}
	}
}

func TestImportRefuses(t *testing.T) {
	good := newWorld(t).id.Secrets()
	for name, s := range map[string]Secrets{
		"no key":       {SelfSigningKey: good.SelfSigningKey, UserSigningKey: good.UserSigningKey},
		"no base64":    {MasterKey: "!", SelfSigningKey: good.SelfSigningKey, UserSigningKey: good.UserSigningKey},
		"a longer key": {MasterKey: good.MasterKey, SelfSigningKey: good.SelfSigningKey + "AAAA", UserSigningKey: good.UserSigningKey},
	} {
		if _, err := Import(alice, s); err == nil {
			t.Errorf("%s was imported", name)
		}
	}
	padded := Secrets{MasterKey: good.MasterKey + "=", SelfSigningKey: good.SelfSigningKey + "=", UserSigningKey: good.UserSigningKey + "="}
	if _, err := Import(alice, padded); err != nil {
		t.Errorf("keys with padding: %v", err)
	}
}

func TestPrintingShowsNothingSecret(t *testing.T) {
	w := newWorld(t)
	shown := fmt.Sprintf("%v %+v %#v %s %v %+v %#v", w.id, w.id, w.id, w.id, w.device, w.device, w.device)
	raw, err := json.Marshal([]any{w.id, w.device})
	if err != nil {
		t.Fatal(err)
	}
	shown += string(raw)
	s, d := w.id.Secrets(), w.device.Secrets()
	for _, secret := range []string{s.MasterKey, s.SelfSigningKey, s.UserSigningKey, d.Ed25519, d.Curve25519} {
		if strings.Contains(shown, secret) {
			t.Errorf("a private key is shown in %s", shown)
		}
	}
}
