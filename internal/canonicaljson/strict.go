package canonicaljson

import (
	"bytes"
	"slices"
)

// Limits bounds what Strict accepts.
type Limits struct {
	// Depth is how many arrays and objects may be nested in each other; 0 means
	// DefaultDepth.
	Depth int
}

// Strict checks that data is exactly one JSON value within the limits. It refuses
// a byte order mark, invalid UTF-8, lone surrogates and trailing data with a
// *SyntaxError, and duplicate keys (compared with escapes resolved) and too much
// depth with a *ShapeError. It reads data once and keeps nothing of it.
func Strict(data []byte, limits Limits) error {
	depth := limits.Depth
	if depth == 0 {
		depth = DefaultDepth
	}
	s := scanner{data: data, depth: depth, keys: make([][]byte, 0, 16)}
	s.space()
	if err := s.value(); err != nil {
		return err
	}
	return s.end()
}

// value checks the value at pos.
func (s *scanner) value() error {
	switch s.peek() {
	case '{':
		return s.object()
	case '[':
		return s.array()
	case '"':
		_, _, err := s.text()
		return err
	case 't':
		return s.literal("true")
	case 'f':
		return s.literal("false")
	case 'n':
		return s.literal("null")
	default:
		_, _, err := s.number()
		return err
	}
}

func (s *scanner) object() error {
	if done, err := s.empty('}'); done || err != nil {
		return err
	}
	// The keys of all open objects lie in one slice, the innermost object's last.
	first := len(s.keys)
	for more := true; more; {
		key, err := s.key()
		if err != nil {
			return err
		}
		s.keys = append(s.keys, key)
		if err := s.value(); err != nil {
			return inKey(err, key)
		}
		if more, err = s.next('}'); err != nil {
			return err
		}
	}
	if key, twice := duplicate(s.keys[first:]); twice {
		return inKey(&ShapeError{Reason: reasonDuplicate}, key)
	}
	s.keys = s.keys[:first]
	return nil
}

// duplicate finds a key that is there twice. It changes the order of the keys.
func duplicate(keys [][]byte) (key []byte, twice bool) {
	if !slices.IsSortedFunc(keys, bytes.Compare) {
		slices.SortFunc(keys, bytes.Compare)
	}
	for i := 1; i < len(keys); i++ {
		if bytes.Equal(keys[i-1], keys[i]) {
			return keys[i], true
		}
	}
	return nil, false
}

func (s *scanner) array() error {
	if done, err := s.empty(']'); done || err != nil {
		return err
	}
	for index, more := 0, true; more; index++ {
		err := s.value()
		if err != nil {
			return inIndex(err, index)
		}
		if more, err = s.next(']'); err != nil {
			return err
		}
	}
	return nil
}
