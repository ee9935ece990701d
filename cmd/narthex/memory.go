package main

import (
	"context"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// ballast is what the garbage collector counts as in use although it is never touched,
// and so takes no memory. With little in memory it would run at every 4 MiB, many times
// a second.
const ballast = 32 << 20

// A server that allocates less than quiet while a tick lasts has nothing to do. What it
// allocated since the last time must be worth a collection, and what the next work pays
// to touch the memory again. When hardly anything happened for a few ticks, work does not
// come so often, and less is worth it.
const (
	tick    = 2 * time.Second
	quiet   = 4 << 20
	worthIt = ballast

	hardly = 512 << 10
	aFew   = 3
)

// giveBack returns memory to the system when the server has become quiet after work. The
// runtime would keep as much as the garbage of the work took.
func giveBack(ctx context.Context) {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	allocated := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	var c calm
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		metrics.Read(allocated)
		if c.after(allocated[0].Value.Uint64()) {
			if c.ticks >= aFew {
				runtime.GC() // what pools hold, and stacks that were deep, need two collections
			}
			debug.FreeOSMemory()
		}
	}
}

// calm knows how much was allocated by the last tick, and when memory was given back, in
// bytes since the start, and for how many ticks hardly anything happened.
type calm struct {
	before, given uint64
	ticks         int
}

// after reports whether memory is to be given back at a tick.
func (c *calm) after(allocated uint64) bool {
	lately, garbage := allocated-c.before, allocated-c.given
	c.before = allocated
	if c.ticks++; lately >= hardly {
		c.ticks = 0
	}
	due := lately < quiet && garbage >= worthIt || c.ticks >= aFew && garbage >= quiet
	if due {
		c.given = allocated
	}
	return due
}
