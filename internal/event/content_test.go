package event

import (
	"encoding/json"
	"errors"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/narthex-matrix/narthex/internal/id"
)

// stateEvent builds a state event of @alice:domain.
func stateEvent(t testing.TB, versionID, eventType, content string) *Event {
	t.Helper()
	draft := messageDraft()
	draft.Type, draft.StateKey, draft.Content = eventType, key(""), json.RawMessage(content)
	e, err := Build(version(t, versionID), draft, testSigner())
	if err != nil {
		t.Fatalf("Build(%s): %v", content, err)
	}
	return e
}

func TestPowerLevels(t *testing.T) {
	p, err := stateEvent(t, "12", TypePowerLevels, `{}`).PowerLevels()
	if err != nil {
		t.Fatal(err)
	}
	got := []int64{p.Ban, p.Kick, p.Redact, p.Invite, p.StateDefault, p.EventsDefault, p.UsersDefault, p.User("@a:b"), p.Event("m.x", true), p.Event("m.x", false), p.Notification("room")}
	if diff := cmp.Diff([]int64{50, 50, 50, 0, 50, 0, 0, 0, 50, 0, 50}, got); diff != "" {
		t.Errorf("defaults (-want +got):\n%s", diff)
	}
	p, err = stateEvent(t, "12", TypePowerLevels, `{"ban":1,"kick":2,"redact":3,"invite":4,"state_default":5,"events_default":6,"users_default":7,
		"users":{"@a:b":-8},"events":{"m.x":9},"notifications":{"room":10}}`).PowerLevels()
	if err != nil {
		t.Fatal(err)
	}
	got = []int64{p.Ban, p.Kick, p.Redact, p.Invite, p.StateDefault, p.EventsDefault, p.UsersDefault, p.User("@a:b"), p.User("@c:b"), p.Event("m.x", true), p.Event("m.y", true), p.Event("m.y", false), p.Notification("room")}
	if diff := cmp.Diff([]int64{1, 2, 3, 4, 5, 6, 7, -8, 7, 9, 5, 6, 10}, got); diff != "" {
		t.Errorf("stated levels (-want +got):\n%s", diff)
	}
	for _, name := range LevelNames {
		if _, stated := p.Named(name); !stated {
			t.Errorf("Named(%s): not stated", name)
		}
	}
	if level, stated := DefaultPowerLevels().Named("ban"); level != 50 || stated {
		t.Errorf("Named(ban) of the defaults: got %d, %v", level, stated)
	}
}

func TestPowerLevelForms(t *testing.T) {
	cases := []struct {
		value                string
		from1, from6, from10 string // the level, or "" for a refusal
	}{
		{`50`, "50", "50", "50"}, {`-1`, "-1", "-1", "-1"}, {`"50"`, "50", "50", ""}, {`" +0050 "`, "50", "50", ""}, {`"-3"`, "-3", "-3", ""},
		{`"5.5"`, "", "", ""}, {`""`, "", "", ""}, {`"0x5"`, "", "", ""}, {`"1_0"`, "", "", ""}, {`"99999999999999999999"`, "", "", ""},
		{`null`, "", "", ""}, {`true`, "", "", ""}, {`[]`, "", "", ""}, {`{}`, "", "", ""},
	}
	loose := []struct{ value, from1 string }{{`50.9`, "50"}, {`-0.5`, "0"}, {`5.114698E4`, "51146"}, {`1e2`, "100"}, {`1e30`, ""}, {`99999999999999999999`, ""}}
	check := func(versionID, content, value, want string) {
		t.Helper()
		p, err := stateEvent(t, versionID, TypePowerLevels, content).PowerLevels()
		var fault *PowerLevelsError
		switch {
		case want == "" && !errors.As(err, &fault):
			t.Errorf("version %s, level %s: got %v, want a *PowerLevelsError", versionID, value, err)
		case want != "" && err != nil:
			t.Errorf("version %s, level %s: %v", versionID, value, err)
		case want != "" && json.Number(want) != number(p.Ban):
			t.Errorf("version %s, level %s: got %d, want %s", versionID, value, p.Ban, want)
		}
	}
	for _, c := range cases {
		for versionID, want := range map[string]string{"1": c.from1, "5": c.from1, "6": c.from6, "9": c.from6, "10": c.from10, "12": c.from10} {
			check(versionID, `{"ban":`+c.value+`}`, c.value, want)
		}
	}
	for _, c := range loose {
		check("5", `{"ban":`+c.value+`}`, c.value, c.from1)
	}
	for content, property := range map[string]string{
		`{"users":{"@a:b":[]}}`: "users", `{"users":{"a":1}}`: "users", `{"users":1}`: "users", `{"events":[]}`: "events",
		`{"events":{"a":null}}`: "events", `{"notifications":1}`: "notifications", `{"invite":[]}`: "invite",
	} {
		var fault *PowerLevelsError
		if _, err := stateEvent(t, "12", TypePowerLevels, content).PowerLevels(); !errors.As(err, &fault) || fault.Property != property {
			t.Errorf("PowerLevels(%s): got %v, want an error about %s", content, err, property)
		}
	}
	if _, err := stateEvent(t, "12", TypeMember, `{}`).PowerLevels(); err == nil {
		t.Error("PowerLevels of a membership: no error")
	}
}

func number(n int64) json.Number {
	text, _ := json.Marshal(n)
	return json.Number(text)
}

func TestMemberContent(t *testing.T) {
	e := stateEvent(t, "12", TypeMember, `{"membership":"join","displayname":"A","avatar_url":"mxc://b/a","reason":"r",
		"join_authorised_via_users_server":"@b:c","third_party_invite":{"signed":{}}}`)
	want := MemberContent{
		Membership: Join, DisplayName: "A", AvatarURL: "mxc://b/a", Reason: "r", AuthorisedVia: "@b:c", HasAuthorisedVia: true,
		ThirdPartyInvite: json.RawMessage(`{"signed":{}}`),
	}
	if diff := cmp.Diff(&want, e.Member()); diff != "" {
		t.Errorf("Member (-want +got):\n%s", diff)
	}
	odd := stateEvent(t, "12", TypeMember, `{"membership":1,"displayname":null,"join_authorised_via_users_server":[]}`)
	if diff := cmp.Diff(&MemberContent{HasAuthorisedVia: true}, odd.Member()); diff != "" {
		t.Errorf("Member of an odd event (-want +got):\n%s", diff)
	}
	if got := stateEvent(t, "12", "m.x", `{"membership":"join"}`).Membership(); got != "" {
		t.Errorf("Membership of another type: got %q, want none", got)
	}
}

func TestJoinRules(t *testing.T) {
	e := stateEvent(t, "12", TypeJoinRules, `{"join_rule":"restricted","allow":[{"type":"m.room_membership","room_id":"!a:b"},1,{"type":"x"}]}`)
	want := JoinRuleContent{JoinRule: "restricted", Allow: []AllowCondition{{"m.room_membership", "!a:b"}, {"x", ""}}}
	if diff := cmp.Diff(&want, e.JoinRules()); diff != "" {
		t.Errorf("JoinRules (-want +got):\n%s", diff)
	}
	for _, content := range []string{`{}`, `{"join_rule":null,"allow":1}`} {
		if got := stateEvent(t, "12", TypeJoinRules, content).JoinRule(); got != "" {
			t.Errorf("JoinRule of %s: got %q, want none", content, got)
		}
	}
}

func TestHistoryVisibility(t *testing.T) {
	for content, want := range map[string]string{
		`{"history_visibility":"joined"}`: "joined", `{"history_visibility":"world_readable"}`: "world_readable",
		`{"history_visibility":"invited"}`: "invited", `{"history_visibility":"shared"}`: "shared",
		`{"history_visibility":"nobody"}`: "shared", `{}`: "shared", `{"history_visibility":1}`: "shared",
	} {
		if got := stateEvent(t, "12", TypeHistoryVisibility, content).HistoryVisibility(); got != want {
			t.Errorf("HistoryVisibility of %s: got %q, want %q", content, got, want)
		}
	}
}

func TestCreateContent(t *testing.T) {
	const content = `{"creator":"@bob:domain","room_version":"9","m.federate":false,"type":"m.space",
		"predecessor":{"room_id":"!old:b","event_id":"$last"},"additional_creators":["@carl:domain"]}`
	for versionID, creators := range map[string][]id.UserID{
		"1": {"@bob:domain"}, "10": {"@bob:domain"}, "11": {"@alice:domain"}, "12": {"@alice:domain", "@carl:domain"},
	} {
		want := CreateContent{
			Creators: creators, RoomVersion: "9", Type: "m.space", HasCreator: true, HasRoomVersion: true,
			Predecessor: Predecessor{"!old:b", "$last"},
		}
		if diff := cmp.Diff(&want, stateEvent(t, versionID, TypeCreate, content).Create()); diff != "" {
			t.Errorf("version %s, Create (-want +got):\n%s", versionID, diff)
		}
	}
	c := stateEvent(t, "12", TypeCreate, `{"m.federate":"no"}`).Create()
	if !c.Federate || c.CreatorsFault != "" || len(c.Creators) != 1 {
		t.Errorf("Create of a bare event: got %+v", c)
	}
	for _, bad := range []string{`"@a:b"`, `["a"]`, `[1]`, `{}`, `null`} {
		if c := stateEvent(t, "12", TypeCreate, `{"additional_creators":`+bad+`}`).Create(); c.CreatorsFault == "" {
			t.Errorf("Create with additional_creators %s: no fault found", bad)
		}
	}
}

func TestContentIsParsedOnceForManyAtOnce(t *testing.T) {
	e := stateEvent(t, "12", TypePowerLevels, `{"users":{"@a:b":1}}`)
	var group sync.WaitGroup
	results := make([]*PowerLevels, 8)
	for i := range results {
		group.Go(func() { results[i], _ = e.PowerLevels() })
	}
	group.Wait()
	for _, p := range results {
		if p == nil || p != results[0] {
			t.Errorf("PowerLevels: got %p, want the same result each time: %p", p, results[0])
		}
	}
	if n := testing.AllocsPerRun(100, func() { _, _ = e.PowerLevels() }); n != 0 {
		t.Errorf("PowerLevels allocates %v times when it is asked again, want never", n)
	}
}
