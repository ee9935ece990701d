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
	// NoneErased says that no account was erased, which is then not looked up.
	NoneErased bool
}

// ClientEvents writes events as clients read them (client-server API, Room event
// format), with prev_content, age, redacted_because, transaction_id and bundled
// aggregations in unsigned. Events of accounts that were erased before the viewer
// came are redacted copies.
func (s *Service) ClientEvents(tx *db.Tx, viewer Viewer, events []Stored) ([]jsontext.Value, error) {
	parts, err := s.unsignedParts(tx, events)
	if err != nil {
		return nil, err
	}
	var erased erasures
	if !viewer.NoneErased {
		if erased, err = s.erasures(tx, viewer.UserID, events, parts); err != nil {
			return nil, err
		}
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
	size := 0
	for _, st := range events {
		size += len(st.Content) + 256
	}
	all := make([]byte, 0, size) // the events, one after the other
	for i, st := range events {
		u := unsigned{Age: now - st.OriginServerTS, Relations: viewer.Relations[st.ID]}
		if st.ReplacesPos != nil {
			if old, ok := byPos[*st.ReplacesPos]; ok {
				u.PrevContent, u.PrevSender, u.ReplacesState = old.Content, old.Sender, old.ID
			}
		}
		if st.RedactedBy != nil {
			u.RedactedBecause = because(byID, *st.RedactedBy)
		}
		if st.TxnID != nil && st.Sender == viewer.UserID && st.TxnDevice != nil && *st.TxnDevice == viewer.DeviceID {
			u.TransactionID = *st.TxnID
		}
		if st, err = erased.seen(st); err != nil {
			return nil, err
		}
		begin := len(all)
		all = appendClientEvent(all, st.Event, viewer.WithoutRoomID, &u)
		out[i] = all[begin:len(all):len(all)]
	}
	return out, nil
}

// unsigned is what is told of an event beside what is signed. What is empty is left out.
type unsigned struct {
	Age             int64 // milliseconds
	PrevContent     json.RawMessage
	PrevSender      id.UserID
	ReplacesState   id.EventID
	RedactedBecause json.RawMessage
	TransactionID   string
	Relations       json.RawMessage
}

// unsignedParts reads, in two statements at most, the events that were replaced
// and the redactions of those that were redacted.
func (s *Service) unsignedParts(tx *db.Tx, events []Stored) ([]Stored, error) {
	var replaced []place
	var redactions []id.EventID
	for _, st := range events {
		if st.ReplacesPos != nil {
			replaced = append(replaced, place{*st.ReplacesPos, st.redactedPos})
		}
		if st.RedactedBy != nil {
			redactions = append(redactions, *st.RedactedBy)
		}
	}
	parts, err := s.eventsAt(tx, replaced)
	if err != nil {
		return nil, err
	}
	err = db.Chunks(redactions, func(chunk []id.EventID) error {
		in := db.In(chunk)
		found, err := db.All(tx, ScanEvent, fromEvents+`WHERE e.event_id IN (`+in.Marks(1)+`)`, in.Args()...)
		parts = append(parts, found...)
		return err
	})
	return parts, err
}

// because writes the redaction of an event; nil if it is not there.
func because(parts map[id.EventID]Stored, redaction id.EventID) json.RawMessage {
	st, ok := parts[redaction]
	if !ok {
		return nil
	}
	return appendClientEvent(nil, st.Event, false, nil)
}

// appendClientEvent appends the client form of one event.
func appendClientEvent(b []byte, ev *event.Event, withoutRoomID bool, u *unsigned) []byte {
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
		b = u.append(append(b, `,"unsigned":`...))
	}
	return append(b, '}')
}

// append writes the object.
func (u *unsigned) append(b []byte) []byte {
	b = strconv.AppendInt(append(b, `{"age":`...), u.Age, 10)
	for _, raw := range []struct {
		name  string
		value []byte
	}{{"prev_content", u.PrevContent}, {"redacted_because", u.RedactedBecause}, {"m.relations", u.Relations}} {
		if len(raw.value) > 0 {
			b = append(append(append(append(b, `,"`...), raw.name...), `":`...), raw.value...)
		}
	}
	for _, text := range []struct{ name, value string }{
		{"prev_sender", string(u.PrevSender)}, {"replaces_state", string(u.ReplacesState)}, {"transaction_id", u.TransactionID},
	} {
		if text.value != "" {
			b = canonicaljson.AppendString(append(append(append(b, `,"`...), text.name...), `":`...), text.value)
		}
	}
	return append(b, '}')
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
