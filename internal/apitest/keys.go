package apitest

import (
	"crypto/ed25519"
	"encoding/json"
	"testing"

	"github.com/narthex-matrix/narthex/internal/canonicaljson"
	"github.com/narthex-matrix/narthex/internal/id"
)

// Object is a JSON object.
type Object = map[string]any

// SigningKey is an Ed25519 key as a client has it: of a device, or for
// cross-signing.
type SigningKey struct{ private ed25519.PrivateKey }

// NewSigningKey makes a key.
func NewSigningKey(t testing.TB) SigningKey {
	t.Helper()
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return SigningKey{private}
}

// Public is the public key in unpadded base64.
func (k SigningKey) Public() string {
	return canonicaljson.EncodeBase64(k.private.Public().(ed25519.PublicKey))
}

// Sign gives the object with one signature more: by the key with that id
// ("ed25519:" goes before it) of a user.
func (k SigningKey) Sign(t testing.TB, object Object, by id.UserID, keyID string) Object {
	t.Helper()
	raw, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	if raw, err = canonicaljson.Sign(raw, string(by), "ed25519:"+keyID, k.private); err != nil {
		t.Fatal(err)
	}
	var signed Object
	if err := json.Unmarshal(raw, &signed); err != nil {
		t.Fatal(err)
	}
	return signed
}

// DeviceKeys gives the identity keys of the device, signed by its key: the member
// device_keys of an upload.
func (c *Client) DeviceKeys(t testing.TB, k SigningKey) Object {
	t.Helper()
	device := string(c.DeviceID)
	return k.Sign(t, Object{
		"user_id": c.UserID, "device_id": device,
		"algorithms": []string{"m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2"},
		"keys":       Object{"ed25519:" + device: k.Public(), "curve25519:" + device: "3C5BFWi2Y8MaVvjM8M22DBmh24PmgR0nPvJOIArzgyI"},
	}, c.UserID, device)
}

// UploadDeviceKeys makes a key for the device and uploads its identity keys.
func (c *Client) UploadDeviceKeys(t testing.TB) SigningKey {
	t.Helper()
	k := NewSigningKey(t)
	c.Do(t, "POST", "/_matrix/client/v3/keys/upload", Object{"device_keys": c.DeviceKeys(t, k)}).OK(t, nil)
	return k
}

// CrossSigning are the cross-signing keys of a user.
type CrossSigning struct {
	UserID                           id.UserID
	Master, SelfSigning, UserSigning SigningKey
}

// NewCrossSigning makes the keys of a user.
func NewCrossSigning(t testing.TB, userID id.UserID) CrossSigning {
	t.Helper()
	return CrossSigning{userID, NewSigningKey(t), NewSigningKey(t), NewSigningKey(t)}
}

// Key gives a key of the user as it is uploaded, signed by the master key unless
// its usage is "master".
func (x CrossSigning) Key(t testing.TB, usage string, k SigningKey) Object {
	t.Helper()
	object := Object{"user_id": x.UserID, "usage": []string{usage}, "keys": Object{"ed25519:" + k.Public(): k.Public()}}
	if usage == "master" {
		return object
	}
	return x.Master.Sign(t, object, x.UserID, x.Master.Public())
}

// Keys gives all three as the body of an upload.
func (x CrossSigning) Keys(t testing.TB) Object {
	t.Helper()
	return Object{
		"master_key":       x.Key(t, "master", x.Master),
		"self_signing_key": x.Key(t, "self_signing", x.SelfSigning),
		"user_signing_key": x.Key(t, "user_signing", x.UserSigning),
	}
}

// UploadCrossSigning makes cross-signing keys for the user and uploads them.
func (c *Client) UploadCrossSigning(t testing.TB) CrossSigning {
	t.Helper()
	x := NewCrossSigning(t, c.UserID)
	c.Do(t, "POST", "/_matrix/client/v3/keys/device_signing/upload", x.Keys(t)).OK(t, nil)
	return x
}
