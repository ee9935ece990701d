package notices

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/jobs"
	"github.com/narthex-matrix/narthex/internal/mail"
)

const (
	// digestEvery is the time between two digests.
	digestEvery = time.Hour
	// digestLines is how many accounts a digest names.
	digestLines = 20
)

// tellOfWaiting is the job for an account that has begun to wait, and, without one,
// for the end of an hour in which others have.
func (s *Service) tellOfWaiting(ctx context.Context, job jobs.Job) error {
	var w accounts.Waiter
	if err := json.Unmarshal(job.Payload, &w); err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		if err := tx.Lock("notices", ""); err != nil {
			return err
		}
		if w.UserID != "" {
			if err := tx.Later(`INSERT INTO notice_waiting (user_id) VALUES ($1) ON CONFLICT (user_id) DO NOTHING`, w.UserID); err != nil {
				return err
			}
		}
		last, err := db.Value[int64](tx, `SELECT sent_ts FROM notice_digest`)
		if err != nil && !errors.Is(err, db.ErrNoRow) {
			return err
		}
		if next := time.UnixMilli(last).Add(digestEvery); err == nil && tx.Now.Before(next) {
			// Each hour's job has an id of its own: this one may be about to be put away.
			return jobs.Enqueue(tx, accounts.WaitingJob, fmt.Sprint("at ", next.UnixMilli()), accounts.Waiter{}, next)
		}
		return s.digest(tx)
	})
}

// digest tells all administrators of those who have begun to wait since the last one
// and wait still. Without any it tells nobody, and the hour does not begin anew.
func (s *Service) digest(tx *db.Tx) error {
	users, err := db.All(tx, db.Scalar[id.UserID], `SELECT user_id FROM notice_waiting`)
	if err != nil {
		return err
	}
	if err := tx.Later(`DELETE FROM notice_waiting`); err != nil {
		return err
	}
	waiting, all, err := s.accounts.Waiting(tx, users)
	if err != nil || len(waiting) == 0 {
		return err
	}
	if err := tx.Later(`INSERT INTO notice_digest (id, sent_ts) VALUES (1, $1) ON CONFLICT (id) DO UPDATE SET sent_ts = excluded.sent_ts`,
		tx.Now.UnixMilli()); err != nil {
		return err
	}
	administrators, err := s.accounts.Administrators(tx)
	if err != nil {
		return err
	}
	d := s.describe(waiting, int(all))
	for _, a := range administrators { // few
		if err := s.tell(tx, a, d); err != nil {
			return err
		}
	}
	return nil
}

// tell gives a digest to one administrator. What cannot be said to one does not keep
// the others from hearing it.
func (s *Service) tell(tx *db.Tx, a accounts.Administrator, d mail.Waiting) error {
	if s.cfg.NotifyAdmins(config.NotifyByMail) && s.mail.Configured() && a.Email != "" {
		if _, err := s.mail.Queue(tx, mail.Message{To: a.Email, Template: mail.WaitingForApproval, Data: d}); err != nil {
			return err
		}
	}
	if !s.cfg.NotifyAdmins(config.NotifyByNotice) {
		return nil
	}
	_, err := s.Send(tx, a.UserID, inWords(d))
	var refused *errcode.Error
	if errors.As(err, &refused) {
		s.log.Error("an administrator could not be told who waits for approval", "user", a.UserID, "err", err)
		return nil
	}
	return err
}

func (s *Service) describe(waiting []accounts.Registration, all int) mail.Waiting {
	d := mail.Waiting{New: len(waiting), All: all, Link: s.cfg.Issuer() + "admin/registrations"}
	if len(waiting) > digestLines {
		d.More = len(waiting) - digestLines
		waiting = waiting[:digestLines]
	}
	for _, w := range waiting {
		line := string(w.UserID)
		if w.Signup.Reason != "" {
			line += ": " + w.Signup.Reason
		}
		d.People = append(d.People, line)
	}
	return d
}

// inWords is a digest as a text message.
func inWords(d mail.Waiting) string {
	var b strings.Builder
	if d.New == 1 {
		b.WriteString("A new account waits for your approval:\n")
	} else {
		fmt.Fprintf(&b, "%d new accounts wait for your approval:\n", d.New)
	}
	for _, line := range d.People {
		b.WriteString("• " + line + "\n")
	}
	if d.More > 0 {
		fmt.Fprintf(&b, "• and %d more\n", d.More)
	}
	if d.All != d.New {
		fmt.Fprintf(&b, "%d accounts wait in all.\n", d.All)
	}
	b.WriteString("Approve or refuse them: " + d.Link)
	return b.String()
}
