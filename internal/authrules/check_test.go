package authrules

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/narthex-matrix/narthex/internal/event"
	"github.com/narthex-matrix/narthex/internal/id"
)

func TestCreate(t *testing.T) {
	create := func(sender id.UserID, content string, change ...func(*event.Draft)) func(*room) *event.Event {
		return func(r *room) *event.Event {
			text := strings.ReplaceAll(content, "VERSION", r.v.ID)
			return r.event(sender, event.TypeCreate, str(""), text, append([]func(*event.Draft){first}, change...)...)
		}
	}
	inRoom := func(d *event.Draft) { d.RoomID = "!room:s" }
	const creators = `{"creator":"@creator:s","additional_creators":`
	runCases(t, []testCase{
		{name: "a create event", try: create(creator, `{"creator":"@creator:s","room_version":"VERSION"}`, inRoom), rules: "ok"},
		{name: "a second one", try: sets(creator, event.TypeCreate, "", `{"creator":"@creator:s"}`), rules: "1.1"},
		{name: "of another server", try: create(other, `{"creator":"@other:s2"}`, inRoom), rules: "1.2 1.2 1.2 1.2 1.2 ok"},
		{name: "with an unknown version", try: create(creator, `{"creator":"@creator:s","room_version":"99"}`, inRoom), rules: "1.3", kind: Content},
		{name: "with a number as version", try: create(creator, `{"creator":"@creator:s","room_version":6}`, inRoom), rules: "1.3", kind: Content},
		{name: "with creators", try: create(creator, creators+`["@a:b"]}`, inRoom), rules: "ok"},
		{name: "with bad creators", try: create(creator, creators+`["a"]}`, inRoom), rules: "ok ok ok ok ok 1.4", kind: Content},
		{name: "with a number among the creators", try: create(creator, creators+`[1]}`, inRoom), rules: "ok ok ok ok ok 1.4", kind: Content},
		{name: "with creators that are no list", try: create(creator, creators+`"@a:b"}`, inRoom), rules: "ok ok ok ok ok 1.4", kind: Content},
		{name: "with a room ID", try: func(r *room) *event.Event {
			return r.event(creator, event.TypeCreate, str("x"), `{"creator":"@creator:s"}`, first)
		}, rules: "ok ok ok ok ok 1.2"},
	})
	for version, rule := range map[string]string{"1": "1.4", "10": "1.4", "11": "", "12": ""} {
		r := newRoom(t, version)
		got := Check(r.event(creator, event.TypeCreate, str(""), `{}`, first, inRoom), r.state)
		if rule == "" && got != nil || rule != "" && (got == nil || got.Rule != rule) {
			t.Errorf("version %s, a create event without creator: got %+v, want rule %q", version, got, rule)
		}
	}
}

func TestRoomItself(t *testing.T) {
	notFederated := func(r *room) {
		content := strings.Replace(createContent(r.v), "{", `{"m.federate":false,`, 1)
		old := r.id
		create := r.event(creator, event.TypeCreate, str(""), content, first)
		r.events[Key{event.TypeCreate, ""}], r.id = create, create.RoomID
		if r.v.RoomIDIsCreateEvent && old == r.id {
			r.t.Fatal("the room ID did not change")
		}
	}
	message := sends(user, "m.room.message", `{}`)
	runCases(t, []testCase{
		{name: "a message", try: message, rules: "ok"},
		{name: "without a create event", setup: noState(event.TypeCreate), try: message, rules: "2.4 2.4 2.4 2.4 2.4 2"},
		{name: "in another room", try: func(r *room) *event.Event {
			return r.event(user, "m.room.message", nil, `{}`, func(d *event.Draft) { d.RoomID = "!x:s" })
		}, rules: "2.5 2.5 2.5 2.5 2.5 2"},
		{name: "by another server", try: sends(other, "m.room.message", `{}`), rules: "ok"},
		{name: "by another server where that is excluded", setup: notFederated, try: sends(other, "m.room.message", `{}`), rules: "3 3 3 3 3 4"},
		{name: "by the own server where others are excluded", setup: notFederated, try: sends(creator, "m.room.message", `{}`), rules: "ok"},
	})
}

func TestOrdinaryEvents(t *testing.T) {
	notIn := func(name string, sender id.UserID) testCase {
		return testCase{name: name, try: sends(sender, "m.room.message", `{}`), rules: "6 5 5 5 5 6", kind: NotJoined}
	}
	redacts := func(sender id.UserID, target id.EventID) func(*room) *event.Event {
		return func(r *room) *event.Event {
			return r.event(sender, event.TypeRedaction, nil, `{}`, func(d *event.Draft) { d.Redacts = target })
		}
	}
	runCases(t, []testCase{
		notIn("sent by a stranger", never), notIn("sent by one who left", gone), notIn("sent by the invited", invited),
		notIn("sent by the banned", banned), notIn("sent by one who knocked", knocked),
		{name: "state below state_default", try: sets(user, "m.room.topic", "", `{}`), rules: "8 7 7 7 7 8", kind: Power},
		{name: "state at state_default", try: sets(mod, "m.room.topic", "", `{}`), rules: "ok"},
		{name: "state with a level of its own", try: sets(user, "m.mine", "", `{}`), rules: "ok"},
		{name: "a message with a level of its own", try: sends(mod, "m.special", `{}`), rules: "8 7 7 7 7 8", kind: Power},
		{name: "no levels, state by a user", setup: noState(event.TypePowerLevels), try: sets(user, "m.room.topic", "", `{}`), rules: "8 7 7 7 7 8", kind: Power},
		{name: "no levels, message by a user", setup: noState(event.TypePowerLevels), try: sends(user, "m.special", `{}`), rules: "ok"},
		{name: "no levels, state by the creator", setup: noState(event.TypePowerLevels), try: sets(creator, "m.room.topic", "", `{}`), rules: "ok"},
		{name: "the creator below the levels", try: sets(creator, "m.room.topic", "", `{}`), rules: "8 7 7 7 7 ok", kind: Power},
		{name: "own state", try: sets(mod, "m.x", string(mod), `{}`), rules: "ok"},
		{name: "another's state", try: sets(mod, "m.x", string(user), `{}`), rules: "9 8 8 8 8 9", kind: Ownership},
		{name: "another's state without power", try: sets(user, "m.x", string(mod), `{}`), rules: "8 7 7 7 7 8", kind: Power},
		{name: "third-party invite", try: sets(mod, event.TypeThirdPartyInvite, "t", `{}`), rules: "ok"},
		{name: "third-party invite without power", try: sets(user, event.TypeThirdPartyInvite, "t", `{}`), rules: "7.1 6.1 6.1 6.1 6.1 7.1", kind: Power},
		{name: "own server's aliases", try: sets(user, event.TypeAliases, "s", `{}`), rules: "ok 7 7 7 7 8", kind: Power},
		{name: "a stranger's aliases", try: sets(never, event.TypeAliases, "s", `{}`), rules: "ok 5 5 5 5 6", kind: NotJoined},
		{name: "another server's aliases", try: sets(mod, event.TypeAliases, "s2", `{}`), rules: "4.2 ok ok ok ok ok", kind: Ownership},
		{name: "aliases that are no state", try: sends(mod, event.TypeAliases, `{}`), rules: "4.1 ok ok ok ok ok", kind: Content},
		{name: "redaction with power", try: redacts(mod, "$x:s2"), rules: "ok"},
		{name: "redaction of the own server's event", try: redacts(user, "$x:s"), rules: "ok"},
	})
	for version, rule := range map[string]string{"1": "11.3", "2": "11.3", "3": "", "6": "", "12": ""} {
		r := newRoom(t, version)
		got := Check(redacts(user, "$x:s2")(r), r.state)
		if rule == "" && got != nil || rule != "" && (got == nil || got.Rule != rule || got.Kind != Power) {
			t.Errorf("version %s, redaction of another server's event: got %+v, want rule %q", version, got, rule)
		}
	}
}

func TestAuthEventKeys(t *testing.T) {
	const thirdParty = `{"membership":"invite","third_party_invite":{"signed":{"token":"tok"}}}`
	cases := []struct {
		name, version string
		draft         event.Draft
		want          string
	}{
		{"create", "1", event.Draft{Type: event.TypeCreate, StateKey: str("")}, ""},
		{"message", "11", event.Draft{Type: "m.x", Sender: user}, "create: levels: member:@user:s"},
		{"message", "12", event.Draft{Type: "m.x", Sender: user}, "levels: member:@user:s"},
		{"join", "11", event.Draft{Type: event.TypeMember, Sender: user, StateKey: str("@user:s"), Content: json.RawMessage(`{"membership":"join"}`)}, "create: levels: member:@user:s rules:"},
		{"ban", "11", event.Draft{Type: event.TypeMember, Sender: user, StateKey: str("@mod:s"), Content: json.RawMessage(`{"membership":"ban"}`)}, "create: levels: member:@user:s member:@mod:s"},
		{"knock", "12", event.Draft{Type: event.TypeMember, Sender: user, StateKey: str("@user:s"), Content: json.RawMessage(`{ "membership": "knock" }`)}, "levels: member:@user:s rules:"},
		{"third-party invite", "1", event.Draft{Type: event.TypeMember, Sender: user, StateKey: str("@mod:s"), Content: json.RawMessage(thirdParty)}, "create: levels: member:@user:s member:@mod:s rules: third:tok"},
		{"restricted join", "8", event.Draft{Type: event.TypeMember, Sender: user, StateKey: str("@user:s"), Content: json.RawMessage(`{"membership":"join","join_authorised_via_users_server":"@mod:s"}`)}, "create: levels: member:@user:s rules: member:@mod:s"},
		{"restricted join before its time", "7", event.Draft{Type: event.TypeMember, Sender: user, StateKey: str("@user:s"), Content: json.RawMessage(`{"membership":"join","join_authorised_via_users_server":"@mod:s"}`)}, "create: levels: member:@user:s rules:"},
		{"malformed", "12", event.Draft{Type: event.TypeMember, Sender: user, StateKey: str("@mod:s"), Content: json.RawMessage(`[`)}, "levels: member:@user:s member:@mod:s"},
	}
	short := strings.NewReplacer("m.room.create", "create", "m.room.power_levels", "levels", "m.room.member", "member",
		"m.room.join_rules", "rules", "m.room.third_party_invite", "third")
	for _, c := range cases {
		v, _ := event.VersionByID(c.version)
		var got []string
		for _, key := range AuthEventKeys(v, c.draft) {
			got = append(got, short.Replace(key.Type)+":"+key.StateKey)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("AuthEventKeys of %s in version %s: got %q, want %q", c.name, c.version, got, c.want)
		}
	}
}

func TestCheckAuthEvents(t *testing.T) {
	for version, rules := range map[string][]string{"1": {"2.1", "2.2", "2.4", "2.5"}, "6": {"2.1", "2.2", "2.4", "2.5"}, "12": {"3.1", "3.2", "", "3.5"}} {
		r := newRoom(t, version)
		ev := r.event(user, "m.room.message", nil, `{}`)
		create, levels := r.state(event.TypeCreate, ""), r.state(event.TypePowerLevels, "")
		own, foreign := r.state(event.TypeMember, string(user)), r.state(event.TypeMember, string(mod))
		good := []*event.Event{create, levels, own}
		if r.v.RoomIDIsCreateEvent {
			good = good[1:]
		}
		elsewhere := *r
		elsewhere.id = "!elsewhere:s"
		moved := elsewhere.event(user, event.TypeMember, str(string(user)), `{"membership":"join"}`)
		for i, auth := range [][]*event.Event{
			append(good[:len(good):len(good)], own), append(good[:len(good):len(good)], foreign),
			{levels, own}, append(good[:len(good)-1:len(good)-1], moved),
		} {
			got := CheckAuthEvents(ev, auth)
			if rules[i] == "" && got != nil || rules[i] != "" && (got == nil || got.Rule != rules[i]) {
				t.Errorf("version %s, CheckAuthEvents case %d: got %+v, want rule %q", version, i, got, rules[i])
			}
		}
		if got := CheckAuthEvents(ev, append(good[:len(good):len(good)], ev)); got == nil {
			t.Errorf("version %s, CheckAuthEvents with a message: allowed", version)
		}
		if got := CheckAuthEvents(ev, good); got != nil {
			t.Errorf("version %s, CheckAuthEvents: got %+v, want none", version, got)
		}
	}
}

var ruleNumber = regexp.MustCompile(`^\d+(\.\d+)*$`)

// FuzzCheck: whatever an event contains, Check does not panic, and a rejection
// names a rule and a reason.
func FuzzCheck(f *testing.F) {
	f.Add("12", "m.room.power_levels", "", "@mod:s", `{"users":{"@x:y":1}}`, `{"users":{"@mod:s":100}}`)
	f.Add("9", "m.room.member", "@user:s", "@user:s", `{"membership":"join","join_authorised_via_users_server":"@mod:s"}`, `{}`)
	f.Add("1", "m.room.member", "@never:s", "@mod:s", `{"membership":"invite","third_party_invite":{"signed":{"mxid":"@never:s","token":""}}}`, `{"ban":"5"}`)
	f.Add("5", "m.room.aliases", "s", "@mod:s", `{}`, `{"ban":1.5}`)
	f.Add("2", "m.room.redaction", "", "@user:s", `{}`, `{"users":[]}`)
	f.Add("12", "m.room.create", "", "@user:s", `{"additional_creators":[1]}`, `{}`)
	roomOf := roomsBefore(f)
	f.Fuzz(func(t *testing.T, version, eventType, stateKey, sender, content, levels string) {
		if _, ok := event.VersionByID(version); !ok {
			return
		}
		r := roomOf(t, version)
		base := event.Draft{RoomID: r.id, Sender: creator, Type: event.TypePowerLevels, StateKey: str(""), Content: json.RawMessage(levels)}
		if e, err := event.Build(r.v, base, signer); err == nil {
			r.events[Key{event.TypePowerLevels, ""}] = e
		}
		for _, key := range []*string{&stateKey, nil} {
			e, err := event.Build(r.v, event.Draft{
				RoomID: r.id, Sender: id.UserID(sender), Type: eventType, StateKey: key, Content: json.RawMessage(content),
				Prev: []id.EventID{"$p"},
			}, signer)
			if err != nil {
				continue
			}
			if got := Check(e, r.state); got != nil && (!ruleNumber.MatchString(got.Rule) || got.Reason == "") {
				t.Errorf("Check: got rule %q, reason %q", got.Rule, got.Reason)
			}
		}
	})
}
