package qr

import (
	"context"
	"errors"
	"time"
)

const (
	// readTime is how long the other device gets to read a message that nothing
	// follows: it polls once a second.
	readTime = 2 * time.Second
	// farewellTime bounds what is under way, or still to be said, when the person
	// stops the sign-in.
	farewellTime = 10 * time.Second
)

// listening is a call of Receive that is under way.
type listening struct {
	stop context.CancelFunc
	done chan receipt
}

// A receipt is what a call of Receive gave.
type receipt struct {
	payload string
	tokens  []string // that may open it
	err     error
}

// reading is the time that the other device gets to read what was sent last.
type reading struct {
	stop context.CancelFunc
	done chan struct{}
}

func (r *runner) listen(ctx context.Context) {
	if r.inbox != nil {
		return
	}
	ctx, stop := context.WithCancel(ctx)
	in := &listening{stop: stop, done: make(chan receipt, 1)}
	r.inbox = in
	// A message is bound to what its sender read last, which is this side's last
	// write. A device that speaks twice in a row, to say that it stops, may have
	// read its own words since: then it is what this side read last.
	tokens := []string{r.mailbox.OpenToken(), r.mailbox.SealToken()}
	r.group.Go(func() {
		defer stop()
		payload, err := r.mailbox.Receive(ctx)
		in.done <- receipt{payload: payload, tokens: tokens, err: err}
	})
}

// hush stops the listener, so that the mailbox is free to send.
func (r *runner) hush() {
	if r.inbox == nil {
		return
	}
	r.inbox.stop()
	if in := <-r.inbox.done; in.err == nil {
		r.early = &in
	}
	r.inbox = nil
}

func (r *runner) open(ctx context.Context, in receipt) event {
	if in.err != nil {
		return r.loss(ctx, in.err)
	}
	plaintext, err := r.channel.Open(in.payload, in.tokens...)
	if err != nil {
		return r.loss(ctx, err)
	}
	r.settle() // who answers has read
	return received{readMessage(plaintext)}
}

// say sends a message and gives the event that comes of it, if any. The end of ctx
// does not stop it: what is half sent could not be followed by the word that the
// person has stopped. If it fails then, that is all there is to tell.
func (r *runner) say(parent context.Context, m message) event {
	r.hush()
	ctx, stop := grace(parent)
	defer stop()
	r.letRead()
	plaintext, err := writeMessage(m, r.code.Generation)
	if err != nil {
		return broke{err}
	}
	sealed, err := r.channel.Seal(plaintext, r.mailbox.SealToken())
	clear(plaintext)
	if err != nil {
		return broke{err}
	}
	switch err := r.mailbox.Send(ctx, sealed); {
	case err == nil:
	case parent.Err() != nil:
		return cancelled{}
	case errors.Is(err, ErrMailboxConflict):
		return r.crossed(ctx, err)
	default:
		return r.loss(ctx, err)
	}
	r.startReading(ctx)
	if _, ok := m.(secretsMessage); ok {
		return secretsSent{}
	}
	return nil
}

// crossed reads what the other device wrote in place of the message that was to be
// sent. If it says why it stops, that is the better news.
func (r *runner) crossed(ctx context.Context, conflict error) event {
	ctx, stop := context.WithTimeout(ctx, readTime)
	defer stop()
	tokens := []string{r.mailbox.OpenToken(), r.mailbox.SealToken()}
	payload, err := r.mailbox.Receive(ctx)
	if err == nil {
		if ev, ok := r.open(ctx, receipt{payload: payload, tokens: tokens}).(received); ok {
			switch ev.message.(type) {
			case failureMessage, declinedMessage:
				return ev
			}
		}
	}
	return lost{Conflict, conflict}
}

// startReading lets the time begin in which the other device reads.
func (r *runner) startReading(ctx context.Context) {
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	unread := &reading{stop: stop, done: make(chan struct{})}
	r.unread = unread
	r.group.Go(func() {
		defer close(unread.done)
		_ = r.pace.wait(ctx, readTime) // ends early by settle
	})
}

// letRead waits until what was sent last has been read, as far as one can know: it
// must not be overwritten or deleted before.
func (r *runner) letRead() {
	if r.unread != nil {
		<-r.unread.done
		r.settle()
	}
}

// settle ends the time for reading.
func (r *runner) settle() {
	if r.unread != nil {
		r.unread.stop()
		r.unread = nil
	}
}

// end deletes the session if that is this side's part, and gives the outcome.
func (r *runner) end(ctx context.Context, over *finish) error {
	r.hush()
	if over.closing == closeRead {
		r.letRead()
	}
	if over.closing != leave {
		r.close(ctx)
	}
	if over.failure == nil {
		return nil
	}
	return over.failure
}

// close deletes the session. If that fails, it ends by itself.
func (r *runner) close(ctx context.Context) {
	ctx, stop := grace(ctx)
	defer stop()
	_ = r.mailbox.Close(ctx)
}

// grace gives a context that outlives ctx by farewellTime.
func grace(ctx context.Context) (context.Context, func()) {
	late, cancel := context.WithCancel(context.WithoutCancel(ctx))
	detach := context.AfterFunc(ctx, func() {
		timer := time.NewTimer(farewellTime)
		defer timer.Stop()
		select {
		case <-timer.C:
			cancel()
		case <-late.Done():
		}
	})
	return late, func() {
		detach()
		cancel()
	}
}
