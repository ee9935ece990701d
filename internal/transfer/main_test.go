package transfer_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/pgtest"
	"github.com/narthex-matrix/narthex/internal/transfer"
)

// postgres is the server of the tests of this package, nil where there is none.
var postgres *pgtest.Server

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	server, err := pgtest.Start()
	if err != nil && (!errors.Is(err, pgtest.ErrNotInstalled) || os.Getenv("CI") == "true") {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if err == nil {
		postgres = server
		defer func() {
			if err := server.Stop(); err != nil {
				fmt.Fprintln(os.Stderr, err)
			}
		}()
	}
	return m.Run()
}

// anew gives an empty database of an engine.
func anew(t *testing.T, engine db.Dialect) string {
	t.Helper()
	if engine == db.SQLite {
		return filepath.Join(t.TempDir(), "narthex.db")
	}
	if postgres == nil {
		t.Skip(pgtest.ErrNotInstalled)
	}
	return postgres.DatabaseFor(t, "")
}

// ways are all ways between two engines.
func ways(t *testing.T, f func(t *testing.T, from, to db.Dialect)) {
	for _, from := range []db.Dialect{db.SQLite, db.Postgres} {
		for _, to := range []db.Dialect{db.SQLite, db.Postgres} {
			t.Run(fmt.Sprintf("%s to %s", from, to), func(t *testing.T) { f(t, from, to) })
		}
	}
}

func options() transfer.Options {
	return transfer.Options{Now: time.Now, Log: slog.New(slog.DiscardHandler), Tell: func(transfer.Progress) {}}
}

// life runs a server over a database, which is closed afterwards.
func life(t *testing.T, database string, f func(t *testing.T, srv *apitest.Server)) {
	t.Helper()
	if !t.Run("life", func(t *testing.T) { f(t, apitest.Over(t, database)) }) {
		t.FailNow()
	}
}

// inside opens a database that no server uses.
func inside(t *testing.T, database string, f func(tx *db.Tx) error) {
	t.Helper()
	d, err := db.Open(t.Context(), db.Options{Database: database, Now: time.Now, Log: slog.Default()})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(d.Write(context.WithoutCancel(t.Context()), f), d.Close()); err != nil {
		t.Fatal(err)
	}
}

var creates = regexp.MustCompile(`(?m)^CREATE TABLE (\w+)`)

// allTables reads the names of the tables out of the steps of the schema.
func allTables(t *testing.T) (names []string) {
	t.Helper()
	steps, err := db.Migrations()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range steps {
		for _, m := range creates.FindAllStringSubmatch(s.Text(), -1) {
			if m[1] != "backup_tables" { // of a backup itself
				names = append(names, m[1])
			}
		}
	}
	return names
}

// counts counts the rows of the tables in a list.
func counts(t *testing.T, database string, tables []string) map[string]int64 {
	t.Helper()
	out := map[string]int64{}
	inside(t, database, func(tx *db.Tx) error {
		for _, name := range tables {
			n, err := db.Value[int64](tx, `SELECT COUNT(*) FROM `+name)
			if err != nil {
				return err
			}
			out[name] = n
		}
		return nil
	})
	return out
}
