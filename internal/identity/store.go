package identity

import (
	"crypto/ed25519"
	"errors"
	"time"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/secret"
	"github.com/narthex-matrix/narthex/internal/validation"
)

func noRowIsNil(err error) error {
	if errors.Is(err, db.ErrNoRow) {
		return nil
	}
	return err
}

func newestKey(tx *db.Tx) (Key, error) {
	return db.One(tx, func(r db.Row) (k Key, err error) {
		var seed []byte
		if err = r.Scan(&k.ID, &seed); err == nil {
			k.Private = ed25519.NewKeyFromSeed(seed)
		}
		return k, err
	}, `SELECT key_id, private_key FROM identity_keys ORDER BY created_ts DESC, key_id LIMIT 1`)
}

func insertKey(tx *db.Tx, k Key) error {
	return tx.Later(`INSERT INTO identity_keys (key_id, private_key, public_key, created_ts) VALUES ($1, $2, $3, $4)`,
		k.ID, k.Private.Seed(), k.public(), tx.Now.UnixMilli())
}

func publicKey(tx *db.Tx, keyID string) (string, error) {
	return db.Value[string](tx, `SELECT public_key FROM identity_keys WHERE key_id = $1`, keyID)
}

func isKey(tx *db.Tx, public string) (bool, error) {
	n, err := db.Value[int64](tx, `SELECT COUNT(*) FROM identity_keys WHERE public_key = $1`, public)
	return n > 0, err
}

func insertToken(tx *db.Tx, token string, user id.UserID) error {
	return tx.Later(`INSERT INTO identity_tokens (token_hash, user_id, expires_ts) VALUES ($1, $2, $3)`,
		secret.Hash(token), user, tx.Now.Add(tokenLifetime).UnixMilli())
}

func tokenOwner(tx *db.Tx, token string) (id.UserID, error) {
	return db.Value[id.UserID](tx, `SELECT user_id FROM identity_tokens WHERE token_hash = $1 AND expires_ts > $2`,
		secret.Hash(token), tx.Now.UnixMilli())
}

// removeToken reports whether the token was there and valid.
func removeToken(tx *db.Tx, token string) (bool, error) {
	n, err := tx.Exec(`DELETE FROM identity_tokens WHERE token_hash = $1 AND expires_ts > $2`, secret.Hash(token), tx.Now.UnixMilli())
	return n > 0, err
}

func removeExpiredTokens(tx *db.Tx) error {
	return tx.Later(`DELETE FROM identity_tokens WHERE expires_ts <= $1`, tx.Now.UnixMilli())
}

func acceptTerms(tx *db.Tx, user id.UserID, url string) error {
	return tx.Later(`INSERT INTO identity_accepted_terms (user_id, url, accepted_ts) VALUES ($1, $2, $3) ON CONFLICT (user_id, url) DO NOTHING`,
		user, url, tx.Now.UnixMilli())
}

func acceptedTerms(tx *db.Tx, user id.UserID) ([]string, error) {
	return db.All(tx, db.Scalar[string], `SELECT url FROM identity_accepted_terms WHERE user_id = $1`, user)
}

func insertInvite(tx *db.Tx, i invite) error {
	return tx.Later(`INSERT INTO identity_invites (token, medium, address, room_id, sender, public_key, created_ts) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		i.token, i.medium, i.address, i.room, i.sender, i.publicKey, tx.Now.UnixMilli())
}

func removeInvite(tx *db.Tx, token string) error {
	return tx.Later(`DELETE FROM identity_invites WHERE token = $1`, token)
}

func removeExpiredInvites(tx *db.Tx) error {
	return tx.Later(`DELETE FROM identity_invites WHERE created_ts <= $1`, tx.Now.Add(-inviteLifetime).UnixMilli())
}

func countInvites(tx *db.Tx, medium validation.Medium, address string, since time.Time) (int64, error) {
	return db.Value[int64](tx, `SELECT COUNT(*) FROM identity_invites WHERE medium = $1 AND address = $2 AND created_ts > $3`,
		medium, address, since.UnixMilli())
}

func inviteSender(tx *db.Tx, token string) (id.UserID, error) {
	return db.Value[id.UserID](tx, `SELECT sender FROM identity_invites WHERE token = $1`, token)
}

func isInviteKey(tx *db.Tx, public string) (bool, error) {
	n, err := db.Value[int64](tx, `SELECT COUNT(*) FROM identity_invites WHERE public_key = $1`, public)
	return n > 0, err
}

// waitingInvites are those of which no homeserver has been told.
func waitingInvites(tx *db.Tx, medium validation.Medium, address string) ([]invite, error) {
	return db.All(tx, func(r db.Row) (i invite, err error) {
		err = r.Scan(&i.token, &i.medium, &i.address, &i.room, &i.sender, &i.publicKey)
		return i, err
	}, `SELECT token, medium, address, room_id, sender, public_key FROM identity_invites
		WHERE medium = $1 AND address = $2 AND told_ts IS NULL ORDER BY created_ts, token LIMIT 500`, medium, address)
}

func markTold(tx *db.Tx, told []invite) error {
	tokens := make([]string, len(told))
	for i := range told {
		tokens[i] = told[i].token
	}
	in := db.In(tokens)
	return tx.Later(`UPDATE identity_invites SET told_ts = $1 WHERE token IN (`+in.Marks(2)+`)`, in.Args(tx.Now.UnixMilli())...)
}
