package bench

import (
	"context"
	"fmt"
	"net/http"
)

// refuse measures requests that must be refused, and beside them the same requests
// where they are accepted: a refusal that costs more is a way to attack the server.
func refuse(ctx context.Context, r *run) error {
	const (
		weak      = 8
		outsiders = 16
	)
	members, others, owner := r.users[:weak], r.users[weak:weak+outsiders], r.users[weak+outsiders]
	room, err := owner.createRoom(ctx, map[string]any{"power_level_content_override": map[string]any{"events_default": 50, "users_default": 0}})
	if err != nil {
		return err
	}
	if err := r.prepare(ctx, weak, 1, func(i int) error { return members[i].join(ctx, room) }); err != nil {
		return err
	}
	private, err := owner.createRoom(ctx, map[string]any{"preset": "private_chat"})
	if err != nil {
		return err
	}
	open := make([]string, (r.sizes.refusals+outsiders-1)/outsiders)
	if err := r.prepare(ctx, len(open), 4, func(i int) (err error) { open[i], err = owner.createRoom(ctx, nil); return err }); err != nil {
		return err
	}
	stranger := &user{homeserver: r.server, token: "no-such-token"}
	for _, one := range []struct {
		name    string
		atOnce  int
		request func(ctx context.Context, i int) error
	}{
		{"rejected.nonmember.c1", 1, func(ctx context.Context, i int) error {
			return refused(http.StatusForbidden, others[i%outsiders].send(ctx, room, message(i)))
		}},
		{"rejected.nonmember.c8", 8, func(ctx context.Context, i int) error {
			return refused(http.StatusForbidden, others[i%outsiders].send(ctx, room, message(i)))
		}},
		{"rejected.power.c1", 1, func(ctx context.Context, i int) error {
			return refused(http.StatusForbidden, members[i%weak].send(ctx, room, message(i)))
		}},
		{"accepted.send.c1", 1, func(ctx context.Context, i int) error { return owner.send(ctx, room, message(i)) }},
		{"rejected.state.c1", 1, func(ctx context.Context, i int) error {
			return refused(http.StatusForbidden, members[i%weak].setState(ctx, room, i, i))
		}},
		{"accepted.state.c1", 1, func(ctx context.Context, i int) error { return owner.setState(ctx, room, i, i) }},
		{"rejected.join-private.c1", 1, func(ctx context.Context, i int) error {
			return refused(http.StatusForbidden, others[i%outsiders].join(ctx, private))
		}},
		{"accepted.join.c1", 1, func(ctx context.Context, i int) error {
			return others[i%outsiders].join(ctx, open[i/outsiders])
		}},
		{"rejected.token.c1", 1, func(ctx context.Context, _ int) error {
			return refused(http.StatusUnauthorized, stranger.whoami(ctx))
		}},
		{"accepted.token.c1", 1, func(ctx context.Context, _ int) error { return owner.whoami(ctx) }},
	} {
		r.measure(ctx, one.name, 0, func(ctx context.Context, m *meter) {
			m.each(ctx, r.sizes.refusals, one.atOnce, func(i int) error {
				if err := one.request(ctx, i); err != nil {
					return fmt.Errorf("request %d: %w", i, err)
				}
				return nil
			})
		})
	}
	return nil
}
