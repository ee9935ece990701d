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
	address, err := s.NoticeAddress(tx, userID)
	if address == "" {
		return errcode.NoNotice, err
	}
	return errcode.NoticeByEmail, nil
}

// NoticeAddress is where the owner of a pending account is told how it was decided
// on; empty if nowhere.
func (s *Service) NoticeAddress(tx *db.Tx, userID id.UserID) (string, error) {
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

// TellOwner queues a mail to every mail address of an account; nothing where no mail
// can be sent.
func (s *Service) TellOwner(tx *db.Tx, userID id.UserID, template string, data any) error {
	if !s.mail.Configured() {
		return nil
	}
	threepids, err := s.Threepids(tx, userID)
	if err != nil {
		return err
	}
	for _, t := range threepids { // few
		if t.Medium != validation.Email {
			continue
		}
		if _, err := s.mail.Queue(tx, mail.Message{To: t.Address, Template: template, Data: data}); err != nil {
			return err
		}
	}
	return nil
}

// noticeDecision writes to the owner of an account how it was decided on; Approved
// and Denied are the templates. The decision stands whatever becomes of the mail: the
// outbox goes on with it. It leads to the account page, and holds nothing that
// would sign anybody in.
func (s *Service) noticeDecision(tx *db.Tx, template string, data mail.Account) error {
	address, err := s.NoticeAddress(tx, id.UserID(data.UserID))
	if err != nil || address == "" {
		return err
	}
	_, err = s.mail.Queue(tx, mail.Message{To: address, Template: template, Data: data})
	return err
}
