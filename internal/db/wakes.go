package db

import (
	"context"
	"sync"
)

// Wakes holds back the wake-ups of writes, so that whoever asked for a write is
// answered before those who wait for what was written: some clients are confused
// by an event that comes before the answer to its sending.
type Wakes struct {
	mu   sync.Mutex
	wake func([]string)
	keys []string
}

type wakesKey struct{}

// HoldWakes gives a context whose writes wake nobody before Release.
func HoldWakes(ctx context.Context) (context.Context, *Wakes) {
	w := &Wakes{}
	return context.WithValue(ctx, wakesKey{}, w), w
}

// Release wakes whom the writes woke. If there is anybody, it calls before first.
func (w *Wakes) Release(before func()) {
	w.mu.Lock()
	keys := w.keys
	w.keys = nil
	w.mu.Unlock()
	if len(keys) > 0 {
		before()
		fault(faultAnswered)
		w.wake(keys)
	}
}

// ReleaseWakes wakes whom writes with the context have woken so far. A request that
// goes on to wait calls it first.
func ReleaseWakes(ctx context.Context) {
	if w, ok := ctx.Value(wakesKey{}).(*Wakes); ok {
		w.Release(func() {})
	}
}

// wakeAfter wakes for a write that has been committed, now or when the context's
// wake-ups are released.
func (d *DB) wakeAfter(ctx context.Context, keys []string) {
	if len(keys) == 0 {
		return
	}
	w, ok := ctx.Value(wakesKey{}).(*Wakes)
	if !ok {
		d.wake(keys)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wake = d.wake
	w.keys = append(w.keys, keys...)
}
