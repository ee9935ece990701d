package mail

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/jobs"
)

const sendKind = "mail.send"

type sendPayload struct {
	ID string `json:"id"`
}

// Jobs are the workers of the package.
func (s *Service) Jobs() []jobs.Worker {
	return []jobs.Worker{{Kind: sendKind, Work: s.send}}
}

// send works one mail. Its error brings the job back, later each time.
func (s *Service) send(ctx context.Context, job jobs.Job) error {
	var payload sendPayload
	if err := json.Unmarshal(job.Payload, &payload); err != nil {
		return err
	}
	if err := s.try(ctx, payload.ID, true); !errors.Is(err, ErrRefused) {
		return err
	}
	return nil // it has left the outbox
}

// try sends a mail of the outbox once. acknowledged says that somebody was already
// told that it will be sent; it is then kept as long as it can be of use.
func (s *Service) try(ctx context.Context, id string, acknowledged bool) error {
	w, err := s.take(ctx, id, acknowledged)
	if err != nil || w.id == "" {
		return err
	}
	if s.cfg.Mail.SMTP.Host == "" && s.cfg.Dev {
		s.log.Info("a mail, which --dev does not send", "to", w.address, "subject", w.subject, "text", w.text)
		return s.drop(ctx, w.id)
	}
	_, err = s.hand(ctx, w)
	// What came of it is noted even if the caller has gone.
	return s.note(context.WithoutCancel(ctx), w, err, acknowledged)
}

// take leases a mail. There is nothing to do with one that is sent already or of no
// use any more: its id is then empty.
func (s *Service) take(ctx context.Context, id string, acknowledged bool) (w written, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		w = written{}
		found, leased, err := find(tx, id)
		switch {
		case errors.Is(err, db.ErrNoRow):
			return nil
		case err != nil:
			return err
		case leased.After(tx.Now):
			return fmt.Errorf("%w: it is being sent", ErrLater)
		case !found.expires.After(tx.Now):
			s.log.Warn("a mail could not be delivered in time and is given up", "template", found.template, "mail", id)
			return remove(tx, id)
		case acknowledged && tx.Now.UnixMilli() < s.down.Load():
			return fmt.Errorf("%w: the mail server could not be used a moment ago", ErrLater)
		}
		ok, err := hold(tx, id, leased, tx.Now.Add(lease))
		if err == nil && !ok {
			err = fmt.Errorf("%w: it is being sent", ErrLater)
		}
		w = found
		return err
	})
	if err != nil {
		return written{}, err
	}
	return w, nil
}

// note writes down what came of a try.
func (s *Service) note(ctx context.Context, w written, err error, acknowledged bool) error {
	if err == nil {
		return s.drop(ctx, w.id)
	}
	var f *failure
	if !errors.As(err, &f) {
		f = &failure{cause: err}
	}
	log := s.log.With("template", w.template, "mail", w.id)
	switch {
	// A refusal of this server, and not of the mail, is for the operator to mend.
	case f.permanent() && !(f.greeting && acknowledged):
		log.Warn("a mail was refused", "err", f)
		return errors.Join(ErrRefused, s.drop(ctx, w.id))
	case f.unsure && w.unsure > 0:
		log.Warn("a mail was sent twice, and is given up: the mail server did not say whether it took it")
		return s.drop(ctx, w.id)
	}
	writeErr := s.db.Write(ctx, func(tx *db.Tx) error {
		if f.code == 0 {
			s.down.Store(tx.Now.Add(pause).UnixMilli())
		}
		return release(tx, w.id, f.unsure)
	})
	if writeErr != nil {
		return writeErr
	}
	if !acknowledged {
		log.Warn("a mail could not be sent yet", "err", f)
	}
	return fmt.Errorf("%w: %w", ErrLater, f)
}

func (s *Service) drop(ctx context.Context, id string) error {
	return s.db.Write(ctx, func(tx *db.Tx) error { return remove(tx, id) })
}

func insert(tx *db.Tx, w written) error {
	return tx.Later(`INSERT INTO mail_outbox (mail_id, address, template, subject, body_text, body_html, created_ts, expires_ts, lease_ts, unsure)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, 0)`,
		w.id, w.address, w.template, w.subject, w.text, w.html, w.created.UnixMilli(), w.expires.UnixMilli())
}

func find(tx *db.Tx, id string) (w written, leased time.Time, err error) {
	w, err = db.One(tx, func(r db.Row) (w written, err error) {
		var created, expires, until int64
		err = r.Scan(&w.id, &w.address, &w.template, &w.subject, &w.text, &w.html, &created, &expires, &until, &w.unsure)
		w.created, w.expires, leased = time.UnixMilli(created), time.UnixMilli(expires), time.UnixMilli(until)
		return w, err
	}, `SELECT mail_id, address, template, subject, body_text, body_html, created_ts, expires_ts, lease_ts, unsure FROM mail_outbox WHERE mail_id = $1`, id)
	return w, leased, err
}

// hold extends a lease, unless another process was faster.
func hold(tx *db.Tx, id string, before, until time.Time) (bool, error) {
	n, err := tx.Exec(`UPDATE mail_outbox SET lease_ts = $3 WHERE mail_id = $1 AND lease_ts = $2`, id, before.UnixMilli(), until.UnixMilli())
	return n == 1, err
}

func release(tx *db.Tx, id string, unsure bool) error {
	more := 0
	if unsure {
		more = 1
	}
	return tx.Later(`UPDATE mail_outbox SET lease_ts = 0, unsure = unsure + $2 WHERE mail_id = $1`, id, more)
}

func remove(tx *db.Tx, id string) error {
	return tx.Later(`DELETE FROM mail_outbox WHERE mail_id = $1`, id)
}
