// Package jobs runs work that must happen after a request, and work that comes
// back periodically.
//
// It owns the table `jobs`. A job is a row, written in the transaction that wants
// it done, and so is never lost and never done for a transaction that failed. It
// runs at least once: a lease keeps two processes from working the same row, and a
// lease that has run out is taken again, so a worker must be safe to repeat.
// Kinds are named by the package that works them: "rooms.leave_all".
package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/narthex-matrix/narthex/internal/bus"
	"github.com/narthex-matrix/narthex/internal/db"
)

// Job is one piece of work handed to its worker.
type Job struct {
	Kind     string
	Payload  json.RawMessage
	Attempts int64 // earlier tries
	Now      time.Time
	Log      *slog.Logger

	id string
}

// Worker works the jobs of one kind.
type Worker struct {
	Kind string
	Work func(ctx context.Context, job Job) error
	// Every makes it periodic: one row that comes back after each run.
	Every time.Duration
}

// Runner works due jobs.
type Runner struct {
	db      *db.DB
	log     *slog.Logger
	workers map[string]Worker
}

// NewRunner knows the workers. It starts nothing.
func NewRunner(d *db.DB, log *slog.Logger, workers []Worker) *Runner {
	r := &Runner{db: d, log: log, workers: map[string]Worker{}}
	for _, w := range workers {
		r.workers[w.Kind] = w
	}
	return r
}

const (
	lease    = 2 * time.Minute
	grace    = 10 * time.Second // for a job that is under way when the server stops
	firstTry = 5 * time.Second
	lastTry  = 6 * time.Hour
	batch    = 16
)

// Enqueue adds a job, to be run at the given time at the earliest. The id makes
// it one of a kind: a second job of the same kind and id is not added.
func Enqueue(tx *db.Tx, kind, id string, payload any, at time.Time) error {
	raw, err := json.Marshal(payload)
	if err != nil {
		return fmt.Errorf("job %s: %w", kind, err)
	}
	err = tx.Later(`INSERT INTO jobs (kind, id, payload, run_ts, attempts, lease_ts) VALUES ($1, $2, $3, $4, 0, 0)
		ON CONFLICT (kind, id) DO NOTHING`, kind, id, raw, at.UnixMilli())
	tx.Wake(bus.Jobs)
	return err
}

// Start adds the rows of periodic jobs that are not there yet. It brings back what a
// clock that was ahead has put off: runs that are further away than they can be, and
// leases that are longer.
func (r *Runner) Start(ctx context.Context) error {
	return r.db.Write(ctx, func(tx *db.Tx) error {
		for _, w := range r.workers {
			if w.Every == 0 {
				continue
			}
			next := tx.Now.Add(w.Every)
			if err := Enqueue(tx, w.Kind, "", struct{}{}, next); err != nil {
				return err
			}
			if err := tx.Later(`UPDATE jobs SET run_ts = $2 WHERE kind = $1 AND id = '' AND run_ts > $3`,
				w.Kind, next.UnixMilli(), tx.Now.Add(max(w.Every, lastTry)).UnixMilli()); err != nil {
				return err
			}
		}
		return tx.Later(`UPDATE jobs SET lease_ts = 0 WHERE lease_ts > $1`, tx.Now.Add(2*lease).UnixMilli())
	})
}

// RunDue works what is due, once, and gives the number of jobs worked.
func (r *Runner) RunDue(ctx context.Context) (int, error) {
	worked := 0
	for {
		due, err := r.take(ctx)
		if err != nil || len(due) == 0 {
			return worked, err
		}
		for _, job := range due {
			if err := ctx.Err(); err != nil {
				return worked, err // the leases of the others run out
			}
			if err := r.work(ctx, job); err != nil {
				return worked, err
			}
			worked++
		}
	}
}

// take leases the due jobs that this process has workers for.
func (r *Runner) take(ctx context.Context) (due []Job, err error) {
	kinds := make([]string, 0, len(r.workers))
	for k := range r.workers {
		kinds = append(kinds, k)
	}
	if len(kinds) == 0 {
		return nil, nil
	}
	in := db.In(kinds)
	dueNow := func(tx *db.Tx) ([]Job, error) {
		return db.All(tx, func(row db.Row) (j Job, err error) {
			err = row.Scan(&j.Kind, &j.id, (*[]byte)(&j.Payload), &j.Attempts)
			j.Now, j.Log = tx.Now, r.log.With("job", j.Kind)
			return j, err
		}, `SELECT kind, id, payload, attempts FROM jobs WHERE run_ts <= $1 AND lease_ts <= $1 AND kind IN (`+in.Marks(3)+`)
			ORDER BY run_ts LIMIT $2`, in.Args(tx.Now.UnixMilli(), batch)...)
	}
	// Look before locking: an idle server writes nothing.
	if err := r.db.ReadBriefly(ctx, func(tx *db.Tx) error { due, err = dueNow(tx); return err }); err != nil || len(due) == 0 {
		return nil, err
	}
	err = r.db.Write(ctx, func(tx *db.Tx) (err error) {
		if err := tx.Lock("jobs", ""); err != nil {
			return err
		}
		if due, err = dueNow(tx); err != nil {
			return err
		}
		for _, j := range due {
			if err := tx.Later(`UPDATE jobs SET lease_ts = $3 WHERE kind = $1 AND id = $2`, j.Kind, j.id, tx.Now.Add(lease).UnixMilli()); err != nil {
				return err
			}
		}
		return nil
	})
	return due, err
}

// try works a job. A panic is the failure of that job, and not the end of the server.
func (w Worker) try(ctx context.Context, job Job) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return w.Work(ctx, job)
}

// work runs one job and puts its row away, or back for another try.
func (r *Runner) work(ctx context.Context, job Job) error {
	w := r.workers[job.Kind]
	ctx, cancel := outlive(ctx)
	defer cancel()
	err := w.try(ctx, job)
	if errors.Is(err, context.Canceled) {
		return err // the lease runs out, and another process takes it
	}
	if err != nil {
		job.Log.Error("job failed", "err", err, "attempts", job.Attempts+1)
	}
	return r.db.Write(ctx, func(tx *db.Tx) error {
		switch {
		case err != nil:
			return again(tx, job, backOff(job.Attempts), job.Attempts+1)
		case w.Every > 0:
			return again(tx, job, w.Every, 0)
		}
		return tx.Later(`DELETE FROM jobs WHERE kind = $1 AND id = $2`, job.Kind, job.id)
	})
}

// outlive gives a context that ends a while after another one: what is under way when
// the server stops, such as a mail, is better finished than done twice.
func outlive(ctx context.Context) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		timer := time.NewTimer(grace)
		defer timer.Stop()
		select {
		case <-timer.C:
			cancel()
		case <-longer.Done():
		}
	})
	return longer, func() {
		stop()
		cancel()
	}
}

func again(tx *db.Tx, job Job, after time.Duration, attempts int64) error {
	return tx.Later(`UPDATE jobs SET run_ts = $3, lease_ts = 0, attempts = $4 WHERE kind = $1 AND id = $2`,
		job.Kind, job.id, tx.Now.Add(after).UnixMilli(), attempts)
}

func backOff(attempts int64) time.Duration {
	return min(lastTry, firstTry<<min(attempts, 16))
}

// Run works jobs until the context ends, looking when woken and every so often.
func (r *Runner) Run(ctx context.Context, b *bus.Local) {
	w := b.Subscribe(bus.Jobs)
	defer w.Close()
	tick := time.NewTicker(bus.Reread)
	defer tick.Stop()
	for {
		if _, err := r.RunDue(ctx); err != nil && ctx.Err() == nil {
			r.log.Error("jobs", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-w.C:
		case <-tick.C:
		}
	}
}
