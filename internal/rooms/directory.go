package rooms

import (
	"errors"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/id"
)

// Published gives the rooms in the public directory, those with the most members
// first.
func Published(tx *db.Tx) ([]id.RoomID, error) {
	return db.All(tx, db.Scalar[id.RoomID], `SELECT room_id FROM rooms WHERE published ORDER BY joined_count DESC, room_id`)
}

// IsPublished reports whether a room is in the public directory. It fails with
// NotFound if there is no such room.
func IsPublished(tx *db.Tx, roomID id.RoomID) (bool, error) {
	published, err := db.Value[bool](tx, `SELECT published FROM rooms WHERE room_id = $1`, roomID)
	if errors.Is(err, db.ErrNoRow) {
		return false, errcode.NotFound.New("There is no such room.")
	}
	return published, err
}

// SetPublished puts a room into the public directory, or takes it out.
func SetPublished(tx *db.Tx, roomID id.RoomID, published bool) error {
	return tx.Later(`UPDATE rooms SET published = $2 WHERE room_id = $1`, roomID, published)
}

// Listing is what a room is beside its state, and to one user.
type Listing struct {
	Version    string
	Joined     int64
	Membership string // of the user; "" for none
}

// Listings gives the listings of those rooms that exist.
func Listings(tx *db.Tx, roomIDs []id.RoomID, userID id.UserID) (map[id.RoomID]Listing, error) {
	out := make(map[id.RoomID]Listing, len(roomIDs))
	return out, db.Chunks(roomIDs, func(chunk []id.RoomID) error {
		in := db.In(chunk)
		return db.Each(tx, func(r db.Row) error {
			var roomID id.RoomID
			var o Listing
			err := r.Scan(&roomID, &o.Version, &o.Joined, &o.Membership)
			out[roomID] = o
			return err
		}, `SELECT r.room_id, r.version, r.joined_count, COALESCE(m.membership, '') FROM rooms r
			LEFT JOIN room_members m ON m.room_id = r.room_id AND m.user_id = $1 WHERE r.room_id IN (`+in.Marks(2)+`)`, in.Args(userID)...)
	})
}

// JoinedAmong gives those of some rooms that a user is in.
func JoinedAmong(tx *db.Tx, userID id.UserID, roomIDs []id.RoomID) (map[id.RoomID]bool, error) {
	joined := map[id.RoomID]bool{}
	return joined, db.Chunks(roomIDs, func(chunk []id.RoomID) error {
		in := db.In(chunk)
		return db.Each(tx, func(r db.Row) error {
			var roomID id.RoomID
			err := r.Scan(&roomID)
			joined[roomID] = true
			return err
		}, `SELECT room_id FROM room_members WHERE user_id = $1 AND membership = 'join' AND room_id IN (`+in.Marks(2)+`)`, in.Args(userID)...)
	})
}

// SpaceChildren gives the m.space.child events of rooms, in no particular order.
func SpaceChildren(tx *db.Tx, roomIDs []id.RoomID) (map[id.RoomID][]Stored, error) {
	out := make(map[id.RoomID][]Stored, len(roomIDs))
	return out, db.Chunks(roomIDs, func(chunk []id.RoomID) error {
		in := db.In(chunk)
		found, err := db.All(tx, ScanEvent, `SELECT `+Columns+` FROM room_state st JOIN events e ON e.pos = st.event_pos JOIN rooms r ON r.room_id = e.room_id
			WHERE st.until_pos = 9223372036854775807 AND st.type = 'm.space.child' AND st.room_id IN (`+in.Marks(1)+`)`, in.Args()...)
		for _, st := range found {
			out[st.RoomID] = append(out[st.RoomID], st)
		}
		return err
	})
}

// Named is a user under a name that is used in some room.
type Named struct {
	UserID      id.UserID
	DisplayName string // empty for none
}

// VisibleUsers gives the users whom a user can see, other than themselves, at
// most limit: those in a room with the user, or in one that everybody may join or
// read. Pattern is for LIKE with the escape character "!" and in lower case; user
// id or name must match it. A user may come more than once, under several names.
func VisibleUsers(tx *db.Tx, userID id.UserID, pattern string, limit int) ([]Named, error) {
	return db.All(tx, func(r db.Row) (n Named, err error) {
		err = r.Scan(&n.UserID, &n.DisplayName)
		return n, err
	}, `SELECT DISTINCT m.user_id, COALESCE(m.displayname, '') FROM room_members m
		WHERE m.membership = 'join' AND m.user_id <> $1
			AND (LOWER(m.user_id) LIKE $2 ESCAPE '!' OR LOWER(COALESCE(m.displayname, '')) LIKE $2 ESCAPE '!')
			AND (EXISTS (SELECT 1 FROM room_members o WHERE o.room_id = m.room_id AND o.user_id = $1 AND o.membership = 'join')
				OR EXISTS (SELECT 1 FROM room_state st WHERE st.room_id = m.room_id AND st.type = 'm.room.join_rules' AND st.state_key = ''
					AND st.until_pos = 9223372036854775807 AND st.value = 'public')
				OR EXISTS (SELECT 1 FROM room_state st WHERE st.room_id = m.room_id AND st.type = 'm.room.history_visibility' AND st.state_key = ''
					AND st.until_pos = 9223372036854775807 AND st.value = 'world_readable'))
		LIMIT $3`, userID, pattern, limit)
}
