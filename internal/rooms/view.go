package rooms

import (
	"errors"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/event"
	"github.com/narthex-matrix/narthex/internal/id"
)

// View says which events of a room a user may see (client-server API, History
// visibility). It is the only place that decides it; every read of history asks
// it. It is made once for a room and a user, from two short lists.
type View struct {
	memberships  []interval // of the user
	visibilities []interval // of the room
	lastJoined   int64      // no position after this one is before a join of the user's
	everything   bool
}

// interval is a value that held from a position until another.
type interval struct {
	from, until int64
	value       string
}

func scanInterval(r db.Row) (i interval, err error) {
	var value *string
	err = r.Scan(&i.from, &i.until, &value)
	if value != nil {
		i.value = *value
	}
	return i, err
}

// View makes the view of a user on a room. Those who have forgotten the room see
// what strangers see. Of a room that does not exist nothing is seen.
func (s *Service) View(tx *db.Tx, roomID id.RoomID, userID id.UserID) (*View, error) {
	const history = `SELECT from_pos, until_pos, value FROM room_state WHERE room_id = $1 AND type = $2 AND state_key = $3 `
	v := &View{}
	var err error
	if userID != "" {
		if v.memberships, err = db.All(tx, scanInterval, history+`AND NOT EXISTS
			(SELECT 1 FROM room_members WHERE room_id = $1 AND user_id = $3 AND forgotten) ORDER BY from_pos`, roomID, event.TypeMember, userID); err != nil {
			return nil, err
		}
	}
	if v.visibilities, err = db.All(tx, scanInterval, history+`ORDER BY from_pos`, roomID, event.TypeHistoryVisibility, ""); err != nil {
		return nil, err
	}
	v.settle()
	return v, nil
}

// settle works out what follows from the two lists.
func (v *View) settle() {
	for _, m := range v.memberships {
		if m.value == event.Join {
			v.lastJoined = m.until
		}
	}
	v.everything = v.lastJoined == Present
	for _, h := range v.visibilities {
		v.everything = v.everything && (h.value == "shared" || h.value == "world_readable")
	}
}

// Sees reports whether the user may see the event at a position.
func (v *View) Sees(ev *event.Event, pos int64) bool {
	if v.everything || v.seesAt(pos) {
		return true
	}
	// A change of one's own membership, or of the visibility, is seen by whoever
	// may see what is before or after it.
	changes := ev.IsState(event.TypeHistoryVisibility) || ev.IsState(event.TypeMember) && v.ownMembership(pos)
	return changes && v.seesAt(pos-1)
}

func (v *View) ownMembership(pos int64) bool {
	for _, m := range v.memberships {
		if m.from == pos {
			return true
		}
	}
	return false
}

func (v *View) seesAt(pos int64) bool {
	visibility, ok := at(v.visibilities, pos)
	if !ok {
		visibility = "shared"
	}
	membership, _ := at(v.memberships, pos)
	switch {
	case visibility == "world_readable", membership == event.Join:
		return true
	case visibility == "shared":
		return v.lastJoined > pos
	case visibility == "invited":
		return membership == event.Invite
	}
	return false
}

func at(list []interval, pos int64) (string, bool) {
	for _, i := range list {
		if i.from <= pos && pos < i.until {
			return i.value, true
		}
	}
	return "", false
}

// Membership is the present membership of a user in a room; "" for none.
func (s *Service) Membership(tx *db.Tx, roomID id.RoomID, userID id.UserID) (string, error) {
	m, err := db.Value[string](tx, `SELECT membership FROM room_members WHERE room_id = $1 AND user_id = $2`, roomID, userID)
	if errors.Is(err, db.ErrNoRow) {
		return "", nil
	}
	return m, err
}

// RequireJoined fails with NotJoined unless the user is in the room.
func (s *Service) RequireJoined(tx *db.Tx, roomID id.RoomID, userID id.UserID) error {
	m, err := s.Membership(tx, roomID, userID)
	if err == nil && m != event.Join {
		return notJoined(userID, roomID)
	}
	return err
}

// ReadableAt says as of which position a user may read a room's state and
// members: Present for those who are in it and for everyone if it is world
// readable; for those who have left and not forgotten it, the position at which
// they did. It fails with NotJoined for everyone else.
func (s *Service) ReadableAt(tx *db.Tx, roomID id.RoomID, userID id.UserID) (int64, error) {
	m, err := s.Membership(tx, roomID, userID)
	if err != nil || m == event.Join {
		return Present, err
	}
	v, err := s.View(tx, roomID, userID)
	if err != nil {
		return 0, err
	}
	if visibility, _ := at(v.visibilities, Present-1); visibility == "world_readable" {
		return Present, nil
	}
	if v.lastJoined == 0 {
		return 0, notJoined(userID, roomID)
	}
	return v.lastJoined, nil
}
