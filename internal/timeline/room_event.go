package timeline

import (
	"context"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/rooms"
)

type getOneRoomEventRequest struct {
	RoomID  id.RoomID  `path:"roomId"`
	EventID id.EventID `path:"eventId"`
}

func (s *Service) getOneRoomEvent(ctx context.Context, call *httpapi.Call, req getOneRoomEventRequest) (out jsontext.Value, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		r, err := s.reader(tx, req.RoomID, call.UserID)
		if err != nil {
			return err
		}
		target, err := s.visibleEvent(tx, r, req.RoomID, req.EventID)
		if err != nil {
			return err
		}
		written, err := s.clientEvents(tx, viewer(call), req.RoomID, r, []rooms.Stored{target})
		if err != nil {
			return err
		}
		out = written[0]
		return nil
	})
	return out, err
}

type getEventByTimestampRequest struct {
	RoomID id.RoomID `path:"roomId"`
	TS     int64     `query:"ts,required"`
	Dir    direction `query:"dir,required"`
}

type getEventByTimestampResponse struct {
	EventID        id.EventID `json:"event_id"`
	OriginServerTS int64      `json:"origin_server_ts"`
}

func (s *Service) getEventByTimestamp(ctx context.Context, call *httpapi.Call, req getEventByTimestampRequest) (out getEventByTimestampResponse, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		if _, err := s.rooms.ReadableAt(tx, req.RoomID, call.UserID); err != nil {
			return err
		}
		r, err := s.reader(tx, req.RoomID, call.UserID)
		if err != nil {
			return err
		}
		found, err := closest(tx, r, req)
		if err == nil {
			out = getEventByTimestampResponse{EventID: found.ID, OriginServerTS: found.OriginServerTS}
		}
		return err
	})
	return out, err
}

// closest finds the visible event that is next to a time. An event of exactly that
// time counts in either direction.
func closest(tx *db.Tx, r Reader, req getEventByTimestampRequest) (rooms.Stored, error) {
	const batch = 100
	after, upTo := r.View.Bounds()
	ts, pos := req.TS, int64(rooms.Present)
	if req.Dir.forward {
		pos = 0
	}
	for range maxScanned / batch {
		events, err := rooms.EventsByTime(tx, req.RoomID, ts, pos, after, upTo, req.Dir.forward, batch)
		if err != nil {
			return rooms.Stored{}, err
		}
		for _, st := range events {
			if r.reads(st) {
				return st, nil
			}
			ts, pos = st.OriginServerTS, st.Pos
		}
		if len(events) < batch {
			break
		}
	}
	return rooms.Stored{}, errcode.NotFound.New("There is no event that you may see on that side of this time.")
}
