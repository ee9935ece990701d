package archtest

import (
	"context"
	"database/sql"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/pgtest"
)

func TestStatementsCanBeRead(t *testing.T) {
	found, problems := open(t).statements()
	for _, p := range problems {
		t.Error(p)
	}
	if len(found) < 20 {
		t.Errorf("only %d statements were found: the test has gone blind", len(found))
	}
}

func TestStatementsPrepareOnSQLite(t *testing.T) {
	file := filepath.Join(t.TempDir(), "narthex.db")
	migrated(t, file)
	pool, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	check := func(text string) error {
		// EXPLAIN compiles a statement without running it.
		rows, err := pool.QueryContext(t.Context(), "EXPLAIN "+text, make([]any, placeholders(text))...)
		if err != nil {
			return err
		}
		defer rows.Close()
		return rows.Err()
	}
	prepareAll(t, db.SQLite, check, `SELECT EXTRACT(YEAR FROM now())`)
}

func TestStatementsPrepareOnPostgreSQL(t *testing.T) {
	url := pgtest.StartFor(t).DatabaseFor(t, "")
	migrated(t, url)
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	prepareAll(t, db.Postgres, func(text string) error {
		_, err := conn.Prepare(t.Context(), "", text)
		return err
	}, `INSERT OR IGNORE INTO stream (pos) VALUES (1)`)
}

// prepareAll checks every statement, and then that the check refuses faults, one
// of them a statement that only the other engine understands.
func prepareAll(t *testing.T, dialect db.Dialect, check func(string) error, foreign string) {
	t.Helper()
	found, _ := open(t).statements()
	for _, s := range found {
		if !speaks(dialect, s.text) {
			continue
		}
		if err := check(s.text); err != nil {
			t.Errorf("%s: %s: %v\n%s", s.at, dialect, err, s.text)
		}
	}
	for _, fault := range []string{`SELECT nothing FROM users`, `SELECT user_id FORM users`, foreign} {
		if check(fault) == nil {
			t.Errorf("%s prepared %q", dialect, fault)
		}
	}
}

// speaks leaves out statements of package db that are made for one engine.
func speaks(dialect db.Dialect, text string) bool {
	switch {
	case strings.Contains(text, "pg_") || strings.Contains(text, "current_setting("):
		return dialect == db.Postgres
	case strings.Contains(text, "sqlite_") || strings.HasPrefix(text, "PRAGMA"):
		return dialect == db.SQLite
	}
	return true
}

func migrated(t *testing.T, database string) {
	t.Helper()
	d, err := db.Open(t.Context(), db.Options{Database: database, Now: time.Now, Log: slog.New(slog.DiscardHandler), Unsynced: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Migrate(t.Context()); err != nil {
		t.Error(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}

// guests lists the tables that another package than the owner may read.
var guests = map[string]string{
	"internal/oauth users":   "one statement says whose token it is and what the account may do: every request pays for it",
	"internal/oauth devices": "the same statement says whether last_seen is due",

	"internal/syncer stream": "the position comes with all else that a look at the database begins with",

	"internal/ephemeral room_members": "whose presence concerns a user is found among those that changed, not by reading all of the user's rooms",
}

var (
	ownerLine = regexp.MustCompile(`(?m)^-- Owner: (\w+)`)
	creates   = regexp.MustCompile(`(?i)^\s*CREATE TABLE (?:IF NOT EXISTS )?(\w+)`)
	naming    = regexp.MustCompile(`(?i)\b(?:FROM|JOIN|INTO|UPDATE|USING)\s+(\w+)`)
)

// TestTablesHaveOneOwner holds that only its owner's SQL names a table. Others may put
// constants of the owner into a statement.
func TestTablesHaveOneOwner(t *testing.T) {
	tree := open(t)
	owner := owners(t, tree.root)
	found, _ := tree.statements()
	for _, s := range found {
		for _, part := range append(s.borrowed, borrowed{s.pkg, s.own()}) {
			for _, m := range naming.FindAllStringSubmatch(part.text, -1) {
				table := strings.ToLower(m[1])
				if owner[table] == "" || "internal/"+owner[table] == part.pkg || guests[part.pkg+" "+table] != "" {
					continue
				}
				t.Errorf("%s: %s names the table %s of package %s; call a function of its owner", s.at, part.pkg, table, owner[table])
			}
		}
	}
}

func owners(t *testing.T, root string) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, "internal/db/migrations/*.sql"))
	if err != nil {
		t.Fatal(err)
	}
	owner := map[string]string{"migrations": "db"}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		current := ""
		for line := range strings.Lines(string(text)) {
			if m := ownerLine.FindStringSubmatch(line); m != nil {
				current = m[1]
			}
			if m := creates.FindStringSubmatch(line); m != nil {
				if current == "" {
					t.Errorf("%s: %s has no owner; write -- Owner: package above it", filepath.Base(file), m[1])
				}
				owner[strings.ToLower(m[1])] = current
			}
		}
	}
	return owner
}

// TestGuestsAreNeeded keeps the list of exceptions from growing stale.
func TestGuestsAreNeeded(t *testing.T) {
	found, _ := open(t).statements()
	used := []string{}
	for _, s := range found {
		for _, m := range naming.FindAllStringSubmatch(s.text, -1) {
			used = append(used, s.pkg+" "+strings.ToLower(m[1]))
		}
	}
	for g := range guests {
		if !slices.Contains(used, g) {
			t.Errorf("%s: nothing uses this exception any more; remove it", g)
		}
	}
}
