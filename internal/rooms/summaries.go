package rooms

import (
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
)

// maxHeroes is how many members stand for a room without a name.
const maxHeroes = 5

// Summary is what a client needs to show a room of which it does not know all
// members (client-server API, sync, RoomSummary).
type Summary struct {
	Joined, Invited int64
	// Heroes are members after whom a room without name and alias is called; nil for
	// rooms that have one.
	Heroes []id.UserID
}

// Summaries gives the summaries of rooms at present, for one of their members.
func Summaries(tx *db.Tx, roomIDs []id.RoomID, userID id.UserID) (map[id.RoomID]*Summary, error) {
	out := make(map[id.RoomID]*Summary, len(roomIDs))
	return out, db.Chunks(roomIDs, func(chunk []id.RoomID) error {
		in := db.In(chunk)
		err := db.Each(tx, func(r db.Row) error {
			var roomID id.RoomID
			var s Summary
			err := r.Scan(&roomID, &s.Joined, &s.Invited)
			out[roomID] = &s
			return err
		}, `SELECT room_id, joined_count, invited_count FROM rooms WHERE room_id IN (`+in.Marks(1)+`)`, in.Args()...)
		if err != nil {
			return err
		}
		unnamed, err := withoutName(tx, chunk)
		if err != nil || len(unnamed) == 0 {
			return err
		}
		return addHeroes(tx, out, unnamed, userID)
	})
}

// withoutName gives those of at most 512 rooms that have neither name nor alias.
func withoutName(tx *db.Tx, roomIDs []id.RoomID) (unnamed []id.RoomID, err error) {
	in := db.In(roomIDs)
	named := map[id.RoomID]bool{}
	err = db.Each(tx, func(r db.Row) error {
		var roomID id.RoomID
		var raw []byte
		err := r.Scan(&roomID, &raw)
		named[roomID] = named[roomID] || ContentText(raw, "name") != "" || ContentText(raw, "alias") != ""
		return err
	}, `SELECT st.room_id, e.json FROM room_state st JOIN events e ON e.pos = st.event_pos
		WHERE st.room_id IN (`+in.Marks(1)+`) AND st.type IN ('m.room.name', 'm.room.canonical_alias') AND st.state_key = '' AND st.until_pos = 9223372036854775807`, in.Args()...)
	for _, r := range roomIDs {
		if !named[r] {
			unnamed = append(unnamed, r)
		}
	}
	return unnamed, err
}

// addHeroes adds the first members who are joined or invited; where there are none,
// those who have left or are banned.
func addHeroes(tx *db.Tx, out map[id.RoomID]*Summary, roomIDs []id.RoomID, userID id.UserID) error {
	for _, memberships := range [][2]string{{"join", "invite"}, {"leave", "ban"}} {
		var missing []id.RoomID
		for _, r := range roomIDs {
			if len(out[r].Heroes) == 0 {
				missing = append(missing, r)
			}
		}
		if len(missing) == 0 {
			return nil
		}
		in := db.In(missing)
		err := db.Each(tx, func(r db.Row) error {
			var roomID id.RoomID
			var u id.UserID
			err := r.Scan(&roomID, &u)
			out[roomID].Heroes = append(out[roomID].Heroes, u)
			return err
		}, `SELECT room_id, user_id FROM (
				SELECT room_id, user_id, event_pos, ROW_NUMBER() OVER (PARTITION BY room_id ORDER BY event_pos) AS place FROM room_members
				WHERE room_id IN (`+in.Marks(5)+`) AND membership IN ($2, $3) AND user_id <> $1
			) AS numbered WHERE place <= $4 ORDER BY event_pos`, in.Args(userID, memberships[0], memberships[1], maxHeroes)...)
		if err != nil {
			return err
		}
	}
	return nil
}
