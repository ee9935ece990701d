package rooms

import (
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
