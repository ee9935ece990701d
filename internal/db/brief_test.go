package db_test

import (
	"errors"
	"testing"

	"github.com/narthex-matrix/narthex/internal/db"
)

// note writes a note of its own.
func note(t *testing.T, d *db.DB, pos int64) {
	t.Helper()
	err := d.Write(t.Context(), func(tx *db.Tx) error {
		return tx.Later(`INSERT INTO notes (pos, body) VALUES ($1, 'x')`, pos)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func count(tx *db.Tx) (int64, error) { return db.Value[int64](tx, `SELECT COUNT(*) FROM notes`) }

func TestABriefReadRunsOnce(t *testing.T) {
	engines(t, func(t *testing.T, d *db.DB, _ *wakes) {
		note(t, d, 1)
		runs, refusal := 0, errors.New("refused")
		err := d.ReadBriefly(t.Context(), func(tx *db.Tx) error {
			runs++
			n, err := count(tx)
			if n != 1 || err != nil {
				t.Errorf("got %d, %v", n, err)
			}
			return refusal
		})
		if !errors.Is(err, refusal) || runs != 1 {
			t.Errorf("it ran %d times, and gave %v", runs, err)
		}
	})
}

// TestABriefReadThatGoesOnSeesOneSnapshot has somebody write between the statements: what
// the first one saw alone counts for nothing.
func TestABriefReadThatGoesOnSeesOneSnapshot(t *testing.T) {
	engines(t, func(t *testing.T, d *db.DB, _ *wakes) {
		runs := int64(0)
		var seen []int64
		err := d.ReadBriefly(t.Context(), func(tx *db.Tx) error {
			runs, seen = runs+1, nil
			for range 3 {
				n, err := count(tx)
				if err != nil {
					return err
				}
				seen = append(seen, n)
				note(t, d, 10*runs+int64(len(seen)))
			}
			return nil
		})
		if err != nil || runs != 2 {
			t.Fatalf("it ran %d times, and gave %v", runs, err)
		}
		if seen[0] != 1 || seen[1] != 1 || seen[2] != 1 {
			t.Errorf("three statements of one read count %v notes; there was 1", seen)
		}
	})
}

func TestABriefReadWritesNothing(t *testing.T) {
	engines(t, func(t *testing.T, d *db.DB, _ *wakes) {
		for name, write := range map[string]func(*db.Tx) error{
			"Exec": func(tx *db.Tx) error {
				_, err := tx.Exec(`INSERT INTO notes (pos, body) VALUES (1, 'x')`)
				return err
			},
			"Later": func(tx *db.Tx) error {
				if err := tx.Later(`INSERT INTO notes (pos, body) VALUES (1, 'x')`); err != nil {
					return err
				}
				_, err := count(tx)
				return err
			},
		} {
			if err := d.ReadBriefly(t.Context(), write); err == nil {
				t.Errorf("%s: a read has written", name)
			}
		}
		if got := positions(t, d); len(got) > 0 {
			t.Errorf("notes are there: %v", got)
		}
	})
}
