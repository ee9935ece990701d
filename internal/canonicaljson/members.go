package canonicaljson

import (
	"bytes"
	"slices"
	"strconv"
)

// Member is one member of an object. Both slices point into the object.
type Member struct {
	Key   []byte // with escapes resolved
	Value []byte // JSON
}

// AppendMembers appends the members of an object, in their order, to dst. Without
// white space between the tokens, Value is canonical if the object is. It checks
// no more than it needs to find its way and so is for bytes that Canonical or
// Strict has accepted. The error is a *SyntaxError, or a *ShapeError if the value
// is not an object.
func AppendMembers(dst []Member, object []byte) ([]Member, error) {
	s := scanner{data: object, depth: DefaultDepth + 1}
	if s.space() != '{' {
		return dst, &ShapeError{Reason: "it must be an object"}
	}
	if done, err := s.empty('}'); done || err != nil {
		return dst, err
	}
	if dst == nil {
		dst = make([]Member, 0, 8)
	}
	for more := true; more; {
		key, err := s.key()
		if err != nil {
			return dst, err
		}
		start := s.pos
		if err := s.skip(); err != nil {
			return dst, err
		}
		dst = append(dst, Member{Key: key, Value: object[start:s.pos]})
		if more, err = s.next('}'); err != nil {
			return dst, err
		}
	}
	return dst, s.end()
}

// Elements returns the elements of an array, which point into it. It is
// AppendMembers for arrays.
func Elements(array []byte) ([][]byte, error) {
	s := scanner{data: array, depth: DefaultDepth + 1}
	if s.space() != '[' {
		return nil, &ShapeError{Reason: "it must be an array"}
	}
	if done, err := s.empty(']'); done || err != nil {
		return nil, err
	}
	var elements [][]byte
	for more := true; more; {
		start := s.pos
		err := s.skip()
		if err != nil {
			return nil, err
		}
		elements = append(elements, array[start:s.pos])
		if more, err = s.next(']'); err != nil {
			return nil, err
		}
	}
	return elements, s.end()
}

// skip passes over a value by counting brackets.
func (s *scanner) skip() error {
	start, level := s.pos, 0
	for s.pos < len(s.data) {
		switch s.data[s.pos] {
		case '"':
			if err := s.skipText(); err != nil {
				return err
			}
			if level == 0 {
				return nil
			}
			continue
		case '{', '[':
			level++
		case '}', ']':
			if level == 0 {
				return s.missing(start)
			}
			if level--; level == 0 {
				s.pos++
				return nil
			}
		case ',', ' ', '\t', '\n', '\r':
			if level == 0 {
				return s.missing(start)
			}
		}
		s.pos++
	}
	return s.fail("a value is not closed")
}

// missing is called at the end of a number or word, which must not be empty.
func (s *scanner) missing(start int) error {
	if s.pos == start {
		return s.fail("a value is missing or not JSON")
	}
	return nil
}

func (s *scanner) skipText() error {
	s.pos++
	for {
		i := bytes.IndexByte(s.data[s.pos:], '"')
		if i < 0 {
			s.pos = len(s.data)
			return s.fail("a string is not closed")
		}
		end := s.pos + i
		slashes := 0
		for end-slashes > s.pos && s.data[end-slashes-1] == '\\' {
			slashes++
		}
		s.pos = end + 1
		if slashes%2 == 0 {
			return nil
		}
	}
}

// Get returns the value of the member with that name, or nil.
func Get(members []Member, key string) []byte {
	for _, m := range members {
		if string(m.Key) == key {
			return m.Value
		}
	}
	return nil
}

// Set returns the members with one value put in, in place of the member of that
// name or at its place in the order of names. It may change the slice it is given.
func Set(members []Member, key string, value []byte) []Member {
	at, found := slices.BinarySearchFunc(members, key, func(m Member, key string) int {
		return bytes.Compare(m.Key, []byte(key))
	})
	if found {
		members[at].Value = value
		return members
	}
	return slices.Insert(members, at, Member{Key: []byte(key), Value: value})
}

// Without returns the members whose names are not among keys, in the same slice.
func Without(members []Member, keys ...string) []Member {
	return slices.DeleteFunc(members, func(m Member) bool {
		return slices.Contains(keys, string(m.Key))
	})
}

// AppendObject appends the object that the members make. It is canonical if they
// are sorted by name and their values canonical.
func AppendObject(dst []byte, members []Member) []byte {
	size := len(`{}`)
	for _, m := range members {
		size += len(m.Key) + len(m.Value) + len(`"":,`)
	}
	dst = append(slices.Grow(dst, size), '{')
	for i, m := range members {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = AppendString(dst, m.Key)
		dst = append(dst, ':')
		dst = append(dst, m.Value...)
	}
	return append(dst, '}')
}

// Text returns the string that a JSON value is, and false if the value is not a
// string.
func Text(value []byte) (string, bool) {
	if len(value) < 2 || value[0] != '"' || value[len(value)-1] != '"' {
		return "", false
	}
	raw := value[1 : len(value)-1]
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw), true
	}
	s := scanner{data: value}
	raw, _, err := s.text()
	if err != nil || s.pos != len(value) {
		return "", false
	}
	return string(unescape(nil, raw)), true
}

// Integer returns the integer that a JSON value is, and false if the value is not
// a number written as an integer that fits.
func Integer(value []byte) (int64, bool) {
	s := scanner{data: value}
	raw, integer, err := s.number()
	if err != nil || !integer || len(raw) != len(value) {
		return 0, false
	}
	number, err := strconv.ParseInt(string(raw), 10, 64)
	return number, err == nil
}
