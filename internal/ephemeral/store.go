package ephemeral

import (
	"slices"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
)

// HasRoomNews is the part of a statement that says whether anybody, in any room, set a
// receipt after position $3, or started or stopped typing.
const HasRoomNews = `(EXISTS (SELECT 1 FROM receipts WHERE pos > $3) OR EXISTS (SELECT 1 FROM typing WHERE pos > $3))`

// RoomsWithNews gives the rooms in which somebody set a receipt after position from and
// up to to, or started or stopped typing.
func (s *Service) RoomsWithNews(tx *db.Tx, from, to int64) ([]id.RoomID, error) {
	return db.All(tx, db.Scalar[id.RoomID], `SELECT room_id FROM receipts WHERE pos > $1 AND pos <= $2
		UNION SELECT room_id FROM typing WHERE pos > $1 AND pos <= $2`, from, to)
}

// changedRooms gives those of the rooms that a statement finds between two
// positions. There are at most as many changes as positions, so where those are
// few it looks at them, and else into each room. The second statement ends with
// "IN (".
func changedRooms(tx *db.Tx, roomIDs []id.RoomID, from, to int64, all, within string) (changed []id.RoomID, err error) {
	if to-from <= int64(len(roomIDs)) {
		found, err := db.All(tx, db.Scalar[id.RoomID], all, from, to)
		return slices.DeleteFunc(found, func(r id.RoomID) bool { return !slices.Contains(roomIDs, r) }), err
	}
	err = db.Chunks(roomIDs, func(chunk []id.RoomID) error {
		in := db.In(chunk)
		found, err := db.All(tx, db.Scalar[id.RoomID], within+in.Marks(3)+`)`, in.Args(from, to)...)
		changed = append(changed, found...)
		return err
	})
	return changed, err
}
