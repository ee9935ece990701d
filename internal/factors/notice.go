package factors

import (
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/mail"
	"github.com/narthex-matrix/narthex/internal/validation"
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
	if !s.mail.Configured() {
		return nil
	}
	addresses, err := s.accounts.Threepids(tx, userID)
	if err != nil {
		return err
	}
	for _, a := range addresses { // few
		if a.Medium != validation.Email {
			continue
		}
		_, err := s.mail.Queue(tx, mail.Message{To: a.Address, Template: mail.SecurityChanged, Data: mail.Security{
			UserID: string(userID), Change: string(change), At: tx.Now, Link: s.cfg.Issuer() + "account/security",
		}})
		if err != nil {
			return err
		}
	}
	return nil
}
