package e2ee

import (
	"bytes"
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/narthex-matrix/narthex/internal/canonicaljson"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
)

const (
	// maxOneTimeKeys is how many unclaimed keys of one algorithm a device may have:
	// clients keep 50 to 100.
	maxOneTimeKeys = 1000
	maxDeviceKeys  = 32 << 10 // bytes
	maxKey         = 4 << 10  // bytes of a one-time or fallback key
)

type uploadKeysRequest struct {
	DeviceKeys   jsontext.Value            `json:"device_keys"`
	OneTimeKeys  map[string]jsontext.Value `json:"one_time_keys"`
	FallbackKeys map[string]jsontext.Value `json:"fallback_keys"`
}

type uploadKeysResponse struct {
	Counts map[string]int64 `json:"one_time_key_counts"`
}

func (s *Service) uploadKeys(ctx context.Context, call *httpapi.Call, req uploadKeysRequest) (out uploadKeysResponse, err error) {
	uploaded, err := readIdentity(call, req.DeviceKeys)
	if err != nil {
		return out, err
	}
	oneTime, err := deviceKeys("one_time_keys", req.OneTimeKeys)
	if err != nil {
		return out, err
	}
	fallback, err := deviceKeys("fallback_keys", req.FallbackKeys)
	if err != nil {
		return out, err
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		if err := tx.Lock("one-time keys", string(call.UserID)); err != nil {
			return err
		}
		if err := addOneTimeKeys(tx, call.UserID, call.DeviceID, oneTime); err != nil {
			return err
		}
		if err := putFallbackKeys(tx, call.UserID, call.DeviceID, fallback); err != nil {
			return err
		}
		if out.Counts, _, err = s.UnclaimedKeys(tx, call.UserID, call.DeviceID); err != nil {
			return err
		}
		for algorithm, n := range out.Counts {
			if n > maxOneTimeKeys {
				return errcode.InvalidParam.New("A device may have at most %d one-time keys of the algorithm %s that nobody has claimed.", maxOneTimeKeys, algorithm).With("param", "one_time_keys")
			}
		}
		if uploaded == nil {
			return nil
		}
		return s.putIdentity(tx, deviceOf{call.UserID, call.DeviceID}, *uploaded)
	})
	return out, err
}

// deviceKey is a one-time or fallback key.
type deviceKey struct {
	algorithm, keyID string
	key              []byte
}

// deviceKeys reads keys by "algorithm:id", in the order of these.
func deviceKeys(name string, keys map[string]jsontext.Value) ([]deviceKey, error) {
	out := make([]deviceKey, 0, len(keys))
	for full, raw := range keys {
		algorithm, keyID, ok := strings.Cut(full, ":")
		if !ok || algorithm == "" || keyID == "" || len(full) > id.MaxLength || strings.Contains(full, "\x00") {
			return nil, errcode.InvalidParam.New("In %q, each key is named by its algorithm, a colon and an id.", name).With("param", name)
		}
		if kind := raw.Kind(); kind != '"' && kind != '{' {
			return nil, errcode.BadJSON.New("In %q, each key must be a string or an object.", name).With("param", name)
		}
		if len(raw) > maxKey {
			return nil, errcode.TooLarge.New("In %q, each key may have at most %d bytes.", name, maxKey)
		}
		key, err := canonicaljson.CanonicalLoose(raw)
		if err != nil {
			return nil, err
		}
		out = append(out, deviceKey{algorithm, keyID, key})
	}
	slices.SortFunc(out, func(a, b deviceKey) int { return strings.Compare(a.algorithm+":"+a.keyID, b.algorithm+":"+b.keyID) })
	return out, nil
}

// addOneTimeKeys adds keys. Clients repeat uploads whose answer was lost, and some of
// the keys may have been claimed by then: these must not come back. Under the id of
// a key that is still to be claimed there can be no other.
func addOneTimeKeys(tx *db.Tx, userID id.UserID, deviceID id.DeviceID, keys []deviceKey) error {
	for _, k := range keys {
		added, err := addOneTimeKey(tx, userID, deviceID, k)
		if added || err != nil {
			if err != nil {
				return err
			}
			continue
		}
		var old []byte
		var claimed *int64
		_, err = db.One(tx, func(r db.Row) (struct{}, error) { return struct{}{}, r.Scan(&old, &claimed) },
			`SELECT key, claimed_ts FROM one_time_keys WHERE user_id = $1 AND device_id = $2 AND algorithm = $3 AND key_id = $4`,
			userID, deviceID, k.algorithm, k.keyID)
		switch {
		case err != nil:
			return err
		case bytes.Equal(old, k.key):
			continue
		case claimed == nil:
			return errcode.InvalidParam.New("The one-time key %s:%s exists already, and is another.", k.algorithm, k.keyID).With("param", "one_time_keys")
		}
		if err := tx.Later(`DELETE FROM one_time_keys WHERE user_id = $1 AND device_id = $2 AND algorithm = $3 AND key_id = $4`,
			userID, deviceID, k.algorithm, k.keyID); err != nil {
			return err
		}
		if _, err := addOneTimeKey(tx, userID, deviceID, k); err != nil {
			return err
		}
	}
	return nil
}

func addOneTimeKey(tx *db.Tx, userID id.UserID, deviceID id.DeviceID, k deviceKey) (bool, error) {
	n, err := tx.Exec(`INSERT INTO one_time_keys (user_id, device_id, algorithm, key_id, key) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (user_id, device_id, algorithm, key_id) DO NOTHING`, userID, deviceID, k.algorithm, k.keyID, k.key)
	return n > 0, err
}

// putFallbackKeys replaces keys. One that is there already stays used if it was.
func putFallbackKeys(tx *db.Tx, userID id.UserID, deviceID id.DeviceID, keys []deviceKey) error {
	for _, k := range keys {
		err := tx.Later(`INSERT INTO fallback_keys (user_id, device_id, algorithm, key_id, key, used) VALUES ($1, $2, $3, $4, $5, FALSE)
			ON CONFLICT (user_id, device_id, algorithm) DO UPDATE SET key_id = excluded.key_id, key = excluded.key,
				used = fallback_keys.used AND fallback_keys.key_id = excluded.key_id AND fallback_keys.key = excluded.key`,
			userID, deviceID, k.algorithm, k.keyID, k.key)
		if err != nil {
			return err
		}
	}
	return nil
}

// Unclaimed is the part of a statement that gives what [ReadUnclaimed] reads, of the device
// of a session: algorithms, which have no colon, and numbers of keys; no number stands for
// a fallback key.
const Unclaimed = `COALESCE((SELECT string_agg(k.algorithm || ':' || k.keys, ':') FROM (
	SELECT algorithm, CAST(COUNT(*) AS TEXT) AS keys FROM one_time_keys WHERE user_id = session.user_id AND device_id = session.device_id AND claimed_ts IS NULL GROUP BY algorithm
	UNION ALL SELECT algorithm, '' FROM fallback_keys WHERE user_id = session.user_id AND device_id = session.device_id AND NOT used) AS k), '')`

// UnclaimedKeys gives what others can still claim of a device: the number of one-time
// keys by algorithm, among them always the one that every client uses, and the
// algorithms of fallback keys that nobody has claimed, sorted.
func (s *Service) UnclaimedKeys(tx *db.Tx, userID id.UserID, deviceID id.DeviceID) (oneTime map[string]int64, fallback []string, err error) {
	text, err := db.Value[string](tx, `SELECT `+Unclaimed+` FROM (SELECT CAST($1 AS TEXT) AS user_id, CAST($2 AS TEXT) AS device_id) AS session`, userID, deviceID)
	if err != nil {
		return nil, nil, err
	}
	return ReadUnclaimed(text)
}

// ReadUnclaimed reads what [Unclaimed] gives, as [Service.UnclaimedKeys] does.
func ReadUnclaimed(text string) (oneTime map[string]int64, fallback []string, err error) {
	oneTime = map[string]int64{"signed_curve25519": 0}
	for text != "" {
		var algorithm, keys string
		algorithm, text, _ = strings.Cut(text, ":")
		keys, text, _ = strings.Cut(text, ":")
		if keys == "" {
			fallback = append(fallback, algorithm)
		} else if oneTime[algorithm], err = strconv.ParseInt(keys, 10, 64); err != nil {
			return nil, nil, err
		}
	}
	slices.Sort(fallback)
	return oneTime, fallback, nil
}
