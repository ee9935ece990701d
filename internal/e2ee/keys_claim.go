package e2ee

import (
	"context"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
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

// maxAlgorithms is of how many algorithms one request may claim keys: clients use
// one.
const maxAlgorithms = 8

func (s *Service) claimKeys(ctx context.Context, _ *httpapi.Call, req claimKeysRequest) (out claimKeysResponse, err error) {
	out.Failures = unreachable(s, req.OneTimeKeys)
	var users []id.UserID
	wanted := map[string][]deviceOf{} // by algorithm
	for u, devices := range req.OneTimeKeys {
		users = append(users, u)
		for deviceID, algorithm := range devices {
			wanted[algorithm] = append(wanted[algorithm], deviceOf{u, deviceID})
		}
	}
	if len(wanted) > maxAlgorithms {
		return out, errcode.InvalidParam.New("One request may claim keys of at most %d algorithms.", maxAlgorithms).With("param", "one_time_keys")
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
		for algorithm, devices := range wanted {
			keys, err := claimOneTimeKeys(tx, algorithm, devices)
			if err != nil {
				return err
			}
			out.add(keys)
			rest := slices.DeleteFunc(slices.Clone(devices), func(of deviceOf) bool { return keys[of] != nil })
			if keys, err = claimFallbackKeys(tx, algorithm, rest); err != nil {
				return err
			}
			out.add(keys)
		}
		return nil
	})
	return out, err
}

func (r claimKeysResponse) add(keys map[deviceOf]*deviceKey) {
	for of, k := range keys {
		if r.OneTimeKeys[of.userID] == nil {
			r.OneTimeKeys[of.userID] = map[id.DeviceID]map[string]jsontext.Value{}
		}
		r.OneTimeKeys[of.userID][of.deviceID] = map[string]jsontext.Value{k.algorithm + ":" + k.keyID: k.key}
	}
}

// ofDevices begins a statement about the devices that are listed in pairs.
const ofDevices = `WITH want (user_id, device_id) AS (SELECT DISTINCT * FROM (VALUES `

func pairsOf(devices []deviceOf) (pairs []string) {
	for _, of := range devices {
		pairs = append(pairs, string(of.userID), string(of.deviceID))
	}
	return pairs
}

// claimOneTimeKeys takes, of each device that has one, the key of an algorithm that
// was uploaded first. The locks of the users are held.
func claimOneTimeKeys(tx *db.Tx, algorithm string, devices []deviceOf) (map[deviceOf]*deviceKey, error) {
	claimed := map[deviceOf]*deviceKey{}
	var rows []int64
	err := db.Chunks(pairsOf(devices), func(pairs []string) error {
		in := db.In(pairs)
		return db.Each(tx, func(r db.Row) error {
			k := deviceKey{algorithm: algorithm}
			var of deviceOf
			var row int64
			err := r.Scan(&row, &of.userID, &of.deviceID, &k.keyID, &k.key)
			claimed[of], rows = &k, append(rows, row)
			return err
		}, ofDevices+in.Pairs(2)+`) AS pairs) SELECT k.row_id, k.user_id, k.device_id, k.key_id, k.key FROM want
			JOIN one_time_keys k ON k.row_id = (SELECT o.row_id FROM one_time_keys o WHERE o.user_id = want.user_id AND o.device_id = want.device_id
				AND o.algorithm = $1 AND o.claimed_ts IS NULL ORDER BY o.row_id LIMIT 1)`, in.Args(algorithm)...)
	})
	if err != nil {
		return nil, err
	}
	return claimed, db.Chunks(rows, func(chunk []int64) error {
		in := db.In(chunk)
		return tx.Later(`UPDATE one_time_keys SET claimed_ts = $1 WHERE row_id IN (`+in.Marks(2)+`)`, in.Args(tx.Now.UnixMilli())...)
	})
}

// claimFallbackKeys gives the fallback keys of devices, of those that have one, and
// marks them as used.
func claimFallbackKeys(tx *db.Tx, algorithm string, devices []deviceOf) (map[deviceOf]*deviceKey, error) {
	claimed := map[deviceOf]*deviceKey{}
	var fresh []deviceOf
	err := db.Chunks(pairsOf(devices), func(pairs []string) error {
		in := db.In(pairs)
		return db.Each(tx, func(r db.Row) error {
			k := deviceKey{algorithm: algorithm}
			var of deviceOf
			var used bool
			err := r.Scan(&of.userID, &of.deviceID, &k.keyID, &k.key, &used)
			if claimed[of] = &k; !used {
				fresh = append(fresh, of)
			}
			return err
		}, ofDevices+in.Pairs(2)+`) AS pairs) SELECT k.user_id, k.device_id, k.key_id, k.key, k.used FROM want
			JOIN fallback_keys k ON k.user_id = want.user_id AND k.device_id = want.device_id AND k.algorithm = $1`, in.Args(algorithm)...)
	})
	if err != nil {
		return nil, err
	}
	return claimed, db.Chunks(pairsOf(fresh), func(pairs []string) error {
		in := db.In(pairs)
		return tx.Later(`UPDATE fallback_keys SET used = TRUE WHERE algorithm = $1 AND (user_id, device_id) IN (VALUES `+in.Pairs(2)+`)`, in.Args(algorithm)...)
	})
}
