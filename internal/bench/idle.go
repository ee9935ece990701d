package bench

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Notes of the stretches that hold many clients.
const (
	noteResident      = "resident_mib"       // of the server, with all clients waiting
	noteConnection    = "connection_kib"     // resident memory more, for each of them
	noteIdle          = "idle_cpu_percent"   // of one core, with all clients waiting
	noteAnsweredEarly = "answered_early"     // clients whose wait ended
	idleWait          = 2 * time.Minute      // longer than the stretch
	arrival           = 2 * time.Millisecond // between two clients: a crowd, not a stampede
)

// idle measures a server with nothing to do: with no client, with very many that
// wait for news, and what delivery to one more costs past them.
func idle(ctx context.Context, r *run) error {
	clients := r.users[:r.sizes.idle]
	since := make([]string, len(clients))
	err := r.prepare(ctx, len(clients), 2, func(i int) error {
		n, err := clients[i].sync(ctx, "", nearNothing, 0)
		since[i] = n.NextBatch
		return err
	})
	if err != nil {
		return err
	}
	r.server.transport.CloseIdleConnections()
	// A server may tidy up some seconds after work. That is no idleness.
	if err := pause(ctx, r.idleTime()); err != nil {
		return err
	}
	r.measure(ctx, "idle.0", 0, func(ctx context.Context, m *meter) {
		m.once(ctx, func() error { return r.doNothing(ctx, m) })
	})
	before := resident(r.probe.server)
	waiting, release := context.WithCancel(ctx)
	defer release()
	var group sync.WaitGroup
	name := fmt.Sprintf("idle.%d", len(clients))
	r.measure(ctx, name, 0, func(ctx context.Context, m *meter) {
		var early sync.Map
		for i, u := range clients {
			group.Go(func() {
				if _, err := u.get(waiting, syncPath(since[i], everything, idleWait)); waiting.Err() == nil {
					early.Store(i, err)
				}
			})
			if pause(ctx, arrival) != nil {
				return
			}
		}
		r.probe.calm(ctx)
		m.once(ctx, func() error { return r.doNothing(ctx, m) })
		now := resident(r.probe.server)
		m.note(noteResident, float64(now)/(1<<20))
		m.note(noteConnection, float64(now-before)/1024/float64(len(clients)))
		early.Range(func(_, err any) bool {
			if err, failed := err.(error); failed {
				m.add(0, err)
			} else {
				m.add(0, fmt.Errorf("a wait of %v ended although there was no news", idleWait))
			}
			return true
		})
	})
	err = r.deliverPast(ctx, name)
	release()
	group.Wait()
	r.server.transport.CloseIdleConnections()
	return err
}

func (r *run) idleTime() time.Duration { return time.Duration(r.sizes.idleSeconds) * time.Second }

// doNothing notes what the server computes meanwhile.
func (r *run) doNothing(ctx context.Context, m *meter) error {
	start, before := r.Now(), cpu(r.probe.server)
	if err := pause(ctx, r.idleTime()); err != nil {
		return err
	}
	m.note(noteIdle, 100*(cpu(r.probe.server)-before).Seconds()/r.Now().Sub(start).Seconds())
	return nil
}

// deliverPast measures delivery to one client while the others wait.
func (r *run) deliverPast(ctx context.Context, name string) error {
	room, err := r.roomOf(ctx, r.users[:2])
	if err != nil {
		return err
	}
	a, err := r.gather(ctx, r.users[1:2], room, r.sizes.announcements)
	if err != nil {
		return err
	}
	defer a.dismiss()
	r.measure(ctx, name+".delivery", 0, func(ctx context.Context, m *meter) {
		for i := range r.sizes.announcements {
			a.announce(ctx, m, r.users[0], i, i+1)
		}
	})
	return nil
}
