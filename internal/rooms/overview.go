package rooms

import (
	"encoding/json"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/event"
	"github.com/narthex-matrix/narthex/internal/id"
)

// Overview is a room in an administrator's list.
type Overview struct {
	RoomID    id.RoomID
	Version   string
	Creator   id.UserID
	Joined    int64
	Published bool
	// Name and CanonicalAlias are empty where the room has none.
	Name, CanonicalAlias string
}

const overviews = `SELECT r.room_id, r.version, r.creator, r.joined_count, r.published, n.json, a.json FROM rooms r
	LEFT JOIN room_state sn ON sn.room_id = r.room_id AND sn.type = 'm.room.name' AND sn.state_key = '' AND sn.until_pos = 9223372036854775807
	LEFT JOIN events n ON n.pos = sn.event_pos
	LEFT JOIN room_state sa ON sa.room_id = r.room_id AND sa.type = 'm.room.canonical_alias' AND sa.state_key = '' AND sa.until_pos = 9223372036854775807
	LEFT JOIN events a ON a.pos = sa.event_pos`

func scanOverview(r db.Row) (o Overview, err error) {
	var name, alias []byte
	err = r.Scan(&o.RoomID, &o.Version, &o.Creator, &o.Joined, &o.Published, &name, &alias)
	o.Name, o.CanonicalAlias = ContentText(name, "name"), ContentText(alias, "alias")
	return o, err
}

// Overviews lists every room, in no particular order. Names are inside of events,
// so the cost grows with the number of rooms.
func (s *Service) Overviews(tx *db.Tx) ([]Overview, error) {
	return db.All(tx, scanOverview, overviews)
}

// Overview gives one room, or db.ErrNoRow.
func (s *Service) Overview(tx *db.Tx, roomID id.RoomID) (Overview, error) {
	return db.One(tx, scanOverview, overviews+` WHERE r.room_id = $1`, roomID)
}

// ContentText gives a member of an event's content, "" if it is not a text there.
func ContentText(raw []byte, name string) string {
	var ev struct {
		Content map[string]json.RawMessage `json:"content"`
	}
	var text string
	if json.Unmarshal(raw, &ev) != nil || json.Unmarshal(ev.Content[name], &text) != nil {
		return ""
	}
	return text
}

// RoomState gives what a room says about itself, by room and then by type: those of
// its present state events that clients describe a room by.
func (s *Service) RoomState(tx *db.Tx, rooms []id.RoomID) (map[id.RoomID]map[string]*event.Event, error) {
	state := map[id.RoomID]map[string]*event.Event{}
	err := db.Chunks(rooms, func(rooms []id.RoomID) error {
		in := db.In(rooms)
		return db.Each(tx, func(r db.Row) error {
			st, err := ScanEvent(r)
			if err != nil {
				return err
			}
			if state[st.RoomID] == nil {
				state[st.RoomID] = map[string]*event.Event{}
			}
			state[st.RoomID][st.Type] = st.Event
			return nil
		}, `SELECT `+Columns+` FROM room_state st JOIN events e ON e.pos = st.event_pos JOIN rooms r ON r.room_id = e.room_id
			WHERE st.until_pos = 9223372036854775807 AND st.state_key = '' AND st.room_id IN (`+in.Marks(1)+`)
			AND st.type IN ('m.room.create', 'm.room.name', 'm.room.topic', 'm.room.avatar', 'm.room.canonical_alias', 'm.room.encryption',
				'm.room.join_rules', 'm.room.guest_access', 'm.room.history_visibility', 'm.room.tombstone')`, in.Args()...)
	})
	return state, err
}

// StateCounts gives how many state events rooms have at present.
func (s *Service) StateCounts(tx *db.Tx, rooms []id.RoomID) (map[id.RoomID]int64, error) {
	counts := map[id.RoomID]int64{}
	err := db.Chunks(rooms, func(rooms []id.RoomID) error {
		in := db.In(rooms)
		return db.Each(tx, func(r db.Row) error {
			var roomID id.RoomID
			var n int64
			err := r.Scan(&roomID, &n)
			counts[roomID] = n
			return err
		}, `SELECT room_id, COUNT(*) FROM room_state WHERE until_pos = 9223372036854775807 AND room_id IN (`+in.Marks(1)+`) GROUP BY room_id`, in.Args()...)
	})
	return counts, err
}

// IsForgotten reports whether everyone who was ever in a room has forgotten it.
func (s *Service) IsForgotten(tx *db.Tx, roomID id.RoomID) (bool, error) {
	return db.Value[bool](tx, `SELECT NOT EXISTS (SELECT 1 FROM room_members WHERE room_id = $1 AND NOT forgotten)`, roomID)
}
