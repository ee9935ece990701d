package factors

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
)

// The one-time codes are those that every app makes: SHA-1, six digits, a new one
// every 30 seconds (RFC 6238; RFC 4226 recommends 20 bytes of secret).
const (
	stepSeconds = 30
	codeDigits  = 6
	secretBytes = 20
	// drift is how many steps a clock may be ahead or behind.
	drift = 1
)

var base32Text = base32.StdEncoding.WithPadding(base32.NoPadding)

// NewCodeSecret makes the secret of one-time codes, in the base32 that people type
// into an app: 32 letters and digits.
func NewCodeSecret() string {
	raw := make([]byte, secretBytes)
	_, _ = rand.Read(raw) // never fails: crypto/rand ends the program instead
	return base32Text.EncodeToString(raw)
}

// IsCodeSecret reports whether text is a secret as NewCodeSecret makes them.
func IsCodeSecret(text string) bool {
	raw, err := base32Text.DecodeString(text)
	return err == nil && len(raw) == secretBytes
}

// CodeAddress is what the QR code for an app says, in the form that apps agree on
// (otpauth://).
func (s *Service) CodeAddress(userID id.UserID, secret string) string {
	label := url.PathEscape(s.cfg.ServerName) + ":" + url.PathEscape(string(userID))
	return "otpauth://totp/" + label + "?secret=" + secret + "&issuer=" + url.QueryEscape(s.cfg.ServerName)
}

// AddCodes sets one-time codes up, in place of those that there are, for somebody who
// has shown by a code that the app has the secret. It fails with ErrWrong if the code
// is wrong, and with ErrKey. The first factor of an account brings recovery codes,
// which are given here and never again.
func (s *Service) AddCodes(tx *db.Tx, userID id.UserID, secret, code string) (recovery []string, err error) {
	raw, err := base32Text.DecodeString(secret)
	if err != nil || len(raw) != secretBytes {
		return nil, ErrWrong
	}
	step, ok := matches(raw, code, tx.Now)
	if !ok {
		return nil, ErrWrong
	}
	if _, err := s.accounts.Hold(tx, userID); err != nil {
		return nil, err
	}
	key, err := s.key(tx, true)
	if err != nil {
		return nil, err
	}
	sealed, err := seal(key, userID, raw)
	if err != nil {
		return nil, err
	}
	err = tx.Later(`INSERT INTO totp_secrets (user_id, sealed, used_step, added_ts) VALUES ($1, $2, $3, $4)
		ON CONFLICT (user_id) DO UPDATE SET sealed = excluded.sealed, used_step = excluded.used_step, added_ts = excluded.added_ts`,
		userID, sealed, step, tx.Now.UnixMilli())
	if err != nil {
		return nil, err
	}
	return s.settle(tx, userID, CodesAdded)
}

// RemoveCodes switches one-time codes off. It fails with ErrLast if the account has to
// keep them, and with db.ErrNoRow if there are none.
func (s *Service) RemoveCodes(tx *db.Tx, userID id.UserID) error {
	if _, err := s.accounts.Hold(tx, userID); err != nil {
		return err
	}
	n, err := tx.Exec(`DELETE FROM totp_secrets WHERE user_id = $1`, userID)
	if err == nil && n == 0 {
		err = db.ErrNoRow
	}
	if err != nil {
		return err
	}
	_, err = s.settle(tx, userID, CodesRemoved)
	return err
}

// CheckCode reports whether a one-time code is right, and uses it up: neither it nor
// an earlier one is good again. A wrong one is counted, so the caller commits either
// way. It fails with LimitExceeded after too many wrong ones, and with ErrKey.
func (s *Service) CheckCode(tx *db.Tx, userID id.UserID, code string) (bool, error) {
	if _, err := s.accounts.Hold(tx, userID); err != nil {
		return false, err
	}
	if err := mayGuess(tx, guessCode, userID); err != nil {
		return false, err
	}
	sealed, err := db.One(tx, db.Scalar[[]byte], `SELECT sealed FROM totp_secrets WHERE user_id = $1`, userID)
	if errors.Is(err, db.ErrNoRow) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	key, err := s.key(tx, false)
	if err != nil {
		return false, err
	}
	secret, err := unseal(key, userID, sealed)
	if err != nil {
		s.log.Error("the secret of one-time codes cannot be read", "user_id", userID)
		return false, ErrKey
	}
	if step, ok := matches(secret, code, tx.Now); ok {
		n, err := tx.Exec(`UPDATE totp_secrets SET used_step = $2 WHERE user_id = $1 AND used_step < $2`, userID, step)
		if err != nil || n == 1 {
			return n == 1, err
		}
	}
	return false, countGuess(tx, guessCode, userID)
}

// matches gives the step whose code it is, if it is one of now or of a step before or
// after. It takes the same time whichever it is.
func matches(secret []byte, code string, now time.Time) (step int64, ok bool) {
	code = strings.Join(strings.Fields(code), "")
	at := now.Unix() / stepSeconds
	for near := at - drift; near <= at+drift; near++ {
		if subtle.ConstantTimeCompare([]byte(codeOf(secret, near)), []byte(code)) == 1 {
			step, ok = near, true
		}
	}
	return step, ok
}

// codeOf is the code of a step: RFC 4226 section 5.3, with the step as its counter.
func codeOf(secret []byte, step int64) string {
	mac := hmac.New(sha1.New, secret)
	mac.Write(binary.BigEndian.AppendUint64(nil, uint64(step)))
	sum := mac.Sum(nil)
	offset := sum[len(sum)-1] & 0xf
	n := binary.BigEndian.Uint32(sum[offset:]) & 0x7fffffff
	return fmt.Sprintf("%0*d", codeDigits, n%1_000_000)
}
