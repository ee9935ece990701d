package accounts

import (
	"time"

	"github.com/narthex-matrix/narthex/internal/db"
)

// Day is what happened on one day of UTC.
type Day struct {
	Start time.Time
	// Signups are the accounts that were made, without those of guests; SignIns are the
	// sessions of apps that began.
	Signups, SignIns int64
}

const dayMillis = 24 * 60 * 60 * 1000

// Days counts for the last n days, the present one included and last.
func (s *Service) Days(tx *db.Tx, n int) ([]Day, error) {
	today := tx.Now.UnixMilli() / dayMillis
	first := today - int64(n) + 1
	days := make([]Day, n)
	for i := range days {
		days[i].Start = time.UnixMilli((first + int64(i)) * dayMillis).UTC()
	}
	count := func(into func(*Day) *int64) func(db.Row) error {
		return func(r db.Row) error {
			var day, count int64
			err := r.Scan(&day, &count)
			if at := day - first; err == nil && at >= 0 && at < int64(n) {
				*into(&days[at]) = count
			}
			return err
		}
	}
	err := db.Each(tx, count(func(d *Day) *int64 { return &d.Signups }),
		`SELECT created_ts / 86400000, COUNT(*) FROM users WHERE created_ts >= $1 AND NOT guest GROUP BY 1`, first*dayMillis)
	if err != nil {
		return nil, err
	}
	return days, db.Each(tx, count(func(d *Day) *int64 { return &d.SignIns }),
		`SELECT ts / 86400000, COUNT(*) FROM sign_ins WHERE ts >= $1 GROUP BY 1`, first*dayMillis)
}
