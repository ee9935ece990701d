package accounts

import (
	"errors"
	"time"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/secret"
)

// FirstLinkLife is how long a link for the first administrator is good.
const FirstLinkLife = 24 * time.Hour

// FirstLinkActor is the actor of what the bearer of such a link does.
const FirstLinkActor = "one-time link"

// InviteAdministrator makes the secret of a link with which somebody can make the
// account of the first administrator, and forgets those that have run out. It is the
// only copy.
func (s *Service) InviteAdministrator(tx *db.Tx) (token string, err error) {
	if err := tx.Later(`DELETE FROM first_administrator_links WHERE expires_ts <= $1`, tx.Now.UnixMilli()); err != nil {
		return "", err
	}
	token = secret.New(secret.FirstAdministrator)
	err = tx.Later(`INSERT INTO first_administrator_links (token_hash, expires_ts) VALUES ($1, $2)`,
		secret.Hash(token), tx.Now.Add(FirstLinkLife).UnixMilli())
	return token, err
}

// CheckAdministratorLink fails with NotFound unless the secret of a link is good:
// known, not run out, and without an administrator.
func (s *Service) CheckAdministratorLink(tx *db.Tx, token string) error {
	bad := errcode.NotFound.New("This link is not good any more: it was used, is older than a day, or there is an administrator. The server prints a new one when it starts without an administrator.")
	if !secret.Plausible(secret.FirstAdministrator, token) {
		return bad
	}
	has, err := s.HasAdministrator(tx)
	if err != nil {
		return err
	}
	known, err := db.Value[bool](tx, `SELECT EXISTS (SELECT 1 FROM first_administrator_links WHERE token_hash = $1 AND expires_ts > $2)`,
		secret.Hash(token), tx.Now.UnixMilli())
	if err == nil && (has || !known) {
		return bad
	}
	return err
}

// EnrolAdministrator makes the account of the first administrator for the bearer of
// a link, approved, and voids all such links. It fails as CheckAdministratorLink
// does, and with UserInUse.
func (s *Service) EnrolAdministrator(tx *db.Tx, a Account, token string) (Account, error) {
	if err := tx.Lock("first administrator", ""); err != nil {
		return a, err
	}
	if err := s.CheckAdministratorLink(tx, token); err != nil {
		return a, err
	}
	if _, err := tx.Exec(`DELETE FROM first_administrator_links`); err != nil {
		return a, err
	}
	a.Admin, a.Approved = true, s.Approval(true)
	err := s.Insert(tx, a)
	if errors.Is(err, db.ErrDuplicate) {
		return a, errcode.UserInUse.New("This username is taken. Choose another one.")
	}
	if err != nil {
		return a, err
	}
	return a, s.Audit(tx, FirstLinkActor, "create", string(a.UserID), map[string]bool{"admin": true})
}
