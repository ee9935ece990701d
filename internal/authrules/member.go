package authrules

import (
	cj "github.com/narthex-matrix/narthex/internal/canonicaljson"
	"github.com/narthex-matrix/narthex/internal/event"
	"github.com/narthex-matrix/narthex/internal/id"
)

// member holds the rules for m.room.member.
func (c *check) member() *Rejection {
	content := c.Member()
	if c.StateKey == nil || content.Membership == "" {
		return reject(c.rule.member+".1", Content, "A membership needs a state key that names a user, and a membership.")
	}
	if c.Version.Restricted && content.HasAuthorisedVia {
		if r := c.authorisedVia(content.AuthorisedVia); r != nil {
			return r
		}
	}
	switch content.Membership {
	case event.Join:
		return c.join()
	case event.Invite:
		if content.ThirdPartyInvite != nil {
			return c.thirdPartyInvite()
		}
		return c.invite()
	case event.Leave:
		return c.leave()
	case event.Ban:
		return c.ban()
	case event.Knock:
		if c.Version.Knock {
			return c.knock()
		}
	}
	return reject(c.rule.unknown, Content, "This membership does not exist in the room's version.")
}

// authorisedVia requires that the event carries a signature of the server whose
// user let the target in. That it is valid is checked with the other signatures.
func (c *check) authorisedVia(name id.UserID) *Rejection {
	user, err := id.ParseUserID(string(name))
	if err == nil && signedBy(c.Raw, user.ServerName()) {
		return nil
	}
	return reject(c.rule.member+".2.1", Other, "The server that let the user in has not signed the join.")
}

func signedBy(raw []byte, server id.ServerName) bool {
	members, err := cj.AppendMembers(nil, raw)
	if err != nil {
		return false
	}
	servers, err := cj.AppendMembers(nil, cj.Get(members, "signatures"))
	if err != nil {
		return false
	}
	keys, err := cj.AppendMembers(nil, cj.Get(servers, string(server)))
	return err == nil && len(keys) > 0
}

func (c *check) join() *Rejection {
	first := len(c.Prev) == 1 && c.Prev[0] == c.create.ID
	if creators := c.create.Create().Creators; first && len(creators) > 0 && c.target() == creators[0] {
		return nil
	}
	if c.Sender != c.target() {
		return reject(c.rule.join+".2", Ownership, "You cannot join a room for somebody else.")
	}
	membership := Membership(c.state, c.Sender)
	if membership == event.Ban {
		return reject(c.rule.join+".3", TargetState, "You are banned from this room.")
	}
	known := membership == event.Join || membership == event.Invite
	rule, otherwise := joinRule(c.state), ".6"
	if c.Version.Restricted {
		otherwise = ".7"
	}
	switch {
	case rule == "public":
		return nil
	case rule == "invite", rule == "knock" && c.Version.Knock:
		if known {
			return nil
		}
		return reject(c.rule.join+otherwise, JoinRule, "You are not invited to this room.")
	case rule == "restricted" && c.Version.Restricted, rule == "knock_restricted" && c.Version.KnockRestricted:
		if known || c.mayLetIn(c.Member().AuthorisedVia) {
			return nil
		}
		return reject(c.rule.join+".5.2", JoinRule, "You are not invited to this room, and nobody in it has let you in.")
	}
	return reject(c.rule.join+otherwise, JoinRule, "The room's join rule lets nobody in.")
}

// joinRule returns the room's join rule; a room without one is for the invited.
func joinRule(state StateFunc) string {
	if e := state(event.TypeJoinRules, ""); e != nil {
		return e.JoinRule()
	}
	return "invite"
}

// mayLetIn reports whether a user can authorise joins of a restricted room.
func (c *check) mayLetIn(user id.UserID) bool {
	return user != "" && Membership(c.state, user) == event.Join && c.levels.UserLevel(user) >= c.levels.Invite()
}

func (c *check) invite() *Rejection {
	if Membership(c.state, c.Sender) != event.Join {
		return reject(c.rule.invite+".2", NotJoined, "You are not in this room.")
	}
	switch Membership(c.state, c.target()) {
	case event.Join:
		return reject(c.rule.invite+".3", TargetJoined, "This user is already in the room.")
	case event.Ban:
		return reject(c.rule.invite+".3", TargetState, "This user is banned from the room.")
	}
	if c.levels.UserLevel(c.Sender) < c.levels.Invite() {
		return reject(c.rule.invite+".5", Power, "You do not have the power level to invite.")
	}
	return nil
}

func (c *check) leave() *Rejection {
	if c.Sender == c.target() {
		switch membership := Membership(c.state, c.Sender); {
		case membership == event.Join, membership == event.Invite, membership == event.Knock && c.Version.Knock:
			return nil
		}
		return reject(c.rule.leave+".1", NotJoined, "You are not in this room.")
	}
	if Membership(c.state, c.Sender) != event.Join {
		return reject(c.rule.leave+".2", NotJoined, "You are not in this room.")
	}
	own := c.levels.UserLevel(c.Sender)
	if Membership(c.state, c.target()) == event.Ban && own < c.levels.Ban() {
		return reject(c.rule.leave+".3", Power, "You do not have the power level to lift a ban.")
	}
	if own < c.levels.Kick() {
		return reject(c.rule.leave+".5", Power, "You do not have the power level to remove users.")
	}
	if c.levels.UserLevel(c.target()) >= own {
		return reject(c.rule.leave+".5", Power, "You can only remove users whose power level is below yours.")
	}
	return nil
}

func (c *check) ban() *Rejection {
	if Membership(c.state, c.Sender) != event.Join {
		return reject(c.rule.ban+".1", NotJoined, "You are not in this room.")
	}
	own := c.levels.UserLevel(c.Sender)
	if own < c.levels.Ban() {
		return reject(c.rule.ban+".3", Power, "You do not have the power level to ban.")
	}
	if c.levels.UserLevel(c.target()) >= own {
		return reject(c.rule.ban+".3", Power, "You can only ban users whose power level is below yours.")
	}
	return nil
}

func (c *check) knock() *Rejection {
	if rule := joinRule(c.state); rule != "knock" && (rule != "knock_restricted" || !c.Version.KnockRestricted) {
		return reject(c.rule.knock+".1", JoinRule, "This room does not take knocks.")
	}
	if c.Sender != c.target() {
		return reject(c.rule.knock+".2", Ownership, "You cannot knock for somebody else.")
	}
	switch Membership(c.state, c.Sender) {
	case event.Join:
		return reject(c.rule.knock+".4", TargetJoined, "You are already in this room.")
	case event.Ban:
		return reject(c.rule.knock+".4", TargetState, "You are banned from this room.")
	case event.Invite:
		return reject(c.rule.knock+".4", TargetState, "You are already invited to this room.")
	}
	return nil
}
