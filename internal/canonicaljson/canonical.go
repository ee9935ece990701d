package canonicaljson

import (
	"bytes"
	"math"
	"slices"
	"strconv"
)

// MaxInteger is the largest integer of canonical JSON; the smallest is its
// negative.
const MaxInteger = 1<<53 - 1

// Canonical returns the canonical form of one JSON value: keys sorted by code
// point, no white space, the shortest escapes. A number must be written as an
// integer, without fraction or exponent, and lie within ±MaxInteger; "-0" becomes
// "0". The errors are those of Strict with DefaultDepth, and a *ShapeError for a
// number. The result shares no memory with data.
//
// Specification: appendix "Canonical JSON", as room versions 6 and later enforce
// it.
func Canonical(data []byte) ([]byte, error) {
	return canonical(data, false)
}

// CanonicalLoose is Canonical for room versions 1 to 5, which must not enforce
// the rule about numbers. Integers of any size stay as they are. A number with an
// exponent becomes an integer if it is one within ±MaxInteger; every other number
// is written with the fewest digits that identify its float64 value.
func CanonicalLoose(data []byte) ([]byte, error) {
	return canonical(data, true)
}

func canonical(data []byte, loose bool) ([]byte, error) {
	w := writer{
		scanner: scanner{data: data, depth: DefaultDepth},
		out:     make([]byte, 0, len(data)),
		loose:   loose,
		members: make([]member, 0, 16),
	}
	w.space()
	if err := w.value(); err != nil {
		return nil, err
	}
	if err := w.end(); err != nil {
		return nil, err
	}
	return w.out, nil
}

// writer reads with the scanner and appends the canonical form to out.
type writer struct {
	scanner
	out     []byte
	loose   bool
	members []member // of all open objects, the innermost object's last
	scratch []byte
}

// member is where a written `"key":value` lies in out.
type member struct {
	key        []byte
	start, end int
}

func (w *writer) value() error {
	switch w.peek() {
	case '{':
		return w.object()
	case '[':
		return w.array()
	case '"':
		raw, escaped, err := w.text()
		if err != nil {
			return err
		}
		if !escaped {
			w.out = append(w.out, '"')
			w.out = append(w.out, raw...)
			w.out = append(w.out, '"')
			return nil
		}
		w.out = AppendString(w.out, unescape(nil, raw))
		return nil
	case 't':
		return w.word("true")
	case 'f':
		return w.word("false")
	case 'n':
		return w.word("null")
	default:
		return w.numeral()
	}
}

func (w *writer) word(word string) error {
	w.out = append(w.out, word...)
	return w.literal(word)
}

func (w *writer) object() error {
	w.out = append(w.out, '{')
	if done, err := w.empty('}'); done || err != nil {
		w.out = append(w.out, '}')
		return err
	}
	first, sorted := len(w.members), true
	for more := true; more; {
		key, err := w.key()
		if err != nil {
			return err
		}
		if len(w.members) > first {
			w.out = append(w.out, ',')
			sorted = sorted && bytes.Compare(w.members[len(w.members)-1].key, key) < 0
		}
		start := len(w.out)
		w.out = AppendString(w.out, key)
		w.out = append(w.out, ':')
		if err := w.value(); err != nil {
			return inKey(err, key)
		}
		w.members = append(w.members, member{key, start, len(w.out)})
		if more, err = w.next('}'); err != nil {
			return err
		}
	}
	if !sorted {
		if err := w.sort(w.members[first:]); err != nil {
			return err
		}
	}
	w.members = w.members[:first]
	w.out = append(w.out, '}')
	return nil
}

// sort puts the members, which fill the end of out, into the order of their keys.
// Members that came in order are never passed here, so this is also the only
// place where a duplicate key can show.
func (w *writer) sort(members []member) error {
	begin := members[0].start
	slices.SortFunc(members, func(a, b member) int { return bytes.Compare(a.key, b.key) })
	w.scratch = append(w.scratch[:0], w.out[begin:]...)
	w.out = w.out[:begin]
	for i, m := range members {
		if i > 0 {
			if bytes.Equal(members[i-1].key, m.key) {
				return inKey(&ShapeError{Reason: reasonDuplicate}, m.key)
			}
			w.out = append(w.out, ',')
		}
		w.out = append(w.out, w.scratch[m.start-begin:m.end-begin]...)
	}
	return nil
}

func (w *writer) array() error {
	w.out = append(w.out, '[')
	if done, err := w.empty(']'); done || err != nil {
		w.out = append(w.out, ']')
		return err
	}
	for index, more := 0, true; more; index++ {
		if index > 0 {
			w.out = append(w.out, ',')
		}
		err := w.value()
		if err != nil {
			return inIndex(err, index)
		}
		if more, err = w.next(']'); err != nil {
			return err
		}
	}
	w.out = append(w.out, ']')
	return nil
}

func (w *writer) numeral() error {
	raw, integer, err := w.number()
	if err != nil {
		return err
	}
	switch {
	case string(raw) == "-0":
		w.out = append(w.out, '0')
	case integer && (w.loose || withinRange(raw)):
		w.out = append(w.out, raw...)
	case w.loose:
		value, err := strconv.ParseFloat(string(raw), 64)
		if err != nil {
			return &ShapeError{Reason: "a number is too large"}
		}
		w.out = appendFloat(w.out, value, bytes.ContainsAny(raw, "eE"))
	default:
		return &ShapeError{Reason: reasonNumber}
	}
	return nil
}

// withinRange reports whether an integer's text lies within ±MaxInteger.
func withinRange(raw []byte) bool {
	digits := bytes.TrimPrefix(raw, []byte{'-'})
	const limit = "9007199254740991"
	return len(digits) < len(limit) || len(digits) == len(limit) && string(digits) <= limit
}

// appendFloat writes a float64 as the servers that made rooms of the first
// versions do: plainly from 1e-4 to 1e16, with an exponent beyond.
func appendFloat(dst []byte, value float64, exponent bool) []byte {
	size := math.Abs(value)
	integral := value == math.Trunc(value)
	switch {
	case exponent && integral && size <= MaxInteger:
		return strconv.AppendInt(dst, int64(value), 10)
	case size != 0 && (size < 1e-4 || size >= 1e16):
		return strconv.AppendFloat(dst, value, 'e', -1, 64)
	case integral:
		return strconv.AppendFloat(dst, value, 'f', 1, 64)
	default:
		return strconv.AppendFloat(dst, value, 'f', -1, 64)
	}
}

// AppendString appends a string in canonical form, with its quotes. The text must
// be valid UTF-8.
func AppendString[T string | []byte](dst []byte, text T) []byte {
	const hexDigits = "0123456789abcdef"
	dst = append(dst, '"')
	plain := 0 // where the text not yet copied begins
	for i := range len(text) {
		c := text[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, text[plain:i]...)
		plain = i + 1
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\b':
			dst = append(dst, '\\', 'b')
		case '\t':
			dst = append(dst, '\\', 't')
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\f':
			dst = append(dst, '\\', 'f')
		case '\r':
			dst = append(dst, '\\', 'r')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	dst = append(dst, text[plain:]...)
	return append(dst, '"')
}
