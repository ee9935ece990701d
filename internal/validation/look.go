package validation

import (
	"github.com/narthex-matrix/narthex/internal/db"
)

// Begun is a session as the one who began it may see it.
type Begun struct {
	Medium  Medium
	Address string // canonical
	Account string // as in the Request
	// Validated says that the token was given back, and the session is still good.
	Validated bool
}

// Look gives a session of the purpose to whoever knows its secret. It fails with
// ErrUnknown, and with ErrUsed. A session that is over is not validated, and
// [Service.Submit] says why.
func (s *Service) Look(tx *db.Tx, purpose Purpose, sid, clientSecret string) (Begun, error) {
	if !isOpaque(sid) || !isOpaque(clientSecret) {
		return Begun{}, ErrUnknown
	}
	v, err := findSession(tx, []Purpose{purpose}, "", sid, clientSecret)
	switch {
	case err != nil:
		return Begun{}, err
	case v.used != nil:
		return Begun{}, ErrUsed
	}
	return Begun{Medium: v.medium, Address: v.address, Account: v.account, Validated: v.validated != nil && !v.expired(tx.Now)}, nil
}
