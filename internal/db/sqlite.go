package db

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// oldestSQLite has the mend for the WAL-reset fault, which could lose committed
// writes.
const oldestSQLite = 3_051_003

// write is one closure on its way through the writer.
type write struct {
	ctx   context.Context
	f     func(*Tx) error
	tx    *Tx
	err   error
	panic any
	done  chan struct{}

	// On PostgreSQL: the lock that it needs, and whether it is to run alone.
	lock  string
	alone bool
}

const maxBatch = 128

// SQLite moves what is in its log into the database within a commit, once it is 1,000 pages
// by itself, and that commit is several times as long as others: one in a hundred. So it is
// done between two commits, for which nobody waits who has no write of his own.
const (
	moveAfter = 100                        // writes; a message takes nine pages
	moveNow   = "wal_autocheckpoint(4000)" // if they are larger, which then wait for it
)

func (d *DB) openSQLite(ctx context.Context, o Options) (err error) {
	if dir := filepath.Dir(o.Database); dir != "" {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("the folder of the database: %w", err)
		}
	}
	sync := "FULL"
	if o.Unsynced {
		sync = "OFF"
	}
	pragmas := []string{
		"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(" + sync + ")", "foreign_keys(ON)",
		"temp_store(MEMORY)", "journal_size_limit(67108864)", moveNow,
		"secure_delete(ON)", // FAST would leave what was on pages that become free
	}
	name := "file:" + (&url.URL{Path: o.Database}).EscapedPath()
	// In KiB. A reader forgets its pages whenever there was a write since, so that many
	// would help it little.
	d.file = withPragmas(name, append(pragmas, "cache_size(-2000)"))
	pragmas = append(pragmas, "cache_size(-8000)")
	var writer *conn
	if o.Alone {
		writer, err = openAlone(ctx, name, pragmas[1:])
	} else {
		writer, err = openConn(withPragmas(name, pragmas))
	}
	if isBusy(err) {
		return ErrInUse
	}
	if err != nil {
		return fmt.Errorf("the database %s cannot be opened: %w; whoever runs the server must be able to read and write that file, and to make others in its folder", o.Database, err)
	}
	if err := checkSQLite(ctx, writer); err != nil {
		return errors.Join(err, writer.Close())
	}
	d.readers.places = make(chan struct{}, min(max(4, 2*runtime.NumCPU()), maxReaders))
	d.writes = make(chan *write, 1024)
	d.writer = make(chan *conn, 1)
	d.writer <- writer
	d.closed, d.stopped = make(chan struct{}), make(chan struct{})
	return nil
}

func checkSQLite(ctx context.Context, c *conn) error {
	version, err := One(&Tx{ctx: ctx, lite: c}, Scalar[string], `SELECT sqlite_version()`)
	if err != nil {
		return err
	}
	var major, minor, patch int
	if _, err := fmt.Sscanf(version, "%d.%d.%d", &major, &minor, &patch); err != nil {
		return fmt.Errorf("SQLite version %q: %w", version, err)
	}
	if major*1_000_000+minor*1000+patch < oldestSQLite {
		return fmt.Errorf("SQLite %s can lose committed writes; 3.51.3 or newer is needed", version)
	}
	return nil
}

func (d *DB) readSQLite(ctx context.Context, f func(*Tx) error) (err error) {
	if d.alone { // there is one connection
		return d.writeSQLite(ctx, f)
	}
	c, err := d.reader(ctx)
	if err != nil {
		return err
	}
	defer d.readAgain(c)
	// A statement runs to its end: cancelling one would cost a goroutine each.
	ctx = context.WithoutCancel(ctx)
	if _, err := c.run(ctx, `BEGIN`); err != nil {
		return err
	}
	defer func() {
		if _, end := c.run(ctx, `COMMIT`); err == nil {
			err = end
		}
	}()
	return f(&Tx{Now: d.now(), ctx: ctx, d: d, lite: c})
}

// writeSQLite queues a closure. Whoever gets hold of the connection that writes runs all
// that has queued, and commits once: what comes together is synced together, and a write
// that comes alone waits for no other goroutine.
func (d *DB) writeSQLite(ctx context.Context, f func(*Tx) error) error {
	w := &write{ctx: context.WithoutCancel(ctx), f: f, done: make(chan struct{})}
	select {
	case d.writes <- w:
	case <-d.closed:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	for !w.answered() {
		select {
		case <-w.done:
		case c := <-d.writer:
			d.lead(w.ctx, c)
		case <-d.stopped:
			if !w.answered() { // it is not even among the last
				return ErrClosed
			}
		}
	}
	if w.panic != nil {
		panic(w.panic) // in the goroutine that asked, where the request's guard is
	}
	if w.err == nil {
		for _, f := range w.tx.after {
			f()
		}
		d.wakeAfter(ctx, w.tx.woken)
	}
	return w.err
}

func (w *write) answered() bool {
	select {
	case <-w.done:
		return true
	default:
		return false
	}
}

// lead runs what has queued, and hands the connection on.
func (d *DB) lead(ctx context.Context, c *conn) {
	if earlyAck { // or the leader itself would not be lied to
		go func() {
			d.batch(c)
			d.writer <- c
		}()
		return
	}
	d.batch(c)
	if d.unmoved < moveAfter {
		d.writer <- c
		return
	}
	go func() { // the leader has its answer
		d.unmoved = 0
		if _, err := c.run(ctx, `PRAGMA wal_checkpoint(PASSIVE)`); err != nil {
			d.log.Error("checkpoint failed", "err", err)
		}
		d.writer <- c
	}()
}

// batch runs what has queued, as far as it fits into one commit, and answers.
func (d *DB) batch(c *conn) {
	var first *write
	select {
	case first = <-d.writes:
	default:
		return // another leader was faster
	}
	ctx := first.ctx
	batch := []*write{first}
	if _, err := c.run(ctx, `BEGIN IMMEDIATE`); err != nil {
		answer(batch, err)
		return
	}
	// The first needs no savepoint: nothing is undone with it.
	d.call(c, first)
	if first.failed() {
		d.rollback(ctx, c)
		answer(batch, nil)
		return
	}
fill:
	for len(batch) < maxBatch {
		select {
		case w := <-d.writes:
			batch = append(batch, w)
			if err := d.runInSavepoint(c, w); err != nil {
				d.rollback(ctx, c)
				answer(batch, err)
				return
			}
		default:
			break fill
		}
	}
	if earlyAck {
		answer(batch, nil)
		hesitate()
	}
	fault(faultUncommitted)
	_, err := c.run(ctx, `COMMIT`)
	if err != nil {
		d.rollback(ctx, c)
	}
	d.unmoved += len(batch)
	fault(faultCommitted)
	if !earlyAck {
		answer(batch, err)
	}
}

// rollback ends a transaction, unless SQLite has: it does so itself when its disk is full
// or fails.
func (d *DB) rollback(ctx context.Context, c *conn) {
	_, err := c.run(ctx, `ROLLBACK`)
	if err != nil && !strings.Contains(err.Error(), "no transaction is active") {
		d.log.Error("rollback failed", "err", err)
	}
}

// answer tells those who wait how their writes ended.
func answer(batch []*write, err error) {
	for _, w := range batch {
		if err != nil && w.err == nil {
			w.err = fmt.Errorf("commit: %w", err)
		}
		close(w.done)
	}
}

// call runs one closure over a connection.
func (d *DB) call(c *conn, w *write) {
	w.tx = &Tx{Now: d.now(), ctx: w.ctx, d: d, lite: c, write: true}
	w.call()
}

func (w *write) call() {
	defer func() { w.panic = recover() }()
	w.err = w.f(w.tx)
}

func (w *write) failed() bool { return w.err != nil || w.panic != nil }

// runInSavepoint runs one closure. Its failure undoes what it did and nothing else. The
// error says that the savepoint is gone, and with it the transaction: what else would
// run on the connection would commit on its own.
func (d *DB) runInSavepoint(c *conn, w *write) error {
	if _, err := c.run(w.ctx, `SAVEPOINT w`); err != nil {
		return err
	}
	d.call(c, w)
	if w.failed() {
		if _, err := c.run(w.ctx, `ROLLBACK TO w`); err != nil {
			return cmp.Or(w.err, err)
		}
	}
	_, err := c.run(w.ctx, `RELEASE w`)
	return err
}

func isSQLiteDuplicate(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && (e.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE || e.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY)
}

// closeSQLite waits for what is under way.
func (d *DB) closeSQLite() error {
	close(d.closed)
	writer := <-d.writer
	for len(d.writes) > 0 {
		d.batch(writer)
	}
	err := writer.Close()
	close(d.stopped)
	return errors.Join(err, d.closeReaders())
}

// Checkpoint moves what is in SQLite's write-ahead log into the file itself.
func (d *DB) Checkpoint(ctx context.Context) error {
	c, err := openConn(d.file)
	if err != nil {
		return err
	}
	_, err = c.run(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`)
	return errors.Join(err, c.Close())
}
