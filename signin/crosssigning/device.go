package crosssigning

import (
	"crypto/ecdh"
	"crypto/rand"
	"encoding/json"
	"fmt"
)

// Device is the end-to-end keys of one device: an Ed25519 key that signs, and a
// Curve25519 key for sessions of Olm.
type Device struct {
	UserID   string
	DeviceID string
	Signing  SigningKey
	identity *ecdh.PrivateKey
}

// DeviceSecrets are the private keys of a [Device] in unpadded base64.
type DeviceSecrets struct {
	Ed25519    string `json:"ed25519"`
	Curve25519 string `json:"curve25519"`
}

// NewDevice makes new keys. Make them once for a device ID: other devices remember
// them.
func NewDevice(userID, deviceID string) (*Device, error) {
	signing, err := newSigningKey(deviceID)
	if err != nil {
		return nil, err
	}
	identity, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	return &Device{UserID: userID, DeviceID: deviceID, Signing: signing, identity: identity}, nil
}

// RestoreDevice makes a device of private keys that were stored.
func RestoreDevice(userID, deviceID string, s DeviceSecrets) (*Device, error) {
	signing, err := parseSigningKey(deviceID, s.Ed25519)
	if err != nil {
		return nil, fmt.Errorf("the device's Ed25519 key: %w", err)
	}
	raw, err := Decode32(s.Curve25519)
	if err != nil {
		return nil, fmt.Errorf("the device's Curve25519 key: %w", err)
	}
	identity, err := ecdh.X25519().NewPrivateKey(raw)
	if err != nil {
		return nil, fmt.Errorf("the device's Curve25519 key: %w", err)
	}
	return &Device{UserID: userID, DeviceID: deviceID, Signing: signing, identity: identity}, nil
}

// Secrets exports the private keys.
func (d *Device) Secrets() DeviceSecrets {
	return DeviceSecrets{Ed25519: d.Signing.secret(), Curve25519: Encode(d.identity.Bytes())}
}

// Curve25519 is the public identity key in unpadded base64.
func (d *Device) Curve25519() string { return Encode(d.identity.PublicKey().Bytes()) }

// String names the device and its fingerprint.
func (d *Device) String() string { return d.DeviceID + " " + d.Signing.Public() }

// GoString is String.
func (d *Device) GoString() string { return d.String() }

// deviceKeys is "device_keys" of /keys/upload and /keys/query, without signatures.
type deviceKeys struct {
	UserID     string            `json:"user_id"`
	DeviceID   string            `json:"device_id"`
	Algorithms []string          `json:"algorithms"`
	Keys       map[string]string `json:"keys"`
}

// keys are the device's signed public keys, signed by the identity's self-signing
// key, too, unless id is nil.
func (d *Device) keys(id *Identity) (json.RawMessage, error) {
	by := []SigningKey{d.Signing}
	if id != nil {
		by = append(by, id.SelfSigning)
	}
	return signValue(deviceKeys{
		UserID: d.UserID, DeviceID: d.DeviceID,
		Algorithms: []string{"m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2"},
		Keys:       map[string]string{"curve25519:" + d.DeviceID: d.Curve25519(), d.Signing.ID(): d.Signing.Public()},
	}, d.UserID, by...)
}

// OneTimeKey is a Curve25519 key that another device may claim once to begin an
// Olm session. Keep the private key until then.
type OneTimeKey struct {
	ID      string `json:"id"`      // without "signed_curve25519:"
	Private string `json:"private"` // 32 bytes, unpadded base64
}

// NewOneTimeKeys makes n keys whose IDs begin at the given number; each ID must
// be new for the device.
func NewOneTimeKeys(n, first int) ([]OneTimeKey, error) {
	keys := make([]OneTimeKey, 0, n)
	for i := range n {
		private, err := ecdh.X25519().GenerateKey(rand.Reader)
		if err != nil {
			return nil, err
		}
		keys = append(keys, OneTimeKey{ID: fmt.Sprintf("AAAA%04X", first+i), Private: Encode(private.Bytes())})
	}
	return keys, nil
}

func (k OneTimeKey) public() (string, error) {
	raw, err := Decode32(k.Private)
	if err != nil {
		return "", fmt.Errorf("one-time key %s: %w", k.ID, err)
	}
	private, err := ecdh.X25519().NewPrivateKey(raw)
	if err != nil {
		return "", fmt.Errorf("one-time key %s: %w", k.ID, err)
	}
	return Encode(private.PublicKey().Bytes()), nil
}

// KeysUpload is the body of POST /_matrix/client/v3/keys/upload.
type KeysUpload struct {
	DeviceKeys   json.RawMessage            `json:"device_keys"`
	OneTimeKeys  map[string]json.RawMessage `json:"one_time_keys,omitempty"`
	FallbackKeys map[string]json.RawMessage `json:"fallback_keys,omitempty"`
}

// KeysUpload gives the keys to publish. With an identity they carry the signature
// of its self-signing key, so that the device is verified from the start; with nil
// they do not, and the device is one that others do not trust yet. The fallback
// key, which the server gives out when no other is left, may be nil.
func (d *Device) KeysUpload(id *Identity, oneTime []OneTimeKey, fallback *OneTimeKey) (KeysUpload, error) {
	keys, err := d.keys(id)
	if err != nil {
		return KeysUpload{}, err
	}
	upload := KeysUpload{DeviceKeys: keys, OneTimeKeys: map[string]json.RawMessage{}}
	for _, k := range oneTime {
		if upload.OneTimeKeys["signed_curve25519:"+k.ID], err = d.signOneTime(k, false); err != nil {
			return KeysUpload{}, err
		}
	}
	if fallback == nil {
		return upload, nil
	}
	signed, err := d.signOneTime(*fallback, true)
	upload.FallbackKeys = map[string]json.RawMessage{"signed_curve25519:" + fallback.ID: signed}
	return upload, err
}

func (d *Device) signOneTime(k OneTimeKey, fallback bool) (json.RawMessage, error) {
	public, err := k.public()
	if err != nil {
		return nil, err
	}
	return signValue(struct {
		Key      string `json:"key"`
		Fallback bool   `json:"fallback,omitempty"`
	}{public, fallback}, d.UserID, d.Signing)
}
