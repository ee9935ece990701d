package e2ee

import (
	"context"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
)

type queryKeysRequest struct {
	DeviceKeys map[id.UserID][]id.DeviceID `json:"device_keys" required:"true"`
}

type queryKeysResponse struct {
	DeviceKeys      map[id.UserID]map[id.DeviceID]jsontext.Value `json:"device_keys"`
	MasterKeys      map[id.UserID]jsontext.Value                 `json:"master_keys"`
	SelfSigningKeys map[id.UserID]jsontext.Value                 `json:"self_signing_keys"`
	UserSigningKeys map[id.UserID]jsontext.Value                 `json:"user_signing_keys"`
	Failures        map[id.ServerName]struct{}                   `json:"failures"`
}

func (s *Service) queryKeys(ctx context.Context, call *httpapi.Call, req queryKeysRequest) (out queryKeysResponse, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		var users []id.UserID
		for u := range req.DeviceKeys {
			users = append(users, u)
		}
		view, err := s.keysOf(tx, call.UserID, users)
		if err != nil {
			return err
		}
		out, err = view.answer(req.DeviceKeys)
		return err
	})
	out.Failures = unreachable(s, req.DeviceKeys)
	return out, err
}

// keyView is what one user sees of the keys of others. Specification: End-to-end
// encryption, "Key and signature security".
type keyView struct {
	viewer  id.UserID
	users   map[id.UserID]bool // who exist
	names   map[deviceOf]*string
	devices map[deviceOf]identity
	cross   map[id.UserID]userKeys
	own     map[id.UserID]userSignature // the viewer's, of the master keys of others
}

// keysOf reads the keys of some users in a fixed number of statements.
func (s *Service) keysOf(tx *db.Tx, viewer id.UserID, users []id.UserID) (v keyView, err error) {
	v.viewer = viewer
	if v.users, err = s.accounts.Known(tx, users); err != nil {
		return v, err
	}
	devices, err := s.accounts.Devices(tx, users...)
	if err != nil {
		return v, err
	}
	v.names = make(map[deviceOf]*string, len(devices))
	for _, d := range devices {
		v.names[deviceOf{d.UserID, d.DeviceID}] = d.DisplayName
	}
	if v.devices, err = identities(tx, users); err != nil {
		return v, err
	}
	if v.cross, err = crossSigningKeys(tx, users); err != nil {
		return v, err
	}
	v.own, err = userSignaturesBy(tx, viewer, users)
	return v, err
}

func (v keyView) answer(wanted map[id.UserID][]id.DeviceID) (out queryKeysResponse, err error) {
	out.DeviceKeys = make(map[id.UserID]map[id.DeviceID]jsontext.Value, len(v.users))
	out.MasterKeys, out.SelfSigningKeys, out.UserSigningKeys = map[id.UserID]jsontext.Value{}, map[id.UserID]jsontext.Value{}, map[id.UserID]jsontext.Value{}
	ofMaster := map[id.UserID]signatures{}
	for u := range v.users {
		out.DeviceKeys[u], ofMaster[u] = map[id.DeviceID]jsontext.Value{}, signatures{}
	}
	for of, i := range v.devices {
		list := wanted[of.userID]
		if _, known := v.users[of.userID]; !known {
			continue
		}
		ofMaster[of.userID].set(of.userID, string(of.deviceID), i.masterSignature)
		if len(list) > 0 && !slices.Contains(list, of.deviceID) {
			continue
		}
		if out.DeviceKeys[of.userID][of.deviceID], err = v.device(of, i); err != nil {
			return out, err
		}
	}
	for u := range v.users {
		keys := v.cross[u]
		if signed, ok := v.own[u]; ok && signed.masterKey == keys[master].publicKey {
			ofMaster[u].set(v.viewer, signed.signingKey, signed.signature)
		}
		for usage, answers := range map[usage]map[id.UserID]jsontext.Value{master: out.MasterKeys, selfSigning: out.SelfSigningKeys, userSigning: out.UserSigningKeys} {
			key, ok := keys[usage]
			if !ok || usage == userSigning && u != v.viewer {
				continue
			}
			by := signatures{}
			if usage == master {
				by = ofMaster[u]
			}
			by.set(u, keys[master].publicKey, key.signature)
			if answers[u], err = object(key.keys, by, nil); err != nil {
				return out, err
			}
		}
	}
	return out, nil
}

type unsignedDeviceInfo struct {
	DisplayName string `json:"device_display_name"`
}

// device gives the keys of a device as others get them: with the signatures that
// there are, and its name, which no signature covers.
func (v keyView) device(of deviceOf, i identity) (jsontext.Value, error) {
	by := signatures{}
	by.set(of.userID, string(of.deviceID), i.signature)
	by.set(of.userID, v.cross[of.userID][selfSigning].publicKey, i.selfSignature)
	if name := v.names[of]; name != nil {
		return object(i.keys, by, unsignedDeviceInfo{*name})
	}
	return object(i.keys, by, nil)
}
