package canonicaljson

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"strings"
)

// The reasons why Verify refuses a signature.
var (
	ErrNotSigned    = errors.New("the object carries no signature by that key")
	ErrBadSignature = errors.New("the signature does not match the object")
	ErrBadKey       = errors.New("the key is not an Ed25519 key")
)

// EncodeBase64 writes bytes in unpadded base64 with the standard alphabet, as
// hashes, keys and signatures are.
func EncodeBase64(data []byte) string {
	return base64.RawStdEncoding.EncodeToString(data)
}

// DecodeBase64 reads base64 with the standard alphabet, with or without padding.
func DecodeBase64(text string) ([]byte, error) {
	return base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "="))
}

// Sign signs an object and returns its canonical form with the signature under
// signatures → serverName → keyID ("ed25519:1"). Other signatures and the member
// "unsigned" stay and are not covered. The errors are those of Canonical, a
// *ShapeError if object or its signatures are not objects, and ErrBadKey.
//
// Specification: appendix "Signing Details".
func Sign(object []byte, serverName, keyID string, key ed25519.PrivateKey) ([]byte, error) {
	if len(key) != ed25519.PrivateKeySize {
		return nil, ErrBadKey
	}
	canon, err := Canonical(object)
	if err != nil {
		return nil, err
	}
	members, err := AppendMembers(nil, canon)
	if err != nil {
		return nil, err
	}
	signature := EncodeBase64(ed25519.Sign(key, signedBytes(canon)))
	signatures, err := addSignature(Get(members, "signatures"), serverName, keyID, signature)
	if err != nil {
		return nil, err
	}
	return AppendObject(nil, Set(members, "signatures", signatures)), nil
}

// signedBytes returns what a signature of a canonical object covers.
func signedBytes(canon []byte) []byte {
	members, err := AppendMembers(nil, canon)
	if err != nil {
		return canon
	}
	return AppendObject(nil, Without(members, "signatures", "unsigned"))
}

// addSignature puts one signature into the canonical value of "signatures", which
// may be nil.
func addSignature(signatures []byte, serverName, keyID, signature string) ([]byte, error) {
	var servers, keys []Member
	var err error
	if signatures != nil {
		if servers, err = AppendMembers(nil, signatures); err != nil {
			return nil, inKey(err, []byte("signatures"))
		}
	}
	if own := Get(servers, serverName); own != nil {
		if keys, err = AppendMembers(nil, own); err != nil {
			return nil, inKey(inKey(err, []byte(serverName)), []byte("signatures"))
		}
	}
	keys = Set(keys, keyID, AppendString(nil, signature))
	servers = Set(servers, serverName, AppendObject(nil, keys))
	return AppendObject(nil, servers), nil
}

// Verify checks the signature that a server made over an object with one key. It
// returns nil, ErrNotSigned, ErrBadSignature, ErrBadKey, or an error of
// CanonicalLoose. Numbers that canonical JSON excludes are tolerated, because a
// signature over them is still a signature.
//
// Specification: appendix "Checking for a Signature".
func Verify(object []byte, serverName, keyID string, key ed25519.PublicKey) error {
	if len(key) != ed25519.PublicKeySize {
		return ErrBadKey
	}
	canon, err := CanonicalLoose(object)
	if err != nil {
		return err
	}
	members, err := AppendMembers(nil, canon)
	if err != nil {
		return err
	}
	signature, err := findSignature(Get(members, "signatures"), serverName, keyID)
	if err != nil {
		return err
	}
	if !ed25519.Verify(key, signedBytes(canon), signature) {
		return ErrBadSignature
	}
	return nil
}

func findSignature(signatures []byte, serverName, keyID string) ([]byte, error) {
	servers, err := AppendMembers(nil, signatures)
	if err != nil {
		return nil, ErrNotSigned
	}
	keys, err := AppendMembers(nil, Get(servers, serverName))
	if err != nil {
		return nil, ErrNotSigned
	}
	text, ok := Text(Get(keys, keyID))
	if !ok {
		return nil, ErrNotSigned
	}
	signature, err := DecodeBase64(text)
	if err != nil {
		return nil, ErrBadSignature
	}
	return signature, nil
}
