package db_test

import (
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/db"
)

// BenchmarkRead compares a transaction that reads a row with a read of its own.
func BenchmarkRead(b *testing.B) {
	d, err := db.Open(b.Context(), db.Options{Database: filepath.Join(b.TempDir(), "b.db"), Now: time.Now, Log: slog.Default(), Unsynced: true})
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	if _, err := d.Migrate(b.Context()); err != nil {
		b.Fatal(err)
	}
	scan := func(r db.Row) (n int64, err error) {
		var a, c, e string
		var f *int64
		err = r.Scan(&n, &a, &c, &e, &f)
		return n, err
	}
	const q = `SELECT pos, 'alice', 'DEVICE', 'client', NULL FROM stream WHERE pos >= $1`
	b.Run("transaction", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := d.Read(b.Context(), func(tx *db.Tx) error { _, err := db.One(tx, scan, q, int64(0)); return err }); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("one", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := db.ReadOne(b.Context(), d, scan, q, int64(0)); err != nil {
				b.Fatal(err)
			}
		}
	})
}
