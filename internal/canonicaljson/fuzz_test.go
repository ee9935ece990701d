package canonicaljson

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// Each of these holds the package against readers that others wrote: encoding/json,
// which is lenient, and jsontext, which refuses duplicate names and lone surrogates.

func seed(f *testing.F) {
	for _, c := range specExamples {
		f.Add([]byte(c.in))
	}
	for _, c := range refused {
		f.Add([]byte(c.in))
	}
	for _, body := range bodies {
		f.Add([]byte(body.text))
	}
	f.Add([]byte(deepNames)) // see TestPathIsBounded
	for _, depth := range []int{99, 100, 101} {
		f.Add([]byte(strings.Repeat(`[{"a":`, depth/2) + strings.Repeat(`[`, depth%2) + `1` + strings.Repeat(`]`, depth%2) + strings.Repeat(`}]`, depth/2)))
	}
	for _, text := range []string{
		`9007199254740991`, `-9007199254740992`, `-0`, `1E400`, `0.10`, `"\u2028\u007f/\/"`, `{"\ud83d\ude00":1,"\uffff":2}`,
		"\"\xf4\x8f\xbf\xbf\"", "\"\xf4\x90\x80\x80\"", "\"\xef\xbf\xbd\"", `"\ufffd"`, `{"a":{"b":{}},"a":0}`, "{\"\\u0000\":\"\x7f\"}",
	} {
		f.Add([]byte(text))
	}
}

// depthOf is how deep the arrays and objects of JSON text are nested.
func depthOf(data []byte) (deepest int) {
	level, quoted := 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			level++
			deepest = max(deepest, level)
		case c == '}' || c == ']':
			level--
		}
	}
	return deepest
}

// FuzzStrict: Strict accepts what is JSON to both others and not too deep, and
// nothing else, and says of the rest what is wrong without quoting it.
func FuzzStrict(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		err := Strict(data, Limits{})
		want := jsontext.Value(data).IsValid() && json.Valid(data) && depthOf(data) <= DefaultDepth
		if (err == nil) != want {
			t.Fatalf("Strict(%q): got %v, and others find it acceptable: %v", data, err, want)
		}
		var syntax *SyntaxError
		var shape *ShapeError
		switch {
		case err == nil:
		case errors.As(err, &syntax):
			if syntax.Offset < 0 || syntax.Offset > len(data) || syntax.Reason == "" {
				t.Errorf("Strict(%q): got %+v", data, syntax)
			}
		case !errors.As(err, &shape) || len(shape.Path) > longestPath || shape.Reason == "":
			t.Errorf("Strict(%q): got %+v", data, err)
		}
	})
}

// FuzzCanonical: the result is what a plain writer makes of the value as
// encoding/json reads it; it is its own canonical form; and of what Strict accepts
// only numbers are refused.
func FuzzCanonical(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		input := bytes.Clone(data)
		got, err := Canonical(data)
		if !bytes.Equal(input, data) {
			t.Fatalf("Canonical(%q) changed its argument to %q", input, data)
		}
		strict := Strict(data, Limits{})
		want, plain := plainly(data)
		switch {
		case err == nil && (strict != nil || !plain || string(got) != want):
			t.Fatalf("Canonical(%q): got %q, want %q, %v; Strict says %v", data, got, want, plain, strict)
		case err != nil && strict == nil && (plain || !strings.Contains(err.Error(), reasonNumber)):
			t.Fatalf("Canonical(%q): got %v, and it is %q", data, err, want)
		}
		if again, err := Canonical(got); got != nil && (err != nil || !bytes.Equal(again, got)) {
			t.Fatalf("Canonical is not idempotent: %q, %q, %v", got, again, err)
		}
		loose, err := CanonicalLoose(data)
		if (err == nil) != (strict == nil) && !strings.Contains(err.Error(), "too large") {
			t.Fatalf("CanonicalLoose(%q): got %v, and Strict says %v", data, err, strict)
		}
		if got != nil && !bytes.Equal(loose, got) {
			t.Fatalf("CanonicalLoose(%q): got %q, and strictly %q", data, loose, got)
		}
		if again, err := CanonicalLoose(loose); loose != nil && (err != nil || !bytes.Equal(again, loose)) {
			t.Fatalf("CanonicalLoose is not idempotent: %q, %q, %v", loose, again, err)
		}
	})
}

// plainly writes what encoding/json reads by the letter of the appendix. It reports
// false for what has no canonical form.
func plainly(data []byte) (string, bool) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var value any
	if d.Decode(&value) != nil {
		return "", false
	}
	var b strings.Builder
	ok := writePlainly(&b, value)
	return b.String(), ok
}

func writePlainly(b *strings.Builder, value any) bool {
	switch v := value.(type) {
	case nil:
		b.WriteString("null")
	case bool:
		b.WriteString(map[bool]string{true: "true", false: "false"}[v])
	case string:
		writeTextPlainly(b, v)
	case json.Number:
		n, ok := new(big.Int).SetString(v.String(), 10)
		if !ok || new(big.Int).Abs(n).Cmp(big.NewInt(1<<53-1)) > 0 {
			return false
		}
		b.WriteString(n.String())
	case []any:
		b.WriteByte('[')
		for i, element := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			if !writePlainly(b, element) {
				return false
			}
		}
		b.WriteByte(']')
	case map[string]any:
		var names [][]rune
		for name := range v {
			names = append(names, []rune(name))
		}
		slices.SortFunc(names, slices.Compare)
		b.WriteByte('{')
		for i, name := range names {
			if i > 0 {
				b.WriteByte(',')
			}
			writeTextPlainly(b, string(name))
			b.WriteByte(':')
			if !writePlainly(b, v[string(name)]) {
				return false
			}
		}
		b.WriteByte('}')
	}
	return true
}

var escapes = map[rune]string{'"': `\"`, '\\': `\\`, '\b': `\b`, '\f': `\f`, '\n': `\n`, '\r': `\r`, '\t': `\t`}

func writeTextPlainly(b *strings.Builder, text string) {
	b.WriteByte('"')
	for _, r := range text {
		switch escape, has := escapes[r]; {
		case has:
			b.WriteString(escape)
		case r < ' ':
			b.WriteString(`\u00` + string("0123456789abcdef"[r/16]) + string("0123456789abcdef"[r%16]))
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
}

// FuzzMembers: an object falls into the members, and an array into the elements,
// that encoding/json finds in it, and they can be joined again.
func FuzzMembers(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		// What was not checked before must at least not make them panic.
		_, _ = AppendMembers(nil, data)
		_, _ = Elements(data)
		_, _ = Text(data)
		_, _ = Integer(data)
		if Strict(data, Limits{}) != nil {
			return
		}
		var object map[string]json.RawMessage
		var array []json.RawMessage
		members, err := AppendMembers(nil, data)
		switch isObject := json.Unmarshal(data, &object) == nil && object != nil; {
		case isObject != (err == nil) || len(members) != len(object):
			t.Fatalf("AppendMembers(%q): got %q, %v, want %q", data, members, err, object)
		case isObject:
			for _, m := range members {
				if !bytes.Equal(bytes.TrimSpace(m.Value), object[string(m.Key)]) || !bytes.Equal(Get(members, string(m.Key)), m.Value) {
					t.Errorf("AppendMembers(%q): %q is %q, want %q", data, m.Key, m.Value, object[string(m.Key)])
				}
			}
			if canon, err := CanonicalLoose(data); err == nil {
				members, _ = AppendMembers(nil, canon)
				if joined := AppendObject(nil, members); !bytes.Equal(joined, canon) {
					t.Errorf("AppendObject: got %q, want %q", joined, canon)
				}
			}
		}
		elements, err := Elements(data)
		if isArray := json.Unmarshal(data, &array) == nil && array != nil; isArray != (err == nil) || len(elements) != len(array) {
			t.Fatalf("Elements(%q): got %q, %v, want %q", data, elements, err, array)
		}
		for i, element := range elements {
			if !bytes.Equal(bytes.TrimSpace(element), array[i]) {
				t.Errorf("Elements(%q): got %q, want %q", data, element, array[i])
			}
		}
		var text *string
		if got, ok := Text(bytes.TrimSpace(data)); json.Unmarshal(data, &text) == nil && text != nil && (!ok || got != *text || !utf8.ValidString(got)) {
			t.Errorf("Text(%q): got %q, %v, want %q", data, got, ok, *text)
		}
		var number *int64
		if got, ok := Integer(bytes.TrimSpace(data)); json.Unmarshal(data, &number) == nil && number != nil && (!ok || got != *number) {
			t.Errorf("Integer(%q): got %d, %v, want %d", data, got, ok, *number)
		}
	})
}

// FuzzSign: what Sign signs, Verify accepts, whatever is unsigned; a change of
// anything else it refuses; and a second signature leaves the first.
func FuzzSign(f *testing.F) {
	for _, text := range []string{
		`{}`, `{"two": "Two", "one": 1}`, bodies[0].text, `{"signatures":{"a":{"ed25519:0":"x"}},"unsigned":{"age":1}}`,
		`{"signatures":[]}`, `{"signatures":{"domain":1}}`, `{"signatures":null}`, `[]`, `{"a":1.5}`,
	} {
		f.Add([]byte(text), "domain", "ed25519:1")
	}
	f.Add([]byte(`{"a":{"\u0000":"\n"}}`), "do\"main", "\\")
	key := vectorKey(f)
	public := key.Public().(ed25519.PublicKey)
	f.Fuzz(func(t *testing.T, object []byte, server, keyID string) {
		if !utf8.ValidString(server) || !utf8.ValidString(keyID) {
			return
		}
		signed, err := Sign(object, server, keyID, key)
		if err != nil {
			return
		}
		if err := Verify(signed, server, keyID, public); err != nil {
			t.Fatalf("Verify(%q): %v", signed, err)
		}
		if again, err := Sign(signed, server, keyID, key); err != nil || !bytes.Equal(again, signed) {
			t.Errorf("Sign(%q) again: got %q, %v", signed, again, err)
		}
		members, err := AppendMembers(nil, signed)
		if err != nil {
			t.Fatal(err)
		}
		with := func(name, value string) []byte {
			return AppendObject(nil, Set(slices.Clone(members), name, []byte(value)))
		}
		if err := Verify(with("unsigned", `{"age":12345}`), server, keyID, public); err != nil {
			t.Errorf("Verify with other unsigned data: %v", err)
		}
		changed := with("changed", `true`)
		if !bytes.Equal(changed, signed) && !errors.Is(Verify(changed, server, keyID, public), ErrBadSignature) {
			t.Errorf("Verify(%q): it is accepted after a change", changed)
		}
		both, err := Sign(signed, server+"x", keyID, key)
		if err != nil || Verify(both, server, keyID, public) != nil || Verify(both, server+"x", keyID, public) != nil {
			t.Errorf("Sign(%q) for another server: got %q, %v", signed, both, err)
		}
	})
}
