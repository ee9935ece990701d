package accounts

import (
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
)

// DeviceListChanges gives everyone whose device list changed after a position, up
// to and including another.
func DeviceListChanges(tx *db.Tx, after, upTo int64) ([]id.UserID, error) {
	return db.All(tx, db.Scalar[id.UserID], `SELECT DISTINCT user_id FROM device_list_changes WHERE pos > $1 AND pos <= $2`, after, upTo)
}
