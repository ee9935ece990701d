package oauth

import (
	"context"
	"errors"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/secret"
)

type revokeRequest struct {
	Token    string `form:"token,required"`
	Hint     string `form:"token_type_hint"` // tokens say themselves what they are
	ClientID string `form:"client_id"`       // whoever has the token may revoke it
}

// revoke ends the session that a token belongs to: both tokens, and the device
// (OA-33). A token that is not known is revoked already. RFC 7009.
func (s *Service) revoke(ctx context.Context, _ *httpapi.Call, req revokeRequest) (empty, error) {
	return empty{}, s.db.Write(ctx, func(tx *db.Tx) error {
		session, err := sessionOf(tx, req.Token)
		if errors.Is(err, db.ErrNoRow) {
			return nil
		}
		if err != nil {
			return err
		}
		return s.accounts.DeleteDevices(tx, session.userID, []id.DeviceID{session.deviceID})
	})
}

// tokenSession is what is known of a token.
type tokenSession struct {
	userID          id.UserID
	deviceID        id.DeviceID
	clientID, scope string // empty: of the legacy login
	created         int64
	expires         *int64
	refresh         bool
	dead            bool // spent, or of an account that may not use it
}

// sessionOf gives the session of an access or refresh token, or db.ErrNoRow.
func sessionOf(tx *db.Tx, token string) (tokenSession, error) {
	refresh := secret.Plausible(secret.RefreshToken, token)
	if !refresh && !secret.Plausible(secret.AccessToken, token) {
		return tokenSession{}, db.ErrNoRow
	}
	query := `SELECT t.user_id, t.device_id, COALESCE(o.client_id, ''), COALESCE(o.scope, ''), t.created_ts, t.expires_ts, u.locked
		FROM access_tokens t JOIN users u ON u.user_id = t.user_id
			LEFT JOIN oauth_sessions o ON o.user_id = t.user_id AND o.device_id = t.device_id
		WHERE t.token_hash = $1`
	if refresh {
		query = `SELECT t.user_id, t.device_id, COALESCE(o.client_id, ''), COALESCE(o.scope, ''), t.created_ts, NULL, u.locked OR t.spent_ts IS NOT NULL
		FROM refresh_tokens t JOIN users u ON u.user_id = t.user_id
			LEFT JOIN oauth_sessions o ON o.user_id = t.user_id AND o.device_id = t.device_id
		WHERE t.token_hash = $1`
	}
	return db.One(tx, func(r db.Row) (t tokenSession, err error) {
		t.refresh = refresh
		err = r.Scan(&t.userID, &t.deviceID, &t.clientID, &t.scope, &t.created, &t.expires, &t.dead)
		return t, err
	}, query, secret.Hash(token))
}

type introspectRequest struct {
	Token        string `form:"token,required"`
	Hint         string `form:"token_type_hint"`
	ClientID     string `form:"client_id"` // any: the secret says who asks
	ClientSecret string `form:"client_secret"`
}

// introspectResponse is what RFC 7662 section 2.2 has. Of a token that is no good
// it says so and nothing else.
type introspectResponse struct {
	Active    bool        `json:"active"`
	Scope     string      `json:"scope,omitzero"`
	ClientID  string      `json:"client_id,omitzero"`
	Username  string      `json:"username,omitzero"` // the localpart
	Subject   id.UserID   `json:"sub,omitzero"`
	DeviceID  id.DeviceID `json:"device_id,omitzero"`
	TokenType string      `json:"token_type,omitzero"` // access_token or refresh_token
	Issuer    string      `json:"iss,omitzero"`
	IssuedAt  int64       `json:"iat,omitzero"` // in seconds
	Expires   int64       `json:"exp,omitzero"` // likewise; 0: never
}

// introspect tells a service of the administrator whose token it has. The service
// proves itself by the secret of the configuration.
func (s *Service) introspect(ctx context.Context, call *httpapi.Call, req introspectRequest) (resp introspectResponse, err error) {
	if want := s.cfg.OAuth.IntrospectionSecret; want == "" || !secret.Equal(req.ClientSecret, want) {
		return resp, errcode.InvalidClient.New("The client_secret is not the one in oauth.introspection_secret.")
	}
	var t tokenSession
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		t, err = sessionOf(tx, req.Token)
		return err
	})
	if errors.Is(err, db.ErrNoRow) || (err == nil && (t.dead || (t.expires != nil && *t.expires <= call.Now.UnixMilli()))) {
		return introspectResponse{}, nil
	}
	if err != nil {
		return resp, err
	}
	resp = introspectResponse{Active: true, Scope: t.scope, ClientID: t.clientID, Username: t.userID.Localpart(), Subject: t.userID, DeviceID: t.deviceID,
		TokenType: "access_token", Issuer: s.issuer(), IssuedAt: t.created / 1000}
	if t.refresh {
		resp.TokenType = "refresh_token"
	}
	if t.expires != nil {
		resp.Expires = *t.expires / 1000
	}
	return resp, nil
}
