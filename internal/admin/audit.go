package admin

import (
	"context"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/httpapi"
)

type listAuditRequest struct {
	From  *int64 `query:"from"` // the id of the last line that was read
	Limit *int64 `query:"limit"`
}

type listAuditResponse struct {
	Entries  []auditEntry `json:"entries"`
	NextFrom string       `json:"next_from,omitzero"`
}

type auditEntry struct {
	ID      int64          `json:"id"`
	TS      int64          `json:"ts"`
	Actor   string         `json:"actor"`
	Action  string         `json:"action"`
	Target  string         `json:"target"`
	Details jsontext.Value `json:"details"`
}

func (s *Service) listAudit(ctx context.Context, _ *httpapi.Call, req listAuditRequest) (resp listAuditResponse, err error) {
	from, limit, err := page(req.From, req.Limit)
	if err != nil {
		return resp, err
	}
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		lines, err := s.accounts.AuditLog(tx, from, int(limit)+1)
		if err != nil {
			return err
		}
		if len(lines) > int(limit) {
			lines = lines[:limit]
			resp.NextFrom = strconv.FormatInt(lines[limit-1].ID, 10)
		}
		resp.Entries = make([]auditEntry, len(lines))
		for i, e := range lines {
			resp.Entries[i] = auditEntry{ID: e.ID, TS: e.Time.UnixMilli(), Actor: e.Actor, Action: e.Action, Target: e.Target, Details: e.Details}
		}
		return nil
	})
	return resp, err
}
