package bench

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// A meter collects what happens in one stretch. Many goroutines may use it.
type meter struct {
	now func() time.Time

	mu     sync.Mutex
	took   []time.Duration // of the operations that succeeded
	failed int
	first  error // of those that failed
	cut    bool
	notes  map[string]float64
}

// add counts an operation that is over.
func (m *meter) add(took time.Duration, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err == nil {
		m.took = append(m.took, took)
		return
	}
	if m.failed++; m.first == nil {
		m.first = err
	}
}

// note keeps a figure that this stretch alone has.
func (m *meter) note(name string, value float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.notes == nil {
		m.notes = map[string]float64{}
	}
	m.notes[name] = rounded(value)
}

// once makes one operation. What the limit of time cuts off does not count.
func (m *meter) once(ctx context.Context, operation func() error) {
	start := m.now()
	err := operation()
	if ctx.Err() != nil {
		m.mu.Lock()
		m.cut = true
		m.mu.Unlock()
		return
	}
	m.add(m.now().Sub(start), err)
}

// each makes n operations, some at once, until the context ends.
func (m *meter) each(ctx context.Context, n, atOnce int, operation func(i int) error) {
	var next atomic.Int64
	var group sync.WaitGroup
	for range min(atOnce, n) {
		group.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				m.once(ctx, func() error { return operation(i) })
			}
		})
	}
	group.Wait()
}

// succeeded is how many operations did.
func (m *meter) succeeded() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.took)
}

// measure measures one stretch. It begins and ends when the server is calm.
func (r *run) measure(ctx context.Context, scenario string, size int, stretch func(ctx context.Context, m *meter)) Result {
	limited, cancel := context.WithTimeout(ctx, r.Limit)
	defer cancel()
	m := &meter{now: r.Now}
	r.probe.calm(ctx)
	before, start := r.probe.read(), r.Now()
	stretch(limited, m)
	seconds := r.Now().Sub(start).Seconds()
	settled := r.probe.calm(ctx)
	after, end := r.probe.read(), r.Now()
	result := Result{
		Label: r.Label, Scenario: scenario, Size: size,
		Operations: len(m.took), Failed: m.failed, Cut: m.cut, Unsettled: !settled,
		Seconds: rounded(seconds), Latency: latency(m.took),
		SeparateDatabase: r.separate, Resident: rounded(float64(resident(r.probe.server)) / (1 << 20)), Notes: m.notes,
	}
	if m.first != nil {
		result.Failure = m.first.Error()
	}
	if n := float64(result.Operations); n > 0 {
		server, database := after.server-before.server, after.database-before.database
		result.PerSecond = rounded(n / seconds)
		result.ServerCPU, result.DatabaseCPU = rounded(milliseconds(server)/n), rounded(milliseconds(database)/n)
		result.Written = rounded(float64(after.written-before.written) / 1024 / n)
		others := after.machine - before.machine - server - database - (after.client - before.client)
		result.Others = rounded(max(0, others.Seconds()/end.Sub(start).Seconds()))
	}
	if ctx.Err() == nil { // else it was interrupted
		r.keep(result)
	}
	return result
}
