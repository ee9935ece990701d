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

// IssueToken makes an access token for a device that exists. A zero lifetime
// means that it does not expire.
func (s *Service) IssueToken(tx *db.Tx, userID id.UserID, deviceID id.DeviceID, lifetime time.Duration) (string, error) {
	return insertAccessToken(tx, userID, deviceID, lifetime, nil)
}

// tokens are what a client holds of a session. RefreshToken is empty for a client
// that did not ask for one; its access token does not expire.
type tokens struct {
	AccessToken  string `json:"access_token,omitzero"`
	RefreshToken string `json:"refresh_token,omitzero"`
	ExpiresInMS  int64  `json:"expires_in_ms,omitzero"`
}

// issue makes tokens for a device that exists, as the successors of a refresh
// token if there is one. A zero lifetime means an access token that neither
// expires nor is refreshed.
func (s *Service) issue(tx *db.Tx, userID id.UserID, deviceID id.DeviceID, lifetime time.Duration, replaces *int64) (t tokens, err error) {
	t.AccessToken, err = insertAccessToken(tx, userID, deviceID, lifetime, replaces)
	if err != nil || lifetime == 0 {
		return t, err
	}
	t.ExpiresInMS = lifetime.Milliseconds()
	t.RefreshToken = secret.New(secret.RefreshToken)
	err = tx.Later(`INSERT INTO refresh_tokens (token_hash, user_id, device_id, created_ts, replaces) VALUES ($1, $2, $3, $4, $5)`,
		secret.Hash(t.RefreshToken), userID, deviceID, tx.Now.UnixMilli(), replaces)
	return t, err
}

func insertAccessToken(tx *db.Tx, userID id.UserID, deviceID id.DeviceID, lifetime time.Duration, replaces *int64) (string, error) {
	token := secret.New(secret.AccessToken)
	var expires *int64
	if lifetime > 0 {
		ts := tx.Now.Add(lifetime).UnixMilli()
		expires = &ts
	}
	err := tx.Later(`INSERT INTO access_tokens (token_hash, user_id, device_id, created_ts, expires_ts, replaces) VALUES ($1, $2, $3, $4, $5, $6)`,
		secret.Hash(token), userID, deviceID, tx.Now.UnixMilli(), expires, replaces)
	return token, err
}

// signIn begins a session of the legacy login.
func (s *Service) signIn(tx *db.Tx, userID id.UserID, deviceID id.DeviceID, name *string, withRefresh bool) (tokens, error) {
	if err := s.prepareDevice(tx, userID, deviceID, name); err != nil {
		return tokens{}, err
	}
	lifetime := time.Duration(0)
	if withRefresh {
		lifetime = time.Duration(s.cfg.Login.AccessTokenLifetime)
	}
	return s.issue(tx, userID, deviceID, lifetime, nil)
}

// prepareDevice makes the device of a new session, or ends the session of one that
// is there; its keys stay. Client-server API, "Relationship between access tokens
// and devices".
func (s *Service) prepareDevice(tx *db.Tx, userID id.UserID, deviceID id.DeviceID, name *string) error {
	if err := lockDevice(tx, userID, deviceID); err != nil {
		return err
	}
	if err := s.accounts.PutDevice(tx, userID, deviceID, name); err != nil {
		return err
	}
	if err := tx.Later(`DELETE FROM access_tokens WHERE user_id = $1 AND device_id = $2`, userID, deviceID); err != nil {
		return err
	}
	if err := tx.Later(`DELETE FROM refresh_tokens WHERE user_id = $1 AND device_id = $2`, userID, deviceID); err != nil {
		return err
	}
	return tx.Later(`DELETE FROM oauth_sessions WHERE user_id = $1 AND device_id = $2`, userID, deviceID)
}

// newDeviceID is a device id for a client that brings none.
func newDeviceID() id.DeviceID {
	return id.DeviceID(secret.Letters(10, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
}

// deviceIDFrom checks the device id that a client asks for, and makes one if it
// asks for none.
func deviceIDFrom(wanted string) (id.DeviceID, error) {
	if wanted == "" {
		return newDeviceID(), nil
	}
	deviceID, err := id.ParseDeviceID(wanted)
	if err != nil {
		return "", errcode.InvalidParam.New("%s", err.Error()).With("param", "device_id")
	}
	return deviceID, nil
}

type tokenRow struct {
	httpapi.Identity
	account  account
	expires  *int64
	replaces *int64
	seen     int64
}

// account is what an account is, as one number: each column of a row costs time, and
// this one is read with every request.
type account int64

const (
	isAdmin account = 1 << iota
	hasSecondFactor
	isGuest
	isLocked
	isSuspended
)

func scanToken(r db.Row) (t tokenRow, err error) {
	err = r.Scan(&t.TokenID, &t.UserID, &t.DeviceID, &t.ClientID, &t.expires, &t.replaces, &t.seen, &t.account)
	t.Admin, t.Guest = t.account&isAdmin != 0, t.account&isGuest != 0
	t.Locked, t.Suspended = t.account&isLocked != 0, t.account&isSuspended != 0
	return t, err
}

// Authenticate says whose access token it is. It fails with UnknownToken or
// ExpiredToken. The first use of a token that came from a refresh
// spends the refresh token; every few minutes it notes that the device was seen.
func (s *Service) Authenticate(ctx context.Context, token string, call *httpapi.Call) (httpapi.Identity, error) {
	if !secret.Plausible(secret.AccessToken, token) {
		return httpapi.Identity{}, unknownToken()
	}
	t, err := db.ReadOne(ctx, s.db, scanToken, `SELECT t.token_id, t.user_id, t.device_id, COALESCE(o.client_id, ''), t.expires_ts, t.replaces, d.last_seen_ts,
			CASE WHEN u.admin THEN 1 ELSE 0 END + CASE WHEN u.second_factor THEN 2 ELSE 0 END + CASE WHEN u.guest THEN 4 ELSE 0 END
				+ CASE WHEN u.locked THEN 8 ELSE 0 END + CASE WHEN u.suspended THEN 16 ELSE 0 END
		FROM access_tokens t JOIN users u ON u.user_id = t.user_id JOIN devices d ON d.user_id = t.user_id AND d.device_id = t.device_id
			LEFT JOIN oauth_sessions o ON o.user_id = t.user_id AND o.device_id = t.device_id
		WHERE t.token_hash = $1`, secret.Hash(token))
	switch {
	case errors.Is(err, db.ErrNoRow):
		return httpapi.Identity{}, unknownToken()
	case err != nil:
		return httpapi.Identity{}, err
	case t.expires != nil && *t.expires <= call.Now.UnixMilli():
		return httpapi.Identity{}, errcode.ExpiredToken.New("Your session has to be refreshed. Sign in again if this stays.").With("soft_logout", true)
	}
	if t.Admin && s.accounts.LacksSecondFactor(accounts.Account{Admin: true, SecondFactor: t.account&hasSecondFactor != 0}) {
		t.Admin, t.Unproved = false, true
	}
	if t.replaces != nil || call.Now.UnixMilli()-t.seen >= accounts.SeenEvery.Milliseconds() {
		err = s.db.Write(ctx, func(tx *db.Tx) error { return s.firstUse(tx, t, call) })
	}
	return t.Identity, err
}

// firstUse writes what the use of a token changes.
func (s *Service) firstUse(tx *db.Tx, t tokenRow, call *httpapi.Call) error {
	if t.replaces != nil {
		if err := endGrace(tx, t); err != nil {
			return err
		}
	}
	return s.accounts.Seen(tx, t.UserID, t.DeviceID, call.Addr, call.UserAgent)
}

// endGrace spends the refresh token that an access token came from, and voids the
// other access tokens of the session.
func endGrace(tx *db.Tx, t tokenRow) error {
	if err := lockDevice(tx, t.UserID, t.DeviceID); err != nil {
		return err
	}
	replaces, err := db.Value[*int64](tx, `SELECT replaces FROM access_tokens WHERE token_id = $1`, t.TokenID)
	switch {
	case errors.Is(err, db.ErrNoRow): // the refresh was repeated meanwhile, and this token is void
		return unknownToken()
	case err != nil:
		return err
	case replaces == nil: // another request came first, and there may be newer tokens by now
		return nil
	}
	if err := spend(tx, *replaces, t.UserID, t.DeviceID); err != nil {
		return err
	}
	return tx.Later(`DELETE FROM access_tokens WHERE user_id = $1 AND device_id = $2 AND token_id <> $3`, t.UserID, t.DeviceID, t.TokenID)
}

// Sessions is the part of a statement of others that has the row "session", with token_id,
// user_id and device_id, of each access token that still serves: one of a session that is
// over is gone, and one of an account that is locked is left out. Whether a token has run
// out is not looked at: that ends no request that has begun.
const Sessions = `FROM access_tokens session JOIN users account ON account.user_id = session.user_id AND NOT account.locked `

func unknownToken() error {
	return errcode.UnknownToken.New("You are signed out. Sign in again.").With("soft_logout", false)
}

func userLocked() error {
	return errcode.UserLocked.New("Your account is locked. Ask the administrator of this server.").With("soft_logout", true)
}
