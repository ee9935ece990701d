package main

import (
	"context"
	"os"
	"runtime"
	"runtime/metrics"
	"time"
)

// How the number of processors follows the work: see useProcessors.
const (
	look    = 100 * time.Millisecond // from one look to the next
	rarely  = time.Second            // likewise, while there is nothing to do
	crowded = 2.0                    // goroutines that wait for a processor, for each of them
	empty   = 0.5
	idle    = 0.05 // in all

	shortest, longest = 5, 80 // looks until there is one processor less
)

// useProcessors lets Go use as many processors as there is work for, until the context
// ends. With a processor to spare, every request pays for threads that are woken, look
// for work, find none and sleep again; a server that answers one request at a time needs
// a third more of the CPU then, and answers later. Under load it uses two at least, also
// on one: a commit to SQLite keeps one of Go's while the disk works. With the environment
// variable GOMAXPROCS the operator says how many, and nothing changes that. See
// docs/decisions/0022-processors-as-needed.md.
func useProcessors(ctx context.Context) {
	if os.Getenv("GOMAXPROCS") != "" {
		return
	}
	d := newDemand(runtime.GOMAXPROCS(0))
	timer := time.NewTimer(look)
	defer timer.Stop()
	latencies := []metrics.Sample{{Name: "/sched/latencies:seconds"}}
	var waited float64
	for last := time.Now(); ; {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		metrics.Read(latencies)
		now, all := time.Now(), total(latencies[0].Value.Float64Histogram())
		before, waiting := d.processors, (all-waited)/now.Sub(last).Seconds()
		if n := d.after(waiting); n != before {
			runtime.GOMAXPROCS(n)
		}
		next := look
		if waiting < idle && d.processors == 1 {
			next = rarely
		}
		timer.Reset(next)
		last, waited = now, all
	}
}

// sampled is how many changes of a goroutine's state there are for one that the runtime
// takes into its histogram.
const sampled = 8

// total is for how long goroutines have waited for a processor, in seconds, together.
func total(h *metrics.Float64Histogram) (seconds float64) {
	for i := 1; i < len(h.Counts)-1; i++ { // the first and the last have no other end
		seconds += float64(h.Counts[i]) * (h.Buckets[i] + h.Buckets[i+1]) / 2 * sampled
	}
	return seconds
}

// demand knows how many processors are in use, and whether that is too few or too many.
type demand struct {
	most, processors int
	patience         int     // looks until there is one processor less
	tried            bool    // there is one less, and it is not known whether that is enough
	crowds           int     // looks in a row that found too many who wait
	looks            int     // since the last decision
	waiting          float64 // the sum of what these found
}

// newDemand is for a server that has so many processors, and uses all of them. Two is the
// least that it may come to use: see useProcessors.
func newDemand(processors int) demand {
	return demand{most: max(2, processors), processors: processors, patience: shortest}
}

// after is how many processors are to be used when so many goroutines have been waiting
// for one, on average, since the last look. The number doubles when there is a crowd
// twice in a row; it shrinks by one after a while in which hardly anybody had to wait,
// and after a longer while when that was one too few the last time.
func (d *demand) after(waiting float64) int {
	d.looks++
	d.waiting += waiting
	if d.crowds++; waiting < crowded*float64(d.processors) {
		d.crowds = 0
	}
	switch {
	case d.crowds == 2 && d.processors < d.most:
		if d.tried {
			d.patience = min(2*d.patience, longest)
		}
		d.decide(min(d.most, 2*d.processors), false)
	case d.looks < d.patience:
	case d.processors > 1 && d.waiting < empty*float64(d.processors*d.looks):
		d.decide(d.processors-1, true)
	default:
		if d.tried {
			d.patience = shortest
		}
		d.decide(d.processors, false)
	}
	return d.processors
}

func (d *demand) decide(processors int, tried bool) {
	*d = demand{most: d.most, processors: processors, patience: d.patience, tried: tried}
}
