package timeline

import (
	"context"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/narthex-matrix/narthex/internal/canonicaljson"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/rooms"
)

type getRoomEventsRequest struct {
	RoomID id.RoomID `path:"roomId"`
	From   *position `query:"from"`
	To     *position `query:"to"`
	Dir    direction `query:"dir,required"`
	Limit  *limit    `query:"limit"`
	Filter filter    `query:"filter"`
}

type getRoomEventsResponse struct {
	Start string           `json:"start"`
	End   string           `json:"end,omitzero"`
	Chunk []jsontext.Value `json:"chunk"`
	State []jsontext.Value `json:"state,omitzero"`
}

// AppendJSON writes the answer.
func (r getRoomEventsResponse) AppendJSON(b []byte) []byte {
	b = canonicaljson.AppendString(append(b, `{"start":`...), r.Start)
	if r.End != "" {
		b = canonicaljson.AppendString(append(b, `,"end":`...), r.End)
	}
	b = httpapi.Written(r.Chunk).AppendJSON(append(b, `,"chunk":`...))
	if r.State != nil {
		b = httpapi.Written(r.State).AppendJSON(append(b, `,"state":`...))
	}
	return append(b, '}')
}

func (s *Service) getRoomEvents(ctx context.Context, call *httpapi.Call, req getRoomEventsRequest) (out getRoomEventsResponse, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		if _, err := s.rooms.ReadableAt(tx, req.RoomID, call.UserID); err != nil {
			return err
		}
		r, err := s.reader(tx, req.RoomID, call.UserID)
		if err != nil {
			return err
		}
		now, err := tx.Position()
		if err != nil {
			return err
		}
		q := Query{RoomID: req.RoomID, Reader: r, Filter: &req.Filter.EventFilter, Forward: req.Dir.forward}
		q.Limit = req.Limit.or(req.Filter.LimitOr(messagesLimit, largestLimit))
		if q.Forward {
			q.After, q.UpTo = req.From.or(0), min(req.To.or(now), now)
		} else {
			q.After, q.UpTo = req.To.or(0), min(req.From.or(now), now)
		}
		page, err := s.Page(tx, q)
		if err != nil {
			return err
		}
		out.Start = rooms.Token(req.From.or(q.near()))
		if page.More {
			out.End = rooms.Token(page.End)
		}
		if out.Chunk, err = s.clientEvents(tx, viewer(call), req.RoomID, r, page.Events); err != nil || !req.Filter.LazyLoadMembers {
			return err
		}
		out.State, err = s.senders(tx, viewer(call), req.RoomID, page.Events)
		return err
	})
	return out, err
}

// senders gives the memberships of those who sent the events, as they were at the
// newest of them: what a client that loads members lazily needs to show them.
func (s *Service) senders(tx *db.Tx, viewer rooms.Viewer, roomID id.RoomID, events []rooms.Stored) ([]jsontext.Value, error) {
	members, err := s.sendersOf(tx, roomID, events)
	if err != nil {
		return nil, err
	}
	return s.rooms.ClientEvents(tx, viewer, members)
}

func (s *Service) sendersOf(tx *db.Tx, roomID id.RoomID, events []rooms.Stored) ([]rooms.Stored, error) {
	var newest int64
	var senders []id.UserID
	known := map[id.UserID]bool{}
	for _, st := range events {
		newest = max(newest, st.Pos)
		if !known[st.Sender] {
			known[st.Sender], senders = true, append(senders, st.Sender)
		}
	}
	return s.rooms.MembersAt(tx, roomID, newest, senders)
}
