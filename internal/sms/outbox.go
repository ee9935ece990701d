package sms

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/jobs"
)

const sendKind = "sms.send"

type sendPayload struct {
	ID string `json:"id"`
}

// Jobs are the workers of the package.
func (s *Service) Jobs() []jobs.Worker {
	return []jobs.Worker{
		{Kind: sendKind, Work: s.send},
		{Kind: "sms.sweep", Every: time.Hour, Work: func(ctx context.Context, _ jobs.Job) error { return s.db.Write(ctx, sweep) }},
	}
}

// send works one message. Its error brings the job back, later each time.
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

// parcel is a message as it stands in the outbox.
type parcel struct {
	id      string
	number  string
	body    string
	created time.Time
	expires time.Time
	tried   time.Time // when it was last taken
	unsure  int64
}

// try sends a message of the outbox once. acknowledged says that somebody was
// already told that it will be sent.
func (s *Service) try(ctx context.Context, id string, acknowledged bool) error {
	p, err := s.take(ctx, id, acknowledged)
	if err != nil || p.id == "" {
		return err
	}
	if s.printing() {
		s.log.Info("a text message, which --dev does not send", "to", "+"+p.number, "text", p.body)
		return s.drop(ctx, p.id)
	}
	_, err = s.hand(ctx, p)
	// What came of it is noted even if the caller has gone.
	return s.note(context.WithoutCancel(ctx), p, err, acknowledged)
}

// take leases a message. There is nothing to do with one that is sent already or of
// no use any more: its id is then empty.
func (s *Service) take(ctx context.Context, id string, acknowledged bool) (p parcel, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		p = parcel{}
		found, leased, err := find(tx, id)
		switch {
		case errors.Is(err, db.ErrNoRow):
			return nil
		case err != nil:
			return err
		case leased.After(tx.Now):
			return fmt.Errorf("%w: it is being sent", ErrLater)
		case !found.expires.After(tx.Now):
			s.log.Warn("a text message could not be delivered in time and is given up", "sms", id)
			return remove(tx, id)
		case acknowledged && tx.Now.UnixMilli() < s.down.Load():
			return fmt.Errorf("%w: the gateway could not be used a moment ago", ErrLater)
		}
		ok, err := hold(tx, id, leased, tx.Now.Add(lease))
		if err == nil && !ok {
			err = fmt.Errorf("%w: it is being sent", ErrLater)
		}
		p = found
		p.tried = tx.Now
		return err
	})
	if err != nil {
		return parcel{}, err
	}
	return p, nil
}

// note writes down what came of a try.
func (s *Service) note(ctx context.Context, p parcel, err error, acknowledged bool) error {
	if err == nil {
		return s.drop(ctx, p.id)
	}
	var f *failure
	if !errors.As(err, &f) {
		f = &failure{cause: err}
	}
	log := s.log.With("sms", p.id)
	switch {
	// A refusal of this server, and not of the message, is for the operator to mend.
	case f.permanent() && !(f.ours() && acknowledged):
		log.Warn("a text message was refused", "err", f)
		return errors.Join(ErrRefused, s.drop(ctx, p.id))
	case f.unsure && p.unsure > 0:
		log.Warn("a text message was sent twice, and is given up: the gateway did not say whether it took it")
		return s.drop(ctx, p.id)
	}
	writeErr := s.db.Write(ctx, func(tx *db.Tx) error {
		if f.status == 0 {
			s.down.Store(tx.Now.Add(pause).UnixMilli())
		}
		return release(tx, p.id, f.unsure)
	})
	if writeErr != nil {
		return writeErr
	}
	if !acknowledged {
		log.Warn("a text message could not be sent yet", "err", f)
	}
	return fmt.Errorf("%w: %w", ErrLater, f)
}

func (s *Service) drop(ctx context.Context, id string) error {
	return s.db.Write(ctx, func(tx *db.Tx) error { return remove(tx, id) })
}

func insert(tx *db.Tx, p parcel) error {
	return tx.Later(`INSERT INTO sms_outbox (sms_id, number, body, created_ts, expires_ts, lease_ts, unsure) VALUES ($1, $2, $3, $4, $5, 0, 0)`,
		p.id, p.number, p.body, p.created.UnixMilli(), p.expires.UnixMilli())
}

func find(tx *db.Tx, id string) (p parcel, leased time.Time, err error) {
	p, err = db.One(tx, func(r db.Row) (p parcel, err error) {
		var created, expires, until int64
		err = r.Scan(&p.id, &p.number, &p.body, &created, &expires, &until, &p.unsure)
		p.created, p.expires, leased = time.UnixMilli(created), time.UnixMilli(expires), time.UnixMilli(until)
		return p, err
	}, `SELECT sms_id, number, body, created_ts, expires_ts, lease_ts, unsure FROM sms_outbox WHERE sms_id = $1`, id)
	return p, leased, err
}

// hold extends a lease, unless another process was faster.
func hold(tx *db.Tx, id string, before, until time.Time) (bool, error) {
	n, err := tx.Exec(`UPDATE sms_outbox SET lease_ts = $3 WHERE sms_id = $1 AND lease_ts = $2`, id, before.UnixMilli(), until.UnixMilli())
	return n == 1, err
}

func release(tx *db.Tx, id string, unsure bool) error {
	more := 0
	if unsure {
		more = 1
	}
	return tx.Later(`UPDATE sms_outbox SET lease_ts = 0, unsure = unsure + $2 WHERE sms_id = $1`, id, more)
}

func remove(tx *db.Tx, id string) error {
	return tx.Later(`DELETE FROM sms_outbox WHERE sms_id = $1`, id)
}
