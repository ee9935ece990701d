package e2ee

import (
	"bytes"
	"context"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/narthex-matrix/narthex/internal/bus"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
)

type uploadCrossSigningSignaturesRequest struct {
	Signed jsontext.Value `body:"*"`
}

type uploadCrossSigningSignaturesResponse struct {
	Failures map[id.UserID]map[string]failure `json:"failures"`
}

type failure struct {
	Errcode string `json:"errcode"`
	Error   string `json:"error"`
}

func fail(code *errcode.Code, text string) *failure { return &failure{code.Name, text} }

// uploadCrossSigningSignatures takes signatures that the user's own keys have made:
// the self-signing key of devices, devices of the master key, and the user-signing
// key of the master keys of others. Each is verified, and refused by itself.
func (s *Service) uploadCrossSigningSignatures(ctx context.Context, call *httpapi.Call, req uploadCrossSigningSignaturesRequest) (out uploadCrossSigningSignaturesResponse, err error) {
	var sent map[id.UserID]map[string]jsontext.Value
	if err := json.Unmarshal(req.Signed, &sent); err != nil {
		return out, errcode.BadJSON.New("The body must map user IDs to ids of keys, and these to signed objects.")
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		if err := lockKeys(tx, call.UserID); err != nil {
			return err
		}
		upload, err := newSignatureUpload(tx, call.UserID, sent)
		if err != nil {
			return err
		}
		out.Failures = map[id.UserID]map[string]failure{}
		for u, objects := range sent {
			for keyID, raw := range objects {
				refused, err := upload.add(u, keyID, raw)
				if err != nil {
					return err
				}
				if refused == nil {
					continue
				}
				if out.Failures[u] == nil {
					out.Failures[u] = map[string]failure{}
				}
				out.Failures[u][keyID] = *refused
			}
		}
		return s.putSignatures(tx, upload)
	})
	return out, err
}

// signatureUpload is what an upload of signatures is checked against, and those
// that are new.
type signatureUpload struct {
	signer  id.UserID
	devices map[deviceOf]identity // of the signer
	cross   map[id.UserID]userKeys
	made    map[id.UserID]userSignature // before

	ofDevices map[deviceOf]string
	ofMaster  map[deviceOf]string // by the device
	ofUsers   []userSignature
}

func newSignatureUpload(tx *db.Tx, signer id.UserID, sent map[id.UserID]map[string]jsontext.Value) (u *signatureUpload, err error) {
	u = &signatureUpload{signer: signer, ofDevices: map[deviceOf]string{}, ofMaster: map[deviceOf]string{}}
	users := []id.UserID{signer}
	for other := range sent {
		users = append(users, other)
	}
	if u.devices, err = identities(tx, users[:1]); err != nil {
		return nil, err
	}
	if u.cross, err = crossSigningKeys(tx, users); err != nil {
		return nil, err
	}
	u.made, err = userSignaturesBy(tx, signer, users)
	return u, err
}

// add checks one signed object, and notes the signatures of it that are new. It
// says why it refuses it.
func (u *signatureUpload) add(userID id.UserID, keyID string, raw jsontext.Value) (*failure, error) {
	if raw.Kind() != '{' {
		return fail(errcode.BadJSON, "A signed key is an object."), nil
	}
	s, ok, err := readSigned(raw)
	if err != nil {
		return nil, err
	}
	if !ok {
		return fail(errcode.BadJSON, "The signatures are not of the specified shape."), nil
	}
	keys := u.cross[userID]
	of := deviceOf{userID, id.DeviceID(keyID)}
	device, isDevice := u.devices[of]
	switch key, ok := keys[master]; {
	case ok && key.publicKey == keyID && userID == u.signer:
		return u.addOwnMaster(s, key), nil
	case ok && key.publicKey == keyID:
		return u.addMaster(s, key), nil
	case isDevice:
		return u.addDevice(s, of, device), nil
	}
	return fail(errcode.NotFound, "The user has no such key that you can sign."), nil
}

// Why a signed object is refused.
func otherKey() *failure {
	return fail(errcode.InvalidSignature, "This is not the key as the server has it. Fetch it again, and sign it then.")
}
func notSigned(by string) *failure {
	return fail(errcode.InvalidSignature, "There is no signature by "+by+" that verifies.")
}

func (u *signatureUpload) addDevice(s signed, of deviceOf, device identity) *failure {
	if !bytes.Equal(s.covered, device.keys) {
		return otherKey()
	}
	key, ok := u.cross[u.signer][selfSigning]
	signature := ""
	if ok {
		signature = key.signs(s)
	}
	if signature == "" {
		return notSigned("your self-signing key")
	}
	if signature != device.selfSignature {
		u.ofDevices[of] = signature
	}
	return nil
}

func (u *signatureUpload) addOwnMaster(s signed, key crossSigningKey) *failure {
	if !bytes.Equal(s.covered, key.keys) {
		return otherKey()
	}
	found := false
	for of, device := range u.devices {
		if !s.has(u.signer, string(of.deviceID)) {
			continue
		}
		signature := device.signs(s, of)
		if signature == "" {
			return notSigned("your device " + string(of.deviceID))
		}
		found = true
		if signature != device.masterSignature {
			u.ofMaster[of] = signature
		}
	}
	if !found {
		return notSigned("a device of yours")
	}
	return nil
}

func (u *signatureUpload) addMaster(s signed, key crossSigningKey) *failure {
	if !bytes.Equal(s.covered, key.keys) {
		return otherKey()
	}
	by, ok := u.cross[u.signer][userSigning]
	signature := ""
	if ok {
		signature = by.signs(s)
	}
	if signature == "" {
		return notSigned("your user-signing key")
	}
	made := userSignature{key.userID, by.publicKey, key.publicKey, signature}
	if u.made[key.userID] != made {
		u.ofUsers = append(u.ofUsers, made)
	}
	return nil
}

// putSignatures stores what is new and tells who sees it: of a user's own keys
// everyone around them, of the keys of others the user's devices alone.
func (s *Service) putSignatures(tx *db.Tx, u *signatureUpload) error {
	for of, signature := range u.ofDevices { // few: devices of one user
		if err := setSelfSignature(tx, of, signature); err != nil {
			return err
		}
	}
	for of, signature := range u.ofMaster {
		if err := setMasterSignature(tx, of, signature); err != nil {
			return err
		}
	}
	if len(u.ofUsers) > 0 {
		slices.SortFunc(u.ofUsers, func(a, b userSignature) int { return strings.Compare(string(a.userID), string(b.userID)) })
		pos, err := tx.NextN(len(u.ofUsers))
		if err != nil {
			return err
		}
		for i, made := range u.ofUsers {
			if err := putUserSignature(tx, u.signer, made, pos+int64(i)); err != nil {
				return err
			}
		}
		tx.Wake(bus.User(u.signer))
	}
	if len(u.ofDevices)+len(u.ofMaster) == 0 {
		return nil
	}
	return s.changed(tx, u.signer)
}
