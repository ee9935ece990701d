package canonicaljson

import "bytes"

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
	s := scanner{data: data, depth: depth}
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

// fewKeys is how many keys an object may have before its duplicates are sought
// with a map rather than by comparing each with each.
const fewKeys = 16

func (s *scanner) object() error {
	if done, err := s.empty('}'); done || err != nil {
		return err
	}
	// The keys of all open objects lie in one slice, the innermost object's last.
	first := len(s.keys)
	var many map[string]struct{}
	for more := true; more; {
		key, err := s.key()
		if err != nil {
			return err
		}
		if s.duplicate(first, &many, key) {
			return inKey(&ShapeError{Reason: reasonDuplicate}, key)
		}
		if err := s.value(); err != nil {
			return inKey(err, key)
		}
		if more, err = s.next('}'); err != nil {
			return err
		}
	}
	s.keys = s.keys[:first]
	return nil
}

// duplicate notes a key of the object whose keys begin at first, and reports
// whether it was there before.
func (s *scanner) duplicate(first int, many *map[string]struct{}, key []byte) bool {
	if *many != nil {
		if _, there := (*many)[string(key)]; there {
			return true
		}
		(*many)[string(key)] = struct{}{}
		return false
	}
	for _, earlier := range s.keys[first:] {
		if bytes.Equal(earlier, key) {
			return true
		}
	}
	s.keys = append(s.keys, key)
	if len(s.keys)-first > fewKeys {
		*many = make(map[string]struct{}, 4*fewKeys)
		for _, earlier := range s.keys[first:] {
			(*many)[string(earlier)] = struct{}{}
		}
	}
	return false
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
