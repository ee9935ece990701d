package push_test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/narthex-matrix/narthex/internal/accountdata"
	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/push"
	"github.com/narthex-matrix/narthex/internal/rooms"
)

const rules = "/_matrix/client/v3/pushrules/"

// service is one of the test's own over the server's database, with empty caches.
func service(srv *apitest.Server) *push.Service {
	return push.New(push.Deps{DB: srv.App.DB, AccountData: accountdata.New(accountdata.Deps{DB: srv.App.DB}), Rooms: srv.App.Rooms})
}

type wireRule struct {
	RuleID     string            `json:"rule_id"`
	Default    bool              `json:"default"`
	Enabled    bool              `json:"enabled"`
	Conditions []json.RawMessage `json:"conditions"`
	Pattern    string            `json:"pattern"`
	Actions    []json.RawMessage `json:"actions"`
}

func ruleIDs(t *testing.T, c *apitest.Client, kind string) (ids []string) {
	t.Helper()
	var all map[string][]wireRule
	c.Do(t, "GET", rules+"global/", nil).OK(t, &all)
	for _, r := range all[kind] {
		ids = append(ids, r.RuleID)
	}
	return ids
}

func TestDefaultPushRules(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	var all struct{ Global map[string][]wireRule }
	alice.Do(t, "GET", rules, nil).OK(t, &all)
	want := map[string][]string{
		"override": {".m.rule.master", ".m.rule.suppress_notices", ".m.rule.invite_for_me", ".m.rule.member_event", ".m.rule.is_user_mention",
			".m.rule.is_room_mention", ".m.rule.tombstone", ".m.rule.reaction", ".m.rule.room.server_acl", ".m.rule.suppress_edits"},
		"content": {}, "room": {}, "sender": {},
		"underride": {".m.rule.call", ".m.rule.encrypted_room_one_to_one", ".m.rule.room_one_to_one", ".m.rule.message", ".m.rule.encrypted"},
	}
	got := map[string][]string{}
	for kind, list := range all.Global {
		got[kind] = []string{}
		for _, r := range list {
			got[kind] = append(got[kind], r.RuleID)
			if !r.Default || r.Enabled != (r.RuleID != ".m.rule.master") || r.Actions == nil || r.Conditions == nil {
				t.Errorf("%s is %+v", r.RuleID, r)
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the default rules (-want +got):\n%s", diff)
	}
	raw, err := os.ReadFile("defaults.json")
	if err != nil {
		t.Fatal(err)
	}
	var definition map[string][]wireRule
	if err := json.Unmarshal([]byte(strings.ReplaceAll(string(raw), "$user", string(alice.UserID))), &definition); err != nil {
		t.Fatal(err)
	}
	for _, list := range definition { // without the white space of the file
		for _, r := range list {
			for _, part := range [][]json.RawMessage{r.Conditions, r.Actions} {
				for i := range part {
					part[i] = []byte(strings.NewReplacer(": ", ":", ", ", ",").Replace(string(part[i])))
				}
			}
		}
	}
	if diff := cmp.Diff(definition, all.Global); diff != "" {
		t.Errorf("the definitions (-want +got):\n%s", diff)
	}
}

func TestPushRulePaths(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	for _, base := range []string{"/_matrix/client/v3/pushrules", "/_matrix/client/r0/pushrules"} {
		apitest.Run(t, []apitest.Case{
			{Name: "with a slash", As: alice, Do: "GET", Path: base + "/", Has: []string{`{"global":{"override":[{"rule_id":".m.rule.master"`, string(alice.UserID)}, HasNot: []string{"$user"}},
			{Name: "without", As: alice, Do: "GET", Path: base, Has: []string{`{"global":{"override":[`}},
			{Name: "global with a slash", As: alice, Do: "GET", Path: base + "/global/", Has: []string{`{"override":[{"rule_id":".m.rule.master"`}},
			{Name: "global without", As: alice, Do: "GET", Path: base + "/global", Has: []string{`{"override":[`}},
			{Name: "another scope", As: alice, Do: "GET", Path: base + "/device/", Want: errcode.Unrecognized},
			{Name: "a kind without a rule", As: alice, Do: "GET", Path: base + "/global/room", Want: errcode.Unrecognized},
			{Name: "another kind", As: alice, Do: "GET", Path: base + "/global/colour/x", Want: errcode.InvalidParam},
			{Name: "without a token", As: srv.Anyone(), Do: "GET", Path: base + "/", Want: errcode.MissingToken},
		})
	}
}

func TestSetPushRule(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	room := rules + "global/room/" + apitest.Escape("!dj234r78wl45Gh4D:matrix.org")
	cake := rules + "global/content/cake"
	words := func(n int, word string) string { return "[" + strings.Repeat(word+",", n-1) + word + "]" }
	apitest.Run(t, []apitest.Case{
		{Name: "not there yet", As: alice, Do: "GET", Path: room, Want: errcode.NotFound},
		{Name: "mute a room", As: alice, Do: "PUT", Path: room, Body: `{"actions":[],"pattern":"ignored","conditions":[{"kind":"x"}]}`, Has: []string{`{}`}},
		{Name: "read it", As: alice, Do: "GET", Path: room, Has: []string{`{"rule_id":"!dj234r78wl45Gh4D:matrix.org","default":false,"enabled":true,"actions":[]}`}},
		{Name: "mute somebody", As: alice, Do: "PUT", Path: rules + "global/sender/@spambot:matrix.org", Body: `{"actions":["dont_notify"]}`},
		{Name: "the historical action is gone", As: alice, Do: "GET", Path: rules + "global/sender/@spambot:matrix.org/actions", Has: []string{`{"actions":[]}`}},
		{Name: "a word", As: alice, Do: "PUT", Path: cake, Body: `{"pattern":"cake","actions":["notify",{"set_tweak":"sound", "value":"cakealarm.wav"}, "coalesce"]}`},
		{Name: "read the word", As: alice, Do: "GET", Path: cake, Has: []string{`{"rule_id":"cake","default":false,"enabled":true,"pattern":"cake","actions":["notify",{"set_tweak":"sound","value":"cakealarm.wav"}]}`}},
		{Name: "an override", As: alice, Do: "PUT", Path: rules + "global/override/beer", Body: `{"conditions":[{"kind":"event_match","key":"content.body","pattern":"beer"},{"kind":"room_member_count","is":"<=10"},{"kind":"org.example.x"}],"actions":["notify"]}`},
		{Name: "read the override", As: alice, Do: "GET", Path: rules + "global/override/beer", Has: []string{`"conditions":[{"kind":"event_match","key":"content.body","pattern":"beer"},{"kind":"room_member_count","is":"<=10"},{"kind":"org.example.x"}]`}},
		{Name: "an underride without conditions", As: alice, Do: "PUT", Path: rules + "global/underride/all", Body: `{"actions":["notify"]}`},
		{Name: "has an empty list", As: alice, Do: "GET", Path: rules + "global/underride/all", Has: []string{`"conditions":[]`}},

		{Name: "a name of the server's", As: alice, Do: "PUT", Path: rules + "global/override/.m.rule.mine", Body: `{"actions":[]}`, Want: errcode.InvalidParam},
		{Name: "a slash", As: alice, Do: "PUT", Path: rules + "global/override/a%2Fb", Body: `{"actions":[]}`, Want: errcode.InvalidParam},
		{Name: "a backslash", As: alice, Do: "PUT", Path: rules + "global/override/a%5Cb", Body: `{"actions":[]}`, Want: errcode.InvalidParam},
		{Name: "a long name", As: alice, Do: "PUT", Path: rules + "global/override/" + strings.Repeat("x", 256), Body: `{"actions":[]}`, Want: errcode.InvalidParam},
		{Name: "no room", As: alice, Do: "PUT", Path: rules + "global/room/kitchen", Body: `{"actions":[]}`, Want: errcode.InvalidParam},
		{Name: "no user", As: alice, Do: "PUT", Path: rules + "global/sender/bob", Body: `{"actions":[]}`, Want: errcode.InvalidParam},
		{Name: "another kind", As: alice, Do: "PUT", Path: rules + "global/colour/red", Body: `{"actions":[]}`, Want: errcode.InvalidParam},
		{Name: "no actions", As: alice, Do: "PUT", Path: cake, Body: `{"pattern":"cake"}`, Want: errcode.MissingParam},
		{Name: "no pattern", As: alice, Do: "PUT", Path: cake, Body: `{"actions":[]}`, Want: errcode.MissingParam},
		{Name: "an empty pattern", As: alice, Do: "PUT", Path: cake, Body: `{"actions":[],"pattern":""}`, Want: errcode.MissingParam},
		{Name: "a long pattern", As: alice, Do: "PUT", Path: cake, Body: `{"actions":[],"pattern":"` + strings.Repeat("x", 256) + `"}`, Want: errcode.InvalidParam},
		{Name: "too many stars", As: alice, Do: "PUT", Path: cake, Body: `{"actions":[],"pattern":"` + strings.Repeat("*x", 9) + `"}`, Want: errcode.InvalidParam},
		{Name: "too many question marks in a condition", As: alice, Do: "PUT", Path: rules + "global/override/x", Body: `{"actions":[],"conditions":[{"kind":"event_match","key":"type","pattern":"?????????"}]}`, Want: errcode.InvalidParam},
		{Name: "too many conditions", As: alice, Do: "PUT", Path: rules + "global/override/x", Body: `{"actions":[],"conditions":` + words(21, `{"kind":"x"}`) + `}`, Want: errcode.InvalidParam},
		{Name: "too many actions", As: alice, Do: "PUT", Path: rules + "global/override/x", Body: `{"actions":` + words(21, `"notify"`) + `}`, Want: errcode.InvalidParam},
		{Name: "an unknown action", As: alice, Do: "PUT", Path: cake, Body: `{"pattern":"x","actions":["dance"]}`, Want: errcode.BadJSON},
		{Name: "a tweak without a name", As: alice, Do: "PUT", Path: cake, Body: `{"pattern":"x","actions":[{"value":1}]}`, Want: errcode.BadJSON},
		{Name: "an action that is a number", As: alice, Do: "PUT", Path: cake, Body: `{"pattern":"x","actions":[7]}`, Want: errcode.BadJSON},
		{Name: "a condition without a kind", As: alice, Do: "PUT", Path: rules + "global/override/x", Body: `{"actions":[],"conditions":[{"key":"type"}]}`, Want: errcode.BadJSON},
		{Name: "a condition that is a text", As: alice, Do: "PUT", Path: rules + "global/override/x", Body: `{"actions":[],"conditions":["event_match"]}`, Want: errcode.BadJSON},
		{Name: "actions that are a text", As: alice, Do: "PUT", Path: cake, Body: `{"pattern":"x","actions":"notify"}`, Want: errcode.BadJSON},
		{Name: "not JSON", As: alice, Do: "PUT", Path: cake, Body: `{"pattern"`, Want: errcode.NotJSON},
		{Name: "too large", As: alice, Do: "PUT", Path: cake, Body: `{"x":"` + strings.Repeat("x", 16<<10) + `"}`, Want: errcode.TooLarge},
		{Name: "none of that was stored", As: alice, Do: "GET", Path: cake, Has: []string{`"pattern":"cake"`}},
	})
}

func TestPushRuleOrder(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	put := func(name, query string) {
		t.Helper()
		alice.Do(t, "PUT", rules+"global/override/"+name+query, `{"actions":[]}`).OK(t, nil)
	}
	put("one", "")
	put("two", "")
	put("three", "?before=one")
	put("four", "?after=one")
	put("five", "?before=two&after=four")
	want := []string{".m.rule.master", "five", "two", "three", "one", "four", ".m.rule.suppress_notices"}
	if got := ruleIDs(t, alice, "override"); !slices.Equal(got[:len(want)], want) {
		t.Errorf("got %v, want %v first", got, want)
	}
	apitest.Run(t, []apitest.Case{
		{Name: "before what is not there", As: alice, Do: "PUT", Path: rules + "global/override/six?before=nothing", Body: `{"actions":[]}`, Want: errcode.RuleAnchorNotFound},
		{Name: "after a rule of the server's", As: alice, Do: "PUT", Path: rules + "global/override/six?after=.m.rule.master", Body: `{"actions":[]}`, Want: errcode.RuleAnchorNotFound},
		{Name: "beside a rule of another kind", As: alice, Do: "PUT", Path: rules + "global/underride/six?after=one", Body: `{"actions":[]}`, Want: errcode.RuleAnchorNotFound},
		{Name: "before itself", As: alice, Do: "PUT", Path: rules + "global/override/one?before=one", Body: `{"actions":[]}`, Want: errcode.RuleAnchorNotFound},
	})
}

func TestDeletePushRule(t *testing.T) {
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	mine := rules + "global/override/mine"
	alice.Do(t, "PUT", mine, `{"actions":[]}`).OK(t, nil)
	apitest.Run(t, []apitest.Case{
		{Name: "another's", As: bob, Do: "DELETE", Path: mine, Want: errcode.NotFound},
		{Name: "of another kind", As: alice, Do: "DELETE", Path: rules + "global/underride/mine", Want: errcode.NotFound},
		{Name: "the server's", As: alice, Do: "DELETE", Path: rules + "global/override/.m.rule.master", Want: errcode.InvalidParam},
		{Name: "delete", As: alice, Do: "DELETE", Path: mine, Has: []string{`{}`}},
		{Name: "again", As: alice, Do: "DELETE", Path: mine, Want: errcode.NotFound},
		{Name: "it is gone", As: alice, Do: "GET", Path: mine, Want: errcode.NotFound},
	})
}

func TestEnableAndActions(t *testing.T) {
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	master, mine, absent := rules+"global/override/.m.rule.master", rules+"global/content/mine", rules+"global/content/absent"
	alice.Do(t, "PUT", mine, `{"pattern":"x","actions":["notify"]}`).OK(t, nil)
	apitest.Run(t, []apitest.Case{
		{Name: "off at first", As: alice, Do: "GET", Path: master + "/enabled", Has: []string{`{"enabled":false}`}},
		{Name: "switch on", As: alice, Do: "PUT", Path: master + "/enabled", Body: `{"enabled":true}`, Has: []string{`{}`}},
		{Name: "on", As: alice, Do: "GET", Path: master + "/enabled", Has: []string{`{"enabled":true}`}},
		{Name: "not for others", As: bob, Do: "GET", Path: master + "/enabled", Has: []string{`{"enabled":false}`}},
		{Name: "switch one's own off", As: alice, Do: "PUT", Path: mine + "/enabled", Body: `{"enabled":false}`},
		{Name: "off", As: alice, Do: "GET", Path: mine, Has: []string{`"enabled":false`, `"actions":["notify"]`}},
		{Name: "change one's own actions", As: alice, Do: "PUT", Path: mine + "/actions", Body: `{"actions":["notify",{"set_tweak":"highlight"},"dont_notify"]}`},
		{Name: "changed", As: alice, Do: "GET", Path: mine + "/actions", Has: []string{`{"actions":["notify",{"set_tweak":"highlight"}]}`}},
		{Name: "change a default rule's actions", As: alice, Do: "PUT", Path: rules + "global/underride/.m.rule.message/actions", Body: `{"actions":[]}`},
		{Name: "changed too", As: alice, Do: "GET", Path: rules + "global/underride/.m.rule.message", Has: []string{`"default":true,"enabled":true`, `"actions":[]`}},

		{Name: "nothing to read", As: alice, Do: "GET", Path: absent + "/enabled", Want: errcode.NotFound},
		{Name: "nothing to switch", As: alice, Do: "PUT", Path: absent + "/enabled", Body: `{"enabled":true}`, Want: errcode.NotFound},
		{Name: "no actions to read", As: alice, Do: "GET", Path: absent + "/actions", Want: errcode.NotFound},
		{Name: "no actions to change", As: alice, Do: "PUT", Path: absent + "/actions", Body: `{"actions":[]}`, Want: errcode.NotFound},
		{Name: "a default rule of another kind", As: alice, Do: "PUT", Path: rules + "global/underride/.m.rule.master/enabled", Body: `{"enabled":true}`, Want: errcode.NotFound},
		{Name: "enabled is missing", As: alice, Do: "PUT", Path: mine + "/enabled", Body: `{}`, Want: errcode.MissingParam},
		{Name: "enabled is a text", As: alice, Do: "PUT", Path: mine + "/enabled", Body: `{"enabled":"true"}`, Want: errcode.BadJSON},
		{Name: "enabled is not JSON", As: alice, Do: "PUT", Path: mine + "/enabled", Body: `true,`, Want: errcode.NotJSON},
		{Name: "enabled is too large", As: alice, Do: "PUT", Path: mine + "/enabled", Body: `{"x":"` + strings.Repeat("x", 128<<10) + `"}`, Want: errcode.TooLarge},
		{Name: "actions are missing", As: alice, Do: "PUT", Path: mine + "/actions", Body: `{}`, Want: errcode.MissingParam},
		{Name: "an unknown action", As: alice, Do: "PUT", Path: mine + "/actions", Body: `{"actions":["dance"]}`, Want: errcode.BadJSON},
		{Name: "actions are not JSON", As: alice, Do: "PUT", Path: mine + "/actions", Body: `[`, Want: errcode.NotJSON},
		{Name: "actions are too large", As: alice, Do: "PUT", Path: mine + "/actions", Body: `{"x":"` + strings.Repeat("x", 16<<10) + `"}`, Want: errcode.TooLarge},
		{Name: "too many actions", As: alice, Do: "PUT", Path: mine + "/actions", Body: `{"actions":[` + strings.Repeat(`"notify",`, 20) + `"notify"]}`, Want: errcode.InvalidParam},
		{Name: "another kind", As: alice, Do: "GET", Path: rules + "global/colour/mine/enabled", Want: errcode.InvalidParam},
		{Name: "another kind to switch", As: alice, Do: "PUT", Path: rules + "global/colour/mine/enabled", Body: `{"enabled":true}`, Want: errcode.InvalidParam},
		{Name: "another kind's actions", As: alice, Do: "GET", Path: rules + "global/colour/mine/actions", Want: errcode.InvalidParam},
	})
}

func TestPushRulesHaveALimit(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	body := `{"actions":[{"set_tweak":"sound","value":"` + strings.Repeat("x", 15<<10) + `"}]}`
	for i := range 16 {
		alice.Do(t, "PUT", fmt.Sprintf("%sglobal/override/r%d", rules, i), body).OK(t, nil)
	}
	alice.Do(t, "PUT", rules+"global/override/r16", body).Fails(t, srv, errcode.TooLarge)
}

func TestPushRulesAsAccountData(t *testing.T) {
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	path := "/_matrix/client/v3/user/" + apitest.Escape(alice.UserID) + "/account_data/m.push_rules"
	s := service(srv)
	look := func() (content string, pos, now int64) {
		t.Helper()
		err := srv.App.DB.Read(t.Context(), func(tx *db.Tx) error {
			raw, at, err := s.PushRules(tx, alice.UserID)
			if err != nil {
				return err
			}
			content, pos = string(raw), at
			now, err = tx.Position()
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return content, pos, now
	}
	told := func(since int64) bool {
		t.Helper()
		query := "since=" + rooms.Token(since)
		if since == 0 {
			query = ""
		}
		events := alice.Sync(t, query).AccountData.Events
		return slices.ContainsFunc(events, func(ev apitest.Event) bool { return ev.Type == "m.push_rules" })
	}
	content, pos, start := look()
	if got := string(alice.Do(t, "GET", rules, nil).Body); got != content || pos != 0 {
		t.Errorf("PushRules: got %s at %d, want %s at 0", content, pos, got)
	}
	if !told(0) || told(start) {
		t.Error("unchanged rules are due at the first sync and at no other")
	}
	alice.Do(t, "PUT", rules+"global/override/mine", `{"actions":[]}`).OK(t, nil)
	content, pos, now := look()
	if !strings.Contains(content, `"mine"`) || pos <= start || pos > now {
		t.Errorf("PushRules after a change: got %s at %d", content, pos)
	}
	if !told(start) || told(pos) || told(now) {
		t.Error("a change is due at the sync that passes its position and at no other")
	}
	apitest.Run(t, []apitest.Case{
		{Name: "read", As: alice, Do: "GET", Path: path, Has: []string{`{"global":{"override":[{"rule_id":".m.rule.master"`, `"mine"`}},
		{Name: "read another's", As: bob, Do: "GET", Path: path, Want: errcode.Forbidden},
		{Name: "write", As: alice, Do: "PUT", Path: path, Body: `{"global":{}}`, Want: errcode.ServerManaged},
		{Name: "write another's", As: bob, Do: "PUT", Path: path, Body: `{"global":{}}`, Want: errcode.Forbidden},
		{Name: "write what is no JSON", As: alice, Do: "PUT", Path: path, Body: `{`, Want: errcode.NotJSON},
	})
}
