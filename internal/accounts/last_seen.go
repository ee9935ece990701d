package accounts

import (
	"time"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
)

// LastSeen gives when the users last used one of their devices, as exactly as
// SeenEvery says. Whoever has none is missing.
func (s *Service) LastSeen(tx *db.Tx, users []id.UserID) (map[id.UserID]time.Time, error) {
	out := map[id.UserID]time.Time{}
	err := db.Chunks(users, func(chunk []id.UserID) error {
		in := db.In(chunk)
		return db.Each(tx, func(r db.Row) error {
			var userID id.UserID
			var seen int64
			err := r.Scan(&userID, &seen)
			out[userID] = time.UnixMilli(seen)
			return err
		}, `SELECT user_id, MAX(last_seen_ts) FROM devices WHERE user_id IN (`+in.Marks(1)+`) GROUP BY user_id`, in.Args()...)
	})
	return out, err
}
