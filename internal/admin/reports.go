package admin

import (
	"context"
	"strconv"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
)

type listReportsRequest struct {
	From  *int64 `query:"from"` // the id of the last report that was read
	Limit *int64 `query:"limit"`
}

type listReportsResponse struct {
	Reports  []report `json:"reports"` // the newest first
	NextFrom string   `json:"next_from,omitzero"`
}

// report is what somebody reported: a room, an event in it, or a user.
type report struct {
	ID       int64      `json:"id"`
	TS       int64      `json:"ts"`
	Reporter id.UserID  `json:"reporter"`
	RoomID   id.RoomID  `json:"room_id,omitzero"`
	EventID  id.EventID `json:"event_id,omitzero"`
	UserID   id.UserID  `json:"user_id,omitzero"`
	Reason   string     `json:"reason"`
}

func (s *Service) listReports(ctx context.Context, _ *httpapi.Call, req listReportsRequest) (resp listReportsResponse, err error) {
	from, limit, err := page(req.From, req.Limit)
	if err != nil {
		return resp, err
	}
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		found, err := s.moderation.Reports(tx, from, int(limit)+1)
		if err != nil {
			return err
		}
		if len(found) > int(limit) {
			found = found[:limit]
			resp.NextFrom = strconv.FormatInt(found[limit-1].ID, 10)
		}
		resp.Reports = make([]report, len(found))
		for i, r := range found {
			resp.Reports[i] = report{ID: r.ID, TS: r.Created.UnixMilli(), Reporter: r.Reporter, RoomID: r.RoomID, EventID: r.EventID, UserID: r.UserID, Reason: r.Reason}
		}
		return nil
	})
	return resp, err
}
