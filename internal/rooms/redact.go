package rooms

import (
	"context"
	"errors"

	"github.com/go-json-experiment/json"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/event"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
)

type redactEventRequest struct {
	RoomID  id.RoomID  `path:"roomId"`
	EventID id.EventID `path:"eventId"`
	TxnID   txnID      `path:"txnId"`
	Reason  *string    `json:"reason"`
}

func (s *Service) redactEvent(ctx context.Context, call *httpapi.Call, req redactEventRequest) (sendMessageResponse, error) {
	content, err := json.Marshal(struct {
		Reason *string `json:"reason,omitzero"`
	}{req.Reason})
	if err != nil {
		return sendMessageResponse{}, err
	}
	eventID, err := s.send(ctx, Draft{
		RoomID: req.RoomID, Type: event.TypeRedaction, Sender: call.UserID, Content: content, Redacts: req.EventID,
		TxnDevice: call.DeviceID, TxnID: string(req.TxnID), suspended: call.Suspended,
	})
	return sendMessageResponse{EventID: eventID}, err
}

// redactsOf finds what a redaction sent as an ordinary event redacts.
func redactsOf(content []byte) (id.EventID, error) {
	var c struct {
		Redacts string `json:"redacts"`
	}
	if err := json.Unmarshal(content, &c); err != nil {
		return "", errcode.BadJSON.New("%q must be a string.", "redacts")
	}
	if c.Redacts == "" {
		return "", errcode.MissingParam.New("%q is missing: the id of the event to redact.", "redacts")
	}
	target, err := id.ParseEventID(c.Redacts)
	if err != nil {
		return "", errcode.InvalidParam.New("The parameter %q is not valid: %s", "redacts", err)
	}
	return target, nil
}

// redact appends a redaction and prunes its target. One's own events may always be
// redacted; those of others need the redact level. From room version 3 on the rules
// of the room would accept the redaction and ignore it, so it is refused here.
func (r *room) redact(d Draft) (id.EventID, error) {
	target, err := r.s.EventByID(r.tx, r.id, d.Redacts)
	if errors.Is(err, db.ErrNoRow) {
		return "", errcode.NotFound.New("There is no event %s in this room.", d.Redacts)
	}
	if err != nil {
		return "", err
	}
	if target.Sender != d.Sender {
		if d.suspended {
			return "", errcode.UserSuspended.New("Your account is suspended: you can redact your own events only. Ask the administrator of this server.")
		}
		if err := r.needs(d.Sender, r.levels().Redact(), "redact the events of others"); err != nil {
			return "", err
		}
	}
	st, err := r.append(d)
	if err != nil {
		return "", err
	}
	pruned, err := event.Redact(r.version, target.Raw)
	if err != nil {
		return "", err
	}
	if _, err := r.tx.Exec(`UPDATE events SET json = $2, redacted_by = COALESCE(redacted_by, $3), relates_to = NULL, rel_type = NULL WHERE pos = $1`, target.Pos, pruned, st.ID); err != nil {
		return "", err
	}
	r.redactedPos = st.Pos
	if target.IsState(event.TypeMember) {
		if _, err := r.tx.Exec(`UPDATE room_members SET displayname = NULL, avatar_url = NULL WHERE room_id = $1 AND event_pos = $2`, r.id, target.Pos); err != nil {
			return "", err
		}
	}
	return st.ID, r.close()
}
