package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/narthex-matrix/narthex/internal/db"
)

// stairs are the points of all migrations at which a server can be killed: before each
// statement, and before the commit.
type stairs struct {
	t      *testing.T
	binary string
	anew   func(*testing.T) grave
	begins []int // the first point of the step that each point is in
	steps  []int // the first point of each step
}

func newStairs(t *testing.T, binary string, dialect db.Dialect, anew func(*testing.T) grave) *stairs {
	t.Helper()
	s := &stairs{t: t, binary: binary, anew: anew}
	steps, err := db.Migrations()
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range steps {
		begin := len(s.begins)
		s.steps = append(s.steps, begin)
		for range len(step.Statements(dialect)) + 1 {
			s.begins = append(s.begins, begin)
		}
	}
	return s
}

// kill kills a server at each of some points, one after the other. What the database
// has gone through already ends at the point begun.
func (s *stairs) kill(g grave, begun int, at []int) {
	s.t.Helper()
	w := &world{home: s.t, t: s.t, binary: s.binary, grave: g}
	for _, point := range at {
		if w.rise("migration:" + strconv.Itoa(point-begun+1)) {
			s.t.Fatalf("the server lives, and should have died at point %d of the migrations", point)
		}
		begun = s.begins[point] // the kill has undone the step
	}
}

// some gives points from one on, in order.
func (s *stairs) some(random *rand.Rand, from, number int) []int {
	at := random.Perm(len(s.begins) - from)
	at = at[:min(number, len(at))]
	for i := range at {
		at[i] += from
	}
	slices.Sort(at)
	return at
}

// killMigrations kills a server at statements of its migrations, one after the other,
// and holds that a database that went through that has the schema of a new one (K17).
// With as many kills as there are statements it is killed at each. The same is done to
// databases that hold something, from a step in the middle on: they have to come out
// as if nothing had happened.
func killMigrations(t *testing.T, binary string, kills int, seed uint64, dialect db.Dialect, anew func(*testing.T) grave) {
	s, random := newStairs(t, binary, dialect, anew), rand.New(rand.NewPCG(seed, 0))
	at := s.some(random, 0, kills)
	killed, fresh := anew(t), anew(t)
	s.kill(killed, 0, at)
	if got, want := outcome(t, killed), outcome(t, fresh); !slices.Equal(got, want) {
		t.Errorf("after %d kills a database is not as a new one: %s", len(at), difference(got, want))
	}
	w := &world{home: t, t: t, binary: binary, grave: killed}
	w.mustRise()
	w.process.end()
	t.Logf("%d kills at the %d points of %d migrations", len(at), len(s.begins), len(s.steps))

	for range max(1, kills/20) {
		step := 1 + random.IntN(len(s.steps)-1)
		from := s.steps[step]
		at := s.some(random, from, min(kills, 20))
		killed, calm := anew(t), anew(t)
		for _, g := range []grave{killed, calm} {
			s.kill(g, 0, []int{from})
			g.fill(t)
		}
		s.kill(killed, from, at)
		if got, want := outcome(t, killed), outcome(t, calm); !slices.Equal(got, want) {
			t.Errorf("a database with rows, after step %d and kills at %v, is not as without them: %s", step, at, difference(got, want))
		}
		t.Logf("%d kills over rows that were there after step %d", len(at), step)
	}
}

// fill adds two rows to each table that there is. All texts of a row are the same, and
// so are all numbers: what refers to another table refers to its row.
func (g grave) fill(t *testing.T) {
	t.Helper()
	g.open(t, func(d *db.DB) error {
		return d.Write(t.Context(), func(tx *db.Tx) error {
			tables, err := tx.Tables()
			if err != nil {
				return err
			}
			for _, values := range []map[string]any{
				{"TEXT": "täxt", "BIGINT": int64(9e18), "BOOLEAN": true, "BYTEA": []byte{0, 255}},
				{"TEXT": "", "BIGINT": int64(-1), "BOOLEAN": false, "BYTEA": []byte{}},
			} {
				for _, table := range tables {
					var names, marks []string
					var args []any
					for i, c := range table.Columns {
						names, marks, args = append(names, c.Name), append(marks, fmt.Sprint("$", i+1)), append(args, values[c.Type])
					}
					if _, err := tx.Exec(`INSERT INTO `+table.Name+` (`+strings.Join(names, ", ")+`) VALUES (`+strings.Join(marks, ", ")+`)`, args...); err != nil {
						return err
					}
				}
			}
			return nil
		})
	})
}

// outcome brings a database up to date and describes it: all that there is in the
// schema, the migrations that it knows to have gone through, and the sums of its rows.
func outcome(t *testing.T, g grave) (lines []string) {
	t.Helper()
	g.open(t, func(d *db.DB) error {
		_, err := d.Migrate(t.Context())
		return errors.Join(err, d.Read(t.Context(), func(tx *db.Tx) (err error) {
			lines, err = described(tx, d.Dialect())
			return err
		}))
	})
	slices.Sort(lines)
	return lines
}

func described(tx *db.Tx, dialect db.Dialect) (lines []string, err error) {
	schema := `SELECT type || ' ' || name || ' ' || COALESCE(sql, '') FROM sqlite_schema`
	if dialect == db.Postgres {
		schema = `SELECT table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable || ' ' || COALESCE(column_default, '') || is_identity
			FROM information_schema.columns WHERE table_schema = 'public'
			UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
			UNION ALL SELECT conrelid::regclass::text || ' ' || conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'public'::regnamespace`
	}
	for _, text := range []string{schema, `SELECT 'migration ' || CAST(number AS TEXT) || ' ' || name FROM migrations`} {
		some, err := db.All(tx, db.Scalar[string], text)
		if err != nil {
			return nil, err
		}
		lines = append(lines, some...)
	}
	tables, err := tx.Tables()
	if err != nil {
		return nil, err
	}
	for _, table := range tables {
		sum, err := tx.Sum(table, func(int) {})
		if err != nil {
			return nil, err
		}
		lines = append(lines, fmt.Sprintf("%s has %d rows: %x", table.Name, sum.Rows, sum.Hash))
	}
	return lines, nil
}
