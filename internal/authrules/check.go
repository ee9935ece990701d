package authrules

import (
	"strings"

	"github.com/narthex-matrix/narthex/internal/event"
	"github.com/narthex-matrix/narthex/internal/id"
)

// check is one application of the rules.
type check struct {
	*event.Event
	state  StateFunc
	create *event.Event
	levels Levels
	rule   *numbers
}

// Check applies the authorization rules of the event's room version to the event
// and the state before it. It returns nil if the event is allowed. The rules about
// the list of auth events are left to CheckAuthEvents, and of those about
// signatures only the presence of the authorising server's is checked.
func Check(ev *event.Event, state StateFunc) *Rejection {
	if ev.Type == event.TypeCreate {
		return checkCreate(ev)
	}
	c := check{Event: ev, state: state, create: state(event.TypeCreate, ""), rule: numbersOf(ev.Version)}
	if c.create == nil {
		return reject(c.rule.noCreate, Other, "The room has no create event.")
	}
	if c.create.RoomID != ev.RoomID {
		rule := c.rule.otherRoom
		if ev.Version.RoomIDIsCreateEvent {
			rule = c.rule.noCreate
		}
		return reject(rule, Other, "The event belongs to another room.")
	}
	if !c.create.Create().Federate && ev.Sender.ServerName() != c.create.Sender.ServerName() {
		return reject(c.rule.federate, Other, "The room does not admit users of other servers.")
	}
	if ev.Version.AliasesRule && ev.Type == event.TypeAliases {
		return c.aliases()
	}
	c.levels = NewLevels(state)
	if ev.Type == event.TypeMember {
		return c.member()
	}
	return c.ordinary()
}

func reject(rule string, kind Kind, reason string) *Rejection {
	return &Rejection{Rule: rule, Kind: kind, Reason: reason}
}

// checkCreate is rule 1.
func checkCreate(ev *event.Event) *Rejection {
	content := ev.Create()
	if len(ev.Prev) > 0 {
		return reject("1.1", Other, "A room has only one create event, which is its first.")
	}
	if ev.Version.RoomIDIsCreateEvent {
		if len(ev.ID) < 2 || string(ev.RoomID) != "!"+string(ev.ID[1:]) {
			return reject("1.2", Other, "The create event must not have a room ID, which follows from the event.")
		}
	} else if ev.RoomID.ServerName() != ev.Sender.ServerName() {
		return reject("1.2", Other, "The room ID must name the server of the room's creator.")
	}
	if _, known := event.VersionByID(content.RoomVersion); content.HasRoomVersion && !known {
		return reject("1.3", Content, "The room version is not known.")
	}
	if !ev.Version.ImplicitCreator && !content.HasCreator {
		return reject("1.4", Content, "The create event must name the room's creator.")
	}
	if content.CreatorsFault != "" {
		return reject("1.4", Content, "The create event cannot be used: "+content.CreatorsFault+".")
	}
	return nil
}

// aliases is the rule for m.room.aliases, up to version 5.
func (c *check) aliases() *Rejection {
	if c.StateKey == nil {
		return reject(c.rule.aliases+".1", Content, "Aliases need a state key that names a server.")
	}
	if *c.StateKey != string(c.Sender.ServerName()) {
		return reject(c.rule.aliases+".2", Ownership, "You can only change the aliases of your own server.")
	}
	return nil
}

// ordinary holds the rules after those for memberships.
func (c *check) ordinary() *Rejection {
	if Membership(c.state, c.Sender) != event.Join {
		return reject(c.rule.notJoined, NotJoined, "You are not in this room.")
	}
	own := c.levels.UserLevel(c.Sender)
	if c.Type == event.TypeThirdPartyInvite {
		if own < c.levels.Invite() {
			return reject(c.rule.thirdParty+".1", Power, "You do not have the power level to invite.")
		}
		return nil
	}
	if own < c.levels.EventLevel(c.Type, c.StateKey != nil) {
		return reject(c.rule.level, Power, "You do not have the power level to send this kind of event.")
	}
	if c.StateKey != nil && strings.HasPrefix(*c.StateKey, "@") && *c.StateKey != string(c.Sender) {
		return reject(c.rule.stateKey, Ownership, "This state belongs to another user, who alone can change it.")
	}
	switch {
	case c.Type == event.TypePowerLevels:
		return c.powerLevels(own)
	case c.Type == event.TypeRedaction && c.Version.RedactionRule:
		return c.redaction(own)
	}
	return nil
}

// redaction is the rule of versions 1 and 2.
func (c *check) redaction(own Level) *Rejection {
	if own >= c.levels.Redact() || c.Redacts != "" && c.Redacts.ServerName() == c.ID.ServerName() {
		return nil
	}
	return reject(c.rule.redaction+".3", Power, "You do not have the power level to redact events of other servers.")
}

// target is the user whose membership the event changes.
func (c *check) target() id.UserID { return id.UserID(*c.StateKey) }
