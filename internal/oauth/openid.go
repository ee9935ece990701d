package oauth

import (
	"context"
	"errors"
	"time"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/secret"
)

type requestOpenIDTokenRequest struct {
	UserID id.UserID `path:"userId"`
}

type requestOpenIDTokenResponse struct {
	AccessToken      string        `json:"access_token"`
	TokenType        string        `json:"token_type"`
	MatrixServerName id.ServerName `json:"matrix_server_name"`
	ExpiresIn        int64         `json:"expires_in"` // seconds
}

const openIDTokenLifetime = time.Hour

// requestOpenIDToken makes a token that proves to another service who the
// requester is, and is good for nothing else.
func (s *Service) requestOpenIDToken(ctx context.Context, call *httpapi.Call, req requestOpenIDTokenRequest) (requestOpenIDTokenResponse, error) {
	if req.UserID != call.UserID {
		return requestOpenIDTokenResponse{}, errcode.Forbidden.New("You can ask for OpenID tokens of your own account only.")
	}
	token := secret.New(secret.OpenIDToken)
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		return tx.Later(`INSERT INTO openid_tokens (token_hash, user_id, expires_ts) VALUES ($1, $2, $3)`,
			secret.Hash(token), call.UserID, tx.Now.Add(openIDTokenLifetime).UnixMilli())
	})
	return requestOpenIDTokenResponse{
		AccessToken: token, TokenType: "Bearer", MatrixServerName: s.server, ExpiresIn: int64(openIDTokenLifetime / time.Second),
	}, err
}

type exchangeOpenIDTokenRequest struct {
	AccessToken string `query:"access_token,required"`
}

type exchangeOpenIDTokenResponse struct {
	Sub id.UserID `json:"sub"`
}

// exchangeOpenIDToken tells another service whose OpenID token it was shown.
// Specification: server-server API, "OpenID".
func (s *Service) exchangeOpenIDToken(ctx context.Context, _ *httpapi.Call, req exchangeOpenIDTokenRequest) (resp exchangeOpenIDTokenResponse, err error) {
	resp.Sub, err = s.OpenIDUser(ctx, req.AccessToken)
	return resp, err
}

// OpenIDUser gives the user whose OpenID token it is, or fails with UnknownToken.
func (s *Service) OpenIDUser(ctx context.Context, token string) (user id.UserID, err error) {
	err = s.db.ReadBriefly(ctx, func(tx *db.Tx) (err error) {
		user, err = db.Value[id.UserID](tx, `SELECT t.user_id FROM openid_tokens t JOIN users u ON u.user_id = t.user_id
			WHERE t.token_hash = $1 AND t.expires_ts > $2 AND u.deactivated_ts IS NULL`, secret.Hash(token), tx.Now.UnixMilli())
		return err
	})
	if errors.Is(err, db.ErrNoRow) {
		return "", errcode.UnknownToken.New("This OpenID token is not known, or has expired.")
	}
	return user, err
}
