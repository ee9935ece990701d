package xmatrix_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/narthex-matrix/narthex/internal/xmatrix"
)

func TestParse(t *testing.T) {
	for header, want := range map[string]map[string]string{
		`X-Matrix origin="a.example",destination="b",key="ed25519:1",sig="x"`: {"origin": "a.example", "destination": "b", "key": "ed25519:1", "sig": "x"},
		`X-Matrix origin=a.example:8448,key=ed25519:1,sig="x"`:                {"origin": "a.example:8448", "key": "ed25519:1", "sig": "x"},
		"x-matrix   ORIGIN=a \t,\t Key=b":                                     {"origin": "a", "key": "b"},
		`X-Matrix origin="a\"b\\c,=d"`:                                        {"origin": `a"b\c,=d`},
		`X-Matrix origin="",other=1`:                                          {"origin": "", "other": "1"},
		`X-Matrix sig="a+/="`:                                                 {"sig": "a+/="},
		`X-Matrix sig=a+/=`:                                                   {"sig": "a+/="},
		`X-Matrix`:                                                            nil,
		`X-Matrix origin`:                                                     nil,
		`X-Matrix origin=`:                                                    nil,
		`X-Matrix =a`:                                                         nil,
		`X-Matrix origin="a`:                                                  nil,
		`X-Matrix origin="a\`:                                                 nil,
		`X-Matrix origin="a" key="b"`:                                         nil,
		`X-Matrix origin=a key=b`:                                             nil,
		`X-Matrix origin=a,origin=b`:                                          nil,
		`X-Matrix origin=a,Origin=b`:                                          nil,
		`Bearer origin=a`:                                                     nil,
	} {
		got, ok := xmatrix.Parse(header)
		if ok != (want != nil) || (ok && !cmp.Equal(got, want)) {
			t.Errorf("%s: got %v, %v, want %v", header, got, ok, want)
		}
	}
}
