package oauth

import (
	"context"
	"errors"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/secret"
)

// registerGuest makes a guest: an account without a password, with a name of
// digits. It needs no approval (MSC3866, A-16), and everything that the request
// asks for is ignored but the name of the device. Client-server API, "Guest access".
func (s *Service) registerGuest(ctx context.Context, call *httpapi.Call, req registerRequest) (resp registerResponse, err error) {
	if !s.cfg.Registration.AllowGuests {
		return resp, errcode.Forbidden.New("This server does not admit guests.")
	}
	userID, err := s.accounts.RandomUserID(true)
	if err != nil {
		return resp, err
	}
	deviceID := newDeviceID()
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		err := s.accounts.Insert(tx, accounts.Account{UserID: userID, Guest: true, Signup: signup(call, accounts.Proof{})})
		if errors.Is(err, db.ErrDuplicate) {
			return userInUse()
		}
		if err != nil {
			return err
		}
		t, err := s.signIn(tx, userID, deviceID, req.DeviceName, false)
		resp = registerResponse{UserID: userID, DeviceID: deviceID, HomeServer: s.server, tokens: t}
		return err
	})
	return resp, err
}

// guestToUpgrade gives the guest that the token belongs to, who has to be the one
// that the username names.
func guestToUpgrade(tx *db.Tx, token, username string) (id.UserID, error) {
	guest, err := db.Value[id.UserID](tx, `SELECT t.user_id FROM access_tokens t JOIN users u ON u.user_id = t.user_id
		WHERE t.token_hash = $1 AND u.guest AND NOT u.locked`, secret.Hash(token))
	switch {
	case errors.Is(err, db.ErrNoRow):
		return "", errcode.Forbidden.New("This is not the access token of a guest of this server.")
	case err != nil:
		return "", err
	case username != guest.Localpart():
		return "", errcode.InvalidUsername.New("A guest who makes an account keeps the username. Send it along.")
	}
	return guest, nil
}

// upgradeGuest makes the guest's account the one that was asked for.
func (s *Service) upgradeGuest(tx *db.Tx, token, username string, a accounts.Account) (id.UserID, error) {
	guest, err := guestToUpgrade(tx, token, username)
	if err != nil {
		return "", err
	}
	if _, err := s.accounts.Hold(tx, guest); err != nil {
		return "", err
	}
	if _, err := guestToUpgrade(tx, token, username); err != nil { // as it is now that the account is held
		return "", err
	}
	a.UserID = guest
	return guest, s.accounts.Upgrade(tx, a)
}
