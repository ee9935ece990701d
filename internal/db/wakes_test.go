package db_test

import (
	"slices"
	"testing"

	"github.com/narthex-matrix/narthex/internal/db"
)

func TestWakesAreHeldUntilTheyAreReleased(t *testing.T) {
	engines(t, func(t *testing.T, d *db.DB, woken *wakes) {
		ctx, held := db.HoldWakes(t.Context())
		wake := func(key string) {
			t.Helper()
			if err := d.Write(ctx, func(tx *db.Tx) error { tx.Wake(key); return nil }); err != nil {
				t.Fatal(err)
			}
		}
		wake("one")
		wake("two")
		if got := woken.all(); got != nil {
			t.Errorf("woken too early: %q", got)
		}
		flushed := 0
		held.Release(func() { flushed++ })
		held.Release(func() { flushed++ })
		if got := woken.all(); !slices.Equal(got, []string{"one", "two"}) || flushed != 1 {
			t.Errorf("released: got %q, with %d calls", got, flushed)
		}
		wake("three")
		db.ReleaseWakes(ctx)
		db.ReleaseWakes(t.Context()) // nothing is held
		if got := woken.all(); len(got) != 3 {
			t.Errorf("released early: got %q", got)
		}
	})
}
