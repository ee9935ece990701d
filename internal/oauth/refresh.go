package oauth

import (
	"context"
	"errors"
	"time"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/secret"
)

// How refreshing works. A refresh token R1 is exchanged for an access token A2 and
// a refresh token R2, which both note that they replace R1. R1 stays good: if the
// answer was lost, it is exchanged again, and A2 and R2 are void. The first use of
// A2 or R2 spends R1. Whoever comes with a spent token shows that two parties have
// it, and the session ends. Client-server API, "Refreshing access tokens".

type refreshRequest struct {
	RefreshToken string `json:"refresh_token" required:"true"`
}

func (s *Service) refresh(ctx context.Context, _ *httpapi.Call, req refreshRequest) (tokens, error) {
	fresh, _, err := s.renew(ctx, req.RefreshToken, "", time.Duration(s.cfg.Login.AccessTokenLifetime))
	if errors.Is(err, errRefreshToken) {
		err = unknownToken()
	}
	return fresh, err
}

// errRefreshToken is said of a refresh token that is not known, or not the
// client's, or was spent.
var errRefreshToken = errors.New("oauth: not a refresh token that is good")

// renew exchanges a refresh token of a client ("" for the legacy login) for new
// tokens, and gives the scope of the session. It fails with errRefreshToken, and
// with UserLocked. A token that was spent ends the session.
func (s *Service) renew(ctx context.Context, token, clientID string, lifetime time.Duration) (fresh tokens, scope string, err error) {
	if !secret.Plausible(secret.RefreshToken, token) {
		return fresh, "", errRefreshToken
	}
	var refused error // what is written stays, although the answer is a failure
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		fresh, refused = tokens{}, nil
		r, err := heldRefreshToken(tx, token)
		switch {
		case errors.Is(err, db.ErrNoRow), err == nil && r.clientID != clientID:
			refused = errRefreshToken
			return nil
		case err != nil:
			return err
		case r.spent:
			refused = errRefreshToken
			if err := s.accounts.Audit(tx, accounts.ServerActor, "refresh_token_reused", string(r.userID), map[string]id.DeviceID{"device_id": r.deviceID}); err != nil {
				return err
			}
			return s.accounts.DeleteDevices(tx, r.userID, []id.DeviceID{r.deviceID})
		case r.locked:
			refused = userLocked()
			return nil
		}
		scope = r.scope
		fresh, err = s.rotate(tx, r, lifetime)
		return err
	})
	if err == nil {
		err = refused
	}
	return fresh, scope, err
}

// rotate replaces a refresh token that is good.
func (s *Service) rotate(tx *db.Tx, r refreshToken, lifetime time.Duration) (tokens, error) {
	if r.replaces != nil {
		if err := spend(tx, *r.replaces, r.userID, r.deviceID); err != nil {
			return tokens{}, err
		}
	}
	// What came of an earlier exchange of the same token was never used.
	if err := tx.Later(`DELETE FROM refresh_tokens WHERE user_id = $1 AND device_id = $2 AND replaces = $3`, r.userID, r.deviceID, r.tokenID); err != nil {
		return tokens{}, err
	}
	if err := tx.Later(`DELETE FROM access_tokens WHERE user_id = $1 AND device_id = $2 AND replaces = $3`, r.userID, r.deviceID, r.tokenID); err != nil {
		return tokens{}, err
	}
	return s.issue(tx, r.userID, r.deviceID, lifetime, &r.tokenID)
}

// spend ends the grace of a refresh token: its successors have arrived.
func spend(tx *db.Tx, tokenID int64, userID id.UserID, deviceID id.DeviceID) error {
	if err := tx.Later(`UPDATE refresh_tokens SET spent_ts = COALESCE(spent_ts, $2) WHERE token_id = $1`, tokenID, tx.Now.UnixMilli()); err != nil {
		return err
	}
	if err := tx.Later(`UPDATE access_tokens SET replaces = NULL WHERE user_id = $1 AND device_id = $2 AND replaces = $3`, userID, deviceID, tokenID); err != nil {
		return err
	}
	return tx.Later(`UPDATE refresh_tokens SET replaces = NULL WHERE user_id = $1 AND device_id = $2 AND replaces = $3`, userID, deviceID, tokenID)
}

type refreshToken struct {
	tokenID  int64
	userID   id.UserID
	deviceID id.DeviceID
	clientID string // empty: of the legacy login
	scope    string
	spent    bool
	replaces *int64
	locked   bool
}

// heldRefreshToken finds a refresh token and keeps others from using the session's
// tokens until the transaction ends.
func heldRefreshToken(tx *db.Tx, token string) (r refreshToken, err error) {
	find := func() error {
		r, err = db.One(tx, func(row db.Row) (r refreshToken, err error) {
			err = row.Scan(&r.tokenID, &r.userID, &r.deviceID, &r.clientID, &r.scope, &r.spent, &r.replaces, &r.locked)
			return r, err
		}, `SELECT t.token_id, t.user_id, t.device_id, COALESCE(o.client_id, ''), COALESCE(o.scope, ''), t.spent_ts IS NOT NULL, t.replaces, u.locked
			FROM refresh_tokens t JOIN users u ON u.user_id = t.user_id
				LEFT JOIN oauth_sessions o ON o.user_id = t.user_id AND o.device_id = t.device_id
			WHERE t.token_hash = $1`, secret.Hash(token))
		return err
	}
	if err := find(); err != nil {
		return r, err
	}
	if err := lockDevice(tx, r.userID, r.deviceID); err != nil {
		return r, err
	}
	err = find() // as it is now that the lock is held
	return r, err
}

func lockDevice(tx *db.Tx, userID id.UserID, deviceID id.DeviceID) error {
	return tx.Lock("device", string(userID)+" "+string(deviceID))
}
