package identity

import (
	"time"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/identityserver"
	"github.com/narthex-matrix/narthex/internal/validation"
)

type pepper struct {
	text    string
	created time.Time
}

// lockPepper keeps the pepper as it is, for whoever writes a hash.
func lockPepper(tx *db.Tx) error { return tx.Lock("identity_pepper", "") }

func presentPepper(tx *db.Tx) (pepper, error) {
	return db.One(tx, func(r db.Row) (p pepper, err error) {
		var created int64
		err = r.Scan(&p.text, &created)
		p.created = time.UnixMilli(created)
		return p, err
	}, `SELECT pepper, created_ts FROM identity_pepper`)
}

func insertPepper(tx *db.Tx, text string) error {
	return tx.Later(`INSERT INTO identity_pepper (pepper, created_ts) VALUES ($1, $2)`, text, tx.Now.UnixMilli())
}

func removePeppers(tx *db.Tx) error {
	return tx.Later(`DELETE FROM identity_pepper`)
}

// rehash puts every association under another pepper.
func rehash(tx *db.Tx, pepper string) error {
	type pair struct{ old, next string }
	pairs, err := db.All(tx, func(r db.Row) (p pair, err error) {
		var medium validation.Medium
		var address string
		err = r.Scan(&medium, &address, &p.old)
		p.next = identityserver.LookupHash(medium, address, pepper)
		return p, err
	}, `SELECT medium, address, lookup_hash FROM identity_associations`)
	if err != nil {
		return err
	}
	return db.Chunks(pairs, func(some []pair) error {
		var flat []string
		for _, p := range some {
			flat = append(flat, p.old, p.next)
		}
		in := db.In(flat)
		return tx.Later(`UPDATE identity_associations SET lookup_hash = changed.column2 FROM (VALUES `+in.Pairs(1)+`) AS changed
			WHERE lookup_hash = changed.column1`, in.Args()...)
	})
}

// putAssociation gives an address to a user, in place of whoever had it.
func putAssociation(tx *db.Tx, a association) error {
	if err := lockPepper(tx); err != nil {
		return err
	}
	present, err := presentPepper(tx)
	if err != nil {
		return err
	}
	return tx.Later(`INSERT INTO identity_associations (medium, address, user_id, lookup_hash, bound_ts) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (medium, address) DO UPDATE SET user_id = $3, bound_ts = $5`,
		a.Medium, a.Address, a.UserID, identityserver.LookupHash(a.Medium, a.Address, present.text), a.TS)
}

func removeAssociation(tx *db.Tx, medium validation.Medium, address string, user id.UserID) error {
	return tx.Later(`DELETE FROM identity_associations WHERE medium = $1 AND address = $2 AND user_id = $3`, medium, address, user)
}

func associationOwner(tx *db.Tx, medium validation.Medium, address string) (id.UserID, error) {
	return db.Value[id.UserID](tx, `SELECT user_id FROM identity_associations WHERE medium = $1 AND address = $2`, medium, address)
}

// findHashes adds the users of the hashes that are known.
func findHashes(tx *db.Tx, hashes []string, found map[string]id.UserID) error {
	return db.Chunks(hashes, func(some []string) error {
		in := db.In(some)
		return db.Each(tx, func(r db.Row) error {
			var hash string
			var user id.UserID
			err := r.Scan(&hash, &user)
			found[hash] = user
			return err
		}, `SELECT lookup_hash, user_id FROM identity_associations WHERE lookup_hash IN (`+in.Marks(1)+`)`, in.Args()...)
	})
}

// findAddresses adds the users of the addresses that are known, under each text that
// an address was asked for by.
func findAddresses(tx *db.Tx, medium validation.Medium, asked map[string][]string, found map[string]id.UserID) error {
	addresses := make([]string, 0, len(asked))
	for address := range asked {
		addresses = append(addresses, address)
	}
	return db.Chunks(addresses, func(some []string) error {
		in := db.In(some)
		return db.Each(tx, func(r db.Row) error {
			var address string
			var user id.UserID
			err := r.Scan(&address, &user)
			for _, text := range asked[address] {
				found[text] = user
			}
			return err
		}, `SELECT address, user_id FROM identity_associations WHERE medium = $1 AND address IN (`+in.Marks(2)+`)`, in.Args(medium)...)
	})
}
