package config

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// typeInWords says what a key takes, for the reference.
func (f field) typeInWords() string {
	if f.oneOf != nil {
		return "one of " + f.choices()
	}
	switch f.zero().(type) {
	case bool:
		return "true or false"
	case int:
		return "whole number"
	case float64:
		return "number"
	case Duration:
		return "duration"
	case []string:
		return "list of texts"
	case string:
		return "text"
	default:
		return "list of entries"
	}
}

// expected says what a key takes, for the person who gave it something else.
func (f field) expected() string {
	if f.oneOf != nil {
		return "expected one of " + f.choices()
	}
	switch f.zero().(type) {
	case bool:
		return "expected true or false"
	case int:
		return "expected a whole number"
	case float64:
		return "expected a number such as 0.5"
	case Duration:
		return "expected a duration such as 10m or 24h"
	case []string:
		return "expected a list of texts"
	case string:
		return "expected a text"
	default:
		return "expected a list of entries, each with its keys"
	}
}

// zero is a value of the field's type, to switch on.
func (f field) zero() any { return reflect.Zero(f.kind).Interface() }

func (f field) choices() string {
	shown := make([]string, len(f.oneOf))
	for i, choice := range f.oneOf {
		shown[i] = choice
		if choice == "" {
			shown[i] = `""`
		}
	}
	return strings.Join(shown, ", ")
}

func (f field) isList() bool {
	_, list := f.zero().([]string)
	return list
}

func (f field) isText() bool {
	_, text := f.zero().(string)
	return text
}

// set reads text into the field of a struct: of a Config, or of an entry. The error says what is expected and what was
// given; a secret takes every text, so it is never repeated. Lists are set with
// setList.
func (f field) set(group reflect.Value, text string) error {
	value, err := f.parse(text)
	if err != nil {
		return f.refuse(fmt.Sprintf("%q", text))
	}
	group.FieldByIndex(f.index).Set(reflect.ValueOf(value))
	return nil
}

func (f field) setList(group reflect.Value, items []string) {
	group.FieldByIndex(f.index).Set(reflect.ValueOf(items))
}

// refuse is the error for a value of the wrong kind; got must not hold a secret.
func (f field) refuse(got string) error {
	return fmt.Errorf("%s, got %s", f.expected(), got)
}

var errValue = errors.New("not a value of this type")

func (f field) parse(text string) (any, error) {
	switch f.zero().(type) {
	case bool:
		if text != "true" && text != "false" {
			return nil, errValue
		}
		return text == "true", nil
	case int:
		return strconv.Atoi(text)
	case float64:
		number, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(number) || math.IsInf(number, 0) {
			return nil, errValue
		}
		return number, nil
	case Duration:
		var d Duration
		err := d.UnmarshalText([]byte(text))
		return d, err
	default:
		if !f.allows(text) {
			return nil, errValue
		}
		return text, nil
	}
}

// allows reports whether a text is among those that the key takes.
func (f field) allows(text string) bool {
	return f.oneOf == nil || slices.Contains(f.oneOf, text)
}

// written is a value as it stands in the file.
func written(value reflect.Value) string {
	switch v := value.Interface().(type) {
	case string:
		return strconv.Quote(v)
	case []string:
		quoted := make([]string, len(v))
		for i, item := range v {
			quoted[i] = strconv.Quote(item)
		}
		return "[" + strings.Join(quoted, ", ") + "]"
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case []Provider:
		return "[]"
	default:
		return fmt.Sprint(v)
	}
}
