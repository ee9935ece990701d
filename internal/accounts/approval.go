package accounts

import (
	"context"
	"errors"
	"time"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/mail"
)

// ApprovalRequired reports whether pending accounts are kept from signing in. It
// is false when the administrator has switched approval off; the accounts keep
// their state for when it is switched on again (MSC3866, A-3).
func (s *Service) ApprovalRequired() bool {
	return s.cfg.Approval.Enabled && s.cfg.Approval.RequiredForNewAccounts
}

// Approval is the state that a new account begins in: nil where approval is not
// in use, so that those accounts count as approved when it is. One that is
// vouched for is approved at once.
func (s *Service) Approval(vouched bool) *bool {
	if !s.cfg.Approval.Enabled {
		return nil
	}
	approved := vouched || !s.cfg.Approval.RequiredForNewAccounts
	return &approved
}

// Approve lets a pending account sign in. An approved one is left as it is
// . The note goes to the owner of the account, by mail if at all, and into the
// audit log. It fails with NotFound for an account that is not there, and with
// InvalidParam for one that is deactivated.
func (s *Service) Approve(tx *db.Tx, userID id.UserID, by, note string) error {
	a, err := s.hold(tx, userID)
	switch {
	case err != nil:
		return err
	case a.Deactivated:
		return errcode.InvalidParam.New("The account is deactivated or was denied, and cannot be approved.")
	case !a.Pending():
		return nil
	}
	if err := setApproved(tx, userID, true); err != nil {
		return err
	}
	told := mail.Account{UserID: string(userID), Link: s.cfg.AccountURL(), Note: note}
	if err := s.noticeDecision(tx, mail.Approved, told); err != nil {
		return err
	}
	return s.Audit(tx, by, "approve", string(userID), map[string]string{"note": note})
}

// Deny refuses a pending account: it is deactivated, and its name stays taken
// unless release is set, which removes the account altogether. A denied
// one is left as it is. The reason goes to the owner of the account, by mail
// if at all, and into the audit log. It fails with NotFound for an account that is not
// there, and with InvalidParam for one that is approved, or for the release of a
// name under which somebody may have been active.
func (s *Service) Deny(tx *db.Tx, userID id.UserID, by, reason string, release bool) error {
	a, err := s.hold(tx, userID)
	switch {
	case err != nil:
		return err
	case !a.Pending():
		return errcode.InvalidParam.New("The account is not waiting for approval. Deactivate it instead.")
	case a.Deactivated:
		return nil
	}
	c := change{by, "deny", map[string]any{"reason": reason, "release_localpart": release}}
	// The address goes with the account.
	if err := s.noticeDecision(tx, mail.Denied, mail.Account{UserID: string(userID), Reason: reason}); err != nil {
		return err
	}
	if !release {
		if err := setApproved(tx, userID, false); err != nil {
			return err
		}
		return s.deactivate(tx, userID, false, c)
	}
	n, err := tx.Exec(`DELETE FROM users WHERE user_id = $1 AND decided_ts IS NULL
		AND NOT EXISTS (SELECT 1 FROM devices WHERE devices.user_id = users.user_id)
		AND NOT EXISTS (SELECT 1 FROM device_list_changes WHERE device_list_changes.user_id = users.user_id)`, userID)
	if err != nil {
		return err
	}
	if n == 0 {
		return errcode.InvalidParam.New("The account was approved or used once, so its name may be known to others and is not released.")
	}
	if err := deleteProfile(tx, userID); err != nil {
		return err
	}
	return s.Audit(tx, c.by, c.action, string(userID), c.details)
}

// Unapprove makes an approved account pending again: no new sign-ins. With
// logout it is signed out everywhere, too. It fails with NotFound for an
// account that is not there, and with InvalidParam for one that is deactivated.
func (s *Service) Unapprove(tx *db.Tx, userID id.UserID, by string, logout bool) error {
	a, err := s.hold(tx, userID)
	switch {
	case err != nil:
		return err
	case a.Deactivated:
		return errcode.InvalidParam.New("The account is deactivated.")
	case a.Pending() && !logout:
		return nil
	}
	if !a.Pending() {
		if err := setApproved(tx, userID, false); err != nil {
			return err
		}
	}
	if err := s.Audit(tx, by, "unapprove", string(userID), map[string]bool{"logout": logout}); err != nil {
		return err
	}
	if !logout {
		return nil
	}
	return s.DeleteOtherDevices(tx, userID, "")
}

func setApproved(tx *db.Tx, userID id.UserID, approved bool) error {
	return tx.Later(`UPDATE users SET approved = $2, decided_ts = $3 WHERE user_id = $1`, userID, approved, tx.Now.UnixMilli())
}

// overdueAtOnce is how many accounts one run of the sweep denies.
const overdueAtOnce = 100

// denyOverdue denies new accounts that nobody decided on within
// approval.pending_ttl. An account that was approved once waits for ever.
func (s *Service) denyOverdue(ctx context.Context) error {
	ttl := time.Duration(s.cfg.Approval.PendingTTL)
	if ttl <= 0 || !s.ApprovalRequired() {
		return nil
	}
	var overdue []id.UserID
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) {
		overdue, err = db.All(tx, db.Scalar[id.UserID], `SELECT user_id FROM users
			WHERE approved IS NOT NULL AND NOT approved AND decided_ts IS NULL AND deactivated_ts IS NULL AND created_ts <= $1
			ORDER BY created_ts LIMIT $2`, tx.Now.Add(-ttl).UnixMilli(), overdueAtOnce)
		return err
	})
	if err != nil {
		return err
	}
	for _, userID := range overdue { // few, and each decision stands for itself
		err := s.db.Write(ctx, func(tx *db.Tx) error {
			return s.Deny(tx, userID, ServerActor, "not approved in time", false)
		})
		// Somebody may have decided in the meantime.
		if err != nil && !errors.Is(err, errcode.InvalidParam) && !errors.Is(err, errcode.NotFound) {
			return err
		}
	}
	return nil
}
