package push

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/narthex-matrix/narthex/internal/authrules"
	"github.com/narthex-matrix/narthex/internal/event"
	"github.com/narthex-matrix/narthex/internal/id"
)

const alice, bob = id.UserID("@alice:example.org"), id.UserID("@bob:example.org")

// sent is an event by Bob with a content, as the room model holds it.
func sent(eventType, content string) *event.Event {
	return &event.Event{ID: "$e", RoomID: "!r:example.org", Type: eventType, Sender: bob, OriginServerTS: 1700000000000,
		Content: json.RawMessage(content), Version: version()}
}

func version() *event.Version {
	v, _ := event.VersionByID("11")
	return v
}

func withKey(ev *event.Event, key string) *event.Event {
	ev.StateKey = &key
	return ev
}

func TestDefaultRules(t *testing.T) {
	levels := func(content string) *authrules.Levels {
		l := authrules.NewLevels(func(eventType, _ string) *event.Event {
			if eventType == event.TypePowerLevels {
				return withKey(sent(eventType, content), "")
			}
			return nil
		})
		return &l
	}
	large, two := Room{UserID: alice, Members: 3}, Room{UserID: alice, Members: 2}
	mighty, weak := large, large
	mighty.Levels, weak.Levels = levels(`{"users":{"@bob:example.org":50}}`), levels(`{"users":{"@bob:example.org":50},"notifications":{"room":51}}`)
	mention := `{"body":"hi","m.mentions":{"user_ids":["@carol:example.org","@alice:example.org"]},"msgtype":"m.text"}`
	const notify, highlight, sound, ring = `"notify"`, `{"set_tweak":"highlight"}`, `{"set_tweak":"sound","value":"default"}`, `{"set_tweak":"sound","value":"ring"}`
	for _, c := range []struct {
		name string
		ev   *event.Event
		room Room
		want string // the actions
	}{
		{"a message", sent("m.room.message", `{"body":"alice","msgtype":"m.text"}`), large, notify},
		{"a message for two", sent("m.room.message", `{"body":"hi"}`), two, notify + " " + sound},
		{"a notice", sent("m.room.message", `{"body":"hi","msgtype":"m.notice"}`), two, ""},
		{"an encrypted message", sent("m.room.encrypted", `{"ciphertext":"x"}`), large, notify},
		{"an encrypted message for two", sent("m.room.encrypted", `{}`), two, notify + " " + sound},
		{"an edit", sent("m.room.message", `{"body":"* hi","m.relates_to":{"event_id":"$x","rel_type":"m.replace"}}`), two, ""},
		{"an encrypted edit", sent("m.room.encrypted", `{"m.relates_to":{"event_id":"$x","rel_type":"m.replace"}}`), two, ""},
		{"a reply in a thread", sent("m.room.message", `{"body":"hi","m.relates_to":{"event_id":"$x","rel_type":"m.thread"}}`), large, notify},
		{"a reaction", sent("m.reaction", `{"m.relates_to":{"event_id":"$x","key":"+","rel_type":"m.annotation"}}`), two, ""},
		{"a mention", sent("m.room.message", mention), large, notify + " " + sound + " " + highlight},
		{"a mention of somebody else", sent("m.room.message", mention), Room{UserID: "@dave:example.org", Members: 9}, notify},
		{"a mention in a notice", sent("m.room.message", strings.Replace(mention, "m.text", "m.notice", 1)), large, ""},
		{"a mention that is no list", sent("m.room.message", `{"body":"hi","m.mentions":{"user_ids":"@alice:example.org"}}`), large, notify},
		{"a mention of the room by one who may", sent("m.room.message", `{"body":"hi","m.mentions":{"room":true}}`), mighty, notify + " " + highlight},
		{"by one who may not", sent("m.room.message", `{"body":"hi","m.mentions":{"room":true}}`), weak, notify},
		{"in a room without levels", sent("m.room.message", `{"body":"hi","m.mentions":{"room":true}}`), large, notify},
		{"a mention of the room that is no boolean", sent("m.room.message", `{"body":"hi","m.mentions":{"room":"true"}}`), mighty, notify},
		{"an invite for me", withKey(sent("m.room.member", `{"membership":"invite"}`), string(alice)), large, notify + " " + sound},
		{"an invite for another", withKey(sent("m.room.member", `{"membership":"invite"}`), "@carol:example.org"), large, ""},
		{"my own join by another's hand", withKey(sent("m.room.member", `{"membership":"join"}`), string(alice)), large, ""},
		{"a tombstone", withKey(sent("m.room.tombstone", `{"body":"moved"}`), ""), large, notify + " " + highlight},
		{"a tombstone that is no state", sent("m.room.tombstone", `{}`), large, ""},
		{"a tombstone with a key", withKey(sent("m.room.tombstone", `{}`), "x"), large, ""},
		{"a server ACL", withKey(sent("m.room.server_acl", `{}`), ""), large, ""},
		{"a call", sent("m.call.invite", `{"call_id":"1"}`), large, notify + " " + ring},
		{"a topic", withKey(sent("m.room.topic", `{"topic":"x"}`), ""), two, ""},
		{"something else", sent("org.example.x", `{"body":"x"}`), two, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := defaultRules.Evaluate(NewView(c.ev), &c.room)
			var actions []string
			for _, a := range v.Actions {
				actions = append(actions, string(a))
			}
			if got := strings.Join(actions, " "); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
			if v.Notify != strings.Contains(c.want, notify) || v.Highlight != strings.Contains(c.want, highlight) {
				t.Errorf("got notify %t, highlight %t for %s", v.Notify, v.Highlight, c.want)
			}
		})
	}
}

func TestConditions(t *testing.T) {
	levels := authrules.NewLevels(func(string, string) *event.Event { return nil })
	room := Room{UserID: alice, DisplayName: "Al*ce", Members: 7, Levels: &levels}
	create := withKey(sent("m.room.create", `{"a\\b":"back","creator":"@example:example.org","list":["x",1,true,null,{"x":1},["x"]],"m.federate":true,"n":3,"nothing":null,"o":{"deep.er":"yes"},"topic":"Lunch plans"}`), "")
	for _, c := range []struct {
		condition string
		want      bool
	}{
		{`{"kind":"event_match","key":"content.topic","pattern":"lunc?*"}`, true},
		{`{"kind":"event_match","key":"content.topic","pattern":"LUNCH PLANS"}`, true},
		{`{"kind":"event_match","key":"content.topic","pattern":"lunch"}`, false},
		{`{"kind":"event_match","key":"content.o.deep\\.er","pattern":"yes"}`, true},
		{`{"kind":"event_match","key":"content.o.deep.er","pattern":"*"}`, false},
		{`{"kind":"event_match","key":"content.a\\\\b","pattern":"back"}`, true},
		{`{"kind":"event_match","key":"content.a\\b","pattern":"back"}`, true}, // no escape: a backslash
		{`{"kind":"event_match","key":"content.n","pattern":"*"}`, false},
		{`{"kind":"event_match","key":"content.absent","pattern":"*"}`, false},
		{`{"kind":"event_match","key":"content.topic.x","pattern":"*"}`, false},
		{`{"kind":"event_match","key":"content","pattern":"*"}`, false},
		{`{"kind":"event_match","key":"","pattern":""}`, false},
		{`{"kind":"event_match","key":"type","pattern":"m.room.*"}`, true},
		{`{"kind":"event_match","key":"sender","pattern":"@bob:*"}`, true},
		{`{"kind":"event_match","key":"room_id","pattern":"!r:example.org"}`, true},
		{`{"kind":"event_match","key":"event_id","pattern":"$e"}`, true},
		{`{"kind":"event_match","key":"state_key","pattern":""}`, true},
		{`{"kind":"event_match","key":"redacts","pattern":"*"}`, false},
		{`{"kind":"event_match","key":"depth","pattern":"*"}`, false},
		{`{"kind":"event_match","key":"type"}`, false},
		{`{"kind":"event_match","pattern":"*"}`, false},
		{`{"kind":"event_match","key":"state_key","pattern":"$user"}`, false},
		{`{"kind":"event_property_is","key":"content.m\\.federate","value":true}`, true},
		{`{"kind":"event_property_is","key":"content.m\\.federate","value":"true"}`, false},
		{`{"kind":"event_property_is","key":"content.m\\.federate","value":1}`, false},
		{`{"kind":"event_property_is","key":"content.n","value":3}`, true},
		{`{"kind":"event_property_is","key":"content.n","value":3.0}`, false},
		{`{"kind":"event_property_is","key":"content.nothing","value":null}`, true},
		{`{"kind":"event_property_is","key":"content.absent","value":null}`, false},
		{`{"kind":"event_property_is","key":"content.topic","value":"lunch plans"}`, false},
		{`{"kind":"event_property_is","key":"content.topic","value":"\u004cunch plans"}`, true},
		{`{"kind":"event_property_is","key":"content.o","value":{"deep.er":"yes"}}`, false},
		{`{"kind":"event_property_is","key":"type","value":"m.room.create"}`, true},
		{`{"kind":"event_property_is","key":"origin_server_ts","value":1700000000000}`, true},
		{`{"kind":"event_property_is","key":"content.n"}`, false},
		{`{"kind":"event_property_contains","key":"content.list","value":"x"}`, true},
		{`{"kind":"event_property_contains","key":"content.list","value":"X"}`, false},
		{`{"kind":"event_property_contains","key":"content.list","value":1}`, true},
		{`{"kind":"event_property_contains","key":"content.list","value":null}`, true},
		{`{"kind":"event_property_contains","key":"content.list","value":false}`, false},
		{`{"kind":"event_property_contains","key":"content.list","value":["x"]}`, false},
		{`{"kind":"event_property_contains","key":"content.topic","value":"Lunch plans"}`, false},
		{`{"kind":"room_member_count","is":"7"}`, true},
		{`{"kind":"room_member_count","is":"==7"}`, true},
		{`{"kind":"room_member_count","is":"<7"}`, false},
		{`{"kind":"room_member_count","is":"<=7"}`, true},
		{`{"kind":"room_member_count","is":">6"}`, true},
		{`{"kind":"room_member_count","is":">=8"}`, false},
		{`{"kind":"room_member_count","is":"=7"}`, false},
		{`{"kind":"room_member_count","is":"!7"}`, false},
		{`{"kind":"room_member_count","is":"-7"}`, false},
		{`{"kind":"room_member_count","is":">"}`, false},
		{`{"kind":"room_member_count"}`, false},
		{`{"kind":"sender_notification_permission","key":"room"}`, false}, // 0 of 50
		{`{"kind":"sender_notification_permission"}`, false},
		{`{"kind":"contains_display_name"}`, false}, // there is no body
		{`{"kind":"org.example.phase_of_the_moon"}`, false},
		{`{"kind":7}`, false},
		{`"event_match"`, false},
	} {
		if got := compileCondition([]byte(c.condition), false)(NewView(create), &room); got != c.want {
			t.Errorf("%s: got %t, want %t", c.condition, got, c.want)
		}
	}
	for body, want := range map[string]bool{"hello AL*CE!": true, "hello alice": false, "al*ces": false, "": false} {
		content, err := json.Marshal(map[string]string{"body": body})
		if err != nil {
			t.Fatal(err)
		}
		if got := containsDisplayName(NewView(sent("m.room.message", string(content))), &room); got != want {
			t.Errorf("the name in %q: got %t, want %t", body, got, want)
		}
		if containsDisplayName(NewView(sent("m.room.message", string(content))), &Room{}) {
			t.Errorf("no name is in %q", body)
		}
	}
}

func TestRulesInTheirOrder(t *testing.T) {
	var c changes
	add := func(kind Kind, r Rule, before, after string) {
		t.Helper()
		if !c.put(kind, r, before, after) {
			t.Errorf("%s: the anchor is not there", r.RuleID)
		}
	}
	say := func(ruleID, pattern string) Rule { return Rule{RuleID: ruleID, Pattern: pattern, Actions: nil} }
	add(Content, say("b", "tea"), "", "")
	add(Content, say("a", "time"), "", "")
	add(Content, say("d", "x"), "", "b")
	add(Content, say("c", "y"), "d", "a")
	order := func() (list []string) {
		for _, r := range c.full()[Content] {
			list = append(list, r.RuleID)
		}
		return list
	}
	if diff := cmp.Diff([]string{"a", "b", "c", "d"}, order()); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
	no := false
	c.edit(Content, "b", &no, nil)
	add(Content, say("b", "coffee"), "", "")
	if r, _ := c.full().find(Content, "b"); r.Enabled || r.Pattern != "coffee" {
		t.Errorf("a replaced rule is %+v, want it disabled as before", r)
	}
	if diff := cmp.Diff([]string{"a", "b", "c", "d"}, order()); diff != "" {
		t.Errorf("order after replacing (-want +got):\n%s", diff)
	}
	add(Content, say("b", "coffee"), "", "d")
	add(Content, say("d", "x"), "a", "")
	if diff := cmp.Diff([]string{"d", "a", "c", "b"}, order()); diff != "" {
		t.Errorf("order after moving (-want +got):\n%s", diff)
	}
	for _, anchor := range []string{"e", ".m.rule.master", "a"} {
		if c.put(Content, say("a", "time"), anchor, "") {
			t.Errorf("a rule was placed beside %q", anchor)
		}
	}
}

// TestKindsInTheirOrder holds that each kind of rule wins over the next.
func TestKindsInTheirOrder(t *testing.T) {
	actions := func(sound string) Rule {
		return Rule{Actions: raws(`"notify"`, `{"set_tweak":"sound","value":"`+sound+`"}`)}
	}
	rule := func(ruleID, sound string) Rule {
		r := actions(sound)
		r.RuleID = ruleID
		return r
	}
	var c changes
	room := Room{UserID: alice, Members: 5}
	expect := func(want string) {
		t.Helper()
		v := compile(c.full()).Evaluate(NewView(sent("m.room.message", `{"body":"tea"}`)), &room)
		if len(v.Actions) != 2 || !strings.Contains(string(v.Actions[1]), want) {
			t.Errorf("got %s, want %s", v.Actions, want)
		}
	}
	c.put(Underride, rule("u", "underride"), "", "")
	expect("underride")
	c.put(FromUser, rule(string(bob), "sender"), "", "")
	expect("sender")
	c.put(InRoom, rule("!r:example.org", "room"), "", "")
	expect("room")
	tea := rule("tea", "content")
	tea.Pattern = "tea"
	c.put(Content, tea, "", "")
	expect("content")
	c.put(Override, rule("o", "override"), "", "")
	expect("override")
	yes, no := true, false
	c.edit(Override, "o", &no, nil)
	expect("content")
	c.edit(Override, ".m.rule.master", &yes, nil)
	if v := compile(c.full()).Evaluate(NewView(sent("m.room.message", `{"body":"tea"}`)), &room); v.Notify || len(v.Actions) > 0 {
		t.Errorf("with the master rule: got %s, want nothing", v.Actions)
	}
}

func TestHighlight(t *testing.T) {
	for actions, want := range map[string]bool{
		`{"set_tweak":"highlight"}`:                true,
		`{"set_tweak":"highlight","value":true}`:   true,
		`{"set_tweak":"highlight","value":false}`:  false,
		`{"set_tweak":"highlight","value":"true"}`: false,
		`{"set_tweak":"sound","value":"default"}`:  false,
	} {
		if v := verdict(raws(`"notify"`, actions)); v.Highlight != want || !v.Notify {
			t.Errorf("%s: got %+v, want highlight %t", actions, v, want)
		}
		if v := verdict(raws(actions)); v.Highlight || v.Notify {
			t.Errorf("%s without notify: got %+v", actions, v)
		}
	}
}

func TestSplitPath(t *testing.T) {
	for key, want := range map[string][]string{
		"content.body":            {"content", "body"},
		`content.m\.relates_to.x`: {"content", "m.relates_to", "x"},
		`content.m\\foo`:          {"content", `m\foo`},
		`content.\x`:              {"content", `\x`},
		`a\`:                      {`a\`},
		`a\\.b`:                   {`a\`, "b"},
		"":                        {""},
		"a..b":                    {"a", "", "b"},
	} {
		if diff := cmp.Diff(want, splitPath(key)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", key, diff)
		}
	}
}

func raws(texts ...string) (list []jsontext.Value) {
	for _, t := range texts {
		list = append(list, jsontext.Value(t))
	}
	return list
}
