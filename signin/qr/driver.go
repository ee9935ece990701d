package qr

import (
	"context"
	"errors"
	"sync"
)

// runner runs one machine over a mailbox and a channel. One goroutine steps and
// sends; others listen and run callbacks, and are gone when run returns.
type runner struct {
	own     Device
	code    Payload
	shows   bool
	mailbox Mailbox
	channel *Channel
	screen  Screen
	pace    Pace
	step    func(event) []effect
	// act runs the callback of an effect and gives its event, or nil.
	act    func(context.Context, effect) (event, error)
	ready  func(context.Context) error
	offers func(context.Context) (bool, error)

	group  sync.WaitGroup
	events chan event
	inbox  *listening
	early  *receipt // came in while the listener was stopped
	unread *reading
}

func (r *runner) run(parent context.Context, profile Profile) error {
	if profile == 0 {
		profile = ProfileOf(r.code.Generation)
	}
	ctx, stop := context.WithCancel(parent)
	defer func() {
		stop()
		r.settle()
		r.group.Wait()
		if r.channel != nil {
			r.channel.Close()
		}
	}()
	r.events = make(chan event)
	ev, err := r.meet(ctx, profile)
	if err != nil {
		if !errors.Is(err, &Failure{Reason: WrongIntent}) { // that session is for somebody else
			r.close(ctx)
		}
		return err
	}
	for {
		if ev == nil {
			ev = r.next(ctx)
		}
		var over *finish
		if ev, over = r.perform(ctx, r.step(ev)); over == nil {
			continue
		}
		stop()
		return r.end(parent, over)
	}
}

// meet makes the channel. Its error says that there is nothing to run.
func (r *runner) meet(ctx context.Context, profile Profile) (event, error) {
	if profile.Generation() != r.code.Generation {
		return nil, ErrOrder
	}
	if !r.shows {
		if err := r.code.CheckScanner(r.own); err != nil {
			return nil, err
		}
	}
	if r.code.Generation == Gen2025 && r.shows {
		r.code.BaseURL = trimBase(r.code.BaseURL) // as Encode does: both are bound to it
	}
	var err error
	if r.shows {
		r.channel, err = NewGenerator(profile, r.code)
	} else {
		r.channel, err = NewScanner(profile, r.code)
	}
	if errors.Is(err, ErrPeerKey) {
		return nil, &Failure{Reason: Insecure, By: ThisDevice, Cause: err, device: r.own}
	}
	if err != nil {
		return nil, err
	}
	var code []byte
	if r.shows {
		r.code.Key = r.channel.PublicKey()
		if code, err = r.code.Encode(); err != nil {
			return nil, err
		}
	}
	if r.ready != nil {
		if err := r.ready(ctx); err != nil {
			if ev := r.trouble(ctx, err); ev == (cancelled{}) {
				return ev, nil
			}
			return lost{NotReady, err}, nil
		}
	}
	err = r.greet(ctx, code)
	if err == nil && r.offers != nil {
		offered, err := r.offers(ctx)
		if err != nil {
			return r.trouble(ctx, err), nil
		}
		if !offered {
			return secured{}, nil
		}
	}
	if err != nil {
		return r.loss(ctx, err), nil
	}
	return secured{offers: []string{deviceGrant}}, nil
}

// greet is steps 2 to 6 of the secure channel.
func (r *runner) greet(ctx context.Context, code []byte) error {
	if r.shows {
		if err := r.screen.ShowCode(ctx, code); err != nil {
			return err
		}
		token := r.mailbox.OpenToken()
		first, err := r.mailbox.Receive(ctx)
		if err != nil {
			return err
		}
		second, err := r.channel.Answer(first, token, r.mailbox.SealToken())
		if err != nil {
			return err
		}
		return r.mailbox.Send(ctx, second)
	}
	first, err := r.channel.Initiate(r.mailbox.SealToken())
	if err != nil {
		return err
	}
	if err := r.mailbox.Send(ctx, first); err != nil {
		return err
	}
	token := r.mailbox.OpenToken()
	second, err := r.mailbox.Receive(ctx)
	if err != nil {
		return err
	}
	return r.channel.Finish(second, token)
}

// trouble is the event for an error of a callback.
func (r *runner) trouble(ctx context.Context, err error) event {
	if ctx.Err() != nil || errors.Is(err, ErrCancelled) {
		return cancelled{}
	}
	return broke{err}
}

// loss is the event for an error of the mailbox, the channel or ShowCode, after
// which nothing can be sent.
func (r *runner) loss(ctx context.Context, err error) event {
	reason := Broken
	switch {
	case ctx.Err() != nil || errors.Is(err, ErrCancelled):
		return cancelled{}
	case errors.Is(err, ErrMailboxGone):
		reason = SessionOver
	case errors.Is(err, ErrMailboxConflict):
		reason = Conflict
	case errors.Is(err, ErrForged), errors.Is(err, ErrFraming), errors.Is(err, ErrHandshake), errors.Is(err, ErrPeerKey):
		reason = Insecure
	}
	return lost{reason, err}
}

// perform does effects in their order. It gives an event that came of it, or the
// end.
func (r *runner) perform(ctx context.Context, effects []effect) (event, *finish) {
	for i, what := range effects {
		var ev event
		switch what := what.(type) {
		case finish:
			return nil, &what
		case send:
			ev = r.say(ctx, what.message)
			if over, ok := last(effects[i:]); ok && ev != nil {
				over.closing = closeNow // the other device did not learn why
				return nil, &over
			}
		case showDigits:
			digits, err := r.channel.CheckCode()
			if err == nil {
				err = r.screen.ShowDigits(ctx, digits)
			}
			if err != nil {
				ev = r.trouble(ctx, err)
			}
		case showUserCode:
			if _, err := r.act(ctx, what); err != nil {
				ev = r.trouble(ctx, err)
			}
		default:
			r.start(ctx, what)
		}
		if ev != nil {
			return ev, nil
		}
	}
	return nil, nil
}

// last gives the end that follows a message which announces it.
func last(effects []effect) (finish, bool) {
	over, ok := effects[len(effects)-1].(finish)
	return over, ok
}

// start runs a callback beside the listener.
func (r *runner) start(ctx context.Context, what effect) {
	r.group.Go(func() {
		var ev event
		var err error
		if what == (askDigits{}) {
			ev, err = r.ask(ctx)
		} else {
			ev, err = r.act(ctx, what)
		}
		if err != nil {
			ev = r.trouble(ctx, err)
		}
		select {
		case r.events <- ev:
		case <-ctx.Done():
		}
	})
}

func (r *runner) ask(ctx context.Context) (event, error) {
	typed, err := r.screen.AskDigits(ctx)
	if err != nil {
		return nil, err
	}
	right, err := r.channel.CheckDigits(typed)
	return digitsTyped{right}, err
}

// next waits for a callback or the other device. That the person has stopped goes
// before what comes at the same moment.
func (r *runner) next(ctx context.Context) event {
	ev := r.wait(ctx)
	if ctx.Err() != nil {
		return cancelled{}
	}
	return ev
}

func (r *runner) wait(ctx context.Context) event {
	if r.early != nil {
		in := *r.early
		r.early = nil
		return r.open(ctx, in)
	}
	r.listen(ctx)
	select {
	case ev := <-r.events:
		return ev
	case in := <-r.inbox.done:
		r.inbox = nil
		return r.open(ctx, in)
	case <-ctx.Done():
		return cancelled{}
	}
}
