package canonicaljson

import (
	"unicode/utf16"
	"unicode/utf8"
)

// DefaultDepth is the number of arrays and objects that may be nested in each
// other when nothing else is said.
const DefaultDepth = 100

// scanner walks over JSON text. Its methods are called with pos at the first
// byte of what they read and leave it behind the last.
type scanner struct {
	data  []byte
	pos   int
	depth int // how many more levels may be opened
	keys  [][]byte
}

func (s *scanner) fail(reason string) error {
	return &SyntaxError{Offset: s.pos, Reason: reason}
}

// space skips white space and returns the byte that follows, or 0 at the end.
func (s *scanner) space() byte {
	for s.pos < len(s.data) {
		switch c := s.data[s.pos]; c {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return c
		}
	}
	return 0
}

// end requires that only white space is left.
func (s *scanner) end() error {
	s.space()
	if s.pos < len(s.data) {
		return s.fail("something follows the end of the value")
	}
	return nil
}

// open enters an array or object.
func (s *scanner) open() error {
	if s.depth == 0 {
		return &ShapeError{Reason: reasonTooDeep}
	}
	s.depth--
	s.pos++
	return nil
}

// next is called after a member or an element. It reports whether another
// follows, or the array or object was closed.
func (s *scanner) next(closing byte) (more bool, err error) {
	switch c := s.space(); c {
	case ',':
		s.pos++
		s.space()
		return true, nil
	case closing:
		s.pos++
		s.depth++
		return false, nil
	default:
		return false, s.fail("a ',' or the end of the list is missing")
	}
}

// empty enters an array or object and reports whether it is closed at once.
func (s *scanner) empty(closing byte) (bool, error) {
	if err := s.open(); err != nil {
		return false, err
	}
	if s.space() != closing {
		return false, nil
	}
	s.pos++
	s.depth++
	return true, nil
}

// key reads a member's name and the colon after it, and returns the name with
// its escapes resolved.
func (s *scanner) key() ([]byte, error) {
	if s.pos >= len(s.data) || s.data[s.pos] != '"' {
		return nil, s.fail("the name of a member is missing")
	}
	raw, escaped, err := s.text()
	if err != nil {
		return nil, err
	}
	if escaped {
		raw = unescape(nil, raw)
	}
	if s.space() != ':' {
		return nil, s.fail("the ':' after a name is missing")
	}
	s.pos++
	s.space()
	return raw, nil
}

// text reads a string and returns what stands between its quotes.
func (s *scanner) text() (raw []byte, escaped bool, err error) {
	s.pos++ // the opening quote
	start := s.pos
	for s.pos < len(s.data) {
		switch c := s.data[s.pos]; {
		case c == '"':
			raw = s.data[start:s.pos]
			s.pos++
			return raw, escaped, nil
		case c == '\\':
			escaped = true
			if err := s.escape(); err != nil {
				return nil, false, err
			}
		case c < 0x20:
			return nil, false, s.fail("a string contains a control character")
		case c < utf8.RuneSelf:
			s.pos++
		default:
			r, size := utf8.DecodeRune(s.data[s.pos:])
			if r == utf8.RuneError && size == 1 {
				return nil, false, s.fail("a string is not valid UTF-8")
			}
			s.pos += size
		}
	}
	return nil, false, s.fail("a string is not closed")
}

// escape checks one escape sequence; a surrogate must have its other half.
func (s *scanner) escape() error {
	if s.pos+1 >= len(s.data) {
		return s.fail("a string is not closed")
	}
	switch s.data[s.pos+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.pos += 2
		return nil
	case 'u':
	default:
		return s.fail("a string contains an unknown escape")
	}
	r, ok := hex4(s.data[s.pos:])
	if !ok {
		return s.fail("a \\u escape needs four hexadecimal digits")
	}
	if !utf16.IsSurrogate(r) {
		s.pos += 6
		return nil
	}
	low, ok := hex4(s.data[s.pos+6:])
	if !ok || utf16.DecodeRune(r, low) == utf8.RuneError {
		return s.fail("a string contains half of a surrogate pair")
	}
	s.pos += 12
	return nil
}

// hex4 reads "\uXXXX".
func hex4(data []byte) (rune, bool) {
	if len(data) < 6 || data[0] != '\\' || data[1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range data[2:6] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// unescape appends the characters that the inside of a string stands for. The
// string was accepted by text.
func unescape(dst, raw []byte) []byte {
	for i := 0; i < len(raw); {
		if raw[i] != '\\' {
			dst = append(dst, raw[i])
			i++
			continue
		}
		switch c := raw[i+1]; c {
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r, _ := hex4(raw[i:])
			if utf16.IsSurrogate(r) {
				low, _ := hex4(raw[i+6:])
				r = utf16.DecodeRune(r, low)
				i += 6
			}
			dst = utf8.AppendRune(dst, r)
			i += 4
		default:
			dst = append(dst, c)
		}
		i += 2
	}
	return dst
}

// number reads a number and reports whether it is written as an integer.
func (s *scanner) number() (raw []byte, integer bool, err error) {
	start := s.pos
	if s.peek() == '-' {
		s.pos++
	}
	switch c := s.peek(); {
	case c == '0':
		s.pos++
	case c >= '1' && c <= '9':
		s.digits()
	default:
		return nil, false, s.fail("a value is missing or not JSON")
	}
	integer = true
	if s.peek() == '.' {
		integer = false
		s.pos++
		if !s.digits() {
			return nil, false, s.fail("a digit is missing in a number")
		}
	}
	if c := s.peek(); c == 'e' || c == 'E' {
		integer = false
		s.pos++
		if c := s.peek(); c == '+' || c == '-' {
			s.pos++
		}
		if !s.digits() {
			return nil, false, s.fail("a digit is missing in a number")
		}
	}
	return s.data[start:s.pos], integer, nil
}

func (s *scanner) peek() byte {
	if s.pos < len(s.data) {
		return s.data[s.pos]
	}
	return 0
}

func (s *scanner) digits() bool {
	start := s.pos
	for s.peek() >= '0' && s.peek() <= '9' {
		s.pos++
	}
	return s.pos > start
}

// literal reads true, false or null.
func (s *scanner) literal(word string) error {
	if len(s.data)-s.pos < len(word) || string(s.data[s.pos:s.pos+len(word)]) != word {
		return s.fail("a value is missing or not JSON")
	}
	s.pos += len(word)
	return nil
}
