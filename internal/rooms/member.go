package rooms

import (
	"context"
	"errors"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/authrules"
	"github.com/narthex-matrix/narthex/internal/canonicaljson"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/event"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/jobs"
)

// change is a wanted change of somebody's membership.
type change struct {
	caller  id.UserID
	guest   bool // the caller is a guest
	target  id.UserID
	content jsontext.Value // further members of the event's content; nil for none
	reason  string
	direct  bool      // an invite to a direct chat
	sponsor id.UserID // who lets the target into a restricted room
	// thirdParty is set for an invite that follows from one by address.
	thirdParty *thirdParty
}

// thirdParty is the member third_party_invite of an invite's content.
type thirdParty struct {
	DisplayName string         `json:"display_name"`
	Signed      jsontext.Value `json:"signed"`
}

// enter opens the room for a change and loads what every change looks at.
func (s *Service) enter(tx *db.Tx, roomID id.RoomID, c change) (*room, error) {
	read := func() (opened, error) { return headForMembership(tx, roomID, c.caller, c.target) }
	return s.openFor(tx, roomID, c.caller, read, whoMayKeys(c.caller, joinRulesKey, memberKey(c.target)))
}

// The checks of one change, in the order of precedence: the caller's membership,
// the target's state, power. Each gives nil if the change may be tried.

func (r *room) mayKick(c change) error {
	if r.membership(c.caller) != event.Join {
		return notJoined(c.caller, r.id)
	}
	if c.caller == c.target {
		return nil // it is leaving
	}
	switch r.membership(c.target) {
	case event.Join, event.Invite, event.Knock:
	default:
		return errcode.Forbidden.New("%s is not in this room, so there is nobody to remove.", c.target)
	}
	return r.needsOver(c, r.levels().Kick(), "remove people")
}

func (r *room) mayBan(c change) error {
	if r.membership(c.caller) != event.Join {
		return notJoined(c.caller, r.id)
	}
	return r.needsOver(c, r.levels().Ban(), "ban people")
}

func (r *room) mayUnban(c change) error {
	if r.membership(c.caller) != event.Join {
		return notJoined(c.caller, r.id)
	}
	if r.membership(c.target) != event.Ban {
		return errcode.BadState.New("%s is not banned from this room.", c.target)
	}
	// The rules for leaving ask for the power to kick as well.
	return r.needsOver(c, max(r.levels().Ban(), r.levels().Kick()), "unban people")
}

// needs checks that the caller has a level.
func (r *room) needs(caller id.UserID, level authrules.Level, what string) error {
	own := r.levels().UserLevel(caller)
	if own >= level {
		return nil
	}
	return errcode.InsufficientPower.New("To %s in this room you need power level %d, and you have %d.", what, level, own)
}

// needsOver checks that the caller has a level and stands above the target.
func (r *room) needsOver(c change, level authrules.Level, what string) error {
	if err := r.needs(c.caller, level, what); err != nil {
		return err
	}
	levels := r.levels()
	own, theirs := levels.UserLevel(c.caller), levels.UserLevel(c.target)
	switch {
	case theirs < own:
		return nil
	case theirs == authrules.Infinite:
		return errcode.InsufficientPower.New("%s created this room, and nobody stands above its creators.", c.target)
	}
	return errcode.InsufficientPower.New("You can only %s whose power level is below yours: yours is %d, and %s has %d.", what, own, c.target, theirs)
}

// setMembership appends a membership event. With unchanged content it does nothing.
func (r *room) setMembership(c change, membership string) error {
	content, err := r.memberContent(c, membership)
	if err != nil {
		return err
	}
	if unchanged(r.get(event.TypeMember, string(c.target)), c.caller, content) {
		return nil
	}
	key := string(c.target)
	_, err = r.append(Draft{Type: event.TypeMember, StateKey: &key, Sender: c.caller, Content: content})
	return err
}

// memberContent is the content that the caller gave, if any, with the membership,
// the reason, and for those who come in or are invited, their profile.
func (r *room) memberContent(c change, membership string) ([]byte, error) {
	members := map[string]jsontext.Value{}
	if c.content != nil {
		if err := json.Unmarshal(c.content, &members); err != nil {
			return nil, err
		}
	}
	set := func(name, value string) { members[name] = canonicaljson.AppendString(nil, value) }
	set("membership", membership)
	if c.reason != "" {
		set("reason", c.reason)
	}
	if c.direct {
		members["is_direct"] = jsontext.Value("true")
	}
	delete(members, "join_authorised_via_users_server") // the server's to say
	if c.sponsor != "" {
		set("join_authorised_via_users_server", string(c.sponsor))
	}
	if c.thirdParty != nil {
		proof, err := json.Marshal(c.thirdParty)
		if err != nil {
			return nil, err
		}
		members["third_party_invite"] = proof
	}
	if c.content == nil && (membership == event.Join || membership == event.Invite || membership == event.Knock) {
		fields, err := r.s.accounts.ProfileFields(r.tx, c.target)
		if err != nil {
			return nil, err
		}
		for _, name := range []string{accounts.DisplayName, accounts.AvatarURL} {
			if value := fields[name]; value != nil {
				members[name] = jsontext.Value(value)
			}
		}
	}
	return json.Marshal(members)
}

// sameJSON compares a stored, canonical content with a new one.
func sameJSON(canonical, other []byte) bool {
	c, err := canonicaljson.CanonicalLoose(other)
	return err == nil && string(c) == string(canonical)
}

// unchanged reports whether an event would say again what the same person has
// said last.
func unchanged(old *event.Event, sender id.UserID, content []byte) bool {
	return old != nil && old.Sender == sender && sameJSON(old.Content, content)
}

// membershipRequest is the body of the actions on another user.
type membershipRequest struct {
	RoomID id.RoomID `path:"roomId"`
	UserID id.UserID `json:"user_id" required:"true"`
	Reason string    `json:"reason"`
}

type empty struct{}

func (s *Service) kick(ctx context.Context, call *httpapi.Call, req membershipRequest) (empty, error) {
	return s.act(ctx, req.RoomID, change{caller: call.UserID, target: req.UserID, reason: req.Reason}, (*room).kick)
}

func (s *Service) ban(ctx context.Context, call *httpapi.Call, req membershipRequest) (empty, error) {
	return s.act(ctx, req.RoomID, change{caller: call.UserID, target: req.UserID, reason: req.Reason}, (*room).ban)
}

func (s *Service) unban(ctx context.Context, call *httpapi.Call, req membershipRequest) (empty, error) {
	return s.act(ctx, req.RoomID, change{caller: call.UserID, target: req.UserID, reason: req.Reason}, (*room).unban)
}

type leaveRoomRequest struct {
	RoomID id.RoomID `path:"roomId"`
	Reason string    `json:"reason"`
}

func (s *Service) leaveRoom(ctx context.Context, call *httpapi.Call, req leaveRoomRequest) (empty, error) {
	return s.act(ctx, req.RoomID, change{caller: call.UserID, target: call.UserID, reason: req.Reason}, (*room).leave)
}

// act runs one change in a transaction.
func (s *Service) act(ctx context.Context, roomID id.RoomID, c change, do func(*room, change) error) (empty, error) {
	return empty{}, s.db.Write(ctx, func(tx *db.Tx) error {
		r, err := s.enter(tx, roomID, c)
		if err != nil {
			return err
		}
		if err := do(r, c); err != nil {
			return err
		}
		return r.close()
	})
}

func (r *room) kick(c change) error {
	if err := r.mayKick(c); err != nil {
		return err
	}
	return r.setMembership(c, event.Leave)
}

func (r *room) ban(c change) error {
	if err := r.mayBan(c); err != nil {
		return err
	}
	return r.setMembership(c, event.Ban)
}

func (r *room) unban(c change) error {
	if err := r.mayUnban(c); err != nil {
		return err
	}
	return r.setMembership(c, event.Leave)
}

// remove is what "leave" for somebody else means.
func (r *room) remove(c change) error {
	if r.membership(c.target) == event.Ban {
		return r.unban(c)
	}
	return r.kick(c)
}

func (r *room) leave(c change) error {
	if err := r.mayReject(c); err != nil {
		return err
	}
	return r.goAway(c)
}

// goAway is leave for those whose account is no more.
func (r *room) goAway(c change) error {
	switch r.membership(c.caller) {
	case event.Join, event.Invite, event.Knock:
		return r.setMembership(c, event.Leave)
	case event.Leave:
		return nil
	}
	return notJoined(c.caller, r.id)
}

// leaveAll is the job that takes a deactivated user out of every room.
func (s *Service) leaveAll(ctx context.Context, job jobs.Job) error {
	var payload struct {
		UserID id.UserID `json:"user_id"`
	}
	if err := json.Unmarshal(job.Payload, &payload); err != nil {
		return err
	}
	var in []id.RoomID
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) {
		in, err = db.All(tx, db.Scalar[id.RoomID], `SELECT room_id FROM room_members WHERE user_id = $1 AND membership IN ('join', 'invite', 'knock')`, payload.UserID)
		return err
	})
	if err != nil {
		return err
	}
	for _, roomID := range in {
		_, err := s.act(ctx, roomID, change{caller: payload.UserID, target: payload.UserID}, (*room).goAway)
		if err != nil && !errors.Is(err, errcode.NotJoined) {
			return err
		}
	}
	return nil
}
