package accounts

import (
	"errors"
	"time"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/id"
)

// Account is one row of `users`.
type Account struct {
	UserID       id.UserID
	Created      time.Time
	PasswordHash string // empty: cannot sign in by password
	Admin        bool
	Guest        bool
	Approved     *bool // nil: from before approval was required
	Locked       bool
	Suspended    bool
	Deactivated  bool
	Erased       bool
	// SecondFactor says that a password alone does not sign in: the account has a
	// passkey, or one-time codes.
	SecondFactor bool
	// Signup is how the account was registered; empty for those that were not.
	Signup Signup
}

// Signup is what an administrator sees of a registration.
type Signup struct {
	IP        string
	UserAgent string
	Token     string // the registration token
	Provider  string // of single sign-on: its ID; empty if none vouched for the person
	Reason    string // why the person wants to join, in their words: one line; empty if they did not say
}

// Pending reports whether the account waits for an administrator's decision.
func (a Account) Pending() bool { return a.Approved != nil && !*a.Approved }

const accountColumns = `user_id, created_ts, password_hash, admin, guest, approved, locked, suspended, deactivated_ts IS NOT NULL, erased_pos IS NOT NULL, second_factor,
	registered_ip, registered_user_agent, registration_token, registration_reason, sso_provider`

func scanAccount(r db.Row) (a Account, err error) {
	var created int64
	err = r.Scan(&a.UserID, &created, &a.PasswordHash, &a.Admin, &a.Guest, &a.Approved, &a.Locked, &a.Suspended, &a.Deactivated, &a.Erased, &a.SecondFactor,
		&a.Signup.IP, &a.Signup.UserAgent, &a.Signup.Token, &a.Signup.Reason, &a.Signup.Provider)
	a.Created = time.UnixMilli(created)
	return a, err
}

// Find gives the account of a user of this server, or db.ErrNoRow.
func (s *Service) Find(tx *db.Tx, userID id.UserID) (Account, error) {
	return db.One(tx, scanAccount, `SELECT `+accountColumns+` FROM users WHERE user_id = $1`, userID)
}

// Hold gives the account, as Find does, and keeps others from changing it until
// the transaction ends: it is the start of every act on an account.
func (s *Service) Hold(tx *db.Tx, userID id.UserID) (Account, error) {
	if err := tx.Lock("user", string(userID)); err != nil {
		return Account{}, err
	}
	return s.Find(tx, userID)
}

// hold is Hold for acts of administrators, who are told that there is no such
// account.
func (s *Service) hold(tx *db.Tx, userID id.UserID) (Account, error) {
	a, err := s.Hold(tx, userID)
	if errors.Is(err, db.ErrNoRow) {
		return a, errcode.NotFound.New("This server has no such account.")
	}
	return a, err
}

// Exists reports whether others may know of the user: an account of this server
// that is neither deactivated nor kept from signing in until it is approved
// (MSC3866, A-60).
func (s *Service) Exists(tx *db.Tx, userID id.UserID) (bool, error) {
	return db.Value[bool](tx, `SELECT EXISTS (SELECT 1 FROM users
		WHERE user_id = $1 AND deactivated_ts IS NULL AND (approved IS NULL OR approved OR NOT $2))`, userID, s.ApprovalRequired())
}

// Insert adds an account, or fails with db.ErrDuplicate and leaves all as it was.
func (s *Service) Insert(tx *db.Tx, a Account) error {
	n, err := tx.Exec(`INSERT INTO users (user_id, created_ts, password_hash, admin, guest, approved, locked, suspended, second_factor,
			registered_ip, registered_user_agent, registration_token, registration_reason, sso_provider)
		VALUES ($1, $2, $3, $4, $5, $6, FALSE, FALSE, FALSE, $7, $8, $9, $10, $11) ON CONFLICT (user_id) DO NOTHING`,
		a.UserID, tx.Now.UnixMilli(), a.PasswordHash, a.Admin, a.Guest, a.Approved, a.Signup.IP, printable(a.Signup.UserAgent), a.Signup.Token, a.Signup.Reason,
		a.Signup.Provider)
	if err == nil && n == 0 {
		return db.ErrDuplicate
	}
	if err != nil {
		return err
	}
	return s.announceWaiting(tx, a)
}

// Upgrade makes a guest's account a full one with a password, pending or not, that
// counts as created now, and signs the guest out everywhere (MSC3866, A-17).
func (s *Service) Upgrade(tx *db.Tx, a Account) error {
	if err := tx.Later(`UPDATE users SET guest = FALSE, password_hash = $2, approved = $3,
			registered_ip = $4, registered_user_agent = $5, registration_token = $6, registration_reason = $7, created_ts = $8 WHERE user_id = $1`,
		a.UserID, a.PasswordHash, a.Approved, a.Signup.IP, printable(a.Signup.UserAgent), a.Signup.Token, a.Signup.Reason, tx.Now.UnixMilli()); err != nil {
		return err
	}
	if err := s.announceWaiting(tx, a); err != nil {
		return err
	}
	return s.DeleteOtherDevices(tx, a.UserID, "")
}
