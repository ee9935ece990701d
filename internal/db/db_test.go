package db_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/pgtest"
)

// engines runs a test over a fresh, migrated database of each engine.
func engines(t *testing.T, f func(t *testing.T, d *db.DB, woken *wakes)) {
	t.Run("SQLite", func(t *testing.T) {
		prepared(t, filepath.Join(t.TempDir(), "test.db"), f)
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		url := pgtest.StartFor(t).DatabaseFor(t, "")
		prepared(t, url, f)
	})
}

// wakes collects the keys that were woken.
type wakes struct {
	mu   sync.Mutex
	keys []string
}

func (w *wakes) add(keys []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.keys = append(w.keys, keys...)
}

func (w *wakes) all() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.keys)
}

func prepared(t *testing.T, database string, f func(t *testing.T, d *db.DB, woken *wakes)) {
	t.Helper()
	woken := &wakes{}
	d, err := db.Open(t.Context(), db.Options{Database: database, Now: time.Now, Wake: woken.add, Log: slog.Default(), Unsynced: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := d.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	write(t, d, func(tx *db.Tx) error {
		_, err := tx.Exec(`CREATE TABLE notes (pos BIGINT PRIMARY KEY, body TEXT NOT NULL)`)
		return err
	})
	f(t, d, woken)
}

func write(t *testing.T, d *db.DB, f func(*db.Tx) error) {
	t.Helper()
	if err := d.Write(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

func notes(t *testing.T, d *db.DB) (bodies []string) {
	t.Helper()
	err := d.Read(t.Context(), func(tx *db.Tx) (err error) {
		bodies, err = db.All(tx, db.Scalar[string], `SELECT body FROM notes ORDER BY pos`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return bodies
}

func add(tx *db.Tx, body string) error {
	pos, err := tx.Next()
	if err != nil {
		return err
	}
	_, err = tx.Exec(`INSERT INTO notes (pos, body) VALUES ($1, $2)`, pos, body)
	return err
}

func TestAWriteIsWholeOrNothing(t *testing.T) {
	engines(t, func(t *testing.T, d *db.DB, woken *wakes) {
		write(t, d, func(tx *db.Tx) error { tx.Wake("one"); return add(tx, "one") })
		refusal := errors.New("no")
		err := d.Write(t.Context(), func(tx *db.Tx) error {
			tx.Wake("two")
			tx.AfterCommit(func() { t.Error("AfterCommit of a failed transaction ran") })
			return errors.Join(add(tx, "two"), refusal)
		})
		if !errors.Is(err, refusal) {
			t.Errorf("got %v, want the closure's error", err)
		}
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic did not reach the caller")
				}
			}()
			_ = d.Write(t.Context(), func(tx *db.Tx) error {
				if err := add(tx, "three"); err != nil {
					t.Error(err)
				}
				panic("broken")
			})
		}()
		after := false
		write(t, d, func(tx *db.Tx) error { tx.AfterCommit(func() { after = true }); return add(tx, "four") })
		if got := notes(t, d); !slices.Equal(got, []string{"one", "four"}) {
			t.Errorf("got %q", got)
		}
		if !after {
			t.Error("AfterCommit did not run")
		}
		if got := woken.all(); !slices.Equal(got, []string{"one"}) {
			t.Errorf("woken: got %q", got)
		}
	})
}

func TestErrorsThatFeaturesAskFor(t *testing.T) {
	engines(t, func(t *testing.T, d *db.DB, _ *wakes) {
		write(t, d, func(tx *db.Tx) error {
			_, err := db.Value[int64](tx, `SELECT pos FROM notes WHERE body = $1`, "none")
			if !errors.Is(err, db.ErrNoRow) {
				t.Errorf("no row: got %v", err)
			}
			if _, err := tx.Exec(`INSERT INTO notes (pos, body) VALUES (1, $1)`, "a\x00b"); !errors.Is(err, db.ErrNUL) {
				t.Errorf("NUL: got %v", err)
			}
			type named string
			text := named("a\x00b")
			if _, err := tx.Exec(`INSERT INTO notes (pos, body) VALUES (1, $1)`, &text); !errors.Is(err, db.ErrNUL) {
				t.Errorf("NUL in a named text: got %v", err)
			}
			_, err = tx.Exec(`INSERT INTO notes (pos, body) VALUES (7, 'seven')`)
			return err
		})
		err := d.Write(t.Context(), func(tx *db.Tx) error {
			_, err := tx.Exec(`INSERT INTO notes (pos, body) VALUES (7, 'again')`)
			return err
		})
		if !errors.Is(err, db.ErrDuplicate) {
			t.Errorf("duplicate: got %v", err)
		}
		if err := d.Read(t.Context(), func(tx *db.Tx) error { return add(tx, "x") }); err == nil {
			t.Error("a read could write")
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := d.Write(ctx, func(*db.Tx) error { t.Error("ran"); return nil }); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: got %v", err)
		}
	})
}

// TestPositionsAreOrderedByCommitAtOnce holds that a reader who has seen position n
// never finds a row below n later.
func TestPositionsAreOrderedByCommitAtOnce(t *testing.T) {
	engines(t, func(t *testing.T, d *db.DB, _ *wakes) {
		const writers, each = 8, 40
		var wg sync.WaitGroup
		done := make(chan struct{})
		for w := range writers {
			wg.Go(func() {
				for i := range each {
					err := d.Write(t.Context(), func(tx *db.Tx) error { return add(tx, fmt.Sprint(w, " ", i)) })
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		go func() { wg.Wait(); close(done) }()
		var seen int64
		count := 0
		for last := false; !last; {
			select {
			case <-done:
				last = true
			default:
			}
			err := d.Read(t.Context(), func(tx *db.Tx) error {
				pos, err := tx.Position()
				if err != nil {
					return err
				}
				below, err := db.Value[int](tx, `SELECT COUNT(*) FROM notes WHERE pos <= $1`, seen)
				if err != nil {
					return err
				}
				if below != count {
					t.Errorf("below position %d there were %d rows, and now there are %d", seen, count, below)
				}
				seen = pos
				count, err = db.Value[int](tx, `SELECT COUNT(*) FROM notes WHERE pos <= $1`, pos)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if count != writers*each {
			t.Errorf("got %d rows, want %d", count, writers*each)
		}
	})
}

// TestLockIsHeldUntilTheEndAtOnce counts with a read and a write, which only a lock
// makes right.
func TestLockIsHeldUntilTheEndAtOnce(t *testing.T) {
	engines(t, func(t *testing.T, d *db.DB, _ *wakes) {
		write(t, d, func(tx *db.Tx) error {
			_, err := tx.Exec(`INSERT INTO notes (pos, body) VALUES (0, '0')`)
			return err
		})
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				err := d.Write(t.Context(), func(tx *db.Tx) error {
					if err := tx.Lock("notes", "0"); err != nil {
						return err
					}
					text, err := db.Value[string](tx, `SELECT body FROM notes WHERE pos = 0`)
					if err != nil {
						return err
					}
					_, err = tx.Exec(`UPDATE notes SET body = $1 WHERE pos = 0`, text+"+")
					return err
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if got := notes(t, d); !slices.Equal(got, []string{"0" + strings.Repeat("+", 20)}) {
			t.Errorf("got %q", got)
		}
	})
}

func TestIn(t *testing.T) {
	engines(t, func(t *testing.T, d *db.DB, _ *wakes) {
		write(t, d, func(tx *db.Tx) error {
			for range 9 {
				if err := add(tx, "x"); err != nil {
					return err
				}
			}
			return nil
		})
		for n := 1; n <= 9; n++ {
			positions := make([]int64, n)
			var pairs []any
			for i := range positions {
				positions[i] = int64(i + 2)
				pairs = append(pairs, "x", "x")
			}
			in, couples := db.In(positions), db.In(pairs)
			write(t, d, func(tx *db.Tx) error {
				got, err := db.Value[int](tx, `SELECT COUNT(*) FROM notes WHERE body = $1 AND pos IN (`+in.Marks(2)+`)`, in.Args("x")...)
				if err != nil || got != n {
					t.Errorf("Marks of %d: got %d %v", n, got, err)
				}
				got, err = db.Value[int](tx, `SELECT COUNT(*) FROM notes WHERE pos > $1 AND (body, body) IN (VALUES `+couples.Pairs(2)+`)`, couples.Args(0)...)
				if err != nil || got != 9 {
					t.Errorf("Pairs of %d: got %d %v", n, got, err)
				}
				return nil
			})
		}
	})
}

func TestMigrate(t *testing.T) {
	engines(t, func(t *testing.T, d *db.DB, _ *wakes) {
		again, err := d.Migrate(t.Context())
		if err != nil || len(again) != 0 {
			t.Errorf("a second run applied %v, %v", again, err)
		}
		write(t, d, func(tx *db.Tx) error {
			_, err := tx.Exec(`INSERT INTO migrations (number, name, applied_ts) VALUES (9999, 'from_the_future', 0)`)
			return err
		})
		if _, err := d.Migrate(t.Context()); err == nil || !strings.Contains(err.Error(), "from_the_future") {
			t.Errorf("a newer schema: got %v", err)
		}
	})
}

func TestCloseAnswersEveryWriterAtOnce(t *testing.T) {
	d, err := db.Open(t.Context(), db.Options{Database: filepath.Join(t.TempDir(), "x.db"), Now: time.Now, Log: slog.Default(), Unsynced: true})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			err := d.Write(t.Context(), func(*db.Tx) error { return nil })
			if err != nil && !errors.Is(err, db.ErrClosed) {
				t.Error(err)
			}
		})
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	wg.Wait()
	if err := d.Write(t.Context(), func(*db.Tx) error { return nil }); !errors.Is(err, db.ErrClosed) {
		t.Errorf("after Close: got %v", err)
	}
}

// TestAWriteLooksAgainWhenWhatItRefersToIsGone deletes a row between the look and
// the insert of one that refers to it, which only PostgreSQL lets others do.
func TestAWriteLooksAgainWhenWhatItRefersToIsGone(t *testing.T) {
	engines(t, func(t *testing.T, d *db.DB, _ *wakes) {
		write(t, d, func(tx *db.Tx) error {
			if _, err := tx.Exec(`CREATE TABLE replies (pos BIGINT PRIMARY KEY REFERENCES notes)`); err != nil {
				return err
			}
			_, err := tx.Exec(`INSERT INTO notes (pos, body) VALUES (7, 'seven')`)
			return err
		})
		remove := func(tx *db.Tx) error {
			_, err := tx.Exec(`DELETE FROM notes`)
			return err
		}
		if d.Dialect() == db.SQLite {
			write(t, d, remove)
		}
		err := d.Write(t.Context(), func(tx *db.Tx) error {
			if _, err := db.Value[string](tx, `SELECT body FROM notes WHERE pos = 7`); err != nil {
				return err
			}
			write(t, d, remove)
			_, err := tx.Exec(`INSERT INTO replies (pos) VALUES (7)`)
			return err
		})
		if !errors.Is(err, db.ErrNoRow) {
			t.Errorf("got %v, want that there is no such note", err)
		}
	})
}

func TestALockWithNULIsRefusedOnBothEngines(t *testing.T) {
	engines(t, func(t *testing.T, d *db.DB, _ *wakes) {
		if err := d.Write(t.Context(), func(tx *db.Tx) error { return tx.Lock("notes", "a\x00b") }); !errors.Is(err, db.ErrNUL) {
			t.Errorf("got %v", err)
		}
	})
}
