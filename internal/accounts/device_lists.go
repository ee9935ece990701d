package accounts

import (
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
)

// HasDeviceLists is the part of a statement that says whether anybody's device list changed
// after position $3.
const HasDeviceLists = `EXISTS (SELECT 1 FROM device_list_changes WHERE pos > $3)`

// DeviceListChanges gives everyone whose device list changed after a position, up
// to and including another.
func DeviceListChanges(tx *db.Tx, after, upTo int64) ([]id.UserID, error) {
	return db.All(tx, db.Scalar[id.UserID], `SELECT DISTINCT user_id FROM device_list_changes WHERE pos > $1 AND pos <= $2`, after, upTo)
}

// DeviceListsChanged is [Service.DeviceListChanged] for many users at once, and wakes
// nobody: it is for a server that does not run.
func DeviceListsChanged(tx *db.Tx, users []id.UserID) error {
	return db.Chunks(users, func(users []id.UserID) error {
		pos, err := tx.NextN(len(users))
		if err != nil {
			return err
		}
		rows := make([]any, 0, 2*len(users))
		for i, u := range users {
			rows = append(rows, pos+int64(i), u)
		}
		in := db.In(rows)
		// The list repeats its last pair.
		return tx.Later(`INSERT INTO device_list_changes (pos, user_id) VALUES `+in.Pairs(1)+` ON CONFLICT (pos) DO NOTHING`, in.Args()...)
	})
}
