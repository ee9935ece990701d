package e2ee

import (
	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
)

// Restored corrects what a restored backup says of keys: one-time keys may have been
// given out since, and must not be given out again, so they and the fallback keys are
// deleted, and clients upload others when they see that none are left; and devices
// may have come, gone or been signed, so everybody is told to look up everybody's
// again. It gives the number of keys and of users. It must come after [db.Tx.Restored].
func Restored(tx *db.Tx) (keys, users int64, err error) {
	oneTime, err := tx.Exec(`DELETE FROM one_time_keys`)
	if err != nil {
		return 0, 0, err
	}
	fallback, err := tx.Exec(`DELETE FROM fallback_keys`)
	if err != nil {
		return 0, 0, err
	}
	all, err := db.All(tx, db.Scalar[id.UserID], `SELECT user_id FROM device_keys UNION SELECT user_id FROM cross_signing_keys`)
	if err != nil {
		return 0, 0, err
	}
	return oneTime + fallback, int64(len(all)), accounts.DeviceListsChanged(tx, all)
}
