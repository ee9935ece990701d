package accounts

import (
	"github.com/narthex-matrix/narthex/internal/bus"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/jobs"
)

// The acts of an administrator on an account. Each writes one line of the audit
// log, in the name of by: a user ID, or a word for what has none. None of them
// does, or writes, anything if the account is so already. Each fails with
// NotFound if there is no such account.

// change is one act: a statement that changes something, and its line in the log.
type change struct {
	by, action string
	details    any
}

// SetPassword gives an account another password, and signs it out everywhere if
// logout is set. The hash comes from secret.Passwords.Hash. A deactivated account
// cannot have a password, and nor can the one in which the server speaks: InvalidParam.
func (s *Service) SetPassword(tx *db.Tx, userID id.UserID, hash, by string, logout bool) error {
	a, err := s.hold(tx, userID)
	if err != nil {
		return err
	}
	switch {
	case a.Deactivated:
		return errcode.InvalidParam.New("A deactivated account cannot have a password.")
	case userID.Localpart() == s.cfg.Notices.Localpart:
		return errcode.InvalidParam.New("This account is the server's own, and nobody signs in to it.")
	}
	if err := setPasswordHash(tx, userID, hash); err != nil {
		return err
	}
	if err := s.Audit(tx, by, "set_password", string(userID), map[string]bool{"logout": logout}); err != nil {
		return err
	}
	if !logout {
		return nil
	}
	return s.DeleteOtherDevices(tx, userID, "")
}

func setPasswordHash(tx *db.Tx, userID id.UserID, hash string) error {
	return tx.Later(`UPDATE users SET password_hash = $2 WHERE user_id = $1`, userID, hash)
}

// SetAdmin makes an account that of an administrator of the server, or an
// ordinary one.
func (s *Service) SetAdmin(tx *db.Tx, userID id.UserID, admin bool, by string) error {
	a, err := s.hold(tx, userID)
	if err != nil || a.Admin == admin {
		return err
	}
	if err := tx.Later(`UPDATE users SET admin = $2 WHERE user_id = $1`, userID, admin); err != nil {
		return err
	}
	return s.Audit(tx, by, verb(admin, "grant_admin", "revoke_admin"), string(userID), empty{})
}

// SetLocked locks an account, or unlocks it. Its sessions are kept. Client-server
// API, "Account locking".
func (s *Service) SetLocked(tx *db.Tx, userID id.UserID, locked bool, by string) error {
	a, err := s.hold(tx, userID)
	if err != nil || a.Locked == locked {
		return err
	}
	if err := tx.Later(`UPDATE users SET locked = $2 WHERE user_id = $1`, userID, locked); err != nil {
		return err
	}
	tx.Wake(bus.User(userID)) // what waits in the account's name ends
	return s.Audit(tx, by, verb(locked, "lock", "unlock"), string(userID), empty{})
}

// SetSuspended suspends an account, or ends that. Client-server API, "Account
// suspension".
func (s *Service) SetSuspended(tx *db.Tx, userID id.UserID, suspended bool, by string) error {
	a, err := s.hold(tx, userID)
	if err != nil || a.Suspended == suspended {
		return err
	}
	if err := tx.Later(`UPDATE users SET suspended = $2 WHERE user_id = $1`, userID, suspended); err != nil {
		return err
	}
	return s.Audit(tx, by, verb(suspended, "suspend", "unsuspend"), string(userID), empty{})
}

func verb(on bool, yes, no string) string {
	if on {
		return yes
	}
	return no
}

// Deactivate ends an account for good: it loses its password, its addresses, its
// devices and its rights, and by jobs leaves its rooms and the identity servers that
// have published its addresses. Its name stays taken. With erase its profile and
// account data go too, and its messages are no longer shown to those who come later.
// An account that is deactivated already can still be erased; the one in which the
// server speaks cannot be closed by others: InvalidParam. Client-server API, "Account
// deactivation".
func (s *Service) Deactivate(tx *db.Tx, userID id.UserID, by string, erase bool) error {
	a, err := s.hold(tx, userID)
	if err != nil || (a.Deactivated && (a.Erased || !erase)) {
		return err
	}
	if userID.Localpart() == s.cfg.Notices.Localpart && by != string(userID) {
		return errcode.InvalidParam.New("This account is the server's own: in it, it speaks to its users. It cannot be deactivated.")
	}
	return s.deactivate(tx, userID, erase, change{by, "deactivate", map[string]bool{"erase": erase}})
}

func (s *Service) deactivate(tx *db.Tx, userID id.UserID, erase bool, c change) error {
	if err := tx.Later(`UPDATE users SET deactivated_ts = COALESCE(deactivated_ts, $2), password_hash = '', admin = FALSE
		WHERE user_id = $1`, userID, tx.Now.UnixMilli()); err != nil {
		return err
	}
	if err := deleteThreepids(tx, userID); err != nil {
		return err
	}
	if err := leaveAll(tx, userID); err != nil {
		return err
	}
	if erase {
		if err := s.erase(tx, userID); err != nil {
			return err
		}
	}
	if err := s.Audit(tx, c.by, c.action, string(userID), c.details); err != nil {
		return err
	}
	for _, kind := range []string{"rooms.leave_all", "e2ee.forget", "factors.forget", "upstream.forget"} {
		if err := jobs.Enqueue(tx, kind, string(userID), map[string]id.UserID{"user_id": userID}, tx.Now); err != nil {
			return err
		}
	}
	return s.DeleteOtherDevices(tx, userID, "")
}
