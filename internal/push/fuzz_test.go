package push

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	cj "github.com/narthex-matrix/narthex/internal/canonicaljson"
	"github.com/narthex-matrix/narthex/internal/event"
)

// FuzzCondition holds conditions against another reading of the same words: values
// by encoding/json, patterns by regular expressions, paths by splitting.
func FuzzCondition(f *testing.F) {
	const message = `{"body":"Lunch plans","m.mentions":{"room":true,"user_ids":["@alice:example.org"]},"a.b":{"c\\d":null,"n":-3},"msgtype":"m.text"}`
	for _, condition := range []string{
		`{"kind":"event_match","key":"content.body","pattern":"lunc?*"}`, `{"kind":"event_match","key":"type","pattern":"m.room.*"}`,
		`{"kind":"event_match","key":"content.msgtype","pattern":"M.TEXT"}`, `{"kind":"event_match","key":"state_key","pattern":""}`,
		`{"kind":"event_match","key":"content.m\\.mentions.room","pattern":"true"}`, `{"kind":"event_match","key":"room_id"}`,
		`{"kind":"event_property_is","key":"content.m\\.mentions.room","value":true}`, `{"kind":"event_property_is","key":"content.a\\.b.c\\\\d","value":null}`,
		`{"kind":"event_property_is","key":"content.a\\.b.n","value":-3}`, `{"kind":"event_property_is","key":"content","value":{}}`,
		`{"kind":"event_property_contains","key":"content.m\\.mentions.user_ids","value":"@alice:example.org"}`, `{"kind":"event_property_contains","key":"type","value":"m"}`,
		`{"kind":"room_member_count","is":"2"}`, `{"kind":"room_member_count","is":">=3"}`, `{"kind":"room_member_count","is":"=<3"}`, `{"kind":"room_member_count"}`,
		`{"kind":"contains_display_name"}`, `{"kind":"sender_notification_permission","key":"room"}`, `{"kind":"org.example"}`, `[]`, `{"kind":1}`, `{"Kind":"event_match"}`,
	} {
		f.Add([]byte(condition), []byte(message), int64(3), "lunch")
	}
	f.Fuzz(func(t *testing.T, condition, content []byte, members int64, name string) {
		canon, err := cj.Canonical(content)
		if err != nil || canon[0] != '{' || cj.Strict(condition, cj.Limits{}) != nil || bytes.ContainsAny(condition, "\x01\x02") || strings.ToValidUTF8(name, "") != name {
			return
		}
		if len(canon) > 400 || len(condition) > 200 {
			return // regular expressions take their time
		}
		ev, room := sent("m.room.message", string(canon)), Room{UserID: alice, Members: members, DisplayName: name}
		got := compileCondition(jsontext.Value(condition), false)(NewView(ev), &room)
		want, sure := plainCondition(condition, ev, room)
		if sure && got != want {
			t.Errorf("%s of %s, %d members, for %q: got %v, want %v", condition, canon, members, name, got, want)
		}
	})
}

// plainCondition says whether a condition holds, and whether it is sure of that.
func plainCondition(condition []byte, ev *event.Event, room Room) (holds, sure bool) {
	var members map[string]json.RawMessage
	if json.Unmarshal(condition, &members) != nil {
		return false, true
	}
	texts := map[string]*string{}
	for _, name := range []string{"kind", "key", "pattern", "is"} {
		var text *string
		if json.Unmarshal(members[name], &text) != nil && members[name] != nil {
			return false, true // of another type
		}
		texts[name] = text
	}
	if texts["kind"] == nil {
		return false, true
	}
	switch kind := *texts["kind"]; kind {
	case "event_match":
		if texts["key"] == nil || texts["pattern"] == nil {
			return false, true
		}
		raw := plainValue(*texts["key"], ev)
		var text *string
		if raw == nil || json.Unmarshal(raw, &text) != nil || text == nil {
			return false, true
		}
		pattern := strings.ToLower(*texts["pattern"])
		whole := regexp.MustCompile(`(?s)\A(?:` + strings.NewReplacer(`\*`, `.*`, `\?`, `.`).Replace(regexp.QuoteMeta(pattern)) + `)\z`)
		if *texts["key"] == "content.body" {
			return inSomeWords(whole, strings.ToLower(*text)), true
		}
		// A pattern without wildcards is compared by folding, which knows a few letters
		// that lower case keeps apart.
		return whole.MatchString(strings.ToLower(*text)), strings.ContainsAny(pattern, "*?") || isASCII(*text+*texts["pattern"])
	case "event_property_is", "event_property_contains":
		want, err := cj.Canonical(members["value"])
		if texts["key"] == nil || err != nil || want[0] == '{' || want[0] == '[' {
			return false, true
		}
		raw := plainValue(*texts["key"], ev)
		if kind == "event_property_is" {
			return bytes.Equal(raw, want), true
		}
		var elements []json.RawMessage
		if raw == nil || json.Unmarshal(raw, &elements) != nil {
			return false, true
		}
		for _, e := range elements {
			holds = holds || bytes.Equal(e, want)
		}
		return holds, true
	case "room_member_count":
		if texts["is"] == nil {
			return false, true
		}
		parts := regexp.MustCompile(`^(==|<=|>=|<|>|)([0-9]+)$`).FindStringSubmatch(*texts["is"])
		if parts == nil {
			return false, true
		}
		n, err := strconv.ParseInt(parts[2], 10, 64)
		if err != nil || n >= 1<<32 {
			return false, true
		}
		return map[string]bool{"": room.Members == n, "==": room.Members == n, "<": room.Members < n, ">": room.Members > n, "<=": room.Members <= n, ">=": room.Members >= n}[parts[1]], true
	case "contains_display_name":
		var body *string
		name := strings.ToLower(room.DisplayName)
		if _ = json.Unmarshal(plainValue("content.body", ev), &body); body == nil || strings.TrimSpace(name) == "" {
			return false, true
		}
		return inSomeWords(regexp.MustCompile(`\A`+regexp.QuoteMeta(name)+`\z`), strings.ToLower(*body)), true
	}
	return false, true // without power levels, and for what is not known
}

func isASCII(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r >= 0x80 })
}

// plainValue finds the value at a path in the client's form of an event.
func plainValue(key string, ev *event.Event) json.RawMessage {
	marked := strings.NewReplacer(`\\`, "\x01", `\.`, "\x02").Replace(key)
	path := strings.Split(marked, ".")
	for i := range path {
		path[i] = strings.NewReplacer("\x01", `\`, "\x02", ".").Replace(path[i])
	}
	whole, err := json.Marshal(map[string]any{
		"type": ev.Type, "sender": ev.Sender, "room_id": ev.RoomID, "event_id": ev.ID, "origin_server_ts": ev.OriginServerTS, "content": ev.Content,
	})
	if err != nil {
		return nil
	}
	value := json.RawMessage(whole)
	for _, name := range path {
		var object map[string]json.RawMessage
		if json.Unmarshal(value, &object) != nil {
			return nil
		}
		value = object[name]
	}
	if value == nil {
		return nil
	}
	canon, err := cj.Canonical(value)
	if err != nil {
		return nil
	}
	return canon
}

// FuzzRules: whatever is accepted as a user's rule can be written, read and asked
// about any event without fault, and says the same each time.
func FuzzRules(f *testing.F) {
	f.Add(`[{"kind":"event_match","key":"content.body","pattern":"a*"}]`, `["notify",{"set_tweak":"highlight"}]`, "cake*lie", `{"body":"cake is a lie"}`)
	f.Add(`[{"kind":"room_member_count","is":"2"}]`, `["dont_notify"]`, "?", `{"body":""}`)
	f.Add(`[]`, `[{"set_tweak":"sound","value":"default"},"coalesce"]`, "", `{"body":1}`)
	f.Fuzz(func(t *testing.T, conditions, actions, pattern, content string) {
		var r Rule
		if cj.Strict([]byte(conditions), cj.Limits{}) != nil || cj.Strict([]byte(actions), cj.Limits{}) != nil ||
			json.Unmarshal([]byte(conditions), &r.Conditions) != nil || json.Unmarshal([]byte(actions), &r.Actions) != nil {
			return
		}
		canon, err := cj.Canonical([]byte(content))
		if err != nil || canon[0] != '{' {
			return
		}
		kept, err := checkActions(r.Actions)
		if err != nil {
			return
		}
		r.Actions, r.Enabled, r.Pattern = kept, true, pattern
		if again, err := checkActions(kept); err != nil || len(again) != len(kept) {
			t.Errorf("the actions %s are kept as %s, and then as %s, %v", actions, kept, again, err)
		}
		ev, room := sent("m.room.message", string(canon)), Room{UserID: alice, DisplayName: "Alice", Members: 2}
		for _, kind := range kinds {
			rules := compile(ruleset{kind: {r}})
			first, second := rules.Evaluate(NewView(ev), &room), rules.Evaluate(NewView(ev), &room)
			if first.Notify != second.Notify || first.Highlight != second.Highlight {
				t.Errorf("%s: got %+v, and then %+v", kind, first, second)
			}
			if first.Highlight && !first.Notify || first.Notify && !bytes.Contains([]byte(actions), []byte("notify")) {
				t.Errorf("%s with the actions %s: got %+v", kind, actions, first)
			}
		}
	})
}
