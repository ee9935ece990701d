package crosssigning

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func TestVerifyDeviceRefuses(t *testing.T) {
	w, other := newWorld(t), newWorld(t)
	p := parse(t, w.answer)
	master := w.id.Master.Public()
	change := func(f func(*Published)) Published {
		q := parse(t, w.answer)
		f(&q)
		return q
	}
	foreign := parse(t, other.answer)
	byOther, err := w.device.keys(other.id)
	if err != nil {
		t.Fatal(err)
	}
	colliding, err := NewDevice(alice, w.id.SelfSigning.Public())
	if err != nil {
		t.Fatal(err)
	}
	collidingKeys, err := colliding.keys(w.id)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		p      Published
		device string
		want   string
	}{
		"a device that is not there":        {p, "NOBODY", "lists no keys"},
		"no cross-signing":                  {change(func(p *Published) { p.MasterKey = nil }), "ABCDEFGHIJ", "no cross-signing keys"},
		"another master key":                {change(func(p *Published) { p.MasterKey = foreign.MasterKey }), "ABCDEFGHIJ", "not the trusted one"},
		"another self-signing key":          {change(func(p *Published) { p.SelfSigningKey = foreign.SelfSigningKey }), "ABCDEFGHIJ", "the self-signing key"},
		"signed by another identity":        {change(func(p *Published) { p.Devices["ABCDEFGHIJ"] = byOther }), "ABCDEFGHIJ", "no signature by"},
		"another device's keys":             {change(func(p *Published) { p.Devices["KLMNOPQRST"] = p.Devices["ABCDEFGHIJ"] }), "KLMNOPQRST", "of another device"},
		"an ID that is a cross-signing key": {change(func(p *Published) { p.Devices[colliding.DeviceID] = collidingKeys }), colliding.DeviceID, "its ID is a cross-signing key"},
		"no own signature": {change(func(p *Published) {
			p.Devices["ABCDEFGHIJ"] = without(t, p.Devices["ABCDEFGHIJ"], "ed25519:ABCDEFGHIJ")
		}), "ABCDEFGHIJ", "its own signature"},
	} {
		if _, err := c.p.Verify(c.device, master); !errors.Is(err, ErrNotVerified) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
	unreadable := change(func(p *Published) { p.Devices["ABCDEFGHIJ"] = json.RawMessage(`1`) })
	if _, err := unreadable.Verify("ABCDEFGHIJ", master); err == nil || !strings.Contains(err.Error(), "cannot be read") {
		t.Errorf("keys that are no object: got %v", err)
	}
}

// The server shows a device of the same name, properly signed, with other keys.
func TestVerifyOwnRefusesOtherKeys(t *testing.T) {
	w := newWorld(t)
	twin, err := NewDevice(alice, w.device.DeviceID)
	if err != nil {
		t.Fatal(err)
	}
	if err := parse(t, w.answer).VerifyOwn(twin, w.id.Master.Public()); !errors.Is(err, ErrNotVerified) || !strings.Contains(err.Error(), "other keys") {
		t.Errorf("got %v", err)
	}
}

// without takes a signature away.
func without(t *testing.T, raw json.RawMessage, keyID string) json.RawMessage {
	t.Helper()
	var object map[string]any
	if err := json.Unmarshal(raw, &object); err != nil {
		t.Fatal(err)
	}
	delete(object["signatures"].(map[string]any)[alice].(map[string]any), keyID)
	raw, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestRestoreDevice(t *testing.T) {
	d := newWorld(t).device
	again, err := RestoreDevice(alice, d.DeviceID, d.Secrets())
	if err != nil || again.Signing.Public() != d.Signing.Public() || again.Curve25519() != d.Curve25519() {
		t.Errorf("got %v %v, want %v", again, err, d)
	}
	for name, s := range map[string]DeviceSecrets{
		"nothing":               {},
		"only one key":          {Ed25519: d.Secrets().Ed25519},
		"a key that is no text": {Ed25519: "\x00", Curve25519: d.Secrets().Curve25519},
	} {
		if _, err := RestoreDevice(alice, d.DeviceID, s); err == nil {
			t.Errorf("%s: a device was made of it", name)
		}
	}
}

func TestOneTimeKeys(t *testing.T) {
	d := newWorld(t).device
	keys, err := NewOneTimeKeys(3, 255)
	if err != nil {
		t.Fatal(err)
	}
	fallback, err := NewOneTimeKeys(1, 0)
	if err != nil {
		t.Fatal(err)
	}
	up, err := d.KeysUpload(nil, keys, &fallback[0])
	if err != nil || len(up.OneTimeKeys) != 3 || len(up.FallbackKeys) != 1 {
		t.Fatalf("got %d and %d keys, %v", len(up.OneTimeKeys), len(up.FallbackKeys), err)
	}
	for name, raw := range up.OneTimeKeys {
		if err := Verify(raw, alice, d.Signing.ID(), d.Signing.Public()); err != nil || strings.Contains(string(raw), "fallback") {
			t.Errorf("%s: %s %v", name, raw, err)
		}
	}
	if raw := up.FallbackKeys["signed_curve25519:AAAA0000"]; !strings.Contains(string(raw), `"fallback":true`) {
		t.Errorf("the fallback key is not marked as one: %s", raw)
	}
	if up.OneTimeKeys["signed_curve25519:AAAA0101"] == nil {
		t.Errorf("the IDs do not count up: %v", up.OneTimeKeys)
	}
	if _, err := d.KeysUpload(nil, []OneTimeKey{{ID: "X", Private: "short"}}, nil); err == nil {
		t.Error("a one-time key that is no key was uploaded")
	}
}

func TestParsePublished(t *testing.T) {
	p, err := ParsePublished([]byte(`{"device_keys":{"@bob:x":{}}}`), alice)
	if err != nil || p.HasIdentity() || len(p.Devices) != 0 {
		t.Errorf("an answer about others: got %v %v", p, err)
	}
	if _, err := ParsePublished([]byte(`{"device_keys":[]}`), alice); err == nil {
		t.Error("an answer of another form was read")
	}
}
