package crosssigning

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// SigningKey is an Ed25519 key pair with the name it has in the signatures of
// its user: "ed25519:" and a device ID, or for a cross-signing key the public key
// itself. The zero value is no key; see [SigningKey.IsZero].
type SigningKey struct {
	name    string // "" for a cross-signing key: it is named by its public key
	private ed25519.PrivateKey
}

func newSigningKey(name string) (SigningKey, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	return SigningKey{name: name, private: private}, err
}

// parseSigningKey reads the 32 bytes that an Ed25519 key is made of, in base64.
func parseSigningKey(name, seed string) (SigningKey, error) {
	raw, err := Decode32(seed)
	if err != nil {
		return SigningKey{}, err
	}
	return SigningKey{name: name, private: ed25519.NewKeyFromSeed(raw)}, nil
}

// IsZero tells whether there is no key.
func (k SigningKey) IsZero() bool { return k.private == nil }

// ID is the name of the key in signatures and key lists, "ed25519:…".
func (k SigningKey) ID() string {
	if k.name == "" {
		return "ed25519:" + k.Public()
	}
	return "ed25519:" + k.name
}

// Public is the public key in unpadded base64; "" if there is no key.
func (k SigningKey) Public() string {
	if k.IsZero() {
		return ""
	}
	return Encode(k.private.Public().(ed25519.PublicKey))
}

// String is the name of the key: printing a key does not show what is secret.
func (k SigningKey) String() string { return k.ID() }

// GoString is String.
func (k SigningKey) GoString() string { return k.ID() }

// secret is the private key in unpadded base64, "" if there is no key.
func (k SigningKey) secret() string {
	if k.IsZero() {
		return ""
	}
	return Encode(k.private.Seed())
}

// Sign adds signatures of a user to a JSON object and gives the object in
// canonical form. What "signatures" held before stays; "signatures" and
// "unsigned" are not signed. It fails if object is no JSON object that can be
// signed, or if a key is the zero value.
//
// Specification: appendix "Signing JSON".
func Sign(object []byte, userID string, keys ...SigningKey) ([]byte, error) {
	fields, err := decodeFields(object)
	if err != nil {
		return nil, err
	}
	message := signedPart(fields)
	all, _ := fields["signatures"].(map[string]any)
	if all == nil {
		all = map[string]any{}
	}
	own, _ := all[userID].(map[string]any)
	if own == nil {
		own = map[string]any{}
	}
	for _, key := range keys {
		if key.IsZero() {
			return nil, errors.New("a key to sign with is missing")
		}
		own[key.ID()] = Encode(ed25519.Sign(key.private, message))
	}
	all[userID] = own
	fields["signatures"] = all
	return appendValue(nil, fields), nil
}

// Verify tells whether a JSON object has a valid signature of a user by the
// public key, which is given in base64 and looked up under keyID ("ed25519:…").
// The error says what is wrong.
func Verify(object []byte, userID, keyID, public string) error {
	fields, err := decodeFields(object)
	if err != nil {
		return err
	}
	key, err := Decode32(public)
	if err != nil {
		return fmt.Errorf("the public key %s: %w", keyID, err)
	}
	all, _ := fields["signatures"].(map[string]any)
	own, _ := all[userID].(map[string]any)
	text, ok := own[keyID].(string)
	if !ok {
		return fmt.Errorf("there is no signature by %s", keyID)
	}
	signature, err := decodeBase64(text)
	if err != nil || len(signature) != ed25519.SignatureSize {
		return fmt.Errorf("the signature by %s is malformed", keyID)
	}
	if !ed25519.Verify(key, signedPart(fields), signature) {
		return fmt.Errorf("the signature by %s is not valid", keyID)
	}
	return nil
}

func decodeFields(object []byte) (map[string]any, error) {
	value, err := decode(object)
	if err != nil {
		return nil, err
	}
	fields, ok := value.(map[string]any)
	if !ok {
		return nil, errors.New("only a JSON object can be signed")
	}
	return fields, nil
}

func signedPart(fields map[string]any) []byte {
	rest := make(map[string]any, len(fields))
	for key, value := range fields {
		if key != "signatures" && key != "unsigned" {
			rest[key] = value
		}
	}
	return appendValue(nil, rest)
}

// signValue is Sign for a Go value.
func signValue(value any, userID string, keys ...SigningKey) (json.RawMessage, error) {
	object, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	return Sign(object, userID, keys...)
}

// Encode writes bytes as Matrix does: standard base64 without padding.
func Encode(raw []byte) string { return base64.RawStdEncoding.EncodeToString(raw) }

// Decode32 reads a key of 32 bytes from base64. Padding is accepted, because some
// clients write it.
func Decode32(text string) ([]byte, error) {
	raw, err := decodeBase64(text)
	if err != nil {
		return nil, errors.New("a key is not base64")
	}
	if len(raw) != 32 {
		return nil, fmt.Errorf("a key has %d bytes instead of 32", len(raw))
	}
	return raw, nil
}

func decodeBase64(text string) ([]byte, error) {
	return base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "="))
}
