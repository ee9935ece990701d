package accounts

import (
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/jobs"
)

// erase marks an account as erased as of a new position, and does away with what
// is no event. Account data has another owner, who does it by a job.
func (s *Service) erase(tx *db.Tx, userID id.UserID) error {
	pos, err := tx.Next()
	if err != nil {
		return err
	}
	if _, err := tx.Exec(`UPDATE users SET erased_pos = COALESCE(erased_pos, $2), registration_reason = '' WHERE user_id = $1`, userID, pos); err != nil {
		return err
	}
	if err := deleteProfile(tx, userID); err != nil {
		return err
	}
	return jobs.Enqueue(tx, "accountdata.erase", string(userID), map[string]id.UserID{"user_id": userID}, tx.Now)
}

// Erasures gives, for those users who had their accounts erased, the position at
// which it happened. Whoever joins a room later gets redacted copies of their events.
func (s *Service) Erasures(tx *db.Tx, users []id.UserID) (map[id.UserID]int64, error) {
	erased := map[id.UserID]int64{}
	err := db.Chunks(users, func(chunk []id.UserID) error {
		in := db.In(chunk)
		return db.Each(tx, func(r db.Row) error {
			var u id.UserID
			var pos int64
			err := r.Scan(&u, &pos)
			erased[u] = pos
			return err
		}, `SELECT user_id, erased_pos FROM users WHERE erased_pos IS NOT NULL AND user_id IN (`+in.Marks(1)+`)`, in.Args()...)
	})
	return erased, err
}
