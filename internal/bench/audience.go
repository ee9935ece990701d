package bench

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// An audience is the members of a room, all of whom wait in /sync.
type audience struct {
	now      func() time.Time
	members  []*user
	room     string
	messages []announcement
	meter    atomic.Pointer[meter] // counts what arrives
	leave    context.CancelFunc
	gone     sync.WaitGroup
}

// An announcement is a message on its way to the audience.
type announcement struct {
	sent    atomic.Int64 // Unix nanoseconds
	missing atomic.Int64 // members who do not have it yet
	arrived chan struct{}
}

const (
	waitInSync  = 20 * time.Second
	deliveredIn = 20 * time.Second       // at most, or it has failed
	settleDown  = 300 * time.Millisecond // until all members wait
	said        = "announcement "
)

// gather lets the members of a room wait for n messages. They leave with the
// context, or when they are told.
func (r *run) gather(ctx context.Context, members []*user, room string, n int) (*audience, error) {
	a := &audience{now: r.Now, members: members, room: room, messages: make([]announcement, n)}
	for i := range a.messages {
		a.messages[i].missing.Store(int64(len(members)))
		a.messages[i].arrived = make(chan struct{})
	}
	since := make([]string, len(members))
	err := r.prepare(ctx, len(members), 4, func(i int) error {
		n, err := members[i].sync(ctx, "", nearNothing, 0)
		since[i] = n.NextBatch
		return err
	})
	if err != nil {
		return nil, err
	}
	ctx, a.leave = context.WithCancel(ctx)
	for i, u := range members {
		a.gone.Go(func() { a.listen(ctx, u, since[i]) })
	}
	return a, pause(ctx, settleDown)
}

// dismiss lets the members go.
func (a *audience) dismiss() {
	a.leave()
	a.gone.Wait()
}

// listen waits as one member until the context ends.
func (a *audience) listen(ctx context.Context, u *user, since string) {
	heard := make([]bool, len(a.messages))
	for ctx.Err() == nil {
		n, err := u.sync(ctx, since, manyAtOnce, waitInSync)
		arrived := a.now()
		if err != nil {
			if m := a.meter.Load(); m != nil && ctx.Err() == nil {
				m.add(0, err)
			}
			_ = pause(ctx, settleDown) // the loop looks at the context
			continue
		}
		since = n.NextBatch
		for _, event := range n.Rooms.Join[a.room].Timeline.Events {
			number, isOne := strings.CutPrefix(event.Content.Body, said)
			i, err := strconv.Atoi(number)
			if !isOne || err != nil || i < 0 || i >= len(heard) || heard[i] {
				continue
			}
			heard[i] = true
			message := &a.messages[i]
			a.meter.Load().add(arrived.Sub(time.Unix(0, message.sent.Load())), nil)
			if message.missing.Add(-1) == 0 {
				close(message.arrived)
			}
		}
	}
}

// announce sends the messages from first to before, without a break, and waits until
// every member has all of them. What it measures are the deliveries.
func (a *audience) announce(ctx context.Context, m *meter, sender *user, first, before int) {
	a.meter.Store(m)
	ctx, cancel := context.WithTimeout(ctx, deliveredIn)
	defer cancel()
	for i := first; i < before; i++ {
		a.messages[i].sent.Store(a.now().UnixNano())
		if err := sender.send(ctx, a.room, said+strconv.Itoa(i)); err != nil {
			m.add(0, err)
			return
		}
	}
	for i := first; i < before; i++ {
		select {
		case <-a.messages[i].arrived:
		case <-ctx.Done():
			m.add(0, fmt.Errorf("message %d did not reach %d of %d members within %v", i, a.messages[i].missing.Load(), len(a.members), deliveredIn))
			return
		}
	}
}

// fanout measures delivery to rooms whose members all wait: message by message, and
// many messages at once. An operation is one delivered event.
func fanout(ctx context.Context, r *run) error {
	for _, size := range r.sizes.audiences {
		if err := r.fanoutTo(ctx, size); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) fanoutTo(ctx context.Context, size int) error {
	members := r.users[:size]
	room, err := r.roomOf(ctx, members)
	if err != nil {
		return err
	}
	n := r.sizes.announcements
	a, err := r.gather(ctx, members, room, 2*n)
	if err != nil {
		return err
	}
	defer a.dismiss()
	name := "fanout." + strconv.Itoa(size)
	r.measure(ctx, name+".paced", 0, func(ctx context.Context, m *meter) {
		for i := range n {
			a.announce(ctx, m, members[0], i, i+1)
		}
	})
	r.measure(ctx, name+".burst", 0, func(ctx context.Context, m *meter) { a.announce(ctx, m, members[0], n, 2*n) })
	return nil
}
