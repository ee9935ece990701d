package authrules

import (
	"errors"

	"github.com/narthex-matrix/narthex/internal/event"
	"github.com/narthex-matrix/narthex/internal/id"
)

// withChanges fills the numbers of the rules that compare old and new levels.
func (n numbers) withChanges(named, eventsOld, eventsNew, usersOld, usersNew string) numbers {
	n.named, n.eventsOld, n.eventsNew, n.usersOld, n.usersNew = named, eventsOld, eventsNew, usersOld, usersNew
	return n
}

// powerLevels holds the rules for m.room.power_levels. All levels that change must
// not be above the sender's own, neither before nor after.
func (c *check) powerLevels(own Level) *Rejection {
	next, err := c.PowerLevels()
	if err != nil {
		return c.badLevels(err)
	}
	if c.Version.PrivilegedCreators {
		for _, creator := range c.create.Create().Creators {
			if _, named := next.Users[creator]; named {
				return reject(c.rule.levels+".4", Content, "The room's creators stand above all power levels and cannot be given one.")
			}
		}
	}
	if !c.levels.stated {
		return nil
	}
	last := c.levels.content
	if r := c.namedLevels(own, last, next); r != nil {
		return r
	}
	const eventReason = "You cannot change the power level that an event needs from or to one above your own."
	if r := c.entries(last.Events, next.Events, own, eventReason); r != nil {
		return r
	}
	if c.Version.NotificationLevels {
		const reason = "You cannot change the power level that a notification needs from or to one above your own."
		if r := c.entries(last.Notifications, next.Notifications, own, reason); r != nil {
			return r
		}
	}
	return c.users(last.Users, next.Users, own)
}

// badLevels turns the error about a malformed content into the rule it breaks.
func (c *check) badLevels(err error) *Rejection {
	rule := c.rule.scalars
	var fault *event.PowerLevelsError
	if errors.As(err, &fault) {
		switch fault.Property {
		case "users":
			rule = c.rule.users
		case "events", "notifications":
			rule = c.rule.maps
		}
	}
	return reject(rule, Content, err.Error())
}

func (c *check) namedLevels(own Level, last, next *event.PowerLevels) *Rejection {
	for _, name := range event.LevelNames {
		before, stated := last.Named(name)
		after, stays := next.Named(name)
		if stated == stays && before == after {
			continue
		}
		if stated && Level(before) > own {
			return reject(c.rule.named+".1", Power, "You cannot change "+name+", which is above your own power level.")
		}
		if stays && Level(after) > own {
			return reject(c.rule.named+".2", Power, "You cannot set "+name+" above your own power level.")
		}
	}
	return nil
}

// entries compares the levels of events or notifications.
func (c *check) entries(last, next map[string]int64, own Level, reason string) *Rejection {
	for name, before := range last {
		if after, stays := next[name]; (!stays || after != before) && Level(before) > own {
			return reject(c.rule.eventsOld, Power, reason)
		}
	}
	for name, after := range next {
		if before, was := last[name]; (!was || after != before) && Level(after) > own {
			return reject(c.rule.eventsNew, Power, reason)
		}
	}
	return nil
}

// users compares the levels of users. One cannot change a user whose level equals
// one's own, except oneself.
func (c *check) users(last, next map[id.UserID]int64, own Level) *Rejection {
	for user, before := range last {
		if after, stays := next[user]; (!stays || after != before) && user != c.Sender && Level(before) >= own {
			return reject(c.rule.usersOld, Power, "You can only change the power level of users who are below yours.")
		}
	}
	for user, after := range next {
		if before, was := last[user]; (!was || after != before) && Level(after) > own {
			return reject(c.rule.usersNew, Power, "You cannot give a user a power level above your own.")
		}
	}
	return nil
}
