package authrules

import (
	"crypto/ed25519"
	"encoding/json"
	"strings"
	"testing"

	"github.com/narthex-matrix/narthex/internal/event"
	"github.com/narthex-matrix/narthex/internal/id"
)

const (
	creator = id.UserID("@creator:s")
	admin   = id.UserID("@admin:s")  // level 100
	mod     = id.UserID("@mod:s")    // level 50
	mod2    = id.UserID("@mod2:s")   // level 50
	user    = id.UserID("@user:s")   // level 0, joined
	other   = id.UserID("@other:s2") // level 0, joined, on another server
	banned  = id.UserID("@banned:s")
	invited = id.UserID("@invited:s")
	knocked = id.UserID("@knocked:s")
	gone    = id.UserID("@gone:s")
	never   = id.UserID("@never:s")
)

var signer = event.Signer{Server: "s", KeyID: "ed25519:1", Key: ed25519.NewKeyFromSeed(make([]byte, 32))}

// room is a room's state, for tests.
type room struct {
	t      testing.TB
	v      *event.Version
	id     id.RoomID
	events map[Key]*event.Event
}

func (r *room) state(eventType, stateKey string) *event.Event {
	return r.events[Key{eventType, stateKey}]
}

func str(s string) *string { return &s }

// event builds an event without putting it into the state.
func (r *room) event(sender id.UserID, eventType string, stateKey *string, content string, change ...func(*event.Draft)) *event.Event {
	r.t.Helper()
	d := event.Draft{
		RoomID: r.id, Type: eventType, StateKey: stateKey, Sender: sender, Content: json.RawMessage(content),
		Prev: []id.EventID{"$prev:s"}, Depth: 5,
	}
	for _, f := range change {
		f(&d)
	}
	e, err := event.Build(r.v, d, signer)
	if err != nil {
		r.t.Fatalf("Build(%s): %v", content, err)
	}
	return e
}

func (r *room) set(sender id.UserID, eventType, stateKey, content string) {
	r.t.Helper()
	r.events[Key{eventType, stateKey}] = r.event(sender, eventType, &stateKey, content)
}

func (r *room) member(user id.UserID, membership string) {
	r.t.Helper()
	r.set(user, event.TypeMember, string(user), `{"membership":"`+membership+`"}`)
}

const standardLevels = `{"users":{"@admin:s":100,"@mod:s":50,"@mod2:s":50},"invite":10,"users_default":0,
	"events":{"m.room.name":50,"m.special":100,"m.mine":0},"notifications":{"room":50},"redact":50,"kick":50,"ban":60}`

func createContent(v *event.Version) string {
	if v.ImplicitCreator {
		return `{"room_version":"` + v.ID + `"}`
	}
	return `{"room_version":"` + v.ID + `","creator":"@creator:s"}`
}

func newRoom(t testing.TB, version string) *room {
	t.Helper()
	v, ok := event.VersionByID(version)
	if !ok {
		t.Fatalf("VersionByID(%q): unknown", version)
	}
	r := &room{t: t, v: v, id: "!room:s", events: map[Key]*event.Event{}}
	create := r.event(creator, event.TypeCreate, str(""), createContent(v), first)
	r.id = create.RoomID
	r.events[Key{event.TypeCreate, ""}] = create
	for _, u := range []id.UserID{creator, admin, mod, mod2, user, other} {
		r.member(u, event.Join)
	}
	r.member(banned, event.Ban)
	r.member(invited, event.Invite)
	r.member(knocked, event.Knock)
	r.member(gone, event.Leave)
	r.set(creator, event.TypePowerLevels, "", standardLevels)
	r.set(creator, event.TypeJoinRules, "", `{"join_rule":"public"}`)
	return r
}

// first makes a draft the first of its room.
func first(d *event.Draft) { d.Prev = nil }

// columns are the versions for which the cases name a rule, in that order, with
// those that have the same rules.
var columns = []struct{ like, versions string }{
	{"1", "1 2 3 4 5"}, {"6", "6"}, {"7", "7"}, {"8", "8 9"}, {"10", "10 11"}, {"12", "12"},
}

// testCase is an attempt and the rule that refuses it: one for each column, "ok" if
// it is allowed and "-" if the case makes no sense there. A single word holds for
// all columns.
type testCase struct {
	name  string
	setup func(*room)
	try   func(*room) *event.Event
	rules string
	kind  Kind
}

func (c testCase) run(t *testing.T, versions string, column int) {
	rules := strings.Fields(c.rules)
	rule := rules[0]
	if len(rules) > 1 {
		rule = rules[column]
	}
	if rule == "-" {
		return
	}
	for _, version := range strings.Fields(versions) {
		r := newRoom(t, version)
		if c.setup != nil {
			c.setup(r)
		}
		got := Check(c.try(r), r.state)
		switch {
		case rule == "ok" && got != nil:
			t.Errorf("version %s, %s: got rule %s (%s), want it allowed", version, c.name, got.Rule, got.Reason)
		case rule == "ok":
		case got == nil:
			t.Errorf("version %s, %s: allowed, want rule %s", version, c.name, rule)
		case got.Rule != rule || got.Kind != c.kind:
			t.Errorf("version %s, %s: got rule %s, kind %v (%s), want rule %s, kind %v",
				version, c.name, got.Rule, got.Kind, got.Reason, rule, c.kind)
		}
	}
}

func runCases(t *testing.T, cases []testCase) {
	t.Helper()
	for _, c := range cases {
		for i, column := range columns {
			c.run(t, column.versions, i)
		}
	}
}

// becomes returns an attempt by sender to set a user's membership.
func becomes(sender, target id.UserID, membership string) func(*room) *event.Event {
	return func(r *room) *event.Event {
		return r.event(sender, event.TypeMember, str(string(target)), `{"membership":"`+membership+`"}`)
	}
}

// sends returns an attempt to send a message event.
func sends(sender id.UserID, eventType, content string) func(*room) *event.Event {
	return func(r *room) *event.Event { return r.event(sender, eventType, nil, content) }
}

// sets returns an attempt to set state.
func sets(sender id.UserID, eventType, stateKey, content string) func(*room) *event.Event {
	return func(r *room) *event.Event { return r.event(sender, eventType, &stateKey, content) }
}

func joinRuleIs(rule string) func(*room) {
	return func(r *room) { r.set(creator, event.TypeJoinRules, "", `{"join_rule":"`+rule+`"}`) }
}

func noState(eventType string) func(*room) {
	return func(r *room) { delete(r.events, Key{eventType, ""}) }
}
