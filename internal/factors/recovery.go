package factors

import (
	"strings"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/secret"
)

// Recovery codes have 80 bits, so that a hash of one needs no salt and no key: they
// must work when the key file is lost.
const (
	recoveryCodes  = 10
	recoveryLength = 16
	// recoveryLetters are those of Crockford's base32, which leaves out what is easily
	// mistaken for something else.
	recoveryLetters = "0123456789abcdefghjkmnpqrstvwxyz"
)

// readRecovery undoes what people do to a code when they type it.
var readRecovery = strings.NewReplacer("-", "", " ", "", "o", "0", "i", "1", "l", "1")

func hashRecovery(code string) []byte {
	return secret.Hash("recovery " + readRecovery.Replace(strings.ToLower(code)))
}

// RenewRecovery makes ten recovery codes, in place of those that there were. They are
// given here and never again: four groups of four characters each. It fails with
// db.ErrNoRow if the account has nothing to recover.
func (s *Service) RenewRecovery(tx *db.Tx, userID id.UserID) ([]string, error) {
	account, err := s.accounts.Hold(tx, userID)
	if err != nil {
		return nil, err
	}
	if !account.SecondFactor {
		return nil, db.ErrNoRow
	}
	codes, err := s.renewRecovery(tx, userID)
	if err != nil {
		return nil, err
	}
	return codes, s.announce(tx, userID, RecoveryRenewed)
}

func (s *Service) renewRecovery(tx *db.Tx, userID id.UserID) ([]string, error) {
	if err := tx.Later(`DELETE FROM recovery_codes WHERE user_id = $1`, userID); err != nil {
		return nil, err
	}
	codes := make([]string, recoveryCodes)
	for i := range codes { // ten
		code := secret.Letters(recoveryLength, recoveryLetters)
		codes[i] = code[:4] + "-" + code[4:8] + "-" + code[8:12] + "-" + code[12:]
		if err := tx.Later(`INSERT INTO recovery_codes (user_id, code_hash) VALUES ($1, $2)`, userID, hashRecovery(code)); err != nil {
			return nil, err
		}
	}
	return codes, nil
}

// CheckRecovery reports whether a recovery code is right, and uses it up. A wrong one
// is counted, so the caller commits either way. It fails with LimitExceeded after too
// many wrong ones.
func (s *Service) CheckRecovery(tx *db.Tx, userID id.UserID, code string) (bool, error) {
	if _, err := s.accounts.Hold(tx, userID); err != nil {
		return false, err
	}
	if err := mayGuess(tx, guessRecovery, userID); err != nil {
		return false, err
	}
	n, err := tx.Exec(`DELETE FROM recovery_codes WHERE user_id = $1 AND code_hash = $2`, userID, hashRecovery(code))
	switch {
	case err != nil:
		return false, err
	case n == 0:
		return false, countGuess(tx, guessRecovery, userID)
	}
	return true, s.announce(tx, userID, RecoveryUsed)
}
