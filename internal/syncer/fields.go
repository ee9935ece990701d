package syncer

import (
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// project leaves of each event the fields that a filter names, such as "type" and
// "content.body"; all of them if it names none (client-server API, Filtering).
func project(events []jsontext.Value, fields []string) ([]jsontext.Value, error) {
	if fields == nil {
		return events, nil
	}
	paths := make([][]string, len(fields))
	for i, f := range fields {
		paths[i] = splitField(f)
	}
	out := make([]jsontext.Value, len(events))
	for i, raw := range events {
		kept := object{}
		for _, path := range paths {
			if err := kept.take(raw, path); err != nil {
				return nil, err
			}
		}
		var err error
		if out[i], err = json.Marshal(kept, json.Deterministic(true)); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// object is what is kept of an object: a jsontext.Value that is whole, or another
// object.
type object map[string]any

// take adds what is at a path in an object, if there is something.
func (o object) take(raw jsontext.Value, path []string) error {
	if raw.Kind() != '{' {
		return nil
	}
	var members map[string]jsontext.Value
	if err := json.Unmarshal(raw, &members); err != nil {
		return err
	}
	value, ok := members[path[0]]
	if !ok {
		return nil
	}
	if len(path) == 1 {
		o[path[0]] = value
		return nil
	}
	inner, ok := o[path[0]].(object)
	if !ok {
		if _, whole := o[path[0]]; whole {
			return nil
		}
		inner = object{}
	}
	if err := inner.take(value, path[1:]); err != nil || len(inner) == 0 {
		return err
	}
	o[path[0]] = inner
	return nil
}

// splitField splits a path at its dots. A backslash before a dot or a backslash
// makes it part of a name (appendices, Dot-separated property paths).
func splitField(field string) []string {
	var path []string
	var name strings.Builder
	for i := 0; i < len(field); i++ {
		switch c := field[i]; {
		case c == '\\' && i+1 < len(field) && (field[i+1] == '.' || field[i+1] == '\\'):
			i++
			name.WriteByte(field[i])
		case c == '.':
			path = append(path, name.String())
			name.Reset()
		default:
			name.WriteByte(c)
		}
	}
	return append(path, name.String())
}
