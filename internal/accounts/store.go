package accounts

import (
	"time"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
)

// Account is one row of `users`.
type Account struct {
	UserID       id.UserID
	Created      time.Time
	PasswordHash string
	Admin        bool
	Guest        bool
	Approved     *bool // nil: from before approval was required
	Locked       bool
	Suspended    bool
	Deactivated  bool
	Erased       bool
}

// Pending reports whether the account waits for an administrator's decision.
func (a Account) Pending() bool { return a.Approved != nil && !*a.Approved }

const accountColumns = `user_id, created_ts, password_hash, admin, guest, approved, locked, suspended, deactivated_ts IS NOT NULL, erased`

func scanAccount(r db.Row) (a Account, err error) {
	var created int64
	err = r.Scan(&a.UserID, &created, &a.PasswordHash, &a.Admin, &a.Guest, &a.Approved, &a.Locked, &a.Suspended, &a.Deactivated, &a.Erased)
	a.Created = time.UnixMilli(created)
	return a, err
}

// Find gives the account of a user of this server, or db.ErrNoRow.
func (s *Service) Find(tx *db.Tx, userID id.UserID) (Account, error) {
	return db.One(tx, scanAccount, `SELECT `+accountColumns+` FROM users WHERE user_id = $1`, userID)
}

// Exists reports whether others may know of the user: an account of this server
// that is neither pending nor deactivated.
func (s *Service) Exists(tx *db.Tx, userID id.UserID) (bool, error) {
	return db.Value[bool](tx, `SELECT EXISTS (SELECT 1 FROM users WHERE user_id = $1 AND deactivated_ts IS NULL AND (approved IS NULL OR approved))`, userID)
}

// Insert adds an account, or fails with db.ErrDuplicate and leaves all as it was.
func (s *Service) Insert(tx *db.Tx, a Account) error {
	n, err := tx.Exec(`INSERT INTO users (user_id, created_ts, password_hash, admin, guest, approved, locked, suspended, erased)
		VALUES ($1, $2, $3, $4, $5, $6, FALSE, FALSE, FALSE) ON CONFLICT (user_id) DO NOTHING`,
		a.UserID, tx.Now.UnixMilli(), a.PasswordHash, a.Admin, a.Guest, a.Approved)
	if err == nil && n == 0 {
		return db.ErrDuplicate
	}
	return err
}

// PutDevice adds a device, or gives an existing one the name, if there is a name.
func (s *Service) PutDevice(tx *db.Tx, userID id.UserID, deviceID id.DeviceID, name *string) error {
	_, err := tx.Exec(`INSERT INTO devices (user_id, device_id, display_name, created_ts, last_seen_ts, last_seen_ip, last_seen_user_agent)
		VALUES ($1, $2, $3, $4, $4, '', '')
		ON CONFLICT (user_id, device_id) DO UPDATE SET display_name = COALESCE(excluded.display_name, devices.display_name)`,
		userID, deviceID, name, tx.Now.UnixMilli())
	return err
}
