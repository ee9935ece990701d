package ephemeral

import (
	"context"
	"errors"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/narthex-matrix/narthex/internal/accountdata"
	"github.com/narthex-matrix/narthex/internal/bus"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/rooms"
)

// The types of receipts.
const (
	Read        = "m.read"
	ReadPrivate = "m.read.private"
	fullyRead   = accountdata.TypeFullyRead // is no receipt, and takes the same path
)

// MainThread is the thread_id of what is in no thread.
const MainThread = "main"

type receiptType string

// UnmarshalText refuses types that there are not.
func (t *receiptType) UnmarshalText(text []byte) error {
	switch *t = receiptType(text); *t {
	case Read, ReadPrivate, fullyRead:
		return nil
	}
	return errors.New("it must be one of m.read, m.read.private and m.fully_read")
}

type postReceiptRequest struct {
	RoomID   id.RoomID      `path:"roomId"`
	Type     receiptType    `path:"receiptType"`
	EventID  id.EventID     `path:"eventId"`
	ThreadID jsontext.Value `json:"thread_id"`
}

// threadID is the id of a thread's root, "main", or "" if there is none.
func (req *postReceiptRequest) threadID() (string, error) {
	if req.ThreadID == nil {
		return "", nil
	}
	wrong := errcode.InvalidParam.New("The parameter %q is not valid: it must be %q or the ID of the event that a thread began with.", "thread_id", MainThread).With("param", "thread_id")
	if req.ThreadID.Kind() != '"' {
		return "", wrong
	}
	raw, err := jsontext.AppendUnquote(nil, req.ThreadID)
	if err != nil {
		return "", err // the body has been checked
	}
	if _, err := id.ParseEventID(string(raw)); err != nil && string(raw) != MainThread {
		return "", wrong
	}
	if req.Type == fullyRead {
		return "", errcode.InvalidParam.New("The parameter %q is not valid: the fully read marker is one for the whole room.", "thread_id").With("param", "thread_id")
	}
	return string(raw), nil
}

func (s *Service) postReceipt(ctx context.Context, call *httpapi.Call, req postReceiptRequest) (emptyResponse, error) {
	thread, err := req.threadID()
	if err != nil {
		return emptyResponse{}, err
	}
	return emptyResponse{}, s.db.Write(ctx, func(tx *db.Tx) error {
		if err := s.rooms.RequireJoined(tx, req.RoomID, call.UserID); err != nil {
			return err
		}
		return s.mark(tx, marker{call.UserID, req.RoomID, string(req.Type), thread, req.EventID})
	})
}

type setReadMarkerRequest struct {
	RoomID      id.RoomID   `path:"roomId"`
	FullyRead   *id.EventID `json:"m.fully_read"`
	Read        *id.EventID `json:"m.read"`
	ReadPrivate *id.EventID `json:"m.read.private"`
}

func (s *Service) setReadMarker(ctx context.Context, call *httpapi.Call, req setReadMarkerRequest) (emptyResponse, error) {
	return emptyResponse{}, s.db.Write(ctx, func(tx *db.Tx) error {
		if err := s.rooms.RequireJoined(tx, req.RoomID, call.UserID); err != nil {
			return err
		}
		for _, m := range []struct {
			kind    string
			eventID *id.EventID
		}{{fullyRead, req.FullyRead}, {Read, req.Read}, {ReadPrivate, req.ReadPrivate}} {
			if m.eventID == nil {
				continue
			}
			if err := s.mark(tx, marker{call.UserID, req.RoomID, m.kind, "", *m.eventID}); err != nil {
				return err
			}
		}
		return nil
	})
}

// marker is how far a user says to have read.
type marker struct {
	userID  id.UserID
	roomID  id.RoomID
	kind    string
	thread  string
	eventID id.EventID
}

// mark moves a receipt or the fully read marker forward, and leaves it where it is
// if the event lies before it.
func (s *Service) mark(tx *db.Tx, m marker) error {
	st, err := s.rooms.EventByID(tx, m.roomID, m.eventID)
	if errors.Is(err, db.ErrNoRow) {
		return errcode.NotFound.New("There is no event %s in this room that you can see.", m.eventID)
	}
	if err != nil {
		return err
	}
	view, err := s.rooms.View(tx, m.roomID, m.userID)
	if err != nil {
		return err
	}
	if !view.Sees(st.Event, st.Pos) {
		return errcode.NotFound.New("There is no event %s in this room that you can see.", m.eventID)
	}
	if m.kind == fullyRead {
		return s.markFullyRead(tx, m, st.Pos)
	}
	if err := s.checkThread(tx, m, st); err != nil {
		return err
	}
	return putReceipt(tx, m, st.Pos)
}

func (s *Service) markFullyRead(tx *db.Tx, m marker, pos int64) error {
	before, err := s.accountData.Get(tx, m.userID, m.roomID, fullyRead)
	if err == nil {
		at, err := s.rooms.EventByID(tx, m.roomID, markedEvent(before))
		if err == nil && at.Pos >= pos {
			return nil
		}
		if err != nil && !errors.Is(err, db.ErrNoRow) {
			return err
		}
	} else if !errors.Is(err, db.ErrNoRow) {
		return err
	}
	return s.accountData.Put(tx, m.userID, m.roomID, fullyRead, fullyReadContent(m.eventID))
}

// checkThread refuses a receipt for a thread that the event is not in. The root of
// a thread may be read as part of it, though it is in the main timeline.
func (s *Service) checkThread(tx *db.Tx, m marker, st rooms.Stored) error {
	if m.thread == "" || m.thread == string(m.eventID) {
		return nil
	}
	in, err := s.threadOf(tx, st)
	if err != nil {
		return err
	}
	if in != m.thread {
		return errcode.InvalidParam.New("The parameter %q is not valid: the event is not in this thread.", "thread_id").With("param", "thread_id")
	}
	return nil
}

// maxHops is how far a relation to a thread may be away (client-server API,
// Threaded read receipts).
const maxHops = 3

func (s *Service) threadOf(tx *db.Tx, st rooms.Stored) (string, error) {
	for range maxHops {
		if st.RelatesTo == nil {
			return MainThread, nil
		}
		if *st.RelType == "m.thread" {
			return string(*st.RelatesTo), nil
		}
		parent, err := s.rooms.EventByID(tx, st.RoomID, *st.RelatesTo)
		if errors.Is(err, db.ErrNoRow) {
			return MainThread, nil
		}
		if err != nil {
			return "", err
		}
		st = parent
	}
	return MainThread, nil
}

func putReceipt(tx *db.Tx, m marker, eventPos int64) error {
	at, err := db.Value[int64](tx, `SELECT event_pos FROM receipts WHERE user_id = $1 AND room_id = $2 AND type = $3 AND thread_id = $4`,
		m.userID, m.roomID, m.kind, m.thread)
	if err == nil && at >= eventPos {
		return nil
	}
	if err != nil && !errors.Is(err, db.ErrNoRow) {
		return err
	}
	pos, err := tx.Next()
	if err != nil {
		return err
	}
	if m.kind == ReadPrivate {
		tx.Wake(bus.User(m.userID))
	} else {
		tx.Wake(bus.Room(m.roomID))
	}
	return tx.Later(`INSERT INTO receipts (user_id, room_id, type, thread_id, event_id, event_pos, ts, pos) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (user_id, room_id, type, thread_id) DO UPDATE SET event_id = excluded.event_id, event_pos = excluded.event_pos, ts = excluded.ts, pos = excluded.pos`,
		m.userID, m.roomID, m.kind, m.thread, m.eventID, eventPos, tx.Now.UnixMilli(), pos)
}
