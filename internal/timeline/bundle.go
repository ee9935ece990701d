package timeline

import (
	"cmp"
	"encoding/json"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/rooms"
)

const (
	// newestChildren is how many edits, replies and references of one event are
	// looked at. The count of a thread counts the others as well.
	newestChildren = 250
	// editTries is how many edits are loaded to find one that has new content.
	editTries = 3
)

// Bundle makes the bundled aggregations of events, for [rooms.Viewer]: the newest
// valid edit, a thread's summary, and references (client-server API, Aggregations
// of child events). Children that the user may not see, or that are sent by whom
// the user ignores, are left out. readers holds a reader for each room of the
// events. The number of statements depends neither on the events nor on the rooms.
func (s *Service) Bundle(tx *db.Tx, viewer rooms.Viewer, readers map[id.RoomID]Reader, events []rooms.Stored) (map[id.EventID]json.RawMessage, error) {
	return s.bundle(tx, viewer, readers, events, true)
}

// aggregate is what the visible children of one event come to.
type aggregate struct {
	edits      []rooms.Child // newest first
	references []reference   // oldest first

	count        int64 // of the thread
	participated bool
	latest       *rooms.Child

	edit, reply *rooms.Stored // the newest valid edit and the newest reply, loaded
}

type reference struct {
	EventID id.EventID `json:"event_id"`
}

type references struct {
	Chunk []reference `json:"chunk"`
}

type threadSummary struct {
	LatestEvent  json.RawMessage `json:"latest_event"`
	Count        int64           `json:"count"`
	Participated bool            `json:"current_user_participated"`
}

type bundled struct {
	Replace   json.RawMessage `json:"m.replace,omitempty"`
	Thread    *threadSummary  `json:"m.thread,omitempty"`
	Reference *references     `json:"m.reference,omitempty"`
}

// bundle is Bundle. The newest reply of a thread gets a bundle of its own, in
// which there are no threads: so it ends.
func (s *Service) bundle(tx *db.Tx, viewer rooms.Viewer, readers map[id.RoomID]Reader, events []rooms.Stored, threads bool) (map[id.EventID]json.RawMessage, error) {
	aggregates, err := aggregated(tx, viewer.UserID, readers, events, threads)
	if err != nil || len(aggregates) == 0 {
		return nil, err
	}
	if err := load(tx, aggregates); err != nil {
		return nil, err
	}
	var inside, replies []rooms.Stored
	for _, a := range aggregates {
		if a.edit != nil {
			inside = append(inside, *a.edit)
		}
		if a.reply != nil {
			inside, replies = append(inside, *a.reply), append(replies, *a.reply)
		}
	}
	viewer.Relations = nil
	if len(replies) > 0 {
		if viewer.Relations, err = s.bundle(tx, viewer, readers, replies, false); err != nil {
			return nil, err
		}
	}
	values, err := s.rooms.ClientEvents(tx, viewer, inside)
	if err != nil {
		return nil, err
	}
	written := map[id.EventID]json.RawMessage{}
	for i, st := range inside {
		written[st.ID] = json.RawMessage(values[i])
	}
	out := make(map[id.EventID]json.RawMessage, len(aggregates))
	for parent, a := range aggregates {
		raw, err := json.Marshal(a.bundled(written))
		if err != nil {
			return nil, err
		}
		out[parent] = raw
	}
	return out, nil
}

func (a *aggregate) bundled(written map[id.EventID]json.RawMessage) (b bundled) {
	if a.edit != nil {
		b.Replace = written[a.edit.ID]
	}
	if a.reply != nil {
		b.Thread = &threadSummary{written[a.reply.ID], a.count, a.participated}
	}
	if len(a.references) > 0 {
		b.Reference = &references{a.references}
	}
	return b
}

// aggregated sorts out the children of events. State events have none that are
// bundled.
func aggregated(tx *db.Tx, userID id.UserID, readers map[id.RoomID]Reader, events []rooms.Stored, threads bool) (map[id.EventID]*aggregate, error) {
	senders := map[id.EventID]id.UserID{}
	var parents []id.EventID
	for _, st := range events {
		if _, known := senders[st.ID]; st.StateKey == nil && !known {
			senders[st.ID], parents = st.Sender, append(parents, st.ID)
		}
	}
	children, err := rooms.Children(tx, parents, userID, newestChildren)
	if err != nil {
		return nil, err
	}
	out := map[id.EventID]*aggregate{}
	hidden := map[id.EventID]int64{} // replies
	for _, c := range children {
		if !readers[c.RoomID].readsChild(c) {
			if c.RelType == "m.thread" {
				hidden[c.Parent]++
			}
			continue
		}
		if out[c.Parent] == nil {
			out[c.Parent] = &aggregate{}
		}
		out[c.Parent].add(c, threads)
	}
	for parent, a := range out {
		a.count -= hidden[parent]
		a.participated = a.participated || senders[parent] == userID
		slices.Reverse(a.references)
		slices.SortStableFunc(a.edits, func(x, y rooms.Child) int {
			return cmp.Or(cmp.Compare(y.TS, x.TS), cmp.Compare(y.ID, x.ID))
		})
		if a.latest == nil && len(a.edits) == 0 && len(a.references) == 0 {
			delete(out, parent)
		}
	}
	return out, nil
}

// add takes the next child, which is older than those before it.
func (a *aggregate) add(c rooms.Child, threads bool) {
	switch {
	case c.RelType == "m.replace":
		a.edits = append(a.edits, c)
	case c.RelType == "m.reference":
		a.references = append(a.references, reference{c.ID})
	case threads && a.latest == nil:
		a.latest, a.count, a.participated = &c, c.Total, c.Participated
	}
}

// load reads the newest reply of each thread and the newest edit that has new
// content: if the newest one has none, the one before it.
func load(tx *db.Tx, aggregates map[id.EventID]*aggregate) error {
	for try := range editTries {
		var positions []int64
		for _, a := range aggregates {
			if a.edit == nil && try < len(a.edits) {
				positions = append(positions, a.edits[try].Pos)
			}
			if a.latest != nil && a.reply == nil {
				positions = append(positions, a.latest.Pos)
			}
		}
		if len(positions) == 0 {
			return nil
		}
		events, err := rooms.EventsAt(tx, positions)
		if err != nil {
			return err
		}
		for _, st := range events {
			a := aggregates[*st.RelatesTo]
			switch {
			case *st.RelType == "m.thread":
				a.reply = &st
			case hasNewContent(st.Event):
				a.edit = &st
			}
		}
	}
	for parent, a := range aggregates {
		if a.edit == nil && a.reply == nil && len(a.references) == 0 {
			delete(aggregates, parent) // nothing but edits without content
		}
	}
	return nil
}

// clientEvents writes events of one room for clients, with bundles.
func (s *Service) clientEvents(tx *db.Tx, viewer rooms.Viewer, roomID id.RoomID, r Reader, events []rooms.Stored) ([]jsontext.Value, error) {
	parents, err := parentsAmong(tx, roomID, events)
	if err != nil {
		return nil, err
	}
	if len(parents) > 0 {
		if viewer.Relations, err = s.Bundle(tx, viewer, map[id.RoomID]Reader{roomID: r}, parents); err != nil {
			return nil, err
		}
	}
	return s.rooms.ClientEvents(tx, viewer, events)
}

// fewRelating is how many relations are looked at to leave out events without any.
const fewRelating = 128

// parentsAmong leaves out events of a room that nothing relates to, if there are few
// enough relations since the oldest of them to say so: what relates to an event is newer,
// and asking for the children of each event costs more than all else of a page.
func parentsAmong(tx *db.Tx, roomID id.RoomID, events []rooms.Stored) ([]rooms.Stored, error) {
	if len(events) == 0 {
		return nil, nil
	}
	oldest := events[0].Pos
	for _, st := range events {
		oldest = min(oldest, st.Pos)
	}
	parents, all, err := rooms.ParentsAfter(tx, roomID, oldest, fewRelating)
	if err != nil || !all {
		return events, err
	}
	related := make(map[id.EventID]bool, len(parents))
	for _, p := range parents {
		related[p] = true
	}
	return slices.DeleteFunc(slices.Clone(events), func(st rooms.Stored) bool { return !related[st.ID] }), nil
}
