package push

import (
	"strconv"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/event"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/rooms"
)

// The statements here read the tables of package rooms, each for many rooms at once.

// roomFact is what counting asks of a room.
type roomFact struct {
	roomID      id.RoomID
	members     int64
	displayName string // of the user
	joined      int64  // the position since which the user has been in it
}

func scanFact(r db.Row) (f roomFact, err error) {
	err = r.Scan(&f.roomID, &f.members, &f.displayName, &f.joined)
	return f, err
}

// roomFacts reads the rooms that the user is joined to. A change of name is a join
// after a join: the user has been in the room since the last other membership ended,
// or since the first.
func roomFacts(tx *db.Tx, userID id.UserID, reads []Read) (map[id.RoomID]roomFact, error) {
	ids := make([]id.RoomID, len(reads))
	for i, r := range reads {
		ids[i] = r.RoomID
	}
	in := db.In(ids)
	list, err := db.All(tx, scanFact, `SELECT r.room_id, r.joined_count, COALESCE(m.displayname, ''),
			(SELECT COALESCE(MAX(CASE WHEN st.value <> 'join' THEN st.until_pos END), MIN(st.from_pos)) FROM room_state st
				WHERE st.room_id = r.room_id AND st.type = 'm.room.member' AND st.state_key = m.user_id)
		FROM room_members m JOIN rooms r ON r.room_id = m.room_id
		WHERE m.user_id = $1 AND m.membership = 'join' AND m.room_id IN (`+in.Marks(2)+`)`, in.Args(userID)...)
	facts := make(map[id.RoomID]roomFact, len(list))
	for _, f := range list {
		facts[f.roomID] = f
	}
	return facts, err
}

// floors gives the position in each room that its newest maxScan events come after.
func floors(tx *db.Tx, roomIDs []id.RoomID) (map[id.RoomID]int64, error) {
	if len(roomIDs) == 0 {
		return nil, nil
	}
	out := make(map[id.RoomID]int64, len(roomIDs))
	in := db.In(roomIDs)
	err := db.Each(tx, func(r db.Row) error {
		var roomID id.RoomID
		var floor int64
		err := r.Scan(&roomID, &floor)
		out[roomID] = floor
		return err
	}, `SELECT r.room_id, COALESCE((SELECT e.pos FROM events e WHERE e.room_id = r.room_id ORDER BY e.pos DESC LIMIT 1 OFFSET $1), 0)
		FROM rooms r WHERE r.room_id IN (`+in.Marks(2)+`)`, in.Args(maxScan)...)
	return out, err
}

// newEvent is what counting looks at before it reads an event's JSON.
type newEvent struct {
	pos      int64
	eventID  id.EventID
	sender   id.UserID
	isState  bool
	redacted bool
	redacts  id.EventID // empty: nothing
	relation relation
}

// relation is the m.relates_to of an event; empty for none.
type relation struct {
	eventID id.EventID
	relType string
}

// readNews reads the events of each room that its tally has not seen, in one
// statement, the oldest first.
func readNews(tx *db.Tx, counted map[id.RoomID]*countedRoom) error {
	pairs := make([]string, 0, 2*len(counted))
	for roomID, room := range counted {
		pairs = append(pairs, string(roomID), strconv.FormatInt(room.tally.upTo, 10))
	}
	in := db.In(pairs)
	return db.Each(tx, func(r db.Row) error {
		var e newEvent
		var roomID id.RoomID
		if err := r.Scan(&roomID, &e.pos, &e.eventID, &e.sender, &e.isState, &e.redacted, &e.redacts, &e.relation.eventID, &e.relation.relType); err != nil {
			return err
		}
		counted[roomID].news = append(counted[roomID].news, e)
		return nil
	}, `WITH seen (room_id, pos) AS (SELECT DISTINCT * FROM (VALUES `+in.Pairs(1)+`) AS pairs)
		SELECT e.room_id, e.pos, e.event_id, e.sender, e.state_key IS NOT NULL, e.redacted_by IS NOT NULL,
			COALESCE(e.redacts, ''), COALESCE(e.relates_to, ''), COALESCE(e.rel_type, '')
		FROM seen JOIN events e ON e.room_id = seen.room_id AND e.pos > CAST(seen.pos AS BIGINT) ORDER BY e.pos`, in.Args()...)
}

// eventsAt loads events by position, in no particular order.
func eventsAt(tx *db.Tx, positions []int64) (out []rooms.Stored, err error) {
	err = db.Chunks(positions, func(chunk []int64) error {
		in := db.In(chunk)
		more, err := db.All(tx, rooms.ScanEvent, `SELECT `+rooms.Columns+` FROM events e JOIN rooms r ON r.room_id = e.room_id
			WHERE e.pos IN (`+in.Marks(1)+`)`, in.Args()...)
		out = append(out, more...)
		return err
	})
	return out, err
}

// powerState gives the present create and power_levels events of rooms, by room and
// type.
func powerState(tx *db.Tx, roomIDs []id.RoomID) (map[id.RoomID]map[string]*event.Event, error) {
	if len(roomIDs) == 0 {
		return nil, nil
	}
	in := db.In(roomIDs)
	list, err := db.All(tx, rooms.ScanEvent, `SELECT `+rooms.Columns+` FROM room_state st JOIN events e ON e.pos = st.event_pos JOIN rooms r ON r.room_id = e.room_id
		WHERE st.type IN ('m.room.create', 'm.room.power_levels') AND st.state_key = '' AND st.until_pos = 9223372036854775807
			AND st.room_id IN (`+in.Marks(1)+`)`, in.Args()...)
	state := map[id.RoomID]map[string]*event.Event{}
	for _, st := range list {
		if state[st.RoomID] == nil {
			state[st.RoomID] = map[string]*event.Event{}
		}
		state[st.RoomID][st.Type] = st.Event
	}
	return state, err
}

// relationsOf gives the relations of events; those without one are not in it.
func relationsOf(tx *db.Tx, eventIDs []id.EventID) (map[id.EventID]relation, error) {
	out := map[id.EventID]relation{}
	err := db.Chunks(eventIDs, func(chunk []id.EventID) error {
		in := db.In(chunk)
		return db.Each(tx, func(r db.Row) error {
			var eventID id.EventID
			var rel relation
			err := r.Scan(&eventID, &rel.eventID, &rel.relType)
			out[eventID] = rel
			return err
		}, `SELECT event_id, relates_to, rel_type FROM events WHERE relates_to IS NOT NULL AND event_id IN (`+in.Marks(1)+`)`, in.Args()...)
	})
	return out, err
}
