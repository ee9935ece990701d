package rooms

import (
	"cmp"
	"slices"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/event"
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
	for _, memberships := range [][]string{{event.Join, event.Invite}, {event.Leave, event.Ban}} {
		first := map[id.RoomID][]hero{}
		for _, m := range memberships {
			if err := firstMembers(tx, first, roomIDs, m, userID); err != nil {
				return err
			}
		}
		roomIDs = slices.DeleteFunc(roomIDs, func(r id.RoomID) bool {
			list := first[r]
			slices.SortFunc(list, func(a, b hero) int { return cmp.Compare(a.pos, b.pos) })
			for _, h := range list[:min(maxHeroes, len(list))] {
				out[r].Heroes = append(out[r].Heroes, h.userID)
			}
			return len(list) > 0
		})
		if len(roomIDs) == 0 {
			break
		}
	}
	return nil
}

type hero struct {
	userID id.UserID
	pos    int64
}

// firstMembers adds the first members of each room that have a membership, without
// the user. What it costs does not grow with the rooms' sizes.
func firstMembers(tx *db.Tx, first map[id.RoomID][]hero, roomIDs []id.RoomID, membership string, userID id.UserID) error {
	last := map[id.RoomID]int64{}
	in := db.In(roomIDs)
	err := db.Each(tx, func(r db.Row) error {
		var roomID id.RoomID
		var pos int64
		err := r.Scan(&roomID, &pos)
		last[roomID] = pos
		return err
	}, `SELECT r.room_id, COALESCE((SELECT m.event_pos FROM room_members m WHERE m.room_id = r.room_id AND m.membership = $1 AND m.user_id <> $2
			ORDER BY m.event_pos LIMIT 1 OFFSET $3), 9223372036854775807)
		FROM rooms r WHERE r.room_id IN (`+in.Marks(4)+`)`, in.Args(membership, userID, maxHeroes)...)
	if err != nil {
		return err
	}
	return db.Chunks(positions(last), func(pairs []string) error {
		in := db.In(pairs)
		return db.Each(tx, func(r db.Row) error {
			var roomID id.RoomID
			var h hero
			err := r.Scan(&roomID, &h.userID, &h.pos)
			first[roomID] = append(first[roomID], h)
			return err
		}, wanted+in.Pairs(3)+`) AS pairs) SELECT m.room_id, m.user_id, m.event_pos FROM want
			JOIN room_members m ON m.room_id = want.room_id AND m.membership = $1 AND m.event_pos < CAST(want.at AS BIGINT)
			WHERE m.user_id <> $2`, in.Args(membership, userID)...)
	})
}
