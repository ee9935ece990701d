package push

import (
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/id"
)

// The limits of the rules that a user may make. They bound what one event can cost:
// a question mark is dearer than anything else in a pattern.
const (
	maxRule       = 16 << 10  // bytes of a body
	maxChanges    = 256 << 10 // bytes of all changes together
	maxRuleID     = 255       // bytes
	maxPattern    = 255       // bytes
	maxWildcards  = 8         // in one pattern
	maxConditions = 20        // of one rule
	maxActions    = 20        // of one rule
)

// checkRuleID refuses the IDs that a user's rule may not have.
func checkRuleID(kind Kind, ruleID string) error {
	refuse := func(reason string) error {
		return errcode.InvalidParam.New("The ID of the rule is not valid: %s.", reason).With("param", "ruleId")
	}
	switch {
	case strings.HasPrefix(ruleID, "."):
		return refuse("those that begin with a dot belong to the server's own rules, which can be switched off but not made or removed")
	case strings.ContainsAny(ruleID, `/\`):
		return refuse("it may not contain slashes or backslashes")
	case len(ruleID) > maxRuleID:
		return refuse("it is longer than 255 bytes")
	}
	if kind == InRoom {
		if _, err := id.ParseRoomID(ruleID); err != nil {
			return refuse("the ID of a room rule is the ID of its room")
		}
	}
	if kind == FromUser {
		if _, err := id.ParseUserID(ruleID); err != nil {
			return refuse("the ID of a sender rule is the sender's user ID")
		}
	}
	return nil
}

// checkActions gives the actions without the historical ones, which mean nothing.
func checkActions(actions []jsontext.Value) ([]jsontext.Value, error) {
	bad := func() error {
		return errcode.BadJSON.New(`Each of "actions" must be "notify" or an object with a string "set_tweak".`).With("param", "actions")
	}
	if len(actions) > maxActions {
		return nil, errcode.InvalidParam.New("A rule may have at most %d actions.", maxActions).With("param", "actions")
	}
	kept := []jsontext.Value{}
	for _, a := range actions {
		var name string
		var t tweak
		switch a.Kind() {
		case '"':
			if err := json.Unmarshal(a, &name); err != nil {
				return nil, bad()
			}
			if name == "dont_notify" || name == "coalesce" {
				continue
			}
			if name != "notify" {
				return nil, bad()
			}
		case '{':
			if err := json.Unmarshal(a, &t); err != nil || t.SetTweak == "" {
				return nil, bad()
			}
		default:
			return nil, bad()
		}
		kept = append(kept, compact(a))
	}
	return kept, nil
}

// checkConditions gives the conditions in their stored form. Kinds that the server
// does not know are kept: they match nothing.
func checkConditions(conditions []jsontext.Value) ([]jsontext.Value, error) {
	if len(conditions) > maxConditions {
		return nil, errcode.InvalidParam.New("A rule may have at most %d conditions.", maxConditions).With("param", "conditions")
	}
	kept := []jsontext.Value{}
	for _, raw := range conditions {
		var c wireCondition
		if raw.Kind() != '{' || json.Unmarshal(raw, &c) != nil || c.Kind == "" {
			return nil, errcode.BadJSON.New(`Each of "conditions" must be an object with a string "kind"; "key", "pattern" and "is" are strings.`).With("param", "conditions")
		}
		if c.Pattern != nil {
			if err := checkPattern(*c.Pattern); err != nil {
				return nil, err
			}
		}
		kept = append(kept, compact(raw))
	}
	return kept, nil
}

func checkPattern(pattern string) error {
	if len(pattern) > maxPattern || strings.Count(pattern, "*") > maxWildcards || strings.Count(pattern, "?") > maxWildcards {
		return errcode.InvalidParam.New(`A "pattern" may have at most %d bytes, %d stars and %d question marks.`, maxPattern, maxWildcards, maxWildcards).With("param", "pattern")
	}
	return nil
}

// compact takes the white space out of JSON that the binder has checked.
func compact(raw jsontext.Value) jsontext.Value {
	c := raw.Clone()
	_ = c.Compact() // fails for malformed JSON only
	return c
}
