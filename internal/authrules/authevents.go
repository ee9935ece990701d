package authrules

import (
	"slices"

	cj "github.com/narthex-matrix/narthex/internal/canonicaljson"
	"github.com/narthex-matrix/narthex/internal/event"
)

// Key names a piece of room state.
type Key struct {
	Type     string
	StateKey string
}

// AuthEventKeys returns the state whose events, as far as they exist, a new event
// must list as its auth events. Of the draft it reads type, state key, sender and
// content. The create event itself has none; in version 12 no event lists it.
//
// Specification: server-server API, "Auth events selection".
func AuthEventKeys(v *event.Version, d event.Draft) []Key {
	if d.Type == event.TypeCreate {
		return nil
	}
	keys := make([]Key, 0, 6)
	if !v.RoomIDIsCreateEvent {
		keys = append(keys, Key{event.TypeCreate, ""})
	}
	keys = append(keys, Key{event.TypePowerLevels, ""}, Key{event.TypeMember, string(d.Sender)})
	if d.Type != event.TypeMember || d.StateKey == nil {
		return keys
	}
	if *d.StateKey != string(d.Sender) {
		keys = append(keys, Key{event.TypeMember, *d.StateKey})
	}
	members, err := cj.AppendMembers(nil, d.Content)
	if err != nil {
		return keys
	}
	membership, _ := cj.Text(cj.Get(members, "membership"))
	if membership == event.Join || membership == event.Invite || membership == event.Knock {
		keys = append(keys, Key{event.TypeJoinRules, ""})
	}
	if membership == event.Invite {
		if _, _, token := signedPart(cj.Get(members, "third_party_invite")); token != "" {
			keys = append(keys, Key{event.TypeThirdPartyInvite, token})
		}
	}
	if membership == event.Join && v.Restricted {
		via, _ := cj.Text(cj.Get(members, "join_authorised_via_users_server"))
		if key := (Key{event.TypeMember, via}); via != "" && !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	return keys
}

// CheckAuthEvents applies the rules about an event's list of auth events, given
// those events: no duplicates, none but those that AuthEventKeys selects, none of
// another room, and up to version 11 the create event among them. Whether they were
// rejected themselves is for the caller to know.
func CheckAuthEvents(ev *event.Event, auth []*event.Event) *Rejection {
	if ev.Type == event.TypeCreate {
		return nil
	}
	rule := numbersOf(ev.Version)
	wanted := AuthEventKeys(ev.Version, event.Draft{
		Type: ev.Type, StateKey: ev.StateKey, Sender: ev.Sender, Content: ev.Content,
	})
	seen := make(map[Key]bool, len(auth))
	for _, a := range auth {
		if a.StateKey == nil {
			return reject(rule.authEvents+".2", Other, "The event cites an event that is not state.")
		}
		key := Key{a.Type, *a.StateKey}
		if seen[key] {
			return reject(rule.authEvents+".1", Other, "The event cites two events for the same state.")
		}
		seen[key] = true
		if !slices.Contains(wanted, key) {
			return reject(rule.authEvents+".2", Other, "The event cites state that does not bear on it.")
		}
	}
	if !ev.Version.RoomIDIsCreateEvent && !seen[Key{event.TypeCreate, ""}] {
		return reject(rule.noCreate, Other, "The event does not cite the room's create event.")
	}
	for _, a := range auth {
		if a.RoomID != ev.RoomID {
			return reject(rule.otherRoom, Other, "The event cites an event of another room.")
		}
	}
	return nil
}
