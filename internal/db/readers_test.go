package db

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"testing"
	"time"
)

func openTestFile(t *testing.T) *DB {
	t.Helper()
	d, err := Open(t.Context(), Options{Database: filepath.Join(t.TempDir(), "test.db"), Now: time.Now, Log: slog.Default(), Unsynced: true})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// nested reads n times at once.
func nested(ctx context.Context, d *DB, n int, innermost func() error) error {
	if n == 0 {
		return innermost()
	}
	return d.Read(ctx, func(*Tx) error { return nested(ctx, d, n-1, innermost) })
}

func TestAReaderIsOpenedWhenItIsNeeded(t *testing.T) {
	d := openTestFile(t)
	none := func() error { return nil }
	for _, c := range []struct{ atOnce, open int }{{0, 0}, {1, 1}, {1, 1}, {3, 3}, {1, 3}, {2, 3}} {
		if err := nested(t.Context(), d, c.atOnce, none); err != nil {
			t.Fatal(err)
		}
		if got := len(d.readers.idle); got != c.open {
			t.Errorf("after %d reads at once %d connections are open, want %d", c.atOnce, got, c.open)
		}
	}
	last := d.readers.idle[2]
	err := d.Read(t.Context(), func(tx *Tx) error {
		if tx.lite != last {
			t.Error("a read takes another connection than the one that was used last")
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

func TestReadersAreBounded(t *testing.T) {
	d := openTestFile(t)
	all := cap(d.readers.places)
	if all < 4 || all > maxReaders {
		t.Fatalf("%d may read at once", all)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err := nested(ctx, d, all, func() error {
		cancel() // what would wait for a connection need not any more
		_, err := d.reader(ctx)
		return err
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("one more: %v", err)
	}
	if err := nested(t.Context(), d, all, func() error { return nil }); err != nil {
		t.Errorf("as many again: %v", err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if err := nested(t.Context(), d, 1, func() error { return nil }); !errors.Is(err, ErrClosed) {
		t.Errorf("a read after the end: %v", err)
	}
}

func TestAReaderThatCannotBeOpenedTakesNoPlace(t *testing.T) {
	d := openTestFile(t)
	file := d.file
	d.file = "file:" + filepath.Join(t.TempDir(), "no", "folder.db")
	for range cap(d.readers.places) + 1 {
		if err := nested(t.Context(), d, 1, func() error { return nil }); !errors.Is(err, ErrUnavailable) {
			t.Fatalf("without a file: %v", err)
		}
	}
	d.file = file
	if err := nested(t.Context(), d, cap(d.readers.places), func() error { return nil }); err != nil {
		t.Errorf("with the file again: %v", err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}
