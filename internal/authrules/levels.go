package authrules

import (
	"math"
	"slices"

	"github.com/narthex-matrix/narthex/internal/event"
	"github.com/narthex-matrix/narthex/internal/id"
)

// StateFunc returns the room's current state event of a type and state key, or nil
// if there is none.
type StateFunc func(eventType, stateKey string) *event.Event

// Level is a power level: an integer, or Infinite.
type Level int64

// Infinite is the level of the creators of version 12 rooms. It is above every
// level that an event can state.
const Infinite Level = math.MaxInt64

// Levels is what a room's state says about power. It is a view: cheap to make, and
// valid as long as the state is.
type Levels struct {
	content    *event.PowerLevels
	stated     bool // there is a power_levels event
	creators   []id.UserID
	privileged bool
}

// withoutEvent holds for rooms that have no power_levels event.
var withoutEvent = event.DefaultPowerLevels()

// NewLevels reads the power levels from a room's state. Without a power_levels
// event, or with one that cannot be read, the defaults of the specification hold:
// the creator has 100, others 0; ban, kick, redact and state_default are 50.
func NewLevels(state StateFunc) Levels {
	l := Levels{content: withoutEvent}
	if create := state(event.TypeCreate, ""); create != nil {
		l.creators = create.Create().Creators
		l.privileged = create.Version.PrivilegedCreators
	}
	if e := state(event.TypePowerLevels, ""); e != nil {
		if content, err := e.PowerLevels(); err == nil {
			l.content, l.stated = content, true
		}
	}
	return l
}

// UserLevel returns the level of a user.
func (l Levels) UserLevel(user id.UserID) Level {
	switch {
	case l.privileged && slices.Contains(l.creators, user):
		return Infinite
	case !l.stated && !l.privileged && slices.Contains(l.creators, user):
		return 100
	}
	return Level(l.content.User(user))
}

// EventLevel returns the level needed to send an event of a type. Memberships,
// which are not governed by it, have Invite, Kick and Ban.
func (l Levels) EventLevel(eventType string, isState bool) Level {
	return Level(l.content.Event(eventType, isState))
}

// Invite returns the level needed to invite.
func (l Levels) Invite() Level { return Level(l.content.Invite) }

// Kick returns the level needed to remove a user whose level is lower than one's own.
func (l Levels) Kick() Level { return Level(l.content.Kick) }

// Ban returns the level needed to ban a user whose level is lower than one's own.
func (l Levels) Ban() Level { return Level(l.content.Ban) }

// Redact returns the level needed to redact the events of others.
func (l Levels) Redact() Level { return Level(l.content.Redact) }

// Notification returns the level needed for a kind of notification, such as "room".
func (l Levels) Notification(kind string) Level { return Level(l.content.Notification(kind)) }

// IsCreator reports whether a user is one of the room's creators.
func (l Levels) IsCreator(user id.UserID) bool { return slices.Contains(l.creators, user) }

// UserLevel returns the level of a user in the room with that state.
func UserLevel(state StateFunc, user id.UserID) Level { return NewLevels(state).UserLevel(user) }

// Membership returns a user's membership in the room with that state; "leave" for
// one who has none.
func Membership(state StateFunc, user id.UserID) string {
	if e := state(event.TypeMember, string(user)); e != nil {
		return e.Membership()
	}
	return event.Leave
}
