package moderation

import (
	"time"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
)

// Report is one row of `reports`: of an event if EventID is set, of a room if only
// RoomID is, and else of a user.
type Report struct {
	ID       int64
	Created  time.Time
	Reporter id.UserID
	RoomID   id.RoomID
	EventID  id.EventID
	UserID   id.UserID // the reported user, or the sender of the event
	Reason   string
}

func scanReport(r db.Row) (out Report, err error) {
	var created int64
	err = r.Scan(&out.ID, &created, &out.Reporter, &out.RoomID, &out.EventID, &out.UserID, &out.Reason)
	out.Created = time.UnixMilli(created)
	return out, err
}

// Reports gives the newest reports, at most limit, whose ids are below before; 0
// for no bound.
func (s *Service) Reports(tx *db.Tx, before int64, limit int) ([]Report, error) {
	return db.All(tx, scanReport, `SELECT report_id, created_ts, reporter, room_id, event_id, user_id, reason FROM reports
		WHERE $1 = 0 OR report_id < $1 ORDER BY report_id DESC LIMIT $2`, before, limit)
}

func insertReport(tx *db.Tx, r Report) error {
	return tx.Later(`INSERT INTO reports (created_ts, reporter, room_id, event_id, user_id, reason) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (reporter, room_id, event_id, user_id) DO UPDATE SET reason = excluded.reason`,
		tx.Now.UnixMilli(), r.Reporter, r.RoomID, r.EventID, r.UserID, r.Reason)
}
