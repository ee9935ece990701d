package apitest

import (
	"errors"
	"testing"

	"github.com/narthex-matrix/narthex/internal/db"
)

// InTurn holds a lock while it begins the requests, each after the one before
// waits for the lock; it does what is to happen meanwhile, if anything, and lets
// them go. So they act in their order, each on what it read before any of this
// happened. On SQLite, where writes do not overlap, one comes after the other.
func (s *Server) InTurn(t testing.TB, kind, key string, meanwhile func(*db.Tx) error, requests ...func() (*Response, error)) []*Response {
	t.Helper()
	if meanwhile == nil {
		meanwhile = func(*db.Tx) error { return nil }
	}
	answers := make([]*Response, len(requests))
	begin := func(i int) {
		var err error
		if answers[i], err = requests[i](); err != nil {
			t.Errorf("request %d: %v", i, err)
		}
	}
	if s.App.DB.Dialect() == db.SQLite {
		s.Write(t, meanwhile)
		for i := range requests {
			begin(i)
		}
		return answers
	}
	done := make(chan struct{}, len(requests))
	s.Write(t, func(tx *db.Tx) error {
		if err := errors.Join(tx.Lock(kind, key), waitFor(tx, 0)); err != nil { // it is asked for with the next statement
			return err
		}
		for i := range requests {
			go func() {
				begin(i)
				done <- struct{}{}
			}()
			if err := waitFor(tx, i+1); err != nil {
				return err
			}
		}
		return meanwhile(tx)
	})
	for range requests {
		<-done
	}
	return answers
}

// waitFor returns when n transactions of this database wait for a lock that
// [db.Tx.Lock] takes.
func waitFor(tx *db.Tx, n int) error {
	for {
		waiting, err := db.Value[int](tx, `SELECT COUNT(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
			AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`)
		if err != nil || waiting >= n {
			return err
		}
	}
}
