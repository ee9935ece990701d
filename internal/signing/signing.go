// Package signing keeps the server's signing key.
//
// It owns the table `server_keys`. The key is a row, so that every process over
// one database signs with the same key and a backup of the database is a backup of
// the server. It is made at the first start.
package signing

import (
	"context"
	"crypto/ed25519"
	"errors"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/event"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/secret"
)

const keyVersionAlphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

// Load gives the newest key, and makes one if there is none.
func Load(ctx context.Context, d *db.DB, server id.ServerName) (event.Signer, error) {
	signer := event.Signer{Server: server}
	scan := func(r db.Row) (seed []byte, err error) {
		err = r.Scan(&signer.KeyID, &seed)
		return seed, err
	}
	err := d.Write(ctx, func(tx *db.Tx) error {
		if err := tx.Lock("server_keys", ""); err != nil {
			return err
		}
		seed, err := db.One(tx, scan, `SELECT key_id, private_key FROM server_keys ORDER BY created_ts DESC, key_id LIMIT 1`)
		if errors.Is(err, db.ErrNoRow) {
			_, key, err := ed25519.GenerateKey(nil)
			if err != nil {
				return err
			}
			signer.KeyID, signer.Key = "ed25519:"+secret.Letters(6, keyVersionAlphabet), key
			return tx.Later(`INSERT INTO server_keys (key_id, private_key, created_ts) VALUES ($1, $2, $3)`,
				signer.KeyID, key.Seed(), tx.Now.UnixMilli())
		}
		if err != nil {
			return err
		}
		signer.Key = ed25519.NewKeyFromSeed(seed)
		return nil
	})
	return signer, err
}
