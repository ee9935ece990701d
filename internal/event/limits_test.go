package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"

	cj "github.com/narthex-matrix/narthex/internal/canonicaljson"
	"github.com/narthex-matrix/narthex/internal/id"
)

func TestBuildWholeSize(t *testing.T) {
	v, signer := version(t, "12"), testSigner()
	draft := messageDraft()
	draft.RoomID = "!" + id.RoomID(strings.Repeat("a", 43))
	size := func(padding int) (int, error) {
		draft.Content = json.RawMessage(`{"body":"` + strings.Repeat("x", padding) + `"}`)
		e, err := Build(v, draft, signer)
		if err != nil {
			return 0, err
		}
		return len(e.Raw), nil
	}
	base, err := size(0)
	if err != nil {
		t.Fatal(err)
	}
	for _, total := range []int{MaxSize - 1, MaxSize} {
		if got, err := size(total - base); err != nil || got != total {
			t.Errorf("Build with %d bytes: got %d, %v", total, got, err)
		}
	}
	for _, total := range []int{MaxSize + 1, 10 * MaxSize} {
		var large *TooLargeError
		if _, err := size(total - base); !errors.As(err, &large) || large.Limit != MaxSize {
			t.Errorf("Build with %d bytes: got %v, want a *TooLargeError", total, err)
		}
	}
}

func TestBuildFieldSizes(t *testing.T) {
	long := strings.Repeat("é", 128) // 256 bytes, but only 128 characters
	cases := map[string]func(*Draft){
		"the event type": func(d *Draft) { d.Type = long },
		"the state key":  func(d *Draft) { d.StateKey = &long },
		"the sender":     func(d *Draft) { d.Sender = id.UserID(long) },
		"the room ID":    func(d *Draft) { d.RoomID = id.RoomID(long) },
	}
	for what, change := range cases {
		draft := messageDraft()
		change(&draft)
		var large *TooLargeError
		if _, err := Build(version(t, "11"), draft, testSigner()); !errors.As(err, &large) || large.What != what || large.Size != 256 {
			t.Errorf("Build: got %v, want a *TooLargeError about %s", err, what)
		}
	}
	draft := messageDraft()
	draft.Type = strings.Repeat("x", MaxFieldSize)
	if _, err := Build(version(t, "11"), draft, testSigner()); err != nil {
		t.Errorf("Build with a type of 255 bytes: %v", err)
	}
}

func TestBuildContent(t *testing.T) {
	cases := []struct {
		content, from5, from6 string // the content built, or "" for a refusal
	}{
		{`{"b":1,"a":-0}`, `{"a":0,"b":1}`, `{"a":0,"b":1}`},
		{`{"a":1.5}`, `{"a":1.5}`, ``},
		{`{"a":[9007199254740993]}`, `{"a":[9007199254740993]}`, ``},
		{`[]`, ``, ``}, {`null`, ``, ``}, {``, ``, ``}, {`{"a":1,"a":2}`, ``, ``}, {"{\"a\":\"\xff\"}", ``, ``},
	}
	for _, c := range cases {
		for name, want := range map[string]string{"5": c.from5, "6": c.from6} {
			draft := messageDraft()
			draft.Content = json.RawMessage(c.content)
			e, err := Build(version(t, name), draft, testSigner())
			var content *ContentError
			switch {
			case want == "" && !errors.As(err, &content):
				t.Errorf("version %s, Build(%q): got %v, want a *ContentError", name, c.content, err)
			case want != "" && (err != nil || string(e.Content) != want):
				t.Errorf("version %s, Build(%q): got %v, want content %s", name, c.content, err, want)
			}
		}
	}
	bad := "a\xff"
	for name, spoil := range map[string]func(*Draft){
		"type": func(d *Draft) { d.Type = bad }, "state key": func(d *Draft) { d.StateKey = &bad },
		"sender": func(d *Draft) { d.Sender = id.UserID(bad) }, "room ID": func(d *Draft) { d.RoomID = id.RoomID(bad) },
		"prev event": func(d *Draft) { d.Prev = []id.EventID{id.EventID(bad)} },
	} {
		draft := messageDraft()
		spoil(&draft)
		if _, err := Build(version(t, "11"), draft, testSigner()); !errors.As(err, new(*ContentError)) {
			t.Errorf("Build with a %s that is not UTF-8: got %v, want a *ContentError", name, err)
		}
	}
}

func TestBuildClampsDepth(t *testing.T) {
	draft := messageDraft()
	draft.Depth = math.MaxInt64
	e, err := Build(version(t, "12"), draft, testSigner())
	if err != nil || e.Depth != cj.MaxInteger {
		t.Errorf("Build: got depth %d, %v, want %d", e.Depth, err, cj.MaxInteger)
	}
}

func TestBuildRedacts(t *testing.T) {
	draft := messageDraft()
	draft.Type, draft.Redacts, draft.Content = TypeRedaction, "$gone", json.RawMessage(`{"reason":"spam","redacts":"$other"}`)
	e, err := Build(version(t, "11"), draft, testSigner())
	if err != nil || string(e.Content) != `{"reason":"spam","redacts":"$gone"}` || e.Redacts != "$gone" {
		t.Errorf("version 11: got %v, want redacts in the content", err)
	}
	e, err = Build(version(t, "10"), draft, testSigner())
	if err != nil || !bytes.Contains(e.Raw, []byte(`"redacts":"$gone","room_id"`)) || e.Redacts != "$gone" {
		t.Errorf("version 10: got %v, want redacts beside the content", err)
	}
}

func TestParseRefuses(t *testing.T) {
	v := version(t, "10")
	built, err := Build(v, messageDraft(), testSigner())
	if err != nil {
		t.Fatal(err)
	}
	set := func(name, value string) []byte {
		members, err := cj.AppendMembers(nil, built.Raw)
		if err != nil {
			t.Fatal(err)
		}
		if value == "" {
			return cj.AppendObject(nil, cj.Without(members, name))
		}
		return cj.AppendObject(nil, cj.Set(members, name, []byte(value)))
	}
	many := func(n int) string { return `[` + strings.Repeat(`"$a",`, n) + `"$a"]` }
	cases := map[string][]byte{
		"not JSON": []byte(`{`), "an array": []byte(`[]`), "nothing": nil, "a duplicate": []byte(`{"a":1,"a":1}`),
		"no sender": set("sender", ""), "number as sender": set("sender", `1`), "bad sender": set("sender", `"alice"`),
		"no type": set("type", ""), "null type": set("type", `null`), "no content": set("content", ""), "array content": set("content", `[]`),
		"no depth": set("depth", ""), "text as depth": set("depth", `"1"`), "fraction as depth": set("depth", `1.5`),
		"negative depth": set("depth", `-1`), "no time": set("origin_server_ts", ""), "no prev": set("prev_events", ""),
		"no auth": set("auth_events", ""), "prev is no list": set("prev_events", `{}`), "prev holds numbers": set("prev_events", `[1]`),
		"21 prev": set("prev_events", many(20)), "11 auth": set("auth_events", many(10)), "no room": set("room_id", ""),
		"bad room": set("room_id", `"room"`), "number as state key": set("state_key", `1`), "no hashes": set("hashes", ""),
		"bad hashes": set("hashes", `[]`), "other hashes": set("hashes", `{"md5":"x"}`), "no signatures": set("signatures", ""),
	}
	for name, raw := range cases {
		if e, _, err := Parse(v, raw); !errors.As(err, new(*ContentError)) {
			t.Errorf("Parse of an event with %s: got %v, %v, want a *ContentError", name, e, err)
		}
	}
	long := `"` + strings.Repeat("x", 256) + `"`
	for name, raw := range map[string][]byte{
		"type": set("type", long), "state_key": set("state_key", long),
		"content":  set("content", `{"body":"`+strings.Repeat("x", MaxSize)+`"}`),
		"unsigned": set("unsigned", `{"x":"`+strings.Repeat("x", 5*MaxSize)+`"}`),
	} {
		if e, _, err := Parse(v, raw); !errors.As(err, new(*TooLargeError)) {
			t.Errorf("Parse of an event with a long %s: got %v, %v, want a *TooLargeError", name, e, err)
		}
	}
	e, intact, err := Parse(v, set("unsigned", `{"age":1}`))
	if err != nil || !intact || string(e.Unsigned) != `{"age":1}` || !bytes.Equal(e.Raw, built.Raw) {
		t.Errorf("Parse of an event with unsigned: intact %v, %v", intact, err)
	}
}

func TestLoadRefusesDamage(t *testing.T) {
	for _, raw := range []string{``, `{`, `[]`, `{}`, `{"type":1}`} {
		if _, err := Load(version(t, "12"), "$x", []byte(raw)); !errors.As(err, new(*ContentError)) {
			t.Errorf("Load(%s): got %v, want a *ContentError", raw, err)
		}
	}
}

// FuzzParse: no input makes Parse panic, and what it accepts can be read again to
// the same event.
func FuzzParse(f *testing.F) {
	for _, row := range Versions() {
		v, _ := VersionByID(row.ID)
		for _, draft := range drafts(v) {
			if e, err := Build(v, draft, testSigner()); err == nil {
				f.Add(row.ID, e.Raw)
			}
		}
	}
	f.Add("12", []byte(`{"hashes":{"sha256":""},"type":null}`))
	f.Fuzz(func(t *testing.T, name string, raw []byte) {
		v, ok := VersionByID(name)
		if !ok {
			return
		}
		e, intact, err := Parse(v, raw)
		if err != nil {
			return
		}
		again, stillIntact, err := Parse(v, e.Raw)
		if err != nil || again.ID != e.ID || !bytes.Equal(again.Raw, e.Raw) || intact && !stillIntact {
			t.Fatalf("Parse(%q) again: %v", e.Raw, err)
		}
		if _, err := Load(v, e.ID, e.Raw); err != nil {
			t.Fatalf("Load(%q): %v", e.Raw, err)
		}
		redacted, err := Redact(v, e.Raw)
		if err != nil {
			t.Fatalf("Redact(%q): %v", e.Raw, err)
		}
		before, _ := ReferenceHash(v, e.Raw)
		after, err := ReferenceHash(v, redacted)
		if err != nil || before != after {
			t.Fatalf("ReferenceHash of %q changes by redaction", e.Raw)
		}
		_, _ = e.PowerLevels() // an error is fine, a panic is not
		e.Membership()
		e.JoinRule()
		e.HistoryVisibility()
		e.Create()
	})
}
