package bench

import (
	"context"
	"errors"
	"strconv"
)

// syncing measures /sync for a user of several rooms: from nothing, with one new
// event, and without news. Where the other scenarios ran before, the user is in their
// big rooms as well.
func syncing(ctx context.Context, r *run) error {
	z := r.sizes
	reader, others := r.users[0], r.users[1:z.syncMembers]
	rooms := make([]string, z.syncRooms)
	creator := func(room int) *user { return others[room%len(others)] }
	err := r.prepare(ctx, len(rooms), 4, func(i int) (err error) {
		rooms[i], err = creator(i).createRoom(ctx, map[string]any{"topic": "Room " + strconv.Itoa(i) + " of the benchmark"})
		return err
	})
	if err != nil {
		return err
	}
	// The joins go round the rooms, so that no two meet in one.
	if err := r.prepare(ctx, len(rooms)*z.syncMembers, 4, func(i int) error { return r.users[i/len(rooms)].join(ctx, rooms[i%len(rooms)]) }); err != nil {
		return err
	}
	if err := r.prepare(ctx, 5*len(rooms), 4, func(i int) error {
		room := i % len(rooms)
		return creator(room).send(ctx, rooms[room], message(i))
	}); err != nil {
		return err
	}
	n, err := reader.sync(ctx, "", everything, 0)
	if err != nil {
		return err
	}
	for _, room := range rooms {
		if _, ok := n.Rooms.Join[room]; !ok {
			return errors.New("a joined room is missing in the first answer of /sync")
		}
	}
	r.repeat(ctx, "initialsync.full", 0, z.repeats, func(ctx context.Context) (int64, error) {
		return reader.get(ctx, syncPath("", everything, 0))
	})
	r.repeat(ctx, "initialsync.lazy", 0, z.repeats, func(ctx context.Context) (int64, error) {
		return reader.get(ctx, syncPath("", lazyMembers, 0))
	})
	since := n.NextBatch
	r.measure(ctx, "sync.one-event", 0, func(ctx context.Context, m *meter) {
		for i := range 10 * z.repeats {
			room := i % len(rooms)
			if err := creator(room).send(ctx, rooms[room], message(i)); err != nil && ctx.Err() == nil {
				m.add(0, err)
				continue
			}
			m.once(ctx, func() error {
				n, err := reader.sync(ctx, since, everything, waitInSync)
				if err != nil {
					return err
				}
				since = n.NextBatch
				if len(n.Rooms.Join[rooms[room]].Timeline.Events) == 0 {
					return errors.New("the new event is not in the answer")
				}
				return nil
			})
		}
	})
	r.repeat(ctx, "sync.no-news", 0, 50*z.repeats, func(ctx context.Context) (int64, error) {
		return reader.get(ctx, syncPath(since, everything, 0))
	})
	return nil
}
