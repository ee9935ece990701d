package secretstorage

import (
	"errors"
	"fmt"
	"math/big"
	"strings"
	"unicode"
)

const base58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

// The two bytes that every written key begins with.
const recoveryPrefix = "\x8b\x01"

// encodeRecoveryKey writes a key for people.
//
// Specification: appendix "Cryptographic key representation".
func encodeRecoveryKey(key [32]byte) string {
	raw := append([]byte(recoveryPrefix), key[:]...)
	raw = append(raw, parity(raw))
	// The first byte is never zero, so the number keeps the length.
	n, base, digit := new(big.Int).SetBytes(raw), big.NewInt(58), new(big.Int)
	var reversed []byte
	for n.Sign() > 0 {
		n.DivMod(n, base, digit)
		reversed = append(reversed, base58[digit.Int64()])
	}
	var b strings.Builder
	for i := range reversed {
		if i > 0 && i%4 == 0 {
			b.WriteByte(' ')
		}
		b.WriteByte(reversed[len(reversed)-1-i])
	}
	return b.String()
}

// decodeRecoveryKey reads what encodeRecoveryKey wrote, with white space anywhere.
// The parity byte finds most slips of the pen.
func decodeRecoveryKey(text string) (key [32]byte, err error) {
	if len(text) > 500 {
		return key, errors.New("a recovery key is shorter")
	}
	n := new(big.Int)
	for _, c := range text {
		if unicode.IsSpace(c) {
			continue
		}
		digit := strings.IndexRune(base58, c)
		if digit < 0 {
			return key, fmt.Errorf("a recovery key has no %q in it", c)
		}
		n.Mul(n, big.NewInt(58)).Add(n, big.NewInt(int64(digit)))
	}
	raw := n.Bytes()
	switch {
	case len(raw) != len(recoveryPrefix)+32+1:
		return key, errors.New("it has not the length of a recovery key; is a group of characters missing, or one too many?")
	case string(raw[:2]) != recoveryPrefix:
		return key, errors.New("it does not begin as a recovery key does")
	case parity(raw) != 0:
		return key, errors.New("a character of the recovery key is wrong")
	}
	copy(key[:], raw[2:])
	return key, nil
}

func parity(raw []byte) (sum byte) {
	for _, b := range raw {
		sum ^= b
	}
	return sum
}
