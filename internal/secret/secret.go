// Package secret mints, hashes and compares tokens, codes and passwords.
//
// Tokens carry a prefix that says what they are and a checksum, so that a scanner
// of leaked secrets can find them and a damaged one is refused without a look-up.
// Only their hashes are stored. Passwords are hashed with Argon2id, at most a set
// number at once, so that a flood of sign-ins cannot exhaust the memory.
package secret

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"hash/crc32"
	"math/big"
	"strings"
)

// Kind is the prefix of a token.
type Kind string

// The kinds of tokens.
const (
	AccessToken  Kind = "nxt_a_"
	RefreshToken Kind = "nxt_r_"
	LoginToken   Kind = "nxt_l_"
	OpenIDToken  Kind = "nxt_o_"
	// AuthorizationCode, DeviceCode and BrowserSession are those of OAuth 2.0 and
	// its pages.
	AuthorizationCode Kind = "nxt_c_"
	DeviceCode        Kind = "nxt_d_"
	BrowserSession    Kind = "nxt_b_"
	// UpstreamState accompanies a browser to a provider of single sign-on and back.
	UpstreamState Kind = "nxt_u_"
	// SignInStep is what a browser has between the two steps of signing in.
	SignInStep Kind = "nxt_s_"
	// IdentityToken is the access token of the identity service.
	IdentityToken Kind = "nxt_i_"
	// FirstAdministrator is in the link by which the first administrator makes an
	// account.
	FirstAdministrator Kind = "nxt_f_"
)

const (
	tokenBytes = 24 // 192 bits
	checkChars = 6
)

// New mints a token: the prefix, 32 characters of randomness and 6 of checksum.
func New(k Kind) string {
	body := string(k) + String(tokenBytes)
	return body + checksum(body)
}

// Plausible reports whether token has the prefix and checksum of its kind. It
// needs no database; it proves nothing.
func Plausible(k Kind, token string) bool {
	if !strings.HasPrefix(token, string(k)) || len(token) < len(k)+checkChars {
		return false
	}
	body := token[:len(token)-checkChars]
	return token[len(body):] == checksum(body)
}

func checksum(body string) string {
	sum := crc32.ChecksumIEEE([]byte(body))
	b := []byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)}
	return base64.RawURLEncoding.EncodeToString(b)
}

// String gives n random bytes as unpadded URL-safe base64.
func String(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: crypto/rand ends the program instead
	return base64.RawURLEncoding.EncodeToString(b)
}

// Letters gives n random characters of the alphabet.
func Letters(n int, alphabet string) string {
	var b strings.Builder
	size := big.NewInt(int64(len(alphabet)))
	for range n {
		i, _ := rand.Int(rand.Reader, size) // never fails, as above
		b.WriteByte(alphabet[i.Int64()])
	}
	return b.String()
}

// Hash is the form in which a token is stored: SHA-256. A token has enough
// randomness of its own to need no salt.
func Hash(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}

// Equal compares two secrets in constant time.
func Equal(a, b string) bool {
	return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1
}
