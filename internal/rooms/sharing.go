package rooms

import (
	"github.com/narthex-matrix/narthex/internal/bus"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
)

// Sharing gives those of some users who are in a room that the user is in.
func Sharing(tx *db.Tx, userID id.UserID, others []id.UserID) (map[id.UserID]bool, error) {
	shared := map[id.UserID]bool{}
	err := db.Chunks(others, func(chunk []id.UserID) error {
		in := db.In(chunk)
		return db.Each(tx, func(r db.Row) error {
			var u id.UserID
			err := r.Scan(&u)
			shared[u] = true
			return err
		}, `SELECT DISTINCT o.user_id FROM room_members o JOIN room_members m ON m.room_id = o.room_id
			WHERE o.user_id IN (`+in.Marks(2)+`) AND o.membership = 'join' AND m.user_id = $1 AND m.membership = 'join'`, in.Args(userID)...)
	})
	return shared, err
}

// RoomsOf gives the rooms that any of some users is in.
func RoomsOf(tx *db.Tx, users []id.UserID) (out []id.RoomID, err error) {
	err = db.Chunks(users, func(chunk []id.UserID) error {
		in := db.In(chunk)
		some, err := db.All(tx, db.Scalar[id.RoomID], `SELECT DISTINCT room_id FROM room_members WHERE user_id IN (`+in.Marks(1)+`) AND membership = 'join'`, in.Args()...)
		out = append(out, some...)
		return err
	})
	return out, err
}

// WakeRoomsOf wakes everyone who shares a room with one of some users: something
// of these users changed that others see.
func WakeRoomsOf(tx *db.Tx, users ...id.UserID) error {
	joined, err := RoomsOf(tx, users)
	for _, r := range joined {
		tx.Wake(bus.Room(r))
	}
	return err
}

// EncryptedRooms gives those of some rooms that are encrypted, and the position
// since which they are, as they are now.
func EncryptedRooms(tx *db.Tx, roomIDs []id.RoomID) (map[id.RoomID]int64, error) {
	since := map[id.RoomID]int64{}
	return since, db.Chunks(roomIDs, func(chunk []id.RoomID) error {
		in := db.In(chunk)
		return db.Each(tx, func(r db.Row) error {
			var roomID id.RoomID
			var pos int64
			err := r.Scan(&roomID, &pos)
			since[roomID] = pos
			return err
		}, `SELECT room_id, from_pos FROM room_state WHERE room_id IN (`+in.Marks(1)+`)
			AND type = 'm.room.encryption' AND state_key = '' AND until_pos = 9223372036854775807`, in.Args()...)
	})
}

// MembersOf gives the users who were in any of some rooms, each as it was at a
// position.
func MembersOf(tx *db.Tx, at map[id.RoomID]int64) (out []id.UserID, err error) {
	err = db.Chunks(positions(at), func(pairs []string) error {
		in := db.In(pairs)
		some, err := db.All(tx, db.Scalar[id.UserID], wanted+in.Pairs(1)+`) AS pairs) SELECT DISTINCT st.state_key FROM want
			JOIN room_state st ON st.room_id = want.room_id AND st.type = 'm.room.member' AND st.value = 'join'
				AND st.from_pos + 0 <= CAST(want.at AS BIGINT) AND st.until_pos > CAST(want.at AS BIGINT)`, in.Args()...)
		out = append(out, some...)
		return err
	})
	return out, err
}

// MemberChanges gives the users whose membership in one of some rooms changed
// after a position, up to and including another: those who were in the room at the
// end and those who were not.
func MemberChanges(tx *db.Tx, roomIDs []id.RoomID, after, upTo int64) (in, out []id.UserID, err error) {
	err = db.Chunks(roomIDs, func(chunk []id.RoomID) error {
		list := db.In(chunk)
		return db.Each(tx, func(r db.Row) error {
			var u id.UserID
			var joined bool
			err := r.Scan(&u, &joined)
			if joined {
				in = append(in, u)
			} else {
				out = append(out, u)
			}
			return err
		}, `SELECT state_key, value = 'join' FROM room_state WHERE room_id IN (`+list.Marks(3)+`) AND type = 'm.room.member'
			AND from_pos > $1 AND from_pos <= $2 AND until_pos > $2`, list.Args(after, upTo)...)
	})
	return in, out, err
}
