package httpapi

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/narthex-matrix/narthex/internal/errcode"
)

// kind is what requests wait for together, the most important first.
type kind int

const (
	sending kind = iota
	signingIn
	reading
	polling
	heavy
	kinds
)

var kindNames = [kinds]string{"sending", "signing_in", "reading", "polling", "heavy"}

// stages say how many intervals a wait stays before a kind is shed: first what is
// heavy, then reading, sending last. Signing in and polling are not: people and long
// polls wait for their turn as long as there is room in the queue.
var stages = [kinds]int{sending: lastStage, signingIn: never, reading: 2, polling: never, heavy: 1}

const (
	lastStage = 3
	never     = 1 << 30
)

// oldest is how many of those who wait are refused with one who comes while their
// kind is shed.
const oldest = 4

// longestPollQueue is how long a long poll waits for its turn: its client has asked
// to wait anyway.
const longestPollQueue = 30 * time.Second

// Capacity is how much an [Admission] lets happen at once.
type Capacity struct {
	// AtOnce is how many requests of a kind are worked on at the same time. Signing
	// in has half of it, and what is expensive an eighth.
	AtOnce int
	// Queue is how many requests of a kind wait for that, and Timeout how long each
	// does at most.
	Queue   int
	Timeout time.Duration
	// PerRoom is how many requests that write to one room are worked on at the same
	// time, and RoomQueue how many wait for that.
	PerRoom, RoomQueue int
}

// Admission bounds the requests that are worked on at once, so that more work than
// the machine can do makes some requests fail at once and not all of them late. It
// asks no database, and a request that need not wait costs it two locks and no
// memory. A nil Admission admits everything.
type Admission struct {
	capacity Capacity
	now      func() time.Time

	mu      sync.Mutex
	backlog backlog
	lines   [kinds]line
	rooms   map[string]*line
	resting []string // rooms that nobody writes to, and that are not calm yet
	spare   []*line  // of rooms, to be used again
	refused [kinds]map[string]uint64
	away    int // how many were turned away, so that each is told another time
}

// NewAdmission admits by a capacity. The clock is that of the calls.
func NewAdmission(c Capacity, now func() time.Time) *Admission {
	a := &Admission{capacity: c, now: now, rooms: map[string]*line{}}
	for k := range kinds {
		a.lines[k].places, a.refused[k] = max(1, c.AtOnce), map[string]uint64{}
	}
	a.lines[signingIn].places = max(1, c.AtOnce/2)
	a.lines[heavy].places = max(1, c.AtOnce/8)
	return a
}

// place is what a request has while it is worked on.
type place struct {
	admission *Admission
	line      *line
	room      *line // nil: it writes to none
	roomName  string
	held      bool
}

// kindOf is the kind of a request, or false for one that needs no place.
func kindOf(route *Route, polls bool) (kind, bool) {
	switch {
	case route.Class == Unlimited:
		return 0, false
	case route.Class == Sending:
		return sending, true
	case route.SignsIn, route.Class != Cheap && route.Class != Expensive:
		return signingIn, true
	case route.Class == Expensive:
		return heavy, true
	case polls:
		return polling, true
	}
	return reading, true
}

// asksToWait reports whether a query is that of a long poll: of a client that has read
// before and gives a time to wait.
func asksToWait(query string) bool {
	_, timeout, _ := strings.Cut(query, "timeout=")
	return timeout != "" && timeout[0] >= '1' && timeout[0] <= '9' && strings.Contains(query, "since=")
}

// admit takes a request from the budget of its address and gives it a place, before
// anything is asked of the database.
func (s *Server) admit(r *http.Request, route *Route, call *Call) error {
	k, needs := kindOf(route, call.polls)
	if !needs {
		return nil
	}
	if !route.OwnLimit && !s.trusts(call.Addr) {
		if err := s.Limits.allowAddress(call.Addr, call.Now); err != nil {
			return err
		}
	}
	if err := s.Limits.stillSpent(r, route, call.Now); err != nil || s.Admission == nil {
		return err
	}
	room := r.PathValue("roomId")
	if room == "" {
		room = r.PathValue("roomIdOrAlias")
	}
	now := call.Now
	if r.Body != nil && r.Body != http.NoBody {
		call.body = body{ReadCloser: r.Body, call: call}
		if call.body.receive(r.ContentLength) {
			now = s.Now()
		}
		r.Body = &call.body
	}
	var err error
	if call.place, err = s.Admission.enter(r.Context(), k, room, now); err != nil {
		return err
	}
	if k == polling {
		call.Queued = s.Now().Sub(call.Now)
	}
	return nil
}

// enter gives a request its place. It fails with LimitExceeded if too many write to
// the room, with Overloaded if there is too much to do, or with the error of the
// context.
func (a *Admission) enter(ctx context.Context, k kind, room string, now time.Time) (p place, err error) {
	p = place{admission: a, line: &a.lines[k], held: true}
	at := arrival{came: now}
	if room != "" && k == sending {
		if p.room, at, err = a.enterRoom(ctx, room, now); err != nil {
			return place{}, err
		}
		p.roomName = room
	}
	if err := a.enterLine(ctx, k, at); err != nil {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.leaveRoom(p.room, room)
		return place{}, err
	}
	return p, nil
}

// enterLine waits for a place among those of a kind. A request that was in no line before
// has no time yet at which it began.
func (a *Admission) enterLine(ctx context.Context, k kind, at arrival) error {
	l, queue, patience := &a.lines[k], a.capacity.Queue, a.capacity.Timeout
	if k == polling {
		// One that waits for its turn takes no more than one that waits for news, and
		// those are bounded by their connections.
		queue, patience = never, longestPollQueue
	}
	a.mu.Lock()
	now := at.came
	at.came = now.Add(-a.lag(now))
	if at.began.IsZero() {
		at.began = at.came
	}
	l.note(max(l.age(now), now.Sub(at.came)), now)
	switch {
	case a.sheds(k, now):
		defer a.mu.Unlock()
		a.measure(now)
		l.last(now)
		// Those who came before this wait stood would be answered too late. As long as
		// more requests come, they go first; a burst that is over is served.
		l.refuse(oldest, now, func() error { return a.refuse(k, "shed") })
		return a.refuse(k, "shed")
	case l.take():
		a.mu.Unlock()
		return nil
	case len(l.waiting) >= queue:
		defer a.mu.Unlock()
		return a.refuse(k, "full")
	}
	a.measure(now)
	w := newWaiter(at)
	l.waiting = append(l.waiting, w)
	a.mu.Unlock()
	return a.wait(ctx, k, l, w, patience)
}

// sheds reports whether a request is to be refused because those of its kind, or of a
// more important one, have been waiting too long: a heavy one while others suffer, and
// else one that would wait more than briefly.
func (a *Admission) sheds(k kind, now time.Time) bool {
	if stages[k] == never {
		return false
	}
	delay := max(a.lines[k].age(now), a.lag(now))
	for q := range k + 1 {
		if stages[q] != never && a.lines[q].sheds(stages[k], now) && (k == heavy && q != heavy || a.lines[k].long(delay)) {
			return true
		}
	}
	return false
}

// wait waits for a place in a line.
func (a *Admission) wait(ctx context.Context, k kind, l *line, w *waiter, patience time.Duration) error {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-w.ready:
		return w.err
	case <-timer.C:
	case <-ctx.Done():
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if w.done { // at the last moment
		return w.err
	}
	l.forget(w)
	if err := ctx.Err(); err != nil {
		return err
	}
	return a.refuse(k, "late")
}

// refuse turns a request away. When it may come again differs, so that not all come
// at once.
func (a *Admission) refuse(k kind, why string) error {
	a.refused[k][why]++
	a.away++
	after := time.Duration(1+a.away%5) * time.Second
	if why == "room" {
		e := errcode.TooManyRequests(after)
		e.Text = "Too many people write to this room at this moment. Try again in a few seconds."
		return e
	}
	e := errcode.Overloaded.New("The server has more to do than it can at this moment. Try again in a few seconds.")
	e.RetryAfter = after
	return e
}

// leave gives up the place of a request, if it has one.
func (p *place) leave() {
	if !p.held {
		return
	}
	p.held = false
	p.admission.mu.Lock()
	defer p.admission.mu.Unlock()
	p.line.leave(p.admission.now)
	p.admission.leaveRoom(p.room, p.roomName)
}

// Pause gives up the request's turn, for a time in which it only waits: for news, or
// for what the client sends. It is worked on again after [Call.Resume].
func (c *Call) Pause() { c.place.leave() }

// Resume waits until it is the request's turn again. Requests that have had one are
// before all others, and are not refused.
func (c *Call) Resume() {
	p := &c.place
	if p.held || p.admission == nil {
		return
	}
	a := p.admission
	if p.room != nil {
		a.mu.Lock()
		p.room = a.room(p.roomName) // it may have been empty meanwhile
		a.reenter(p.room)
	}
	a.mu.Lock()
	a.reenter(p.line)
	p.held = true
}

// StillAllowed looks at the token once more, and fails as at the beginning of the
// request. A handler of a route that [Route.Waits] calls it when the waiting is over,
// after it has read: meanwhile the session may have ended, or the account have been
// locked. That the token runs out while its request waits is no failure.
func (c *Call) StillAllowed(ctx context.Context) error { return c.again(ctx) }

// reenter takes a place in a line, however long that lasts. The lock is held when it is
// called, and not when it returns.
func (a *Admission) reenter(l *line) {
	if l.take() {
		a.mu.Unlock()
		return
	}
	w := newWaiter(arrival{})
	l.again = append(l.again, w)
	a.mu.Unlock()
	<-w.ready
}

// quiet reports whether at most one request has a place, and none has been waiting for
// long lately.
func (a *Admission) quiet() bool {
	if a == nil {
		return true
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	now, busy := a.now(), 0
	for k := range kinds {
		if a.lines[k].sheds(1, now) {
			return false
		}
		busy += a.lines[k].busy
	}
	return busy <= 1
}

// Load is what one kind of requests does.
type Load struct {
	Kind             string
	Running, Waiting int
	Shedding         bool              // some of it, or of what is less important, is refused
	Refused          map[string]uint64 // since the start, by the reason
}

// Loads says what there is to do, the most important first.
func (a *Admission) Loads() []Load {
	if a == nil {
		return nil
	}
	now := a.now()
	a.mu.Lock()
	defer a.mu.Unlock()
	loads := make([]Load, kinds)
	for k := range kinds {
		l := &a.lines[k]
		loads[k] = Load{Kind: kindNames[k], Running: l.busy, Waiting: len(l.waiting) + len(l.again), Shedding: l.sheds(1, now), Refused: map[string]uint64{}}
		for why, n := range a.refused[k] {
			loads[k].Refused[why] = n
		}
	}
	return loads
}
