package rooms

import (
	"context"
	"errors"
	"slices"

	"github.com/go-json-experiment/json"
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
	return s.enterRoom(ctx, call, req.RoomIDOrAlias, req.Reason, req.ThirdPartySigned)
}

func (s *Service) joinRoomByID(ctx context.Context, call *httpapi.Call, req joinRoomByIDRequest) (joinRoomResponse, error) {
	return s.enterRoom(ctx, call, roomIDOrAlias(req.RoomID), req.Reason, req.ThirdPartySigned)
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

// come runs a join or a knock.
func (s *Service) come(ctx context.Context, call *httpapi.Call, name roomIDOrAlias, reason string, do func(*room, change) error) (joinRoomResponse, error) {
	var roomID id.RoomID
	err := s.db.Write(ctx, func(tx *db.Tx) (err error) {
		if roomID, err = s.resolve(tx, name); err != nil {
			return err
		}
		c := change{caller: call.UserID, target: call.UserID, guest: call.Guest, reason: reason}
		r, err := s.approach(tx, roomID, c)
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

// approach is enter for joins and knocks: the two that say that a room does not
// exist, or is of a version that this server does not know.
func (s *Service) approach(tx *db.Tx, roomID id.RoomID, c change) (*room, error) {
	r, err := s.enter(tx, roomID, c)
	return r, unreachable(err, roomID)
}

// unreachable words the failure of opening a room for those who want to come in.
func unreachable(err error, roomID id.RoomID) error {
	var version unknownVersion
	switch {
	case errors.Is(err, errcode.NotJoined), errors.Is(err, db.ErrNoRow):
		return errcode.NotFound.New("There is no room %s that this server can reach.", roomID)
	case errors.As(err, &version):
		return errcode.IncompatibleRoomVersion.Wrap(err, "This server does not know the version of that room.").With("room_version", string(version))
	}
	return err
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
		if admits, err := r.admitsGuests(); err != nil {
			return err
		} else if !admits {
			return errcode.GuestAccessForbidden.New("This room does not admit guests. Make an account to join it.")
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

// admitsGuests reports whether guests may be in the room.
func (r *room) admitsGuests() (bool, error) {
	if err := r.load(guestAccessKey); err != nil {
		return false, err
	}
	var content struct {
		GuestAccess string `json:"guest_access"`
	}
	if ev := r.state[guestAccessKey]; ev != nil {
		_ = json.Unmarshal(ev.Content, &content) // anything else admits nobody
	}
	return content.GuestAccess == "can_join", nil
}

// dismissGuests takes the guests out of a room that no longer admits them
// (client-server API, Guest access).
func (r *room) dismissGuests() error {
	admits, err := r.admitsGuests()
	if err != nil || admits {
		return err
	}
	members, err := JoinedMembers(r.tx, r.id)
	if err != nil {
		return err
	}
	known, err := r.s.accounts.Known(r.tx, members)
	if err != nil {
		return err
	}
	guests := slices.DeleteFunc(members, func(u id.UserID) bool { return !known[u] })
	keys := make([]authrules.Key, len(guests))
	for i, u := range guests {
		keys[i] = memberKey(u)
	}
	if err := r.load(keys...); err != nil {
		return err
	}
	for _, u := range guests {
		if err := r.setMembership(change{caller: u, target: u, reason: "This room no longer admits guests."}, event.Leave); err != nil {
			return err
		}
	}
	return nil
}

// joinRestricted lets in whoever is in one of the rooms that the join rule names,
// in the name of a local member who may invite.
func (r *room) joinRestricted(c change, rules *event.JoinRuleContent) error {
	var allowed []id.RoomID
	for _, a := range rules.Allow {
		if roomID, err := id.ParseRoomID(string(a.RoomID)); err == nil && a.Type == "m.room_membership" {
			allowed = append(allowed, roomID)
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
	if c.sponsor, err = r.sponsor(); err != nil {
		return err
	}
	if c.sponsor == "" {
		return errcode.Forbidden.New("Nobody in this room has the power to let you in.")
	}
	if err := r.load(memberKey(c.sponsor)); err != nil {
		return err
	}
	return r.setMembership(c, event.Join)
}

// sponsor finds a member of this server who may invite, "" if there is none: one
// of those with a level of their own, or else anyone if everyone may.
func (r *room) sponsor() (id.UserID, error) {
	levels := r.levels()
	named := map[id.UserID]bool{}
	if ev := r.get(event.TypePowerLevels, ""); ev != nil {
		if content, err := ev.PowerLevels(); err == nil {
			for u := range content.Users {
				named[u] = true
			}
		}
	}
	for _, u := range r.get(event.TypeCreate, "").Create().Creators {
		named[u] = true
	}
	may := []id.UserID{""} // so that it is never empty
	for u := range named {
		if u.ServerName() == r.s.server && levels.UserLevel(u) >= levels.Invite() {
			may = append(may, u)
		}
	}
	in := db.In(may)
	found, err := db.Value[id.UserID](r.tx, `SELECT user_id FROM room_members WHERE room_id = $1 AND membership = 'join' AND user_id IN (`+in.Marks(2)+`)
		ORDER BY event_pos LIMIT 1`, in.Args(r.id)...)
	if !errors.Is(err, db.ErrNoRow) || levels.UserLevel("@") < levels.Invite() { // "@" has no level of its own
		return found, ignoreNoRow(err)
	}
	members, err := db.All(r.tx, db.Scalar[id.UserID], `SELECT user_id FROM room_members WHERE room_id = $1 AND membership = 'join'
		ORDER BY event_pos LIMIT $2`, r.id, len(named)+1)
	for _, u := range members {
		if !named[u] && u.ServerName() == r.s.server {
			return u, nil
		}
	}
	return "", err
}

func ignoreNoRow(err error) error {
	if errors.Is(err, db.ErrNoRow) {
		return nil
	}
	return err
}

func (r *room) knock(c change) error {
	if c.guest {
		return errcode.GuestAccessForbidden.New("Guests cannot knock. Make an account to go on.")
	}
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
