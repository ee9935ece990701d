package e2ee

import (
	"context"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/canonicaljson"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/rooms"
)

type queryKeysRequest struct {
	DeviceKeys map[id.UserID][]id.DeviceID `json:"device_keys" required:"true"`
}

type queryKeysResponse struct {
	DeviceKeys map[id.UserID]map[id.DeviceID]jsontext.Value `json:"device_keys"`
	Failures   map[id.ServerName]struct{}                   `json:"failures"`
}

func (s *Service) queryKeys(ctx context.Context, _ *httpapi.Call, req queryKeysRequest) (out queryKeysResponse, err error) {
	out.Failures = unreachable(s, req.DeviceKeys)
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		out.DeviceKeys = map[id.UserID]map[id.DeviceID]jsontext.Value{}
		var users []id.UserID
		for u := range req.DeviceKeys {
			users = append(users, u)
		}
		known, err := s.accounts.Known(tx, users)
		if err != nil {
			return err
		}
		for u := range known {
			out.DeviceKeys[u] = map[id.DeviceID]jsontext.Value{}
		}
		devices, err := s.accounts.Devices(tx, users...)
		if err != nil {
			return err
		}
		names := map[deviceOf]*string{}
		for _, d := range devices {
			names[deviceOf{d.UserID, d.DeviceID}] = d.DisplayName
		}
		return eachIdentity(tx, users, func(d deviceOf, keys []byte) error {
			wanted := req.DeviceKeys[d.userID]
			found := out.DeviceKeys[d.userID]
			if found == nil || len(wanted) > 0 && !slices.Contains(wanted, d.deviceID) {
				return nil
			}
			found[d.deviceID], err = withName(keys, names[d])
			return err
		})
	})
	return out, err
}

// deviceOf is a device of a user.
type deviceOf struct {
	userID   id.UserID
	deviceID id.DeviceID
}

// eachIdentity calls f with the identity keys of each device of some users.
func eachIdentity(tx *db.Tx, users []id.UserID, f func(deviceOf, []byte) error) error {
	return db.Chunks(users, func(chunk []id.UserID) error {
		in := db.In(chunk)
		return db.Each(tx, func(r db.Row) error {
			var d deviceOf
			var keys []byte
			if err := r.Scan(&d.userID, &d.deviceID, &keys); err != nil {
				return err
			}
			return f(d, keys)
		}, `SELECT user_id, device_id, keys FROM device_keys WHERE user_id IN (`+in.Marks(1)+`)`, in.Args()...)
	})
}

// withName adds the name of the device, which no signature covers.
func withName(keys []byte, name *string) (jsontext.Value, error) {
	if name == nil {
		return keys, nil
	}
	members, err := canonicaljson.AppendMembers(nil, keys)
	if err != nil {
		return nil, err
	}
	unsigned := append(canonicaljson.AppendString([]byte(`{"device_display_name":`), *name), '}')
	return canonicaljson.AppendObject(nil, canonicaljson.Set(members, "unsigned", unsigned)), nil
}

type getKeysChangesRequest struct {
	From string `query:"from,required"`
	To   string `query:"to,required"`
}

type getKeysChangesResponse struct {
	Changed []id.UserID `json:"changed"`
	Left    []id.UserID `json:"left"`
}

func (s *Service) getKeysChanges(ctx context.Context, call *httpapi.Call, req getKeysChangesRequest) (out getKeysChangesResponse, err error) {
	var bounds [2]int64
	for i, p := range [][2]string{{"from", req.From}, {"to", req.To}} {
		if bounds[i], err = rooms.ParsePosition(p[1]); err != nil {
			return out, errcode.InvalidParam.New("The parameter %q is not valid: it must be a token from this server.", p[0]).With("param", p[0])
		}
	}
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		updated, err := accounts.DeviceListChanges(tx, bounds[0], bounds[1])
		if err != nil {
			return err
		}
		came, gone, err := movements(tx, call.UserID, bounds[0], bounds[1])
		if err != nil {
			return err
		}
		shared, err := rooms.Sharing(tx, call.UserID, slices.Concat(updated, came, gone))
		if err != nil {
			return err
		}
		changed, left := map[id.UserID]bool{}, map[id.UserID]bool{}
		for _, u := range updated {
			changed[u] = shared[u] || u == call.UserID
		}
		for _, u := range came {
			changed[u] = changed[u] || shared[u] && u != call.UserID
		}
		for _, u := range gone {
			left[u] = !shared[u] && u != call.UserID
		}
		out = getKeysChangesResponse{listed(changed), listed(left)}
		return nil
	})
	return out, err
}

// movements gives the users whom the user met in encrypted rooms, and those who are
// no longer in one with them, between two positions.
func movements(tx *db.Tx, userID id.UserID, after, upTo int64) (came, gone []id.UserID, err error) {
	memberships, err := rooms.Memberships(tx, userID, after)
	if err != nil {
		return nil, nil, err
	}
	entered, left := map[id.RoomID]int64{}, map[id.RoomID]int64{}
	var touched, stayed []id.RoomID
	for _, m := range memberships {
		touched = append(touched, m.RoomID)
	}
	if touched, err = rooms.EncryptedRooms(tx, touched); err != nil {
		return nil, nil, err
	}
	for _, m := range memberships {
		switch {
		case !slices.Contains(touched, m.RoomID) || m.Pos > upTo:
		case m.Pos <= after:
			stayed = append(stayed, m.RoomID)
		case m.Membership == "join":
			entered[m.RoomID] = upTo
		default:
			left[m.RoomID] = m.Pos
		}
	}
	if came, gone, err = rooms.MemberChanges(tx, stayed, after, upTo); err != nil {
		return nil, nil, err
	}
	met, err := rooms.MembersOf(tx, entered)
	if err != nil {
		return nil, nil, err
	}
	lost, err := rooms.MembersOf(tx, left)
	return append(came, met...), append(gone, lost...), err
}

// listed gives the members of a set, in order.
func listed(set map[id.UserID]bool) (list []id.UserID) {
	for u, in := range set {
		if in {
			list = append(list, u)
		}
	}
	slices.Sort(list)
	return list
}
