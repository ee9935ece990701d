package factors

import (
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/mail"
)

// Change is something that happened to the factors of an account, in the words of the
// mail about it.
type Change string

// The changes that people are told of.
const (
	PasskeyAdded    Change = "A passkey was added."
	PasskeyRemoved  Change = "A passkey was removed."
	CodesAdded      Change = "One-time codes from an app were set up."
	CodesRemoved    Change = "One-time codes were switched off."
	RecoveryRenewed Change = "New recovery codes were made. The old ones no longer work."
	RecoveryUsed    Change = "A recovery code was used to sign in."
	FactorsReset    Change = "An administrator removed your passkeys, one-time codes and recovery codes."
)

func (c Change) adds() bool { return c == PasskeyAdded || c == CodesAdded }

// announce tells the owner of an account, by mail where an address is known: whoever
// was robbed of it finds out.
func (s *Service) announce(tx *db.Tx, userID id.UserID, change Change) error {
	return s.accounts.TellOwner(tx, userID, mail.SecurityChanged, mail.Security{
		UserID: string(userID), Change: string(change), At: tx.Now, Link: s.cfg.Issuer() + "account/security",
	})
}
