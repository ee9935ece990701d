package rooms

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

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
	d := Draft{RoomID: req.RoomID, Type: req.EventType, StateKey: &req.StateKey, Sender: call.UserID, Content: json.RawMessage(req.Content)}
	var eventID id.EventID
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		r, err := s.open(tx, d.RoomID)
		if errors.Is(err, db.ErrNoRow) {
			return notJoined(d.Sender, d.RoomID)
		}
		if err != nil {
			return err
		}
		if d.Type == event.TypeMember {
			eventID, err = r.setMemberState(d, call.Guest)
		} else {
			eventID, err = r.setState(d)
		}
		if err != nil {
			return err
		}
		return r.close()
	})
	return sendMessageResponse{EventID: eventID}, err
}

// setState appends a state event that is no membership. Content that is there
// already is not written again.
func (r *room) setState(d Draft) (id.EventID, error) {
	key := authrules.Key{Type: d.Type, StateKey: *d.StateKey}
	if err := r.load(createKey, levelsKey, memberKey(d.Sender), key); err != nil {
		return "", err
	}
	if err := r.maySetState(d); err != nil {
		return "", err
	}
	if old := r.state[key]; old != nil && sameJSON(old.Content, d.Content) {
		return old.ID, nil
	}
	if d.Type == "m.room.canonical_alias" {
		if err := r.checkAliases(d.Content); err != nil {
			return "", err
		}
	}
	st, err := r.append(d)
	if err != nil {
		return "", err
	}
	return st.ID, nil
}

func (r *room) maySetState(d Draft) error {
	if r.membership(d.Sender) != event.Join {
		return notJoined(d.Sender, r.id)
	}
	if d.Type == event.TypeCreate {
		return errcode.Forbidden.New("A room is created only once.")
	}
	level := r.levels().EventLevel(d.Type, true)
	if d.Type == event.TypeThirdPartyInvite {
		level = r.levels().Invite()
	}
	if d.Type == event.TypeAliases && r.version.AliasesRule {
		level = 0 // whose server the state key names may set it
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
func (r *room) setMemberState(d Draft, guest bool) (id.EventID, error) {
	target, err := id.ParseUserID(*d.StateKey)
	if err != nil {
		return "", errcode.InvalidParam.New("The parameter %q is not valid: %s", "stateKey", err).With("param", "stateKey")
	}
	var content struct {
		Membership string `json:"membership"`
	}
	if err := json.Unmarshal(d.Content, &content); err != nil {
		return "", errcode.BadJSON.New("%q must be a string.", "membership").With("param", "membership")
	}
	c := change{caller: d.Sender, guest: guest, target: target, content: d.Content}
	if err := r.load(createKey, levelsKey, joinRulesKey, memberKey(c.caller), memberKey(c.target)); err != nil {
		return "", err
	}
	do, err := r.action(c, content.Membership)
	if err != nil {
		return "", err
	}
	if err := do(r, c); err != nil {
		return "", err
	}
	if ev := r.get(event.TypeMember, string(target)); ev != nil {
		return ev.ID, nil
	}
	return "", notJoined(c.caller, r.id)
}

// action finds what a membership for somebody means.
func (r *room) action(c change, membership string) (func(*room, change) error, error) {
	own := c.caller == c.target
	switch {
	case membership == event.Join && own:
		return (*room).join, nil
	case membership == event.Leave && own:
		return (*room).leave, nil
	case membership == event.Knock && own:
		return (*room).knock, nil
	case membership == event.Join, membership == event.Knock:
		return nil, errcode.Forbidden.New("Only %s can do that: nobody joins or knocks for somebody else.", c.target)
	case membership == event.Invite:
		return (*room).invite, nil
	case membership == event.Ban:
		return (*room).ban, nil
	case membership == event.Leave && r.membership(c.target) == event.Ban:
		return (*room).unban, nil
	case membership == event.Leave:
		return (*room).kick, nil
	}
	return nil, errcode.BadJSON.New("%q must be one of join, invite, leave, ban and knock.", "membership").With("param", "membership")
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
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		at, err := s.ReadableAt(tx, req.RoomID, call.UserID)
		if err != nil {
			return err
		}
		st, err := db.One(tx, ScanEvent, `SELECT `+Columns+` FROM room_state st JOIN events e ON e.pos = st.event_pos JOIN rooms r ON r.room_id = e.room_id
			WHERE st.room_id = $1 AND st.type = $2 AND st.state_key = $3 AND st.from_pos <= $4 AND st.until_pos > $4`,
			req.RoomID, req.EventType, req.StateKey, at)
		if errors.Is(err, db.ErrNoRow) {
			return errcode.NotFound.New("The room has no such state.")
		}
		if err != nil {
			return err
		}
		out = jsontext.Value(st.Content)
		if req.Format == "event" {
			events, err := s.ClientEvents(tx, Viewer{UserID: call.UserID, DeviceID: call.DeviceID}, []Stored{st})
			if err != nil {
				return err
			}
			out = events[0]
		}
		return nil
	})
	return out, err
}

type getRoomStateRequest struct {
	RoomID id.RoomID `path:"roomId"`
}

func (s *Service) getRoomState(ctx context.Context, call *httpapi.Call, req getRoomStateRequest) (out []jsontext.Value, err error) {
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
		return db.All(tx, ScanEvent, `SELECT `+Columns+` FROM room_state st JOIN events e ON e.pos = st.event_pos JOIN rooms r ON r.room_id = e.room_id
			WHERE st.room_id = $1 AND st.until_pos = 9223372036854775807 ORDER BY e.pos`, roomID)
	}
	return db.All(tx, ScanEvent, `SELECT `+Columns+` FROM room_state st JOIN events e ON e.pos = st.event_pos JOIN rooms r ON r.room_id = e.room_id
		WHERE st.room_id = $1 AND st.from_pos <= $2 AND st.until_pos > $2 ORDER BY e.pos`, roomID, at)
}
