package db

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
)

// maxTogether bounds how many writes share a commit on PostgreSQL.
const maxTogether = 32

// taken are the positions that the writes of a batch have in advance: the first that needs
// one takes as many as those behind it will, in one statement.
type taken struct {
	next         int64
	left, behind int
}

// errUndo ends a batch of which one write failed after it had written.
var errUndo = errors.New("db: one of several writes is to be undone")

// WriteLocked is [DB.Write] for a closure that needs the lock (kind, key), which it has
// from the beginning, and no other. On PostgreSQL, too, those that come at the same time
// then share one commit.
func (d *DB) WriteLocked(ctx context.Context, kind, key string, f func(tx *Tx) error) error {
	alone := func(tx *Tx) error {
		if err := tx.Lock(kind, key); err != nil {
			return err
		}
		return f(tx)
	}
	name := kind + " " + key
	if _, err := checked(name); err != nil || d.dialect == SQLite || earlyAck {
		return d.Write(ctx, alone)
	}
	w := &write{ctx: ctx, f: f, lock: name, done: make(chan struct{})}
	select {
	case d.writes <- w:
	case <-ctx.Done():
		return ctx.Err()
	}
	for !w.answered() {
		select {
		case <-w.done:
		case d.leading <- struct{}{}:
			d.together()
			<-d.leading
		}
	}
	switch {
	case w.panic != nil:
		panic(w.panic) // in the goroutine that asked, where the request's guard is
	case w.alone:
		return d.Write(ctx, alone)
	case w.err != nil:
		return unavailable(w.err)
	}
	for _, f := range w.tx.after {
		f()
	}
	d.wakeAfter(ctx, w.tx.woken)
	return nil
}

// together runs what has queued, commits once, and answers. Whatever is in the way of
// one of them, such as a lock that another process holds, leaves each to run alone.
func (d *DB) together() {
	var batch []*write
	for len(batch) < maxTogether {
		select {
		case w := <-d.writes:
			batch = append(batch, w)
			continue
		default:
		}
		break
	}
	if len(batch) == 0 {
		return // another leader was faster
	}
	defer func() {
		for _, w := range batch {
			close(w.done)
		}
	}()
	committing := false // nobody knows whether it was done, if PostgreSQL did not say why not
	err := d.overPipeline(context.WithoutCancel(batch[0].ctx), `BEGIN`, func(p *pipeline) error {
		done, err := d.runTogether(p, batch)
		if err != nil || done == 0 {
			return err
		}
		if err := p.granted(); err != nil {
			return err
		}
		committing = true
		fault(faultUncommitted)
		err = p.commit()
		fault(faultCommitted)
		return err
	})
	var refused *pgconn.PgError
	if errors.As(err, &refused) && reasonOf(err) == nil {
		committing = false
	}
	for _, w := range batch {
		switch {
		case err == nil:
		case !committing:
			w.alone, w.panic = true, nil
		case w.err == nil:
			w.err = fmt.Errorf("commit: %w", err)
		}
	}
}

// runTogether runs each closure of which the lock is free, and gives how many of them
// succeeded. One that is refused has mostly written nothing, so that the others need not
// know; if it has, the batch fails, and each runs alone.
func (d *DB) runTogether(p *pipeline, batch []*write) (done int, err error) {
	if len(batch) == 1 { // nothing is undone with it: if its lock is taken, everything is
		batch[0].alone, batch[0].err, batch[0].panic = false, nil, nil
		if err := p.try(batch[0].lock); err != nil {
			return 0, err
		}
		return d.runLocked(p, batch[0], nil)
	}
	names := make([]string, len(batch))
	for i, w := range batch {
		names[i] = w.lock
	}
	in := In(names)
	rows, err := p.query(`SELECT pg_try_advisory_xact_lock(hashtextextended(name, 0)) FROM unnest(ARRAY[`+in.Marks(1)+`]) WITH ORDINALITY AS names(name, place) ORDER BY place`, in.Args())
	if err != nil {
		return 0, err
	}
	for _, w := range batch {
		if !rows.Next() {
			return 0, errors.Join(errors.New("db: a lock without an answer"), rows.Close())
		}
		var free bool
		if err := rows.Scan(&free); err != nil {
			return 0, err
		}
		w.alone, w.err, w.panic = !free, nil, nil
	}
	if err := rows.Close(); err != nil {
		return 0, err
	}
	positions := &taken{}
	for i, w := range batch {
		if w.alone {
			continue
		}
		positions.behind = len(batch) - 1 - i
		n, err := d.runLocked(p, w, positions)
		if err != nil {
			return 0, err
		}
		if done += n; n == 0 && w.tx.wrote {
			return 0, errUndo
		}
	}
	return done, nil
}

// runLocked runs a closure that has its lock, and gives 1 if it succeeded. Its error is
// that of the transaction.
func (d *DB) runLocked(p *pipeline, w *write, positions *taken) (int, error) {
	w.tx = &Tx{Now: d.now(), ctx: w.ctx, d: d, pg: p, write: true, locked: map[string]bool{w.lock: true}, taken: positions}
	w.call()
	if p.err != nil {
		return 0, p.err // it may be what one of the others has queued
	}
	if w.failed() {
		return 0, nil
	}
	return 1, nil
}
