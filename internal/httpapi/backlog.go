package httpapi

import (
	"os"
	"time"
)

// backlog is how long a request waits before this process reads it. When there is more
// to do than the machine can, requests wait in their sockets and for their goroutines,
// where no queue of the [Admission] sees them. A byte that goes through a pipe waits as
// long. It is guarded by the lock of its [Admission].
type backlog struct {
	watched bool          // it is to be measured, while requests find all places taken
	running bool          // it is measured
	until   time.Time     // when the measuring ends
	sent    time.Time     // of the byte that is under way; zero: none is
	last    time.Duration // how long the one before it took
}

// probeEvery is how long after one byte has arrived the next one is sent.
const probeEvery = 20 * time.Millisecond

// Watch has waits count that are over before a request reaches the Admission. It is for
// a process that reads its requests from connections, and whose clock nobody turns.
func (a *Admission) Watch() {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.backlog.watched = true
}

// lag is the backlog at a time. The lock is held.
func (a *Admission) lag(now time.Time) time.Duration {
	b := &a.backlog
	if b.sent.IsZero() {
		return b.last
	}
	return max(b.last, now.Sub(b.sent))
}

// measure measures the backlog for a while from a time on. The lock is held.
func (a *Admission) measure(now time.Time) {
	b := &a.backlog
	if b.until = now.Add(calm); !b.watched || b.running {
		return
	}
	r, w, err := os.Pipe()
	if err != nil {
		return // the process has all the files that it may; what waits in the lines counts still
	}
	b.running = true
	go a.probe(r, w)
}

func (a *Admission) probe(r, w *os.File) {
	defer r.Close()
	defer w.Close()
	one := make([]byte, 1)
	for {
		time.AfterFunc(probeEvery, func() { // when the reader waits
			a.mu.Lock()
			a.backlog.sent = a.now()
			a.mu.Unlock()
			_, _ = w.Write([]byte{0}) // it fails when the reader has failed
		})
		_, err := r.Read(one)
		a.mu.Lock()
		b, now := &a.backlog, a.now()
		b.last, b.sent = now.Sub(b.sent), time.Time{}
		if over := err != nil || now.After(b.until); over {
			b.last, b.running = 0, false
			a.mu.Unlock()
			return
		}
		a.mu.Unlock()
	}
}
