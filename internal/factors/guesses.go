package factors

import (
	"errors"
	"time"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/id"
)

// Guessing a one-time code. At each moment 1 + 2 × drift of the 10^6 codes are good.
// After maxWrong wrong ones no more are looked at until guessWindow after the first of
// them is over; any day touches at most two such windows. So within a day somebody who
// knows the password is right by chance with a probability of less than
//
//	2 × maxWrong × (1 + 2 × drift) / 10^6 = 2 × 15 × 3 / 10^6 = 0.9e-4.
//
// A right code does not set the count back: its owner would give the guesser new
// tries. This limit cannot be switched off. Recovery codes have 80 bits and are
// counted apart, so that they still open an account whose one-time codes somebody has
// used up by guessing.
const (
	maxWrong    = 15
	guessWindow = 24 * time.Hour

	guessCode     = "code "
	guessRecovery = "recovery "
)

// mayGuess fails with LimitExceeded after too many wrong codes of a kind. The caller
// holds the account.
func mayGuess(tx *db.Tx, kind string, userID id.UserID) error {
	var wrong, until int64
	_, err := db.One(tx, func(r db.Row) (struct{}, error) { return struct{}{}, r.Scan(&wrong, &until) },
		`SELECT wrong, until_ts FROM factor_guesses WHERE who = $1 AND until_ts > $2`, kind+string(userID), tx.Now.UnixMilli())
	switch {
	case errors.Is(err, db.ErrNoRow):
		return nil
	case err == nil && wrong >= maxWrong:
		return errcode.TooManyRequests(time.UnixMilli(until).Sub(tx.Now))
	}
	return err
}

// countGuess counts a wrong code.
func countGuess(tx *db.Tx, kind string, userID id.UserID) error {
	return tx.Later(`INSERT INTO factor_guesses (who, wrong, until_ts) VALUES ($1, 1, $3)
		ON CONFLICT (who) DO UPDATE SET
			wrong = CASE WHEN factor_guesses.until_ts > $2 THEN factor_guesses.wrong + 1 ELSE 1 END,
			until_ts = CASE WHEN factor_guesses.until_ts > $2 THEN factor_guesses.until_ts ELSE excluded.until_ts END`,
		kind+string(userID), tx.Now.UnixMilli(), tx.Now.Add(guessWindow).UnixMilli())
}
