package qr

import (
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/binary"
	"hash"

	"golang.org/x/crypto/chacha20poly1305"
)

// tagSize is what sealing adds, in bytes.
const tagSize = chacha20poly1305.Overhead

// A lane is one direction of a channel: a key and its counter.
type lane struct {
	aead cipher.AEAD
	next uint64
	step uint64
	// base is combined with the counter to make the nonce; see nonce.
	base []byte
}

// newLane takes the key over and wipes it.
func newLane(key []byte, first, step uint64, base []byte) (lane, error) {
	aead, err := chacha20poly1305.New(key)
	clear(key)
	return lane{aead: aead, next: first, step: step, base: base}, err
}

// nonce is the counter as 96 bits: little-endian in ECIES, which has no base;
// big-endian and combined with the base by exclusive or in HPKE (RFC 9180 §5.2).
func (l *lane) nonce() []byte {
	nonce := make([]byte, chacha20poly1305.NonceSize)
	if l.base == nil {
		binary.LittleEndian.PutUint64(nonce, l.next)
		return nonce
	}
	binary.BigEndian.PutUint64(nonce[len(nonce)-8:], l.next)
	for i := range nonce {
		nonce[i] ^= l.base[i]
	}
	return nonce
}

func (l *lane) seal(plaintext, aad []byte) ([]byte, error) {
	out := l.aead.Seal(nil, l.nonce(), plaintext, aad)
	l.next += l.step
	return out, nil
}

// open counts on only if the message is the expected one.
func (l *lane) open(ciphertext, aad []byte) ([]byte, error) {
	out, err := l.aead.Open(nil, l.nonce(), ciphertext, aad)
	if err != nil {
		return nil, ErrForged
	}
	l.next += l.step
	return out, nil
}

// ecies is the channel of 2024: X25519, HKDF and ChaCha20-Poly1305.
type ecies struct {
	out, in lane
}

func (e *ecies) seal(plaintext, aad []byte) ([]byte, error)  { return e.out.seal(plaintext, aad) }
func (e *ecies) open(ciphertext, aad []byte) ([]byte, error) { return e.in.open(ciphertext, aad) }

// newECIES derives the keys and the check code. The proposal does not say how the
// public keys stand in the labels; everybody writes them in base64, the
// generator's first.
func newECIES(profile Profile, own *ecdh.PrivateKey, peer [32]byte, generator bool) (*ecies, string, error) {
	theirs, err := ecdh.X25519().NewPublicKey(peer[:])
	if err != nil {
		return nil, "", ErrPeerKey
	}
	secret, err := own.ECDH(theirs) // refuses a secret of zeros
	if err != nil {
		return nil, "", ErrPeerKey
	}
	defer clear(secret)
	keys := own.PublicKey().Bytes()
	if generator {
		keys = append(keys, peer[:]...)
	} else {
		keys = append(peer[:], keys...)
	}
	sum := sha512.New
	labelS, labelG := labelKeyS, labelKeyG
	firstG, step := uint64(0), uint64(1)
	if profile == Seed {
		sum = sha256.New
		labelS, labelG = labelKey, labelKey
		firstG, step = 1, 2
	}
	keyS, err := derive(sum, secret, labelS, keys, chacha20poly1305.KeySize)
	if err != nil {
		return nil, "", err
	}
	keyG, err := derive(sum, secret, labelG, keys, chacha20poly1305.KeySize)
	if err != nil {
		return nil, "", err
	}
	code, err := derive(sum, secret, labelCode, keys, codeSize)
	if err != nil {
		return nil, "", err
	}
	fromS, err := newLane(keyS, 0, step, nil)
	if err != nil {
		return nil, "", err
	}
	fromG, err := newLane(keyG, firstG, step, nil)
	if err != nil {
		return nil, "", err
	}
	if generator {
		return &ecies{out: fromG, in: fromS}, digits2024(code), nil
	}
	return &ecies{out: fromS, in: fromG}, digits2024(code), nil
}

const (
	labelKey  = "MATRIX_QR_CODE_LOGIN"
	labelKeyS = "MATRIX_QR_CODE_LOGIN_ENCKEY_S"
	labelKeyG = "MATRIX_QR_CODE_LOGIN_ENCKEY_G"
	labelCode = "MATRIX_QR_CODE_LOGIN_CHECKCODE"

	// codeSize is how many bytes the digits of the check code are made from.
	codeSize = 2
)

// derive is HKDF without salt; keys are the generator's and the scanner's.
func derive(sum func() hash.Hash, secret []byte, label string, keys []byte, size int) ([]byte, error) {
	return hkdf.Key(sum, secret, nil, withKeys(label, keys), size)
}

// withKeys appends the two public keys to a label.
func withKeys(label string, keys []byte) string {
	unpadded := base64.RawStdEncoding
	return label + "|" + unpadded.EncodeToString(keys[:32]) + "|" + unpadded.EncodeToString(keys[32:])
}

func digits2024(code []byte) string {
	return string([]byte{'0' + code[0]%10, '0' + code[1]%10})
}

// digits2025 never begins with a zero.
func digits2025(code []byte) string {
	return string([]byte{'1' + code[0]%9, '0' + code[1]%10})
}
