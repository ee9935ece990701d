package event

import (
	"math"
	"strconv"
	"strings"

	cj "github.com/narthex-matrix/narthex/internal/canonicaljson"
	"github.com/narthex-matrix/narthex/internal/id"
)

// PowerLevels is the content of m.room.power_levels, with the defaults of the
// specification for what it leaves out.
type PowerLevels struct {
	Ban, Kick, Redact, Invite                 int64
	StateDefault, EventsDefault, UsersDefault int64

	Users         map[id.UserID]int64
	Events        map[string]int64 // by event type
	Notifications map[string]int64

	present [len(LevelNames)]bool
}

// LevelNames are the names of the single levels in the content of
// m.room.power_levels.
var LevelNames = [...]string{"users_default", "events_default", "state_default", "ban", "redact", "kick", "invite"}

// DefaultPowerLevels returns the levels of a room's power_levels event that says
// nothing: everything is 0 but ban, kick, redact and state_default, which are 50.
func DefaultPowerLevels() *PowerLevels {
	return &PowerLevels{Ban: 50, Kick: 50, Redact: 50, StateDefault: 50}
}

// User returns the level of a user.
func (p *PowerLevels) User(user id.UserID) int64 {
	if level, ok := p.Users[user]; ok {
		return level
	}
	return p.UsersDefault
}

// Event returns the level needed to send an event of a type.
func (p *PowerLevels) Event(eventType string, isState bool) int64 {
	if level, ok := p.Events[eventType]; ok {
		return level
	}
	if isState {
		return p.StateDefault
	}
	return p.EventsDefault
}

// Notification returns the level needed for a kind of notification, of which only
// "room" is specified; the default is 50.
func (p *PowerLevels) Notification(kind string) int64 {
	if level, ok := p.Notifications[kind]; ok {
		return level
	}
	return 50
}

// Named returns the level with a name of LevelNames, and whether the content
// states it. The name must be one of those.
func (p *PowerLevels) Named(name string) (level int64, stated bool) {
	for i, known := range LevelNames {
		if known == name {
			return *p.field(i), p.present[i]
		}
	}
	return 0, false
}

// field returns the place of the level with that index in LevelNames.
func (p *PowerLevels) field(i int) *int64 {
	return [...]*int64{&p.UsersDefault, &p.EventsDefault, &p.StateDefault, &p.Ban, &p.Redact, &p.Kick, &p.Invite}[i]
}

// PowerLevelsError says why the content of m.room.power_levels is not acceptable.
type PowerLevelsError struct {
	Property string // the member of content at fault: "ban", "users"; or ""
	Reason   string
}

// Error returns a sentence.
func (e *PowerLevelsError) Error() string {
	return "The power levels cannot be used: " + e.Reason + "."
}

// parsePowerLevels reads canonical members. Up to room version 9 a level may be a
// string, and up to version 5 a fraction.
func parsePowerLevels(v *Version, members []cj.Member) (*PowerLevels, error) {
	p := DefaultPowerLevels()
	for i, name := range LevelNames {
		value := cj.Get(members, name)
		if value == nil {
			continue
		}
		level, ok := parseLevel(v, value)
		if !ok {
			return nil, &PowerLevelsError{name, name + " must be " + v.levelForm()}
		}
		*p.field(i), p.present[i] = level, true
	}
	var err error
	if p.Events, err = levelMap[string](v, members, "events"); err != nil {
		return nil, err
	}
	if p.Notifications, err = levelMap[string](v, members, "notifications"); err != nil {
		return nil, err
	}
	if p.Users, err = levelMap[id.UserID](v, members, "users"); err != nil {
		return nil, err
	}
	for user := range p.Users {
		if _, err := id.ParseUserID(string(user)); err != nil {
			return nil, &PowerLevelsError{"users", "a key of users is not a user ID"}
		}
	}
	return p, nil
}

// levelMap reads a member of content that maps names to levels; absent is empty.
func levelMap[K ~string](v *Version, members []cj.Member, name string) (map[K]int64, error) {
	value := cj.Get(members, name)
	if value == nil {
		return nil, nil
	}
	entries, err := cj.AppendMembers(nil, value)
	if err != nil {
		return nil, &PowerLevelsError{name, name + " must be an object"}
	}
	levels := make(map[K]int64, len(entries))
	for _, entry := range entries {
		level, ok := parseLevel(v, entry.Value)
		if !ok {
			return nil, &PowerLevelsError{name, "each value in " + name + " must be " + v.levelForm()}
		}
		levels[K(entry.Key)] = level
	}
	return levels, nil
}

func (v *Version) levelForm() string {
	if v.IntegerPowerLevels {
		return "an integer"
	}
	return "an integer or a string that is one"
}

func parseLevel(v *Version, value []byte) (int64, bool) {
	if level, ok := cj.Integer(value); ok {
		return level, true
	}
	if v.IntegerPowerLevels {
		return 0, false
	}
	if text, ok := cj.Text(value); ok {
		level, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
		return level, err == nil
	}
	if v.StrictJSON || value[0] != '-' && (value[0] < '0' || value[0] > '9') {
		return 0, false
	}
	number, err := strconv.ParseFloat(string(value), 64)
	if err != nil || math.Abs(number) >= 1<<63 {
		return 0, false
	}
	return int64(number), true
}
