package accounts

import (
	"time"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
)

// RegistrationTokens lists the tokens by their texts: all, or those that can, or
// cannot, be used once more.
func (s *Service) RegistrationTokens(tx *db.Tx, valid *bool) ([]RegistrationToken, error) {
	return db.All(tx, scanToken, `SELECT `+tokenColumns+` FROM registration_tokens
		WHERE (`+tokenIsValid+`) = $1 OR $1 IS NULL ORDER BY token`, valid, tx.Now.UnixMilli())
}

// UpdateRegistrationToken writes how often, until when and how a token can be
// used. It fails with InvalidParam for a negative number of uses, and with
// NotFound if there is no such token.
func (s *Service) UpdateRegistrationToken(tx *db.Tx, t RegistrationToken) error {
	if err := t.checkUses(); err != nil {
		return err
	}
	n, err := tx.Exec(`UPDATE registration_tokens SET uses_allowed = $2, expires_ts = $3, preapproved = $4 WHERE token = $1`,
		t.Token, t.UsesAllowed, t.expiresTS(), t.Preapproved)
	if err == nil && n == 0 {
		return errcode.NotFound.New("There is no such registration token.")
	}
	return err
}

// DeleteRegistrationToken deletes a token, or fails with NotFound. Registrations
// that have passed its stage go on.
func (s *Service) DeleteRegistrationToken(tx *db.Tx, token string) error {
	n, err := tx.Exec(`DELETE FROM registration_tokens WHERE token = $1`, token)
	if err == nil && n == 0 {
		return errcode.NotFound.New("There is no such registration token.")
	}
	return err
}

const tokenColumns = `token, uses_allowed, pending, completed, expires_ts, preapproved`

func scanToken(r db.Row) (t RegistrationToken, err error) {
	var expires *int64
	err = r.Scan(&t.Token, &t.UsesAllowed, &t.Pending, &t.Completed, &expires, &t.Preapproved)
	if expires != nil {
		t.Expires = time.UnixMilli(*expires)
	}
	return t, err
}

func (t RegistrationToken) checkUses() error {
	if t.UsesAllowed != nil && *t.UsesAllowed < 0 {
		return errcode.InvalidParam.New("A registration token cannot be used fewer than 0 times.")
	}
	return nil
}

func (t RegistrationToken) expiresTS() *int64 {
	if t.Expires.IsZero() {
		return nil
	}
	ts := t.Expires.UnixMilli()
	return &ts
}
