package syncer

import (
	"github.com/narthex-matrix/narthex/internal/event"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/rooms"
)

// stay is a room that the user is in or has left, on its way into the answer.
type stay struct {
	membership rooms.Membership
	roomID     id.RoomID
	left       bool
	fresh      bool        // the client gets the whole state
	only       bool        // nothing but the user's own membership is told
	view       *rooms.View // nil: sees all of the timeline
	own        int64       // the user's own membership, if it is new

	after, upTo int64 // what the timeline covers

	raw     int            // how many events were looked at
	related bool           // there may be one among them that relates to another
	members bool           // memberships may have changed
	named   bool           // likewise the name, or an alias that stands for one
	crypto  bool           // encryption was switched on
	events  []rooms.Stored // the timeline, oldest first
	from    int64          // before which earlier events are to be had
	base    int64          // the position right before the timeline
	limited bool
	// skipped says that the timeline leaves out state events, and inside that it
	// does so after its first event.
	skipped, inside bool

	summary *rooms.Summary
	state   []rooms.Stored
}

// note takes down what an event of the room changes beside the room's history.
func (st *stay) note(ev rooms.Stored) {
	st.members = st.members || ev.IsState(event.TypeMember)
	st.named = st.named || ev.IsState("m.room.name") || ev.IsState("m.room.canonical_alias")
	st.crypto = st.crypto || ev.IsState("m.room.encryption")
}

// invitation is a room to which the user is invited, or at which they knock.
type invitation struct {
	roomID id.RoomID
	knock  bool
	sender id.UserID
}

// findRooms finds the rooms of the user and what they have become. If only rooms have
// news, the others are passed over, however many there are.
func (r *reading) findRooms() (err error) {
	var all []rooms.Membership
	if r.few {
		all, err = r.membershipsIn(r.touched, r.userID, r.since)
	} else {
		all, err = rooms.Memberships(r.tx, r.userID, r.since)
	}
	if err != nil {
		return err
	}
	var changed []id.RoomID
	r.standings = map[id.RoomID]rooms.Standing{}
	for _, m := range all {
		if r.few && m.Membership == event.Join {
			r.standings[m.RoomID] = m.Standing
		}
		if m.Pos > r.since {
			changed = append(changed, m.RoomID)
		}
	}
	views, err := r.s.rooms.Views(r.tx, changed, r.userID)
	if err != nil {
		return err
	}
	r.byRoom = map[id.RoomID]*stay{}
	for _, m := range all {
		if !r.filter.Room.MatchesRoom(m.RoomID) {
			continue
		}
		if st := r.stayOf(m, views[m.RoomID]); st != nil {
			r.stays = append(r.stays, st)
			r.byRoom[m.RoomID] = st
		}
	}
	return nil
}

// stayOf says what a room is to the user, and notes invites and knocks. A view is
// there if the user's membership has changed.
func (r *reading) stayOf(m rooms.Membership, view *rooms.View) *stay {
	st := &stay{membership: m, roomID: m.RoomID, after: r.since, upTo: r.to, base: r.to, from: r.since}
	if view == nil {
		return st
	}
	now, since := view.Own(r.to)
	before := ""
	if !r.initial {
		before, _ = view.Own(r.since)
	}
	st.view, st.own = view, since
	switch {
	case m.Forgotten, now == "", since <= r.since && now != event.Join:
		return nil
	case now == event.Invite, now == event.Knock:
		r.asked = append(r.asked, invitation{m.RoomID, now == event.Knock, m.Sender})
		return nil
	case now == event.Join:
		if before != event.Join {
			st.begin(view.LastIn(r.to), r.initial)
		}
		return st
	case r.initial && !r.filter.Room.IncludeLeave:
		return nil
	}
	st.left, st.upTo, st.base = true, since, since
	stayed := view.LastIn(r.to)
	switch {
	case before == event.Join:
	case stayed > r.since: // came and went
		st.begin(view.LastIn(stayed-1), r.initial)
	default:
		st.only, st.after = true, since-1
	}
	return st
}

// begin makes it a room of which the client gets all, after an earlier stay that
// ended at a position. In an initial sync the client knows of none.
func (st *stay) begin(earlier int64, initial bool) {
	st.fresh, st.after = true, earlier
	if initial {
		st.after = 0
	}
}
