package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"runtime/debug"
	"time"
)

// A Wait is what a long poll waits for after its handler has returned.
type Wait struct {
	News <-chan struct{} // receives when there may be news
	// Turn is after what time it looks again without being told, Most how long it waits
	// in all.
	Turn, Most time.Duration
	// Look gives the answer, or nil to wait on. Its context is not that of the handler.
	Look func(context.Context, Reason) (answer any, err error)
	End  func() // is called when the waiting is over

	timer *time.Timer
	step  time.Duration // for which the timer is set
	// What is left of this turn, of all turns, and of the patience: 0 if there is none.
	turn, left, patience time.Duration
}

// Reason is why a long poll looks whether it has an answer.
type Reason int

// The reasons. After TimeUp and Stopping there must be an answer; at Stopping it is what
// was known before, since the server has no time to look.
const (
	News Reason = iota
	TurnOver
	TimeUp
	Stopping

	gone // the client
	long // is how it waits already
)

// Await has the request wait when its handler has returned, whose answer then counts for
// nothing. It is for handlers of routes that [Route.Waits].
func (c *Call) Await(w *Wait) { c.wait = w }

// begin starts the timer of a wait that stays with net/http for patience, or for ever if
// that is 0.
func (w *Wait) begin(patience time.Duration) {
	w.turn, w.left, w.patience = min(w.Turn, w.Most), w.Most, patience
	w.timer = time.NewTimer(w.nextStep())
}

func (w *Wait) nextStep() time.Duration {
	w.step = w.turn
	if w.patience > 0 {
		w.step = min(w.turn, w.patience)
	}
	return w.step
}

// reason waits for one. It does little else, so that the stack of a goroutine which does
// nothing but wait stays the smallest that there is.
func (w *Wait) reason(stopping, end <-chan struct{}) Reason {
	select {
	case <-w.News:
		return News
	case <-w.timer.C:
		return w.stepOver()
	case <-stopping:
		return Stopping
	case <-end:
		return gone
	}
}

// stepOver says what the timer means, and sets it again.
func (w *Wait) stepOver() Reason {
	w.turn, w.left = w.turn-w.step, w.left-w.step
	impatient := w.patience > 0 && w.patience == w.step
	w.patience = max(0, w.patience-w.step)
	why := long
	switch {
	case w.left == 0:
		return TimeUp
	case !impatient:
		w.turn, why = min(w.left, w.Turn), TurnOver
	}
	w.timer.Reset(w.nextStep()) // at once, if the turn is over too
	return why
}

// poll serves a request of a route of long polls. Whoever waits for long goes [apart].
func (s *Server) poll(w http.ResponseWriter, r *http.Request, route *Route, call *Call) {
	answer, err := s.run(r, route, call)
	if call.wait != nil {
		answer = nil
		call.wait.begin(s.Patience)
	}
	for call.wait != nil && answer == nil && err == nil {
		call.Pause() // while it waits it takes no other request's turn
		why := call.wait.reason(s.stopping, r.Context().Done())
		if why != long {
			answer, err = call.look(r.Context(), why)
		} else if s.takeApart(w, r, route, call) {
			return
		}
	}
	s.endPoll(w, r, route, call, answer, err)
}

// look asks for the answer, which is nil if there is none yet.
func (c *Call) look(ctx context.Context, why Reason) (answer any, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = panicked(p)
		}
	}()
	if why == gone {
		return nil, context.Canceled
	}
	if why != Stopping {
		c.Resume()
	}
	return c.wait.Look(ctx, why)
}

// endPoll answers a long poll.
func (s *Server) endPoll(w http.ResponseWriter, r *http.Request, route *Route, call *Call, answer any, err error) {
	if call.wait != nil {
		call.wait.timer.Stop()
		call.wait.End()
	}
	call.place.leave()
	s.answer(w, r, route, call, answer, err)
}

// panicked is the error of a handler that panicked. It is made where that is recovered.
func panicked(p any) error { return fmt.Errorf("panic: %v\n%s", p, debug.Stack()) }
