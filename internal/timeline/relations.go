package timeline

import (
	"context"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/rooms"
)

// recursion is how many relations may lie between an event and what is found with
// recurse.
const recursion = 3

type getRelatingEventsRequest struct {
	RoomID  id.RoomID  `path:"roomId"`
	EventID id.EventID `path:"eventId"`
	From    *position  `query:"from"`
	To      *position  `query:"to"`
	Limit   *limit     `query:"limit"`
	Dir     direction  `query:"dir"`
	Recurse *bool      `query:"recurse"`
}

type getRelatingEventsWithRelTypeRequest struct {
	RoomID  id.RoomID  `path:"roomId"`
	EventID id.EventID `path:"eventId"`
	RelType string     `path:"relType"`
	From    *position  `query:"from"`
	To      *position  `query:"to"`
	Limit   *limit     `query:"limit"`
	Dir     direction  `query:"dir"`
	Recurse *bool      `query:"recurse"`
}

type getRelatingEventsWithRelTypeAndEventTypeRequest struct {
	RoomID    id.RoomID  `path:"roomId"`
	EventID   id.EventID `path:"eventId"`
	RelType   string     `path:"relType"`
	EventType string     `path:"eventType"`
	From      *position  `query:"from"`
	To        *position  `query:"to"`
	Limit     *limit     `query:"limit"`
	Dir       direction  `query:"dir"`
	Recurse   *bool      `query:"recurse"`
}

type getRelatingEventsResponse struct {
	Chunk          []jsontext.Value `json:"chunk"`
	NextBatch      string           `json:"next_batch,omitzero"`
	PrevBatch      string           `json:"prev_batch,omitzero"`
	RecursionDepth int              `json:"recursion_depth,omitzero"`
}

func (s *Service) getRelatingEvents(ctx context.Context, call *httpapi.Call, req getRelatingEventsRequest) (getRelatingEventsResponse, error) {
	return s.relating(ctx, call, getRelatingEventsWithRelTypeAndEventTypeRequest{
		RoomID: req.RoomID, EventID: req.EventID,
		From: req.From, To: req.To, Limit: req.Limit, Dir: req.Dir, Recurse: req.Recurse,
	})
}

func (s *Service) getRelatingEventsWithRelType(ctx context.Context, call *httpapi.Call, req getRelatingEventsWithRelTypeRequest) (getRelatingEventsResponse, error) {
	return s.relating(ctx, call, getRelatingEventsWithRelTypeAndEventTypeRequest{
		RoomID: req.RoomID, EventID: req.EventID, RelType: req.RelType,
		From: req.From, To: req.To, Limit: req.Limit, Dir: req.Dir, Recurse: req.Recurse,
	})
}

func (s *Service) getRelatingEventsWithRelTypeAndEventType(ctx context.Context, call *httpapi.Call, req getRelatingEventsWithRelTypeAndEventTypeRequest) (getRelatingEventsResponse, error) {
	return s.relating(ctx, call, req)
}

// relating gives a page of the events that relate to one that the caller may see.
func (s *Service) relating(ctx context.Context, call *httpapi.Call, req getRelatingEventsWithRelTypeAndEventTypeRequest) (out getRelatingEventsResponse, err error) {
	relations := rooms.Relations{RoomID: req.RoomID, EventID: req.EventID, RelType: req.RelType, Type: req.EventType, Depth: 1, Forward: req.Dir.forward}
	if req.Recurse != nil {
		if *req.Recurse {
			relations.Depth = recursion
		}
		out.RecursionDepth = relations.Depth
	}
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		r, err := s.reader(tx, req.RoomID, call.UserID)
		if err != nil {
			return err
		}
		if _, err := s.visibleEvent(tx, r, req.RoomID, req.EventID); err != nil {
			return err
		}
		q := Query{RoomID: req.RoomID, Reader: r, Forward: req.Dir.forward, Limit: req.Limit.or(relationsLimit)}
		if q.Forward {
			q.After, q.UpTo = req.From.or(0), req.To.or(rooms.Present)
		} else {
			q.After, q.UpTo = req.To.or(0), req.From.or(rooms.Present)
		}
		page, err := s.walk(tx, q, func(after, upTo int64, limit int) ([]rooms.Stored, error) {
			relations.After, relations.UpTo = after, upTo
			return rooms.Related(tx, relations, limit)
		})
		if err != nil {
			return err
		}
		if page.More {
			out.NextBatch = rooms.Token(page.End)
		}
		if req.From != nil {
			out.PrevBatch = rooms.Token(int64(*req.From))
		}
		out.Chunk, err = s.clientEvents(tx, viewer(call), req.RoomID, r, page.Events)
		return err
	})
	return out, err
}
