package main

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/narthex-matrix/narthex/internal/app"
	"github.com/narthex-matrix/narthex/internal/db"
)

// killMigrations kills a server at statements of its migrations, one after the other,
// and holds that a database that went through that has the schema of a new one (K17).
// With as many kills as there are statements it is killed at each.
func killMigrations(t *testing.T, binary string, kills int, seed uint64, dialect db.Dialect, anew func(*testing.T) grave) {
	steps, err := db.Migrations()
	if err != nil {
		t.Fatal(err)
	}
	var begins []int // of the step that each point is in
	for _, step := range steps {
		begin := len(begins)
		for range len(step.Statements(dialect)) + 1 { // and before the commit
			begins = append(begins, begin)
		}
	}
	at := rand.New(rand.NewPCG(seed, 0)).Perm(len(begins))[:min(kills, len(begins))]
	slices.Sort(at)
	w := &world{home: t, t: t, binary: binary, grave: anew(t)}
	begun := 0 // the step that the last kill has undone
	for _, point := range at {
		if w.rise("migration:" + strconv.Itoa(point-begun+1)) {
			t.Fatalf("the server lives, and should have died at point %d of the migrations", point)
		}
		begun = begins[point]
	}
	w.mustRise()
	w.process.end()
	fresh := &world{home: t, t: t, binary: binary, grave: anew(t)}
	fresh.mustRise()
	fresh.process.end()
	if got, want := schema(t, w.grave), schema(t, fresh.grave); !slices.Equal(got, want) {
		t.Errorf("the schema after %d kills is not that of a new database: %s", len(at), difference(got, want))
	}
	t.Logf("%d kills at the %d points of %d migrations", len(at), len(begins), len(steps))
}

// schema describes all that there is in a database but for its rows, and the
// migrations that it knows to have gone through.
func schema(t *testing.T, g grave) (lines []string) {
	t.Helper()
	g.inside(t, func(tx *db.Tx, a *app.App) error {
		text := `SELECT type || ' ' || name || ' ' || COALESCE(sql, '') FROM sqlite_schema`
		if a.DB.Dialect() == db.Postgres {
			text = `SELECT table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable || ' ' || COALESCE(column_default, '') || is_identity
				FROM information_schema.columns WHERE table_schema = 'public'
				UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
				UNION ALL SELECT conrelid::regclass::text || ' ' || conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'public'::regnamespace`
		}
		for _, text := range []string{text, `SELECT 'migration ' || CAST(number AS TEXT) || ' ' || name FROM migrations`} {
			some, err := db.All(tx, db.Scalar[string], text)
			if err != nil {
				return err
			}
			lines = append(lines, some...)
		}
		return nil
	})
	slices.Sort(lines)
	return lines
}
