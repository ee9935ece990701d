package accounts

import (
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
)

// SetSecondFactor notes whether the account has a second factor. The caller holds the
// account; which factors there are is package factors' matter.
func (s *Service) SetSecondFactor(tx *db.Tx, userID id.UserID, has bool) error {
	return tx.Later(`UPDATE users SET second_factor = $2 WHERE user_id = $1`, userID, has)
}

// TakesTwoSteps reports whether a password alone does not sign in to the account: it
// has a second factor, or has to have one.
func (s *Service) TakesTwoSteps(a Account) bool { return a.SecondFactor || s.LacksSecondFactor(a) }

// LacksSecondFactor reports whether the account has to have a second factor, by
// login.second_factor.required, and has none.
func (s *Service) LacksSecondFactor(a Account) bool {
	if a.SecondFactor || a.Guest {
		return false
	}
	switch s.cfg.Login.SecondFactor.Required {
	case "administrators":
		return a.Admin
	case "everyone":
		return true
	}
	return false
}
