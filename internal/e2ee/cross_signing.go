package e2ee

import (
	"bytes"
	"context"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
)

type uploadCrossSigningKeysRequest struct {
	MasterKey      jsontext.Value `json:"master_key"`
	SelfSigningKey jsontext.Value `json:"self_signing_key"`
	UserSigningKey jsontext.Value `json:"user_signing_key"`
	Auth           *accounts.Auth `json:"auth"`
}

// uploadCrossSigningKeys takes the first keys of a user as they come, and the same
// keys again. Others take their place only after user-interactive authentication.
func (s *Service) uploadCrossSigningKeys(ctx context.Context, call *httpapi.Call, req uploadCrossSigningKeysRequest) (empty, error) {
	uploaded, err := readCrossSigningKeys(call.UserID, req)
	if err != nil {
		return empty{}, err
	}
	var proof *accounts.Proof
	for {
		guarded := false
		err := s.db.Write(ctx, func(tx *db.Tx) (err error) {
			guarded, err = s.putCrossSigningKeys(tx, call, uploaded, proof)
			return err
		})
		if err != nil || !guarded {
			return empty{}, err
		}
		passed, err := s.accounts.Interactive(ctx, call, accounts.ForCrossSigning(call), req.Auth)
		if err != nil {
			return empty{}, err
		}
		proof = &passed
	}
}

// uploadedKey is a cross-signing key as it is sent, with all signatures of it.
type uploadedKey struct {
	crossSigningKey
	signed
}

// readCrossSigningKeys reads the keys of an upload, without looking at signatures.
func readCrossSigningKeys(userID id.UserID, req uploadCrossSigningKeysRequest) (map[usage]uploadedKey, error) {
	uploaded := map[usage]uploadedKey{}
	for _, sent := range []struct {
		usage usage
		name  string
		raw   jsontext.Value
	}{
		{master, "master_key", req.MasterKey},
		{selfSigning, "self_signing_key", req.SelfSigningKey},
		{userSigning, "user_signing_key", req.UserSigningKey},
	} {
		if sent.raw == nil || sent.raw.Kind() == 'n' {
			continue
		}
		key, err := readCrossSigningKey(userID, sent.usage, sent.name, sent.raw)
		if err != nil {
			return nil, err
		}
		for _, other := range uploaded {
			if other.publicKey == key.publicKey {
				return nil, errcode.InvalidParam.New("%q is the key of another usage too. Make a key for each usage.", sent.name).With("param", sent.name)
			}
		}
		uploaded[sent.usage] = key
	}
	if len(uploaded) == 0 {
		return nil, errcode.MissingParam.New("There is no key: send %q, or one that the present master key has signed.", "master_key").With("param", "master_key")
	}
	return uploaded, nil
}

func readCrossSigningKey(userID id.UserID, use usage, name string, raw jsontext.Value) (k uploadedKey, err error) {
	bad := func(code *errcode.Code, what string) (uploadedKey, error) {
		return uploadedKey{}, code.New("%q %s.", name, what).With("param", name)
	}
	if len(raw) > maxDeviceKeys {
		return bad(errcode.TooLarge, "is too large")
	}
	var keys struct {
		UserID id.UserID         `json:"user_id"`
		Usage  []string          `json:"usage"`
		Keys   map[string]string `json:"keys"`
	}
	if err := json.Unmarshal(raw, &keys); err != nil || keys.Usage == nil || keys.Keys == nil {
		return bad(errcode.BadJSON, "must have user_id, usage and keys, as the specification describes them")
	}
	k.userID, k.usage = userID, use
	if keys.UserID != userID {
		return bad(errcode.InvalidParam, "must be a key of the account that uploads it")
	}
	if !slices.Contains(keys.Usage, string(use)) {
		return bad(errcode.InvalidParam, "must have the usage "+string(use))
	}
	for keyID, text := range keys.Keys {
		k.publicKey = text
		if rest, ok := strings.CutPrefix(keyID, ed25519Prefix); !ok || rest != text || parsePlainKey(text) == nil {
			return bad(errcode.InvalidParam, "must be an Ed25519 key in unpadded base64, with an id made of it")
		}
	}
	if len(keys.Keys) != 1 {
		return bad(errcode.InvalidParam, "must have exactly one key")
	}
	var ok bool
	if k.signed, ok, err = readSigned(raw); err != nil {
		return k, err
	}
	if !ok {
		return bad(errcode.BadJSON, "has signatures that are not of the specified shape")
	}
	k.keys = k.covered
	return k, nil
}

// putCrossSigningKeys stores the keys of an upload. It does nothing and reports
// true if they would replace others and there is no proof of who asks.
func (s *Service) putCrossSigningKeys(tx *db.Tx, call *httpapi.Call, uploaded map[usage]uploadedKey, proof *accounts.Proof) (guarded bool, err error) {
	if err := lockKeys(tx, call.UserID); err != nil {
		return false, err
	}
	stored, err := crossSigningKeysOf(tx, call.UserID)
	if err != nil {
		return false, err
	}
	if err := checkChain(uploaded, stored); err != nil {
		return false, err
	}
	fresh := freshKeys(uploaded, stored)
	if len(fresh) == 0 {
		return false, nil
	}
	if err := s.checkNames(tx, call.UserID, fresh); err != nil {
		return false, err
	}
	if _, exists := stored[master]; exists {
		if proof == nil {
			return true, nil
		}
		if err := s.accounts.SpendCrossSigning(tx, call, *proof); err != nil {
			return false, err
		}
	}
	for _, k := range fresh {
		if err := dropSignaturesBy(tx, call.UserID, k.usage); err != nil {
			return false, err
		}
		if err := putCrossSigningKey(tx, k.crossSigningKey); err != nil {
			return false, err
		}
		if k.usage == master {
			if err := putDevicesSignatures(tx, call.UserID, k.signed); err != nil {
				return false, err
			}
		}
	}
	return false, s.changed(tx, call.UserID)
}

// checkChain holds that the master key, sent now or before, has signed the other
// keys, and notes its signatures.
func checkChain(uploaded map[usage]uploadedKey, stored userKeys) error {
	by, ok := stored[master]
	if sent, now := uploaded[master]; now {
		by, ok = sent.crossSigningKey, true
	}
	if !ok {
		return errcode.MissingParam.New("There is no master key yet, so %q is needed.", "master_key").With("param", "master_key")
	}
	for use, k := range uploaded {
		k.signature = by.signs(k.signed)
		if k.signature == "" && (use != master || k.has(k.userID, by.publicKey)) {
			return errcode.InvalidSignature.New("The key for %s has no signature by the master key %s that verifies.", use, by.publicKey)
		}
		uploaded[use] = k
	}
	return nil
}

// freshKeys gives the keys that differ from those that are there, the master key
// first. A key below another master key than before is another key.
func freshKeys(uploaded map[usage]uploadedKey, stored userKeys) (fresh []uploadedKey) {
	rotated := false
	for _, use := range []usage{master, selfSigning, userSigning} {
		k, sent := uploaded[use]
		if !sent || !rotated && bytes.Equal(stored[use].keys, k.keys) {
			continue
		}
		rotated = rotated || use == master
		fresh = append(fresh, k)
	}
	return fresh
}

// checkNames holds that no public key is the id of a device: both name keys.
func (s *Service) checkNames(tx *db.Tx, userID id.UserID, fresh []uploadedKey) error {
	devices, err := s.accounts.Devices(tx, userID)
	for _, d := range devices {
		if slices.ContainsFunc(fresh, func(k uploadedKey) bool { return k.publicKey == string(d.DeviceID) }) {
			return errcode.Forbidden.New("The key %s has the id of a device of yours. Make another key.", d.DeviceID)
		}
	}
	return err
}

// putDevicesSignatures stores the signatures that the user's devices have made of
// a new master key.
func putDevicesSignatures(tx *db.Tx, userID id.UserID, ofMaster signed) error {
	devices, err := identities(tx, []id.UserID{userID})
	if err != nil {
		return err
	}
	for of, i := range devices {
		if signature := i.signs(ofMaster, of); signature != "" {
			if err := setMasterSignature(tx, of, signature); err != nil {
				return err
			}
		}
	}
	return nil
}

func setMasterSignature(tx *db.Tx, of deviceOf, signature string) error {
	return tx.Later(`UPDATE device_keys SET master_signature = $3 WHERE user_id = $1 AND device_id = $2`, of.userID, of.deviceID, signature)
}

func setSelfSignature(tx *db.Tx, of deviceOf, signature string) error {
	return tx.Later(`UPDATE device_keys SET self_signature = $3 WHERE user_id = $1 AND device_id = $2`, of.userID, of.deviceID, signature)
}
