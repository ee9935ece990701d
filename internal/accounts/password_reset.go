package accounts

import (
	"context"
	"errors"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
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
		return s.replacePassword(tx, account.UserID, hash, req.logsOut())
	})
}

// ResetPassword is the same for a page: it gives the account that has the address
// which a validation shows another password, and uses the validation up. With logout
// it signs the account out everywhere. It fails with ThreepidAuthFailed if the
// session shows nothing, and with ThreepidNotFound if no account has the address any
// more. The hash comes from secret.Passwords.Hash.
func (s *Service) ResetPassword(tx *db.Tx, sid, clientSecret, hash string, logout bool) error {
	shown, err := s.validation.Validated(tx, []validation.Purpose{validation.Password}, sid, clientSecret)
	if err == nil {
		err = s.validation.Use(tx, sid)
	}
	if err != nil {
		return unproven(err, errcode.ThreepidAuthFailed)
	}
	account, err := s.holdOwner(tx, shown.Medium, shown.Address)
	if err != nil {
		return err
	}
	return s.replacePassword(tx, account.UserID, hash, logout)
}

func (s *Service) replacePassword(tx *db.Tx, userID id.UserID, hash string, logout bool) error {
	if err := setPasswordHash(tx, userID, hash); err != nil || !logout {
		return err
	}
	return s.DeleteOtherDevices(tx, userID, "")
}

// holdClaimed gives the account that has the address which the proof shows, and uses
// up its validation. It fails with ThreepidNotFound if there is none any more
// (TP-78).
func (s *Service) holdClaimed(tx *db.Tx, p Proof) (Account, error) {
	c := p.claims[0] // each flow has one stage
	if err := s.spendClaim(tx, p, c); err != nil {
		return Account{}, err
	}
	return s.holdOwner(tx, c.Medium, c.Address)
}

// holdOwner is Hold for the account that has an address. It fails with
// ThreepidNotFound if none has it.
func (s *Service) holdOwner(tx *db.Tx, medium validation.Medium, address string) (Account, error) {
	owner, err := ownerOf(tx, medium, address)
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
