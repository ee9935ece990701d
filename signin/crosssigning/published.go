package crosssigning

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Published is what a server says in answer to /keys/query about the keys of one
// user.
type Published struct {
	UserID         string
	MasterKey      json.RawMessage // nil: the user has none
	SelfSigningKey json.RawMessage
	UserSigningKey json.RawMessage // only the user sees it
	Devices        map[string]json.RawMessage
}

// ParsePublished takes one user out of the answer to POST
// /_matrix/client/v3/keys/query. A user that the answer does not name has no keys.
func ParsePublished(answer []byte, userID string) (Published, error) {
	var all struct {
		DeviceKeys      map[string]map[string]json.RawMessage `json:"device_keys"`
		MasterKeys      map[string]json.RawMessage            `json:"master_keys"`
		SelfSigningKeys map[string]json.RawMessage            `json:"self_signing_keys"`
		UserSigningKeys map[string]json.RawMessage            `json:"user_signing_keys"`
	}
	if err := json.Unmarshal(answer, &all); err != nil {
		return Published{}, fmt.Errorf("the server's list of keys cannot be read: %w", err)
	}
	return Published{
		UserID:    userID,
		MasterKey: all.MasterKeys[userID], SelfSigningKey: all.SelfSigningKeys[userID], UserSigningKey: all.UserSigningKeys[userID],
		Devices: all.DeviceKeys[userID],
	}, nil
}

// HasIdentity tells whether the user has a cross-signing identity.
func (p Published) HasIdentity() bool { return len(p.MasterKey) > 0 }

// crossSigningKey reads one key and gives its public key.
func (p Published) crossSigningKey(usage string, raw json.RawMessage) (string, error) {
	var key publicKey
	if err := json.Unmarshal(raw, &key); err != nil {
		return "", fmt.Errorf("the %s key that the server lists cannot be read: %w", usage, err)
	}
	if key.UserID != p.UserID || !slices.Contains(key.Usage, usage) || len(key.Keys) != 1 {
		return "", fmt.Errorf("the %s key that the server lists is of another user or for another use", usage)
	}
	for name, public := range key.Keys {
		if name != "ed25519:"+public {
			return "", fmt.Errorf("the %s key that the server lists has the name of another key", usage)
		}
		if _, err := Decode32(public); err != nil {
			return "", fmt.Errorf("the %s key that the server lists: %w", usage, err)
		}
		return public, nil
	}
	return "", errors.New("unreachable") // there is exactly one
}

// Fingerprints are the public keys of a device, in unpadded base64.
type Fingerprints struct {
	Ed25519    string
	Curve25519 string
}

// ErrNotVerified is wrapped by the errors of [Published.Verify] for a device that
// is listed, but not signed as a verified device is.
var ErrNotVerified = errors.New("the device is not verified")

// Verify tells whether a device of the user is verified for somebody who trusts
// the given public master key: the master key is the one that is listed, it has
// signed the self-signing key, and that has signed the device. It gives the keys
// that were vouched for; compare them where the device's keys are known.
//
// Specification: "Cross-signing", with the precautions of "Key and signature
// security": keys are told apart by what they are, not by their names.
func (p Published) Verify(deviceID, master string) (Fingerprints, error) {
	if !p.HasIdentity() || len(p.SelfSigningKey) == 0 {
		return Fingerprints{}, fmt.Errorf("%w: its user has no cross-signing keys", ErrNotVerified)
	}
	listed, err := p.crossSigningKey(usageMaster, p.MasterKey)
	if err != nil {
		return Fingerprints{}, err
	}
	if strings.TrimRight(master, "=") != listed {
		return Fingerprints{}, fmt.Errorf("%w: the master key that the server lists is not the trusted one", ErrNotVerified)
	}
	self, err := p.crossSigningKey(usageSelfSigning, p.SelfSigningKey)
	if err != nil {
		return Fingerprints{}, err
	}
	if err := Verify(p.SelfSigningKey, p.UserID, "ed25519:"+listed, listed); err != nil {
		return Fingerprints{}, fmt.Errorf("%w: the self-signing key: %w", ErrNotVerified, err)
	}
	if deviceID == listed || deviceID == self {
		return Fingerprints{}, fmt.Errorf("%w: its ID is a cross-signing key", ErrNotVerified)
	}
	return p.verifyDevice(deviceID, self)
}

func (p Published) verifyDevice(deviceID, self string) (Fingerprints, error) {
	raw, ok := p.Devices[deviceID]
	if !ok {
		return Fingerprints{}, fmt.Errorf("%w: the server lists no keys of the device %s", ErrNotVerified, deviceID)
	}
	var keys deviceKeys
	if err := json.Unmarshal(raw, &keys); err != nil {
		return Fingerprints{}, fmt.Errorf("the keys of the device %s cannot be read: %w", deviceID, err)
	}
	if keys.UserID != p.UserID || keys.DeviceID != deviceID {
		return Fingerprints{}, fmt.Errorf("%w: its keys are of another device", ErrNotVerified)
	}
	found := Fingerprints{Ed25519: keys.Keys["ed25519:"+deviceID], Curve25519: keys.Keys["curve25519:"+deviceID]}
	if err := Verify(raw, p.UserID, "ed25519:"+deviceID, found.Ed25519); err != nil {
		return Fingerprints{}, fmt.Errorf("%w: its own signature: %w", ErrNotVerified, err)
	}
	if err := Verify(raw, p.UserID, "ed25519:"+self, self); err != nil {
		return Fingerprints{}, fmt.Errorf("%w: %w", ErrNotVerified, err)
	}
	return found, nil
}

// VerifyOwn is [Published.Verify] for the device that asks: it also holds that the
// listed keys are the device's own.
func (p Published) VerifyOwn(d *Device, master string) error {
	found, err := p.Verify(d.DeviceID, master)
	if err != nil {
		return err
	}
	if found.Ed25519 != d.Signing.Public() || found.Curve25519 != d.Curve25519() {
		return fmt.Errorf("%w: the server lists other keys for it than its own", ErrNotVerified)
	}
	return nil
}
