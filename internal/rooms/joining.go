package rooms

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/narthex-matrix/narthex/internal/authrules"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/event"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
)

type joinRoomRequest struct {
	RoomIDOrAlias    roomIDOrAlias  `path:"roomIdOrAlias"`
	ServerName       []string       `query:"server_name"`
	Via              []string       `query:"via"`
	Reason           string         `json:"reason"`
	ThirdPartySigned jsontext.Value `json:"third_party_signed"`
}

type joinRoomByIDRequest struct {
	RoomID           id.RoomID      `path:"roomId"`
	Reason           string         `json:"reason"`
	ThirdPartySigned jsontext.Value `json:"third_party_signed"`
}

type joinRoomResponse struct {
	RoomID id.RoomID `json:"room_id"`
}

// roomIDOrAlias is a room id, or an alias to be resolved.
type roomIDOrAlias string

// UnmarshalText accepts either form.
func (r *roomIDOrAlias) UnmarshalText(text []byte) error {
	if len(text) > 0 && text[0] == '#' {
		_, err := id.ParseRoomAlias(string(text))
		*r = roomIDOrAlias(text)
		return err
	}
	_, err := id.ParseRoomID(string(text))
	*r = roomIDOrAlias(text)
	return err
}

// resolve gives the room that the name means; NotFound for an alias that leads
// nowhere. Whether a room of that id exists is not looked at.
func (s *Service) resolve(tx *db.Tx, name roomIDOrAlias) (id.RoomID, error) {
	if name[0] != '#' {
		return id.RoomID(name), nil
	}
	return s.ResolveAlias(tx, id.RoomAlias(name))
}

// ResolveAlias gives the room that an alias of this server leads to, or NotFound.
func (s *Service) ResolveAlias(tx *db.Tx, alias id.RoomAlias) (id.RoomID, error) {
	roomID, err := db.Value[id.RoomID](tx, `SELECT room_id FROM room_aliases WHERE alias = $1`, alias)
	if errors.Is(err, db.ErrNoRow) {
		return "", errcode.NotFound.New("The alias %s does not lead to a room.", alias)
	}
	return roomID, err
}

func (s *Service) joinRoom(ctx context.Context, call *httpapi.Call, req joinRoomRequest) (joinRoomResponse, error) {
	return s.come(ctx, call, req.RoomIDOrAlias, req.Reason, (*room).join)
}

func (s *Service) joinRoomByID(ctx context.Context, call *httpapi.Call, req joinRoomByIDRequest) (joinRoomResponse, error) {
	return s.come(ctx, call, roomIDOrAlias(req.RoomID), req.Reason, (*room).join)
}

type knockRoomRequest struct {
	RoomIDOrAlias roomIDOrAlias `path:"roomIdOrAlias"`
	ServerName    []string      `query:"server_name"`
	Via           []string      `query:"via"`
	Reason        string        `json:"reason"`
}

func (s *Service) knockRoom(ctx context.Context, call *httpapi.Call, req knockRoomRequest) (joinRoomResponse, error) {
	return s.come(ctx, call, req.RoomIDOrAlias, req.Reason, (*room).knock)
}

// come runs a join or a knock: the two that may say that a room does not exist.
func (s *Service) come(ctx context.Context, call *httpapi.Call, name roomIDOrAlias, reason string, do func(*room, change) error) (joinRoomResponse, error) {
	var roomID id.RoomID
	err := s.db.Write(ctx, func(tx *db.Tx) (err error) {
		if roomID, err = s.resolve(tx, name); err != nil {
			return err
		}
		c := change{caller: call.UserID, target: call.UserID, guest: call.Guest, reason: reason}
		r, err := s.enter(tx, roomID, c)
		if errors.Is(err, errcode.NotJoined) {
			return errcode.NotFound.New("There is no room %s that this server can reach.", roomID)
		}
		if err != nil {
			return err
		}
		if err := do(r, c); err != nil {
			return err
		}
		return r.close()
	})
	return joinRoomResponse{RoomID: roomID}, err
}

func (r *room) join(c change) error {
	switch r.membership(c.caller) {
	case event.Join:
		if c.content == nil {
			return nil
		}
		return r.setMembership(c, event.Join) // a change of the profile in this room
	case event.Ban:
		return errcode.Forbidden.New("You are banned from this room.")
	}
	if c.guest {
		if err := r.admitsGuests(); err != nil {
			return err
		}
	}
	rules := r.joinRules()
	if r.membership(c.caller) == event.Invite || rules.JoinRule == "public" {
		return r.setMembership(c, event.Join)
	}
	if rules.JoinRule == "restricted" && r.version.Restricted || rules.JoinRule == "knock_restricted" && r.version.KnockRestricted {
		return r.joinRestricted(c, rules)
	}
	if rules.JoinRule == "knock" && r.version.Knock {
		return errcode.Forbidden.New("You need an invite to join this room. You can ask for one by knocking.")
	}
	return errcode.Forbidden.New("You need an invite to join this room.")
}

func (r *room) joinRules() *event.JoinRuleContent {
	if ev := r.get(event.TypeJoinRules, ""); ev != nil {
		return ev.JoinRules()
	}
	return &event.JoinRuleContent{JoinRule: "invite"}
}

func (r *room) admitsGuests() error {
	key := authrules.Key{Type: "m.room.guest_access"}
	if err := r.load(key); err != nil {
		return err
	}
	var content struct {
		GuestAccess string `json:"guest_access"`
	}
	if ev := r.state[key]; ev != nil {
		_ = json.Unmarshal(ev.Content, &content) // anything else admits nobody
	}
	if content.GuestAccess != "can_join" {
		return errcode.GuestAccessForbidden.New("This room does not admit guests. Make an account to join it.")
	}
	return nil
}

// joinRestricted lets in whoever is in one of the rooms that the join rule names,
// in the name of a local member who may invite.
func (r *room) joinRestricted(c change, rules *event.JoinRuleContent) error {
	var allowed []id.RoomID
	for _, a := range rules.Allow {
		if a.Type == "m.room_membership" && a.RoomID != "" {
			allowed = append(allowed, a.RoomID)
		}
	}
	refusal := errcode.Forbidden.New("To join this room you need an invite, or to be in one of the rooms whose members may come in.")
	if len(allowed) == 0 {
		return refusal
	}
	in := db.In(allowed)
	member, err := db.Value[bool](r.tx, `SELECT EXISTS (SELECT 1 FROM room_members WHERE user_id = $1 AND membership = 'join' AND room_id IN (`+in.Marks(2)+`))`, in.Args(c.caller)...)
	if err != nil {
		return err
	}
	if !member {
		return refusal
	}
	sponsor, err := r.sponsor()
	if err != nil {
		return err
	}
	if sponsor == "" {
		return errcode.Forbidden.New("Nobody in this room has the power to let you in.")
	}
	if err := r.load(memberKey(sponsor)); err != nil {
		return err
	}
	content, err := r.memberContent(c, event.Join)
	if err != nil {
		return err
	}
	var members map[string]any
	if err := json.Unmarshal(content, &members); err != nil {
		return err
	}
	members["join_authorised_via_users_server"] = sponsor
	if content, err = json.Marshal(members); err != nil {
		return err
	}
	key := string(c.target)
	_, err = r.append(Draft{Type: event.TypeMember, StateKey: &key, Sender: c.caller, Content: content})
	return err
}

// sponsor finds a member of this server who may invite: those with a level of
// their own come first, then anyone if everyone may.
func (r *room) sponsor() (id.UserID, error) {
	levels := r.levels()
	var candidates []id.UserID
	if ev := r.get(event.TypePowerLevels, ""); ev != nil {
		if content, err := ev.PowerLevels(); err == nil {
			for u := range content.Users {
				candidates = append(candidates, u)
			}
		}
	}
	if ev := r.get(event.TypeCreate, ""); ev != nil {
		candidates = append(candidates, ev.Create().Creators...)
	}
	for _, u := range candidates {
		if u.ServerName() != r.s.server || levels.UserLevel(u) < levels.Invite() {
			continue
		}
		if err := r.load(memberKey(u)); err != nil {
			return "", err
		}
		if r.membership(u) == event.Join {
			return u, nil
		}
	}
	if levels.UserLevel("@") < levels.Invite() { // whoever has no level of their own
		return "", nil
	}
	local, err := db.Value[id.UserID](r.tx, `SELECT user_id FROM room_members WHERE room_id = $1 AND membership = 'join' LIMIT 1`, r.id)
	if errors.Is(err, db.ErrNoRow) {
		return "", nil
	}
	return local, err
}

func (r *room) knock(c change) error {
	switch r.membership(c.caller) {
	case event.Join:
		return errcode.AlreadyJoined.New("You are in this room already.")
	case event.Ban:
		return errcode.Forbidden.New("You are banned from this room.")
	case event.Invite:
		return errcode.Forbidden.New("You are invited to this room already. Accept the invite.")
	case event.Knock:
		return nil
	}
	rule := r.joinRules().JoinRule
	if rule == "knock" && r.version.Knock || rule == "knock_restricted" && r.version.KnockRestricted {
		return r.setMembership(c, event.Knock)
	}
	return errcode.Forbidden.New("One cannot knock at this room.")
}
