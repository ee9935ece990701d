package syncer

import (
	"slices"

	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/rooms"
	"github.com/narthex-matrix/narthex/internal/timeline"
)

const (
	defaultLimit = 10 // events of a timeline
	largestLimit = 100
)

// addTimelines finds the newest events of the rooms that have new ones.
func (r *reading) addTimelines() error {
	type stretch struct{ after, upTo int64 }
	wanted := map[stretch][]id.RoomID{}
	var continuing []id.RoomID
	for _, st := range r.stays {
		if st.after == r.since && !st.left && !r.initial {
			continuing = append(continuing, st.roomID)
		} else {
			s := stretch{st.after, st.upTo}
			wanted[s] = append(wanted[s], st.roomID)
		}
	}
	limit := r.filter.Room.Timeline.LimitOr(defaultLimit, largestLimit)
	if r.few {
		if err := r.addHappened(continuing, limit); err != nil {
			return err
		}
	} else {
		changed, err := rooms.ChangedRooms(r.tx, continuing, r.since, r.to)
		if err != nil {
			return err
		}
		if len(changed) > 0 {
			wanted[stretch{r.since, r.to}] = changed
		}
	}
	for s, list := range wanted {
		newest, err := r.s.rooms.Newest(r.tx, list, s.after, s.upTo, limit+1)
		if err != nil {
			return err
		}
		for _, roomID := range list {
			if err := r.addTimeline(r.byRoom[roomID], newest[roomID], limit); err != nil {
				return err
			}
		}
	}
	return nil
}

// addHappened makes the timelines of rooms in which the client goes on, from the few
// events that there are.
func (r *reading) addHappened(roomIDs []id.RoomID, limit int) error {
	var in []rooms.Membership
	for _, roomID := range roomIDs {
		in = append(in, r.byRoom[roomID].membership)
	}
	newest, err := r.s.rooms.NewestAmong(r.tx, r.happened, in, limit+1)
	if err != nil {
		return err
	}
	for roomID, list := range newest {
		if err := r.addTimeline(r.byRoom[roomID], list, limit); err != nil {
			return err
		}
	}
	return nil
}

// addTimeline makes the timeline of a room from its newest events, one of which is
// beyond the limit if there are more.
func (r *reading) addTimeline(st *stay, newest []rooms.Stored, limit int) error {
	st.raw = len(newest)
	for _, ev := range newest {
		st.note(ev)
		st.related = st.related || ev.RelatesTo != nil
	}
	more := len(newest) > limit
	if more {
		newest = newest[len(newest)-limit:]
	}
	f := &r.filter.Room.Timeline
	if !f.MatchesRoom(st.roomID) {
		st.base, st.from, st.skipped = st.upTo, st.upTo, true
		return nil
	}
	related := f.RelatedByRelTypes != nil || f.RelatedBySenders != nil
	for _, ev := range newest {
		switch {
		case r.tells(st, ev) && !related:
			st.events = append(st.events, ev)
		case ev.StateKey != nil:
			st.skipped, st.inside = true, st.inside || len(st.events) > 0
		}
	}
	if related || more && len(st.events) < len(newest) {
		return r.page(st, limit)
	}
	// Where an earlier stay ended is a gap as well.
	st.limited = more || st.fresh && st.after > 0 || r.lost
	st.place(st.after)
	if more {
		st.from = st.base
	}
	return nil
}

// place sets where the timeline begins.
func (st *stay) place(from int64) {
	st.base, st.from = st.upTo, from
	if len(st.events) > 0 {
		st.base = st.events[0].Pos - 1
	}
}

// page finds the newest events of a room of which the user sees or wants only some.
func (r *reading) page(st *stay, limit int) error {
	if st.view == nil {
		view, err := r.s.rooms.View(r.tx, st.roomID, r.userID)
		if err != nil {
			return err
		}
		st.view = view
	}
	page, err := r.s.timeline.Page(r.tx, timeline.Query{
		RoomID: st.roomID, Reader: timeline.Reader{View: st.view, Ignored: r.ignored}, Filter: &r.filter.Room.Timeline,
		After: st.after, UpTo: st.upTo, Limit: limit,
	})
	if err != nil {
		return err
	}
	slices.Reverse(page.Events)
	st.events, st.skipped, st.inside, st.related = page.Events, true, true, true
	st.limited = page.More || st.fresh && st.after > 0 || r.lost
	st.place(page.End)
	return nil
}

// tells reports whether an event goes into a timeline.
func (r *reading) tells(st *stay, ev rooms.Stored) bool {
	if ev.StateKey == nil && r.ignored[ev.Sender] {
		return false
	}
	if st.view != nil && !st.view.Sees(ev.Event, ev.Pos) && ev.Pos != st.own {
		return false
	}
	return timeline.Matches(&r.filter.Room.Timeline, ev.Event)
}

// relations are the bundled aggregations of the timelines. What relates to an event
// is later in its room, and so was looked at with it: most answers need none.
func (r *reading) relations(viewer rooms.Viewer) (rooms.Viewer, error) {
	var unseen []id.RoomID
	var events []rooms.Stored
	for _, st := range r.stays {
		if !st.related || len(st.events) == 0 {
			continue
		}
		events = append(events, st.events...)
		if st.view == nil {
			unseen = append(unseen, st.roomID)
		}
	}
	if len(events) == 0 {
		return viewer, nil
	}
	views, err := r.s.rooms.Views(r.tx, unseen, r.userID)
	if err != nil {
		return viewer, err
	}
	readers := map[id.RoomID]timeline.Reader{}
	for _, st := range r.stays {
		view := st.view
		if view == nil {
			view = views[st.roomID]
		}
		if view != nil {
			readers[st.roomID] = timeline.Reader{View: view, Ignored: r.ignored}
		}
	}
	viewer.Relations, err = r.s.timeline.Bundle(r.tx, viewer, readers, events)
	return viewer, err
}
