package accounts

import (
	"context"
	"errors"
	"time"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/secret"
)

const (
	// maxWrong passwords may be tried for one name until guessWindow after the
	// first of them is over.
	maxWrong    = 10
	guessWindow = 10 * time.Minute
)

// CheckPassword gives the account that the identifier and the password belong to,
// in whatever state it is. It fails with Forbidden, always in the same words and
// after the same work, for a wrong password, an unknown user, and an account
// without a password; with LimitExceeded when there were too many wrong passwords
// for the name lately, even if this one is right; with MissingParam and
// UnrecognizedValue for an identifier that is malformed. It hashes, and so is not
// called inside a transaction.
func (s *Service) CheckPassword(ctx context.Context, who Identifier, password string) (Account, error) {
	var of subject
	var account Account
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) {
		if of, err = s.resolve(tx, who); err != nil {
			return err
		}
		// Once there were too many, no password is looked at: not even the time that
		// it takes says anything about it.
		if err := s.mayGuess(tx, of.name); err != nil {
			return err
		}
		account, err = s.Find(tx, of.userID)
		return err
	})
	if err != nil && !errors.Is(err, db.ErrNoRow) {
		return Account{}, err
	}
	right, err := s.passwords.Check(ctx, password, account.PasswordHash)
	if err != nil {
		return Account{}, err
	}
	if err := s.countGuess(ctx, of.name, right); err != nil {
		return Account{}, err
	}
	if !right {
		return Account{}, wrongPassword()
	}
	return account, nil
}

func wrongPassword() *errcode.Error {
	return errcode.Forbidden.New("The username or the password is wrong.")
}

// mayGuess fails with LimitExceeded when there were too many wrong passwords for
// the name lately.
func (s *Service) mayGuess(tx *db.Tx, name string) error {
	if !s.cfg.RateLimits.Enabled {
		return nil
	}
	tried, err := db.One(tx, scanGuesses, `SELECT wrong, until_ts FROM password_guesses WHERE who_hash = $1 AND until_ts > $2`,
		secret.Hash(name), tx.Now.UnixMilli())
	switch {
	case errors.Is(err, db.ErrNoRow):
		return nil
	case err == nil && tried.wrong >= maxWrong:
		return errcode.TooManyRequests(tried.until.Sub(tx.Now))
	}
	return err
}

// countGuess counts wrong passwords for a name, and refuses what is one too many.
// Guesses made at the same time are counted one after the other, and a right one
// among them is refused as a wrong one would be (MSC3866, A-21 and A-23).
func (s *Service) countGuess(ctx context.Context, name string, right bool) error {
	switch {
	case right:
		return s.db.Read(ctx, func(tx *db.Tx) error { return s.mayGuess(tx, name) })
	case !s.cfg.RateLimits.Enabled:
		return nil
	}
	var tried guesses
	var now time.Time
	err := s.db.Write(ctx, func(tx *db.Tx) (err error) {
		now = tx.Now
		tried, err = db.One(tx, scanGuesses, `INSERT INTO password_guesses (who_hash, wrong, until_ts) VALUES ($1, 1, $3)
			ON CONFLICT (who_hash) DO UPDATE SET
				wrong = CASE WHEN password_guesses.until_ts > $2 THEN password_guesses.wrong + 1 ELSE 1 END,
				until_ts = CASE WHEN password_guesses.until_ts > $2 THEN password_guesses.until_ts ELSE excluded.until_ts END
			RETURNING wrong, until_ts`, secret.Hash(name), tx.Now.UnixMilli(), tx.Now.Add(guessWindow).UnixMilli())
		return err
	})
	if err == nil && tried.wrong > maxWrong {
		err = errcode.TooManyRequests(tried.until.Sub(now))
	}
	return err
}

type guesses struct {
	wrong int64
	until time.Time // they count until then
}

func scanGuesses(r db.Row) (g guesses, err error) {
	var until int64
	err = r.Scan(&g.wrong, &until)
	g.until = time.UnixMilli(until)
	return g, err
}

func sweepGuesses(tx *db.Tx) error {
	return tx.Later(`DELETE FROM password_guesses WHERE until_ts <= $1`, tx.Now.UnixMilli())
}
