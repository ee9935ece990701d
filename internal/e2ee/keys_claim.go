package e2ee

import (
	"context"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
)

type claimKeysRequest struct {
	OneTimeKeys map[id.UserID]map[id.DeviceID]string `json:"one_time_keys" required:"true"`
}

type claimKeysResponse struct {
	OneTimeKeys map[id.UserID]map[id.DeviceID]map[string]jsontext.Value `json:"one_time_keys"`
	Failures    map[id.ServerName]struct{}                              `json:"failures"`
}

func (s *Service) claimKeys(ctx context.Context, _ *httpapi.Call, req claimKeysRequest) (out claimKeysResponse, err error) {
	out.Failures = unreachable(s, req.OneTimeKeys)
	var users []id.UserID
	wanted := map[claim]bool{}
	for u, devices := range req.OneTimeKeys {
		users = append(users, u)
		for deviceID, algorithm := range devices {
			wanted[claim{deviceOf{u, deviceID}, algorithm}] = true
		}
	}
	slices.Sort(users)
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		// In one order, so that two claims do not wait for each other for ever.
		for _, u := range users {
			if err := tx.Lock("one-time keys", string(u)); err != nil {
				return err
			}
		}
		out.OneTimeKeys = map[id.UserID]map[id.DeviceID]map[string]jsontext.Value{}
		claimed, err := claimOneTimeKeys(tx, users, wanted)
		if err != nil {
			return err
		}
		rest := map[claim]bool{}
		for c := range wanted {
			rest[c] = claimed[c] == nil
		}
		fallbacks, err := claimFallbackKeys(tx, users, rest)
		if err != nil {
			return err
		}
		for _, keys := range []map[claim]*deviceKey{claimed, fallbacks} {
			for c, k := range keys {
				out.add(c, k)
			}
		}
		return nil
	})
	return out, err
}

func (r claimKeysResponse) add(c claim, k *deviceKey) {
	if r.OneTimeKeys[c.userID] == nil {
		r.OneTimeKeys[c.userID] = map[id.DeviceID]map[string]jsontext.Value{}
	}
	r.OneTimeKeys[c.userID][c.deviceID] = map[string]jsontext.Value{k.algorithm + ":" + k.keyID: k.key}
}

// claim asks for one key.
type claim struct {
	deviceOf
	algorithm string
}

// claimOneTimeKeys takes, for each claim, the key that was uploaded first. The
// locks of the users are held.
func claimOneTimeKeys(tx *db.Tx, users []id.UserID, wanted map[claim]bool) (map[claim]*deviceKey, error) {
	claimed := map[claim]*deviceKey{}
	var rows []int64
	err := db.Chunks(users, func(chunk []id.UserID) error {
		in := db.In(chunk)
		return db.Each(tx, func(r db.Row) error {
			var c claim
			var k deviceKey
			var row int64
			if err := r.Scan(&row, &c.userID, &c.deviceID, &c.algorithm, &k.keyID, &k.key); err != nil {
				return err
			}
			if k.algorithm = c.algorithm; wanted[c] {
				claimed[c], rows = &k, append(rows, row)
			}
			return nil
		}, `SELECT row_id, user_id, device_id, algorithm, key_id, key FROM one_time_keys
			WHERE row_id IN (SELECT MIN(row_id) FROM one_time_keys WHERE user_id IN (`+in.Marks(1)+`) GROUP BY user_id, device_id, algorithm)`, in.Args()...)
	})
	if err != nil {
		return nil, err
	}
	return claimed, db.Chunks(rows, func(chunk []int64) error {
		in := db.In(chunk)
		_, err := tx.Exec(`DELETE FROM one_time_keys WHERE row_id IN (`+in.Marks(1)+`)`, in.Args()...)
		return err
	})
}

// claimFallbackKeys gives the fallback keys for claims, and marks them as used.
func claimFallbackKeys(tx *db.Tx, users []id.UserID, wanted map[claim]bool) (map[claim]*deviceKey, error) {
	claimed := map[claim]*deviceKey{}
	var fresh []claim
	err := db.Chunks(users, func(chunk []id.UserID) error {
		in := db.In(chunk)
		return db.Each(tx, func(r db.Row) error {
			var c claim
			var k deviceKey
			var used bool
			if err := r.Scan(&c.userID, &c.deviceID, &c.algorithm, &k.keyID, &k.key, &used); err != nil {
				return err
			}
			if k.algorithm = c.algorithm; wanted[c] {
				claimed[c] = &k
				if !used {
					fresh = append(fresh, c)
				}
			}
			return nil
		}, `SELECT user_id, device_id, algorithm, key_id, key, used FROM fallback_keys WHERE user_id IN (`+in.Marks(1)+`)`, in.Args()...)
	})
	if err != nil {
		return nil, err
	}
	for _, c := range fresh {
		if _, err := tx.Exec(`UPDATE fallback_keys SET used = TRUE WHERE user_id = $1 AND device_id = $2 AND algorithm = $3`, c.userID, c.deviceID, c.algorithm); err != nil {
			return nil, err
		}
	}
	return claimed, nil
}
