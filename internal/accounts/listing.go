package accounts

import (
	"strconv"
	"strings"
	"time"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/id"
)

// The states of a registration.
const (
	StatePending  = "pending"
	StateApproved = "approved"
	StateDenied   = "denied"
)

// Registration is an account that was made while approval was in use (MSC3866,
//
type Registration struct {
	UserID  id.UserID
	Created time.Time
	Signup  Signup
	// State is StatePending, StateApproved, or StateDenied; an account that was
	// deactivated while it was pending counts as denied.
	State string
}

const registrationState = `CASE WHEN approved THEN 'approved' WHEN deactivated_ts IS NULL THEN 'pending' ELSE 'denied' END`

// Registrations lists registrations in any of the states, the oldest first: at
// most limit of them, from where an earlier call ended ("" for the beginning).
// Next is empty at the end. Total counts all that there are in those states. It
// fails with InvalidParam for an unknown state or a from that is not one of its
// own.
func (s *Service) Registrations(tx *db.Tx, states []string, from string, limit int) (rows []Registration, total int64, next string, err error) {
	return s.SearchRegistrations(tx, "", states, from, limit)
}

// matches is the condition that a part of the user ID, of the display name or of an
// address is like $1, which is in lower case.
const matches = `(lower(user_id) LIKE $1 ESCAPE '!'
	OR EXISTS (SELECT 1 FROM profile_fields p WHERE p.user_id = users.user_id AND p.name = 'displayname' AND p.searched LIKE $1 ESCAPE '!')
	OR EXISTS (SELECT 1 FROM user_threepids t WHERE t.user_id = users.user_id AND t.address LIKE $1 ESCAPE '!'))`

// SearchRegistrations is Registrations for those with a text in their user ID,
// display name or address, in any case.
func (s *Service) SearchRegistrations(tx *db.Tx, search string, states []string, from string, limit int) (rows []Registration, total int64, next string, err error) {
	for _, state := range states {
		if state != StatePending && state != StateApproved && state != StateDenied {
			return nil, 0, "", errcode.InvalidParam.New("A state is pending, approved or denied.").With("param", "state")
		}
	}
	if len(states) == 0 {
		states = []string{StatePending, StateApproved, StateDenied}
	}
	created, after, err := parseFrom(from)
	if err != nil {
		return nil, 0, "", err
	}
	in := db.In(states)
	const among = ` FROM users WHERE ` + matches + ` AND approved IS NOT NULL AND NOT guest AND ` + registrationState + ` IN (`
	if total, err = db.Value[int64](tx, `SELECT COUNT(*)`+among+in.Marks(2)+`)`, in.Args(like(search))...); err != nil {
		return nil, 0, "", err
	}
	rows, err = db.All(tx, func(r db.Row) (row Registration, err error) {
		var created int64
		err = r.Scan(&row.UserID, &created, &row.Signup.IP, &row.Signup.UserAgent, &row.Signup.Token, &row.Signup.Reason, &row.Signup.Provider, &row.State)
		row.Created = time.UnixMilli(created)
		return row, err
	}, `SELECT user_id, created_ts, registered_ip, registered_user_agent, registration_token, registration_reason, sso_provider, `+registrationState+among+in.Marks(5)+`)
		AND (created_ts, user_id) > ($2, $3) ORDER BY created_ts, user_id LIMIT $4`, in.Args(like(search), created, after, limit+1)...)
	if len(rows) > limit {
		rows = rows[:limit]
		if limit > 0 {
			last := rows[limit-1]
			next = strconv.FormatInt(last.Created.UnixMilli(), 10) + "_" + string(last.UserID)
		}
	}
	return rows, total, next, err
}

// parseFrom reads a place in the list: the creation time and the user ID of the
// row before it.
func parseFrom(from string) (created int64, after string, err error) {
	if from == "" {
		return -1, "", nil
	}
	ts, after, _ := strings.Cut(from, "_")
	created, err = strconv.ParseInt(ts, 10, 64)
	if _, fault := id.ParseUserID(after); err != nil || fault != nil {
		return 0, "", errcode.InvalidParam.New("%q has to be a next_from of this list.", "from").With("param", "from")
	}
	return created, after, nil
}
