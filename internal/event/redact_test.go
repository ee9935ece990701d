package event

import (
	"encoding/json"
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"

	cj "github.com/narthex-matrix/narthex/internal/canonicaljson"
)

// TestRedactions holds each variant of the algorithm to testdata/redactions.json,
// which must cover every version in every case.
func TestRedactions(t *testing.T) {
	data, err := os.ReadFile("testdata/redactions.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Name  string
		Event json.RawMessage
		Want  map[string]json.RawMessage // by "first-last" room version
	}
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		covered := 0
		for span, want := range c.Want {
			first, last, _ := strings.Cut(span, "-")
			from, _ := strconv.Atoi(first)
			to, _ := strconv.Atoi(last)
			canon, err := cj.Canonical(want)
			if err != nil {
				t.Fatalf("%s: %v", c.Name, err)
			}
			for n := from; n <= to; n++ {
				covered++
				got, err := Redact(version(t, strconv.Itoa(n)), c.Event)
				if err != nil || string(got) != string(canon) {
					t.Errorf("%s, version %d: got %s, %v, want %s", c.Name, n, got, err, canon)
				}
			}
		}
		if covered != len(Versions()) {
			t.Errorf("%s covers %d versions, want %d", c.Name, covered, len(Versions()))
		}
	}
}

func TestRedactRefuses(t *testing.T) {
	for _, bad := range []string{``, `[]`, `{"a":1.5}`, `{"a":1,"a":1}`} {
		if _, err := Redact(version(t, "12"), []byte(bad)); !errors.As(err, new(*ContentError)) {
			t.Errorf("Redact(%s): got %v, want a *ContentError", bad, err)
		}
		if _, err := ReferenceHash(version(t, "12"), []byte(bad)); !errors.As(err, new(*ContentError)) {
			t.Errorf("ReferenceHash(%s): got %v, want a *ContentError", bad, err)
		}
	}
}

// TestRedactionKeepsIdentity: a redacted event has the ID and a signature of the
// whole one.
func TestRedactionKeepsIdentity(t *testing.T) {
	signer := testSigner()
	for _, row := range Versions()[2:] {
		v := version(t, row.ID)
		for name, draft := range drafts(v) {
			whole, err := Build(v, draft, signer)
			if err != nil {
				t.Fatal(err)
			}
			redacted, err := Redact(v, whole.Raw)
			if err != nil {
				t.Fatal(err)
			}
			hash, err := ReferenceHash(v, redacted)
			if err != nil || eventID(v, hash) != whole.ID {
				t.Errorf("version %s, %s: the redacted event is called %s, %v, want %s", v.ID, name, eventID(v, hash), err, whole.ID)
			}
		}
	}
}
