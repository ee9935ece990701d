package e2ee

import (
	"context"
	"slices"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/event"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/rooms"
)

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
		came, gone, err := s.movements(tx, call.UserID, bounds[0], bounds[1])
		if err != nil {
			return err
		}
		shared, err := rooms.Sharing(tx, call.UserID, slices.Concat(updated, came, gone))
		if err != nil {
			return err
		}
		signed, err := s.Signed(tx, call.UserID, bounds[0], bounds[1])
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
		for _, u := range signed {
			changed[u] = true
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
func (s *Service) movements(tx *db.Tx, userID id.UserID, after, upTo int64) (came, gone []id.UserID, err error) {
	memberships, err := rooms.Memberships(tx, userID, after)
	if err != nil {
		return nil, nil, err
	}
	var all, moved []id.RoomID
	for _, m := range memberships {
		all = append(all, m.RoomID)
		if m.Pos > after {
			moved = append(moved, m.RoomID)
		}
	}
	encrypted, err := rooms.EncryptedRooms(tx, all)
	if err != nil {
		return nil, nil, err
	}
	views, err := s.rooms.Views(tx, moved, userID)
	if err != nil {
		return nil, nil, err
	}
	entered, left, was := map[id.RoomID]int64{}, map[id.RoomID]int64{}, map[id.RoomID]int64{}
	var stayed []id.RoomID
	for roomID, since := range encrypted {
		is, end := stay(views[roomID], after, upTo)
		switch {
		case is && (end > 0 || since > after && since <= upTo):
			entered[roomID] = upTo
		case is:
			stayed = append(stayed, roomID)
		case end > after:
			left[roomID] = end
			if before, _ := views[roomID].Own(after); before == event.Join {
				was[roomID] = after // others may have left before the user did
			}
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
	if err != nil {
		return nil, nil, err
	}
	earlier, err := rooms.MembersOf(tx, was)
	return append(came, met...), slices.Concat(gone, lost, earlier), err
}

// stay says whether the user was in a room at the end of a stretch of the stream.
// If they came into it in that stretch, or were there and left, end is the position
// at which that was so. Without a view they were in the room all along.
func stay(view *rooms.View, after, upTo int64) (is bool, end int64) {
	if view == nil {
		return true, 0
	}
	before, _ := view.Own(after)
	now, since := view.Own(upTo)
	switch {
	case now == event.Join && before == event.Join:
		return true, 0
	case now == event.Join:
		return true, since
	}
	return false, view.LastIn(upTo)
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
