package syncer

import (
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/narthex-matrix/narthex/internal/accountdata"
	"github.com/narthex-matrix/narthex/internal/bus"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/rooms"
)

// reading is one look at the database for one request.
type reading struct {
	*wish
	opening
	s       *Service
	*shared // until it is made

	before    *reading // what was found earlier, which was nothing; nil at the first look and after the last
	since, to int64    // what is after the one and up to the other is told
	initial   bool     // the client knows nothing, or what it knows is worth nothing
	// lost says that the client has seen what this server has not: positions that
	// were lost when a backup was restored.
	lost bool
	// few says that there are only a few positions, so that happened has all events and
	// touched all rooms with news, though maybe others.
	few      bool
	happened []rooms.Happening
	touched  []id.RoomID
	data     []accountdata.Row
	ignored  map[id.UserID]bool
	awaited  []id.RoomID // the rooms whose news would end the waiting

	stays     []*stay // joined and left rooms; those without news too, if not few
	byRoom    map[id.RoomID]*stay
	standings map[id.RoomID]rooms.Standing // if few
	asked     []invitation                 // invites and knocks
	answer    syncResponse
}

// run makes the answer.
func (r *reading) run() error {
	if r.lost {
		// The database is a restored backup, by narthex restore or by hand. What the
		// client holds may be from a history that never was, so it is told all there
		// is, and that there is a gap before it.
		r.since = 0
	}
	r.initial = r.since == 0
	r.answer = syncResponse{
		Rooms: roomSections{
			Join: map[id.RoomID]*joinedRoom{}, Invite: map[id.RoomID]*invitedRoom{},
			Knock: map[id.RoomID]*knockedRoom{}, Leave: map[id.RoomID]*leftRoom{},
		},
	}
	steps := []func() error{
		r.look, r.addToDevice, r.touch, r.findRooms, r.addRooms, r.addInvitations,
		r.addAccountData, r.addEphemeral, r.addPresence, r.addUnread, r.addDeviceLists, r.addKeyCounts,
	}
	if r.since == r.to && !r.fullState {
		steps = []func() error{r.addKeyCounts}
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	r.answer.NextBatch = rooms.Token(r.to)
	return r.findAwaited()
}

// roomsAtOnce is of how many rooms the events are in memory at once. Each part costs a
// fixed number of statements.
const roomsAtOnce = 64

// addRooms adds what has happened in the rooms, part by part: the events of all rooms of
// somebody who is in hundreds would take many times as much memory as the answer.
func (r *reading) addRooms() error {
	all := r.stays
	defer func() { r.stays = all }()
	for part := range slices.Chunk(all, roomsAtOnce) {
		r.stays = part
		for _, step := range []func() error{r.addTimelines, r.addStates, r.addSummaries, r.addMembers, r.writeRooms} {
			if err := step(); err != nil {
				return err
			}
		}
		for _, st := range part {
			st.state, st.events = nil, nil
		}
	}
	return nil
}

// findAwaited finds the rooms for whose news the request waits, once: what changes
// them meanwhile is news itself.
func (r *reading) findAwaited() (err error) {
	switch {
	case !r.waits || !r.answer.empty():
	case r.before != nil:
		r.awaited = r.before.awaited
	default:
		r.awaited, err = r.s.rooms.JoinedAt(r.tx, r.userID, r.pos)
	}
	return err
}

// fewPositions is up to where it is worth the while to find out what took them, which is
// remembered: a client that comes back every few seconds to a lively server is among them.
const fewPositions = 512

// look finds out of what there is any news. Each position is taken by one change: if
// there were as many events as positions there was no other change, and nobody need look
// for one. So it is for most of those who are woken.
func (r *reading) look() (err error) {
	r.ignored = accountdata.ReadIgnored(r.ignoredList, r.userID)
	if r.initial {
		r.has |= everything
	} else {
		if n := r.to - r.since; n <= fewPositions {
			if r.happened, r.few, err = r.s.rooms.Happened(r.tx, r.since, r.to); err != nil {
				return err
			}
		}
		if !r.few || len(r.happened) < int(r.to-r.since) {
			more, err := readKinds(r.tx, r.wish, r.since)
			if err != nil {
				return err
			}
			r.has |= more
		}
		r.few = r.few && !r.fullState
	}
	return nil
}

// touch reads the account data, and finds the rooms in which there may be news if there
// are few.
func (r *reading) touch() (err error) {
	if r.has&accountData != 0 {
		if r.data, err = r.s.accountData.Since(r.tx, r.userID, r.since, r.to); err != nil {
			return err
		}
	}
	if !r.few {
		return nil
	}
	for _, e := range r.happened {
		r.touched = append(r.touched, e.RoomID)
	}
	for _, row := range r.data {
		if row.RoomID != "" {
			r.touched = append(r.touched, row.RoomID)
		}
	}
	if r.has&roomNews != 0 {
		more, err := r.s.ephemeral.RoomsWithNews(r.tx, r.since, r.to)
		if err != nil {
			return err
		}
		r.touched = append(r.touched, more...)
	}
	slices.Sort(r.touched)
	r.touched = slices.Compact(r.touched)
	return nil
}

// response is the answer; nil for no reading.
func (r *reading) response() *syncResponse {
	if r == nil {
		return nil
	}
	return &r.answer
}

// keys are what wakes the user for what happens in rooms.
func (r *reading) keys() (keys []string) {
	for _, roomID := range r.awaited {
		if r.filter.Room.MatchesRoom(roomID) {
			keys = append(keys, bus.Room(roomID))
		}
	}
	return keys
}

// joined gives the room's part of the answer, which it begins if there is none yet.
func (r *reading) joined(roomID id.RoomID) *joinedRoom {
	j := r.answer.Rooms.Join[roomID]
	if j == nil {
		j = &joinedRoom{Timeline: timelineBatch{PrevBatch: rooms.Token(r.since)}}
		if r.stateAfter {
			j.StateAfter = &eventList{}
		} else {
			j.State = &eventList{}
		}
		r.answer.Rooms.Join[roomID] = j
	}
	return j
}

// add appends an event that no room keeps.
func (l *eventList) add(ev any) error {
	raw, err := json.Marshal(ev)
	if err == nil {
		l.Events = append(l.Events, jsontext.Value(raw))
	}
	return err
}
