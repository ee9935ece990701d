package timeline

import (
	"context"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/rooms"
)

type getEventContextRequest struct {
	RoomID  id.RoomID     `path:"roomId"`
	EventID id.EventID    `path:"eventId"`
	Limit   *contextLimit `query:"limit"`
	Filter  filter        `query:"filter"`
}

type getEventContextResponse struct {
	Start        string           `json:"start"`
	End          string           `json:"end"`
	EventsBefore []jsontext.Value `json:"events_before"`
	Event        jsontext.Value   `json:"event"`
	EventsAfter  []jsontext.Value `json:"events_after"`
	State        []jsontext.Value `json:"state"`
}

func (s *Service) getEventContext(ctx context.Context, call *httpapi.Call, req getEventContextRequest) (out getEventContextResponse, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		if _, err := s.rooms.ReadableAt(tx, req.RoomID, call.UserID); err != nil {
			return err
		}
		r, err := s.reader(tx, req.RoomID, call.UserID)
		if err != nil {
			return err
		}
		target, err := s.visibleEvent(tx, r, req.RoomID, req.EventID)
		if err != nil {
			return err
		}
		now, err := tx.Position()
		if err != nil {
			return err
		}
		wanted := req.Limit.or(req.Filter.LimitOr(messagesLimit, largestLimit))
		q := Query{RoomID: req.RoomID, Reader: r, Filter: &req.Filter.EventFilter}
		q.UpTo, q.Limit = target.Pos-1, wanted/2
		before, err := s.Page(tx, q)
		if err != nil {
			return err
		}
		q.After, q.UpTo, q.Limit, q.Forward = target.Pos, now, wanted-wanted/2, true
		after, err := s.Page(tx, q)
		if err != nil {
			return err
		}
		events := slices.Concat(before.Events, []rooms.Stored{target}, after.Events)
		out.Start, out.End = rooms.Token(events[max(0, len(before.Events)-1)].Pos-1), rooms.Token(events[len(events)-1].Pos)
		written, err := s.clientEvents(tx, viewer(call), req.RoomID, r, events)
		if err != nil {
			return err
		}
		n := len(before.Events)
		out.EventsBefore, out.Event, out.EventsAfter = written[:n], written[n], written[n+1:]
		state, err := s.contextState(tx, q, events)
		if err != nil {
			return err
		}
		out.State, err = s.rooms.ClientEvents(tx, viewer(call), state)
		return err
	})
	return out, err
}

// contextState gives the state at the last of the events: of the memberships only
// those of senders, if the client loads members lazily.
func (s *Service) contextState(tx *db.Tx, q Query, events []rooms.Stored) ([]rooms.Stored, error) {
	at := events[len(events)-1].Pos
	var state []rooms.Stored
	var err error
	if q.Filter.LazyLoadMembers {
		if state, err = s.rooms.StateButMembersAt(tx, q.RoomID, at); err != nil {
			return nil, err
		}
		members, err := s.sendersOf(tx, q.RoomID, events)
		if err != nil {
			return nil, err
		}
		state = append(state, members...)
	} else if state, err = s.rooms.StateAt(tx, q.RoomID, at); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(state, func(st rooms.Stored) bool { return !Matches(q.Filter, st.Event) }), nil
}
