package syncer

import (
	"github.com/narthex-matrix/narthex/internal/accountdata"
	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/e2ee"
	"github.com/narthex-matrix/narthex/internal/ephemeral"
	"github.com/narthex-matrix/narthex/internal/oauth"
	"github.com/narthex-matrix/narthex/internal/push"
)

// opening is what each look begins with: all that takes one row. Over PostgreSQL a
// statement costs more than what it finds.
type opening struct {
	tokenID     int64
	pos         int64  // the transaction's own
	times       string // of the user's presence
	ignoredList []byte // the list of ignored users
	rulesPos    int64  // at which the push rules were changed last
	unclaimed   string // that others may claim
	oldest      int64  // position of the oldest message to the device; 0 for none
	has         kinds
}

// kinds says of what there is anything.
type kinds int64

const (
	erased      kinds = 1 << iota // accounts
	messages                      // to the device, after since, as all that follow
	accountData                   // of the user
	presences                     // of anybody
	roomNews                      // receipts, or people who type, in any room
	deviceNews                    // of anybody
	signed                        // keys, by the user

	everything kinds = 1<<iota - 1
)

// openings reads the openings of looks by the tokens of their requests. A session that
// has ended, or of an account that was locked, has none.
func openings(tx *db.Tx, tokens []int64) (map[int64]opening, error) {
	in := db.In(tokens)
	out := make(map[int64]opening, len(tokens))
	return out, db.Each(tx, func(r db.Row) error {
		var o opening
		err := r.Scan(&o.tokenID, &o.pos, &o.times, &o.ignoredList, &o.rulesPos, &o.unclaimed, &o.oldest, &o.has)
		out[o.tokenID] = o
		return err
	}, `SELECT session.token_id, (SELECT pos FROM stream), `+ephemeral.Times+`, `+accountdata.IgnoredList+`, `+push.Changed+`, `+e2ee.Unclaimed+`, `+e2ee.OldestMessage+`,
			CASE WHEN `+accounts.HasErased+` THEN 1 ELSE 0 END `+oauth.Sessions+`WHERE session.token_id IN (`+in.Marks(1)+`)`, in.Args()...)
}

// readKinds finds of what there is anything after since, beside events.
func readKinds(tx *db.Tx, w *wish, since int64) (kinds, error) {
	return db.Value[kinds](tx, `SELECT CASE WHEN `+e2ee.HasMessages+` THEN 2 ELSE 0 END + CASE WHEN `+accountdata.HasNews+` THEN 4 ELSE 0 END
		+ CASE WHEN `+ephemeral.HasPresence+` THEN 8 ELSE 0 END + CASE WHEN `+ephemeral.HasRoomNews+` THEN 16 ELSE 0 END
		+ CASE WHEN `+accounts.HasDeviceLists+` THEN 32 ELSE 0 END + CASE WHEN `+e2ee.HasSigned+` THEN 64 ELSE 0 END`, w.userID, w.deviceID, since)
}
