package bench

import (
	"context"
	"os"
	"time"
)

// A probe reads from outside what a server costs. A process that is not known is 0.
type probe struct{ server, database int }

// usage is one reading.
type usage struct {
	server, database, client, machine time.Duration // of CPU
	written                           int64         // bytes
}

func (p probe) read() usage {
	return usage{
		server: cpu(p.server), database: cpu(p.database), client: processClock(os.Getpid()), machine: machineCPU(),
		written: written(p.server) + written(p.database),
	}
}

const (
	calmCheck    = 250 * time.Millisecond
	calmAtMost   = calmCheck / 50 // of CPU between two checks
	calmChecks   = 2              // in a row
	calmPatience = time.Minute
)

// calm waits until the server and its database next to no longer compute, and
// reports whether that happened within a minute. Only so does the cost of
// operations hold what a server does after it answered.
func (p probe) calm(ctx context.Context) bool {
	if p.server == 0 {
		return true
	}
	last, quiet := cpu(p.server)+cpu(p.database), 0
	for range calmPatience / calmCheck {
		if pause(ctx, calmCheck) != nil {
			return false
		}
		now := cpu(p.server) + cpu(p.database)
		if quiet++; now-last > calmAtMost {
			quiet = 0
		}
		if last = now; quiet == calmChecks {
			return true
		}
	}
	return false
}

// pause waits, or fails at the end of the context.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
