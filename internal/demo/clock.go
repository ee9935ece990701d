package demo

import (
	"context"
	"sync/atomic"
	"time"
)

// clock is that of a throwaway server. It can be moved, so that nobody waits for
// what takes minutes.
type clock struct {
	real  func() time.Time
	ahead atomic.Int64 // a time.Duration
}

func (c *clock) now() time.Time { return c.real().Add(time.Duration(c.ahead.Load())) }

func (c *clock) move(d time.Duration) { c.ahead.Add(int64(d)) }

// hurry waits a hundredth of the time.
func hurry(ctx context.Context, d time.Duration) error { return pause(ctx, d/100, nil) }

// pause waits for the time, or until enough is closed.
func pause(ctx context.Context, d time.Duration, enough <-chan struct{}) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-enough:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}
