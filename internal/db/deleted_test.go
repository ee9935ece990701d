package db_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/db"
)

func TestWhatIsDeletedLeavesTheFile(t *testing.T) {
	const mark = "a-word-that-nobody-else-writes"
	file := filepath.Join(t.TempDir(), "test.db")
	d, err := db.Open(t.Context(), db.Options{Database: file, Now: time.Now, Log: slog.Default(), Unsynced: true})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	found := func() int {
		t.Helper()
		if err := d.Checkpoint(t.Context()); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return bytes.Count(text, []byte(mark))
	}
	write(t, d, func(tx *db.Tx) error {
		_, err := tx.Exec(`CREATE TABLE secrets (n BIGINT PRIMARY KEY, word TEXT NOT NULL)`)
		return err
	})
	write(t, d, func(tx *db.Tx) error {
		for n := range 200 { // some share a page, and some need several
			if _, err := tx.Exec(`INSERT INTO secrets VALUES ($1, $2)`, n, strings.Repeat(mark, 1+n)); err != nil {
				return err
			}
		}
		return nil
	})
	if n := found(); n < 200*201/2-200 { // a word may lie across two pages
		t.Fatalf("the file has %d of the words that were written", n)
	}
	write(t, d, func(tx *db.Tx) error {
		_, err := tx.Exec(`DELETE FROM secrets WHERE n = 0`)
		return err
	})
	write(t, d, func(tx *db.Tx) error {
		_, err := tx.Exec(`UPDATE secrets SET word = 'another' WHERE n % 2 = 0`)
		return err
	})
	write(t, d, func(tx *db.Tx) error {
		_, err := tx.Exec(`DELETE FROM secrets WHERE n % 2 = 1`)
		return err
	})
	if n := found(); n > 0 {
		t.Errorf("the file has %d of the words that were deleted or changed", n)
	}
}
