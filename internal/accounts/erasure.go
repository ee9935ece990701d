package accounts

import (
	"slices"

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
	if err := tx.Later(`UPDATE users SET erased_pos = COALESCE(erased_pos, $2), registration_reason = '' WHERE user_id = $1`, userID, pos); err != nil {
		return err
	}
	if err := deleteProfile(tx, userID); err != nil {
		return err
	}
	return jobs.Enqueue(tx, "accountdata.erase", string(userID), map[string]id.UserID{"user_id": userID}, tx.Now)
}

// fewErased is how many erased accounts are read to find those of some users: mostly
// there are none, and whoever reads a page of events has many senders to ask for.
const fewErased = 64

type erasure struct {
	userID id.UserID
	pos    int64
}

func scanErasure(r db.Row) (e erasure, err error) {
	err = r.Scan(&e.userID, &e.pos)
	return e, err
}

const erasures = `SELECT user_id, erased_pos FROM users WHERE erased_pos IS NOT NULL `

// HasErased is the part of a statement that says whether any account was erased.
const HasErased = `EXISTS (SELECT 1 FROM users WHERE erased_pos IS NOT NULL AND user_id > '')`

// Erasures gives, for those users who had their accounts erased, the position at
// which it happened. Whoever joins a room later gets redacted copies of their events.
func (s *Service) Erasures(tx *db.Tx, users []id.UserID) (map[id.UserID]int64, error) {
	// Every id is above the empty one: that leads to the index of the erased.
	found, err := db.All(tx, scanErasure, erasures+`AND user_id > '' LIMIT $1`, fewErased+1)
	if err != nil {
		return nil, err
	}
	if len(found) > fewErased {
		found = nil
		err = db.Chunks(users, func(chunk []id.UserID) error {
			in := db.In(chunk)
			more, err := db.All(tx, scanErasure, erasures+`AND user_id IN (`+in.Marks(1)+`)`, in.Args()...)
			found = append(found, more...)
			return err
		})
	}
	erased := map[id.UserID]int64{}
	for _, e := range found {
		if slices.Contains(users, e.userID) {
			erased[e.userID] = e.pos
		}
	}
	return erased, err
}
