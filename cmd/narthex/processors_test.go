package main

import (
	"runtime"
	"runtime/metrics"
	"slices"
	"testing"
)

func TestProcessorsFollowTheWork(t *testing.T) {
	repeat := func(waiting float64, looks int) []float64 { return slices.Repeat([]float64{waiting}, looks) }
	for _, c := range []struct {
		name       string
		all, start int
		waiting    []float64 // at each look
		want       int
	}{
		{"nothing to do", 2, 2, repeat(0, shortest), 1},
		{"nothing to do for long", 8, 8, repeat(0, 10*shortest), 1},
		{"not yet", 2, 2, repeat(0, shortest-1), 2},
		{"one request after the other", 2, 1, repeat(1.3, 50), 1},
		{"a short crowd", 2, 1, []float64{0, 9, 0, 9, 0, 9, 0}, 1},
		{"a crowd", 2, 1, []float64{0, 3, 3}, 2},
		{"a crowd, with as many as there are", 2, 2, repeat(30, 50), 2},
		{"a crowd, on one processor", 1, 1, repeat(3, 2), 2},
		{"nothing to do, on one processor", 1, 2, repeat(0, shortest), 1},
		{"a larger crowd", 16, 1, repeat(40, 8), 16},
		{"work enough", 4, 4, repeat(3, 50), 4},
		{"a pause after work", 4, 4, append(repeat(30, 12), repeat(0, 4*shortest)...), 1},
		{"one too few, which is found out less and less often", 2, 2,
			append(slices.Repeat(append(repeat(0, shortest), 3, 3), 3), repeat(0, shortest)...), 2},
		{"it was enough, and so it is tried soon again", 2, 2,
			append(slices.Repeat(append(repeat(0, 3*shortest), 3, 3), 3), repeat(0, shortest)...), 1},
	} {
		d := newDemand(c.all)
		d.processors = c.start
		for _, waiting := range c.waiting {
			if n := d.after(waiting); n < 1 || n > max(2, c.all) {
				t.Fatalf("%s: %d processors", c.name, n)
			}
		}
		if d.processors != c.want {
			t.Errorf("%s: %d processors in the end, want %d", c.name, d.processors, c.want)
		}
		if d.patience > longest {
			t.Errorf("%s: a patience of %d looks", c.name, d.patience)
		}
	}
}

// TestTheTimeThatGoroutinesWait holds that the runtime tells what is asked of it.
func TestTheTimeThatGoroutinesWait(t *testing.T) {
	h := &metrics.Float64Histogram{Counts: []uint64{5, 2, 1, 7}, Buckets: []float64{0, 1, 3, 5, 9}}
	if got := total(h); got != (2*2+1*4)*sampled {
		t.Errorf("total: %v", got)
	}
	s := []metrics.Sample{{Name: "/sched/latencies:seconds"}}
	for metrics.Read(s); total(s[0].Value.Float64Histogram()) == 0; metrics.Read(s) {
		done := make(chan bool)
		go close(done)
		<-done
		runtime.Gosched()
	}
}
