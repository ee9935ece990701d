package e2ee

import (
	"bytes"
	"errors"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/rooms"
)

// deviceOf is a device of a user.
type deviceOf struct {
	userID   id.UserID
	deviceID id.DeviceID
}

// identity is one row of `device_keys`: the identity keys of a device, and what
// signatures there are of them and by them.
type identity struct {
	keys            []byte
	signature       string
	selfSignature   string // empty: none
	masterSignature string // empty: none
}

func scanIdentity(r db.Row) (of deviceOf, i identity, err error) {
	var self, master *string
	err = r.Scan(&of.userID, &of.deviceID, &i.keys, &i.signature, &self, &master)
	if self != nil {
		i.selfSignature = *self
	}
	if master != nil {
		i.masterSignature = *master
	}
	return of, i, err
}

// identities gives the identity keys of the devices of some users.
func identities(tx *db.Tx, users []id.UserID) (map[deviceOf]identity, error) {
	found := map[deviceOf]identity{}
	return found, db.Chunks(users, func(chunk []id.UserID) error {
		in := db.In(chunk)
		return db.Each(tx, func(r db.Row) error {
			of, i, err := scanIdentity(r)
			found[of] = i
			return err
		}, `SELECT user_id, device_id, keys, signature, self_signature, master_signature FROM device_keys WHERE user_id IN (`+in.Marks(1)+`)`, in.Args()...)
	})
}

// signs gives the signature that the device made over an object, or "".
func (i identity) signs(s signed, of deviceOf) string {
	var keys struct {
		Keys map[string]string `json:"keys"`
	}
	if json.Unmarshal(i.keys, &keys) != nil {
		return ""
	}
	return s.by(of.userID, string(of.deviceID), parseKey(keys.Keys[ed25519Prefix+string(of.deviceID)]))
}

// readIdentity checks the keys that a device uploads of itself; nil if it sends
// none. They must carry the device's own signature.
func readIdentity(call *httpapi.Call, raw jsontext.Value) (*signed, error) {
	const name = "device_keys"
	if raw == nil || raw.Kind() == 'n' {
		return nil, nil
	}
	if len(raw) > maxDeviceKeys {
		return nil, errcode.TooLarge.New("The keys of a device may have at most %d bytes.", maxDeviceKeys)
	}
	var keys struct {
		UserID     string            `json:"user_id"`
		DeviceID   string            `json:"device_id"`
		Algorithms []string          `json:"algorithms"`
		Keys       map[string]string `json:"keys"`
		Signatures jsontext.Value    `json:"signatures"`
	}
	if err := json.Unmarshal(raw, &keys); err != nil || keys.Algorithms == nil || keys.Keys == nil || keys.Signatures == nil {
		return nil, badIdentity()
	}
	if keys.UserID != string(call.UserID) || keys.DeviceID != string(call.DeviceID) {
		return nil, errcode.InvalidParam.New("%q must be those of the device that uploads them: %s of %s.", name, call.DeviceID, call.UserID).With("param", name)
	}
	s, ok, err := readSigned(raw)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, badIdentity()
	}
	keyID := ed25519Prefix + keys.DeviceID
	if s.by(call.UserID, keys.DeviceID, parseKey(keys.Keys[keyID])) == "" {
		return nil, errcode.InvalidParam.New("%q must carry a signature by its own key %s, made as the specification's Signing JSON says.", name, keyID).With("param", name)
	}
	return &s, nil
}

func badIdentity() error {
	const name = "device_keys"
	return errcode.BadJSON.New("%q must have user_id, device_id, algorithms, keys and signatures, as the specification describes them.", name).With("param", name)
}

// putIdentity stores the keys of a device, together with the signature by the
// user's self-signing key if they carry one that verifies, and tells those who are
// concerned if anything is new. All other signatures are dropped.
func (s *Service) putIdentity(tx *db.Tx, of deviceOf, uploaded signed) error {
	if err := lockKeys(tx, of.userID); err != nil {
		return err
	}
	cross, err := crossSigningKeysOf(tx, of.userID)
	if err != nil {
		return err
	}
	for _, k := range cross {
		if k.publicKey == string(of.deviceID) {
			return errcode.InvalidParam.New("The device has the id of a cross-signing key of the account. Sign in again, on a device with another id.").With("param", "device_keys")
		}
	}
	old, err := db.One(tx, func(r db.Row) (identity, error) {
		_, i, err := scanIdentity(r)
		return i, err
	}, `SELECT user_id, device_id, keys, signature, self_signature, master_signature FROM device_keys WHERE user_id = $1 AND device_id = $2`, of.userID, of.deviceID)
	if err != nil && !errors.Is(err, db.ErrNoRow) {
		return err
	}
	fresh := identity{keys: uploaded.covered, signature: uploaded.signatures[of.userID][ed25519Prefix+string(of.deviceID)]}
	if key, ok := cross[selfSigning]; ok {
		fresh.selfSignature = key.signs(uploaded)
	}
	if bytes.Equal(old.keys, fresh.keys) {
		if fresh.selfSignature == "" {
			fresh.selfSignature = old.selfSignature
		}
		fresh.masterSignature = old.masterSignature
		if fresh.signature == old.signature && fresh.selfSignature == old.selfSignature {
			return nil
		}
	}
	if err := tx.Later(`INSERT INTO device_keys (user_id, device_id, keys, signature, self_signature, master_signature)
		VALUES ($1, $2, $3, $4, NULLIF($5, ''), NULLIF($6, '')) ON CONFLICT (user_id, device_id) DO UPDATE SET keys = excluded.keys,
			signature = excluded.signature, self_signature = excluded.self_signature, master_signature = excluded.master_signature`,
		of.userID, of.deviceID, fresh.keys, fresh.signature, fresh.selfSignature, fresh.masterSignature); err != nil {
		return err
	}
	return s.changed(tx, of.userID)
}

// lockKeys keeps others from changing the identity and cross-signing keys of a
// user, and the signatures by them, until the transaction ends.
func lockKeys(tx *db.Tx, userID id.UserID) error {
	return tx.Lock("identity keys", string(userID))
}

// changed tells everyone who shares a room with a user that the user's keys, or the
// signatures that all see, are others now. It takes a position, so it comes late.
func (s *Service) changed(tx *db.Tx, userID id.UserID) error {
	if err := rooms.WakeRoomsOf(tx, userID); err != nil {
		return err
	}
	return s.accounts.DeviceListChanged(tx, userID)
}
