package validation

import (
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/secret"
)

// findSession gives the session, or ErrUnknown: in the same words whether it is the
// id, the secret, the purpose or the medium that is wrong (TP-11). An empty medium
// is any.
func findSession(tx *db.Tx, purposes []Purpose, medium Medium, sid, clientSecret string) (session, error) {
	v, err := db.One(tx, scanSession, `SELECT `+sessionColumns+` FROM validation_sessions WHERE sid = $1`, sid)
	if errors.Is(err, db.ErrNoRow) {
		return session{}, ErrUnknown
	}
	if err != nil {
		return session{}, err
	}
	if !v.knows(clientSecret) || !slices.Contains(purposes, v.purpose) || (medium != "" && v.medium != medium) {
		return session{}, ErrUnknown
	}
	return v, nil
}

// latestSession gives the newest session for the key of TP-28, or db.ErrNoRow, and
// holds the key until the transaction ends.
func latestSession(tx *db.Tx, req Request) (session, error) {
	hash := secret.Hash(req.ClientSecret)
	key := strings.Join([]string{string(req.Purpose), string(req.Medium), req.Address, req.Account, hex.EncodeToString(hash)}, " ")
	if err := tx.Lock("validation key", key); err != nil {
		return session{}, err
	}
	return db.One(tx, scanSession, `SELECT `+sessionColumns+` FROM validation_sessions
		WHERE address = $1 AND secret_hash = $2 AND medium = $3 AND purpose = $4 AND account = $5 ORDER BY created_ts DESC LIMIT 1`,
		req.Address, hash, req.Medium, req.Purpose, req.Account)
}

func insertSession(tx *db.Tx, v session) error {
	return tx.Later(`INSERT INTO validation_sessions (`+sessionColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)`,
		v.sid, v.purpose, v.medium, v.address, v.account, v.secretHash, v.seed, v.pretended, v.sendAttempt, v.nextLink,
		v.wrong, v.created, v.expires, v.validated, v.used)
}

// noteAttempt notes another message of a session. A next_link takes the place of the
// one before (TP-40).
func noteAttempt(tx *db.Tx, v session) error {
	return tx.Later(`UPDATE validation_sessions SET send_attempt = $2, next_link = $3 WHERE sid = $1`, v.sid, v.sendAttempt, v.nextLink)
}

// forgetAttempt makes the attempt one that was never sent, unless there was a later
// one (TP-34).
func forgetAttempt(tx *db.Tx, sid string, attempt, before int64) error {
	return tx.Later(`UPDATE validation_sessions SET send_attempt = $3 WHERE sid = $1 AND send_attempt = $2`, sid, attempt, before)
}

func lockSession(tx *db.Tx, sid string) error { return tx.Lock("validation session", sid) }

func countWrong(tx *db.Tx, sid string) error {
	return tx.Later(`UPDATE validation_sessions SET wrong = wrong + 1 WHERE sid = $1`, sid)
}

func markValidated(tx *db.Tx, sid string) error {
	return tx.Later(`UPDATE validation_sessions SET validated_ts = $2, expires_ts = $3 WHERE sid = $1 AND validated_ts IS NULL`,
		sid, tx.Now.UnixMilli(), tx.Now.Add(lifetime).UnixMilli())
}

// Validated gives what a session of one of the purposes has shown. It fails with
// ErrUnknown, ErrExpired, ErrNotValidated and, together with the value, ErrUsed. It
// changes nothing: an operation that the session authorizes calls [Service.Use] in
// the same transaction.
func (s *Service) Validated(tx *db.Tx, purposes []Purpose, sid, clientSecret string) (Validated, error) {
	if !isOpaque(sid) || !isOpaque(clientSecret) {
		return Validated{}, ErrUnknown
	}
	v, err := findSession(tx, purposes, "", sid, clientSecret)
	switch {
	case err != nil:
		return Validated{}, err
	case v.expired(tx.Now), v.validated == nil && v.burnt():
		return Validated{}, ErrExpired
	case v.validated == nil:
		return Validated{}, ErrNotValidated
	}
	out := Validated{Purpose: v.purpose, Medium: v.medium, Address: v.address, Account: v.account, At: time.UnixMilli(*v.validated)}
	if v.used != nil {
		return out, ErrUsed
	}
	return out, nil
}

// Use marks a validated session as used up, in the transaction of the operation that
// it authorizes. Of two at once one gets ErrUsed (TP-31).
func (s *Service) Use(tx *db.Tx, sid string) error {
	n, err := tx.Exec(`UPDATE validation_sessions SET used_ts = $2 WHERE sid = $1 AND used_ts IS NULL AND validated_ts IS NOT NULL AND expires_ts > $2`,
		sid, tx.Now.UnixMilli())
	if err == nil && n == 0 {
		return ErrUsed
	}
	return err
}

// sweep forgets the sessions that expired long ago, and budgets that are whole again.
func sweep(tx *db.Tx) error {
	if err := tx.Later(`DELETE FROM validation_sessions WHERE expires_ts <= $1`, tx.Now.Add(-remember).UnixMilli()); err != nil {
		return err
	}
	return tx.Later(`DELETE FROM validation_budgets WHERE until_ts <= $1`, tx.Now.UnixMilli())
}
