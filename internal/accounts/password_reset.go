package accounts

import (
	"context"
	"errors"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/validation"
)

// resetPassword changes the password of whoever is not signed in, and shows instead
// that an address of the account is theirs (TP-75). It begins no session, and says
// nothing about the state of the account (MSC3866, A-36).
func (s *Service) resetPassword(ctx context.Context, call *httpapi.Call, req changePasswordRequest) error {
	in := Interaction{Purpose: validation.Password}
	for _, medium := range []validation.Medium{validation.Email, validation.Phone} {
		if s.validation.Configured(medium) {
			in.Flows = append(in.Flows, []Stage{ThreepidStage(medium)})
		}
	}
	if in.Flows == nil {
		return errcode.MissingToken.New("This needs an access token, since this server has no other way to know whose password it is. Sign in first.")
	}
	proof, err := s.Interactive(ctx, call, in, req.Auth)
	if err != nil {
		return err
	}
	hash, err := s.passwords.Hash(ctx, req.NewPassword)
	if err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		account, err := s.holdClaimed(tx, proof)
		if err != nil {
			return err
		}
		if err := s.Spend(tx, proof); err != nil {
			return err
		}
		if err := setPasswordHash(tx, account.UserID, hash); err != nil || !req.logsOut() {
			return err
		}
		return s.DeleteOtherDevices(tx, account.UserID, "")
	})
}

// holdClaimed gives the account that has the address which the proof shows, and uses
// up its validation. It fails with ThreepidNotFound if there is none any more
// (TP-78).
func (s *Service) holdClaimed(tx *db.Tx, p Proof) (Account, error) {
	c := p.claims[0] // each flow has one stage
	if err := s.spendClaim(tx, p, c); err != nil {
		return Account{}, err
	}
	owner, err := ownerOf(tx, c.Medium, c.Address)
	if errors.Is(err, db.ErrNoRow) {
		return Account{}, threepidNotFound()
	}
	if err != nil {
		return Account{}, err
	}
	account, err := s.Hold(tx, owner)
	if errors.Is(err, db.ErrNoRow) || (err == nil && account.Deactivated) { // since then
		return Account{}, threepidNotFound()
	}
	return account, err
}
