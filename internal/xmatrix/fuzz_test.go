package xmatrix_test

import (
	"maps"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/narthex-matrix/narthex/internal/xmatrix"
)

// readable is what a recipient takes: a scheme, and parameters with commas between.
var readable = func() *regexp.Regexp {
	const space, value = `[ \t]*`, `(?:"(?:[^"\\]|\\(?s:.))*"|[ \t]*[^", \t]+)`
	const parameter = `[^=",]*[^=", \t][^=",]*=` + value
	return regexp.MustCompile(`^(?i:x-matrix) ` + space + parameter + `(?:` + space + `,` + space + parameter + `)*` + space + `,?` + space + `$`)
}()

// FuzzParse: what is read is a list of parameters, and can be written and read
// again.
func FuzzParse(f *testing.F) {
	for _, header := range []string{
		`X-Matrix origin="a\"",key=ed25519:1 , sig="x"`, `X-Matrix origin="origin.hs.example.com",destination="destination.hs.example.com",key="ed25519:key1",sig="ABCDEF..."`,
		`X-Matrix origin=origin.example.com,key="ed25519:key1",sig="ABCDEF..."`, `x-matrix a=b,`, `X-Matrix a="b"c=d`, `X-Matrix a==`, `X-Matrix  =b`, `X-Matrix a="`, `X-Matrix a=b,A=c`, `X-Matrix a= b`, `X-Matrix a= "b"`, "X-Matrix\ta=b",
	} {
		f.Add(header)
	}
	f.Fuzz(func(t *testing.T, header string) {
		params, ok := xmatrix.Parse(header)
		if !ok {
			if len(params) != 0 {
				t.Errorf("%q: refused with %v", header, params)
			}
			return
		}
		if len(params) == 0 || !readable.MatchString(header) {
			t.Errorf("%q: read as %v", header, params)
		}
		var again []string
		for name, value := range params {
			if name != strings.ToLower(name) || strings.Trim(name, " \t") != name {
				t.Errorf("%q: the name %q", header, name)
			}
			again = append(again, name+`="`+strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value)+`"`)
		}
		got, ok := xmatrix.Parse("X-Matrix " + strings.Join(again, ", "))
		if !ok || !maps.Equal(got, params) {
			t.Errorf("%q: read as %v, and then as %v", header, params, got)
		}
	})
}

// FuzzWritten: whatever the values are, a header that is written by the rules is
// read as it was meant.
func FuzzWritten(f *testing.F) {
	f.Add("a.example", "b.example:8448", "ed25519:1", "a+/=")
	f.Add("", `"`, `\`, "a, b=c\"")
	f.Fuzz(func(t *testing.T, origin, destination, key, sig string) {
		want := map[string]string{"origin": origin, "destination": destination, "key": key, "sig": sig}
		quote := func(s string) string { return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"` }
		header := `X-Matrix origin=` + quote(origin) + `,destination=` + quote(destination) + "\t, key=" + quote(key) + ` ,SIG=` + quote(sig)
		if got, ok := xmatrix.Parse(header); !ok || !cmp.Equal(got, want) {
			t.Errorf("%q: got %v, %v, want %v", header, got, ok, want)
		}
	})
}
