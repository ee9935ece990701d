package oauth

import (
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/secret"
)

// Synapse's registration by a shared secret, with which scripts make accounts.

type getRegistrationNonceRequest struct{}

type getRegistrationNonceResponse struct {
	Nonce string `json:"nonce"`
}

const nonceLifetime = time.Minute

func (s *Service) getRegistrationNonce(ctx context.Context, _ *httpapi.Call, _ getRegistrationNonceRequest) (resp getRegistrationNonceResponse, err error) {
	if s.cfg.Registration.SharedSecret == "" {
		return resp, noSharedSecret()
	}
	resp.Nonce = secret.String(32)
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		return tx.Later(`INSERT INTO registration_nonces (nonce, expires_ts) VALUES ($1, $2)`, resp.Nonce, tx.Now.Add(nonceLifetime).UnixMilli())
	})
	return resp, err
}

func noSharedSecret() error {
	return errcode.Unrecognized.New("Registration by a shared secret is switched off on this server.")
}

type registerBySecretRequest struct {
	Nonce        string  `json:"nonce" required:"true"`
	Username     string  `json:"username" required:"true"`
	Password     string  `json:"password" required:"true"`
	MAC          string  `json:"mac" required:"true"`
	Admin        bool    `json:"admin"`
	UserType     *string `json:"user_type"`
	DisplayName  *string `json:"displayname"`
	DeviceID     string  `json:"device_id"`
	DeviceName   *string `json:"initial_device_display_name"`
	InhibitLogin bool    `json:"inhibit_login"`
	RefreshToken bool    `json:"refresh_token"`
}

// registerBySecret makes an account, approved at once, for whoever knows the
// secret (MSC3866, A-18).
func (s *Service) registerBySecret(ctx context.Context, call *httpapi.Call, req registerBySecretRequest) (resp registerResponse, err error) {
	if s.cfg.Registration.SharedSecret == "" {
		return resp, noSharedSecret()
	}
	if err := s.spendNonce(ctx, req.Nonce); err != nil {
		return resp, err
	}
	if !hmac.Equal([]byte(strings.ToLower(req.MAC)), []byte(req.expectedMAC(s.cfg.Registration.SharedSecret))) {
		return resp, errcode.Forbidden.New("The mac does not belong to this request and the shared secret.")
	}
	account := accounts.Account{Admin: req.Admin, Approved: s.accounts.Approval(true), Signup: signup(call, accounts.Proof{})}
	if account.UserID, err = s.accounts.NewUserID(req.Username); err != nil {
		return resp, err
	}
	if err := s.accounts.CheckNewPassword(req.Password); err != nil {
		return resp, err
	}
	if !req.InhibitLogin && s.accounts.LacksSecondFactor(account) {
		return resp, errcode.Forbidden.New("On this server the account needs a second factor before its first session, and so can have none yet. Send %q as true, and sign in at %s in a web browser.", "inhibit_login", s.cfg.AccountURL())
	}
	r := registered{UserID: account.UserID, DeviceName: req.DeviceName, Inhibit: req.InhibitLogin, Refresh: req.RefreshToken}
	if r.DeviceID, err = deviceIDFrom(req.DeviceID); err != nil {
		return resp, err
	}
	if account.PasswordHash, err = s.passwords.Hash(ctx, req.Password); err != nil {
		return resp, err
	}
	err = s.db.Write(ctx, func(tx *db.Tx) (err error) {
		resp, err = s.insertBySecret(tx, account, r, req.DisplayName)
		return err
	})
	return resp, err
}

func (s *Service) insertBySecret(tx *db.Tx, account accounts.Account, r registered, displayName *string) (registerResponse, error) {
	err := s.accounts.Insert(tx, account)
	if errors.Is(err, db.ErrDuplicate) {
		err = userInUse()
	}
	if err != nil {
		return registerResponse{}, err
	}
	if displayName != nil {
		raw, err := json.Marshal(*displayName)
		if err != nil {
			return registerResponse{}, err
		}
		if err := s.accounts.SetProfileField(tx, account.UserID, accounts.DisplayName, raw); err != nil {
			return registerResponse{}, err
		}
	}
	if err := s.accounts.Audit(tx, "shared secret", "create", string(account.UserID), map[string]bool{"admin": account.Admin}); err != nil {
		return registerResponse{}, err
	}
	resp, refused, err := s.answer(tx, r, false)
	return resp, errors.Join(refused, err)
}

// spendNonce uses a nonce up; it is good for one attempt.
func (s *Service) spendNonce(ctx context.Context, nonce string) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		n, err := tx.Exec(`DELETE FROM registration_nonces WHERE nonce = $1 AND expires_ts > $2`, nonce, tx.Now.UnixMilli())
		if err == nil && n == 0 {
			return errcode.InvalidParam.New("This nonce is not known, has been used, or has expired. Ask for another one.").With("param", "nonce")
		}
		return err
	})
}

// expectedMAC is the HMAC-SHA1 over the parts of the request, with a NUL between
// them, in hexadecimal.
func (r registerBySecretRequest) expectedMAC(key string) string {
	parts := []string{r.Nonce, r.Username, r.Password, "notadmin"}
	if r.Admin {
		parts[3] = "admin"
	}
	if r.UserType != nil {
		parts = append(parts, *r.UserType)
	}
	mac := hmac.New(sha1.New, []byte(key))
	mac.Write([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(mac.Sum(nil))
}
