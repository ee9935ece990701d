package accounts

import (
	"errors"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
)

// Enrol makes the account of somebody who registers on a page, with its use of a
// registration token ("" for none), all in one step. A preapproved token vouches
// for the account (MSC3866, A-13 and A-19). It fails with UserInUse, and with
// InvalidParam, naming "registration_token", if the token cannot be used; whether
// one is needed is the caller's question. An account that has to wait, without the
// reason for joining that it needs, fails with MissingParam, naming "reason".
func (s *Service) Enrol(tx *db.Tx, a Account, registrationToken string) (Account, error) {
	vouched := false
	if registrationToken != "" {
		token, err := s.RegistrationToken(tx, registrationToken)
		if err != nil && !errors.Is(err, db.ErrNoRow) {
			return a, err
		}
		held, err := holdToken(tx, registrationToken)
		if err != nil {
			return a, err
		}
		if !held {
			return a, errcode.InvalidParam.New("This registration token is not valid, or has been used up. Ask for another one.").With("param", "registration_token")
		}
		if err := completeToken(tx, registrationToken); err != nil {
			return a, err
		}
		vouched = token.Preapproved
	}
	a.Approved, a.Signup.Token = s.Approval(vouched), registrationToken
	if s.LacksReason(a) {
		return a, errcode.MissingParam.New("Say why you want to join.").With("param", "reason")
	}
	err := s.Insert(tx, a)
	if errors.Is(err, db.ErrDuplicate) {
		return a, errcode.UserInUse.New("This username is taken. Choose another one.")
	}
	return a, err
}
