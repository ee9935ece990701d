package rooms

import (
	"encoding/json"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/narthex-matrix/narthex/internal/canonicaljson"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/event"
	"github.com/narthex-matrix/narthex/internal/id"
)

// Viewer is who events are written for: transaction ids are shown to the device
// that sent them.
type Viewer struct {
	UserID   id.UserID
	DeviceID id.DeviceID
	// Relations holds bundled aggregations by event id, as the value of
	// m.relations; nil for none.
	Relations map[id.EventID]json.RawMessage
	// WithoutRoomID leaves out room_id, as /sync does.
	WithoutRoomID bool
}

// ClientEvents writes events as clients read them (client-server API, Room event
// format), with prev_content, age, redacted_because, transaction_id and bundled
// aggregations in unsigned. Events of accounts that were erased before the viewer
// came are redacted copies.
func (s *Service) ClientEvents(tx *db.Tx, viewer Viewer, events []Stored) ([]jsontext.Value, error) {
	parts, err := unsignedParts(tx, events)
	if err != nil {
		return nil, err
	}
	erased, err := s.erasures(tx, viewer.UserID, events, parts)
	if err != nil {
		return nil, err
	}
	byPos, byID := make(map[int64]Stored, len(parts)), make(map[id.EventID]Stored, len(parts))
	for _, st := range parts {
		if st, err = erased.seen(st); err != nil {
			return nil, err
		}
		byPos[st.Pos], byID[st.ID] = st, st
	}
	now := tx.Now.UnixMilli()
	out := make([]jsontext.Value, len(events))
	for i, st := range events {
		u := unsigned{Age: now - st.OriginServerTS, Relations: viewer.Relations[st.ID]}
		if st.ReplacesPos != nil {
			if old, ok := byPos[*st.ReplacesPos]; ok {
				u.PrevContent, u.PrevSender, u.ReplacesState = old.Content, old.Sender, old.ID
			}
		}
		if st.RedactedBy != nil {
			if u.RedactedBecause, err = because(byID, *st.RedactedBy); err != nil {
				return nil, err
			}
		}
		if st.TxnID != nil && st.Sender == viewer.UserID && st.TxnDevice != nil && *st.TxnDevice == viewer.DeviceID {
			u.TransactionID = *st.TxnID
		}
		if st, err = erased.seen(st); err != nil {
			return nil, err
		}
		if out[i], err = clientEvent(st.Event, viewer.WithoutRoomID, &u); err != nil {
			return nil, err
		}
	}
	return out, nil
}

type unsigned struct {
	Age             int64           `json:"age"`
	PrevContent     json.RawMessage `json:"prev_content,omitempty"`
	PrevSender      id.UserID       `json:"prev_sender,omitempty"`
	ReplacesState   id.EventID      `json:"replaces_state,omitempty"`
	RedactedBecause json.RawMessage `json:"redacted_because,omitempty"`
	TransactionID   string          `json:"transaction_id,omitempty"`
	Relations       json.RawMessage `json:"m.relations,omitempty"`
}

// unsignedParts reads, in two statements at most, the events that were replaced
// and the redactions of those that were redacted.
func unsignedParts(tx *db.Tx, events []Stored) ([]Stored, error) {
	var positions []int64
	var redactions []id.EventID
	for _, st := range events {
		if st.ReplacesPos != nil {
			positions = append(positions, *st.ReplacesPos)
		}
		if st.RedactedBy != nil {
			redactions = append(redactions, *st.RedactedBy)
		}
	}
	parts, err := eventsByPos(tx, positions)
	if err != nil {
		return nil, err
	}
	err = db.Chunks(redactions, func(chunk []id.EventID) error {
		in := db.In(chunk)
		found, err := db.All(tx, ScanEvent, `SELECT `+Columns+` FROM events e JOIN rooms r ON r.room_id = e.room_id WHERE e.event_id IN (`+in.Marks(1)+`)`, in.Args()...)
		parts = append(parts, found...)
		return err
	})
	return parts, err
}

// because writes the redaction of an event; nil if it is not there.
func because(parts map[id.EventID]Stored, redaction id.EventID) (json.RawMessage, error) {
	st, ok := parts[redaction]
	if !ok {
		return nil, nil
	}
	raw, err := clientEvent(st.Event, false, nil)
	return json.RawMessage(raw), err
}

// clientEvent writes the client form of one event.
func clientEvent(ev *event.Event, withoutRoomID bool, u *unsigned) (jsontext.Value, error) {
	b := make([]byte, 0, len(ev.Content)+256)
	b = append(b, `{"content":`...)
	b = append(b, clientContent(ev)...)
	b = append(b, `,"event_id":`...)
	b = canonicaljson.AppendString(b, string(ev.ID))
	b = append(b, `,"origin_server_ts":`...)
	b = strconv.AppendInt(b, ev.OriginServerTS, 10)
	if ev.Redacts != "" {
		b = append(b, `,"redacts":`...)
		b = canonicaljson.AppendString(b, string(ev.Redacts))
	}
	if !withoutRoomID {
		b = append(b, `,"room_id":`...)
		b = canonicaljson.AppendString(b, string(ev.RoomID))
	}
	b = append(b, `,"sender":`...)
	b = canonicaljson.AppendString(b, string(ev.Sender))
	if ev.StateKey != nil {
		b = append(b, `,"state_key":`...)
		b = canonicaljson.AppendString(b, *ev.StateKey)
	}
	b = append(b, `,"type":`...)
	b = canonicaljson.AppendString(b, ev.Type)
	if u != nil {
		raw, err := json.Marshal(u)
		if err != nil {
			return nil, err
		}
		b = append(append(b, `,"unsigned":`...), raw...)
	}
	return append(b, '}'), nil
}

// clientContent is the content, and in redactions of every room version what they
// redact, as it has been in the content since version 11.
func clientContent(ev *event.Event) []byte {
	if ev.Redacts == "" || ev.Version.RedactsInContent {
		return ev.Content
	}
	members, err := canonicaljson.AppendMembers(nil, ev.Content)
	if err != nil {
		return ev.Content
	}
	return canonicaljson.AppendObject(nil, canonicaljson.Set(members, "redacts", canonicaljson.AppendString(nil, string(ev.Redacts))))
}
