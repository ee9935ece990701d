package canonicaljson

import (
	"errors"
	"strconv"
)

// SyntaxError says that the bytes are not JSON. The client-server API calls it
// M_NOT_JSON.
type SyntaxError struct {
	Offset int    // in bytes, from the start of the input
	Reason string // "a string is not closed"
}

// Error returns a sentence that names the byte at which reading stopped.
func (e *SyntaxError) Error() string {
	return "This is not valid JSON: at byte " + strconv.Itoa(e.Offset) + ", " + e.Reason + "."
}

// ShapeError says that the bytes are JSON of a kind that may not be used: a
// duplicate key, too deep, or a number that canonical JSON cannot express. The
// client-server API calls it M_BAD_JSON.
type ShapeError struct {
	Path   string // "content.list[2]"; empty for the outermost value
	Reason string // "the key appears twice"
}

// Error returns a sentence that names the place.
func (e *ShapeError) Error() string {
	if e.Path == "" {
		return "This JSON cannot be used: " + e.Reason + "."
	}
	return "This JSON cannot be used: at " + e.Path + ", " + e.Reason + "."
}

// longestPath bounds the path in an error, whose keys the sender chose.
const longestPath = 200

// inKey adds, on the way out of a nested value, the key that it was under.
func inKey(err error, key []byte) error {
	shape, ok := errors.AsType[*ShapeError](err)
	if !ok {
		return err
	}
	if len(key) == 0 {
		return shape.under(`""`)
	}
	return shape.under(string(key))
}

// inIndex is inKey for the elements of arrays.
func inIndex(err error, index int) error {
	shape, ok := errors.AsType[*ShapeError](err)
	if !ok {
		return err
	}
	return shape.under("[" + strconv.Itoa(index) + "]")
}

func (e *ShapeError) under(step string) error {
	switch {
	case len(step)+len(".")+len(e.Path) > longestPath:
	case e.Path == "":
		e.Path = step
	case e.Path[0] == '[':
		e.Path = step + e.Path
	default:
		e.Path = step + "." + e.Path
	}
	return e
}

const (
	reasonDuplicate = "the key appears twice"
	reasonTooDeep   = "values are nested too deeply"
	reasonNumber    = "a number must be an integer from -9007199254740991 to 9007199254740991"
)
