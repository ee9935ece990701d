package push

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/narthex-matrix/narthex/internal/authrules"
	cj "github.com/narthex-matrix/narthex/internal/canonicaljson"
	"github.com/narthex-matrix/narthex/internal/id"
)

// Room is what push rules ask of the room in which an event was sent, and of the
// user whose rules they are.
type Room struct {
	UserID      id.UserID
	DisplayName string // of the user, in the room; asked for if [Rules.NeedDisplayName]
	Members     int64  // joined
	// Levels is the power in the room; without it nobody may notify everyone.
	Levels *authrules.Levels
}

// condition is a compiled condition.
type condition func(*View, *Room) bool

// wireCondition has the parameters of every kind of condition.
type wireCondition struct {
	Kind    string         `json:"kind"`
	Key     *string        `json:"key"`
	Pattern *string        `json:"pattern"`
	Is      string         `json:"is"`
	Value   jsontext.Value `json:"value"`
}

// never is a condition that the server does not know, or that lacks a parameter:
// its rule matches nothing.
func never(*View, *Room) bool { return false }

// compileCondition compiles a condition (client-server API, Push Rules:
// Conditions). In a default rule userMark stands for the user.
func compileCondition(raw jsontext.Value, isDefault bool) condition {
	var c wireCondition
	if json.Unmarshal(raw, &c) != nil {
		return never
	}
	switch c.Kind {
	case "event_match":
		if c.Key != nil && c.Pattern != nil {
			return eventMatch(*c.Key, *c.Pattern, isDefault)
		}
	case "event_property_is", "event_property_contains":
		if c.Key != nil && scalar(c.Value) {
			return eventProperty(*c.Key, c.Value, c.Kind == "event_property_contains", isDefault)
		}
	case "contains_display_name":
		return containsDisplayName
	case "room_member_count":
		return memberCount(c.Is)
	case "sender_notification_permission":
		if c.Key != nil {
			return mayNotify(*c.Key)
		}
	}
	return never
}

func eventMatch(key, pattern string, isDefault bool) condition {
	path := splitPath(key)
	if key == "content.body" {
		return inBody(pattern)
	}
	if isDefault && pattern == userMark {
		return func(v *View, r *Room) bool {
			text, ok := v.text(path)
			return ok && text == string(r.UserID)
		}
	}
	if !strings.ContainsAny(pattern, "*?") {
		return func(v *View, _ *Room) bool {
			text, ok := v.text(path)
			return ok && strings.EqualFold(text, pattern)
		}
	}
	g := newGlob(pattern)
	return func(v *View, _ *Room) bool {
		text, ok := v.text(path)
		return ok && g.matches(strings.ToLower(text))
	}
}

// inBody looks for whole words in content.body.
func inBody(pattern string) condition {
	g := newGlob(pattern)
	return func(v *View, _ *Room) bool {
		text, ok := v.body()
		return ok && g.matchesWords(text)
	}
}

// containsDisplayName looks for the user's own name, in which stars and question
// marks stand for themselves.
func containsDisplayName(v *View, r *Room) bool {
	name := strings.ToLower(r.DisplayName)
	text, _ := v.body()
	return strings.TrimSpace(name) != "" && piece{[]string{name}}.word(text, 0, true)
}

// scalar reports whether a value is one that can be compared: a string, an
// integer, a boolean or null.
func scalar(value []byte) bool {
	switch {
	case len(value) == 0:
		return false
	case value[0] == '"', value[0] == 't', value[0] == 'f', value[0] == 'n':
		return true
	}
	n, ok := cj.Integer(value)
	return ok && n >= -maxInteger && n <= maxInteger
}

const maxInteger = 1<<53 - 1

// eventProperty compares exactly, as canonical JSON.
func eventProperty(key string, value []byte, contains, isDefault bool) condition {
	path := splitPath(key)
	want, err := cj.Canonical(value)
	if err != nil {
		return never
	}
	isUser := isDefault && bytes.Equal(want, quote(userMark))
	return func(v *View, r *Room) bool {
		got := v.value(path)
		if got == nil {
			return false
		}
		wanted := want
		if isUser {
			wanted = quote(string(r.UserID))
		}
		if !contains {
			return bytes.Equal(got, wanted)
		}
		elements, err := cj.Elements(got)
		return err == nil && slices.ContainsFunc(elements, func(e []byte) bool { return bytes.Equal(e, wanted) })
	}
}

// memberCount compares the number of joined members: a decimal integer after ==,
// <, >, >=, <= or nothing, which means ==.
func memberCount(is string) condition {
	digits := strings.TrimLeft(is, "<>=")
	operator := is[:len(is)-len(digits)]
	n, err := strconv.ParseUint(digits, 10, 32)
	if err != nil {
		return never
	}
	compare := map[string]func(members, n int64) bool{
		"":   func(m, n int64) bool { return m == n },
		"==": func(m, n int64) bool { return m == n },
		"<":  func(m, n int64) bool { return m < n },
		">":  func(m, n int64) bool { return m > n },
		"<=": func(m, n int64) bool { return m <= n },
		">=": func(m, n int64) bool { return m >= n },
	}[operator]
	if compare == nil {
		return never
	}
	return func(_ *View, r *Room) bool { return compare(r.Members, int64(n)) }
}

// mayNotify asks whether the sender's power suffices for a kind of notification.
func mayNotify(key string) condition {
	return func(v *View, r *Room) bool {
		return r.Levels != nil && r.Levels.UserLevel(v.ev.Sender) >= r.Levels.Notification(key)
	}
}
