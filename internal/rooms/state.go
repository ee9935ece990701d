package rooms

import (
	"context"
	"errors"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/authrules"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/event"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
)

type setRoomStateWithKeyRequest struct {
	RoomID    id.RoomID      `path:"roomId"`
	EventType string         `path:"eventType"`
	StateKey  string         `path:"stateKey"`
	Content   jsontext.Value `body:"*"`
}

// setRoomStateRequest is the form of the path without a state key.
type setRoomStateRequest struct {
	RoomID    id.RoomID      `path:"roomId"`
	EventType string         `path:"eventType"`
	Content   jsontext.Value `body:"*"`
}

func (s *Service) setRoomState(ctx context.Context, call *httpapi.Call, req setRoomStateRequest) (sendMessageResponse, error) {
	return s.setRoomStateWithKey(ctx, call, setRoomStateWithKeyRequest{RoomID: req.RoomID, EventType: req.EventType, Content: req.Content})
}

func (s *Service) setRoomStateWithKey(ctx context.Context, call *httpapi.Call, req setRoomStateWithKeyRequest) (sendMessageResponse, error) {
	if req.EventType == event.TypeMember {
		return s.setMemberState(ctx, call, req)
	}
	d := Draft{RoomID: req.RoomID, Type: req.EventType, StateKey: &req.StateKey, Sender: call.UserID, Content: req.Content}
	var eventID id.EventID
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		r, err := s.openForState(tx, d.RoomID, d.Sender, authrules.Key{Type: d.Type, StateKey: *d.StateKey})
		if err != nil {
			return err
		}
		if eventID, err = r.setState(d); err != nil {
			return err
		}
		return r.close()
	})
	return sendMessageResponse{EventID: eventID}, err
}

// setState appends a state event that is no membership. What the sender has
// written there last is not written again.
func (r *room) setState(d Draft) (id.EventID, error) {
	key := authrules.Key{Type: d.Type, StateKey: *d.StateKey}
	if err := r.load(createKey, levelsKey, memberKey(d.Sender), key); err != nil {
		return "", err
	}
	if err := r.maySetState(d); err != nil {
		return "", err
	}
	if old := r.state[key]; unchanged(old, d.Sender, d.Content) {
		return old.ID, nil
	}
	if key == canonicalAliasKey {
		if err := r.checkAliases(d.Content); err != nil {
			return "", err
		}
	}
	st, err := r.append(d)
	if err != nil {
		return "", err
	}
	if key == guestAccessKey {
		err = r.dismissGuests()
	}
	return st.ID, err
}

func (r *room) maySetState(d Draft) error {
	if r.membership(d.Sender) != event.Join {
		return notJoined(d.Sender, r.id)
	}
	level := r.levels().EventLevel(d.Type, true)
	switch {
	case d.Type == event.TypeCreate:
		return errcode.Forbidden.New("A room is created only once.")
	case d.Type == event.TypeRedaction:
		return errcode.Forbidden.New("A redaction is not state. Redact events by their id.")
	case d.Type == event.TypeAliases && r.version.AliasesRule:
		return nil // by the rule, everyone may set their own server's
	case d.Type == event.TypeThirdPartyInvite:
		level = r.levels().Invite()
	}
	if err := r.needs(d.Sender, level, "set "+d.Type); err != nil {
		return err
	}
	if strings.HasPrefix(*d.StateKey, "@") && *d.StateKey != string(d.Sender) {
		return errcode.Forbidden.New("State whose key is a user id can be set by that user only.")
	}
	return nil
}

// setMemberState turns a membership written as state into the action that it is.
func (s *Service) setMemberState(ctx context.Context, call *httpapi.Call, req setRoomStateWithKeyRequest) (sendMessageResponse, error) {
	target, err := id.ParseUserID(req.StateKey)
	if err != nil {
		return sendMessageResponse{}, errcode.InvalidParam.New("The parameter %q is not valid: %s.", "stateKey", strings.TrimSuffix(err.Error(), ".")).With("param", "stateKey")
	}
	c := change{caller: call.UserID, guest: call.Guest, target: target, content: req.Content}
	do, comes, err := action(c)
	if err != nil {
		return sendMessageResponse{}, err
	}
	enter := s.enter
	if comes {
		enter = s.approach
	}
	var eventID id.EventID
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		r, err := enter(tx, req.RoomID, c)
		if err != nil {
			return err
		}
		if err := do(r, c); err != nil {
			return err
		}
		eventID = r.get(event.TypeMember, string(target)).ID // each action leaves one
		return r.close()
	})
	return sendMessageResponse{EventID: eventID}, err
}

// action finds what the membership in the content means, and whether the caller
// comes to the room by it, as with join and knock.
func action(c change) (do func(*room, change) error, comes bool, err error) {
	var content struct {
		Membership string `json:"membership"`
	}
	if err := json.Unmarshal(c.content, &content); err != nil {
		return nil, false, errcode.BadJSON.New("%q must be a string.", "membership").With("param", "membership")
	}
	own := c.caller == c.target
	switch membership := content.Membership; {
	case membership == event.Join && own:
		return (*room).join, true, nil
	case membership == event.Knock && own:
		return (*room).knock, true, nil
	case membership == event.Join, membership == event.Knock:
		return (*room).comeForAnother, false, nil
	case membership == event.Leave && own:
		return (*room).leave, false, nil
	case membership == event.Leave:
		return (*room).remove, false, nil
	case membership == event.Invite:
		return (*room).invite, false, nil
	case membership == event.Ban:
		return (*room).ban, false, nil
	}
	return nil, false, errcode.BadJSON.New("%q must be one of join, invite, leave, ban and knock.", "membership").With("param", "membership")
}

// comeForAnother is always refused.
func (r *room) comeForAnother(c change) error {
	if r.membership(c.caller) != event.Join {
		return notJoined(c.caller, r.id)
	}
	return errcode.Forbidden.New("Only %s can do that: nobody joins or knocks for somebody else.", c.target)
}

type getRoomStateWithKeyRequest struct {
	RoomID    id.RoomID `path:"roomId"`
	EventType string    `path:"eventType"`
	StateKey  string    `path:"stateKey"`
	Format    string    `query:"format"`
}

type getRoomStateByTypeRequest struct {
	RoomID    id.RoomID `path:"roomId"`
	EventType string    `path:"eventType"`
	Format    string    `query:"format"`
}

func (s *Service) getRoomStateByType(ctx context.Context, call *httpapi.Call, req getRoomStateByTypeRequest) (jsontext.Value, error) {
	return s.getRoomStateWithKey(ctx, call, getRoomStateWithKeyRequest{RoomID: req.RoomID, EventType: req.EventType, Format: req.Format})
}

func (s *Service) getRoomStateWithKey(ctx context.Context, call *httpapi.Call, req getRoomStateWithKeyRequest) (out jsontext.Value, err error) {
	if req.Format != "" && req.Format != "content" && req.Format != "event" {
		return nil, errcode.InvalidParam.New("The parameter %q is not valid: it must be \"content\" or \"event\".", "format").With("param", "format")
	}
	err = s.db.ReadBriefly(ctx, func(tx *db.Tx) error {
		st, noneErased, err := s.readableState(tx, req, call.UserID)
		if err != nil {
			return err
		}
		if req.Format == "event" {
			events, err := s.ClientEvents(tx, Viewer{UserID: call.UserID, DeviceID: call.DeviceID, NoneErased: noneErased}, []Stored{st})
			if err != nil {
				return err
			}
			out = events[0]
			return nil
		}
		if !noneErased {
			erased, err := s.erasures(tx, call.UserID, []Stored{st})
			if err != nil {
				return err
			}
			if st, err = erased.seen(st); err != nil {
				return err
			}
		}
		out = jsontext.Value(st.Content)
		return nil
	})
	return out, err
}

// readableState gives the state that a request asks for, and whether no account was
// erased. For who is in the room that is one statement, unless the event is to be read
// as well.
func (s *Service) readableState(tx *db.Tx, req getRoomStateWithKeyRequest, userID id.UserID) (st Stored, noneErased bool, err error) {
	var membership string
	var pos *int64
	var redactedPos int64
	_, err = db.One(tx, func(r db.Row) (struct{}, error) {
		return struct{}{}, r.Scan(&membership, &pos, &redactedPos, &noneErased)
	}, `SELECT COALESCE((SELECT m.membership FROM room_members m WHERE m.room_id = r.room_id AND m.user_id = $2), ''), `+present+`$3 AND st.state_key = $4),
		r.redacted_pos, NOT `+accounts.HasErased+` FROM rooms r WHERE r.room_id = $1`, req.RoomID, userID, req.EventType, req.StateKey)
	switch {
	case errors.Is(err, db.ErrNoRow):
		return st, false, notJoined(userID, req.RoomID)
	case err != nil:
		return st, false, err
	case membership == event.Join && pos == nil:
		return st, false, noSuchState()
	case membership == event.Join:
		events, err := s.eventsAt(tx, []place{{*pos, redactedPos}})
		if err == nil && len(events) == 0 {
			err = noSuchState()
		}
		if err != nil {
			return st, false, err
		}
		return events[0], noneErased, nil
	}
	at, err := s.ReadableAt(tx, req.RoomID, userID)
	if err == nil {
		st, err = s.stateEvent(tx, req, at)
	}
	return st, noneErased, err
}

func noSuchState() error { return errcode.NotFound.New("The room has no such state.") }

// stateEvent gives one event of a room's state as it was at a position.
func (s *Service) stateEvent(tx *db.Tx, req getRoomStateWithKeyRequest, at int64) (Stored, error) {
	held := ` AND st.until_pos = 9223372036854775807`
	args := []any{req.RoomID, req.EventType, req.StateKey}
	if at != Present {
		held, args = ` AND st.from_pos <= $4 AND st.until_pos > $4`, append(args, at)
	}
	events, err := s.eventsOf(tx, `SELECT r.room_id, r.redacted_pos, CAST(st.event_pos AS TEXT) FROM room_state st JOIN rooms r ON r.room_id = st.room_id
		WHERE st.room_id = $1 AND st.type = $2 AND st.state_key = $3`+held, args...)
	if err != nil {
		return Stored{}, err
	}
	if len(events) == 0 {
		return Stored{}, noSuchState()
	}
	return events[0], nil
}

type getRoomStateRequest struct {
	RoomID id.RoomID `path:"roomId"`
}

func (s *Service) getRoomState(ctx context.Context, call *httpapi.Call, req getRoomStateRequest) (out httpapi.Written, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		at, err := s.ReadableAt(tx, req.RoomID, call.UserID)
		if err != nil {
			return err
		}
		state, err := s.StateAt(tx, req.RoomID, at)
		if err != nil {
			return err
		}
		out, err = s.ClientEvents(tx, Viewer{UserID: call.UserID, DeviceID: call.DeviceID}, state)
		return err
	})
	return out, err
}

// StateAt gives the whole state of a room as it was at a position, in the order in
// which it came about; at Present, as it is.
func (s *Service) StateAt(tx *db.Tx, roomID id.RoomID, at int64) ([]Stored, error) {
	if at == Present {
		// Every type is above the empty one: that leads to the index of what is present.
		return s.eventsOf(tx, positionsIn+`SELECT st.event_pos AS pos FROM room_state st
			WHERE st.room_id = r.room_id AND st.type >= '' AND st.until_pos = 9223372036854775807`+ofRoom, roomID)
	}
	return s.eventsOf(tx, positionsIn+stateHeldAt+ofRoom, roomID, at)
}
