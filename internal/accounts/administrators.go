package accounts

import "github.com/narthex-matrix/narthex/internal/db"

// HasAdministrator reports whether there is a server administrator who can sign in.
func (s *Service) HasAdministrator(tx *db.Tx) (bool, error) {
	return db.Value[bool](tx, `SELECT EXISTS (SELECT 1 FROM users WHERE admin AND deactivated_ts IS NULL)`)
}
