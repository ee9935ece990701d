package oauth

import (
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/mail"
)

// announce tells the owner of an account, by mail where an address is known, that a
// client has signed in (OA-43): whoever was tricked into allowing it finds out, and
// so does whoever has lost a password. The device is what the client calls itself.
func (s *Service) announce(tx *db.Tx, call *httpapi.Call, userID id.UserID, device string) error {
	return s.accounts.TellOwner(tx, userID, mail.NewSignIn, mail.SignIn{
		UserID: string(userID), Device: device, Address: call.Addr.String(), At: tx.Now, Link: s.cfg.AccountURL(),
	})
}
