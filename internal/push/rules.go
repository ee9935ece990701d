package push

import (
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/narthex-matrix/narthex/internal/id"
)

// Rules are somebody's push rules, compiled. They do not change, and may be used by
// many goroutines at once.
type Rules struct {
	rules []compiled
	// NeedDisplayName says that Evaluate looks at Room.DisplayName.
	NeedDisplayName bool
	// needLevels says that a rule of the user's own looks at Room.Levels. The default
	// ones do so only for events that mention the room.
	needLevels bool
}

// compiled is an enabled rule.
type compiled struct {
	conditions []condition
	verdict    Verdict
}

// Verdict is what push rules say of an event.
type Verdict struct {
	// Notify says that the event counts as unread and is pushed.
	Notify bool
	// Highlight says that it counts as a mention; it implies Notify here.
	Highlight bool
	// Actions are those of the rule that matched, as they go to a push gateway.
	Actions []jsontext.Value
}

// Evaluate gives the verdict of the most important rule that matches; without one,
// the zero Verdict. Events that the user sent are the caller's to leave out.
func (rs *Rules) Evaluate(v *View, room *Room) Verdict {
	for i := range rs.rules {
		if rs.rules[i].matches(v, room) {
			return rs.rules[i].verdict
		}
	}
	return Verdict{}
}

func (c *compiled) matches(v *View, room *Room) bool {
	for _, holds := range c.conditions {
		if !holds(v, room) {
			return false
		}
	}
	return true
}

// defaultRules serve everyone who has changed nothing.
var defaultRules = compile(defaults)

// compile compiles the rules that are enabled, in the order of importance.
func compile(full ruleset) *Rules {
	rs := &Rules{}
	for _, kind := range kinds {
		for _, r := range full[kind] {
			if r.Enabled {
				rs.rules = append(rs.rules, compiled{rs.conditions(kind, r), verdict(r.Actions)})
			}
		}
	}
	return rs
}

func (rs *Rules) conditions(kind Kind, r Rule) []condition {
	switch kind {
	case Content:
		return []condition{inBody(r.Pattern)}
	case InRoom:
		return []condition{func(v *View, _ *Room) bool { return v.ev.RoomID == id.RoomID(r.RuleID) }}
	case FromUser:
		return []condition{func(v *View, _ *Room) bool { return v.ev.Sender == id.UserID(r.RuleID) }}
	}
	var list []condition
	for _, raw := range r.Conditions {
		list = append(list, compileCondition(raw, r.Default))
		rs.NeedDisplayName = rs.NeedDisplayName || strings.Contains(string(raw), `"contains_display_name"`)
		rs.needLevels = rs.needLevels || !r.Default && strings.Contains(string(raw), `"sender_notification_permission"`)
	}
	return list
}

// tweak is an action that is an object.
type tweak struct {
	SetTweak string         `json:"set_tweak"`
	Value    jsontext.Value `json:"value"`
}

// verdict reads the actions. A highlight without a value is one.
func verdict(actions []jsontext.Value) Verdict {
	v := Verdict{Actions: actions, Notify: slices.ContainsFunc(actions, func(a jsontext.Value) bool { return string(a) == `"notify"` })}
	for _, a := range actions {
		var t tweak
		if a.Kind() == '{' && json.Unmarshal(a, &t) == nil && t.SetTweak == "highlight" {
			v.Highlight = v.Notify && (t.Value == nil || string(t.Value) == "true")
		}
	}
	return v
}
