package accountdata

import (
	"slices"
	"strings"

	"github.com/narthex-matrix/narthex/internal/id"
)

// Filter is a parsed filter for /sync. Its zero value lets everything through. It
// does not change after it was parsed. (Client-server API, Filtering.)
type Filter struct {
	AccountData EventFilter `json:"account_data"` // global
	Presence    EventFilter `json:"presence"`
	Room        RoomFilter  `json:"room"`
	// EventFields are the dot-separated paths of the fields to send; nil means all.
	EventFields []string `json:"event_fields"`
	// EventFormat is "client", "federation", or empty, which means "client".
	EventFormat string `json:"event_format"`
}

// RoomFilter is the part of a filter for rooms.
type RoomFilter struct {
	// Rooms nil means all rooms, and empty none.
	Rooms        []id.RoomID `json:"rooms"`
	NotRooms     []id.RoomID `json:"not_rooms"`
	IncludeLeave bool        `json:"include_leave"`
	AccountData  EventFilter `json:"account_data"`
	Ephemeral    EventFilter `json:"ephemeral"`
	State        EventFilter `json:"state"`
	Timeline     EventFilter `json:"timeline"`
}

// EventFilter selects events; its zero value lets everything through. Types,
// Senders and Rooms are nil where anything is wanted, and empty where nothing is;
// the Not lists win over them.
type EventFilter struct {
	// Limit is how many events are wanted, 0 or more; nil leaves it to the server.
	Limit      *int        `json:"limit"`
	Types      []string    `json:"types"` // "*" stands for any characters
	NotTypes   []string    `json:"not_types"`
	Senders    []id.UserID `json:"senders"`
	NotSenders []id.UserID `json:"not_senders"`
	Rooms      []id.RoomID `json:"rooms"`
	NotRooms   []id.RoomID `json:"not_rooms"`
	// ContainsURL wants events with, or without, a "url" in their content.
	ContainsURL *bool `json:"contains_url"`

	LazyLoadMembers           bool `json:"lazy_load_members"`
	IncludeRedundantMembers   bool `json:"include_redundant_members"`
	UnreadThreadNotifications bool `json:"unread_thread_notifications"`

	// RelatedByRelTypes and RelatedBySenders want events to which another one
	// relates, of one of these types and by one of these senders (MSC3440). Matches
	// does not look at them.
	RelatedByRelTypes []string    `json:"related_by_rel_types"`
	RelatedBySenders  []id.UserID `json:"related_by_senders"`
}

// MatchesRoom reports whether anything of the room is wanted.
func (f *RoomFilter) MatchesRoom(roomID id.RoomID) bool {
	return wanted(f.Rooms, f.NotRooms, roomID)
}

// MatchesRoom reports whether events of the room are wanted.
func (f *EventFilter) MatchesRoom(roomID id.RoomID) bool {
	return wanted(f.Rooms, f.NotRooms, roomID)
}

// Matches reports whether an event of the type and sender is wanted. hasURL says
// whether its content has a string "url".
func (f *EventFilter) Matches(eventType string, sender id.UserID, hasURL bool) bool {
	return f.MatchesType(eventType) &&
		wanted(f.Senders, f.NotSenders, sender) &&
		(f.ContainsURL == nil || *f.ContainsURL == hasURL)
}

// MatchesType is Matches for what has no sender, such as account data.
func (f *EventFilter) MatchesType(eventType string) bool {
	is := func(pattern string) bool { return matchType(pattern, eventType) }
	return !slices.ContainsFunc(f.NotTypes, is) && (f.Types == nil || slices.ContainsFunc(f.Types, is))
}

// LimitOr gives the limit: fallback if the filter has none, and at most largest.
func (f *EventFilter) LimitOr(fallback, largest int) int {
	if f.Limit == nil {
		return fallback
	}
	return min(*f.Limit, largest)
}

// wanted holds a value against a list of what is wanted and one of what is not.
func wanted[T comparable](in, not []T, value T) bool {
	return !slices.Contains(not, value) && (in == nil || slices.Contains(in, value))
}

// matchType matches a type with a pattern in which "*" stands for any characters:
// the pieces between the stars must follow each other, and taking each as early as
// possible leaves the most room for the rest.
func matchType(pattern, eventType string) bool {
	first, rest, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == eventType
	}
	text, ok := strings.CutPrefix(eventType, first)
	if !ok {
		return false
	}
	for {
		piece, next, more := strings.Cut(rest, "*")
		if !more {
			return strings.HasSuffix(text, piece)
		}
		_, after, found := strings.Cut(text, piece)
		if !found {
			return false
		}
		text, rest = after, next
	}
}
