package secretstorage

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"strings"
)

// Algorithm is the only way of encryption that secret storage has.
const Algorithm = "m.secret_storage.v1.aes-hmac-sha2"

// The types of account data in which secret storage lives.
const (
	DefaultKeyType = "m.secret_storage.default_key" // {"key": ID}
	keyTypePrefix  = "m.secret_storage.key."

	MasterKeyType      = "m.cross_signing.master"
	SelfSigningKeyType = "m.cross_signing.self_signing"
	UserSigningKeyType = "m.cross_signing.user_signing"
	BackupKeyType      = "m.megolm_backup.v1"
)

// Key encrypts secrets.
type Key struct {
	// ID names the key in account data.
	ID     string
	secret [32]byte
}

// NewKey makes a key with a random ID.
func NewKey() Key {
	k := Key{ID: rand.Text()}
	_, _ = rand.Read(k.secret[:]) // never fails
	return k
}

// FromRecoveryKey reads what [Key.RecoveryKey] wrote. The ID is that of the key
// description that it is for.
func FromRecoveryKey(id, text string) (Key, error) {
	raw, err := decodeRecoveryKey(text)
	return Key{ID: id, secret: raw}, err
}

// Passphrase says how a key is made of a passphrase.
type Passphrase struct {
	Algorithm  string `json:"algorithm"` // m.pbkdf2
	Salt       string `json:"salt"`
	Iterations int    `json:"iterations"`
	Bits       int    `json:"bits,omitempty"` // 0: 256
}

// maxIterations bounds the work that a description can ask for: about ten
// seconds. Clients write 500,000.
const maxIterations = 10_000_000

// FromPassphrase makes a key of a passphrase as a key description says. It
// refuses any algorithm but m.pbkdf2, and any length but 256 bits.
func FromPassphrase(id, passphrase string, p Passphrase) (Key, error) {
	switch {
	case p.Algorithm != "m.pbkdf2":
		return Key{}, fmt.Errorf("the passphrase is turned into a key by %q, which is not known here", p.Algorithm)
	case p.Bits != 0 && p.Bits != 256:
		return Key{}, fmt.Errorf("the passphrase makes a key of %d bits; only 256 are used", p.Bits)
	case p.Iterations < 1 || p.Iterations > maxIterations:
		return Key{}, fmt.Errorf("%d iterations are not between 1 and %d", p.Iterations, maxIterations)
	}
	raw, err := pbkdf2.Key(sha512.New, passphrase, []byte(p.Salt), p.Iterations, 32)
	if err != nil {
		return Key{}, err
	}
	k := Key{ID: id}
	copy(k.secret[:], raw)
	return k, nil
}

// RecoveryKey is the key as a person writes it down: groups of four characters.
func (k Key) RecoveryKey() string { return encodeRecoveryKey(k.secret) }

// Type is the type of account data that describes the key.
func (k Key) Type() string { return keyTypePrefix + k.ID }

// String names the key: printing it does not show what is secret.
func (k Key) String() string { return k.Type() }

// GoString is String.
func (k Key) GoString() string { return k.Type() }

// Description is the account data that describes a key.
type Description struct {
	Name       string      `json:"name,omitempty"`
	Algorithm  string      `json:"algorithm"`
	Passphrase *Passphrase `json:"passphrase,omitempty"`
	IV         string      `json:"iv,omitempty"`
	MAC        string      `json:"mac,omitempty"`
}

// zeros are what is encrypted to check a key.
const zeros = "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"

// Describe gives the account data for the key, with what lets others check it.
func (k Key) Describe(name string) Description {
	check := k.seal("", newIV(), zeros)
	return Description{Name: name, Algorithm: Algorithm, IV: check.IV, MAC: check.MAC}
}

// ErrWrongKey is wrapped by what a key answers that is not the right one.
var ErrWrongKey = errors.New("this is not the key")

// Fits tells whether the key is the one that is described. A description without
// a check fits every key.
func (k Key) Fits(d Description) error {
	if d.Algorithm != Algorithm {
		return fmt.Errorf("the key is for %q, which is not known here", d.Algorithm)
	}
	if d.IV == "" || d.MAC == "" {
		return nil
	}
	iv, err := decodeIV(d.IV)
	if err != nil {
		return err
	}
	mac, err := decodeBase64(d.MAC)
	if err != nil {
		return fmt.Errorf("the check of the key: %w", err)
	}
	own, err := decodeBase64(k.seal("", iv, zeros).MAC)
	if err != nil || !hmac.Equal(mac, own) {
		return fmt.Errorf("%w that is described", ErrWrongKey)
	}
	return nil
}

// Encrypted is a secret encrypted by one key.
type Encrypted struct {
	IV         string `json:"iv"`
	Ciphertext string `json:"ciphertext"`
	MAC        string `json:"mac"`
}

// Secret is the account data that holds a secret, encrypted by one or more keys.
type Secret struct {
	Encrypted map[string]Encrypted `json:"encrypted"`
}

// Seal gives the account data for a secret. The name is the type of the account
// data; the same text under another name cannot be opened.
func (k Key) Seal(name, secret string) Secret {
	return Secret{Encrypted: map[string]Encrypted{k.ID: k.seal(name, newIV(), secret)}}
}

// Open reads a secret that was sealed by the key. The error wraps [ErrWrongKey] if
// it was sealed by other keys, or was changed.
func (k Key) Open(name string, s Secret) (string, error) {
	e, ok := s.Encrypted[k.ID]
	if !ok {
		return "", fmt.Errorf("%w by which %s is encrypted", ErrWrongKey, name)
	}
	iv, err := decodeIV(e.IV)
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	text, err := decodeBase64(e.Ciphertext)
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	mac, err := decodeBase64(e.MAC)
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	stream, own := k.keys(name, iv)
	own.Write(text)
	if !hmac.Equal(mac, own.Sum(nil)) {
		return "", fmt.Errorf("%w by which %s is encrypted, or it was changed", ErrWrongKey, name)
	}
	stream.XORKeyStream(text, text)
	return string(text), nil
}

func (k Key) seal(name string, iv []byte, secret string) Encrypted {
	stream, mac := k.keys(name, iv)
	text := []byte(secret)
	stream.XORKeyStream(text, text)
	mac.Write(text)
	return Encrypted{IV: encode(iv), Ciphertext: encode(text), MAC: encode(mac.Sum(nil))}
}

// keys derives what encrypts and what authenticates a secret. Nothing in it can
// fail with keys of 32 bytes and an IV of 16.
func (k Key) keys(name string, iv []byte) (cipher.Stream, hash.Hash) {
	raw, _ := hkdf.Key(sha256.New, k.secret[:], make([]byte, 32), name, 64)
	block, _ := aes.NewCipher(raw[:32])
	return cipher.NewCTR(block, iv), hmac.New(sha256.New, raw[32:])
}

// newIV is random with bit 63 cleared: implementations of AES-CTR differ in how
// they carry over it.
func newIV() []byte {
	iv := make([]byte, 16)
	_, _ = rand.Read(iv) // never fails
	iv[8] &= 0x7f
	return iv
}

func decodeIV(text string) ([]byte, error) {
	iv, err := decodeBase64(text)
	if err != nil || len(iv) != aes.BlockSize {
		return nil, errors.New("the initialization vector is not 16 bytes in base64")
	}
	return iv, nil
}

func encode(raw []byte) string { return base64.RawStdEncoding.EncodeToString(raw) }

// decodeBase64 accepts padding, because some clients write it.
func decodeBase64(text string) ([]byte, error) {
	raw, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "="))
	if err != nil {
		return nil, errors.New("it is not base64")
	}
	return raw, nil
}
