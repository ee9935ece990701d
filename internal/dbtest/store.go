package dbtest

import (
	"testing"

	"github.com/narthex-matrix/narthex/internal/db"
)

// Store is an open database with a clock and a log: what a service of the server
// stands on.
type Store struct {
	*Clock
	DB       *db.DB
	Database string // its file name or URL
	Log      *Log
}

// Open opens a fresh database. It is closed with the test, which fails if a secret was
// logged, or a panic.
func Open(t testing.TB) *Store {
	t.Helper()
	return Over(t, New(t))
}

// Over opens an existing database: a second process over it, or the same one after a
// restart.
func Over(t testing.TB, database string) *Store {
	t.Helper()
	s := &Store{Clock: &Clock{}, Database: database, Log: &Log{}}
	d, err := db.Open(t.Context(), db.Options{Database: database, Now: s.Now, Log: s.Log.Logger(), Unsynced: true})
	if err != nil {
		t.Fatal(err)
	}
	s.DB = d
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		s.Log.Check(t)
	})
	return s
}
