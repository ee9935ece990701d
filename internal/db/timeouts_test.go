package db_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/pgtest"
)

// besides opens an empty PostgreSQL database by a URL with these parameters, and lets
// another session run statements in it.
func besides(t *testing.T, server *pgtest.Server, parameters string) (d *db.DB, other func(statement string, args ...any) (n int)) {
	t.Helper()
	url := server.DatabaseFor(t, "")
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(context.Background()) })
	d, err = db.Open(t.Context(), db.Options{Database: url + parameters, Now: time.Now, Log: slog.Default(), Unsynced: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d, func(statement string, args ...any) (n int) {
		t.Helper()
		rows, err := c.Query(t.Context(), statement, args...)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			n++
		}
		if rows.Err() != nil {
			t.Fatal(rows.Err())
		}
		return n
	}
}

// TestTimeouts holds what PostgreSQL ends, and that it does not keep what was begun.
func TestTimeouts(t *testing.T) {
	server := pgtest.StartFor(t)
	for name, f := range map[string]func(*testing.T, *pgtest.Server){
		"settings":                        testSettings,
		"a lock that another session has": testLockOfAnother,
		"a statement without an end":      testStatementWithoutEnd,
		"a session that stands still":     testStandingStill,
		"migrations wait for each other":  testMigrationsWait,
	} {
		t.Run(name, func(t *testing.T) { f(t, server) })
	}
}

func testSettings(t *testing.T, server *pgtest.Server) {
	for _, c := range []struct{ parameters, lock, statement, idle string }{
		{"", "10s", "1min", "1min"},
		{"&lock_timeout=50&idle_in_transaction_session_timeout=3000", "50ms", "1min", "3s"},
		{"&statement_timeout=0", "10s", "0", "1min"},
	} {
		d, _ := besides(t, server, c.parameters)
		err := d.Read(t.Context(), func(tx *db.Tx) error {
			for name, want := range map[string]string{"lock_timeout": c.lock, "statement_timeout": c.statement, "idle_in_transaction_session_timeout": c.idle} {
				got, err := db.Value[string](tx, `SELECT current_setting($1)`, name)
				if err != nil || got != want {
					t.Errorf("with %q: %s is %q, %v; want %q", c.parameters, name, got, err, want)
				}
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}

func testLockOfAnother(t *testing.T, server *pgtest.Server) {
	d, other := besides(t, server, "&lock_timeout=20")
	other(`CREATE TABLE things (n BIGINT PRIMARY KEY, word TEXT NOT NULL)`)
	other(`INSERT INTO things VALUES (1, 'one')`)
	read := func() error {
		return d.Read(t.Context(), func(tx *db.Tx) error {
			word, err := db.Value[string](tx, `SELECT word FROM things WHERE n = 1`)
			if err == nil && word != "one" {
				t.Errorf("there is %q", word)
			}
			return err
		})
	}
	change := func() error {
		return d.Write(t.Context(), func(tx *db.Tx) error {
			if _, err := tx.Exec(`INSERT INTO things VALUES (2, 'two')`); err != nil {
				return err
			}
			if err := tx.Lock("room", "!a:localhost"); err != nil {
				return err
			}
			_, err := tx.Exec(`UPDATE things SET word = word WHERE n = 1`)
			return err
		})
	}
	for _, c := range []struct {
		name, lock string
		args       []any
		reads      bool
	}{
		{"a row", `SELECT n FROM things WHERE n = 1 FOR UPDATE`, nil, true},
		{"a room", `SELECT pg_advisory_xact_lock(hashtextextended($1, 0))`, []any{"room !a:localhost"}, true},
		{"the whole table", `LOCK TABLE things`, nil, false},
	} {
		other(`BEGIN`)
		other(c.lock, c.args...)
		var code *pgconn.PgError
		if err := change(); !errors.Is(err, db.ErrUnavailable) || !errors.As(err, &code) || code.Code != "55P03" {
			t.Errorf("%s is locked: a write gives %v", c.name, err)
		}
		if err := read(); c.reads && err != nil || !c.reads && !errors.Is(err, db.ErrUnavailable) {
			t.Errorf("%s is locked: a read gives %v", c.name, err)
		}
		other(`ROLLBACK`)
		if n := other(`SELECT n FROM things`); n != 1 {
			t.Errorf("%s was locked: %d rows are there", c.name, n)
		}
		if err := change(); err != nil {
			t.Errorf("%s is free again: %v", c.name, err)
		}
		other(`DELETE FROM things WHERE n = 2`)
	}
}

func testStatementWithoutEnd(t *testing.T, server *pgtest.Server) {
	d, _ := besides(t, server, "&statement_timeout=500")
	err := d.Read(t.Context(), func(tx *db.Tx) error {
		_, err := tx.Exec(`SELECT pg_sleep(3600)`)
		return err
	})
	var code *pgconn.PgError
	if !errors.As(err, &code) || code.Code != "57014" || errors.Is(err, db.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	if err := d.Ping(t.Context()); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func testStandingStill(t *testing.T, server *pgtest.Server) {
	d, other := besides(t, server, "&idle_in_transaction_session_timeout=2000")
	other(`CREATE TABLE things (n BIGINT PRIMARY KEY)`)
	err := d.Write(t.Context(), func(tx *db.Tx) error {
		if _, err := tx.Exec(`INSERT INTO things VALUES (1)`); err != nil {
			return err
		}
		pid, err := db.Value[int](tx, `SELECT pg_backend_pid()`)
		if err != nil {
			return err
		}
		for other(`SELECT 1 FROM pg_stat_activity WHERE pid = $1`, pid) > 0 { // until it is gone
		}
		_, err = tx.Exec(`INSERT INTO things VALUES (2)`)
		return err
	})
	if !errors.Is(err, db.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	if n := other(`SELECT n FROM things`); n != 0 {
		t.Errorf("%d rows were written", n)
	}
	if err := d.Ping(t.Context()); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func testMigrationsWait(t *testing.T, server *pgtest.Server) {
	d, other := besides(t, server, "&lock_timeout=1&statement_timeout=1000")
	other(`SELECT pg_advisory_lock(hashtextextended('migrations ', 0))`)
	migrated := make(chan error, 1)
	go func() {
		_, err := d.Migrate(t.Context())
		migrated <- err
	}()
	const waiting = `SELECT 1 FROM pg_stat_activity WHERE wait_event = 'advisory' AND datname = current_database() AND NOW() - query_start > INTERVAL '1200 ms'`
	for other(waiting) == 0 {
		select {
		case err := <-migrated:
			t.Fatalf("it did not wait: %v", err)
		default:
		}
	}
	other(`SELECT pg_advisory_unlock(hashtextextended('migrations ', 0))`)
	if err := <-migrated; err != nil {
		t.Error(err)
	}
}
