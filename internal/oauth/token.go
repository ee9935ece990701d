package oauth

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"time"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/secret"
)

type tokenRequest struct {
	GrantType    string `form:"grant_type,required"`
	ClientID     string `form:"client_id"`
	Code         string `form:"code"`
	RedirectURI  string `form:"redirect_uri"`
	CodeVerifier string `form:"code_verifier"`
	RefreshToken string `form:"refresh_token"`
	DeviceCode   string `form:"device_code"`
}

// tokenResponse is what RFC 6749 section 5.1 has. ExpiresIn is in seconds.
type tokenResponse struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"`
	RefreshToken string `json:"refresh_token"`
	Scope        string `json:"scope"`
}

// token is the token endpoint. The order of the checks is OA-17 to OA-20: the
// grant and its parameters, the client, whether it registered the grant, the grant.
func (s *Service) token(ctx context.Context, call *httpapi.Call, req tokenRequest) (tokenResponse, error) {
	needs := map[string][]param{
		grantCode:       {{"code", req.Code}, {"redirect_uri", req.RedirectURI}, {"code_verifier", req.CodeVerifier}},
		grantRefresh:    {{"refresh_token", req.RefreshToken}},
		grantDeviceCode: {{"device_code", req.DeviceCode}},
	}
	params, known := needs[req.GrantType]
	if !known {
		return tokenResponse{}, errcode.UnsupportedGrantType.New("This server does not know this grant_type. Its metadata lists those that it knows.")
	}
	for _, p := range params {
		if p.value == "" {
			return tokenResponse{}, errcode.InvalidRequest.New("The parameter %q is missing.", p.name)
		}
	}
	client, err := s.clientFor(ctx, req.ClientID, req.GrantType)
	if err != nil {
		return tokenResponse{}, err
	}
	switch req.GrantType {
	case grantCode:
		return s.exchangeCode(ctx, call, req, client)
	case grantDeviceCode:
		return s.exchangeDeviceCode(ctx, call, req.DeviceCode, client)
	}
	return s.refreshGrant(ctx, req.RefreshToken, client)
}

type param struct{ name, value string }

// clientFor gives the client that a request names. It fails with InvalidClient, and
// with UnauthorizedClient if it has not registered the grant.
func (s *Service) clientFor(ctx context.Context, clientID, grant string) (client Client, err error) {
	err = s.db.ReadBriefly(ctx, func(tx *db.Tx) error {
		client, err = findClient(tx, clientID)
		return err
	})
	switch {
	case errors.Is(err, db.ErrNoRow):
		return client, errcode.InvalidClient.New("The client_id is not known to this server. Register the client again.")
	case err != nil:
		return client, err
	case !client.Allows(grant):
		return client, errcode.UnauthorizedClient.New("The client has not registered the grant %s.", grant)
	}
	return client, nil
}

// refreshGrant replaces the tokens of a session (OA-32).
func (s *Service) refreshGrant(ctx context.Context, token string, client Client) (tokenResponse, error) {
	fresh, scope, err := s.renew(ctx, token, client.ID, time.Duration(s.cfg.OAuth.AccessTokenLifetime))
	switch {
	case errors.Is(err, errRefreshToken):
		return tokenResponse{}, badGrant("The refresh token is not known, has been used, or belongs to another client. Sign in again.")
	case errors.Is(err, errcode.UserLocked):
		return tokenResponse{}, badGrant("The account is locked.")
	case err != nil:
		return tokenResponse{}, err
	}
	return fresh.response(scope), nil
}

func (t tokens) response(scope string) tokenResponse {
	return tokenResponse{AccessToken: t.AccessToken, TokenType: "Bearer", ExpiresIn: t.ExpiresInMS / 1000, RefreshToken: t.RefreshToken, Scope: scope}
}

// begin begins a session of an OAuth client: the device exists before its tokens
// are answered (OA-29), and takes the place of one with the same id (OA-31).
func (s *Service) begin(tx *db.Tx, call *httpapi.Call, client Client, userID id.UserID, scopeText string, codeHash []byte) (tokenResponse, error) {
	scope, err := parseScope(scopeText)
	if err != nil {
		return tokenResponse{}, err
	}
	var name *string
	if client.Name != "" {
		name = &client.Name
	}
	if err := s.prepareDevice(tx, userID, scope.DeviceID, name); err != nil {
		return tokenResponse{}, err
	}
	if err := tx.Later(`INSERT INTO oauth_sessions (user_id, device_id, client_id, scope, created_ts, code_hash) VALUES ($1, $2, $3, $4, $5, $6)`,
		userID, scope.DeviceID, client.ID, scope.Text, tx.Now.UnixMilli(), codeHash); err != nil {
		return tokenResponse{}, err
	}
	if err := s.announce(tx, call, userID, client.Name); err != nil {
		return tokenResponse{}, err
	}
	fresh, err := s.issue(tx, userID, scope.DeviceID, time.Duration(s.cfg.OAuth.AccessTokenLifetime), nil)
	return fresh.response(scope.Text), err
}

// verifies checks PKCE with the method S256. RFC 7636 sections 4.1 and 4.6.
func verifies(verifier, challenge string) bool {
	if len(verifier) < 43 || len(verifier) > 128 {
		return false
	}
	for _, r := range verifier {
		if !isAlphanumeric(r) && r != '-' && r != '.' && r != '_' && r != '~' {
			return false
		}
	}
	sum := sha256.Sum256([]byte(verifier))
	return secret.Equal(base64.RawURLEncoding.EncodeToString(sum[:]), challenge)
}
