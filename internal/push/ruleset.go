package push

import (
	"bytes"
	_ "embed" // for defaults.json
	"errors"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/narthex-matrix/narthex/internal/id"
)

// Kind is a kind of push rules.
type Kind string

// The kinds, in the order in which they are tried.
const (
	Override  Kind = "override"
	Content   Kind = "content"
	InRoom    Kind = "room"
	FromUser  Kind = "sender"
	Underride Kind = "underride"
)

var kinds = []Kind{Override, Content, InRoom, FromUser, Underride}

// UnmarshalText refuses what is no kind.
func (k *Kind) UnmarshalText(text []byte) error {
	if !slices.Contains(kinds, Kind(text)) {
		return errors.New("it must be override, content, room, sender or underride")
	}
	*k = Kind(text)
	return nil
}

// Rule is one push rule, as it is on the wire.
type Rule struct {
	RuleID  string `json:"rule_id"`
	Default bool   `json:"default"`
	Enabled bool   `json:"enabled"`
	// Conditions are there for override and underride rules only.
	Conditions []jsontext.Value `json:"conditions,omitzero"`
	// Pattern is there for content rules only.
	Pattern string           `json:"pattern,omitzero"`
	Actions []jsontext.Value `json:"actions"`
}

// ruleset holds the rules of each kind, the most important first.
type ruleset map[Kind][]Rule

// MarshalJSON writes every kind, in the order in which they are tried.
func (rs ruleset) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Override  []Rule `json:"override"`
		Content   []Rule `json:"content"`
		Room      []Rule `json:"room"`
		Sender    []Rule `json:"sender"`
		Underride []Rule `json:"underride"`
	}{rs[Override], rs[Content], rs[InRoom], rs[FromUser], rs[Underride]})
}

func (rs ruleset) find(kind Kind, ruleID string) (Rule, bool) {
	i := slices.IndexFunc(rs[kind], func(r Rule) bool { return r.RuleID == ruleID })
	if i < 0 {
		return Rule{}, false
	}
	return rs[kind][i], true
}

// userMark stands for the user's ID in the default rules.
const userMark = "$user"

//go:embed defaults.json
var defaultsJSON []byte

// defaults are the rules that the server defines (client-server API, Predefined
// Rules), with userMark for the user.
var defaults = func() (rs ruleset) {
	_ = json.Unmarshal(compact(defaultsJSON), &rs) // a test holds that it can be read
	return rs
}()

// changes are what a user has made of the default rules: the differences, as they
// are stored.
type changes struct {
	// Own are the user's own rules.
	Own ruleset `json:"own"`
	// Defaults are the changed default rules, by rule ID.
	Defaults map[string]change `json:"defaults"`
}

// change is what a user changed of one default rule.
type change struct {
	Enabled *bool            `json:"enabled,omitzero"`
	Actions []jsontext.Value `json:"actions,omitzero"` // nil: as they are
}

// full gives every rule. The user's own come before the default ones, but for the
// master rule, which always comes first.
func (c *changes) full() ruleset {
	full := ruleset{}
	for _, kind := range kinds {
		list := defaults[kind]
		if kind == Override {
			full[kind], list = append(full[kind], c.changed(list[0])), list[1:]
		}
		full[kind] = append(full[kind], c.Own[kind]...)
		for _, r := range list {
			full[kind] = append(full[kind], c.changed(r))
		}
	}
	return full
}

// changed gives a default rule as the user has it.
func (c *changes) changed(r Rule) Rule {
	change := c.Defaults[r.RuleID]
	if change.Enabled != nil {
		r.Enabled = *change.Enabled
	}
	if change.Actions != nil {
		r.Actions = change.Actions
	}
	return r
}

// named gives every rule with the user's ID in its place, as clients read them.
func (c *changes) named(userID id.UserID) ruleset {
	full := c.full()
	mark, name := []byte(strconv.Quote(userMark)), quote(string(userID))
	for _, list := range full {
		for i := range list {
			if !list[i].Default {
				continue
			}
			list[i].Conditions = slices.Clone(list[i].Conditions)
			for j, condition := range list[i].Conditions {
				list[i].Conditions[j] = bytes.ReplaceAll(condition, mark, name)
			}
		}
	}
	return full
}

// put adds a rule of the user's own, or replaces it. Without an anchor, a new rule
// becomes the most important one, and an old one stays where it is. It reports
// whether the anchor exists.
func (c *changes) put(kind Kind, r Rule, before, after string) bool {
	list := slices.Clone(c.Own[kind])
	old := slices.IndexFunc(list, func(o Rule) bool { return o.RuleID == r.RuleID })
	r.Enabled = old < 0 || list[old].Enabled
	at := max(old, 0)
	if old >= 0 {
		list = slices.Delete(list, old, old+1)
	}
	if anchor := before; anchor != "" || after != "" {
		offset := 0
		if anchor == "" {
			anchor, offset = after, 1
		}
		i := slices.IndexFunc(list, func(o Rule) bool { return o.RuleID == anchor })
		if i < 0 {
			return false
		}
		at = i + offset
	}
	if c.Own == nil {
		c.Own = ruleset{}
	}
	c.Own[kind] = slices.Insert(list, at, r)
	return true
}

// remove takes one of the user's own rules away and reports whether it was there.
func (c *changes) remove(kind Kind, ruleID string) bool {
	before := len(c.Own[kind])
	if before == 0 {
		return false
	}
	c.Own[kind] = slices.DeleteFunc(c.Own[kind], func(r Rule) bool { return r.RuleID == ruleID })
	return len(c.Own[kind]) < before
}

// edit changes what is not nil of a rule, and reports whether there is such a rule.
func (c *changes) edit(kind Kind, ruleID string, enabled *bool, actions []jsontext.Value) bool {
	for i := range c.Own[kind] {
		if r := &c.Own[kind][i]; r.RuleID == ruleID {
			if enabled != nil {
				r.Enabled = *enabled
			}
			if actions != nil {
				r.Actions = actions
			}
			return true
		}
	}
	if _, ok := defaults.find(kind, ruleID); !ok {
		return false
	}
	changed := c.Defaults[ruleID]
	if enabled != nil {
		changed.Enabled = enabled
	}
	if actions != nil {
		changed.Actions = actions
	}
	if c.Defaults == nil {
		c.Defaults = map[string]change{}
	}
	c.Defaults[ruleID] = changed
	return true
}
