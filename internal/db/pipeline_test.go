package db_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/pgtest"
)

// everything is a row of every type that a table has.
type everything struct {
	Text   string
	Maybe  *string
	Number int64
	Other  *int64
	Yes    bool
	Bytes  []byte
}

func scanEverything(r db.Row) (e everything, err error) {
	err = r.Scan(&e.Text, &e.Maybe, &e.Number, &e.Other, &e.Yes, &e.Bytes)
	return e, err
}

// TestValues holds that both engines give back what they were given.
func TestValues(t *testing.T) {
	word, number := "'; DROP TABLE things; --", int64(-1<<63)
	rows := []everything{
		{Text: "", Number: 0, Bytes: nil},
		{Text: "é\\x41\"'$1\n\t", Maybe: &word, Number: 1<<63 - 1, Other: &number, Yes: true, Bytes: []byte{}},
		{Text: strings.Repeat("long", 1<<18), Number: -1, Bytes: bytes.Repeat([]byte{0, 1, '\\', 0xff}, 1<<18)},
	}
	engines(t, func(t *testing.T, d *db.DB, _ *wakes) {
		write(t, d, func(tx *db.Tx) error {
			_, err := tx.Exec(`CREATE TABLE things (n BIGINT PRIMARY KEY, word TEXT NOT NULL, maybe TEXT, number BIGINT NOT NULL, other BIGINT, yes BOOLEAN NOT NULL, bytes BYTEA)`)
			return err
		})
		write(t, d, func(tx *db.Tx) error {
			for n, e := range rows {
				if err := tx.Later(`INSERT INTO things (n, word, maybe, number, other, yes, bytes) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
					n, e.Text, e.Maybe, e.Number, e.Other, e.Yes, e.Bytes); err != nil {
					return err
				}
			}
			return nil
		})
		for n, want := range rows {
			got, err := db.ReadOne(t.Context(), d, scanEverything, `SELECT word, maybe, number, other, yes, bytes FROM things WHERE n = $1`, n)
			if err != nil {
				t.Fatal(err)
			}
			// No bytes and null are one in a Go slice.
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" && len(diff) < 2000 {
				t.Errorf("row %d: %s", n, diff)
			} else if diff != "" {
				t.Errorf("row %d differs", n)
			}
		}
		// Numbers that a statement makes, by the type that the engine gives them.
		var sum, count int64
		var half float64
		err := d.Read(t.Context(), func(tx *db.Tx) error {
			return db.Each(tx, func(r db.Row) error { return r.Scan(&sum, &count, &half) },
				`SELECT SUM(n), COUNT(*), 0.5 FROM things WHERE word IN (`+db.In([]string{"", "x", "y"}).Marks(1)+`) OR n > 1`, db.In([]string{"", "x", "y"}).Args()...)
		})
		if err != nil || sum != 2 || count != 2 || half != 0.5 {
			t.Errorf("sum %d, count %d, half %v, %v", sum, count, half, err)
		}
	})
}

// TestLater holds that what is queued happens in its turn, and fails what it goes with.
func TestLater(t *testing.T) {
	engines(t, func(t *testing.T, d *db.DB, _ *wakes) {
		insert := func(tx *db.Tx, pos int, body any) error {
			return tx.Later(`INSERT INTO notes (pos, body) VALUES ($1, $2)`, pos, body)
		}
		write(t, d, func(tx *db.Tx) error {
			if err := errors.Join(insert(tx, 1, "one"), insert(tx, 2, "two")); err != nil {
				return err
			}
			n, err := db.Value[int64](tx, `SELECT COUNT(*) FROM notes`)
			if err != nil || n != 2 {
				t.Errorf("a query sees %d rows, %v", n, err)
			}
			return insert(tx, 3, "three")
		})
		for name, f := range map[string]func(tx *db.Tx) error{
			"at the commit": func(tx *db.Tx) error { return errors.Join(insert(tx, 4, "four"), insert(tx, 1, "again")) },
			"with the next statement": func(tx *db.Tx) error {
				if err := errors.Join(insert(tx, 4, "four"), insert(tx, 1, "again")); err != nil {
					return err
				}
				_, err := db.Value[int64](tx, `SELECT COUNT(*) FROM notes`)
				return err
			},
			"and the error is passed over": func(tx *db.Tx) error {
				_ = insert(tx, 1, "again")
				_, err := db.Value[int64](tx, `SELECT COUNT(*) FROM notes`)
				if d.Dialect() == db.SQLite { // where it ends no transaction
					return errors.Join(err, db.ErrDuplicate)
				}
				return nil
			},
		} {
			if err := d.Write(t.Context(), f); !errors.Is(err, db.ErrDuplicate) {
				t.Errorf("%s: got %v", name, err)
			}
		}
		if err := d.Write(t.Context(), func(tx *db.Tx) error { return tx.Later(`INSERT INTO nowhere VALUES ($1)`, 1) }); err == nil {
			t.Error("a statement that cannot be prepared did not fail")
		}
		if err := d.Write(t.Context(), func(tx *db.Tx) error { return insert(tx, 5, "with a \x00") }); !errors.Is(err, db.ErrNUL) {
			t.Errorf("a NUL: got %v", err)
		}
		if got := notes(t, d); !cmp.Equal(got, []string{"one", "two", "three"}) {
			t.Errorf("there is %q", got)
		}
	})
}

// TestConnectionsThatAreGone holds that nobody learns of connections which broke while
// nobody used them.
func TestConnectionsThatAreGone(t *testing.T) {
	server := pgtest.StartFor(t)
	url := server.DatabaseFor(t, "")
	d, err := db.Open(t.Context(), db.Options{Database: url, Now: time.Now, Log: slog.Default(), Unsynced: true})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	one := func() error {
		_, err := db.ReadOne(t.Context(), d, db.Scalar[int64], `SELECT 1`)
		return err
	}
	// Several connections are open, and all of them break.
	var hold func(depth int, then func() error) error
	hold = func(depth int, then func() error) error {
		return d.Read(t.Context(), func(tx *db.Tx) error {
			if depth == 0 {
				return then()
			}
			return hold(depth-1, then)
		})
	}
	for name, use := range map[string]func() error{
		"ReadOne": one,
		"Read":    func() error { return d.Ping(t.Context()) },
		"Write": func() error {
			return d.Write(t.Context(), func(tx *db.Tx) error { _, err := tx.Exec(`SELECT 1`); return err })
		},
		"WriteLocked": func() error {
			return d.WriteLocked(t.Context(), "room", "a", func(tx *db.Tx) error { _, err := tx.Exec(`SELECT 1`); return err })
		},
	} {
		if err := hold(4, one); err != nil {
			t.Fatal(err)
		}
		if err := server.DropConnections(url); err != nil {
			t.Fatal(err)
		}
		if err := use(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestManyStatements holds that a connection forgets statements before it has too many.
func TestManyStatements(t *testing.T) {
	server := pgtest.StartFor(t)
	d, _ := besides(t, server, "&pool_max_conns=1")
	for n := range 2200 {
		got, err := db.ReadOne(t.Context(), d, db.Scalar[int64], fmt.Sprintf(`SELECT %d + $1::bigint`, n), 1)
		if err != nil || got != int64(n)+1 {
			t.Fatalf("%d: got %d, %v", n, got, err)
		}
	}
	err := d.Read(t.Context(), func(tx *db.Tx) error {
		kept, err := db.Value[int64](tx, `SELECT COUNT(*) FROM pg_prepared_statements`)
		if kept > 400 || kept == 0 {
			t.Errorf("%d statements are kept", kept)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// TestARefusalKeepsTheConnectionAtOnce holds that a transaction which is undone costs no
// connection, whatever it has queued.
func TestARefusalKeepsTheConnectionAtOnce(t *testing.T) {
	server := pgtest.StartFor(t)
	d, other := besides(t, server, "&pool_max_conns=1")
	other(`CREATE TABLE things (n BIGINT PRIMARY KEY)`)
	backend := func() int64 {
		t.Helper()
		pid, err := db.ReadOne(t.Context(), d, db.Scalar[int64], `SELECT pg_backend_pid()`)
		if err != nil {
			t.Fatal(err)
		}
		return pid
	}
	before, refusal := backend(), errors.New("refused")
	for name, refuse := range map[string]func(tx *db.Tx) error{
		"nothing":    func(*db.Tx) error { return refusal },
		"a lock":     func(tx *db.Tx) error { return errors.Join(tx.Lock("room", "a"), refusal) },
		"a row":      func(tx *db.Tx) error { return errors.Join(tx.Later(`INSERT INTO things VALUES ($1)`, 1), refusal) },
		"what fails": func(tx *db.Tx) error { return errors.Join(tx.Later(`INSERT INTO things VALUES (NULL)`), refusal) },
		"what cannot be sent": func(tx *db.Tx) error {
			return errors.Join(tx.Lock("room", "a"), tx.Later(`SELECT $1::text`, "\x00"), refusal)
		},
	} {
		if err := d.Write(t.Context(), refuse); !errors.Is(err, refusal) {
			t.Errorf("%s: %v", name, err)
		}
		var group sync.WaitGroup
		for range 8 {
			group.Go(func() {
				if err := d.WriteLocked(t.Context(), "room", "b", refuse); !errors.Is(err, refusal) {
					t.Errorf("%s, several at once: %v", name, err)
				}
			})
		}
		group.Wait()
		if after := backend(); after != before {
			t.Errorf("%s: the connection was replaced", name)
			before = after
		}
	}
	if n := other(`SELECT n FROM things`); n != 0 {
		t.Errorf("%d rows are there", n)
	}
}
