package db_test

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/db/powerloss"
)

func openFile(t *testing.T, file string, unsynced bool) (*db.DB, error) {
	t.Helper()
	return db.Open(t.Context(), db.Options{Database: file, Now: time.Now, Log: slog.Default(), Unsynced: unsynced})
}

// ledger is a database whose writers count what they wrote, so that what is lost or
// half there shows.
type ledger struct {
	folder string
	d      *db.DB
}

const ledgerFile = "ledger.db"

func openLedger(t *testing.T, folder string, unsynced bool) (ledger, error) {
	t.Helper()
	d, err := openFile(t, filepath.Join(folder, ledgerFile), unsynced)
	return ledger{folder, d}, err
}

// newLedger makes an empty ledger, and closes it.
func newLedger(t *testing.T, writers int) (folder string) {
	t.Helper()
	folder = t.TempDir()
	l, err := openLedger(t, folder, true)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.d.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	write(t, l.d, func(tx *db.Tx) error {
		for _, st := range []string{
			`CREATE TABLE writers (writer BIGINT PRIMARY KEY, last BIGINT NOT NULL, parts BIGINT NOT NULL)`,
			`CREATE TABLE parts (writer BIGINT NOT NULL REFERENCES writers, number BIGINT NOT NULL, part BIGINT NOT NULL, pos BIGINT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (writer, number, part))`,
			`CREATE UNIQUE INDEX parts_pos ON parts (pos)`,
		} {
			if _, err := tx.Exec(st); err != nil {
				return err
			}
		}
		for w := range writers {
			if _, err := tx.Exec(`INSERT INTO writers (writer, last, parts) VALUES ($1, 0, 0)`, w); err != nil {
				return err
			}
		}
		return nil
	})
	if err := l.d.Close(); err != nil {
		t.Fatal(err)
	}
	return folder
}

// enter writes the next number of a writer, in parts of some size, and drops the old.
func (l ledger) enter(t *testing.T, writer int, sizes []int) (number int64, err error) {
	err = l.d.Write(t.Context(), func(tx *db.Tx) (err error) {
		number, err = db.Value[int64](tx, `UPDATE writers SET last = last + 1, parts = parts + $1 WHERE writer = $2 RETURNING last`, len(sizes), writer)
		if err != nil {
			return err
		}
		for part, size := range sizes {
			pos, err := tx.Next()
			if err != nil {
				return err
			}
			if _, err := tx.Exec(`INSERT INTO parts (writer, number, part, pos, body) VALUES ($1, $2, $3, $4, $5)`,
				writer, number, part, pos, strings.Repeat(string(rune('a'+part)), size)); err != nil {
				return err
			}
		}
		dropped, err := tx.Exec(`DELETE FROM parts WHERE writer = $1 AND number <= $2`, writer, number-40)
		if err != nil {
			return err
		}
		_, err = tx.Exec(`UPDATE writers SET parts = parts - $1 WHERE writer = $2`, dropped, writer)
		return err
	})
	return number, err
}

// work has all writers enter at the same time, and marks what was acknowledged.
func (l ledger) work(t *testing.T, disk *powerloss.Disk, random *rand.Rand, writers, each int) {
	t.Helper()
	var wg sync.WaitGroup
	for w := range writers {
		own := rand.New(rand.NewPCG(random.Uint64(), 0))
		wg.Go(func() {
			for i := range each {
				sizes := make([]int, 1+own.IntN(6))
				for n := range sizes {
					sizes[n] = 1 + own.IntN(12_000)
				}
				number, err := l.enter(t, w, sizes)
				if err != nil {
					t.Error(err)
					return
				}
				disk.Mark(fmt.Sprint(w, " ", number))
				if own.IntN(each) == 0 || i == each/2 && w == 0 {
					if err := l.d.Checkpoint(t.Context()); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
}

// faults says what is wrong with a ledger after a cut: a word for each fault.
func (l ledger) faults(t *testing.T, seen []string) (faults []string) {
	t.Helper()
	acknowledged := map[int64]int64{}
	for _, s := range seen {
		var w, n int64
		if _, err := fmt.Sscan(s, &w, &n); err != nil {
			t.Fatal(err)
		}
		acknowledged[w] = max(acknowledged[w], n)
	}
	err := l.d.Read(t.Context(), func(tx *db.Tx) error {
		if whole, err := db.Value[string](tx, `PRAGMA integrity_check`); err != nil || whole != "ok" {
			return fmt.Errorf("not whole: %s %w", whole, err)
		}
		if _, err := db.Value[string](tx, `PRAGMA foreign_key_check`); err != db.ErrNoRow {
			return fmt.Errorf("a row refers to none: %w", err)
		}
		type row struct{ writer, last, parts, numbers, newest, counted int64 }
		rows, err := db.All(tx, func(r db.Row) (w row, err error) {
			err = r.Scan(&w.writer, &w.last, &w.parts, &w.numbers, &w.newest, &w.counted)
			return w, err
		}, `SELECT w.writer, w.last, w.parts, COUNT(DISTINCT p.number), COALESCE(MAX(p.number), 0), COUNT(p.number)
			FROM writers w LEFT JOIN parts p ON p.writer = w.writer GROUP BY w.writer, w.last, w.parts`)
		if err != nil {
			return err
		}
		for _, w := range rows {
			if w.last < acknowledged[w.writer] {
				faults = append(faults, fmt.Sprintf("lost: writer %d was told of %d, and %d is the last", w.writer, acknowledged[w.writer], w.last))
			}
			if w.newest != w.last || w.numbers != min(w.last, 40) || w.counted != w.parts {
				faults = append(faults, fmt.Sprintf("half there: %+v", w))
			}
		}
		beyond, err := db.Value[int64](tx, `SELECT COUNT(*) FROM parts, stream WHERE parts.pos > stream.pos`)
		if beyond > 0 {
			faults = append(faults, "half there: a position that was not given yet")
		}
		return err
	})
	if err != nil {
		faults = append(faults, err.Error())
	}
	return faults
}

// afterCut opens what a cut left and gives its faults. It writes once more, too.
func afterCut(t *testing.T, image powerloss.Image, unsynced bool) (folder string, faults []string) {
	t.Helper()
	folder = t.TempDir()
	if err := image.Write(folder); err != nil {
		t.Fatal(err)
	}
	l, err := openLedger(t, folder, unsynced)
	if err != nil {
		return folder, []string{"does not open: " + err.Error()}
	}
	defer l.d.Close()
	if faults = l.faults(t, image.Seen); len(faults) > 0 {
		return folder, faults
	}
	if _, err := l.enter(t, 0, []int{100}); err != nil {
		return folder, []string{"cannot be written: " + err.Error()}
	}
	return folder, l.faults(t, image.Seen)
}

// drop removes a folder that is not needed any more, since there are many.
func drop(t *testing.T, folder string) {
	t.Helper()
	if err := os.RemoveAll(folder); err != nil {
		t.Error(err)
	}
}

// generations lets writers work, cuts the power at so many moments of the history, and
// goes on with one of the disks that were left. It gives the cuts that had faults.
func generations(t *testing.T, n, each int, unsynced bool) (faulty []string) {
	t.Helper()
	const writers = 4
	random := powerloss.Chance(t)
	folder := newLedger(t, writers)
	acknowledged, open := 0, 0
	for cut := 0; cut < n; {
		disk, err := powerloss.Watch(folder)
		if err != nil {
			t.Fatal(err)
		}
		l, err := openLedger(t, folder, unsynced)
		if err != nil {
			t.Fatal(err)
		}
		l.work(t, disk, random, writers, each)
		if err := l.d.Close(); err != nil {
			t.Error(err)
		}
		disk.Forget()
		for range min(10, n-cut) {
			cut++
			image := disk.Cut(random.IntN(disk.Len()+1), random.IntN)
			acknowledged, open = acknowledged+len(image.Seen), open+image.Unsynced
			left, faults := afterCut(t, image, unsynced)
			if len(faults) > 0 {
				faulty = append(faulty, fmt.Sprintf("cut %d: %s", cut, strings.Join(faults, "\n")))
				drop(t, left)
				continue
			}
			drop(t, folder)
			folder = left
		}
	}
	t.Logf("%d cuts, before which %d writes were acknowledged; %d changes of files were not synced", n, acknowledged, open)
	return faulty
}

// TestPowerLossLosesNothingAcknowledgedAtOnce cuts the power while four writers work.
func TestPowerLossLosesNothingAcknowledgedAtOnce(t *testing.T) {
	for _, f := range generations(t, powerloss.Cuts(t, 20), 60, false) {
		t.Error(f)
	}
}

// TestPowerLossIsSeen holds that the test above can fail: without the sync of a
// commit, most cuts lose what was acknowledged.
func TestPowerLossIsSeen(t *testing.T) {
	faulty := generations(t, 10, 30, true)
	if len(faulty) == 0 {
		t.Error("nothing was lost without a sync")
	}
	for _, f := range faulty {
		first, _, _ := strings.Cut(f, "\n")
		t.Log("as it should be, ", first)
	}
}

// TestPowerLossInTheFirstStart cuts the power while the schema is made, and starts
// again.
func TestPowerLossInTheFirstStart(t *testing.T) {
	random := powerloss.Chance(t)
	folder := t.TempDir()
	disk, err := powerloss.Watch(folder)
	if err != nil {
		t.Fatal(err)
	}
	schema := func(folder string) string {
		d, err := openFile(t, filepath.Join(folder, ledgerFile), false)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		if _, err := d.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		disk.Mark("whole")
		var whole string
		var texts []string
		if err := d.Read(t.Context(), func(tx *db.Tx) (err error) {
			if whole, err = db.Value[string](tx, `PRAGMA integrity_check`); err != nil {
				return err
			}
			texts, err = db.All(tx, db.Scalar[string], `SELECT name || ' ' || COALESCE(sql, '') FROM sqlite_schema ORDER BY name`)
			return err
		}); err != nil || whole != "ok" {
			t.Fatal(whole, err)
		}
		return strings.Join(texts, "\n")
	}
	want := schema(folder)
	disk.Forget()
	for cut := range powerloss.Cuts(t, 10) {
		image := disk.Cut(random.IntN(disk.Len()+1), random.IntN)
		left := t.TempDir()
		if err := image.Write(left); err != nil {
			t.Fatal(err)
		}
		if got := schema(left); got != want {
			t.Errorf("cut %d: the schema is another", cut)
		}
		drop(t, left)
	}
}
