package rooms

import (
	"context"
	"errors"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/event"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
)

type sendMessageRequest struct {
	RoomID    id.RoomID      `path:"roomId"`
	EventType string         `path:"eventType"`
	TxnID     txnID          `path:"txnId"`
	Content   jsontext.Value `body:"*"`
}

type sendMessageResponse struct {
	EventID id.EventID `json:"event_id"`
}

// txnID is a transaction id: any text of 1 to 255 bytes.
type txnID string

// UnmarshalText checks the length.
func (t *txnID) UnmarshalText(text []byte) error {
	if len(text) == 0 || len(text) > id.MaxLength {
		return errors.New("a transaction id has 1 to 255 bytes")
	}
	*t = txnID(text)
	return nil
}

func (s *Service) sendMessage(ctx context.Context, call *httpapi.Call, req sendMessageRequest) (sendMessageResponse, error) {
	d := Draft{
		RoomID: req.RoomID, Type: req.EventType, Sender: call.UserID, Content: req.Content,
		TxnDevice: call.DeviceID, TxnID: string(req.TxnID),
	}
	if d.Type == event.TypeRedaction {
		var err error
		if d.Redacts, err = redactsOf(d.Content); err != nil {
			return sendMessageResponse{}, err
		}
	}
	eventID, err := s.send(ctx, d)
	return sendMessageResponse{EventID: eventID}, err
}

// send appends a message or a redaction, once for each transaction id.
func (s *Service) send(ctx context.Context, d Draft) (eventID id.EventID, err error) {
	err = s.db.WriteLocked(ctx, "room", string(d.RoomID), func(tx *db.Tx) error {
		eventID, err = s.sendIn(tx, d)
		return err
	})
	return eventID, err
}

func (s *Service) sendIn(tx *db.Tx, d Draft) (id.EventID, error) {
	// The lock comes first: of two equal requests at once, the second must find
	// what the first has done.
	read := func() (opened, error) { return headForMessage(tx, d) }
	r, err := s.openFor(tx, d.RoomID, d.Sender, read, whoMayKeys(d.Sender))
	if err != nil {
		return "", err
	}
	if r.sent != nil {
		return *r.sent, nil
	}
	if err := r.maySend(d); err != nil {
		return "", err
	}
	if d.Type == event.TypeRedaction {
		return r.redact(d)
	}
	if err := r.checkAnnotation(d); err != nil {
		return "", err
	}
	st, err := r.append(d)
	if err != nil {
		return "", err
	}
	return st.ID, r.close()
}

// maySend checks membership and power before anything is built.
func (r *room) maySend(d Draft) error {
	if r.membership(d.Sender) != event.Join {
		return notJoined(d.Sender, r.id)
	}
	return r.needs(d.Sender, r.levels().EventLevel(d.Type, d.StateKey != nil), "send "+d.Type+" events")
}

// checkAnnotation refuses the same reaction by the same person twice.
func (r *room) checkAnnotation(d Draft) error {
	relatesTo, relType := relation(d.Content)
	if relType == nil || *relType != "m.annotation" {
		return nil
	}
	key := annotationKey(d.Content)
	contents, err := db.All(r.tx, db.Scalar[[]byte], `SELECT json FROM events
		WHERE relates_to = $1 AND rel_type = 'm.annotation' AND room_id = $2 AND sender = $3 AND type = $4 AND redacted_by IS NULL`,
		*relatesTo, r.id, d.Sender, d.Type)
	if err != nil {
		return err
	}
	for _, raw := range contents {
		var pdu struct {
			Content jsontext.Value `json:"content"`
		}
		if err := json.Unmarshal(raw, &pdu); err == nil && annotationKey(pdu.Content) == key {
			return errcode.DuplicateAnnotation.New("You have reacted to this event in the same way already.")
		}
	}
	return nil
}

func annotationKey(content []byte) string {
	var c struct {
		RelatesTo struct {
			Key string `json:"key"`
		} `json:"m.relates_to"`
	}
	_ = json.Unmarshal(content, &c) // no key is the empty key
	return c.RelatesTo.Key
}
