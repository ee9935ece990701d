package oauth

import (
	"time"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
)

// Guessing a user code. There are 20^8 codes, at most maxPending of them good at a
// time, and everybody together may be wrong guessesOfAll times an hour. Within a
// day somebody is right by chance with a probability of at most
//
//	24 × guessesOfAll × maxPending / 20^8 = 24 × 250 × 400 / 2.56e10 ≈ 0.94e-4.
//
// Whoever types a code has to be signed in, so the limits by account and address
// come long before the one of all.
const (
	guessesOfOne   = 5
	guessWindow    = 10 * time.Minute
	guessesOfAll   = 250
	guessWindowAll = time.Hour
	everybody      = "all"
)

// guessers are the rows that a wrong code counts in.
func guessers(call *httpapi.Call, userID id.UserID) []string {
	return []string{"user " + string(userID), "ip " + call.Network().String(), everybody}
}

// mayGuessCode fails with LimitExceeded after too many wrong codes.
func mayGuessCode(tx *db.Tx, call *httpapi.Call, userID id.UserID) error {
	in := db.In(guessers(call, userID))
	var until int64
	err := db.Each(tx, func(r db.Row) error {
		var who string
		var wrong, ends int64
		if err := r.Scan(&who, &wrong, &ends); err != nil {
			return err
		}
		most := int64(guessesOfOne)
		if who == everybody {
			most = guessesOfAll
		}
		if wrong >= most {
			until = max(until, ends)
		}
		return nil
	}, `SELECT who, wrong, until_ts FROM code_guesses WHERE until_ts > $1 AND who IN (`+in.Marks(2)+`)`, in.Args(tx.Now.UnixMilli())...)
	if err != nil || until == 0 {
		return err
	}
	return errcode.TooManyRequests(time.UnixMilli(until).Sub(tx.Now))
}

// countCodeGuess counts a wrong code. One that came at the same time as the last
// that was allowed fails with LimitExceeded.
func countCodeGuess(tx *db.Tx, call *httpapi.Call, userID id.UserID) error {
	if err := tx.Lock("code guesses", everybody); err != nil {
		return err
	}
	if err := mayGuessCode(tx, call, userID); err != nil {
		return err
	}
	for _, who := range guessers(call, userID) { // three
		window := guessWindow
		if who == everybody {
			window = guessWindowAll
		}
		err := tx.Later(`INSERT INTO code_guesses (who, wrong, until_ts) VALUES ($1, 1, $3)
			ON CONFLICT (who) DO UPDATE SET
				wrong = CASE WHEN code_guesses.until_ts > $2 THEN code_guesses.wrong + 1 ELSE 1 END,
				until_ts = CASE WHEN code_guesses.until_ts > $2 THEN code_guesses.until_ts ELSE excluded.until_ts END`,
			who, tx.Now.UnixMilli(), tx.Now.Add(window).UnixMilli())
		if err != nil {
			return err
		}
	}
	return nil
}
