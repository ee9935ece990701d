package accounts

import (
	"fmt"
	"time"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/jobs"
)

// WaitingJob is the kind of the job that tells the administrators of an account that
// has begun to wait for approval. Package notices works it. Its payload is a
// [Waiter].
const WaitingJob = "notices.waiting"

// Waiter is an account that has begun to wait.
type Waiter struct {
	UserID id.UserID `json:"user_id,omitzero"`
}

// announceWaiting has the administrators told of a new account, if it waits.
func (s *Service) announceWaiting(tx *db.Tx, a Account) error {
	if !a.Pending() || !s.ApprovalRequired() || len(s.cfg.Approval.NotifyAdmins) == 0 {
		return nil
	}
	// The time tells it from an earlier account whose name was released.
	return jobs.Enqueue(tx, WaitingJob, fmt.Sprint(a.UserID, " ", tx.Now.UnixMilli()), Waiter{a.UserID}, tx.Now)
}

// Waiting gives those of the users who wait for approval, who came first before
// the others, and counts all who wait.
func (s *Service) Waiting(tx *db.Tx, users []id.UserID) (rows []Registration, total int64, err error) {
	const among = ` FROM users WHERE approved IS NOT NULL AND NOT approved AND deactivated_ts IS NULL AND NOT guest`
	if total, err = db.Value[int64](tx, `SELECT COUNT(*)`+among); err != nil {
		return nil, 0, err
	}
	err = db.Chunks(users, func(chunk []id.UserID) error {
		in := db.In(chunk)
		found, err := db.All(tx, func(r db.Row) (row Registration, err error) {
			var created int64
			err = r.Scan(&row.UserID, &created, &row.Signup.IP, &row.Signup.UserAgent, &row.Signup.Token, &row.Signup.Reason)
			row.Created, row.State = time.UnixMilli(created), StatePending
			return row, err
		}, `SELECT user_id, created_ts, registered_ip, registered_user_agent, registration_token, registration_reason`+among+
			` AND user_id IN (`+in.Marks(1)+`) ORDER BY created_ts, user_id`, in.Args()...)
		rows = append(rows, found...)
		return err
	})
	return rows, total, err
}

// Administrator is somebody who runs the server.
type Administrator struct {
	UserID id.UserID
	Email  string // the first mail address of the account; empty if it has none
}

// Administrators gives the server administrators who can sign in, by their user IDs.
func (s *Service) Administrators(tx *db.Tx) ([]Administrator, error) {
	return db.All(tx, func(r db.Row) (a Administrator, err error) {
		var email *string
		if err = r.Scan(&a.UserID, &email); email != nil {
			a.Email = *email
		}
		return a, err
	}, `SELECT user_id, (SELECT address FROM user_threepids t WHERE t.user_id = users.user_id AND t.medium = 'email' ORDER BY t.added_ts, t.address LIMIT 1)
		FROM users WHERE admin AND NOT locked AND deactivated_ts IS NULL AND (approved IS NULL OR approved OR NOT $1) ORDER BY user_id`, s.ApprovalRequired())
}
