package accounts

import (
	"context"
	"unicode/utf8"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
)

type changePasswordRequest struct {
	NewPassword   string `json:"new_password" required:"true"`
	LogoutDevices *bool  `json:"logout_devices"` // default true
	Auth          *Auth  `json:"auth"`
}

func (r changePasswordRequest) logsOut() bool { return r.LogoutDevices == nil || *r.LogoutDevices }

// changePassword sets another password. Whoever is signed in proves to know the
// present one, and stays signed in on this device (TP-76).
func (s *Service) changePassword(ctx context.Context, call *httpapi.Call, req changePasswordRequest) (empty, error) {
	if err := s.CheckNewPassword(req.NewPassword); err != nil {
		return empty{}, err
	}
	if call.UserID == "" {
		return empty{}, s.resetPassword(ctx, call, req)
	}
	proof, err := s.Interactive(ctx, call, ByPassword(""), req.Auth)
	if err != nil {
		return empty{}, err
	}
	hash, err := s.passwords.Hash(ctx, req.NewPassword)
	if err != nil {
		return empty{}, err
	}
	return empty{}, s.db.Write(ctx, func(tx *db.Tx) error {
		if err := s.holdActive(tx, call.UserID); err != nil {
			return err
		}
		if err := s.Spend(tx, proof); err != nil {
			return err
		}
		if err := setPasswordHash(tx, call.UserID, hash); err != nil {
			return err
		}
		if !req.logsOut() {
			return nil
		}
		return s.DeleteOtherDevices(tx, call.UserID, call.DeviceID)
	})
}

// holdActive is Hold for the owner of an account, who may have deactivated it since
// the token was checked.
func (s *Service) holdActive(tx *db.Tx, userID id.UserID) error {
	a, err := s.Hold(tx, userID)
	if err == nil && a.Deactivated {
		return errcode.UnknownToken.New("You are signed out, because the account was deactivated.").With("soft_logout", false)
	}
	return err
}

// CheckNewPassword fails with WeakPassword if the password is too short.
func (s *Service) CheckNewPassword(password string) error {
	if least := s.cfg.Login.Password.MinLength; utf8.RuneCountInString(password) < least {
		return errcode.WeakPassword.New("The password needs at least %d characters.", least)
	}
	return nil
}
