package db_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/narthex-matrix/narthex/internal/db"
)

// waiting counts the sessions that wait for a lock.
func waiting(t *testing.T, d *db.DB) int64 {
	t.Helper()
	n, err := db.ReadOne(t.Context(), d, db.Scalar[int64], `SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event = 'advisory' AND datname = current_database()`)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func positions(t *testing.T, d *db.DB) (found []int64) {
	t.Helper()
	err := d.Read(t.Context(), func(tx *db.Tx) (err error) {
		found, err = db.All(tx, db.Scalar[int64], `SELECT pos FROM notes`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestWriteLockedAtOnce holds that writes which share a commit fail, panic and succeed
// each for itself.
func TestWriteLockedAtOnce(t *testing.T) {
	engines(t, func(t *testing.T, d *db.DB, _ *wakes) {
		refusal := errors.New("refused")
		var group sync.WaitGroup
		var mu sync.Mutex
		var kept []int64
		for n := range int64(120) {
			group.Go(func() {
				defer func() {
					if r := recover(); (r != nil) != (n%3 == 1) {
						t.Errorf("%d: panics with %v", n, r)
					}
				}()
				err := d.WriteLocked(t.Context(), "room", string(rune('a'+n%4)), func(tx *db.Tx) error {
					if n%6 == 2 { // nothing is to be undone
						return refusal
					}
					if err := tx.Later(`INSERT INTO notes (pos, body) VALUES ($1, 'w')`, n); err != nil {
						return err
					}
					switch n % 3 {
					case 1:
						panic("at the disco")
					case 2:
						return refusal
					}
					pos, err := tx.Next()
					tx.AfterCommit(func() {
						mu.Lock()
						defer mu.Unlock()
						kept = append(kept, pos)
					})
					return err
				})
				if n%3 == 2 && !errors.Is(err, refusal) || n%3 == 0 && err != nil {
					t.Errorf("%d: %v", n, err)
				}
			})
		}
		group.Wait()
		if found := positions(t, d); len(found) != 40 || slices.ContainsFunc(found, func(n int64) bool { return n%3 != 0 }) {
			t.Errorf("stored: %v", found)
		}
		slices.Sort(kept)
		if len(slices.Compact(kept)) != 40 {
			t.Errorf("positions: %v", kept)
		}
	})
}

// TestARefusalBeforeWritingIsForItselfAtOnce holds that a write which fails before it has
// written has none of those who share its commit run again.
func TestARefusalBeforeWritingIsForItselfAtOnce(t *testing.T) {
	engines(t, func(t *testing.T, d *db.DB, _ *wakes) {
		refusal := errors.New("refused")
		var runs [60]atomic.Int64
		var group sync.WaitGroup
		for n := range int64(len(runs)) {
			group.Go(func() {
				err := d.WriteLocked(t.Context(), "room", "one", func(tx *db.Tx) error {
					runs[n].Add(1)
					if n%3 == 0 {
						return refusal
					}
					return tx.Later(`INSERT INTO notes (pos, body) VALUES ($1, 'w')`, n)
				})
				if errors.Is(err, refusal) != (n%3 == 0) {
					t.Errorf("%d: %v", n, err)
				}
			})
		}
		group.Wait()
		for n := range runs {
			if got := runs[n].Load(); got != 1 {
				t.Errorf("%d ran %d times", n, got)
			}
		}
		if found := positions(t, d); len(found) != 40 {
			t.Errorf("stored: %v", found)
		}
	})
}

// TestAFailureOfOneWriteLeavesTheOthersAtOnce holds that a statement which fails in one of
// the writes of a commit, when another has run it already, is that one's failure alone.
func TestAFailureOfOneWriteLeavesTheOthersAtOnce(t *testing.T) {
	engines(t, func(t *testing.T, d *db.DB, _ *wakes) {
		var group sync.WaitGroup
		for n := range int64(60) {
			group.Go(func() {
				err := d.WriteLocked(t.Context(), "room", "one", func(tx *db.Tx) error {
					if n%6 == 0 { // the number is not there
						if err := tx.Later(`UPDATE notes SET body = NULL WHERE pos = $1`, n+1000); err != nil {
							return err
						}
						return tx.Later(`INSERT INTO notes (pos, body) VALUES ($1, NULL)`, n)
					}
					return tx.Later(`INSERT INTO notes (pos, body) VALUES ($1, 'w')`, n)
				})
				if (err != nil) != (n%6 == 0) {
					t.Errorf("%d: %v", n, err)
				}
			})
		}
		group.Wait()
		if found := positions(t, d); len(found) != 50 {
			t.Errorf("stored: %v", found)
		}
	})
}

// TestACommitIsTheLastStatement holds that a write costs PostgreSQL no exchange after its
// commit, and one that is refused is undone.
func TestACommitIsTheLastStatement(t *testing.T) {
	engines(t, func(t *testing.T, d *db.DB, _ *wakes) {
		if d.Dialect() == db.SQLite {
			t.Skip("it has no sessions")
		}
		refusal := errors.New("refused")
		for want, result := range map[string]error{"COMMIT": nil, "ROLLBACK": refusal} {
			var last []string
			err := d.Write(t.Context(), func(tx *db.Tx) error { // the other connection, which looks
				err := d.Write(t.Context(), func(tx *db.Tx) error {
					if _, err := tx.Next(); err != nil {
						return err
					}
					return result
				})
				if !errors.Is(err, result) {
					t.Errorf("%s: %v", want, err)
				}
				last, err = db.All(tx, db.Scalar[string], `SELECT query FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle' ORDER BY state_change DESC LIMIT 1`)
				return err
			})
			if err != nil || !slices.Equal(last, []string{want}) {
				t.Errorf("%q, %v; want %s", last, err, want)
			}
		}
	})
}

// TestALockOfAnotherHoldsUpNoOtherAtOnce holds that writes whose lock is free do not wait
// for one whose lock is not.
func TestALockOfAnotherHoldsUpNoOtherAtOnce(t *testing.T) {
	engines(t, func(t *testing.T, d *db.DB, _ *wakes) {
		if d.Dialect() == db.SQLite {
			t.Skip("one writes at a time")
		}
		insert := func(key string, n int64) {
			err := d.WriteLocked(t.Context(), "room", key, func(tx *db.Tx) error {
				return tx.Later(`INSERT INTO notes (pos, body) VALUES ($1, 'w') ON CONFLICT DO NOTHING`, n)
			})
			if err != nil {
				t.Errorf("%s: %v", key, err)
			}
		}
		// Each connection gets to know the statements: then the lock is all that there is
		// to wait for before the commit.
		var know func(others int) error
		know = func(others int) error {
			return d.Write(t.Context(), func(tx *db.Tx) error {
				if others > 0 {
					if err := know(others - 1); err != nil {
						return err
					}
				}
				if _, err := tx.Exec(`SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0))`, "x"); err != nil {
					return err
				}
				return tx.Later(`INSERT INTO notes (pos, body) VALUES ($1, 'w') ON CONFLICT DO NOTHING`, 9)
			})
		}
		if err := know(3); err != nil {
			t.Fatal(err)
		}
		held, free := make(chan struct{}), make(chan struct{})
		var group sync.WaitGroup
		group.Go(func() {
			err := d.Write(context.WithoutCancel(t.Context()), func(tx *db.Tx) error {
				if err := tx.Lock("room", "taken"); err != nil {
					return err
				}
				if _, err := db.Value[int64](tx, `SELECT 1`); err != nil {
					return err
				}
				close(held)
				<-free
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
		<-held
		group.Go(func() { insert("taken", 0) })
		for waiting(t, d) == 0 { // until it waits
		}
		if found := positions(t, d); len(found) != 1 {
			t.Errorf("stored without the lock: %v", found)
		}
		for n := range int64(2) {
			group.Go(func() { insert("taken", 1+n) })
		}
		// One that comes alone learns of the lock late, and keeps nothing without it.
		if err := d.WriteLocked(t.Context(), "room", "free", func(*db.Tx) error { return nil }); err != nil {
			t.Error(err)
		}
		var others sync.WaitGroup
		for n := range int64(8) {
			others.Go(func() { insert("free", 10+n) })
		}
		others.Wait() // for ever, if they wait for the lock
		if found := positions(t, d); len(found) != 9 {
			t.Errorf("stored: %v", found)
		}
		close(free)
		group.Wait()
		if found := positions(t, d); len(found) != 12 {
			t.Errorf("stored: %v", found)
		}
	})
}
