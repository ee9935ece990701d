package syncer

import (
	"github.com/narthex-matrix/narthex/internal/accountdata"
	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/e2ee"
	"github.com/narthex-matrix/narthex/internal/ephemeral"
	"github.com/narthex-matrix/narthex/internal/push"
)

// opening is what each look begins with: all that takes one row. Over PostgreSQL a
// statement costs more than what it finds.
type opening struct {
	pos         int64  // the transaction's own
	times       string // of the user's presence
	ignoredList []byte // the list of ignored users
	rulesPos    int64  // at which the push rules were changed last
	unclaimed   string // that others may claim
	has         kinds
}

// kinds says of what there is anything.
type kinds int64

const (
	erased      kinds = 1 << iota // accounts
	received                      // messages that the device has received
	messages                      // to the device, after since, as all that follow
	accountData                   // of the user
	presences                     // of anybody
	roomNews                      // receipts, or people who type, in any room
	deviceNews                    // of anybody
	signed                        // keys, by the user

	everything kinds = 1<<iota - 1
)

const toEachLook = accountdata.IgnoredList + `, ` + push.Changed + `, ` + e2ee.Unclaimed + `, CASE WHEN ` + accounts.HasErased + ` THEN 1 ELSE 0 END`

// open reads the opening of the first look for what is after since.
func open(tx *db.Tx, w *wish, since int64) (opening, error) {
	return db.One(tx, scanOpening, `SELECT pos, `+ephemeral.Times+`, `+toEachLook+` + CASE WHEN `+e2ee.HasReceived+` THEN 2 ELSE 0 END FROM stream`,
		w.userID, w.deviceID, since)
}

// reopen reads the opening of a later look, which needs less.
func reopen(tx *db.Tx, w *wish) (opening, error) {
	return db.One(tx, scanOpening, `SELECT pos, '', `+toEachLook+` FROM stream`, w.userID, w.deviceID)
}

func scanOpening(r db.Row) (o opening, err error) {
	err = r.Scan(&o.pos, &o.times, &o.ignoredList, &o.rulesPos, &o.unclaimed, &o.has)
	return o, err
}

// readKinds finds of what there is anything after since, beside events.
func readKinds(tx *db.Tx, w *wish, since int64) (kinds, error) {
	return db.Value[kinds](tx, `SELECT CASE WHEN `+e2ee.HasMessages+` THEN 4 ELSE 0 END + CASE WHEN `+accountdata.HasNews+` THEN 8 ELSE 0 END
		+ CASE WHEN `+ephemeral.HasPresence+` THEN 16 ELSE 0 END + CASE WHEN `+ephemeral.HasRoomNews+` THEN 32 ELSE 0 END
		+ CASE WHEN `+accounts.HasDeviceLists+` THEN 64 ELSE 0 END + CASE WHEN `+e2ee.HasSigned+` THEN 128 ELSE 0 END`, w.userID, w.deviceID, since)
}
