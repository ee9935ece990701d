package bench

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
)

// state measures a room with very many state events: filling it, changing one, and
// reading one and all.
func state(ctx context.Context, r *run) error {
	owner, n := r.users[0], r.sizes.state
	room, err := r.roomOf(ctx, r.users[:2])
	if err != nil {
		return err
	}
	filled := r.measure(ctx, "state.fill", 0, func(ctx context.Context, m *meter) {
		m.each(ctx, n, 1, func(i int) error { return owner.setState(ctx, room, i, 0) })
	})
	if n = filled.Operations; n == 0 {
		return errors.New("no state event was accepted")
	}
	r.measure(ctx, "state.change", 0, func(ctx context.Context, m *meter) {
		m.each(ctx, r.sizes.changes, 1, func(i int) error { return owner.setState(ctx, room, i%n, i+1) })
	})
	one := 0
	r.repeat(ctx, "state.get-one", 0, r.sizes.changes, func(ctx context.Context) (int64, error) {
		one++
		return owner.get(ctx, inRoom(room, "/state/"+stateType+"/k"+strconv.Itoa(one%n)))
	})
	r.repeat(ctx, "state.get-all", 0, 2*r.sizes.repeats, func(ctx context.Context) (int64, error) {
		return owner.get(ctx, inRoom(room, "/state"))
	})
	return nil
}

// bigRoom measures a room as it fills with members, and when it is full.
func bigRoom(ctx context.Context, r *run) error {
	owner, others := r.users[0], r.users[1:r.sizes.members]
	room, err := owner.createRoom(ctx, nil)
	if err != nil {
		return err
	}
	filled := r.measure(ctx, fmt.Sprintf("join.to%d", r.sizes.members), 0, func(ctx context.Context, m *meter) {
		m.each(ctx, len(others), 1, func(i int) error { return others[i].join(ctx, room) })
	})
	members := r.users[:1+filled.Operations]
	r.measure(ctx, "bigroom.send.c1", 0, func(ctx context.Context, m *meter) {
		m.each(ctx, r.sizes.changes, 1, func(i int) error { return members[i%len(members)].send(ctx, room, message(i)) })
	})
	r.repeat(ctx, "bigroom.get.members", 0, 5*r.sizes.repeats, func(ctx context.Context) (int64, error) {
		return owner.get(ctx, inRoom(room, "/members"))
	})
	r.repeat(ctx, "bigroom.get.joined_members", 0, 5*r.sizes.repeats, func(ctx context.Context) (int64, error) {
		return owner.get(ctx, inRoom(room, "/joined_members"))
	})
	r.repeat(ctx, "bigroom.initialsync", 0, r.sizes.repeats, func(ctx context.Context) (int64, error) {
		return members[len(members)-1].get(ctx, syncPath("", everything, 0))
	})
	return nil
}

// history measures paging back through a long room, and holds that every message is
// seen once, also where several people sent at once and pages are small.
func history(ctx context.Context, r *run) error {
	one := r.users[:1]
	room, err := r.roomOf(ctx, one)
	if err != nil {
		return err
	}
	if err := r.prepare(ctx, r.sizes.history, 4, func(i int) error { return one[0].send(ctx, room, message(i)) }); err != nil {
		return err
	}
	r.measure(ctx, "history.pages", 0, func(ctx context.Context, m *meter) {
		for range r.sizes.repeats {
			pageBack(ctx, m, one[0], room, 100, r.sizes.history)
		}
	})
	if room, err = r.roomOf(ctx, r.users[:8]); err != nil {
		return err
	}
	few := r.sizes.history / 5
	if err := r.prepare(ctx, few, 8, func(i int) error { return r.users[i%8].send(ctx, room, message(i)) }); err != nil {
		return err
	}
	r.measure(ctx, "history.pages-of-10", 0, func(ctx context.Context, m *meter) { pageBack(ctx, m, one[0], room, 10, few) })
	return nil
}

// pageBack reads a room from its newest message to its oldest. An operation is a
// page; a message that is missing or comes twice is a failure.
func pageBack(ctx context.Context, m *meter, u *user, room string, limit, sent int) {
	seen := map[string]bool{}
	from, messages, twice := "", 0, 0
	for range 2*sent/limit + 20 { // far more than there are
		var page struct {
			End   string `json:"end"`
			Chunk []struct {
				EventID string `json:"event_id"`
				Type    string `json:"type"`
			} `json:"chunk"`
		}
		q := url.Values{"dir": {"b"}, "limit": {strconv.Itoa(limit)}}
		if from != "" {
			q.Set("from", from)
		}
		m.once(ctx, func() error {
			_, err := u.ask(ctx, "GET", inRoom(room, "/messages?"+q.Encode()), nil, &page)
			return err
		})
		for _, event := range page.Chunk {
			if seen[event.EventID] {
				twice++
			} else if event.Type == "m.room.message" {
				messages++
			}
			seen[event.EventID] = true
		}
		if page.End == "" || page.End == from || len(page.Chunk) == 0 {
			break
		}
		from = page.End
	}
	if ctx.Err() == nil && (messages != sent || twice > 0) {
		m.add(0, fmt.Errorf("%d of %d messages were on the pages, and %d events twice", messages, sent, twice))
	}
}
