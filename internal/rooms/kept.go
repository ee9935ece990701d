package rooms

import (
	"slices"
	"strconv"
	"strings"

	"github.com/narthex-matrix/narthex/internal/cache"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
)

// kept holds events in memory, by position. An event changes in one way only, by a
// redaction, and each room's row says where its newest one is: an event that was read
// when that was the same is as the database has it, in every process. So there is
// nothing to invalidate, and a reader asks the database for positions alone.
type kept struct {
	events *cache.Cache[int64, Stored]
}

// keptBytes is how much memory the events take, about.
const keptBytes = 24 << 20

func newKept() *kept {
	// The event as it is stored, its parsed form, which refers to it, and the entry.
	return &kept{cache.Weighed(keptBytes, func(_ int64, st Stored) uint32 { return uint32(len(st.Raw)) + 1024 })}
}

// get gives the event at a position, if it is kept as it is after a redaction.
func (k *kept) get(pos, redactedPos int64) (Stored, bool) {
	st, ok := k.events.Get(pos)
	return st, ok && st.redactedPos == redactedPos
}

// put keeps an event that the transaction has read or written.
func (k *kept) put(tx *db.Tx, st Stored) {
	tx.AfterCommit(func() { k.events.Set(st.Pos, st) })
}

// place is where an event is, and the newest redaction of its room as the transaction
// sees it.
type place struct{ pos, redactedPos int64 }

// eventsAt gives the events at some places, in their order; those that are gone are
// left out.
func (s *Service) eventsAt(tx *db.Tx, places []place) ([]Stored, error) {
	out := make([]Stored, len(places))
	missing := map[int64][]int{}
	var positions []int64
	for i, p := range places {
		var ok bool
		if out[i], ok = s.events.get(p.pos, p.redactedPos); !ok {
			out[i] = Stored{}
			positions = append(positions, p.pos)
			missing[p.pos] = append(missing[p.pos], i)
		}
	}
	if len(positions) == 0 {
		return out, nil
	}
	err := db.Chunks(positions, func(chunk []int64) error {
		in := db.In(chunk)
		return db.Each(tx, func(r db.Row) error {
			st, err := ScanEvent(r)
			if err != nil {
				return err
			}
			s.events.put(tx, st)
			for _, i := range missing[st.Pos] {
				out[i] = st
			}
			return nil
		}, fromEvents+`WHERE e.pos IN (`+in.Marks(1)+`)`, in.Args()...)
	})
	return slices.DeleteFunc(out, func(st Stored) bool { return st.Event == nil }), err
}

// stretch is a list of events of a room, as the database gives it: in one row, since
// rows cost more than what is in them.
type stretch struct {
	roomID      id.RoomID
	redactedPos int64
	positions   []int64 // ascending
}

// scanStretch reads a room's id, its redacted_pos, and lists of positions.
func scanStretch(r db.Row) (s stretch, err error) {
	var list string
	if err := r.Scan(&s.roomID, &s.redactedPos, &list); err != nil {
		return s, err
	}
	for text := range strings.FieldsSeq(list) {
		pos, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return s, err
		}
		s.positions = append(s.positions, pos)
	}
	slices.Sort(s.positions)
	s.positions = slices.Compact(s.positions)
	return s, nil
}

// A query for stretches is made of a select of positions, which may look at the room
// r, between these two; after them come joins and conditions.
const (
	positionsIn = `SELECT r.room_id, r.redacted_pos, COALESCE((SELECT string_agg(CAST(found.pos AS TEXT), ' ') FROM (`
	ofRooms     = `) AS found), '') FROM rooms r `
	ofRoom      = ofRooms + `WHERE r.room_id = $1`
)

// stretchesOf gives the events of stretches by room, the oldest first.
func (s *Service) stretchesOf(tx *db.Tx, stretches []stretch) (map[id.RoomID][]Stored, error) {
	var places []place
	for _, st := range stretches {
		for _, pos := range st.positions {
			places = append(places, place{pos, st.redactedPos})
		}
	}
	events, err := s.eventsAt(tx, places)
	if err != nil {
		return nil, err
	}
	out := make(map[id.RoomID][]Stored, len(stretches))
	for len(events) > 0 {
		n, roomID := 1, events[0].RoomID
		for n < len(events) && events[n].RoomID == roomID {
			n++
		}
		out[roomID] = append(out[roomID], events[:n:n]...)
		events = events[n:]
	}
	return out, nil
}

// eventsOf gives the events of the only stretch of a query, the oldest first; none if
// there is no such room.
func (s *Service) eventsOf(tx *db.Tx, statement string, args ...any) ([]Stored, error) {
	stretches, err := db.All(tx, scanStretch, statement, args...)
	if err != nil {
		return nil, err
	}
	byRoom, err := s.stretchesOf(tx, stretches)
	for _, list := range byRoom {
		return list, err
	}
	return nil, err
}
