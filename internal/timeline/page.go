package timeline

import (
	"slices"

	"github.com/narthex-matrix/narthex/internal/accountdata"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/rooms"
)

const (
	// maxScanned is how many events one page looks at: a filter for what is rare,
	// or history that the user may not see, must not cost a walk through a room.
	maxScanned = 5000
	maxBatch   = 1000
)

// Query is a stretch of a room's history, as one user reads it: after one
// position and up to another.
type Query struct {
	RoomID id.RoomID
	Reader Reader
	// Filter selects events; nil wants all. Its limit is not looked at.
	Filter      *accountdata.EventFilter
	After, UpTo int64
	// Forward gives the oldest events, oldest first; otherwise the newest, newest
	// first.
	Forward bool
	// Limit is how many are wanted, 0 or more.
	Limit int
}

// Page is one page of a stretch.
type Page struct {
	Events []rooms.Stored
	// End is where the rest of the stretch begins: the After of the next page if
	// forward, and else its UpTo.
	End int64
	// More says that there may be more in the stretch. There may be even if Events
	// has fewer than were asked for, but there is not if More is false.
	More bool
}

// Page reads the page at the near end of a stretch: /sync wants the newest events
// of what is new, /messages those next to a token.
func (s *Service) Page(tx *db.Tx, q Query) (Page, error) {
	if q.Filter != nil && !q.Filter.MatchesRoom(q.RoomID) {
		return Page{End: q.far()}, nil
	}
	return s.walk(tx, q, func(after, upTo int64, limit int) ([]rooms.Stored, error) {
		return s.rooms.EventsBetween(tx, q.RoomID, after, upTo, q.Forward, limit)
	})
}

// near and far are the ends of the stretch, in the order of reading; past is the
// near end of what remains after an event.
func (q Query) near() int64 {
	if q.Forward {
		return q.After
	}
	return q.UpTo
}

func (q Query) far() int64 {
	if q.Forward {
		return q.UpTo
	}
	return q.After
}

func (q Query) past(pos int64) Query {
	if q.Forward {
		q.After = pos
	} else {
		q.UpTo = pos - 1
	}
	return q
}

// walk reads batches from the near end of the stretch until it has a page, and
// one event more: without that one there is no next page.
func (s *Service) walk(tx *db.Tx, q Query, read func(after, upTo int64, limit int) ([]rooms.Stored, error)) (Page, error) {
	q.After, q.UpTo = q.Reader.bounds(q.After, q.UpTo)
	page := Page{End: q.near()}
	size, scanned := q.Limit+1, 0
	for q.After < q.UpTo {
		batch, err := read(q.After, q.UpTo, size)
		if err != nil || len(batch) == 0 {
			return Page{Events: page.Events, End: q.far()}, err
		}
		rest := q.past(batch[len(batch)-1].Pos)
		complete := len(batch) < size
		scanned += len(batch)
		kept, err := s.keep(tx, q, batch)
		if err != nil {
			return Page{}, err
		}
		for _, st := range kept {
			if len(page.Events) == q.Limit {
				page.More = true
				return page, nil
			}
			page.Events, page.End = append(page.Events, st), q.past(st.Pos).near()
		}
		if complete {
			break
		}
		if q = rest; scanned >= maxScanned {
			page.End, page.More = q.near(), true
			return page, nil
		}
		size = min(2*size, maxBatch)
	}
	page.End = q.far()
	return page, nil
}

// keep leaves of a batch what the user reads and the filter lets through.
func (s *Service) keep(tx *db.Tx, q Query, batch []rooms.Stored) ([]rooms.Stored, error) {
	batch = slices.DeleteFunc(batch, func(st rooms.Stored) bool {
		return !q.Reader.reads(st) || q.Filter != nil && !Matches(q.Filter, st.Event)
	})
	if q.Filter == nil || q.Filter.RelatedByRelTypes == nil && q.Filter.RelatedBySenders == nil || len(batch) == 0 {
		return batch, nil
	}
	relating, err := rooms.RelatingTo(tx, eventIDs(batch))
	if err != nil {
		return nil, err
	}
	related := map[id.EventID]bool{}
	for _, r := range relating {
		byType := q.Filter.RelatedByRelTypes == nil || slices.Contains(q.Filter.RelatedByRelTypes, r.RelType)
		bySender := q.Filter.RelatedBySenders == nil || slices.Contains(q.Filter.RelatedBySenders, r.Sender)
		related[r.Parent] = related[r.Parent] || byType && bySender
	}
	return slices.DeleteFunc(batch, func(st rooms.Stored) bool { return !related[st.ID] }), nil
}

func eventIDs(events []rooms.Stored) []id.EventID {
	out := make([]id.EventID, len(events))
	for i, st := range events {
		out[i] = st.ID
	}
	return out
}
