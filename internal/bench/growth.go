package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
)

// Names of the stretches of growth. Their sizes are members of the room, rooms of the
// user, or state events of the room.
const (
	growSend      = "growth.members.send"
	growJoin      = "growth.members.join"
	growSync      = "growth.members.sync"
	growGet       = "growth.members.get"
	growRoomsSend = "growth.rooms.send"
	growRoomsSync = "growth.rooms.sync"
	growInitial   = "growth.rooms.initialsync"
	growChange    = "growth.state.change"
)

// Growth measures how costs grow with the members of a room, the rooms of a user, and
// the state events of a room.
func Growth(ctx context.Context, o Options) error {
	return measured(ctx, o, func(r *run) error {
		r.head()
		var failures []error
		for _, part := range []func(context.Context) error{r.growWithState, r.growWithRooms, r.growWithMembers} {
			if err := part(ctx); err != nil {
				failures = append(failures, err)
			}
		}
		fmt.Fprintf(r.Shown, "\n%s", growthTables(summarize(r.results)))
		return errors.Join(failures...)
	})
}

// growWithState measures changes of a room with more and more state events.
func (r *run) growWithState(ctx context.Context) error {
	if err := r.enroll(ctx, 1); err != nil {
		return err
	}
	owner := r.users[0]
	room, err := owner.createRoom(ctx, nil)
	if err != nil {
		return err
	}
	filled := 0
	for _, size := range r.sizes.growState {
		if err := r.prepare(ctx, size-filled, 4, func(i int) error { return owner.setState(ctx, room, filled+i, 0) }); err != nil {
			return fmt.Errorf("a room of %d state events: %w", size, err)
		}
		filled = size
		r.measure(ctx, growChange, size, func(ctx context.Context, m *meter) {
			m.each(ctx, r.sizes.growOperations, 1, func(i int) error { return owner.setState(ctx, room, i%size, i+1) })
		})
	}
	return nil
}

// growWithRooms measures users of more and more rooms. Of each room they and its
// creator are members.
func (r *run) growWithRooms(ctx context.Context) error {
	sizes := r.sizes.growRooms
	creators := 8
	if err := r.enroll(ctx, creators+len(sizes)); err != nil {
		return err
	}
	rooms := make([]string, slices.Max(sizes))
	if err := r.prepare(ctx, len(rooms), 4, func(i int) (err error) { rooms[i], err = r.users[i%creators].createRoom(ctx, nil); return err }); err != nil {
		return fmt.Errorf("%d rooms: %w", len(rooms), err)
	}
	for k, size := range sizes {
		u := r.users[creators+k]
		if err := r.prepare(ctx, size, 4, func(i int) error { return u.join(ctx, rooms[i]) }); err != nil {
			return fmt.Errorf("a user of %d rooms: %w", size, err)
		}
		r.growSending(ctx, growRoomsSend, size, u, rooms[:size])
		if err := r.growSyncing(ctx, growRoomsSync, size, u, r.users[0], rooms[0]); err != nil {
			return err
		}
		r.repeat(ctx, growInitial, size, max(3, r.sizes.growOperations/20), func(ctx context.Context) (int64, error) {
			return u.get(ctx, syncPath("", everything, 0))
		})
	}
	return nil
}

// growWithMembers measures rooms of more and more members.
func (r *run) growWithMembers(ctx context.Context) error {
	if err := r.enroll(ctx, slices.Max(r.sizes.growMembers)+r.sizes.growOperations); err != nil {
		return err
	}
	small, err := r.roomOf(ctx, r.users[:2])
	if err != nil {
		return err
	}
	r.growSending(ctx, growSend, 2, r.users[0], []string{small})
	for _, size := range r.sizes.growMembers {
		if err := r.growToMembers(ctx, size); err != nil {
			return fmt.Errorf("a room of %d members: %w", size, err)
		}
	}
	return nil
}

// growToMembers measures rooms of one size. Small ones are several, so that enough
// joins can be measured without making them larger.
func (r *run) growToMembers(ctx context.Context, size int) error {
	n := r.sizes.growOperations
	owner, members, joiners := r.users[0], r.users[1:size-1], r.users[size-1:]
	rooms := make([]string, max(1, min(n/5, 1000/size)))
	if err := r.prepare(ctx, len(rooms), 4, func(i int) (err error) { rooms[i], err = owner.createRoom(ctx, nil); return err }); err != nil {
		return err
	}
	if err := r.prepare(ctx, len(members)*len(rooms), 4, func(i int) error { return members[i/len(rooms)].join(ctx, rooms[i%len(rooms)]) }); err != nil {
		return err
	}
	// The one who syncs is in this room alone, whatever its size.
	reader, err := r.server.register(ctx, "reader-"+strconv.Itoa(size))
	if err != nil {
		return err
	}
	if err := reader.join(ctx, rooms[0]); err != nil {
		return err
	}
	r.growSending(ctx, growSend, size, owner, rooms)
	if err := r.growSyncing(ctx, growSync, size, reader, owner, rooms[0]); err != nil {
		return err
	}
	r.repeat(ctx, growGet, size, max(3, n/10), func(ctx context.Context) (int64, error) {
		return owner.get(ctx, inRoom(rooms[0], "/members"))
	})
	r.measure(ctx, growJoin, size, func(ctx context.Context, m *meter) {
		m.each(ctx, n, 1, func(i int) error { return joiners[i/len(rooms)].join(ctx, rooms[i%len(rooms)]) })
	})
	return nil
}

// growSending measures messages into rooms that nobody watches.
func (r *run) growSending(ctx context.Context, scenario string, size int, sender *user, rooms []string) {
	r.measure(ctx, scenario, size, func(ctx context.Context, m *meter) {
		m.each(ctx, r.sizes.growOperations, 1, func(i int) error { return sender.send(ctx, rooms[i%len(rooms)], message(i)) })
	})
}

// growSyncing measures answers of /sync that hold one event, again and again the
// same, so that no send is counted with them.
func (r *run) growSyncing(ctx context.Context, scenario string, size int, reader, sender *user, room string) error {
	n, err := reader.sync(ctx, "", nearNothing, 0)
	if err != nil {
		return err
	}
	if err := sender.send(ctx, room, message(0)); err != nil {
		return err
	}
	r.measure(ctx, scenario, size, func(ctx context.Context, m *meter) {
		m.each(ctx, r.sizes.growOperations, 1, func(int) error {
			answer, err := reader.sync(ctx, n.NextBatch, everything, waitInSync)
			if err == nil && len(answer.Rooms.Join[room].Timeline.Events) != 1 {
				err = errors.New("the answer does not hold the one new event")
			}
			return err
		})
	})
	return nil
}
