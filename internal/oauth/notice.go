package oauth

import (
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/mail"
	"github.com/narthex-matrix/narthex/internal/validation"
)

// announce tells the owner of an account, by mail where an address is known, that a
// client has signed in (OA-43): whoever was tricked into allowing it finds out, and
// so does whoever has lost a password. The device is what the client calls itself.
func (s *Service) announce(tx *db.Tx, call *httpapi.Call, userID id.UserID, device string) error {
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
		_, err := s.mail.Queue(tx, mail.Message{To: a.Address, Template: mail.NewSignIn, Data: mail.SignIn{
			UserID: string(userID), Device: device, Address: call.Addr.String(), At: tx.Now, Link: s.cfg.AccountURL(),
		}})
		if err != nil {
			return err
		}
	}
	return nil
}
