package e2ee

import (
	"crypto/ed25519"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/narthex-matrix/narthex/internal/canonicaljson"
	"github.com/narthex-matrix/narthex/internal/id"
)

// ed25519Prefix begins the ids of all keys that sign.
const ed25519Prefix = "ed25519:"

// signatures are by user and by id of the key, as in the member of that name.
type signatures map[id.UserID]map[string]string

// signed is a JSON object with the signatures over it.
type signed struct {
	covered    []byte // what they cover: canonical, without signatures and unsigned
	signatures signatures
}

// readSigned reads an object whose JSON has been checked. The member unsigned is
// the server's to say. Signatures that are not of the specified shape are none:
// ok is false then.
func readSigned(raw []byte) (s signed, ok bool, err error) {
	canon, err := canonicaljson.CanonicalLoose(raw)
	if err != nil {
		return s, false, err
	}
	members, err := canonicaljson.AppendMembers(nil, canon)
	if err != nil {
		return s, false, err
	}
	ok = true
	if list := canonicaljson.Get(members, "signatures"); list != nil {
		var byUser map[string]map[string]string // a signature under a name that is no user's is only foreign
		ok = json.Unmarshal(list, &byUser) == nil
		s.signatures = make(signatures, len(byUser))
		for u, keys := range byUser {
			s.signatures[id.UserID(u)] = keys
		}
	}
	s.covered = canonicaljson.AppendObject(nil, canonicaljson.Without(members, "signatures", "unsigned"))
	return s, ok, nil
}

// by gives the signature that a user's key made over the object, or "" if there is
// none or it does not verify.
func (s signed) by(userID id.UserID, keyID string, key ed25519.PublicKey) string {
	text := s.signatures[userID][ed25519Prefix+keyID]
	signature, err := canonicaljson.DecodeBase64(text)
	if err != nil || len(key) != ed25519.PublicKeySize || !ed25519.Verify(key, s.covered, signature) {
		return ""
	}
	return text
}

// has reports whether the object claims a signature by a user's key, whether or
// not it verifies.
func (s signed) has(userID id.UserID, keyID string) bool {
	_, yes := s.signatures[userID][ed25519Prefix+keyID]
	return yes
}

// parseKey reads an Ed25519 public key; nil if it is none.
func parseKey(text string) ed25519.PublicKey {
	key, err := canonicaljson.DecodeBase64(text)
	if err != nil || len(key) != ed25519.PublicKeySize {
		return nil
	}
	return key
}

// parsePlainKey is parseKey for a key that is also a name, and so must be spelled
// in the one way: base64 without padding.
func parsePlainKey(text string) ed25519.PublicKey {
	key := parseKey(text)
	if key == nil || strings.Contains(text, "=") || canonicaljson.EncodeBase64(key) != text {
		return nil
	}
	return key
}

// set adds a signature; an empty one is none.
func (s signatures) set(userID id.UserID, keyID, signature string) {
	if signature == "" {
		return
	}
	if s[userID] == nil {
		s[userID] = map[string]string{}
	}
	s[userID][ed25519Prefix+keyID] = signature
}

// object puts signatures, and the member unsigned if it is not nil, into an object
// as signed.covered has it.
func object(covered []byte, s signatures, unsigned any) ([]byte, error) {
	members, err := canonicaljson.AppendMembers(nil, covered)
	if err != nil {
		return nil, err
	}
	for name, value := range map[string]any{"signatures": s, "unsigned": unsigned} {
		if value == nil || name == "signatures" && len(s) == 0 {
			continue
		}
		raw, err := json.Marshal(value, json.Deterministic(true))
		if err != nil {
			return nil, err
		}
		members = canonicaljson.Set(members, name, raw)
	}
	return canonicaljson.AppendObject(nil, members), nil
}
