package accounts

import (
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
)

// Known is Exists for many users: it gives those who exist, and of each whether
// the account is a guest's.
func (s *Service) Known(tx *db.Tx, users []id.UserID) (map[id.UserID]bool, error) {
	known := map[id.UserID]bool{}
	err := db.Chunks(users, func(chunk []id.UserID) error {
		in := db.In(chunk)
		return db.Each(tx, func(r db.Row) error {
			var u id.UserID
			var guest bool
			err := r.Scan(&u, &guest)
			known[u] = guest
			return err
		}, `SELECT user_id, guest FROM users
			WHERE deactivated_ts IS NULL AND (approved IS NULL OR approved OR NOT $1) AND user_id IN (`+in.Marks(2)+`)`, in.Args(s.ApprovalRequired())...)
	})
	return known, err
}
