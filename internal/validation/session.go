package validation

import (
	"crypto/hmac"
	"crypto/sha512"
	"crypto/subtle"
	"math/big"
	"strings"
	"time"
	"unicode"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/secret"
)

const (
	// lifetime is for how long a session lasts after it was validated, and one of
	// the identity service by mail before that, too (TP-27).
	lifetime = 24 * time.Hour
	// remember is for how long an expired session is told from an unknown one (TP-30).
	remember = 5 * lifetime

	wrongCodes  = 5  // by text message (TP-22)
	wrongTokens = 20 // by mail
)

// session is one row of `validation_sessions`.
type session struct {
	sid         string
	purpose     Purpose
	medium      Medium
	address     string
	account     string
	secretHash  []byte
	seed        []byte
	pretended   bool
	sendAttempt int64
	nextLink    string
	wrong       int64
	created     int64
	expires     int64
	validated   *int64
	used        *int64
}

const sessionColumns = `sid, purpose, medium, address, account, secret_hash, seed, pretended, send_attempt, next_link, wrong, created_ts, expires_ts, validated_ts, used_ts`

func scanSession(r db.Row) (v session, err error) {
	err = r.Scan(&v.sid, &v.purpose, &v.medium, &v.address, &v.account, &v.secretHash, &v.seed, &v.pretended, &v.sendAttempt, &v.nextLink,
		&v.wrong, &v.created, &v.expires, &v.validated, &v.used)
	return v, err
}

// knows reports, in constant time, whether the secret is the session's.
func (v session) knows(clientSecret string) bool {
	return subtle.ConstantTimeCompare(secret.Hash(clientSecret), v.secretHash) == 1
}

func (v session) expired(now time.Time) bool { return v.expires <= now.UnixMilli() }

// burnt reports whether too many tokens were wrong.
func (v session) burnt() bool {
	if v.medium == Phone {
		return v.wrong >= wrongCodes
	}
	return v.wrong >= wrongTokens
}

// over reports whether the session takes no new message: the next request for one
// opens another session (TP-35).
func (v session) over(now time.Time) bool {
	return v.expired(now) || v.burnt() || v.validated != nil
}

const (
	digits  = "0123456789"
	letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz" + digits

	codeLength  = 6
	tokenLength = 32
)

// token gives what is sent to the address: six digits to a phone, 190 bits to a mail
// address (TP-23, TP-24). It is made anew each time, since a session has one token
// for all its messages (TP-18) and none is stored: the seed is nothing without the
// client's secret, of which only a hash is stored.
func (v session) token(clientSecret string) string {
	mac := hmac.New(sha512.New, v.seed)
	mac.Write([]byte(clientSecret))
	if v.medium == Phone {
		return spell(mac.Sum(nil), codeLength, digits)
	}
	return spell(mac.Sum(nil), tokenLength, letters)
}

// spell gives the lowest n digits of a number, written with the alphabet. Of 512
// bits no letter is noticeably likelier than another.
func spell(number []byte, n int, alphabet string) string {
	rest, digit, base := new(big.Int).SetBytes(number), new(big.Int), big.NewInt(int64(len(alphabet)))
	out := make([]byte, n)
	for i := range out {
		rest.DivMod(rest, base, digit)
		out[i] = alphabet[digit.Int64()]
	}
	return string(out)
}

// isToken reports, in constant time, whether the token is the session's. A session
// that only pretends has none.
func (v session) isToken(token, clientSecret string) bool {
	if v.medium == Phone {
		token = readCode(token)
	}
	same := subtle.ConstantTimeCompare(secret.Hash(token), secret.Hash(v.token(clientSecret))) == 1
	return same && !v.pretended
}

// readCode takes a code as people type it.
func readCode(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.Is(unicode.Pd, r) {
			return -1
		}
		return r
	}, text)
}
