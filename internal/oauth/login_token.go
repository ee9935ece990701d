package oauth

import (
	"context"
	"errors"
	"time"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/secret"
)

type generateLoginTokenRequest struct {
	Auth *accounts.Auth `json:"auth"`
}

type generateLoginTokenResponse struct {
	LoginToken  string `json:"login_token"`
	ExpiresInMS int64  `json:"expires_in_ms"`
}

// generateLoginToken makes a token that signs another client in, once.
func (s *Service) generateLoginToken(ctx context.Context, call *httpapi.Call, req generateLoginTokenRequest) (generateLoginTokenResponse, error) {
	proof, err := s.accounts.Interactive(ctx, call, accounts.ByPassword(""), req.Auth)
	if err != nil {
		return generateLoginTokenResponse{}, err
	}
	token := secret.New(secret.LoginToken)
	lifetime := time.Duration(s.cfg.Login.LoginTokenLifetime)
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		if err := s.accounts.Spend(tx, proof); err != nil {
			return err
		}
		return tx.Later(`INSERT INTO login_tokens (token_hash, user_id, device_id, expires_ts) VALUES ($1, $2, $3, $4)`,
			secret.Hash(token), call.UserID, call.DeviceID, tx.Now.Add(lifetime).UnixMilli())
	})
	return generateLoginTokenResponse{LoginToken: token, ExpiresInMS: lifetime.Milliseconds()}, err
}

type loginToken struct {
	userID   id.UserID
	deviceID id.DeviceID // that asked for it; empty: the page of single sign-on
	expires  int64
}

// loginByToken signs in with a login token. The token is used up whatever comes
// of it (MSC3866, A-24).
func (s *Service) loginByToken(ctx context.Context, call *httpapi.Call, req loginRequest) (resp loginResponse, err error) {
	if req.Token == "" {
		return resp, errcode.MissingParam.New("%q is missing.", "token").With("param", "token")
	}
	if !secret.Plausible(secret.LoginToken, req.Token) {
		return resp, badLoginToken()
	}
	var refused *errcode.Error
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		resp, refused = loginResponse{}, nil
		account, err := s.redeem(tx, req.Token)
		if err == nil {
			resp, err = s.admit(tx, call, account, req)
		}
		if errors.As(err, &refused) {
			return nil // so that the token stays used up
		}
		return err
	})
	if err == nil && refused != nil {
		err = refused
	}
	return resp, err
}

// redeem uses a login token up and gives its account. A token dies with the
// device that asked for it, so that signing that out, or changing the password,
// ends it; if the account is deactivated, it still proves who asks.
func (s *Service) redeem(tx *db.Tx, token string) (accounts.Account, error) {
	t, err := db.One(tx, func(r db.Row) (t loginToken, err error) {
		err = r.Scan(&t.userID, &t.deviceID, &t.expires)
		return t, err
	}, `DELETE FROM login_tokens WHERE token_hash = $1 RETURNING user_id, device_id, expires_ts`, secret.Hash(token))
	if errors.Is(err, db.ErrNoRow) || (err == nil && t.expires <= tx.Now.UnixMilli()) {
		return accounts.Account{}, badLoginToken()
	}
	if err != nil {
		return accounts.Account{}, err
	}
	account, err := s.accounts.Hold(tx, t.userID)
	if err != nil || account.Deactivated || t.deviceID == "" {
		return account, err
	}
	if _, err = s.accounts.Device(tx, t.userID, t.deviceID); errors.Is(err, db.ErrNoRow) {
		return account, badLoginToken()
	}
	return account, err
}

func badLoginToken() error {
	return errcode.Forbidden.New("This login token is not known, has been used, or has expired. Ask for another one.")
}
