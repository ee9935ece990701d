package event

import (
	"encoding/json"

	cj "github.com/narthex-matrix/narthex/internal/canonicaljson"
	"github.com/narthex-matrix/narthex/internal/id"
)

// parsed is what the content of an event says, if its type is one that the room
// model understands.
type parsed struct {
	powerLevels    *PowerLevels
	powerLevelsErr error
	member         MemberContent
	joinRules      JoinRuleContent
	create         CreateContent
	visibility     string
}

// parse fills parsed, once.
func (e *Event) parse() {
	e.once.Do(func() {
		members, err := cj.AppendMembers(nil, e.Content)
		if err != nil {
			members = nil
		}
		e.parsed.powerLevelsErr = &PowerLevelsError{Reason: "the event is not of type m.room.power_levels"}
		switch e.Type {
		case TypePowerLevels:
			e.parsed.powerLevels, e.parsed.powerLevelsErr = parsePowerLevels(e.Version, members)
		case TypeMember:
			e.parsed.member = memberContent(members)
		case TypeJoinRules:
			e.parsed.joinRules = joinRuleContent(members)
		case TypeCreate:
			e.parsed.create = e.createContent(members)
		case TypeHistoryVisibility:
			e.parsed.visibility = text(members, "history_visibility")
		}
	})
}

// text returns a member that is a string, or "".
func text(members []cj.Member, key string) string {
	value, _ := cj.Text(cj.Get(members, key))
	return value
}

// PowerLevels returns what an m.room.power_levels event says. The error is a
// *PowerLevelsError if a level is not a number that the room version allows, or
// the event is of another type. The result is shared and must not be changed.
func (e *Event) PowerLevels() (*PowerLevels, error) {
	e.parse()
	return e.parsed.powerLevels, e.parsed.powerLevelsErr
}

// MemberContent is the content of m.room.member.
type MemberContent struct {
	Membership    string // "" if absent or not a string
	DisplayName   string
	AvatarURL     string
	Reason        string
	AuthorisedVia id.UserID // join_authorised_via_users_server
	// HasAuthorisedVia says that the member above is there, whatever it holds.
	HasAuthorisedVia bool
	ThirdPartyInvite json.RawMessage // nil if absent
}

func memberContent(members []cj.Member) MemberContent {
	return MemberContent{
		Membership:       text(members, "membership"),
		DisplayName:      text(members, "displayname"),
		AvatarURL:        text(members, "avatar_url"),
		Reason:           text(members, "reason"),
		AuthorisedVia:    id.UserID(text(members, "join_authorised_via_users_server")),
		HasAuthorisedVia: cj.Get(members, "join_authorised_via_users_server") != nil,
		ThirdPartyInvite: cj.Get(members, "third_party_invite"),
	}
}

// Member returns what an m.room.member event says; all of it is empty for other
// types.
func (e *Event) Member() *MemberContent {
	e.parse()
	return &e.parsed.member
}

// Membership returns content.membership of an m.room.member event, and "" if that
// is missing or the event is of another type.
func (e *Event) Membership() string { return e.Member().Membership }

// JoinRuleContent is the content of m.room.join_rules.
type JoinRuleContent struct {
	JoinRule string // "" if absent or not a string
	Allow    []AllowCondition
}

// AllowCondition is one way to be let into a restricted room.
type AllowCondition struct {
	Type   string // "m.room_membership"
	RoomID id.RoomID
}

func joinRuleContent(members []cj.Member) JoinRuleContent {
	c := JoinRuleContent{JoinRule: text(members, "join_rule")}
	elements, err := cj.Elements(cj.Get(members, "allow"))
	if err != nil {
		return c
	}
	for _, element := range elements {
		condition, err := cj.AppendMembers(nil, element)
		if err != nil {
			continue
		}
		c.Allow = append(c.Allow, AllowCondition{
			Type:   text(condition, "type"),
			RoomID: id.RoomID(text(condition, "room_id")),
		})
	}
	return c
}

// JoinRules returns what an m.room.join_rules event says; all of it is empty for
// other types.
func (e *Event) JoinRules() *JoinRuleContent {
	e.parse()
	return &e.parsed.joinRules
}

// JoinRule returns content.join_rule of an m.room.join_rules event: "public",
// "invite", "knock", "restricted", "knock_restricted", "private", or what else
// somebody wrote there.
func (e *Event) JoinRule() string { return e.JoinRules().JoinRule }

// HistoryVisibility returns content.history_visibility of an
// m.room.history_visibility event: "world_readable", "shared", "invited" or
// "joined". Anything else there means "shared".
func (e *Event) HistoryVisibility() string {
	e.parse()
	switch e.parsed.visibility {
	case "world_readable", "shared", "invited", "joined":
		return e.parsed.visibility
	}
	return "shared"
}

// CreateContent is what m.room.create says.
type CreateContent struct {
	// Creators are the room's creators, its first one first: content.creator up to
	// version 10, the sender in version 11, and in version 12 the sender and
	// content.additional_creators.
	Creators    []id.UserID
	RoomVersion string // "" if absent or not a string
	Federate    bool   // true unless content says false
	Type        string // "m.space", or "" for an ordinary room
	Predecessor Predecessor

	// CreatorsFault says why additional_creators is not acceptable; "" if it is.
	CreatorsFault string
	// HasCreator and HasRoomVersion say whether those members are there, whatever
	// they hold.
	HasCreator, HasRoomVersion bool
}

// Predecessor is the room that a room replaces; both fields are empty if there is
// none.
type Predecessor struct {
	RoomID  id.RoomID
	EventID id.EventID // its last event; absent since version 12
}

func (e *Event) createContent(members []cj.Member) CreateContent {
	c := CreateContent{
		RoomVersion:    text(members, "room_version"),
		Federate:       string(cj.Get(members, "m.federate")) != "false",
		Type:           text(members, "type"),
		HasCreator:     cj.Get(members, "creator") != nil,
		HasRoomVersion: cj.Get(members, "room_version") != nil,
	}
	if predecessor, err := cj.AppendMembers(nil, cj.Get(members, "predecessor")); err == nil {
		c.Predecessor.RoomID = id.RoomID(text(predecessor, "room_id"))
		c.Predecessor.EventID = id.EventID(text(predecessor, "event_id"))
	}
	if !e.Version.ImplicitCreator {
		c.Creators = []id.UserID{id.UserID(text(members, "creator"))}
		return c
	}
	c.Creators = []id.UserID{e.Sender}
	additional := cj.Get(members, "additional_creators")
	if additional == nil || !e.Version.PrivilegedCreators {
		return c
	}
	elements, err := cj.Elements(additional)
	if err != nil {
		c.CreatorsFault = "additional_creators must be a list of user IDs"
		return c
	}
	for _, element := range elements {
		name, _ := cj.Text(element)
		user, err := id.ParseUserID(name)
		if err != nil {
			c.CreatorsFault = "additional_creators must be a list of user IDs"
			return c
		}
		c.Creators = append(c.Creators, user)
	}
	return c
}

// Create returns what an m.room.create event says; all of it is empty for other
// types. The result is shared and must not be changed.
func (e *Event) Create() *CreateContent {
	e.parse()
	return &e.parsed.create
}
