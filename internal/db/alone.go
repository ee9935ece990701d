package db

import (
	"context"
	"errors"
	"net/url"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// ErrInUse is returned by [Open] with Options.Alone when another process has the
// database open, and without it when another process has it to itself.
var ErrInUse = errors.New("another process uses the database")

// On SQLite the locks are those that every connection holds anyway. On PostgreSQL
// each connection to the database shares an advisory lock, so that a server that
// comes while the database is being moved finds no connection.
const (
	shareUse = `SELECT pg_advisory_lock_shared(1314084932, 1)` // until the session ends
	takeUse  = `SELECT pg_advisory_lock(1314084932, 1)`
	// PostgreSQL takes a moment to notice that a process that ended is gone.
	soon     = `SET lock_timeout = '2s'`
	thisSoon = `SET LOCAL lock_timeout = '2s'`
)

func share(ctx context.Context, c *pgx.Conn) error {
	return inUse(pgx.BeginFunc(ctx, c, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, thisSoon); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, shareUse)
		return err
	}))
}

// inUse is ErrInUse for a lock that others kept.
func inUse(err error) error {
	if state := (*pgconn.PgError)(nil); errors.As(err, &state) && state.Code == lockNotAvailable {
		return ErrInUse
	}
	return err
}

// takeAlone keeps a connection that holds the lock, so that nobody else can share it.
func (d *DB) takeAlone(ctx context.Context) error {
	held, err := d.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	if _, err = held.Exec(ctx, soon); err == nil {
		_, err = held.Exec(ctx, takeUse)
	}
	if err != nil {
		held.Release()
		return inUse(err)
	}
	d.held = held
	return nil
}

// withPragmas is the name of a file for the driver. It runs the pragmas in the order of
// the alphabet.
func withPragmas(name string, pragmas []string) string {
	return name + "?" + url.Values{"_pragma": pragmas}.Encode()
}

// openAlone opens a connection that keeps all others out. The lock is asked for before
// anything looks into the file: then SQLite shares no memory with others, and takes the
// whole file or nothing.
func openAlone(ctx context.Context, name string, pragmas []string) (*conn, error) {
	c, err := openConn(withPragmas(name, []string{"busy_timeout(1000)", "locking_mode(EXCLUSIVE)"}))
	if err != nil {
		return nil, err
	}
	for _, p := range pragmas {
		if err := c.runOnce(ctx, "PRAGMA "+p); err != nil {
			return nil, errors.Join(err, c.Close())
		}
	}
	return c, nil
}

func isBusy(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code()&0xff == sqlite3.SQLITE_BUSY
}
