package rooms

import (
	"slices"
	"sync"

	"github.com/narthex-matrix/narthex/internal/cache"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
)

// Happening is an event that took a position of the stream.
type Happening struct {
	Pos    int64
	RoomID id.RoomID
	Member id.UserID // whose membership it is; empty for other events
}

const (
	tailLength = 2048 // positions that are remembered
	tailAtOnce = 64   // positions that are looked up for whoever asks
	joinedSize = 100_000
)

// tail remembers which of the newest positions were taken by events, and in which rooms.
// What took a position that a reader can see stays the same for ever, and so does that it
// was no event. So there is nothing to invalidate, and when many are woken by one event
// one of them looks.
type tail struct {
	mu    sync.RWMutex
	slots [tailLength]Happening // by position; without a room: no event
	// joined are the rooms that users were in as of a position: they still are if no
	// membership of theirs has come since.
	joined *cache.Cache[id.UserID, joinedAt]
}

type joinedAt struct {
	pos   int64
	rooms []id.RoomID
}

func newTail() *tail {
	return &tail{joined: cache.Weighed(joinedSize, func(_ id.UserID, j joinedAt) uint32 { return uint32(len(j.rooms)) + 1 })}
}

// between gives the events after a position, up to another or to the first position of
// which nothing is known.
func (t *tail) between(after, upTo int64) (events []Happening, known int64) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for pos := after + 1; pos <= upTo; pos++ {
		slot := &t.slots[pos%tailLength]
		if slot.Pos != pos {
			return events, pos - 1
		}
		if slot.RoomID != "" {
			events = append(events, *slot)
		}
	}
	return events, upTo
}

// learn takes in all events after a position and up to another.
func (t *tail) learn(after, upTo int64, events []Happening) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for pos := after + 1; pos <= upTo; pos++ {
		t.slots[pos%tailLength] = Happening{Pos: pos}
	}
	for _, e := range events {
		t.slots[e.Pos%tailLength] = e
	}
}

// Happened gives the events after a position and up to another that the transaction
// sees, in their order. It gives up, with ok false, where that would be to read many.
func (s *Service) Happened(tx *db.Tx, after, upTo int64) (events []Happening, ok bool, err error) {
	if after < 0 || upTo-after > tailLength/2 {
		return nil, false, nil
	}
	events, known := s.tail.between(after, upTo)
	if upTo-known > tailAtOnce {
		return nil, false, nil
	}
	if known == upTo {
		return events, true, nil
	}
	more, err := db.All(tx, func(r db.Row) (e Happening, err error) {
		err = r.Scan(&e.Pos, &e.RoomID, &e.Member)
		return e, err
	}, `SELECT pos, room_id, CASE WHEN type = 'm.room.member' THEN COALESCE(state_key, '') ELSE '' END FROM events
		WHERE pos > $1 AND pos <= $2 ORDER BY pos`, known, upTo)
	if err != nil {
		return nil, false, err
	}
	s.tail.learn(known, upTo, more)
	return append(events, more...), true, nil
}

// JoinedAt is [JoinedRooms] for a transaction whose position is known. The list is shared:
// it must not be changed.
func (s *Service) JoinedAt(tx *db.Tx, userID id.UserID, at int64) ([]id.RoomID, error) {
	if j, ok := s.tail.joined.Get(userID); ok && j.pos <= at {
		since, ok, err := s.Happened(tx, j.pos, at)
		if err != nil {
			return nil, err
		}
		if ok && !slices.ContainsFunc(since, func(e Happening) bool { return e.Member == userID }) {
			if at-j.pos > tailAtOnce {
				s.tail.joined.Set(userID, joinedAt{at, j.rooms})
			}
			return j.rooms, nil
		}
	}
	list, err := JoinedRooms(tx, userID)
	if err == nil {
		s.tail.joined.Set(userID, joinedAt{at, list})
	}
	return list, err
}

// NewestAmong is [Service.Newest] for events of which the positions are known, in rooms
// as [MembershipsIn] gives them.
func (s *Service) NewestAmong(tx *db.Tx, events []Happening, in []Membership, n int) (map[id.RoomID][]Stored, error) {
	stretches := make([]stretch, len(in))
	for i, m := range in {
		positions := positionsOf(events, m.RoomID, 0)
		stretches[i] = stretch{m.RoomID, m.redactedPos, positions[max(0, len(positions)-n):]}
	}
	return s.stretchesOf(tx, stretches)
}

// positionsOf gives the positions of events of a room that are after another.
func positionsOf(events []Happening, roomID id.RoomID, after int64) (positions []int64) {
	for _, e := range events {
		if e.RoomID == roomID && e.Pos > after {
			positions = append(positions, e.Pos)
		}
	}
	return positions
}
