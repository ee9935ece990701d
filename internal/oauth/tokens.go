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

// IssueToken makes an access token for a device that exists. A zero lifetime
// means that it does not expire.
func (s *Service) IssueToken(tx *db.Tx, userID id.UserID, deviceID id.DeviceID, lifetime time.Duration) (string, error) {
	token := secret.New(secret.AccessToken)
	var expires *int64
	if lifetime > 0 {
		ts := tx.Now.Add(lifetime).UnixMilli()
		expires = &ts
	}
	_, err := tx.Exec(`INSERT INTO access_tokens (token_hash, user_id, device_id, created_ts, expires_ts) VALUES ($1, $2, $3, $4, $5)`,
		secret.Hash(token), userID, deviceID, tx.Now.UnixMilli(), expires)
	return token, err
}

type tokenRow struct {
	httpapi.Identity
	expires *int64
	locked  bool
}

func scanToken(r db.Row) (t tokenRow, err error) {
	err = r.Scan(&t.TokenID, &t.UserID, &t.DeviceID, &t.expires, &t.Admin, &t.Guest, &t.locked, &t.Suspended)
	return t, err
}

// Authenticate says whose access token it is. It fails with UnknownToken,
// ExpiredToken or UserLocked.
func (s *Service) Authenticate(ctx context.Context, token string, call *httpapi.Call) (httpapi.Identity, error) {
	if !secret.Plausible(secret.AccessToken, token) {
		return httpapi.Identity{}, unknownToken()
	}
	var t tokenRow
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) {
		t, err = db.One(tx, scanToken, `SELECT t.token_id, t.user_id, t.device_id, t.expires_ts, u.admin, u.guest, u.locked, u.suspended
			FROM access_tokens t JOIN users u ON u.user_id = t.user_id WHERE t.token_hash = $1`, secret.Hash(token))
		return err
	})
	switch {
	case errors.Is(err, db.ErrNoRow):
		return httpapi.Identity{}, unknownToken()
	case err != nil:
		return httpapi.Identity{}, err
	case t.expires != nil && *t.expires <= call.Now.UnixMilli():
		return httpapi.Identity{}, errcode.ExpiredToken.New("Your session has to be refreshed. Sign in again if this stays.").With("soft_logout", true)
	case t.locked && call.Op != "logout" && call.Op != "logout_all":
		return httpapi.Identity{}, errcode.UserLocked.New("Your account is locked. Ask the administrator of this server.").With("soft_logout", true)
	}
	return t.Identity, nil
}

func unknownToken() error {
	return errcode.UnknownToken.New("You are signed out. Sign in again.").With("soft_logout", false)
}
