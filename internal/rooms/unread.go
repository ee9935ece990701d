package rooms

import (
	"github.com/narthex-matrix/narthex/internal/authrules"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/event"
	"github.com/narthex-matrix/narthex/internal/id"
)

// What counting unread events reads, each for at most 512 rooms in one statement.

// Standing is what a room is to one of its joined members.
type Standing struct {
	Members     int64  // joined
	DisplayName string // of the member; empty for none
	// Joined is the position since which the member has been in the room.
	Joined int64

	redactedPos int64 // of the room's newest redaction
}

const (
	standing = `m.room_id, r.joined_count, r.redacted_pos, COALESCE(m.displayname, ''),
		COALESCE((SELECT COALESCE(MAX(CASE WHEN st.value <> 'join' THEN st.until_pos END), MIN(st.from_pos)) FROM room_state st
			WHERE st.room_id = m.room_id AND st.type = 'm.room.member' AND st.state_key = m.user_id), 0)`
	inRooms = `FROM room_members m JOIN rooms r ON r.room_id = m.room_id WHERE `
)

// Standings gives the standing of a user in those of the rooms that the user is
// joined to. A change of name is a join after a join: a member has been in the room
// since the last other membership ended, or since the first join.
func Standings(tx *db.Tx, userID id.UserID, roomIDs []id.RoomID) (map[id.RoomID]Standing, error) {
	out := make(map[id.RoomID]Standing, len(roomIDs))
	if len(roomIDs) == 0 {
		return out, nil
	}
	in := db.In(roomIDs)
	return out, db.Each(tx, func(r db.Row) error {
		var roomID id.RoomID
		var st Standing
		err := r.Scan(&roomID, &st.Members, &st.redactedPos, &st.DisplayName, &st.Joined)
		out[roomID] = st
		return err
	}, `SELECT `+standing+` `+inRooms+`m.user_id = $1 AND m.membership = 'join' AND m.room_id IN (`+in.Marks(2)+`)`, in.Args(userID)...)
}

// Floors gives the position in each room that its newest n events come after.
func Floors(tx *db.Tx, roomIDs []id.RoomID, n int) (map[id.RoomID]int64, error) {
	out := make(map[id.RoomID]int64, len(roomIDs))
	if len(roomIDs) == 0 {
		return out, nil
	}
	in := db.In(roomIDs)
	return out, db.Each(tx, func(r db.Row) error {
		var roomID id.RoomID
		var floor int64
		err := r.Scan(&roomID, &floor)
		out[roomID] = floor
		return err
	}, `SELECT r.room_id, COALESCE((SELECT e.pos FROM events e WHERE e.room_id = r.room_id ORDER BY e.pos DESC LIMIT 1 OFFSET $1), 0)
		FROM rooms r WHERE r.room_id IN (`+in.Marks(2)+`)`, in.Args(n)...)
}

// Relation is the m.relates_to of an event; empty for none.
type Relation struct {
	EventID id.EventID
	RelType string
}

// Relation gives what an event relates to.
func (st Stored) Relation() (r Relation) {
	if st.RelatesTo != nil && st.RelType != nil {
		r = Relation{*st.RelatesTo, *st.RelType}
	}
	return r
}

// EventsAfter gives the events of rooms after a position in each, the oldest first. The
// transaction's own position must be given, and the standings of a member.
func (s *Service) EventsAfter(tx *db.Tx, after map[id.RoomID]int64, at int64, in map[id.RoomID]Standing) (map[id.RoomID][]Stored, error) {
	first := at
	for _, pos := range after {
		first = min(first, pos)
	}
	events, ok, err := s.Happened(tx, first, at)
	if err != nil {
		return nil, err
	}
	if !ok {
		return s.wantedEvents(tx, after, `SELECT e.pos FROM events e WHERE e.room_id = r.room_id AND e.pos > CAST(want.at AS BIGINT)`)
	}
	var stretches []stretch
	for roomID, pos := range after {
		stretches = append(stretches, stretch{roomID, in[roomID].redactedPos, positionsOf(events, roomID, pos)})
	}
	return s.stretchesOf(tx, stretches)
}

// LevelsOf gives the present power in rooms.
func LevelsOf(tx *db.Tx, roomIDs []id.RoomID) (map[id.RoomID]authrules.Levels, error) {
	out := make(map[id.RoomID]authrules.Levels, len(roomIDs))
	if len(roomIDs) == 0 {
		return out, nil
	}
	in := db.In(roomIDs)
	list, err := db.All(tx, ScanEvent, `SELECT `+Columns+` FROM room_state st JOIN events e ON e.pos = st.event_pos JOIN rooms r ON r.room_id = e.room_id
		WHERE st.type IN ('m.room.create', 'm.room.power_levels') AND st.state_key = '' AND st.until_pos = 9223372036854775807
			AND st.room_id IN (`+in.Marks(1)+`)`, in.Args()...)
	if err != nil {
		return nil, err
	}
	type key struct {
		roomID    id.RoomID
		eventType string
	}
	state := map[key]*event.Event{}
	for _, st := range list {
		state[key{st.RoomID, st.Type}] = st.Event
	}
	for _, roomID := range roomIDs {
		out[roomID] = authrules.NewLevels(func(eventType, _ string) *event.Event { return state[key{roomID, eventType}] })
	}
	return out, nil
}

// RelationsOf gives the relations of events, in any room; those without one are
// not in it.
func RelationsOf(tx *db.Tx, eventIDs []id.EventID) (map[id.EventID]Relation, error) {
	out := map[id.EventID]Relation{}
	return out, db.Chunks(eventIDs, func(chunk []id.EventID) error {
		in := db.In(chunk)
		return db.Each(tx, func(r db.Row) error {
			var eventID id.EventID
			var rel Relation
			err := r.Scan(&eventID, &rel.EventID, &rel.RelType)
			out[eventID] = rel
			return err
		}, `SELECT event_id, relates_to, rel_type FROM events WHERE relates_to IS NOT NULL AND event_id IN (`+in.Marks(1)+`)`, in.Args()...)
	})
}
