package accounts

import (
	"errors"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/validation"
)

// EmailOwner gives the account that has confirmed a mail address, or db.ErrNoRow. The
// address may be in any form.
func (s *Service) EmailOwner(tx *db.Tx, address string) (id.UserID, error) {
	email, err := validation.ParseEmail(address)
	if err != nil {
		return "", db.ErrNoRow
	}
	return ownerOf(tx, validation.Email, email)
}

// AttachVouched gives a new account the mail address that somebody whom the operator
// trusts has verified. It reports whether it did: an address that is none, that the
// server does not allow, or that another account has is left out.
func (s *Service) AttachVouched(tx *db.Tx, userID id.UserID, address string) (bool, error) {
	email, err := validation.ParseEmail(address)
	if err != nil {
		return false, nil
	}
	err = s.attach(tx, userID, validation.Email, email, tx.Now)
	if errors.Is(err, errcode.ThreepidInUse) || errors.Is(err, errcode.ThreepidDenied) {
		return false, nil
	}
	return err == nil, err
}
