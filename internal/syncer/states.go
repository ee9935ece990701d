package syncer

import (
	"cmp"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/rooms"
	"github.com/narthex-matrix/narthex/internal/timeline"
)

// whole reports whether the client gets the room's whole state.
func (r *reading) whole(st *stay) bool { return st.fresh || r.fullState && !st.only }

// stateAt is the position whose state the client needs: that right before the
// timeline, or its end for state_after. Where the timeline leaves state out, it is
// the end as well, and what the timeline has is left out of the state.
func (r *reading) stateAt(st *stay) int64 {
	if r.stateAfter || st.inside {
		return st.upTo
	}
	return st.base
}

// addStates finds the state that the timelines do not tell. The members whom a client
// that loads them lazily must know are added by addMembers.
func (r *reading) addStates() error {
	whole, change := map[id.RoomID]int64{}, map[id.RoomID]int64{}
	for _, st := range r.stays {
		switch {
		case st.only:
		case r.whole(st):
			whole[st.roomID] = r.stateAt(st)
		case st.raw > 0 && (r.stateAfter || st.limited || st.skipped):
			change[st.roomID] = r.stateAt(st)
		}
	}
	states, err := r.s.rooms.States(r.tx, whole, !r.filter.Room.State.LazyLoadMembers)
	if err != nil {
		return err
	}
	changes, err := r.s.rooms.StateChanges(r.tx, r.since, change)
	if err != nil {
		return err
	}
	for _, st := range r.stays {
		st.state = append(states[st.roomID], changes[st.roomID]...)
		for _, ev := range st.state {
			st.note(ev)
		}
	}
	return nil
}

// addMembers finds whom a client that loads members lazily must know, and leaves of the
// state what is told.
func (r *reading) addMembers() error {
	members, err := r.lazyMembers()
	if err != nil {
		return err
	}
	for _, st := range r.stays {
		st.state = r.selected(st, append(st.state, members[st.roomID]...))
	}
	return nil
}

// lazyMembers finds the memberships of those whom a client that loads members
// lazily must know: who sent the timeline, the room's heroes, and the user.
func (r *reading) lazyMembers() (map[id.RoomID][]rooms.Stored, error) {
	if !r.filter.Room.State.LazyLoadMembers {
		return nil, nil
	}
	at := map[id.RoomID]int64{}
	users := map[id.RoomID][]id.UserID{}
	for _, st := range r.stays {
		if st.only {
			continue
		}
		var list []id.UserID
		for _, ev := range st.events {
			if ev.Sender != r.userID || r.filter.Room.State.IncludeRedundantMembers {
				list = append(list, ev.Sender)
			}
		}
		if r.whole(st) {
			list = append(list, r.userID)
		}
		if st.summary != nil {
			list = append(list, st.summary.Heroes...)
		}
		if len(list) > 0 {
			slices.Sort(list)
			users[st.roomID], at[st.roomID] = slices.Compact(list), r.stateAt(st)
		}
	}
	return r.s.rooms.MembersIn(r.tx, at, users)
}

// selected leaves of a room's state what the filter lets through, each event once,
// and none that the timeline has, unless it is the state after it.
func (r *reading) selected(st *stay, list []rooms.Stored) []rooms.Stored {
	if !r.filter.Room.State.MatchesRoom(st.roomID) {
		return nil
	}
	slices.SortFunc(list, func(a, b rooms.Stored) int { return cmp.Compare(a.Pos, b.Pos) })
	list = slices.CompactFunc(list, func(a, b rooms.Stored) bool { return a.Pos == b.Pos })
	return slices.DeleteFunc(list, func(ev rooms.Stored) bool {
		told := !r.stateAfter && slices.ContainsFunc(st.events, func(t rooms.Stored) bool { return t.Pos == ev.Pos })
		return told || !timeline.Matches(&r.filter.Room.State, ev.Event)
	})
}

// addSummaries finds the summaries of the rooms whose memberships or name may have
// changed, in a gap as well: what changed there is in the state that was found.
func (r *reading) addSummaries() error {
	var changed []id.RoomID
	for _, st := range r.stays {
		if !st.left && (r.whole(st) || st.members || st.named) {
			changed = append(changed, st.roomID)
		}
	}
	summaries, err := rooms.Summaries(r.tx, changed, r.userID)
	for roomID, s := range summaries {
		r.byRoom[roomID].summary = s
	}
	return err
}

// writeRooms writes the joined and left rooms that have news, all events at once.
func (r *reading) writeRooms() error {
	var events []rooms.Stored
	for _, st := range r.stays {
		events = append(append(events, st.state...), st.events...)
	}
	viewer, err := r.relations(rooms.Viewer{UserID: r.userID, DeviceID: r.deviceID, WithoutRoomID: true, NoneErased: r.has&erased == 0})
	if err != nil {
		return err
	}
	written, err := r.s.rooms.ClientEvents(r.tx, viewer, events)
	if err != nil {
		return err
	}
	if written, err = project(written, r.filter.EventFields); err != nil {
		return err
	}
	for _, st := range r.stays {
		state := written[:len(st.state)]
		tail := written[len(st.state) : len(st.state)+len(st.events)]
		written = written[len(st.state)+len(st.events):]
		if r.whole(st) || st.left || len(state) > 0 || len(tail) > 0 || st.limited {
			r.writeRoom(st, state, tail)
		}
	}
	return nil
}

func (r *reading) writeRoom(st *stay, state, tail []jsontext.Value) {
	batch := timelineBatch{Events: tail, Limited: st.limited, PrevBatch: rooms.Token(st.from)}
	var before, after *eventList
	if r.stateAfter {
		after = &eventList{state}
	} else {
		before = &eventList{state}
	}
	if st.left {
		r.answer.Rooms.Leave[st.roomID] = &leftRoom{State: before, StateAfter: after, Timeline: batch}
		return
	}
	j := r.joined(st.roomID)
	j.State, j.StateAfter, j.Timeline = before, after, batch
	if st.summary != nil {
		j.Summary = &summary{Heroes: st.summary.Heroes, Joined: st.summary.Joined, Invited: st.summary.Invited}
	}
}
