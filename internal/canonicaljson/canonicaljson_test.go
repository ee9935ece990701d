package canonicaljson

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// specExamples are the examples of the appendix "Canonical JSON". The last one
// has a number with an exponent, which only the loose form takes.
var specExamples = []struct {
	in, want string
	loose    bool
}{
	{in: `{}`, want: `{}`},
	{in: "{\n    \"one\": 1,\n    \"two\": \"Two\"\n}", want: `{"one":1,"two":"Two"}`},
	{in: "{\n    \"b\": \"2\",\n    \"a\": \"1\"\n}", want: `{"a":"1","b":"2"}`},
	{in: `{"b":"2","a":"1"}`, want: `{"a":"1","b":"2"}`},
	{
		in: `{"auth": {"success": true, "mxid": "@john.doe:example.com", "profile": {"display_name": "John Doe",
			"three_pids": [{"medium": "email", "address": "john.doe@example.org"}, {"medium": "msisdn", "address": "123456789"}]}}}`,
		want: `{"auth":{"mxid":"@john.doe:example.com","profile":{"display_name":"John Doe","three_pids":[{"address":"john.doe@example.org","medium":"email"},{"address":"123456789","medium":"msisdn"}]},"success":true}}`,
	},
	{in: `{"a": "日本語"}`, want: `{"a":"日本語"}`},
	{in: `{"本": 2, "日": 1}`, want: `{"日":1,"本":2}`},
	{in: `{"a": "\u65E5"}`, want: `{"a":"日"}`},
	{in: `{"a": null}`, want: `{"a":null}`},
	{in: `{"a": -0, "b": 1e10}`, want: `{"a":0,"b":10000000000}`, loose: true},
}

func TestCanonicalSpecExamples(t *testing.T) {
	for _, c := range specExamples {
		canon := Canonical
		if c.loose {
			if _, err := Canonical([]byte(c.in)); err == nil {
				t.Errorf("Canonical(%s): accepted, want an error", c.in)
			}
			canon = CanonicalLoose
		}
		got, err := canon([]byte(c.in))
		if err != nil || string(got) != c.want {
			t.Errorf("Canonical(%s): got %s, %v, want %s", c.in, got, err, c.want)
		}
	}
}

func TestCanonicalValues(t *testing.T) {
	cases := []struct{ in, want string }{
		{`0`, `0`}, {`-0`, `0`}, {` 1 `, `1`}, {`-1`, `-1`},
		{`9007199254740991`, `9007199254740991`}, {`-9007199254740991`, `-9007199254740991`},
		{`"\u0000\u0007\b\t\n\f\r\u001f\"\\\/"`, `"\u0000\u0007\b\t\n\f\r\u001f\"\\/"`},
		{`"\u007f\u2028<>&"`, "\"\u007f\u2028<>&\""},
		{`"\ud83d\ude00"`, `"😀"`},
		{`{"\ud83d\ude00":1,"\uffff":2}`, "{\"\uffff\":2,\"😀\":1}"}, // by code point, not by UTF-16 unit
		{`{"b":{"d":1,"c":2},"a":[{"z":1,"y":[]},{}]}`, `{"a":[{"y":[],"z":1},{}],"b":{"c":2,"d":1}}`},
		{`{"\u0061b":1,"aa":2}`, `{"aa":2,"ab":1}`},
		{`{"a\n":1,"a ":2,"a\t":3}`, `{"a\t":3,"a\n":1,"a ":2}`}, // by character, not by its escape
		{`{"":1}`, `{"":1}`},
		{`[ ]`, `[]`}, {`[true , false,null]`, `[true,false,null]`},
	}
	for _, c := range cases {
		got, err := Canonical([]byte(c.in))
		if err != nil || string(got) != c.want {
			t.Errorf("Canonical(%s): got %s, %v, want %s", c.in, got, err, c.want)
		}
	}
}

func TestCanonicalLooseNumbers(t *testing.T) {
	cases := []struct{ in, want string }{
		{`9007199254740993`, `9007199254740993`}, {`99999999999999999999`, `99999999999999999999`},
		{`1.0`, `1.0`}, {`1.50`, `1.5`}, {`1e2`, `100`}, {`1e300`, `1e+300`}, {`1e-7`, `1e-07`}, {`0.001`, `0.001`},
		{`0.0`, `0.0`}, {`1.5e1`, `15`}, {`12345678901234567.0`, `1.2345678901234568e+16`},
	}
	for _, c := range cases {
		got, err := CanonicalLoose([]byte(c.in))
		if err != nil || string(got) != c.want {
			t.Errorf("CanonicalLoose(%s): got %s, %v, want %s", c.in, got, err, c.want)
		}
	}
	if _, err := CanonicalLoose([]byte(`1e999`)); err == nil {
		t.Error("CanonicalLoose(1e999): accepted, want an error")
	}
}

// refused lists what both readers refuse: with a *ShapeError at a path, or, when
// shape is false, with a *SyntaxError.
var refused = []struct {
	in    string
	shape bool
	path  string
}{
	{in: ``}, {in: ` `}, {in: `{`}, {in: `[`}, {in: `"`}, {in: `"a`}, {in: `{"a"}`}, {in: `{"a":}`}, {in: `{"a":1,}`}, {in: `[1,]`},
	{in: `{a:1}`}, {in: `{1:1}`}, {in: `nul`}, {in: `True`}, {in: `01`}, {in: `-`}, {in: `+1`}, {in: `1.`}, {in: `.5`}, {in: `1e`}, {in: `NaN`},
	{in: `{} {}`}, {in: `{}x`}, {in: "\ufeff{}"}, {in: "\"\xff\""}, {in: "\"\xed\xa0\x80\""}, {in: "\"\xc0\x80\""}, {in: "{\"\xff\":1}"},
	{in: `"\ud800"`}, {in: `"\udc00"`}, {in: `"\ud800\u0041"`}, {in: `"\ud800\ud800"`}, {in: `"\x"`}, {in: `"\u12"`}, {in: `"\u12g4"`}, {in: `"\`},
	{in: "\"a\nb\""}, {in: "\"\x00\""}, {in: "\x00"}, {in: `[1 2]`}, {in: `{"a":1 "b":2}`}, {in: `{"a" 1}`}, {in: `]`}, {in: `{"a":1]`}, {in: `'a'`}, {in: `// c`},
	{in: `{"a":1,"a":2}`, shape: true, path: "a"},
	{in: `{"a":1,"\u0061":2}`, shape: true, path: "a"},
	{in: `{"x":[0,{"a":1,"b":2,"a":1}]}`, shape: true, path: "x[1].a"},
	{in: `{"x":{"y":{"":1,"":2}}}`, shape: true, path: `x.y.""`},
	{in: `{"b":1,"a":{"c":[[{"d":0,"d":0}]]}}`, shape: true, path: "a.c[0][0].d"},
}

func TestRefused(t *testing.T) {
	readers := map[string]func([]byte) error{
		"Strict":    func(data []byte) error { return Strict(data, Limits{}) },
		"Canonical": func(data []byte) error { _, err := Canonical(data); return err },
	}
	for name, read := range readers {
		for _, c := range refused {
			err := read([]byte(c.in))
			var syntax *SyntaxError
			var shape *ShapeError
			switch {
			case !c.shape && !errors.As(err, &syntax):
				t.Errorf("%s(%q): got %v, want a *SyntaxError", name, c.in, err)
			case c.shape && !errors.As(err, &shape):
				t.Errorf("%s(%q): got %v, want a *ShapeError", name, c.in, err)
			case c.shape && shape.Path != c.path:
				t.Errorf("%s(%q): path %q, want %q", name, c.in, shape.Path, c.path)
			}
		}
	}
}

func TestCanonicalRefusesNumbers(t *testing.T) {
	for _, in := range []string{`9007199254740992`, `-9007199254740992`, `99999999999999999999`, `1.0`, `0.0`, `-0.0`, `1e2`, `1E2`} {
		var shape *ShapeError
		if _, err := Canonical([]byte(`{"a":[` + in + `]}`)); !errors.As(err, &shape) || shape.Path != "a[0]" {
			t.Errorf("Canonical(%s): got %v, want a *ShapeError at a[0]", in, err)
		}
		if err := Strict([]byte(in), Limits{}); err != nil {
			t.Errorf("Strict(%s): got %v, want none", in, err)
		}
	}
}

func TestDepth(t *testing.T) {
	nested := func(n int) []byte { return []byte(strings.Repeat(`[`, n) + strings.Repeat(`]`, n)) }
	if err := Strict(nested(100), Limits{}); err != nil {
		t.Errorf("Strict(100 levels): got %v, want none", err)
	}
	if err := Strict(nested(3), Limits{Depth: 3}); err != nil {
		t.Errorf("Strict(3 of 3 levels): got %v, want none", err)
	}
	var shape *ShapeError
	for _, n := range []int{101, 10_000, 1_000_000} {
		if err := Strict(nested(n), Limits{}); !errors.As(err, &shape) {
			t.Errorf("Strict(%d levels): got %v, want a *ShapeError", n, err)
		}
		if len(shape.Path) > longestPath {
			t.Errorf("Strict(%d levels): the path has %d bytes", n, len(shape.Path))
		}
	}
	if _, err := Canonical(nested(101)); !errors.As(err, &shape) {
		t.Errorf("Canonical(101 levels): got %v, want a *ShapeError", err)
	}
	wide := []byte(`[` + strings.Repeat(`[],{},`, 200) + `0]`)
	if err := Strict(wide, Limits{Depth: 2}); err != nil {
		t.Errorf("Strict(many siblings): got %v, want none", err)
	}
}

// deepNames is nested too deeply, at a path that would be one byte too long.
var deepNames = strings.Repeat(`[{"0":`, 10) + `[{"":` + strings.Repeat(`[{"0":`, 39) + `[0`

func TestPathIsBounded(t *testing.T) {
	for _, in := range []string{deepNames, strings.Repeat(`{"a":`, 101), strings.Repeat(`[`, 101), `{"` + strings.Repeat("a", 250) + `":{"b":1,"b":1}}`} {
		var shape *ShapeError
		if err := Strict([]byte(in), Limits{}); !errors.As(err, &shape) || shape.Path == "" || len(shape.Path) > longestPath {
			t.Errorf("Strict(%s): got a path of %d bytes, %v", in, len(shape.Path), err)
		}
	}
}

func TestDuplicateAmongManyKeys(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{"inner":{"k1":1},`)
	for i := range 100 {
		b.WriteString(`"k` + strings.Repeat("x", i) + `":{"k1":1},`)
	}
	if err := Strict([]byte(b.String()+`"last":0}`), Limits{}); err != nil {
		t.Errorf("Strict: got %v, want none", err)
	}
	var shape *ShapeError
	if err := Strict([]byte(b.String()+`"kxxx":0}`), Limits{}); !errors.As(err, &shape) || shape.Path != "kxxx" {
		t.Errorf("Strict: got %v, want a *ShapeError at kxxx", err)
	}
}

func TestSameKeyInDifferentObjects(t *testing.T) {
	for _, in := range []string{`{"a":{"b":1},"b":{"a":1}}`, `[{"a":1},{"a":1}]`, `{"a":{"a":{"a":1}}}`, `{"a":[{"b":1},{"b":1}],"b":1}`} {
		if err := Strict([]byte(in), Limits{}); err != nil {
			t.Errorf("Strict(%s): got %v, want none", in, err)
		}
	}
}

func TestErrorTexts(t *testing.T) {
	err := Strict([]byte(`{"a":1,"a":2}`), Limits{})
	if got, want := err.Error(), "This JSON cannot be used: at a, the key appears twice."; got != want {
		t.Errorf("Error: got %q, want %q", got, want)
	}
	err = Strict([]byte(`{"a`), Limits{})
	if got, want := err.Error(), "This is not valid JSON: at byte 3, a string is not closed."; got != want {
		t.Errorf("Error: got %q, want %q", got, want)
	}
}

func TestMembers(t *testing.T) {
	canon := []byte(`{"a":{"x":"}]\"\\"},"b":[1,{"c":"\\"}],"d\n":-12,"e":"é"}`)
	members, err := AppendMembers(nil, canon)
	if err != nil {
		t.Fatalf("AppendMembers: %v", err)
	}
	if got := AppendObject(nil, members); !bytes.Equal(got, canon) {
		t.Errorf("AppendObject: got %s, want %s", got, canon)
	}
	if number, ok := Integer(Get(members, "d\n")); !ok || number != -12 {
		t.Errorf("Integer: got %d, %v, want -12", number, ok)
	}
	if text, ok := Text(Get(members, "e")); !ok || text != "é" {
		t.Errorf("Text: got %q, %v, want é", text, ok)
	}
	members = Set(Without(members, "a", "e", "zz"), "c", []byte(`0`))
	if got, want := string(AppendObject(nil, members)), `{"b":[1,{"c":"\\"}],"c":0,"d\n":-12}`; got != want {
		t.Errorf("AppendObject after Set: got %s, want %s", got, want)
	}
	elements, err := Elements([]byte(`["a",{"b":[]},3]`))
	if err != nil || len(elements) != 3 || string(elements[1]) != `{"b":[]}` {
		t.Errorf("Elements: got %s, %v", elements, err)
	}
	for _, bad := range []string{``, `[]`, `"a"`, `null`, `{"a"`, `{"a":`, `{"a":1`, `{"a":}`, `{"a":"`, `{"a":1}x`, `{"a":[}`} {
		if _, err := AppendMembers(nil, []byte(bad)); err == nil {
			t.Errorf("AppendMembers(%s): accepted, want an error", bad)
		}
	}
	for _, bad := range []string{``, `{}`, `[`, `[1`, `[1,`, `[,]`, `[1]x`} {
		if _, err := Elements([]byte(bad)); err == nil {
			t.Errorf("Elements(%s): accepted, want an error", bad)
		}
	}
	for _, bad := range []string{``, `"`, `1`, `null`, `"\ud800"`} {
		if text, ok := Text([]byte(bad)); ok {
			t.Errorf("Text(%s): got %q, want a refusal", bad, text)
		}
	}
	for _, bad := range []string{``, `"1"`, `1.0`, `1e2`, `null`, `99999999999999999999`, `1 `} {
		if number, ok := Integer([]byte(bad)); ok {
			t.Errorf("Integer(%s): got %d, want a refusal", bad, number)
		}
	}
}
