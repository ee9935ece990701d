package accountdata

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/narthex-matrix/narthex/internal/canonicaljson"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/id"
)

// The limits of filters.
const (
	maxFilter     = 64 << 10 // bytes
	maxFilterList = 1000     // entries of one list
	maxFilterText = 255      // bytes of one type or path
	maxStars      = 8        // in one type
)

// ParseFilter reads a filter for /sync. It fails with NotJSON if raw is not JSON,
// with TooLarge if it has more than 64 KiB, and otherwise with BadJSON and the
// name of the member at fault. Members that are not specified are ignored.
func ParseFilter(raw []byte) (*Filter, error) {
	var f Filter
	if err := decode(raw, &f); err != nil {
		return nil, err
	}
	if f.EventFormat != "" && f.EventFormat != "client" && f.EventFormat != "federation" {
		return nil, fault("event_format", `must be "client" or "federation"`)
	}
	err := cmp.Or(
		checkTexts("event_fields", f.EventFields),
		f.AccountData.check("account_data"),
		f.Presence.check("presence"),
		checkIDs("room.rooms", f.Room.Rooms),
		checkIDs("room.not_rooms", f.Room.NotRooms),
		f.Room.AccountData.check("room.account_data"),
		f.Room.Ephemeral.check("room.ephemeral"),
		f.Room.State.check("room.state"),
		f.Room.Timeline.check("room.timeline"),
	)
	if err != nil {
		return nil, err
	}
	return &f, nil
}

// ParseEventFilter reads the filter of /messages, /context and /search. It fails
// as ParseFilter does.
func ParseEventFilter(raw []byte) (*EventFilter, error) {
	var f EventFilter
	if err := decode(raw, &f); err != nil {
		return nil, err
	}
	if err := f.check(""); err != nil {
		return nil, err
	}
	return &f, nil
}

// decode reads an object into v, which is a filter.
func decode(raw []byte, v any) error {
	if len(raw) > maxFilter {
		return errcode.TooLarge.New("A filter may have at most %d bytes.", maxFilter)
	}
	if err := canonicaljson.Strict(raw, canonicaljson.Limits{}); err != nil {
		var shape *canonicaljson.ShapeError
		if errors.As(err, &shape) {
			return errcode.BadJSON.New("%s", shape.Error())
		}
		return errcode.NotJSON.New("%s", err.Error())
	}
	if jsontext.Value(raw).Kind() != '{' {
		return errcode.BadJSON.New("A filter must be a JSON object.")
	}
	err := json.Unmarshal(raw, v)
	var semantic *json.SemanticError
	if !errors.As(err, &semantic) {
		return err
	}
	name := strings.ReplaceAll(strings.TrimPrefix(string(semantic.JSONPointer), "/"), "/", ".")
	var own *id.Error
	if errors.As(err, &own) {
		return fault(name, "is not valid: %s", strings.TrimSuffix(own.Error(), "."))
	}
	return fault(name, "must be %s", inWords(semantic.GoType))
}

// inWords names the JSON that a member of a filter must be.
func inWords(t reflect.Type) string {
	if t == nil {
		return "of another type"
	}
	switch t.Kind() {
	case reflect.Pointer:
		return inWords(t.Elem())
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		return "a whole number"
	case reflect.Slice:
		return "an array"
	default:
		return "an object"
	}
}

// check holds the members against the limits; prefix names the filter.
func (f *EventFilter) check(prefix string) error {
	at := func(name string) string {
		return strings.TrimPrefix(prefix+"."+name, ".")
	}
	if f.Limit != nil && *f.Limit < 0 {
		return fault(at("limit"), "must not be negative")
	}
	return cmp.Or(
		checkTypes(at("types"), f.Types),
		checkTypes(at("not_types"), f.NotTypes),
		checkIDs(at("senders"), f.Senders),
		checkIDs(at("not_senders"), f.NotSenders),
		checkIDs(at("rooms"), f.Rooms),
		checkIDs(at("not_rooms"), f.NotRooms),
		checkTexts(at("related_by_rel_types"), f.RelatedByRelTypes),
		checkIDs(at("related_by_senders"), f.RelatedBySenders),
	)
}

// checkTypes limits the stars too: each costs a search in every event.
func checkTypes(name string, list []string) error {
	for _, text := range list {
		if strings.Count(text, "*") > maxStars {
			return fault(name, "has an entry with more than %d stars", maxStars)
		}
	}
	return checkTexts(name, list)
}

func checkTexts(name string, list []string) error {
	for _, text := range list {
		if len(text) > maxFilterText || strings.IndexByte(text, 0) >= 0 {
			return fault(name, "has an entry of more than %d bytes, or with a NUL character", maxFilterText)
		}
	}
	return checkLength(name, len(list))
}

// checkIDs refuses null, which the decoder takes for an empty ID.
func checkIDs[T ~string](name string, list []T) error {
	for _, entry := range list {
		if entry == "" {
			return fault(name, "has an entry that is not a string")
		}
	}
	return checkLength(name, len(list))
}

func checkLength(name string, n int) error {
	if n > maxFilterList {
		return fault(name, "may have at most %d entries", maxFilterList)
	}
	return nil
}

func fault(name, format string, args ...any) error {
	reason := fmt.Sprintf(format, args...)
	if name == "" {
		return errcode.BadJSON.New("The filter %s.", reason)
	}
	return errcode.BadJSON.New("In the filter, %q %s.", name, reason).With("param", name)
}
