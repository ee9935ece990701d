package event

import (
	"encoding/json"
	"sync"

	"github.com/narthex-matrix/narthex/internal/id"
)

// Event is one event of a room. It is made by Build, Parse or Load, does not
// change afterwards, must not be copied, and may be shared between goroutines.
// Callers must not write to its slices.
type Event struct {
	ID             id.EventID
	RoomID         id.RoomID // for a create event of version 12: "!" and the hash in its ID
	Type           string
	StateKey       *string // nil for an event that is not state
	Sender         id.UserID
	OriginServerTS int64 // milliseconds since 1970, as the sender's server claims
	Depth          int64
	Prev           []id.EventID
	Auth           []id.EventID
	Redacts        id.EventID // of m.room.redaction: what it redacts, wherever the version keeps that
	Content        json.RawMessage
	Unsigned       json.RawMessage // as received by Parse; nil from Build and Load
	Raw            []byte          // the canonical, signed form without "unsigned"
	Version        *Version

	once   sync.Once
	parsed parsed // read it through the accessors of content.go only
}

// The event types that the room model itself understands.
const (
	TypeCreate            = "m.room.create"
	TypeMember            = "m.room.member"
	TypePowerLevels       = "m.room.power_levels"
	TypeJoinRules         = "m.room.join_rules"
	TypeThirdPartyInvite  = "m.room.third_party_invite"
	TypeAliases           = "m.room.aliases"
	TypeHistoryVisibility = "m.room.history_visibility"
	TypeRedaction         = "m.room.redaction"
)

// The values of "membership" in m.room.member.
const (
	Join   = "join"
	Invite = "invite"
	Leave  = "leave"
	Ban    = "ban"
	Knock  = "knock"
)

// IsState reports whether the event is state of that type, with any state key.
func (e *Event) IsState(eventType string) bool {
	return e.StateKey != nil && e.Type == eventType
}

// StateKeyIs reports whether the event is state with that key.
func (e *Event) StateKeyIs(key string) bool {
	return e.StateKey != nil && *e.StateKey == key
}
