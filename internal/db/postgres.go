package db

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	uniqueViolation      = "23505"
	serializationFailure = "40001"
	deadlockDetected     = "40P01"
	foreignKeyViolation  = "23503"
	lockNotAvailable     = "55P03"
	maxTries             = 8
)

// defaultConns is how many connections one process takes, unless the URL says
// pool_max_conns. A waiting long poll holds none.
const defaultConns = 16

// settings are those of a session, times in milliseconds, unless the URL has others:
// nobody hangs this server, or is hung by it, without an end.
var settings = map[string]string{
	"lock_timeout":                        "10000", // as long as SQLite waits for another process
	"statement_timeout":                   "60000", // one that takes longer is at fault
	"idle_in_transaction_session_timeout": "60000", // nothing is waited for within a transaction
	// Statements for many rooms look costly enough to be compiled, which takes longer
	// than to run them: up to a second.
	"jit": "off",
}

// oldestPostgres is the oldest major version that the tests run on, times 10,000.
const oldestPostgres = 150_000

func (d *DB) openPostgres(ctx context.Context, o Options) error {
	cfg, err := pgxpool.ParseConfig(o.Database)
	if err != nil {
		return fmt.Errorf("database: %w", err)
	}
	if cfg.ConnConfig.RuntimeParams["application_name"] == "" {
		cfg.ConnConfig.RuntimeParams["application_name"] = "narthex"
	}
	if o.Unsynced {
		cfg.ConnConfig.RuntimeParams["synchronous_commit"] = "off"
	}
	for name, value := range settings {
		if cfg.ConnConfig.RuntimeParams[name] == "" {
			cfg.ConnConfig.RuntimeParams[name] = value
		}
	}
	cfg.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec // a pipeline keeps statements of its own
	if !strings.Contains(o.Database, "pool_max_conns") {
		cfg.MaxConns = defaultConns
	}
	if !o.Alone {
		cfg.AfterConnect = share
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return fmt.Errorf("database: %w", err)
	}
	d.pool, d.leading, d.writes = pool, make(chan struct{}, 1), make(chan *write, 1024)
	var version int
	if err := pool.QueryRow(ctx, `SELECT current_setting('server_version_num')::int`).Scan(&version); err != nil {
		return errors.Join(fmt.Errorf("database: %w", err), d.Close())
	}
	if version < oldestPostgres {
		return errors.Join(fmt.Errorf("PostgreSQL 15 or newer is needed, this is %d", version/10_000), d.Close())
	}
	if o.Alone {
		if err := d.takeAlone(ctx); err != nil {
			return errors.Join(err, d.Close())
		}
	}
	return nil
}

func (d *DB) readPostgres(ctx context.Context, f func(*Tx) error) error {
	return d.overPipeline(ctx, `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY`, func(p *pipeline) error {
		if err := f(&Tx{Now: d.now(), ctx: ctx, d: d, pg: p}); err != nil {
			return err
		}
		return p.commit()
	})
}

func (d *DB) writePostgres(ctx context.Context, f func(*Tx) error) error {
	if earlyAck {
		ctx = context.WithoutCancel(ctx) // it is to be committed after the request
	}
	for try := 1; ; try++ {
		err := d.tryPostgres(ctx, f)
		if try == maxTries || !mayPass(err) {
			return err
		}
	}
}

func (d *DB) tryPostgres(ctx context.Context, f func(*Tx) error) error {
	var tx *Tx
	err := d.overPipeline(ctx, `BEGIN`, func(p *pipeline) error {
		tx = &Tx{Now: d.now(), ctx: ctx, d: d, pg: p, write: true}
		if err := f(tx); err != nil {
			return err
		}
		if earlyAck {
			p.left = true
			go func() { hesitate(); _ = p.commit(); p.close() }() // whoever should be told has been told
			return nil
		}
		fault(faultUncommitted)
		err := p.commit()
		fault(faultCommitted)
		if err != nil {
			return fmt.Errorf("commit: %w", err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, after := range tx.after {
		after()
	}
	d.wakeAfter(ctx, tx.woken)
	return nil
}

// overPipeline runs f over a connection, and again over another one if that was dead from
// the beginning, as each is after PostgreSQL was started again.
func (d *DB) overPipeline(ctx context.Context, begin string, f func(*pipeline) error) error {
	for try := int32(0); ; try++ {
		p, err := d.pipeline(ctx, begin)
		if err != nil {
			return err
		}
		err = p.use(f)
		if err == nil || !p.unheard() || try > d.pool.Config().MaxConns {
			return err
		}
	}
}

// mayPass reports whether a transaction failed for what others did meanwhile.
// That is so, too, for a reference to a row that has just been deleted: the
// closure saw it, and will not see it again.
func mayPass(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && (e.Code == serializationFailure || e.Code == deadlockDetected || e.Code == foreignKeyViolation)
}

func isDuplicate(err error) bool {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code == uniqueViolation
	}
	return isSQLiteDuplicate(err)
}
