package stateres

import (
	"bytes"
	"errors"
	"maps"
	"testing"

	"pgregory.net/rapid"

	"github.com/narthex-matrix/narthex/internal/authrules"
	"github.com/narthex-matrix/narthex/internal/event"
	"github.com/narthex-matrix/narthex/internal/id"
)

var (
	allVersions   = []string{"1", "2", "3", "6", "11", "12"}
	sinceVersion2 = allVersions[1:]
)

func TestAgreement(t *testing.T) {
	for _, version := range allVersions {
		b := newRoom(t, version)
		if got := resolve(t, b, b.fork()); !maps.Equal(got, b.state) {
			t.Errorf("version %s: got %v, want %v", version, got, b.state)
		}
		got, err := Resolve(b.v, nil, b.load)
		if err != nil || len(got) != 0 {
			t.Errorf("version %s, no states: got %v, %v", version, got, err)
		}
	}
}

func TestIndependentChangesAreMerged(t *testing.T) {
	for _, version := range allVersions {
		left := newRoom(t, version)
		right := left.fork()
		topic := left.set(bob, "m.room.topic", "", `{"topic":"left"}`)
		name := right.set(carl, "m.room.name", "", `{"name":"right"}`)
		gone := right.member(dora, dora, event.Leave)
		expect(t, version, resolve(t, left, right), topic, name, gone)
	}
}

func TestConcurrentPowerLevels(t *testing.T) {
	for _, version := range sinceVersion2 {
		left := newRoom(t, version)
		right := left.fork()
		// Bob's change is older, but Alice's, who has more power, comes first, and
		// after it he may not make his.
		right.levels(bob, `"@bob:s":50,"@carl:s":50,"@dora:s":50`)
		topic := right.set(dora, "m.room.topic", "", `{"topic":"by Dora, with Bob's levels"}`)
		demotion := left.levels(alice, `"@carl:s":50`)
		got := resolve(t, left, right)
		expect(t, version, got, demotion)
		if got[authrules.Key{Type: "m.room.topic"}] == topic.ID {
			t.Errorf("version %s: a topic stands that rests on levels that lost", version)
		}
	}
}

// TestAuthDifference: the levels by which Bob was allowed to make the newest ones
// are in neither state, but only one of the states rests on them.
func TestAuthDifference(t *testing.T) {
	for _, version := range sinceVersion2 {
		left := newRoom(t, version)
		right := left.fork()
		left.levels(alice, `"@bob:s":100,"@carl:s":50`)
		newest := left.levels(bob, `"@bob:s":100,"@carl:s":100`)
		right.set(carl, "m.room.name", "", `{}`)
		expect(t, version, resolve(t, left, right), newest)
	}
}

func TestConcurrentPowerLevelsVersion1(t *testing.T) {
	left := newRoom(t, "1")
	right := left.fork()
	left.levels(alice, `"@carl:s":50`)
	left.set(alice, "m.room.name", "", `{}`) // depth counts, not power
	deeper := left.levels(alice, `"@carl:s":0`)
	right.levels(bob, `"@bob:s":50,"@carl:s":50,"@dora:s":50`)
	expect(t, "1", resolve(t, left, right), deeper)
}

func TestBanBeatsConcurrentActs(t *testing.T) {
	for _, version := range sinceVersion2 {
		base := newRoom(t, version)
		before := base.set(carl, "m.room.topic", "", `{"topic":"before"}`)
		left, right := base, base.fork()
		right.set(bob, "m.room.topic", "", `{"topic":"by Bob"}`)
		right.set(bob, event.TypeMember, string(bob), `{"membership":"join","displayname":"Robert"}`)
		ban := left.member(alice, bob, event.Ban)
		expect(t, version, resolve(t, left, right), ban, before)
	}
}

func TestBanBeatsConcurrentJoin(t *testing.T) {
	for _, version := range sinceVersion2 {
		base := newRoom(t, version)
		base.member(dora, dora, event.Leave)
		left, right := base, base.fork()
		right.member(dora, dora, event.Join) // earlier, which does not help
		ban := left.member(alice, dora, event.Ban)
		expect(t, version, resolve(t, left, right), ban)
	}
}

func TestJoinRuleBeatsConcurrentJoin(t *testing.T) {
	for _, version := range sinceVersion2 {
		base := newRoom(t, version)
		left := base.member(dora, dora, event.Leave)
		closed, open := base, base.fork()
		open.member(dora, dora, event.Join) // earlier, which does not help
		rule := closed.set(alice, event.TypeJoinRules, "", `{"join_rule":"invite"}`)
		expect(t, version, resolve(t, closed, open), rule, left)
	}
}

func TestTopicRace(t *testing.T) {
	for _, version := range sinceVersion2 {
		left := newRoom(t, version)
		right := left.fork()
		left.set(bob, "m.room.topic", "", `{"topic":"first"}`)
		second := right.set(carl, "m.room.topic", "", `{"topic":"second"}`)
		expect(t, version, resolve(t, left, right), second)

		left, right = newRoom(t, version), nil
		right = left.fork()
		a := left.set(bob, "m.room.topic", "", `{"topic":"a"}`)
		left.ts-- // at the same time
		b := right.set(carl, "m.room.topic", "", `{"topic":"b"}`)
		if b.ID < a.ID {
			a, b = b, a
		}
		expect(t, version, resolve(t, left, right), b)
	}
}

func TestTopicRaceVersion1(t *testing.T) {
	left := newRoom(t, "1")
	right := left.fork()
	left.set(bob, "m.room.name", "", `{}`)
	deeper := left.set(bob, "m.room.topic", "", `{"topic":"deeper"}`)
	right.set(carl, "m.room.topic", "", `{"topic":"later"}`)
	expect(t, "1", resolve(t, left, right), deeper)

	left = newRoom(t, "1")
	right = left.fork()
	a := left.set(bob, "m.room.topic", "", `{"topic":"a"}`)
	b := right.set(carl, "m.room.topic", "", `{"topic":"b"}`)
	if bytes.Compare(digest(b.ID), digest(a.ID)) < 0 {
		a = b
	}
	expect(t, "1", resolve(t, left, right), a)
}

func TestMainlineOutweighsTime(t *testing.T) {
	for _, version := range sinceVersion2 {
		base := newRoom(t, version)
		left, right := base.fork(), base.fork()
		left.levels(alice, `"@bob:s":50,"@carl:s":50,"@dora:s":10`)
		newer := left.set(bob, "m.room.topic", "", `{"topic":"rests on the newer levels"}`)
		right.set(carl, "m.room.topic", "", `{"topic":"later, but rests on the older levels"}`)
		expect(t, version, resolve(t, left, right), newer)
	}
}

// TestConflictedSubgraph is the state reset that version 12 ends. One state has
// fallen back to old power levels, the other has the newest, and those between are
// in neither, but below an event on which both rest.
func TestConflictedSubgraph(t *testing.T) {
	for _, version := range []string{"2", "11", "12"} {
		b := newRoom(t, version)
		oldest := b.levels(alice, `"@bob:s":50,"@carl:s":50`)
		b.levels(alice, `"@bob:s":100,"@carl:s":50`)
		b.set(alice, "m.room.topic", "", `{"topic":"rests on the levels between"}`)
		newest := b.levels(bob, `"@bob:s":100,"@carl:s":100`)
		fallen := b.fork()
		fallen.state[authrules.Key{Type: event.TypePowerLevels}] = oldest.ID
		want := newest
		if b.v.StateResolution == event.StateResolutionV2 {
			want = oldest
		}
		expect(t, version, resolve(t, b, fallen), want)
	}
}

// TestUnconflictedPowerLevels is the other change of version 12: what all agree on
// is not there when the conflicting events are weighed. A ban that was allowed when
// it was made stands although all now have levels by which it would not be.
func TestUnconflictedPowerLevels(t *testing.T) {
	for _, version := range []string{"2", "11", "12"} {
		base := newRoom(t, version)
		joined := base.lookup(event.TypeMember, string(dora))
		left, right := base, base.fork()
		ban := left.member(bob, dora, event.Ban)
		demotion := right.levels(alice, `"@carl:s":50`)
		left.state[authrules.Key{Type: event.TypePowerLevels}] = demotion.ID
		want := ban
		if base.v.StateResolution == event.StateResolutionV2 {
			want = joined
		}
		expect(t, version, resolve(t, left, right), demotion, want)
	}
}

func TestLeavingIsNoPowerEvent(t *testing.T) {
	for _, version := range sinceVersion2 {
		left := newRoom(t, version)
		right := left.fork()
		topic := right.set(bob, "m.room.topic", "", `{"topic":"the last of Bob"}`)
		gone := left.member(bob, bob, event.Leave)
		expect(t, version, resolve(t, left, right), topic, gone)
	}
}

func TestMissingEvents(t *testing.T) {
	for _, version := range allVersions {
		left := newRoom(t, version)
		right := left.fork()
		right.levels(bob, `"@bob:s":50,"@carl:s":50,"@dora:s":50`)
		right.set(dora, "m.room.topic", "", `{}`)
		left.levels(alice, `"@carl:s":50`)
		left.member(alice, dora, event.Ban)
		failed := 0
		for missing := range left.events {
			_, err := Resolve(left.v, []StateMap{left.state, right.state}, func(eventID id.EventID) *event.Event {
				if eventID == missing {
					return nil
				}
				return left.load(eventID)
			})
			var gap *MissingEventError
			if err != nil && (!errors.As(err, &gap) || gap.EventID != missing) {
				t.Errorf("version %s without %s: got %v", version, missing, err)
			}
			if err != nil {
				failed++
			}
		}
		if failed < 6 {
			t.Errorf("version %s: only %d events were missed", version, failed)
		}
	}
}

// TestCycles uses IDs of version 2, which are no hashes and so can form circles.
func TestCycles(t *testing.T) {
	v, _ := event.VersionByID("2")
	empty := ""
	build := func(eventID id.EventID, auth ...id.EventID) *event.Event {
		return &event.Event{
			ID: eventID, Type: event.TypePowerLevels, StateKey: &empty, Sender: alice, RoomID: "!r:s",
			Auth: auth, Content: []byte(`{}`), Raw: []byte(`{}`), Version: v,
		}
	}
	events := map[id.EventID]*event.Event{
		"$a": build("$a", "$b"), "$b": build("$b", "$a"), "$c": build("$c", "$c"), "$d": build("$d", "$a"),
	}
	key := authrules.Key{Type: event.TypePowerLevels}
	for _, pair := range [][2]id.EventID{{"$a", "$b"}, {"$a", "$c"}} {
		sets := []StateMap{{key: pair[0]}, {key: pair[1]}}
		_, err := Resolve(v, sets, func(eventID id.EventID) *event.Event { return events[eventID] })
		if !errors.Is(err, ErrCycle) {
			t.Errorf("Resolve(%v): got %v, want ErrCycle", pair, err)
		}
	}
	// Here the circle lies where the algorithm need not walk around it.
	sets := []StateMap{{key: "$d"}, {key: "$b"}}
	if _, err := Resolve(v, sets, func(eventID id.EventID) *event.Event { return events[eventID] }); err != nil {
		t.Errorf("Resolve beside a circle: got %v, want none", err)
	}
}

// TestRandomHistories lets users act at random on branches. Whatever comes of it,
// resolution succeeds, does not depend on the order of the states, keeps what all
// states agree on, chooses for each key an event that has this key, and leaves an
// agreed state as it is.
func TestRandomHistories(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base := newRoom(t, rapid.SampledFrom(allVersions).Draw(t, "version"))
		branches := []*branch{base, base.fork(), base.fork()}
		users := rapid.SampledFrom([]id.UserID{alice, bob, carl, dora})
		for range rapid.IntRange(1, 25).Draw(t, "acts") {
			b := rapid.SampledFrom(branches).Draw(t, "branch")
			sender, target := users.Draw(t, "sender"), users.Draw(t, "target")
			switch rapid.IntRange(0, 4).Draw(t, "act") {
			case 0:
				b.try(sender, event.TypeMember, string(target), `{"membership":"`+rapid.SampledFrom([]string{"join", "leave", "ban", "invite"}).Draw(t, "membership")+`"}`)
			case 1:
				b.try(sender, event.TypePowerLevels, "", `{"users":{"`+string(target)+`":`+rapid.SampledFrom([]string{"0", "50", "100"}).Draw(t, "level")+`}}`)
			case 2:
				b.try(sender, event.TypeJoinRules, "", `{"join_rule":"`+rapid.SampledFrom([]string{"invite", "public"}).Draw(t, "rule")+`"}`)
			case 3:
				b.try(sender, "m.room.topic", "", `{}`)
			case 4:
				b.ts = max(0, b.ts-rapid.Int64Range(0, 5).Draw(t, "back"))
			}
		}
		got := resolve(t, branches...)
		for key, eventID := range got {
			e := base.load(eventID)
			if e == nil || e.Type != key.Type || *e.StateKey != key.StateKey {
				t.Fatalf("%v is resolved to an event of another key", key)
			}
		}
		for key, eventID := range base.state {
			if branches[1].state[key] == eventID && branches[2].state[key] == eventID && got[key] != eventID {
				t.Fatalf("%v was agreed on and is resolved to another event", key)
			}
		}
		again, err := Resolve(base.v, []StateMap{got, maps.Clone(got)}, base.load)
		if err != nil || !maps.Equal(again, got) {
			t.Fatalf("an agreed state resolves to another: %v", err)
		}
	})
}
