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
	// Look gives the answer, or nil to wait on.
	Look func(Reason) (answer any, err error)
	End  func() // is called when the waiting is over
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
)

// Await has the request wait when its handler has returned, whose answer then counts for
// nothing. It is for handlers of routes that [Route.Waits].
func (c *Call) Await(w *Wait) { c.wait = w }

// poll serves a request of a route of long polls. The stack of a goroutine grows to what
// was once needed, and hardly shrinks. So the goroutine of the connection only waits, and
// all that goes deep has one of its own: of very many clients that wait, each has 4 KiB
// less.
func (s *Server) poll(w http.ResponseWriter, r *http.Request, route *Route, call *Call) {
	var answer any
	err := call.aside(func() (err error) {
		answer, err = s.run(r, route, call)
		return err
	})
	if err == nil && call.wait != nil {
		answer, err = call.await(r.Context())
	}
	call.place.leave()
	err = call.aside(func() error {
		s.answer(w, r, route, call, answer, err)
		return http.NewResponseController(w).Flush() // else net/http writes it at the depth of the connection
	})
	if err != nil {
		call.Log.Debug("not answered", "op", call.Op, "err", err) // the client may have gone
	}
}

// await waits until there is an answer. A client that goes away ends it as well.
func (c *Call) await(ctx context.Context) (answer any, err error) {
	w := c.wait
	defer w.End()
	left, turn := w.Most, min(w.Most, w.Turn)
	timer := time.NewTimer(turn)
	defer timer.Stop()
	for {
		c.Pause() // while it waits it takes no other request's turn
		why := News
		select {
		case <-w.News:
		case <-timer.C:
			why, left = TurnOver, left-turn
			if left <= 0 {
				why = TimeUp
			}
			turn = min(left, w.Turn)
			timer.Reset(turn)
		case <-c.Stopping:
			return w.Look(Stopping)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		c.Resume()
		err = c.aside(func() (err error) {
			answer, err = w.Look(why)
			return err
		})
		if err != nil || answer != nil {
			return answer, err
		}
	}
}

// aside runs what goes deep: for a long poll in a goroutine of its own.
func (c *Call) aside(f func() error) error {
	if !c.polls {
		return f()
	}
	done := make(chan error, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				done <- panicked(p)
			}
		}()
		done <- f()
	}()
	return <-done
}

// panicked is the error of a handler that panicked. It is made where that is recovered.
func panicked(p any) error { return fmt.Errorf("panic: %v\n%s", p, debug.Stack()) }
