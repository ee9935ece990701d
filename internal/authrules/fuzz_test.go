package authrules

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/narthex-matrix/narthex/internal/event"
	"github.com/narthex-matrix/narthex/internal/id"
)

// The levels and names from which contents of m.room.power_levels are made.
var (
	someLevels = []int64{-1, 0, 1, 10, 49, 50, 51, 99, 100, 101, 1<<53 - 1}
	someNames  = []string{
		"users_default", "events_default", "state_default", "ban", "redact", "kick", "invite",
		"users/@admin:s", "users/@mod:s", "users/@mod2:s", "users/@user:s", "users/@never:s", "users/@creator:s",
		"events/m.room.power_levels", "events/m.room.name", "notifications/room",
	}
)

// plainLevels are the levels of a content by their names: "ban", "users/@a:b".
type plainLevels map[string]int64

// someOf makes levels of bytes: one for each name, which says its level or that it
// is left out.
func someOf(choices []byte) plainLevels {
	levels := plainLevels{}
	for i, c := range choices {
		if i < len(someNames) && int(c)%(len(someLevels)+3) < len(someLevels) {
			levels[someNames[i]] = someLevels[int(c)%(len(someLevels)+3)]
		}
	}
	return levels
}

// content writes the levels as JSON.
func (p plainLevels) content(t *testing.T) string {
	out := map[string]any{}
	for name, level := range p {
		var group, key string
		if n, _ := fmt.Sscanf(name, "users/%s", &key); n == 1 {
			group = "users"
		} else if n, _ := fmt.Sscanf(name, "events/%s", &key); n == 1 {
			group = "events"
		} else if n, _ := fmt.Sscanf(name, "notifications/%s", &key); n == 1 {
			group = "notifications"
		} else {
			out[name] = level
			continue
		}
		if out[group] == nil {
			out[group] = map[string]int64{}
		}
		out[group].(map[string]int64)[key] = level
	}
	raw, err := json.Marshal(out)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// or gives the first of the levels that is stated, or else the default.
func (p plainLevels) or(otherwise int64, names ...string) int64 {
	for _, name := range names {
		if level, stated := p[name]; stated {
			return level
		}
	}
	return otherwise
}

// mayChange says by the letter of the rules since version 6 whether a user who is in
// the room may replace power levels by others.
func mayChange(v *event.Version, sender id.UserID, old, next plainLevels) bool {
	own := old.or(0, "users/"+string(sender), "users_default")
	if v.PrivilegedCreators && sender == creator {
		own = int64(Infinite)
	}
	if _, named := next["users/"+string(creator)]; named && v.PrivilegedCreators {
		return false
	}
	allowed := own >= old.or(50, "events/m.room.power_levels", "state_default")
	for _, name := range someNames {
		before, was := old[name]
		after, is := next[name]
		if was == is && before == after {
			continue
		}
		if was && before > own || is && after > own {
			allowed = false
		}
		// Of one's equals one can change oneself alone.
		if was && before == own && name[:2] == "us" && name[5] == '/' && name != "users/"+string(sender) {
			allowed = false
		}
	}
	return allowed
}

// roomsBefore makes a room of each version, and gives a function that gives a copy of
// one: to build its events anew would cost most of the time.
func roomsBefore(f *testing.F) func(t *testing.T, version string) *room {
	rooms := map[string]*room{}
	for _, v := range event.Versions() {
		rooms[v.ID] = newRoom(f, v.ID)
	}
	return func(t *testing.T, version string) *room {
		r := *rooms[version]
		r.t, r.events = t, maps.Clone(r.events)
		return &r
	}
}

// FuzzChangeOfPowerLevels: a change of power levels is allowed exactly if the letter
// of the rules allows it.
func FuzzChangeOfPowerLevels(f *testing.F) {
	f.Add(uint8(0), uint8(1), []byte{}, []byte{})
	f.Add(uint8(12), uint8(1), []byte{13, 13, 13, 13, 13, 13, 13, 8, 5, 5, 13}, []byte{13, 13, 13, 13, 13, 13, 13, 8, 8, 5, 13})
	f.Add(uint8(10), uint8(2), []byte{1, 1, 5, 6, 5, 5, 3, 8, 5, 5, 1, 13, 13, 5, 5, 5}, []byte{1, 1, 5, 5, 5, 5, 3, 8, 5, 13, 1, 13, 13, 5, 4, 5})
	f.Add(uint8(11), uint8(0), []byte{2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 0, 1, 2, 3, 4, 5}, []byte{2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 0, 1, 2, 3, 4, 6})
	senders := []id.UserID{creator, admin, mod, mod2, user}
	roomOf := roomsBefore(f)
	f.Fuzz(func(t *testing.T, version, who uint8, before, after []byte) {
		v, _ := event.VersionByID([]string{"6", "9", "10", "11", "12"}[int(version)%5])
		r, sender := roomOf(t, v.ID), senders[int(who)%len(senders)]
		old, next := someOf(before), someOf(after)
		if v.PrivilegedCreators {
			delete(old, "users/"+string(creator)) // no room can have come to this
		}
		r.set(creator, event.TypePowerLevels, "", old.content(t))
		got := Check(r.event(sender, event.TypePowerLevels, str(""), next.content(t)), r.state)
		if want := mayChange(v, sender, old, next); want != (got == nil) {
			t.Errorf("version %s, %s changes %s to %s: got %+v, want it allowed: %v", v.ID, sender, old.content(t), next.content(t), got, want)
		}
		if got != nil && (!ruleNumber.MatchString(got.Rule) || got.Reason == "") {
			t.Errorf("Check: got rule %q, reason %q", got.Rule, got.Reason)
		}
	})
}

// FuzzMembership: whatever the rules allow, nobody who is banned comes back but
// through a lifted ban, nobody acts on another from outside the room or upwards, and
// nobody comes in against the join rule.
func FuzzMembership(f *testing.F) {
	for i := range uint8(12) {
		f.Add(i, i, i+1, i, i, i, []byte{3, 5, 5})
		f.Add(i, uint8(4), uint8(6), i, i, i, []byte{1, 1, 1})
	}
	roomOf := roomsBefore(f)
	users := []id.UserID{creator, admin, mod, mod2, user, other, banned, invited, knocked, gone, never}
	memberships := []string{event.Join, event.Invite, event.Leave, event.Ban, event.Knock, "", "x"}
	joinRules := []string{"public", "invite", "knock", "restricted", "knock_restricted", "private", ""}
	f.Fuzz(func(t *testing.T, version, from, to, what, rule, via uint8, levels []byte) {
		v, _ := event.VersionByID(fmt.Sprint(1 + version%12))
		r := roomOf(t, v.ID)
		stated := plainLevels{"users/@admin:s": 100, "users/@mod:s": 50, "users/@mod2:s": 50}
		for i, name := range []string{"invite", "kick", "ban"} {
			if i < len(levels) {
				stated[name] = someLevels[int(levels[i])%len(someLevels)]
			}
		}
		r.set(creator, event.TypePowerLevels, "", stated.content(t))
		joinRule := joinRules[int(rule)%len(joinRules)]
		r.set(creator, event.TypeJoinRules, "", `{"join_rule":"`+joinRule+`"}`)
		sender, target, next := users[int(from)%len(users)], users[int(to)%len(users)], memberships[int(what)%len(memberships)]
		content := `{"membership":"` + next + `"`
		authorised := int(via) < len(users)
		if authorised {
			content += `,"join_authorised_via_users_server":"` + string(users[via]) + `"`
		}
		got := Check(r.event(sender, event.TypeMember, str(string(target)), content+`}`), r.state)
		if got != nil {
			if !ruleNumber.MatchString(got.Rule) || got.Reason == "" {
				t.Errorf("Check: got rule %q, reason %q", got.Rule, got.Reason)
			}
			return
		}
		last := Membership(r.state, target)
		power := func(u id.UserID) int64 {
			if v.PrivilegedCreators && u == creator {
				return int64(Infinite)
			}
			return stated["users/"+string(u)]
		}
		for fault, is := range map[string]bool{
			"the banned comes back":        last == event.Ban && next != event.Ban && next != event.Leave,
			"from outside on another":      sender != target && Membership(r.state, sender) != event.Join,
			"joins or knocks for another":  sender != target && (next == event.Join || next == event.Knock),
			"bans upwards":                 next == event.Ban && (power(sender) <= power(target) || power(sender) < stated.or(50, "ban")),
			"removes upwards":              next == event.Leave && sender != target && (power(sender) <= power(target) || power(sender) < stated.or(50, "kick")),
			"lifts a ban without power":    next == event.Leave && last == event.Ban && power(sender) < stated.or(50, "ban"),
			"leaves without being there":   next == event.Leave && sender == target && !slices.Contains([]string{event.Join, event.Invite, event.Knock}, last),
			"invites who is there":         next == event.Invite && last == event.Join,
			"invites without power":        next == event.Invite && power(sender) < stated.or(0, "invite"),
			"comes in uninvited":           next == event.Join && !slices.Contains([]string{event.Join, event.Invite}, last) && joinRule != "public" && !authorised,
			"comes in through nobody":      next == event.Join && authorised && joinRule != "public" && last != event.Join && last != event.Invite && Membership(r.state, users[via%11]) != event.Join,
			"comes in where nobody may":    next == event.Join && !slices.Contains([]string{event.Join}, last) && joinRule == "private",
			"knocks where it is not heard": next == event.Knock && (!v.Knock || joinRule != "knock" && (joinRule != "knock_restricted" || !v.KnockRestricted)),
			"no membership":                next == "" || next == "x",
		} {
			if is {
				t.Errorf("version %s, join rule %q, levels %v: %s makes %s from %q to %q: %s", v.ID, joinRule, stated, sender, target, last, next, fault)
			}
		}
	})
}
