package db_test

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/db"
)

// keptLog is what SQLite's write-ahead log keeps of its length when it begins anew, in
// bytes: journal_size_limit.
const keptLog = 64 << 20

// TestK21_StartAfterACrash lets the write-ahead log grow under a reader that does not
// end, starts on a copy of the files as a crash would leave them, and prints how long that
// took. When the reader has ended, the log becomes short again.
func TestK21_StartAfterACrash(t *testing.T) {
	size, err := strconv.ParseInt(os.Getenv("NARTHEX_WAL"), 10, 64)
	if err != nil {
		t.Skip("to run it, with the size of the log in MiB: NARTHEX_WAL=256 go test -run K21 -v ./internal/db/")
	}
	size <<= 20
	folder := newLedger(t, 1)
	l, err := openLedger(t, folder, true)
	if err != nil {
		t.Fatal(err)
	}
	defer l.d.Close()
	file := filepath.Join(folder, ledgerFile)
	number := 0
	fill := func(until func() bool) {
		t.Helper()
		for !until() {
			number++
			write(t, l.d, func(tx *db.Tx) error {
				for part := range 64 {
					if _, err := tx.Exec(`INSERT INTO parts (writer, number, part, pos, body) VALUES (0, $1, $2, $3, $4)`,
						number, part, number*64+part, strings.Repeat("x", 8<<10)); err != nil {
						return err
					}
				}
				return nil
			})
		}
	}
	fill(func() bool { return length(t, file) > size }) // the database itself

	err = l.d.Read(t.Context(), func(tx *db.Tx) error {
		if _, err := tx.Position(); err != nil { // the snapshot begins
			return err
		}
		fill(func() bool { return length(t, file+"-wal") > size })
		crashed := t.TempDir()
		for _, name := range []string{ledgerFile, ledgerFile + "-wal"} {
			raw, err := os.ReadFile(filepath.Join(folder, name))
			if err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(crashed, name), raw, 0o600); err != nil {
				return err
			}
		}
		begin := time.Now()
		again, err := openLedger(t, crashed, false)
		if err != nil {
			return err
		}
		_, err = again.d.Migrate(t.Context())
		ready := errors.Join(err, again.d.Ping(t.Context()))
		t.Logf("a database of %d MiB with a log of %d MiB was ready after %v", length(t, file)>>20, length(t, file+"-wal")>>20, time.Since(begin))
		return errors.Join(ready, again.d.Close())
	})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	fill(func() bool { n++; return n > 8 })
	if got := length(t, file+"-wal"); got > keptLog {
		t.Errorf("the log has %d MiB, when nobody reads any more; %d are kept", got>>20, keptLog>>20)
	}
}

func length(t *testing.T, file string) int64 {
	t.Helper()
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// TestTheLogIsMovedBetweenCommits writes little often: the log stays far below the length
// at which a commit would have to move it.
func TestTheLogIsMovedBetweenCommits(t *testing.T) {
	folder := newLedger(t, 1)
	l, err := openLedger(t, folder, true)
	if err != nil {
		t.Fatal(err)
	}
	defer l.d.Close()
	for number := range 1000 {
		write(t, l.d, func(tx *db.Tx) error {
			_, err := tx.Exec(`INSERT INTO parts (writer, number, part, pos, body) VALUES (0, $1, 0, $1, $2)`, number, strings.Repeat("x", 8<<10))
			return err
		})
	}
	if got := length(t, filepath.Join(folder, ledgerFile+"-wal")); got > 8<<20 {
		t.Errorf("the log has %d KiB", got>>10)
	}
}
