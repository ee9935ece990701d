package crosssigning

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Identity is the cross-signing identity of a user: the master key, which vouches
// for the other two; the self-signing key, which signs the user's devices; and the
// user-signing key, which signs the master keys of other users.
type Identity struct {
	UserID      string
	Master      SigningKey
	SelfSigning SigningKey
	UserSigning SigningKey
}

// Secrets are the private keys of an [Identity], each 32 bytes in unpadded
// base64. The JSON form is the one of "cross_signing" in m.login.secrets.
type Secrets struct {
	MasterKey      string `json:"master_key"`
	SelfSigningKey string `json:"self_signing_key"`
	UserSigningKey string `json:"user_signing_key"`
}

// NewIdentity makes three new keys.
func NewIdentity(userID string) (*Identity, error) {
	master, err := newSigningKey("")
	if err != nil {
		return nil, err
	}
	self, err := newSigningKey("")
	if err != nil {
		return nil, err
	}
	user, err := newSigningKey("")
	if err != nil {
		return nil, err
	}
	return &Identity{UserID: userID, Master: master, SelfSigning: self, UserSigning: user}, nil
}

// Import makes an identity of private keys that another device sent. It fails if
// one is missing or malformed. It cannot know whether they are the user's keys:
// that is for [Identity.Check].
func Import(userID string, s Secrets) (*Identity, error) {
	id := &Identity{UserID: userID}
	for _, k := range []struct {
		usage, secret string
		into          *SigningKey
	}{
		{usageMaster, s.MasterKey, &id.Master}, {usageSelfSigning, s.SelfSigningKey, &id.SelfSigning}, {usageUserSigning, s.UserSigningKey, &id.UserSigning},
	} {
		key, err := parseSigningKey("", k.secret)
		if err != nil {
			return nil, fmt.Errorf("the private %s key: %w", k.usage, err)
		}
		*k.into = key
	}
	return id, nil
}

// Secrets exports the private keys.
func (id *Identity) Secrets() Secrets {
	return Secrets{MasterKey: id.Master.secret(), SelfSigningKey: id.SelfSigning.secret(), UserSigningKey: id.UserSigning.secret()}
}

// The usages of cross-signing keys.
const (
	usageMaster      = "master"
	usageSelfSigning = "self_signing"
	usageUserSigning = "user_signing"
)

// publicKey is a cross-signing key as the server publishes it.
type publicKey struct {
	UserID string            `json:"user_id"`
	Usage  []string          `json:"usage"`
	Keys   map[string]string `json:"keys"`
}

func (id *Identity) public(usage string, key SigningKey, by ...SigningKey) (json.RawMessage, error) {
	object, err := json.Marshal(publicKey{UserID: id.UserID, Usage: []string{usage}, Keys: map[string]string{key.ID(): key.Public()}})
	if err != nil || len(by) == 0 {
		return object, err
	}
	return Sign(object, id.UserID, by...)
}

// IdentityUpload is the body of POST /_matrix/client/v3/keys/device_signing/upload
// without "auth".
type IdentityUpload struct {
	MasterKey      json.RawMessage `json:"master_key"`
	SelfSigningKey json.RawMessage `json:"self_signing_key"`
	UserSigningKey json.RawMessage `json:"user_signing_key"`
}

// Upload gives the public keys to publish, the self-signing and the user-signing
// key signed by the master key. With a device the master key is signed by that
// device, too: older clients trust it by that.
func (id *Identity) Upload(d *Device) (IdentityUpload, error) {
	var by []SigningKey
	if d != nil {
		by = append(by, d.Signing)
	}
	master, err := id.public(usageMaster, id.Master, by...)
	if err != nil {
		return IdentityUpload{}, err
	}
	self, err := id.public(usageSelfSigning, id.SelfSigning, id.Master)
	if err != nil {
		return IdentityUpload{}, err
	}
	user, err := id.public(usageUserSigning, id.UserSigning, id.Master)
	if err != nil {
		return IdentityUpload{}, err
	}
	return IdentityUpload{MasterKey: master, SelfSigningKey: self, UserSigningKey: user}, nil
}

// SignaturesUpload gives the body of POST /_matrix/client/v3/keys/signatures/upload
// for a device whose keys the server has already: the device's keys signed by the
// self-signing key, and the master key signed by the device.
func (id *Identity) SignaturesUpload(d *Device) (map[string]map[string]json.RawMessage, error) {
	keys, err := d.keys(id)
	if err != nil {
		return nil, err
	}
	master, err := id.public(usageMaster, id.Master, d.Signing)
	if err != nil {
		return nil, err
	}
	return map[string]map[string]json.RawMessage{id.UserID: {d.DeviceID: keys, id.Master.Public(): master}}, nil
}

// ErrKeysDiffer is the answer of [Identity.Check] when a private key is not the
// user's.
var ErrKeysDiffer = errors.New("the cross-signing keys are not the ones that the server lists for this user")

// Check compares the private keys with what the server publishes for the user:
// each must yield the public key that is listed, and the listed keys must be
// signed as they should. Without that an identity must not be used: whoever sent
// it could have made it up. The error wraps [ErrKeysDiffer] if a key is another
// one, or missing.
func (id *Identity) Check(p Published) error {
	if p.UserID != id.UserID {
		return fmt.Errorf("the server was asked about %s instead of %s", p.UserID, id.UserID)
	}
	for _, k := range []struct {
		usage  string
		own    SigningKey
		theirs json.RawMessage
	}{
		{usageMaster, id.Master, p.MasterKey}, {usageSelfSigning, id.SelfSigning, p.SelfSigningKey}, {usageUserSigning, id.UserSigning, p.UserSigningKey},
	} {
		if len(k.theirs) == 0 {
			return fmt.Errorf("%w: it lists no %s key", ErrKeysDiffer, k.usage)
		}
		public, err := p.crossSigningKey(k.usage, k.theirs)
		if err != nil {
			return err
		}
		if public != k.own.Public() {
			return fmt.Errorf("%w: the %s key is another one", ErrKeysDiffer, k.usage)
		}
		if k.usage == usageMaster {
			continue
		}
		if err := Verify(k.theirs, id.UserID, id.Master.ID(), id.Master.Public()); err != nil {
			return fmt.Errorf("the %s key that the server lists: %w", k.usage, err)
		}
	}
	return nil
}
