package db

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// Migration is one step of the schema's history. Steps go forward only.
type Migration struct {
	Number int
	Name   string
	text   string
}

// Text is the step as it was written, for both engines, comments included.
func (m Migration) Text() string { return m.text }

// Migrations gives the steps that this program knows, in order.
func Migrations() ([]Migration, error) {
	names, err := fs.Glob(migrationFiles, "migrations/*.sql")
	if err != nil {
		return nil, err
	}
	var out []Migration
	for _, name := range names {
		text, err := migrationFiles.ReadFile(name)
		if err != nil {
			return nil, err
		}
		base := strings.TrimSuffix(strings.TrimPrefix(name, "migrations/"), ".sql")
		number, rest, _ := strings.Cut(base, "_")
		n, err := strconv.Atoi(number)
		if err != nil {
			return nil, fmt.Errorf("migration %s: its name must start with a number", name)
		}
		out = append(out, Migration{Number: n, Name: rest, text: string(text)})
	}
	return out, nil
}

// Statements gives the statements for one engine. A line that ends in
// "-- only: sqlite" or "-- only: postgres" is left out for the other.
func (m Migration) Statements(dialect Dialect) []string {
	var kept []string
	for line := range strings.Lines(m.text) {
		text, comment, found := strings.Cut(line, "-- only: ")
		if found && Dialect(strings.TrimSpace(comment)) != dialect {
			continue
		}
		if text, _, found = strings.Cut(text, "--"); found {
			text += "\n"
		}
		kept = append(kept, text)
	}
	var out []string
	for st := range strings.SplitSeq(strings.Join(kept, ""), ";\n") {
		if st = strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(st), ";")); st != "" {
			out = append(out, st)
		}
	}
	return out
}

// Applied is a step that the database has gone through.
type Applied struct {
	Number int64
	Name   string
	At     time.Time
}

// Migrate brings the schema up to date, each step in a transaction of its own,
// and gives the steps that it applied. A database that has gone further than this
// program knows is refused and left as it is.
func (d *DB) Migrate(ctx context.Context) ([]Migration, error) {
	known, err := Migrations()
	if err != nil {
		return nil, err
	}
	done, err := d.Applied(ctx)
	if err != nil {
		return nil, err
	}
	for _, a := range done {
		if a.Number > int64(known[len(known)-1].Number) {
			return nil, fmt.Errorf("the database has schema %d (%s), and this program knows none above %d: run the newer program that made it, or restore a backup", a.Number, a.Name, known[len(known)-1].Number)
		}
	}
	var applied []Migration
	for _, m := range known {
		fresh := false
		err := d.Write(ctx, func(tx *Tx) error {
			fresh = false
			if err := tx.lockMigrations(); err != nil {
				return err
			}
			n, err := tx.Exec(`INSERT INTO migrations (number, name, applied_ts) VALUES ($1, $2, $3) ON CONFLICT (number) DO NOTHING`,
				m.Number, m.Name, tx.Now.UnixMilli())
			if err != nil || n == 0 {
				return err
			}
			fresh = true
			for _, st := range m.Statements(d.dialect) {
				fault(faultMigration)
				if err := tx.execOnce(st); err != nil {
					return fmt.Errorf("migration %d (%s): %w", m.Number, m.Name, err)
				}
			}
			fault(faultMigration)
			return nil
		})
		if err != nil {
			return applied, err
		}
		if fresh {
			applied = append(applied, m)
		}
	}
	return applied, nil
}

const makeMigrations = `CREATE TABLE IF NOT EXISTS migrations (number BIGINT PRIMARY KEY, name TEXT NOT NULL, applied_ts BIGINT NOT NULL)`

// Applied lists the steps that the database has gone through. It makes the table
// that remembers them, if there is none.
func (d *DB) Applied(ctx context.Context) (done []Applied, err error) {
	err = d.Write(ctx, func(tx *Tx) error {
		if err := tx.lockMigrations(); err != nil {
			return err
		}
		if err := tx.execOnce(makeMigrations); err != nil {
			return err
		}
		done, err = All(tx, func(r Row) (a Applied, err error) {
			var ts int64
			err = r.Scan(&a.Number, &a.Name, &ts)
			a.At = time.UnixMilli(ts)
			return a, err
		}, `SELECT number, name, applied_ts FROM migrations ORDER BY number`)
		return err
	})
	return done, err
}

// lockMigrations keeps other processes from migrating. Migrations have no time limits:
// a step through a large table, and waiting for one that another process makes, take as
// long as they take.
func (tx *Tx) lockMigrations() error {
	if tx.pg != nil {
		if _, err := tx.Exec(`SELECT set_config(name, '0', TRUE) FROM pg_settings WHERE name IN ('lock_timeout', 'statement_timeout')`); err != nil {
			return err
		}
	}
	return tx.Lock("migrations", "")
}

// execOnce runs a statement without keeping it prepared: DDL.
func (tx *Tx) execOnce(statement string) error {
	var err error
	if tx.lite != nil {
		err = tx.lite.runOnce(tx.ctx, statement)
	} else {
		err = tx.pg.runOnce(statement)
	}
	return wrap(err, statement)
}
