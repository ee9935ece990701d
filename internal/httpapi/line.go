package httpapi

import (
	"slices"
	"time"
)

// line is a number of places, and the requests that wait for one. It is guarded by
// the lock of its [Admission].
type line struct {
	places, busy int
	again        []*waiter // had a place before, and go first
	waiting      []*waiter
	rests        bool // it is of a room, and that is among those which rest
	pressure
}

// arrival is when a request came to the server, and when to the line where it is.
type arrival struct{ began, came time.Time }

type waiter struct {
	arrival
	ready chan struct{} // closed when the waiter has its place
	done  bool          // likewise; or it is refused
	err   error         // why it is refused
}

// take takes a place if there is one for a request that comes now.
func (l *line) take() bool {
	if l.busy >= l.places { // while requests wait, every place is taken
		return false
	}
	l.busy++
	return true
}

func newWaiter(at arrival) *waiter {
	return &waiter{arrival: at, ready: make(chan struct{})}
}

// forget takes away somebody who waits no longer.
func (l *line) forget(w *waiter) {
	if i := slices.Index(l.waiting, w); i >= 0 {
		l.waiting = slices.Delete(l.waiting, i, i+1)
	}
}

// leave gives up a place, to the next who waits if there is one.
func (l *line) leave(now func() time.Time) {
	w, rest := first(l.again)
	if l.again = rest; w == nil {
		if w, l.waiting = first(l.waiting); w == nil {
			l.busy--
			return
		}
		at := now()
		l.note(at.Sub(w.came), at)
	}
	w.done = true
	close(w.ready)
}

// refuse refuses up to n of those who would be answered too late, while the line is shed.
func (l *line) refuse(n int, now time.Time, why func() error) {
	for ; n > 0 && len(l.waiting) > 0 && now.Sub(l.waiting[0].began) >= late; n-- {
		var w *waiter
		w, l.waiting = first(l.waiting)
		w.done, w.err = true, why()
		close(w.ready)
	}
}

// first takes the first of a queue, nil if it is empty.
func first(queue []*waiter) (*waiter, []*waiter) {
	if len(queue) == 0 {
		return nil, queue
	}
	w := queue[0]
	queue[0] = nil
	return w, queue[1:]
}

// age is how long the one who came first has been waiting.
func (l *line) age(now time.Time) time.Duration {
	if len(l.waiting) == 0 {
		return 0
	}
	return now.Sub(l.waiting[0].came)
}

// long reports whether one more would wait more than briefly: the first has done so, or
// there are half as many as are worked on at once.
func (l *line) long(age time.Duration) bool {
	return age >= brief || 2*len(l.waiting) >= l.places
}

// scarce reports whether most places are taken: by more than one room.
func (l *line) scarce() bool { return 4*l.busy >= 3*l.places }

// The rules by which the requests that are less important are shed. They follow
// controlled delay (RFC 8289): it does not matter how many wait, but whether a wait
// stays, since a burst passes and a queue that stands only makes everybody late.
const (
	standing = 100 * time.Millisecond // a wait that is too long, if it stays
	late     = 40 * time.Millisecond  // likewise while some are shed; for one request, in all lines together
	interval = 50 * time.Millisecond  // how long it stays before the next kind is shed
	brief    = 15 * time.Millisecond  // the wait that is left to a kind that is shed
	calm     = 500 * time.Millisecond // how long no wait is longer than brief before one kind less is shed
)

// pressure is how long the requests of a line have been waiting too long.
type pressure struct {
	since time.Time // zero: they do not
	stage int       // how many intervals they did; one less after each time of calm
	until time.Time // when the next one is over, if nobody waits meanwhile
}

// note takes down how long a request waits, or has waited.
func (p *pressure) note(delay time.Duration, now time.Time) {
	p.settle(now)
	tooLong := standing
	if p.stage > 0 {
		tooLong = late
	}
	switch {
	case delay < tooLong:
		p.since = time.Time{}
	case p.since.IsZero():
		p.since = now
	default:
		p.stage = max(p.stage, min(lastStage, int(now.Sub(p.since)/interval)))
	}
	if delay >= brief {
		p.until = now.Add(calm)
	}
}

// settle has the pressure be less by one stage for each time of calm.
func (p *pressure) settle(now time.Time) {
	for p.stage > 0 && !now.Before(p.until) {
		p.stage--
		p.until = p.until.Add(calm)
	}
}

// last has the pressure last, since somebody is refused who would have to wait.
func (l *line) last(now time.Time) {
	if len(l.waiting) > 0 {
		l.until = now.Add(calm)
	}
}

// sheds reports whether the kinds that are shed at a stage are.
func (p *pressure) sheds(stage int, now time.Time) bool {
	p.settle(now)
	return p.stage >= stage
}
