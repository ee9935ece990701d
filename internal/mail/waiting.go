package mail

import (
	"time"

	"github.com/narthex-matrix/narthex/internal/db"
)

// Stuck are mails that the mail server should have taken by now.
type Stuck struct {
	Count  int64
	Oldest time.Time // when the oldest of them was written; zero if there is none
}

// stuckAfter is how long a mail is in the outbox before somebody should look at it.
const stuckAfter = 15 * time.Minute

// Stuck counts the mails that have been in the outbox for a quarter of an hour.
func (s *Service) Stuck(tx *db.Tx) (Stuck, error) {
	return db.One(tx, func(r db.Row) (out Stuck, err error) {
		var oldest *int64
		err = r.Scan(&out.Count, &oldest)
		if oldest != nil {
			out.Oldest = time.UnixMilli(*oldest)
		}
		return out, err
	}, `SELECT COUNT(*), MIN(created_ts) FROM mail_outbox WHERE created_ts <= $1`, tx.Now.Add(-stuckAfter).UnixMilli())
}
