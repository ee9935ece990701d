package db

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Errors that stay inside a feature: it turns them into an answer.
var (
	// ErrNoRow is returned by One and Value when no row matches.
	ErrNoRow = errors.New("db: no row")
	// ErrDuplicate is returned by Exec when a unique constraint is violated.
	ErrDuplicate = errors.New("db: duplicate row")
	// ErrNUL is returned for a text argument with a NUL character, which
	// PostgreSQL cannot store; it is refused on both engines alike.
	ErrNUL = errors.New("db: text contains a NUL character")
	// ErrClosed is returned after Close.
	ErrClosed = errors.New("db: closed")
)

// Dialect is the engine behind a DB.
type Dialect string

// The engines.
const (
	SQLite   Dialect = "sqlite"
	Postgres Dialect = "postgres"
)

// Options say what to open.
type Options struct {
	// Database is a file name, or a postgres:// URL.
	Database string
	// Now is the clock behind Tx.Now.
	Now func() time.Time
	// Wake is called after a commit with the keys that the transaction woke.
	// It must not block.
	Wake func(keys []string)
	Log  *slog.Logger
	// Unsynced leaves out the fsync of a commit. For tests only: an
	// acknowledged write can then be lost when the machine stops.
	Unsynced bool
	// Alone opens the database for this process only, or fails with ErrInUse. On
	// SQLite every transaction then writes, and [ReadOne] must not be used.
	Alone bool
}

// DB is an open database. It is safe for concurrent use.
type DB struct {
	dialect Dialect
	now     func() time.Time
	wake    func([]string)
	log     *slog.Logger
	alone   bool
	lost    atomic.Pointer[[]span] // see Tx.Lost; nil: not read yet

	// PostgreSQL only.
	pool *pgxpool.Pool
	held *pgxpool.Conn // keeps others out, if alone
	// leading has a place for who runs what has queued in writes.
	leading chan struct{}

	// writes are those that can share a commit.
	writes chan *write

	// SQLite only.
	file    string // with the settings of a connection
	readers readers
	writer  chan *conn    // the one connection that writes, while nobody does
	unmoved int           // writes since a checkpoint; for who has the writer
	closed  chan struct{} // closed by Close: no more writes
	stopped chan struct{} // closed by Close: nobody writes or reads any more
}

// Open opens the database, and makes the file if there is none. It does not
// migrate: see [DB.Migrate].
func Open(ctx context.Context, o Options) (*DB, error) {
	d := &DB{now: o.Now, wake: o.Wake, log: o.Log, alone: o.Alone}
	if d.wake == nil {
		d.wake = func([]string) {}
	}
	if strings.HasPrefix(o.Database, "postgres://") || strings.HasPrefix(o.Database, "postgresql://") {
		d.dialect = Postgres
		return d, d.openPostgres(ctx, o)
	}
	d.dialect = SQLite
	return d, d.openSQLite(ctx, o)
}

// Dialect names the engine.
func (d *DB) Dialect() Dialect { return d.dialect }

// Read runs f in a read-only transaction that sees one snapshot of the database.
func (d *DB) Read(ctx context.Context, f func(tx *Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if d.dialect == Postgres {
		return unavailable(d.readPostgres(ctx, f))
	}
	return unavailable(d.readSQLite(ctx, f))
}

// Write runs f in a transaction, commits it durably, and then wakes whom f woke.
// It retries f when others were in its way (serialization failure, deadlock, a row
// that it refers to was deleted).
func (d *DB) Write(ctx context.Context, f func(tx *Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if d.dialect == Postgres {
		return unavailable(d.writePostgres(ctx, f))
	}
	return unavailable(d.writeSQLite(ctx, f))
}

// Close waits for the writes under way and closes every connection.
func (d *DB) Close() error {
	if d.dialect == SQLite {
		return d.closeSQLite()
	}
	if d.held != nil {
		d.held.Release()
	}
	d.pool.Close() // waits for the connections to end
	return nil
}

// Ping checks that the database answers.
func (d *DB) Ping(ctx context.Context) error {
	return d.Read(ctx, func(tx *Tx) error {
		_, err := Value[int64](tx, `SELECT 1`)
		return err
	})
}

// Version is the engine's own version text.
func (d *DB) Version(ctx context.Context) (version string, err error) {
	text := `SELECT sqlite_version()`
	if d.dialect == Postgres {
		text = `SELECT current_setting('server_version')`
	}
	err = d.Read(ctx, func(tx *Tx) error {
		version, err = Value[string](tx, text)
		return err
	})
	return version, err
}

// statementError says which statement an error is of.
type statementError struct {
	statement string
	err       error
}

func (e *statementError) Error() string { return e.statement + ": " + e.err.Error() }
func (e *statementError) Unwrap() error { return e.err }

// wrap puts the statement's first words into an error of the driver, and maps
// the errors that features ask for.
func wrap(err error, statement string) error {
	var wrapped *statementError
	if err == nil || errors.As(err, &wrapped) {
		return err
	}
	if isDuplicate(err) {
		return ErrDuplicate
	}
	statement = strings.Join(strings.Fields(statement), " ")
	if len(statement) > 60 {
		statement = statement[:60] + "…"
	}
	return &statementError{statement, err}
}
