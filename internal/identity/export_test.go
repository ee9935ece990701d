package identity

import (
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/validation"
)

// PutAssociation binds a mail address without a session.
func PutAssociation(tx *db.Tx, address string, user id.UserID) error {
	return putAssociation(tx, association{Medium: validation.Email, Address: address, UserID: user, TS: tx.Now.UnixMilli()})
}
