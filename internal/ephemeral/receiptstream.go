package ephemeral

import (
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
)

type fullyReadData struct {
	EventID id.EventID `json:"event_id"`
}

// markedEvent is the event of an m.fully_read; "" if it is malformed.
func markedEvent(content jsontext.Value) id.EventID {
	var data fullyReadData
	if json.Unmarshal(content, &data) != nil {
		return ""
	}
	return data.EventID
}

func fullyReadContent(eventID id.EventID) jsontext.Value {
	quoted, _ := jsontext.AppendQuote(nil, string(eventID)) // an event id is valid UTF-8
	return jsontext.Value(`{"event_id":` + string(quoted) + `}`)
}

// Receipt is how far a user has read in a room.
type Receipt struct {
	RoomID   id.RoomID
	UserID   id.UserID
	Type     string // Read or ReadPrivate
	ThreadID string // a thread's root, MainThread, or empty: unthreaded
	EventID  id.EventID
	EventPos int64
	TS       int64 // milliseconds
}

const receiptColumns = `room_id, user_id, type, thread_id, event_id, event_pos, ts`

func scanReceipt(r db.Row) (x Receipt, err error) {
	err = r.Scan(&x.RoomID, &x.UserID, &x.Type, &x.ThreadID, &x.EventID, &x.EventPos, &x.TS)
	return x, err
}

// Receipts gives the receipts in some rooms that were set after position from and
// up to to, in the order in which they were; private ones only if they are the
// user's own.
func (s *Service) Receipts(tx *db.Tx, userID id.UserID, roomIDs []id.RoomID, from, to int64) (out []Receipt, err error) {
	if to-from <= int64(len(roomIDs)) { // fewer changes than rooms
		all, err := db.All(tx, scanReceipt, `SELECT `+receiptColumns+` FROM receipts
			WHERE pos > $1 AND pos <= $2 AND (type <> 'm.read.private' OR user_id = $3) ORDER BY pos`, from, to, userID)
		return slices.DeleteFunc(all, func(x Receipt) bool { return !slices.Contains(roomIDs, x.RoomID) }), err
	}
	err = db.Chunks(roomIDs, func(chunk []id.RoomID) error {
		in := db.In(chunk)
		some, err := db.All(tx, scanReceipt, `SELECT `+receiptColumns+` FROM receipts
			WHERE room_id IN (`+in.Marks(4)+`) AND pos > $1 AND pos <= $2 AND (type <> 'm.read.private' OR user_id = $3) ORDER BY pos`,
			in.Args(from, to, userID)...)
		out = append(out, some...)
		return err
	})
	return out, err
}

// OwnReceipts gives all receipts of some users, at most 500, in some rooms.
func (s *Service) OwnReceipts(tx *db.Tx, users []id.UserID, roomIDs []id.RoomID) (out []Receipt, err error) {
	err = db.Chunks(roomIDs, func(chunk []id.RoomID) error {
		in, of := db.In(chunk), db.In(users)
		args := of.Args()
		some, err := db.All(tx, scanReceipt, `SELECT `+receiptColumns+` FROM receipts
			WHERE user_id IN (`+of.Marks(1)+`) AND room_id IN (`+in.Marks(1+len(args))+`)`, in.Args(args...)...)
		out = append(out, some...)
		return err
	})
	return out, err
}
