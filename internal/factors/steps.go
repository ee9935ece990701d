package factors

import (
	"time"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/secret"
)

// stepLife is how long a person may take over the second step.
const stepLife = 10 * time.Minute

// BeginStep notes that somebody has proved the first factor of an account, and gives
// the value of the cookie by which the browser goes on. It fails with db.ErrNoRow if
// the account is locked, deactivated, or has another password by now than the one that
// was checked. The note says of the first step what is needed after the second.
func (s *Service) BeginStep(tx *db.Tx, checked accounts.Account, note []byte) (cookie string, err error) {
	account, err := s.accounts.Hold(tx, checked.UserID)
	if err != nil {
		return "", err
	}
	if account.Locked || account.Deactivated || account.PasswordHash != checked.PasswordHash {
		return "", db.ErrNoRow
	}
	cookie = secret.New(secret.SignInStep)
	err = tx.Later(`INSERT INTO sign_in_steps (step_hash, user_id, password_mark, note, passed, expires_ts) VALUES ($1, $2, $3, $4, FALSE, $5)`,
		secret.Hash(cookie), account.UserID, secret.Hash(account.PasswordHash), note, tx.Now.Add(stepLife).UnixMilli())
	return cookie, err
}

// Step gives the account for which a browser has proved the first factor, or
// db.ErrNoRow.
func (s *Service) Step(tx *db.Tx, cookie string) (accounts.Account, error) {
	a, _, err := s.step(tx, cookie, `SELECT user_id, password_mark, note, expires_ts FROM sign_in_steps WHERE step_hash = $1`)
	return a, err
}

// TakeStep is Step for a browser that has passed the second step, and uses it up. It
// gives the note of the first step, too.
func (s *Service) TakeStep(tx *db.Tx, cookie string) (a accounts.Account, note []byte, err error) {
	return s.step(tx, cookie, `DELETE FROM sign_in_steps WHERE step_hash = $1 AND passed RETURNING user_id, password_mark, note, expires_ts`)
}

func (s *Service) step(tx *db.Tx, cookie, statement string) (a accounts.Account, note []byte, err error) {
	if !secret.Plausible(secret.SignInStep, cookie) {
		return a, nil, db.ErrNoRow
	}
	var mark []byte
	var expires int64
	userID, err := db.One(tx, func(r db.Row) (userID id.UserID, err error) {
		err = r.Scan(&userID, &mark, &note, &expires)
		return userID, err
	}, statement, secret.Hash(cookie))
	if err != nil {
		return a, nil, err
	}
	if expires <= tx.Now.UnixMilli() {
		return a, nil, db.ErrNoRow
	}
	if a, err = s.accounts.Find(tx, userID); err == nil && (a.Locked || a.Deactivated || string(mark) != string(secret.Hash(a.PasswordHash))) {
		err = db.ErrNoRow
	}
	return a, note, err
}

// PassStep notes that the second step is done; [Service.TakeStep] is what follows. It
// fails with db.ErrNoRow if there is no such step.
func (s *Service) PassStep(tx *db.Tx, cookie string) error {
	n, err := tx.Exec(`UPDATE sign_in_steps SET passed = TRUE WHERE step_hash = $1`, secret.Hash(cookie))
	if err == nil && n == 0 {
		err = db.ErrNoRow
	}
	return err
}
