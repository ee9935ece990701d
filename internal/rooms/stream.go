package rooms

import (
	"slices"
	"strconv"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/event"
	"github.com/narthex-matrix/narthex/internal/id"
)

// What /sync reads, each for many rooms in a fixed number of statements.

// Membership is what a user is to a room at present.
type Membership struct {
	UserID     id.UserID // known if [MembershipsIn] gave it
	RoomID     id.RoomID
	Membership string
	Pos        int64 // of the event that made it so
	Sender     id.UserID
	Forgotten  bool

	// Standing and redactedPos are known if [MembershipsIn] gave it.
	Standing
}

// Memberships gives the rooms that a user is in, and those in which the user's
// membership changed after a position.
func Memberships(tx *db.Tx, userID id.UserID, after int64) ([]Membership, error) {
	return db.All(tx, func(r db.Row) (m Membership, err error) {
		err = r.Scan(&m.RoomID, &m.Membership, &m.Pos, &m.Sender, &m.Forgotten)
		return m, err
	}, `SELECT room_id, membership, event_pos, sender, forgotten FROM room_members
		WHERE user_id = $1 AND (membership = 'join' OR event_pos > $2) ORDER BY event_pos`, userID, after)
}

// MembershipsIn gives what some users, at most 500, are to some rooms, and the standing
// that they have there, in no order: asked for one, SQLite would read all memberships of
// the users.
func MembershipsIn(tx *db.Tx, roomIDs []id.RoomID, users []id.UserID) (out []Membership, err error) {
	err = db.Chunks(roomIDs, func(chunk []id.RoomID) error {
		in, of := db.In(chunk), db.In(users)
		args := of.Args()
		more, err := db.All(tx, func(r db.Row) (m Membership, err error) {
			err = r.Scan(&m.UserID, &m.RoomID, &m.Members, &m.redactedPos, &m.DisplayName, &m.Joined, &m.Membership, &m.Pos, &m.Sender, &m.Forgotten)
			return m, err
		}, `SELECT m.user_id, `+standing+`, m.membership, m.event_pos, m.sender, m.forgotten `+inRooms+`m.user_id IN (`+of.Marks(1)+`) AND m.room_id IN (`+in.Marks(1+len(args))+`)`, in.Args(args...)...)
		out = append(out, more...)
		return err
	})
	return out, err
}

// Views is [Service.View] for many rooms.
func (s *Service) Views(tx *db.Tx, roomIDs []id.RoomID, userID id.UserID) (map[id.RoomID]*View, error) {
	views := make(map[id.RoomID]*View, len(roomIDs))
	for _, r := range roomIDs {
		views[r] = &View{}
	}
	err := db.Chunks(roomIDs, func(chunk []id.RoomID) error {
		in := db.In(chunk)
		return db.Each(tx, func(r db.Row) error {
			var roomID id.RoomID
			var eventType string
			var i interval
			var value *string
			if err := r.Scan(&roomID, &eventType, &i.from, &i.until, &value); err != nil {
				return err
			}
			if value != nil {
				i.value = *value
			}
			v := views[roomID]
			if eventType == event.TypeMember {
				v.memberships = append(v.memberships, i)
			} else {
				v.visibilities = append(v.visibilities, i)
			}
			return nil
		}, `SELECT room_id, type, from_pos, until_pos, value FROM room_state st
			WHERE room_id IN (`+in.Marks(2)+`) AND type = 'm.room.member' AND state_key = $1
				AND NOT EXISTS (SELECT 1 FROM room_members m WHERE m.room_id = st.room_id AND m.user_id = $1 AND m.forgotten)
			UNION ALL
			SELECT room_id, type, from_pos, until_pos, value FROM room_state
			WHERE room_id IN (`+in.Marks(2)+`) AND type = 'm.room.history_visibility' AND state_key = ''
			ORDER BY from_pos`, in.Args(userID)...)
	})
	for _, v := range views {
		v.settle()
	}
	return views, err
}

// Own gives the user's membership at a position and the position since which it
// was so: "" and 0 for none.
func (v *View) Own(pos int64) (membership string, since int64) {
	for _, i := range v.memberships {
		if i.from <= pos && pos < i.until {
			return i.value, i.from
		}
	}
	return "", 0
}

// LastIn gives the position up to which the user was in the room for the last time
// before a position at which they are not, or before the stay at that position; 0
// for never.
func (v *View) LastIn(pos int64) (end int64) {
	staying := false
	for _, i := range slices.Backward(v.memberships) {
		if i.from > pos {
			continue
		}
		if i.value != event.Join {
			staying = false
			continue
		}
		if pos < i.until || staying {
			staying = true // a stay may be of several joins, with other names
			continue
		}
		return i.until
	}
	return 0
}

// ChangedRooms gives those of the rooms that have events after one position and up
// to another. There are at most as many events as positions, so where those are
// few it looks at them, and else into each room.
func ChangedRooms(tx *db.Tx, roomIDs []id.RoomID, after, upTo int64) (changed []id.RoomID, err error) {
	if upTo-after <= int64(len(roomIDs)) {
		found, err := db.All(tx, db.Scalar[id.RoomID], `SELECT DISTINCT room_id FROM events WHERE pos > $1 AND pos <= $2`, after, upTo)
		return slices.DeleteFunc(found, func(r id.RoomID) bool { return !slices.Contains(roomIDs, r) }), err
	}
	err = db.Chunks(roomIDs, func(chunk []id.RoomID) error {
		in := db.In(chunk)
		found, err := db.All(tx, db.Scalar[id.RoomID], `SELECT r.room_id FROM rooms r WHERE r.room_id IN (`+in.Marks(3)+`)
			AND EXISTS (SELECT 1 FROM events e WHERE e.room_id = r.room_id AND e.pos > $1 AND e.pos <= $2)`, in.Args(after, upTo)...)
		changed = append(changed, found...)
		return err
	})
	return changed, err
}

// Newest gives the newest events of each room, at most n, after one position and
// up to another, the oldest first. Nobody's view is applied.
func (s *Service) Newest(tx *db.Tx, roomIDs []id.RoomID, after, upTo int64, n int) (map[id.RoomID][]Stored, error) {
	var stretches []stretch
	err := db.Chunks(roomIDs, func(chunk []id.RoomID) error {
		in := db.In(chunk)
		more, err := db.All(tx, scanStretch, positionsIn+`SELECT e.pos FROM events e
			WHERE e.room_id = r.room_id AND e.pos > $1 AND e.pos <= $2 ORDER BY e.pos DESC LIMIT $3`+ofRooms+`WHERE r.room_id IN (`+in.Marks(4)+`)`, in.Args(after, upTo, n)...)
		stretches = append(stretches, more...)
		return err
	})
	if err != nil {
		return nil, err
	}
	return s.stretchesOf(tx, stretches)
}

// positions are the pairs of a VALUES list, in chunks.
func positions(at map[id.RoomID]int64) (pairs []string) {
	for roomID, pos := range at {
		pairs = append(pairs, string(roomID), strconv.FormatInt(min(pos, Present-1), 10))
	}
	return pairs
}

// wanted names pairs of a room and a position.
const wanted = `WITH want (room_id, at) AS (SELECT DISTINCT * FROM (VALUES `

// States gives the whole state of rooms, of each as it was at a position, in the
// order in which it came about; without the memberships if they are not wanted. It
// reads the present state and goes back from there, so positions should be recent.
func (s *Service) States(tx *db.Tx, at map[id.RoomID]int64, members bool) (map[id.RoomID][]Stored, error) {
	kinds := `st.type >= ''` // every type: that leads to the index of what is present
	if !members {
		kinds = `(st.type < 'm.room.member' OR st.type > 'm.room.member')` // likewise; <> would not
	}
	return s.wantedEvents(tx, at, `SELECT st.event_pos AS pos FROM room_state st WHERE st.room_id = r.room_id AND `+kinds+`
			AND st.until_pos = 9223372036854775807 AND st.from_pos <= CAST(want.at AS BIGINT)
		UNION ALL SELECT n.replaces_pos FROM room_state st JOIN events n ON n.pos = st.event_pos WHERE st.room_id = r.room_id AND `+kinds+`
			AND st.from_pos > CAST(want.at AS BIGINT) AND n.replaces_pos <= CAST(want.at AS BIGINT)`)
}

// StateChanges gives the state that came about in rooms after a position, of each
// room as it was at another one: what was replaced in between is not there.
func (s *Service) StateChanges(tx *db.Tx, after int64, at map[id.RoomID]int64) (map[id.RoomID][]Stored, error) {
	return s.wantedEvents(tx, at, `SELECT st.event_pos AS pos FROM room_state st WHERE st.room_id = r.room_id
		AND st.from_pos > $1 AND st.from_pos <= CAST(want.at AS BIGINT) AND st.until_pos > CAST(want.at AS BIGINT)`, after)
}

// wantedEvents gives the events of rooms at the positions that a query finds, which
// may look at the room r and at want.at, the position given for it.
func (s *Service) wantedEvents(tx *db.Tx, at map[id.RoomID]int64, found string, args ...any) (map[id.RoomID][]Stored, error) {
	var stretches []stretch
	err := db.Chunks(positions(at), func(pairs []string) error {
		in := db.In(pairs)
		more, err := db.All(tx, scanStretch, wanted+in.Pairs(1+len(args))+`) AS pairs) `+positionsIn+found+ofRooms+`JOIN want ON want.room_id = r.room_id`, in.Args(args...)...)
		stretches = append(stretches, more...)
		return err
	})
	if err != nil {
		return nil, err
	}
	return s.stretchesOf(tx, stretches)
}

// MembersIn gives the memberships of some users in each of some rooms, as they were
// at a position in each, those that there are.
func (s *Service) MembersIn(tx *db.Tx, at map[id.RoomID]int64, users map[id.RoomID][]id.UserID) (map[id.RoomID][]Stored, error) {
	var pairs []string
	first := int64(Present)
	for roomID, list := range users {
		for _, u := range list {
			pairs = append(pairs, string(roomID), string(u))
		}
		first = min(first, at[roomID])
	}
	type key struct {
		roomID id.RoomID
		userID string
	}
	found := map[key]place{}
	err := db.Chunks(pairs, func(pairs []string) error {
		in := db.In(pairs)
		return db.Each(tx, func(r db.Row) error {
			var k key
			var p place
			err := r.Scan(&k.roomID, &k.userID, &p.pos, &p.redactedPos)
			if p.pos <= at[k.roomID] && p.pos > found[k].pos {
				found[k] = p
			}
			return err
		}, wanted+in.Pairs(2)+`) AS pairs) SELECT st.room_id, st.state_key, st.event_pos, r.redacted_pos FROM want
			JOIN room_state st ON st.room_id = want.room_id AND st.type = 'm.room.member' AND st.state_key = want.at AND st.until_pos > $1
			JOIN rooms r ON r.room_id = want.room_id`, in.Args(first)...)
	})
	if err != nil {
		return nil, err
	}
	byRoom := map[id.RoomID]*stretch{}
	for k, p := range found {
		if byRoom[k.roomID] == nil {
			byRoom[k.roomID] = &stretch{roomID: k.roomID, redactedPos: p.redactedPos}
		}
		byRoom[k.roomID].positions = append(byRoom[k.roomID].positions, p.pos)
	}
	stretches := make([]stretch, 0, len(byRoom))
	for _, st := range byRoom {
		slices.Sort(st.positions)
		stretches = append(stretches, *st)
	}
	return s.stretchesOf(tx, stretches)
}
