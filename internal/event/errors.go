package event

import "strconv"

// Limits of the specification.
const (
	MaxSize      = 65536 // bytes of a whole event in canonical form, signatures included
	MaxFieldSize = 255   // bytes of type, state key, sender, room ID and event ID
	MaxPrev      = 20    // prev events
	MaxAuth      = 10    // auth events
)

// TooLargeError says that an event exceeds a size limit of the specification. The
// client-server API calls it M_TOO_LARGE.
type TooLargeError struct {
	What  string // "the event", "the event type", "the state key"
	Limit int    // in bytes
	Size  int    // in bytes
}

// ContentError says that an event cannot be made or accepted because of what it
// contains. The client-server API calls it M_BAD_JSON.
type ContentError struct {
	Reason string // a clause: "depth must be an integer"
	Err    error  // from package canonicaljson, or nil
}

// Error returns a sentence with the limit and the size.
func (e *TooLargeError) Error() string {
	return "Too large: " + e.What + " has " + strconv.Itoa(e.Size) +
		" bytes, and the limit is " + strconv.Itoa(e.Limit) + "."
}

// Error returns a sentence.
func (e *ContentError) Error() string {
	if e.Err != nil {
		return "The event cannot be used: " + e.Reason + ". " + e.Err.Error()
	}
	return "The event cannot be used: " + e.Reason + "."
}

// Unwrap returns the error of package canonicaljson behind this one, or nil.
func (e *ContentError) Unwrap() error { return e.Err }

func invalid(reason string) error { return &ContentError{Reason: reason} }

// checkSizes applies the limits that hold for single fields.
func (e *Event) checkSizes() error {
	stateKey := ""
	if e.StateKey != nil {
		stateKey = *e.StateKey
	}
	for _, field := range [...]struct {
		what string
		size int
	}{
		{"the event type", len(e.Type)},
		{"the state key", len(stateKey)},
		{"the sender", len(e.Sender)},
		{"the room ID", len(e.RoomID)},
		{"the event ID", len(e.ID)},
	} {
		if field.size > MaxFieldSize {
			return &TooLargeError{What: field.what, Limit: MaxFieldSize, Size: field.size}
		}
	}
	if len(e.Prev) > MaxPrev {
		return invalid("it has more than 20 prev events")
	}
	if len(e.Auth) > MaxAuth {
		return invalid("it has more than 10 auth events")
	}
	return nil
}

func checkTotal(raw []byte) error {
	if len(raw) > MaxSize {
		return &TooLargeError{What: "the event", Limit: MaxSize, Size: len(raw)}
	}
	return nil
}
