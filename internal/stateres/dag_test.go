package stateres

import (
	"crypto/ed25519"
	"encoding/json"
	"maps"
	"testing"

	"github.com/narthex-matrix/narthex/internal/authrules"
	"github.com/narthex-matrix/narthex/internal/event"
	"github.com/narthex-matrix/narthex/internal/id"
)

const (
	alice = id.UserID("@alice:s") // made the room
	bob   = id.UserID("@bob:s")   // level 50
	carl  = id.UserID("@carl:s")  // level 50
	dora  = id.UserID("@dora:s")  // level 0
)

var signer = event.Signer{Server: "s", KeyID: "ed25519:1", Key: ed25519.NewKeyFromSeed(make([]byte, 32))}

// fataler is what testing.T and rapid.T have in common.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

// dag is a room's history.
type dag struct {
	t      fataler
	v      *event.Version
	room   id.RoomID
	events map[id.EventID]*event.Event
	ts     int64
}

func (d *dag) load(eventID id.EventID) *event.Event { return d.events[eventID] }

// branch is one end of the history.
type branch struct {
	*dag
	state StateMap
	last  *event.Event
}

func (b *branch) fork() *branch {
	return &branch{dag: b.dag, state: maps.Clone(b.state), last: b.last}
}

func (b *branch) lookup(eventType, stateKey string) *event.Event {
	return b.events[b.state[authrules.Key{Type: eventType, StateKey: stateKey}]]
}

// try appends a state event to the branch if the rules allow it, and returns nil if
// they do not.
func (b *branch) try(sender id.UserID, eventType, stateKey, content string) *event.Event {
	b.t.Helper()
	b.ts++
	draft := event.Draft{
		RoomID: b.room, Type: eventType, StateKey: &stateKey, Sender: sender, Content: json.RawMessage(content),
		OriginServerTS: b.ts, Depth: 1,
	}
	if b.last != nil {
		draft.Prev, draft.Depth = []id.EventID{b.last.ID}, b.last.Depth+1
	}
	for _, key := range authrules.AuthEventKeys(b.v, draft) {
		if eventID, there := b.state[key]; there {
			draft.Auth = append(draft.Auth, eventID)
		}
	}
	e, err := event.Build(b.v, draft, signer)
	if err != nil {
		b.t.Fatalf("Build(%s): %v", content, err)
	}
	if authrules.Check(e, b.lookup) != nil {
		return nil
	}
	b.events[e.ID], b.last = e, e
	b.state[authrules.Key{Type: eventType, StateKey: stateKey}] = e.ID
	return e
}

// set is try for events that must be allowed.
func (b *branch) set(sender id.UserID, eventType, stateKey, content string) *event.Event {
	b.t.Helper()
	e := b.try(sender, eventType, stateKey, content)
	if e == nil {
		b.t.Fatalf("%s by %s with %s is not allowed", eventType, sender, content)
	}
	return e
}

func (b *branch) member(sender, target id.UserID, membership string) *event.Event {
	b.t.Helper()
	return b.set(sender, event.TypeMember, string(target), `{"membership":"`+membership+`"}`)
}

// levels replaces the power levels; users are the members of "users" other than the
// creator, who has 100 in rooms where creators need a level.
func (b *branch) levels(sender id.UserID, users string) *event.Event {
	b.t.Helper()
	if !b.v.PrivilegedCreators {
		users = `"@alice:s":100,` + users
	}
	return b.set(sender, event.TypePowerLevels, "", `{"users":{`+users+`}}`)
}

// newRoom is a public room with four members.
func newRoom(t fataler, version string) *branch {
	t.Helper()
	v, ok := event.VersionByID(version)
	if !ok {
		t.Fatalf("VersionByID(%q): unknown", version)
	}
	b := &branch{dag: &dag{t: t, v: v, room: "!room:s", events: map[id.EventID]*event.Event{}}, state: StateMap{}}
	create := b.set(alice, event.TypeCreate, "", `{"creator":"@alice:s"}`)
	b.room = create.RoomID
	b.member(alice, alice, event.Join)
	b.levels(alice, `"@bob:s":50,"@carl:s":50`)
	b.set(alice, event.TypeJoinRules, "", `{"join_rule":"public"}`)
	for _, user := range []id.UserID{bob, carl, dora} {
		b.member(user, user, event.Join)
	}
	return b
}

// resolve resolves the branches in every order that a rotation gives, which must
// not matter, and returns the result.
func resolve(t fataler, branches ...*branch) StateMap {
	t.Helper()
	var first StateMap
	for turn := range branches {
		var sets []StateMap
		for i := range branches {
			sets = append(sets, branches[(i+turn)%len(branches)].state)
		}
		got, err := Resolve(branches[0].v, sets, branches[0].load)
		if err != nil {
			t.Fatalf("Resolve: %v", err)
		}
		if first == nil {
			first = got
		}
		if !maps.Equal(got, first) {
			t.Fatalf("Resolve depends on the order of the states: %v and %v", first, got)
		}
	}
	return first
}

func expect(t *testing.T, version string, got StateMap, want ...*event.Event) {
	t.Helper()
	for _, e := range want {
		if chosen := got[authrules.Key{Type: e.Type, StateKey: *e.StateKey}]; chosen != e.ID {
			t.Errorf("version %s: %s %q is %s, want %s with %s", version, e.Type, *e.StateKey, chosen, e.ID, e.Content)
		}
	}
}
