package qr

import (
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/hpke"
	"crypto/sha256"

	"golang.org/x/crypto/chacha20poly1305"
)

// The labels of MSC4388, and those of vodozemac where it differs.
const (
	labelInfo              = "MATRIX_QR_CODE_LOGIN"
	labelResponse          = "MATRIX_QR_CODE_LOGIN response"
	labelResponseVodozemac = "MATRIX_QR_CODE_LOGIN_RESPONSE"
)

// responseNonceSize is the length in bytes of the random nonce that begins the
// generator's answer: the longer of the AEAD's key and nonce (RFC 9458 §4.4).
const responseNonceSize = 32

// hpkeEnd is one end of the channel of 2025: requests from scanner to generator go
// through HPKE in base mode (DHKEM X25519 with HKDF-SHA256, HKDF-SHA256,
// ChaCha20-Poly1305), answers through a context made from its exporter.
type hpkeEnd struct {
	sender    *hpke.Sender    // on the scanner
	recipient *hpke.Recipient // on the generator
	secret    []byte          // for the answers' keys, until respond
	answers   lane
}

// newScannerHPKE also gives this end's public key, which is fresh, and the check
// code.
func newScannerHPKE(profile Profile, generatorKey [32]byte) (*hpkeEnd, []byte, string, error) {
	theirs, err := ecdh.X25519().NewPublicKey(generatorKey[:])
	if err != nil {
		return nil, nil, "", ErrPeerKey
	}
	public, err := hpke.NewDHKEMPublicKey(theirs)
	if err != nil {
		return nil, nil, "", ErrPeerKey
	}
	own, sender, err := hpke.NewSender(public, hpke.HKDFSHA256(), hpke.ChaCha20Poly1305(), []byte(labelInfo))
	if err != nil {
		return nil, nil, "", ErrPeerKey // the secret would be of zeros
	}
	e := &hpkeEnd{sender: sender}
	code, err := e.export(profile, sender.Export, append(generatorKey[:], own...))
	return e, own, code, err
}

func newGeneratorHPKE(profile Profile, own *ecdh.PrivateKey, scannerKey [32]byte) (*hpkeEnd, string, error) {
	private, err := hpke.NewDHKEMPrivateKey(own)
	if err != nil {
		return nil, "", err
	}
	recipient, err := hpke.NewRecipient(scannerKey[:], private, hpke.HKDFSHA256(), hpke.ChaCha20Poly1305(), []byte(labelInfo))
	if err != nil {
		return nil, "", ErrPeerKey
	}
	e := &hpkeEnd{recipient: recipient}
	code, err := e.export(profile, recipient.Export, append(own.PublicKey().Bytes(), scannerKey[:]...))
	return e, code, err
}

// export takes from the context what is not a message: the secret for the answers
// and the check code. keys are the generator's and the scanner's.
func (e *hpkeEnd) export(profile Profile, exporter func(string, int) ([]byte, error), keys []byte) (string, error) {
	forResponse, forCode := labelResponse, labelCode+string(keys)
	if profile == MSC4388Vodozemac {
		forResponse, forCode = labelResponseVodozemac, withKeys(labelCode, keys)
	}
	var err error
	if e.secret, err = exporter(forResponse, responseNonceSize); err != nil {
		return "", err
	}
	code, err := exporter(forCode, codeSize)
	if err != nil {
		return "", err
	}
	return digits2025(code), nil
}

// respond makes the answers' context, once the nonce of the answer is known.
func (e *hpkeEnd) respond(scannerKey [32]byte, nonce []byte) error {
	salt := append(scannerKey[:], nonce...)
	prk, err := hkdf.Extract(sha256.New, e.secret, salt)
	if err != nil {
		return err
	}
	defer clear(prk)
	clear(e.secret)
	e.secret = nil
	key, err := hkdf.Expand(sha256.New, prk, "key", chacha20poly1305.KeySize)
	if err != nil {
		return err
	}
	base, err := hkdf.Expand(sha256.New, prk, "nonce", chacha20poly1305.NonceSize)
	if err != nil {
		return err
	}
	e.answers, err = newLane(key, 0, 1, base)
	return err
}

func (e *hpkeEnd) seal(plaintext, aad []byte) ([]byte, error) {
	if e.sender != nil {
		return e.sender.Seal(aad, plaintext)
	}
	return e.answers.seal(plaintext, aad)
}

func (e *hpkeEnd) open(ciphertext, aad []byte) ([]byte, error) {
	if e.recipient == nil {
		return e.answers.open(ciphertext, aad)
	}
	plaintext, err := e.recipient.Open(aad, ciphertext)
	if err != nil {
		return nil, ErrForged
	}
	return plaintext, nil
}
