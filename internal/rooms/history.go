package rooms

import (
	"slices"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/event"
	"github.com/narthex-matrix/narthex/internal/id"
)

// Bounds gives positions outside of which the user sees nothing: what they may
// see is after the first and not after the last. Between them may be more that
// they do not see. Both are 0 if they see nothing.
func (v *View) Bounds() (after, upTo int64) {
	after = Present
	reach := func(from, until int64) {
		// What ends a stretch, such as one's own leaving, is seen as well.
		after, upTo = min(after, from-1), max(upTo, until)
	}
	if len(v.visibilities) == 0 && v.lastJoined > 0 {
		reach(1, v.lastJoined)
	}
	for _, m := range v.memberships {
		if m.value == event.Join || m.value == event.Invite {
			reach(m.from, m.until)
		}
	}
	for _, h := range v.visibilities {
		switch {
		case h.value == "world_readable":
			reach(h.from, h.until)
		case h.value == "shared" && h.from < v.lastJoined:
			reach(h.from, min(h.until, v.lastJoined))
		}
	}
	if len(v.visibilities) > 0 && v.lastJoined > 0 {
		reach(1, v.visibilities[0].from) // "shared" holds until something else is said
	}
	if upTo == 0 {
		return 0, 0
	}
	return max(0, after), upTo
}

const fromEvents = `SELECT ` + Columns + ` FROM events e JOIN rooms r ON r.room_id = e.room_id `

// EventsBetween gives the first events of a room, at most limit, after one
// position and up to another: the oldest first if forward, else the newest first.
// Nobody's view is applied.
func (s *Service) EventsBetween(tx *db.Tx, roomID id.RoomID, after, upTo int64, forward bool, limit int) ([]Stored, error) {
	order := `ASC`
	if !forward {
		order = `DESC`
	}
	out, err := s.eventsOf(tx, positionsIn+`SELECT e.pos FROM events e
		WHERE e.room_id = r.room_id AND e.pos > $2 AND e.pos <= $3 ORDER BY e.pos `+order+` LIMIT $4`+ofRoom, roomID, after, upTo, limit)
	if !forward {
		slices.Reverse(out)
	}
	return out, err
}

// EventsByTime gives the first events of a room, at most limit, that follow a
// time and position in the order of origin_server_ts, or precede them if not
// forward. Only those after one position and up to another count; nobody's view
// is applied.
func EventsByTime(tx *db.Tx, roomID id.RoomID, ts, pos, after, upTo int64, forward bool, limit int) ([]Stored, error) {
	if forward {
		return db.All(tx, ScanEvent, fromEvents+`WHERE e.room_id = $1 AND (e.origin_server_ts, e.pos) > ($2, $3) AND e.pos > $4 AND e.pos <= $5
			ORDER BY e.origin_server_ts, e.pos LIMIT $6`, roomID, ts, pos, after, upTo, limit)
	}
	return db.All(tx, ScanEvent, fromEvents+`WHERE e.room_id = $1 AND (e.origin_server_ts, e.pos) < ($2, $3) AND e.pos > $4 AND e.pos <= $5
		ORDER BY e.origin_server_ts DESC, e.pos DESC LIMIT $6`, roomID, ts, pos, after, upTo, limit)
}

// EventsAt gives the events at some positions, in no particular order.
func EventsAt(tx *db.Tx, positions []int64) (out []Stored, err error) {
	err = db.Chunks(positions, func(chunk []int64) error {
		in := db.In(chunk)
		more, err := db.All(tx, ScanEvent, fromEvents+`WHERE e.pos IN (`+in.Marks(1)+`)`, in.Args()...)
		out = append(out, more...)
		return err
	})
	return out, err
}

// EventsByID gives those events of a room that exist, in no particular order.
func EventsByID(tx *db.Tx, roomID id.RoomID, events []id.EventID) (out []Stored, err error) {
	err = db.Chunks(events, func(chunk []id.EventID) error {
		in := db.In(chunk)
		// The room is compared here: given to SQLite, it would read all of the room.
		more, err := db.All(tx, ScanEvent, fromEvents+`WHERE e.event_id IN (`+in.Marks(1)+`)`, in.Args()...)
		for _, st := range more {
			if st.RoomID == roomID {
				out = append(out, st)
			}
		}
		return err
	})
	return out, err
}

// stateHeldAt is the state of the room r as it was at the position $2.
const stateHeldAt = `SELECT st.event_pos AS pos FROM room_state st WHERE st.room_id = r.room_id AND st.from_pos <= $2 AND st.until_pos > $2 `

// MembersAt gives the memberships of some users as they were at a position, those
// that there are.
func (s *Service) MembersAt(tx *db.Tx, roomID id.RoomID, at int64, users []id.UserID) (out []Stored, err error) {
	at = min(at, Present-1)
	err = db.Chunks(users, func(chunk []id.UserID) error {
		in := db.In(chunk)
		more, err := s.eventsOf(tx, positionsIn+stateHeldAt+`AND st.type = 'm.room.member' AND st.state_key IN (`+in.Marks(3)+`)`+ofRoom, in.Args(roomID, at)...)
		out = append(out, more...)
		return err
	})
	return out, err
}

// StateButMembersAt gives the state of a room as it was at a position, without
// the memberships, in the order in which it came about.
func (s *Service) StateButMembersAt(tx *db.Tx, roomID id.RoomID, at int64) ([]Stored, error) {
	return s.eventsOf(tx, positionsIn+stateHeldAt+`AND st.type <> 'm.room.member'`+ofRoom, roomID, min(at, Present-1))
}

// SeesAt reports whether the user may see an event at a position that changes
// neither a membership nor the visibility.
func (v *View) SeesAt(pos int64) bool { return v.everything || v.seesAt(pos) }
