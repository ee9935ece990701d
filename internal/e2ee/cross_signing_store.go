package e2ee

import (
	"crypto/ed25519"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
)

// usage is what a cross-signing key is for.
type usage string

const (
	master      usage = "master"
	selfSigning usage = "self_signing"
	userSigning usage = "user_signing"
)

// crossSigningKey is one row of `cross_signing_keys`.
type crossSigningKey struct {
	userID    id.UserID
	usage     usage
	publicKey string // unpadded base64; also the id of the key
	keys      []byte // canonical, without signatures
	signature string // by the master key; empty: none
}

func (k crossSigningKey) key() ed25519.PublicKey { return parsePlainKey(k.publicKey) }

// signs gives the signature that the key made over an object, or "".
func (k crossSigningKey) signs(s signed) string {
	return s.by(k.userID, k.publicKey, k.key())
}

// userKeys are the cross-signing keys of one user.
type userKeys map[usage]crossSigningKey

// crossSigningKeys gives the cross-signing keys of some users.
func crossSigningKeys(tx *db.Tx, users []id.UserID) (map[id.UserID]userKeys, error) {
	found := map[id.UserID]userKeys{}
	return found, db.Chunks(users, func(chunk []id.UserID) error {
		in := db.In(chunk)
		return db.Each(tx, func(r db.Row) error {
			var k crossSigningKey
			var signature *string
			if err := r.Scan(&k.userID, &k.usage, &k.publicKey, &k.keys, &signature); err != nil {
				return err
			}
			if signature != nil {
				k.signature = *signature
			}
			if found[k.userID] == nil {
				found[k.userID] = userKeys{}
			}
			found[k.userID][k.usage] = k
			return nil
		}, `SELECT user_id, usage, public_key, keys, signature FROM cross_signing_keys WHERE user_id IN (`+in.Marks(1)+`)`, in.Args()...)
	})
}

// crossSigningKeysOf is crossSigningKeys for one user.
func crossSigningKeysOf(tx *db.Tx, userID id.UserID) (userKeys, error) {
	found, err := crossSigningKeys(tx, []id.UserID{userID})
	return found[userID], err
}

func putCrossSigningKey(tx *db.Tx, k crossSigningKey) error {
	return tx.Later(`INSERT INTO cross_signing_keys (user_id, usage, public_key, keys, signature) VALUES ($1, $2, $3, $4, NULLIF($5, ''))
		ON CONFLICT (user_id, usage) DO UPDATE SET public_key = excluded.public_key, keys = excluded.keys, signature = excluded.signature`,
		k.userID, k.usage, k.publicKey, k.keys, k.signature)
}

// dropSignaturesBy forgets what a cross-signing key that is replaced has signed,
// and of a master key also the keys below it and what devices have signed of it.
func dropSignaturesBy(tx *db.Tx, userID id.UserID, replaced usage) error {
	if replaced != userSigning {
		if err := tx.Later(`UPDATE device_keys SET self_signature = NULL WHERE user_id = $1`, userID); err != nil {
			return err
		}
	}
	if replaced != selfSigning {
		if err := tx.Later(`DELETE FROM user_signatures WHERE signer_id = $1`, userID); err != nil {
			return err
		}
	}
	if replaced != master {
		return nil
	}
	if err := tx.Later(`UPDATE device_keys SET master_signature = NULL WHERE user_id = $1`, userID); err != nil {
		return err
	}
	return tx.Later(`DELETE FROM cross_signing_keys WHERE user_id = $1`, userID)
}

// userSignature is one row of `user_signatures`.
type userSignature struct {
	userID                id.UserID // whose master key is signed
	signingKey, masterKey string
	signature             string
}

// userSignaturesBy gives the signatures that a user has made of the master keys of
// some others.
func userSignaturesBy(tx *db.Tx, signer id.UserID, users []id.UserID) (map[id.UserID]userSignature, error) {
	found := map[id.UserID]userSignature{}
	return found, db.Chunks(users, func(chunk []id.UserID) error {
		in := db.In(chunk)
		return db.Each(tx, func(r db.Row) error {
			var u userSignature
			err := r.Scan(&u.userID, &u.signingKey, &u.masterKey, &u.signature)
			found[u.userID] = u
			return err
		}, `SELECT user_id, signing_key, master_key, signature FROM user_signatures WHERE signer_id = $1 AND user_id IN (`+in.Marks(2)+`)`, in.Args(signer)...)
	})
}

func putUserSignature(tx *db.Tx, signer id.UserID, u userSignature, pos int64) error {
	return tx.Later(`INSERT INTO user_signatures (signer_id, user_id, signing_key, master_key, signature, pos) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (signer_id, user_id) DO UPDATE SET signing_key = excluded.signing_key, master_key = excluded.master_key,
			signature = excluded.signature, pos = excluded.pos`, signer, u.userID, u.signingKey, u.masterKey, u.signature, pos)
}

// Signed gives the users whose master keys a user has signed after a position, up
// to and including another: the user's other devices must look these up again.
func (s *Service) Signed(tx *db.Tx, signer id.UserID, after, upTo int64) ([]id.UserID, error) {
	return db.All(tx, db.Scalar[id.UserID], `SELECT user_id FROM user_signatures WHERE signer_id = $1 AND pos > $2 AND pos <= $3`, signer, after, upTo)
}
