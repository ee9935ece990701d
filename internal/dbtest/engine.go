package dbtest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/pgtest"
)

// engine is the database that the tests of this run stand on.
var engine struct {
	postgres *pgtest.Server
	template string // a migrated database to copy: a file, or a name
}

// Main runs the tests of a package over SQLite and then over PostgreSQL, and ends the
// process. NARTHEX_TEST_DATABASE=sqlite or postgres runs only one of them.
func Main(m *testing.M) { os.Exit(Run(m)) }

// Run is Main without the end: it gives the exit code.
func Run(m *testing.M) int {
	only := os.Getenv("NARTHEX_TEST_DATABASE")
	folder, err := os.MkdirTemp("", "narthex-test-")
	if err != nil {
		return fail(err)
	}
	defer os.RemoveAll(folder)
	if only != "postgres" {
		engine.template = filepath.Join(folder, "template.db")
		if err := migrate(engine.template); err != nil {
			return fail(err)
		}
		if code := m.Run(); code != 0 {
			return code
		}
	}
	if only != "sqlite" {
		if code := runPostgres(m); code != 0 {
			return code
		}
	}
	return 0
}

// SQLiteAlone skips a test over PostgreSQL, and says why it would show nothing new there:
// what it looks at is of no database's making, and its SQL is tested elsewhere.
func SQLiteAlone(t testing.TB, why string) {
	t.Helper()
	if engine.postgres != nil {
		t.Skip("seen over SQLite: " + why)
	}
}

func runPostgres(m *testing.M) int {
	server, err := pgtest.Start()
	if errors.Is(err, pgtest.ErrNotInstalled) && os.Getenv("CI") != "true" {
		fmt.Println("SKIP: not run over PostgreSQL:", err)
		return 0
	}
	if err != nil {
		return fail(err)
	}
	defer func() {
		if err := server.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, "stopping PostgreSQL:", err)
		}
	}()
	url, err := server.NewDatabase("")
	if err != nil {
		return fail(err)
	}
	if err := migrate(url); err != nil {
		return fail(err)
	}
	engine.postgres, engine.template = server, url
	if err := os.Setenv("NARTHEX_TEST_ENGINE", "postgres"); err != nil { // for package browsertest
		return fail(err)
	}
	fmt.Println("=== over PostgreSQL")
	return m.Run()
}

func fail(err error) int {
	fmt.Fprintln(os.Stderr, "dbtest:", err)
	return 1
}

func migrate(database string) error {
	ctx := context.Background()
	d, err := db.Open(ctx, db.Options{Database: database, Now: time.Now, Log: slog.Default(), Unsynced: true})
	if err != nil {
		return err
	}
	_, err = d.Migrate(ctx)
	if err == nil && d.Dialect() == db.SQLite {
		err = d.Checkpoint(ctx)
	}
	return errors.Join(err, d.Close())
}

// New makes a fresh, migrated database for one test, and gives its file name or URL.
func New(t testing.TB) string {
	t.Helper()
	if engine.postgres != nil {
		url, err := engine.postgres.NewDatabase(engine.template)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := engine.postgres.DropDatabase(url); err != nil {
				t.Error(err)
			}
		})
		return url
	}
	if engine.template == "" {
		t.Fatal("the test package needs a TestMain that calls dbtest.Main or apitest.Main")
	}
	raw, err := os.ReadFile(engine.template)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "narthex.db")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
