package accounts

import (
	"time"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
)

// WaitingAmong gives those of the users who wait for approval, the oldest first.
func (s *Service) WaitingAmong(tx *db.Tx, users []id.UserID) ([]Registration, error) {
	var rows []Registration
	err := db.Chunks(users, func(chunk []id.UserID) error {
		in := db.In(chunk)
		return db.Each(tx, func(r db.Row) error {
			a, err := scanAccount(r)
			rows = append(rows, Registration{UserID: a.UserID, Created: a.Created, Signup: a.Signup, State: StatePending})
			return err
		}, `SELECT `+accountColumns+` FROM users WHERE user_id IN (`+in.Marks(1)+`)
			AND NOT guest AND NOT approved AND deactivated_ts IS NULL ORDER BY created_ts, user_id`, in.Args()...)
	})
	return rows, err
}

// AddressesOf gives the addresses of accounts, those of each in the order in which
// they were added. Whoever has none is missing.
func (s *Service) AddressesOf(tx *db.Tx, users []id.UserID) (map[id.UserID][]Threepid, error) {
	out := map[id.UserID][]Threepid{}
	err := db.Chunks(users, func(chunk []id.UserID) error {
		in := db.In(chunk)
		return db.Each(tx, func(r db.Row) error {
			var userID id.UserID
			var t Threepid
			var validated, added int64
			err := r.Scan(&userID, &t.Medium, &t.Address, &validated, &added)
			t.Validated, t.Added = time.UnixMilli(validated), time.UnixMilli(added)
			out[userID] = append(out[userID], t)
			return err
		}, `SELECT user_id, medium, address, validated_ts, added_ts FROM user_threepids WHERE user_id IN (`+in.Marks(1)+`)
			ORDER BY added_ts, medium, address`, in.Args()...)
	})
	return out, err
}
