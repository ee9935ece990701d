package rooms

import (
	"context"
	"errors"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/event"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
)

type createRoomRequest struct {
	Visibility    string         `json:"visibility"`
	AliasName     string         `json:"room_alias_name"`
	Name          string         `json:"name"`
	Topic         string         `json:"topic"`
	Invite        []id.UserID    `json:"invite"`
	Invite3PID    []threepid     `json:"invite_3pid"`
	RoomVersion   string         `json:"room_version"`
	Creation      jsontext.Value `json:"creation_content"`
	InitialState  []initialState `json:"initial_state"`
	Preset        string         `json:"preset"`
	IsDirect      bool           `json:"is_direct"`
	PowerOverride jsontext.Value `json:"power_level_content_override"`
}

type initialState struct {
	Type     string         `json:"type"`
	StateKey string         `json:"state_key"`
	Content  jsontext.Value `json:"content"`
}

type createRoomResponse struct {
	RoomID id.RoomID `json:"room_id"`
}

const (
	privateChat        = "private_chat"
	trustedPrivateChat = "trusted_private_chat"
	publicChat         = "public_chat"

	maxInvites      = 1000
	maxInitialState = 500
)

// check looks at everything that needs no database.
func (req *createRoomRequest) check(s *Service) (*event.Version, error) {
	if !slices.Contains([]string{"", "public", "private"}, req.Visibility) {
		return nil, errcode.InvalidParam.New("The parameter %q is not valid: it must be \"public\" or \"private\".", "visibility").With("param", "visibility")
	}
	if !slices.Contains([]string{"", privateChat, trustedPrivateChat, publicChat}, req.Preset) {
		return nil, errcode.InvalidParam.New("The parameter %q is not valid: it must be one of private_chat, trusted_private_chat and public_chat.", "preset").With("param", "preset")
	}
	if len(req.Invite) > maxInvites || len(req.InitialState) > maxInitialState {
		return nil, errcode.InvalidParam.New("A room can be made with at most %d invites and %d state events.", maxInvites, maxInitialState)
	}
	if err := s.checkAddresses(req.Invite3PID); err != nil {
		return nil, err
	}
	if req.RoomVersion == "" {
		req.RoomVersion = s.cfg.Rooms.DefaultVersion
	}
	v, err := supportedVersion(req.RoomVersion)
	if err != nil {
		return nil, err
	}
	if req.Preset == "" {
		req.Preset = privateChat
		if req.Visibility == "public" {
			req.Preset = publicChat
		}
	}
	if req.Creation != nil && req.Creation.Kind() != '{' {
		return nil, errcode.BadJSON.New("%q must be an object.", "creation_content").With("param", "creation_content")
	}
	if req.PowerOverride != nil && req.PowerOverride.Kind() != '{' {
		return nil, errcode.BadJSON.New("%q must be an object.", "power_level_content_override").With("param", "power_level_content_override")
	}
	for _, st := range req.InitialState {
		switch {
		case st.Type == "" || st.Content.Kind() != '{':
			return nil, errcode.BadJSON.New("Each of %q needs a type and a content that is an object.", "initial_state").With("param", "initial_state")
		case st.Type == event.TypeCreate || st.Type == event.TypeMember:
			return nil, errcode.InvalidRoomState.New("%q cannot hold %s events. Use %q and %q.", "initial_state", st.Type, "creation_content", "invite")
		}
	}
	return v, nil
}

// supportedVersion finds a version for a new room.
func supportedVersion(version string) (*event.Version, error) {
	if v, ok := event.VersionByID(version); ok {
		return v, nil
	}
	return nil, errcode.UnsupportedRoomVersion.New("This server does not know that room version. It knows 1 to 12.")
}

func (s *Service) createRoom(ctx context.Context, call *httpapi.Call, req createRoomRequest) (createRoomResponse, error) {
	v, err := req.check(s)
	if err != nil {
		return createRoomResponse{}, err
	}
	var alias id.RoomAlias
	if req.AliasName != "" {
		if alias, err = id.NewRoomAlias(req.AliasName, s.server); err != nil {
			return createRoomResponse{}, errcode.InvalidParam.New("The parameter %q is not valid: %s", "room_alias_name", err).With("param", "room_alias_name")
		}
	}
	if req.Visibility == "public" && !s.cfg.Rooms.PublicDirectory && !call.Admin {
		return createRoomResponse{}, errcode.Forbidden.New("Only an administrator may put rooms into the public directory of this server. Make the room private.")
	}
	var roomID id.RoomID
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		r := s.begin(tx, v)
		if err := r.found(call.UserID, req, alias); err != nil {
			return err
		}
		roomID = r.id
		return r.close()
	})
	if err == nil {
		s.inviteAddresses(ctx, call, roomID, req)
	}
	return createRoomResponse{RoomID: roomID}, err
}

// found writes the first events of a room, in the order that the specification
// gives for createRoom.
func (r *room) found(creator id.UserID, req createRoomRequest, alias id.RoomAlias) error {
	content, err := creationContent(r.version, creator, req)
	if err != nil {
		return err
	}
	if err := r.create(creator, content, req.Visibility == "public"); err != nil {
		return initialError(err)
	}
	if err := r.setMembership(change{caller: creator, target: creator}, event.Join); err != nil {
		return initialError(err)
	}
	if alias != "" {
		if err := insertAlias(r.tx, alias, r.id, creator); err != nil {
			if errors.Is(err, db.ErrDuplicate) {
				return errcode.RoomInUse.New("The alias %s is taken. Choose another.", alias)
			}
			return err
		}
	}
	states, err := r.firstState(creator, req, alias)
	if err != nil {
		return err
	}
	for _, st := range states {
		if err := r.foundWith(creator, st); err != nil {
			return initialError(err)
		}
	}
	return r.inviteFirst(creator, req.Invite, req.IsDirect)
}

// foundWith appends one of the first state events.
func (r *room) foundWith(creator id.UserID, st initialState) error {
	if st.Type == canonicalAlias && st.StateKey == "" {
		if err := r.checkAliases(st.Content); err != nil {
			return err
		}
	}
	_, err := r.append(Draft{Type: st.Type, StateKey: &st.StateKey, Sender: creator, Content: st.Content})
	return err
}

// initialError makes a refusal by the room's own rules what it is for the one who
// creates the room: a contradiction in the request.
func initialError(err error) error {
	var e *errcode.Error
	if errors.As(err, &e) && slices.Contains([]*errcode.Code{errcode.Forbidden, errcode.InsufficientPower, errcode.NotJoined, errcode.BadAlias}, e.Code) {
		return errcode.InvalidRoomState.Wrap(err, "The room cannot be made like this: %s", e.Text)
	}
	return err
}

func creationContent(v *event.Version, creator id.UserID, req createRoomRequest) ([]byte, error) {
	content := map[string]any{}
	if err := addMembers(content, req.Creation); err != nil {
		return nil, err
	}
	delete(content, "creator") // the server's to say
	content["room_version"] = v.ID
	if !v.ImplicitCreator {
		content["creator"] = creator
	}
	if v.PrivilegedCreators && req.Preset == trustedPrivateChat && len(req.Invite) > 0 {
		// Whom one trusts stands as high as oneself.
		var additional []id.UserID
		if raw, ok := content["additional_creators"].(jsontext.Value); ok {
			if err := json.Unmarshal(raw, &additional); err != nil {
				return nil, errcode.BadJSON.New("%q must be a list of user ids.", "additional_creators").With("param", "creation_content.additional_creators")
			}
		}
		for _, u := range req.Invite {
			if u != creator && !slices.Contains(additional, u) {
				additional = append(additional, u)
			}
		}
		content["additional_creators"] = additional
	}
	return json.Marshal(content)
}

// addMembers puts the members of an object, if there is one, over those that are
// there.
func addMembers(content map[string]any, object jsontext.Value) error {
	if object == nil {
		return nil
	}
	var members map[string]jsontext.Value
	if err := json.Unmarshal(object, &members); err != nil {
		return err
	}
	for name, value := range members {
		content[name] = value
	}
	return nil
}

// firstState lists the state after the creator's join: power levels, canonical
// alias, what the preset says unless initial_state does, initial_state, name, topic.
func (r *room) firstState(creator id.UserID, req createRoomRequest, alias id.RoomAlias) ([]initialState, error) {
	levels, err := powerLevels(r.version, creator, req)
	if err != nil {
		return nil, err
	}
	out := []initialState{{Type: event.TypePowerLevels, Content: levels}}
	add := func(eventType string, content any) {
		if raw, err := json.Marshal(content); err == nil { // always: the contents are below
			out = append(out, initialState{Type: eventType, Content: raw})
		}
	}
	if alias != "" {
		add("m.room.canonical_alias", map[string]any{"alias": alias})
	}
	joinRule, guests := "invite", "can_join"
	if req.Preset == publicChat {
		joinRule, guests = "public", "forbidden"
	}
	for _, p := range []struct{ eventType, member, value string }{
		{event.TypeJoinRules, "join_rule", joinRule},
		{event.TypeHistoryVisibility, "history_visibility", "shared"},
		{"m.room.guest_access", "guest_access", guests},
	} {
		given := slices.ContainsFunc(req.InitialState, func(st initialState) bool { return st.Type == p.eventType && st.StateKey == "" })
		if !given {
			add(p.eventType, map[string]string{p.member: p.value})
		}
	}
	out = append(out, req.InitialState...)
	if req.Name != "" {
		add("m.room.name", map[string]string{"name": req.Name})
	}
	if req.Topic != "" {
		add("m.room.topic", map[string]any{"topic": req.Topic, "m.topic": map[string]any{
			"m.text": []map[string]string{{"body": req.Topic, "mimetype": "text/plain"}},
		}})
	}
	return out, nil
}

// creatorsLevel is above the level that creators usually give to others: what
// needs it is for them, unless they say otherwise.
const creatorsLevel = 150

// powerLevels is the content of the first power levels, with the override on top.
func powerLevels(v *event.Version, creator id.UserID, req createRoomRequest) ([]byte, error) {
	users := map[id.UserID]int64{}
	if !v.PrivilegedCreators {
		users[creator] = 100
		if req.Preset == trustedPrivateChat {
			for _, u := range req.Invite {
				users[u] = 100
			}
		}
	}
	replace := 100
	if v.PrivilegedCreators {
		replace = creatorsLevel
	}
	content := map[string]any{
		"users": users, "users_default": 0, "events_default": 0, "state_default": 50,
		"ban": 50, "kick": 50, "redact": 50, "invite": 0,
		"events": map[string]int{
			"m.room.name": 50, "m.room.avatar": 50, "m.room.canonical_alias": 50,
			"m.room.power_levels": 100, "m.room.history_visibility": 100,
			"m.room.server_acl": 100, "m.room.encryption": 100, tombstone: replace,
		},
	}
	if err := addMembers(content, req.PowerOverride); err != nil {
		return nil, err
	}
	return json.Marshal(content)
}
