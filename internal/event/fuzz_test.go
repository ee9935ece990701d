package event

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"
	"testing"

	cj "github.com/narthex-matrix/narthex/internal/canonicaljson"
	"github.com/narthex-matrix/narthex/internal/id"
)

// wire is an event as encoding/json reads it.
type wire struct {
	Type      string          `json:"type"`
	Sender    string          `json:"sender"`
	StateKey  *string         `json:"state_key"`
	Content   json.RawMessage `json:"content"`
	Depth     int64           `json:"depth"`
	Timestamp int64           `json:"origin_server_ts"`
}

// FuzzBuild: an event that is built is canonical, within the limits and signed; any
// reader of JSON finds in it what the draft said; and Parse takes it as intact, if
// its sender and its room have the form of such IDs.
func FuzzBuild(f *testing.F) {
	for _, row := range Versions() {
		v, _ := VersionByID(row.ID)
		for _, d := range drafts(v) {
			stateKey := "no state"
			if d.StateKey != nil {
				stateKey = *d.StateKey
			}
			f.Add(row.ID, d.Type, stateKey, d.StateKey != nil, string(d.Sender), string(d.RoomID), string(d.Content), string(d.Redacts), d.Depth)
		}
	}
	f.Add("12", "m.room.create", "", true, "@a:b", "", `{"a":9007199254740992}`, "", int64(math.MaxInt64))
	f.Add("1", "\x00", "\xff", true, "@:b", "!a:b", ` { "b" : 1e3 , "a" : 1.5 } `, "$x", int64(-1))
	signer := testSigner()
	public := signer.Key.Public().(ed25519.PublicKey)
	f.Fuzz(func(t *testing.T, name, eventType, stateKey string, isState bool, sender, room, content, redacts string, depth int64) {
		v, ok := VersionByID(name)
		if !ok || depth < 0 {
			return
		}
		d := Draft{
			RoomID: id.RoomID(room), Type: eventType, Sender: id.UserID(sender), Content: json.RawMessage(content), Redacts: id.EventID(redacts),
			Prev: []id.EventID{"$a:b"}, Auth: []id.EventID{"$c:d", "$e:f"}, Depth: depth, OriginServerTS: 1_700_000_000_000,
		}
		if isState {
			d.StateKey = &stateKey
		}
		e, err := Build(v, d, signer)
		if err != nil {
			if !errors.As(err, new(*ContentError)) && !errors.As(err, new(*TooLargeError)) {
				t.Errorf("Build: got %T %v", err, err)
			}
			return
		}
		if err := VerifySignature(e, signer.Server, signer.KeyID, public); err != nil {
			t.Errorf("VerifySignature(%q): %v", e.Raw, err)
		}
		if canon, err := canonical(v, e.Raw); err != nil || !bytes.Equal(canon, e.Raw) || len(e.Raw) > MaxSize {
			t.Errorf("Build: got %q, which is not canonical: %q, %v", e.Raw, canon, err)
		}
		var read wire
		if err := json.Unmarshal(e.Raw, &read); err != nil {
			t.Fatal(err)
		}
		if read.Type != eventType || read.Sender != sender || (read.StateKey != nil) != isState || isState && *read.StateKey != stateKey ||
			read.Depth != min(depth, cj.MaxInteger) || read.Timestamp != d.OriginServerTS || !bytes.Equal(read.Content, e.Content) {
			t.Errorf("Build: got %q from %+v", e.Raw, d)
		}
		parsed, intact, err := Parse(v, e.Raw)
		_, senderFault := id.ParseUserID(sender)
		_, roomFault := id.ParseRoomID(string(e.RoomID))
		switch {
		case senderFault != nil || roomFault != nil:
			if err == nil {
				t.Errorf("Parse(%q): accepted with IDs that are none", e.Raw)
			}
		case err != nil || !intact || parsed.ID != e.ID || parsed.RoomID != e.RoomID || parsed.Redacts != e.Redacts || !bytes.Equal(parsed.Raw, e.Raw):
			t.Errorf("Parse(%q): got %+v, intact %v, %v", e.Raw, parsed, intact, err)
		}
	})
}

// FuzzPowerLevels: power levels are read, or refused, as encoding/json and the
// letter of the specification would have it.
func FuzzPowerLevels(f *testing.F) {
	for _, version := range []string{"1", "6", "10", "12"} {
		for _, content := range []string{
			`{}`, `{"ban":50,"users":{"@a:b":100},"events":{"m.room.name":50},"notifications":{"room":20}}`, `{"users":{"a":1}}`, `{"kick":"50"}`,
			`{"users_default":-1,"state_default":9007199254740991,"invite":null}`, `{"events":[]}`, `{"events":null}`, `{"users":{"@a:b":" +5 "}}`,
			`{"redact":1.5}`, `{"redact":"1_0"}`, `{"redact":1e3}`, `{"events_default":99999999999999999999}`, `{"ban":true}`, `{"notifications":{"room":{}}}`,
		} {
			f.Add(version, content)
		}
	}
	f.Fuzz(func(t *testing.T, name, content string) {
		v, ok := VersionByID(name)
		if !ok {
			return
		}
		d := Draft{RoomID: "!a:b", Type: TypePowerLevels, StateKey: new(string), Sender: "@a:b", Content: json.RawMessage(content)}
		e, err := Build(v, d, testSigner())
		if err != nil {
			return
		}
		got, err := e.PowerLevels()
		if err != nil && (!errors.As(err, new(*PowerLevelsError)) || got != nil) {
			t.Fatalf("PowerLevels of %s: got %v, %T", e.Content, got, err)
		}
		var read map[string]json.RawMessage
		if err := json.Unmarshal(e.Content, &read); err != nil {
			t.Fatal(err)
		}
		good := true
		for _, name := range LevelNames {
			raw, stated := read[name]
			want, ok := plainLevel(v, raw)
			good = good && (ok || !stated)
			if level, there := int64(0), false; good && err == nil {
				if level, there = got.Named(name); there != stated || stated && level != want {
					t.Errorf("%s of %s: got %d, %v, want %d, %v", name, e.Content, level, there, want, stated)
				}
			}
		}
		for _, name := range []string{"users", "events", "notifications"} {
			var entries map[string]json.RawMessage
			if raw, stated := read[name]; stated && (json.Unmarshal(raw, &entries) != nil || entries == nil) {
				good = false
			}
			for key, raw := range entries {
				want, ok := plainLevel(v, raw)
				_, fault := id.ParseUserID(key)
				if good = good && ok && (name != "users" || fault == nil); !good || err != nil {
					continue
				}
				level := map[string]int64{"users": got.User(id.UserID(key)), "events": got.Event(key, true), "notifications": got.Notification(key)}[name]
				if level != want {
					t.Errorf("%s %q of %s: got %d, want %d", name, key, e.Content, level, want)
				}
			}
		}
		if good != (err == nil) {
			t.Errorf("PowerLevels of %s in version %s: got %v", e.Content, name, err)
		}
	})
}

// plainLevel reads one level. Since version 10 it is an integer; before, a string of
// one will do, and in versions 1 to 5 a fraction, whose part after the point is cut
// off.
func plainLevel(v *Version, raw json.RawMessage) (int64, bool) {
	if raw == nil || string(raw) == "null" {
		return 0, false
	}
	var integer int64
	if json.Unmarshal(raw, &integer) == nil {
		return integer, true
	}
	var text string
	if !v.IntegerPowerLevels && json.Unmarshal(raw, &text) == nil {
		integer, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
		return integer, err == nil
	}
	var number float64
	if !v.StrictJSON && json.Unmarshal(raw, &number) == nil && math.Abs(number) < 1<<63 {
		return int64(number), true
	}
	return 0, false
}
