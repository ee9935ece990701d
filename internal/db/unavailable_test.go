package db_test

import (
	"errors"
	"io"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/db/powerloss"
)

// onDisk opens a database with a table of notes, on a disk that can refuse.
func onDisk(t *testing.T) (*db.DB, *powerloss.Disk) {
	t.Helper()
	folder := t.TempDir()
	disk, err := powerloss.Watch(folder)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(disk.Forget)
	d, err := openFile(t, filepath.Join(folder, "notes.db"), false)
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
	return d, disk
}

// TestK19_ADiskThatRefuses holds that reads go on while the disk takes nothing, that
// nothing acknowledged is lost, and that writes go on when it takes something again.
func TestK19_ADiskThatRefuses(t *testing.T) {
	for _, c := range []struct {
		name string
		code int
		want error
	}{
		{"full", sqlite3.SQLITE_FULL, db.ErrFull},
		{"broken when written", sqlite3.SQLITE_IOERR_WRITE, db.ErrUnavailable},
		{"broken when synced", sqlite3.SQLITE_IOERR_FSYNC, db.ErrUnavailable},
		{"read-only", sqlite3.SQLITE_READONLY, db.ErrUnavailable},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, disk := onDisk(t)
			write(t, d, func(tx *db.Tx) error { return add(tx, "before") })
			disk.Refuse(c.code)
			for range 3 {
				if err := d.Write(t.Context(), func(tx *db.Tx) error { return add(tx, "refused") }); !errors.Is(err, c.want) {
					t.Errorf("got %v, want %v", err, c.want)
				}
			}
			if got := notes(t, d); !slices.Equal(got, []string{"before"}) {
				t.Errorf("while the disk refuses: got %q", got)
			}
			disk.Refuse(sqlite3.SQLITE_OK)
			write(t, d, func(tx *db.Tx) error { return add(tx, "after") })
			if got := notes(t, d); !slices.Equal(got, []string{"before", "after"}) {
				t.Errorf("after: got %q", got)
			}
		})
	}
}

// TestK19_ATransactionThatSQLiteEndsAtOnce has the disk fail while a statement of the
// second of three writes runs, which ends the transaction that they share.
func TestK19_ATransactionThatSQLiteEndsAtOnce(t *testing.T) {
	d, disk := onDisk(t)
	var wg sync.WaitGroup
	began, queued := make(chan struct{}), make(chan struct{})
	errs := make([]error, 3)
	wg.Go(func() {
		errs[0] = d.Write(t.Context(), func(tx *db.Tx) error {
			close(began)
			<-queued
			return add(tx, "first")
		})
	})
	<-began
	for i, f := range []func(tx *db.Tx) error{
		func(tx *db.Tx) error {
			disk.Refuse(sqlite3.SQLITE_IOERR_WRITE)
			defer disk.Refuse(sqlite3.SQLITE_OK)
			for range 40 { // more than is kept in memory
				if err := add(tx, strings.Repeat("x", 1<<20)); err != nil {
					return err
				}
			}
			return nil
		},
		func(tx *db.Tx) error { return add(tx, "third") },
	} {
		asked := make(chan struct{})
		wg.Go(func() {
			close(asked)
			errs[i+1] = d.Write(t.Context(), f)
		})
		<-asked
	}
	close(queued)
	wg.Wait()
	var want []string
	for i, body := range []string{"first", "second", "third"} {
		if errs[i] == nil {
			want = append(want, body)
		}
	}
	if !errors.Is(errs[1], db.ErrUnavailable) {
		t.Errorf("the second: got %v", errs[1])
	}
	got := notes(t, d)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("there is %.40q, and acknowledged was %q", got, want)
	}
}

// TestErrorsThatSayNothingOfTheRequest holds which errors of an engine stand for one
// that cannot do its work now.
func TestErrorsThatSayNothingOfTheRequest(t *testing.T) {
	d, _ := onDisk(t)
	other := errors.New("other")
	for _, c := range []struct{ err, want error }{
		{&pgconn.PgError{Code: "53100"}, db.ErrFull},
		{&pgconn.PgError{Code: "53300"}, db.ErrUnavailable},
		{&pgconn.PgError{Code: "25006"}, db.ErrUnavailable},
		{&pgconn.PgError{Code: "25P03"}, db.ErrUnavailable},
		{&pgconn.PgError{Code: "55P03"}, db.ErrUnavailable},
		{&pgconn.PgError{Code: "57P01"}, db.ErrUnavailable},
		{&pgconn.PgError{Code: "58030"}, db.ErrUnavailable},
		{&pgconn.PgError{Code: "08006"}, db.ErrUnavailable},
		{&net.OpError{Op: "read", Err: other}, db.ErrUnavailable},
		{io.ErrUnexpectedEOF, db.ErrUnavailable},
		{&pgconn.PgError{Code: "57014"}, nil}, // a statement took too long
		{&pgconn.PgError{Code: "42601"}, nil}, // a mistake in a statement
		{other, nil},
	} {
		err := d.Read(t.Context(), func(*db.Tx) error { return c.err })
		for _, unavailable := range []error{db.ErrFull, db.ErrUnavailable} {
			if errors.Is(err, unavailable) != (unavailable == c.want) {
				t.Errorf("%v: got %v, want %v", c.err, err, c.want)
			}
		}
		if !errors.Is(err, c.err) {
			t.Errorf("%v: got %v, which hides it", c.err, err)
		}
	}
}
