package qr

import (
	"crypto/ecdh"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"math"
	"strings"
)

// The largest payload of a session, in bytes of base64 (RZ-28, Z2-8).
const (
	maxPayload2024 = 10240
	maxPayload2025 = 4096
	// maxReceived bounds what is read: the largest session that a server of 2024
	// should offer.
	maxReceived = 102400
)

const (
	textInitiate = "MATRIX_QR_CODE_LOGIN_INITIATE"
	textOK       = "MATRIX_QR_CODE_LOGIN_OK"
)

// encoding is base64 with the standard alphabet and no padding.
var encoding = base64.RawStdEncoding.Strict()

type stage int

const (
	fresh     stage = iota
	initiated       // the scanner has greeted
	ready
	closed
)

// Channel is one device's end of the secure channel. The device that shows the
// code makes one with NewGenerator, the other with NewScanner; then the scanner's
// Initiate, the generator's Answer and the scanner's Finish complete the
// handshake, and both Seal and Open.
//
// The tokens are those of Mailbox; Gen2024 ignores them. A Channel is for one
// sign-in and belongs to one goroutine.
type Channel struct {
	profile   Profile
	generator bool
	own       *ecdh.PrivateKey // nil once the keys are derived
	ownKey    [32]byte
	peerKey   [32]byte
	place     []byte // what each message is bound to, but for the token
	stage     stage
	cipher    sealer
	code      string // the digits
}

// A sealer is the keyed part of a channel.
type sealer interface {
	seal(plaintext, aad []byte) ([]byte, error)
	// open leaves the sealer as it was if it fails.
	open(ciphertext, aad []byte) ([]byte, error)
}

// NewGenerator makes the end of the device that shows the code, with a fresh key.
// Of the code only BaseURL and RendezvousID are used, and only in Gen2025: the
// channel is bound to them. They must be as they stand in the code.
func NewGenerator(profile Profile, code Payload) (*Channel, error) {
	own, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	return newGenerator(profile, code, own)
}

func newGenerator(profile Profile, code Payload, own *ecdh.PrivateKey) (*Channel, error) {
	place, err := placeOf(profile, code)
	if err != nil {
		return nil, err
	}
	c := &Channel{profile: profile, generator: true, own: own, place: place}
	copy(c.ownKey[:], own.PublicKey().Bytes())
	return c, nil
}

// NewScanner makes the end of the device that has scanned the code. It fails with
// ErrPeerKey if the key in the code is not usable.
func NewScanner(profile Profile, code Payload) (*Channel, error) {
	own, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	return newScanner(profile, code, own)
}

// newScanner takes the key for tests. Gen2025 makes its own in hpke.NewSender.
func newScanner(profile Profile, code Payload, own *ecdh.PrivateKey) (*Channel, error) {
	place, err := placeOf(profile, code)
	if err != nil {
		return nil, err
	}
	c := &Channel{profile: profile, peerKey: code.Key, place: place}
	if profile.Generation() == Gen2025 {
		var public []byte
		c.cipher, public, c.code, err = newScannerHPKE(profile, c.peerKey)
		copy(c.ownKey[:], public)
	} else {
		c.cipher, c.code, err = newECIES(profile, own, c.peerKey, false)
		copy(c.ownKey[:], own.PublicKey().Bytes())
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

// placeOf gives the part of a message's associated data that stays the same.
func placeOf(profile Profile, code Payload) ([]byte, error) {
	switch profile.Generation() {
	case Gen2024:
		return nil, nil
	case Gen2025:
		if len(code.BaseURL) > math.MaxUint16 || len(code.RendezvousID) > math.MaxUint8 {
			return nil, &PayloadError{Problem: BadField}
		}
		place := binary.BigEndian.AppendUint16(nil, uint16(len(code.BaseURL)))
		place = append(place, code.BaseURL...)
		place = append(place, byte(len(code.RendezvousID)))
		return append(place, code.RendezvousID...), nil
	}
	return nil, ErrOrder
}

// PublicKey is this end's key: for a generator, the one that goes into the code.
func (c *Channel) PublicKey() [32]byte {
	return c.ownKey
}

// Initiate gives the first message, which the scanner sends.
func (c *Channel) Initiate(sealToken string) (string, error) {
	if c.generator || c.stage != fresh {
		return "", ErrOrder
	}
	ciphertext, err := c.sealBytes([]byte(textInitiate), sealToken)
	if err != nil {
		return "", err
	}
	c.stage = initiated
	if c.profile.Generation() == Gen2025 {
		return encoding.EncodeToString(append(c.ownKey[:], ciphertext...)), nil
	}
	return encoding.EncodeToString(ciphertext) + "|" + encoding.EncodeToString(c.ownKey[:]), nil
}

// Answer opens the scanner's first message and gives the second, which the
// generator sends. The first message uses the key up: after an error the session
// must be closed without a word.
func (c *Channel) Answer(message, openToken, sealToken string) (string, error) {
	if !c.generator || c.stage != fresh {
		return "", ErrOrder
	}
	var nonce []byte
	if c.profile.Generation() == Gen2025 {
		nonce = make([]byte, responseNonceSize)
		_, _ = rand.Read(nonce) // never fails
	}
	return c.answer(message, openToken, sealToken, nonce)
}

// answer takes the nonce for tests. It is empty in Gen2024.
func (c *Channel) answer(message, openToken, sealToken string, nonce []byte) (string, error) {
	own := c.own
	c.own, c.stage = nil, closed // until all is well
	ciphertext, err := c.splitInitiate(message)
	if err != nil {
		return "", err
	}
	if c.profile.Generation() == Gen2025 {
		var end *hpkeEnd
		if end, c.code, err = newGeneratorHPKE(c.profile, own, c.peerKey); err == nil {
			c.cipher, err = end, end.respond(c.peerKey, nonce)
		}
	} else {
		c.cipher, c.code, err = newECIES(c.profile, own, c.peerKey, true)
	}
	if err != nil {
		return "", err
	}
	plaintext, err := c.openBytes(ciphertext, openToken)
	if err != nil {
		return "", err
	}
	if string(plaintext) != textInitiate {
		return "", ErrHandshake
	}
	reply, err := c.sealBytes([]byte(textOK), sealToken)
	if err != nil {
		return "", err
	}
	c.stage = ready
	return encoding.EncodeToString(append(nonce, reply...)), nil
}

// splitInitiate takes the scanner's key from its message and gives the rest.
func (c *Channel) splitInitiate(message string) (ciphertext []byte, err error) {
	var key []byte
	if c.profile.Generation() == Gen2025 {
		if ciphertext, err = decode(message); err != nil || len(ciphertext) < len(c.peerKey) {
			return nil, ErrFraming
		}
		key, ciphertext = ciphertext[:len(c.peerKey)], ciphertext[len(c.peerKey):]
	} else {
		left, right, _ := strings.Cut(message, "|")
		if ciphertext, err = decode(left); err != nil {
			return nil, err
		}
		if key, err = decode(right); err != nil || len(key) != len(c.peerKey) {
			return nil, ErrFraming
		}
	}
	copy(c.peerKey[:], key)
	return ciphertext, nil
}

// Finish opens the generator's answer. Only now does the scanner know that nobody
// stands between the devices, and may say so and show the check code.
func (c *Channel) Finish(message, openToken string) error {
	if c.generator || c.stage != initiated {
		return ErrOrder
	}
	c.stage = closed // until all is well
	ciphertext, err := decode(message)
	if err != nil {
		return err
	}
	if h, ok := c.cipher.(*hpkeEnd); ok {
		if len(ciphertext) < responseNonceSize {
			return ErrFraming
		}
		if err := h.respond(c.ownKey, ciphertext[:responseNonceSize]); err != nil {
			return err
		}
		ciphertext = ciphertext[responseNonceSize:]
	}
	plaintext, err := c.openBytes(ciphertext, openToken)
	if err != nil {
		return err
	}
	if string(plaintext) != textOK {
		return ErrHandshake
	}
	c.stage = ready
	return nil
}

// CheckCode gives the two digits for the scanner to show. The generator has no
// use for them but CheckDigits, and gets ErrOrder.
func (c *Channel) CheckCode() (string, error) {
	if c.generator || c.stage != ready {
		return "", ErrOrder
	}
	return c.code, nil
}

// CheckDigits reports, on the generator, whether a person typed the digits that
// the scanner shows. Spaces do not count. There is to be one attempt: who guesses
// has one chance in ninety or a hundred.
func (c *Channel) CheckDigits(typed string) (bool, error) {
	if !c.generator || c.stage != ready {
		return false, ErrOrder
	}
	typed = strings.Join(strings.Fields(typed), "")
	return subtle.ConstantTimeCompare([]byte(typed), []byte(c.code)) == 1, nil
}

// Seal makes the next message for the other device. It fails with ErrTooLarge if
// the message is larger than sessions of the generation take (10,240 or 4,096
// bytes after base64), and is not used up then.
func (c *Channel) Seal(plaintext []byte, sealToken string) (string, error) {
	if c.stage != ready {
		return "", ErrOrder
	}
	limit := maxPayload2024
	if c.profile.Generation() == Gen2025 {
		limit = maxPayload2025
	}
	if encoding.EncodedLen(len(plaintext)+tagSize) > limit {
		return "", ErrTooLarge
	}
	ciphertext, err := c.sealBytes(plaintext, sealToken)
	if err != nil {
		return "", err
	}
	return encoding.EncodeToString(ciphertext), nil
}

// Open reads the other device's next message. Of several tokens it tries one after
// the other. A message that cannot be opened (ErrFraming, ErrForged) leaves the
// channel as it was.
func (c *Channel) Open(message string, openTokens ...string) ([]byte, error) {
	if c.stage != ready {
		return nil, ErrOrder
	}
	ciphertext, err := decode(message)
	if err != nil {
		return nil, err
	}
	err = ErrForged
	for _, token := range openTokens {
		var plaintext []byte
		if plaintext, err = c.openBytes(ciphertext, token); err == nil {
			return plaintext, nil
		}
	}
	return nil, err
}

// Close forgets the keys. Go cannot promise that no copy is left in memory.
func (c *Channel) Close() {
	c.own, c.cipher, c.code, c.stage = nil, nil, "", closed
}

func (c *Channel) sealBytes(plaintext []byte, token string) ([]byte, error) {
	aad, err := c.aad(token)
	if err != nil {
		return nil, err
	}
	return c.cipher.seal(plaintext, aad)
}

func (c *Channel) openBytes(ciphertext []byte, token string) ([]byte, error) {
	aad, err := c.aad(token)
	if err != nil {
		return nil, err
	}
	return c.cipher.open(ciphertext, aad)
}

func (c *Channel) aad(token string) ([]byte, error) {
	if c.profile.Generation() == Gen2024 {
		return nil, nil
	}
	if len(token) > math.MaxUint8 {
		return nil, ErrFraming
	}
	aad := append([]byte{}, c.place...)
	return append(append(aad, byte(len(token))), token...), nil
}

func decode(message string) ([]byte, error) {
	if len(message) > maxReceived {
		return nil, ErrFraming
	}
	// The decoder passes over line breaks, which no message has.
	if strings.ContainsAny(message, "\r\n") {
		return nil, ErrFraming
	}
	out, err := encoding.DecodeString(message)
	if err != nil {
		return nil, ErrFraming
	}
	return out, nil
}
