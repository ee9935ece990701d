package accounts

import (
	"slices"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/mail"
	"github.com/narthex-matrix/narthex/internal/validation"
)

// NoticeMedium says how the owner of a pending account will hear of its approval:
// NoticeByEmail or NoNotice of package errcode (MSC3866, A-4).
func (s *Service) NoticeMedium(tx *db.Tx, userID id.UserID) (string, error) {
	address, err := s.noticeAddress(tx, userID)
	if address == "" {
		return errcode.NoNotice, err
	}
	return errcode.NoticeByEmail, nil
}

// noticeAddress is where the owner of an account is told of its approval; empty if
// nowhere.
func (s *Service) noticeAddress(tx *db.Tx, userID id.UserID) (string, error) {
	if !s.cfg.Approval.NotifyEmail || !s.mail.Configured() {
		return "", nil
	}
	threepids, err := s.Threepids(tx, userID)
	i := slices.IndexFunc(threepids, func(t Threepid) bool { return t.Medium == validation.Email })
	if err != nil || i < 0 {
		return "", err
	}
	return threepids[i].Address, nil
}

// noticeApproval writes to the owner of an account that it has been approved. The
// approval stands whatever becomes of the mail: the outbox goes on with it.
func (s *Service) noticeApproval(tx *db.Tx, userID id.UserID) error {
	address, err := s.noticeAddress(tx, userID)
	if err != nil || address == "" {
		return err
	}
	_, err = s.mail.Queue(tx, mail.Message{To: address, Template: mail.Approved, Data: mail.Account{UserID: string(userID)}})
	return err
}
