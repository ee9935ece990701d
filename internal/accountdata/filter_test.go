package accountdata_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/narthex-matrix/narthex/internal/accountdata"
	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/id"
)

func TestFilters(t *testing.T) {
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	define := func(body string) string {
		t.Helper()
		var resp struct {
			FilterID string `json:"filter_id"`
		}
		alice.Do(t, "POST", path(alice, "/filter"), body).OK(t, &resp)
		return resp.FilterID
	}
	first := define(`{"room":{"timeline":{"limit":20}},"event_format":"client"}`)
	if again := define(`{ "event_format":"client", "room":{"timeline":{"limit":20}} }`); again != first {
		t.Errorf("the same definition got the IDs %s and %s", first, again)
	}
	if other := define(`{"room":{"timeline":{"limit":21}}}`); other == first {
		t.Errorf("two definitions have the ID %s", first)
	}
	if strings.HasPrefix(first, "{") {
		t.Errorf("the ID %s looks like an inline filter", first)
	}
	apitest.Run(t, []apitest.Case{
		{Name: "read back", As: alice, Do: "GET", Path: path(alice, "/filter/"+first), Has: []string{`{"room":{"timeline":{"limit":20}},"event_format":"client"}`}},
		{Name: "unknown", As: alice, Do: "GET", Path: path(alice, "/filter/0"), Want: errcode.NotFound},
		{Name: "another's ID for oneself", As: bob, Do: "GET", Path: path(bob, "/filter/"+first), Want: errcode.NotFound},
		{Name: "read another's", As: bob, Do: "GET", Path: path(alice, "/filter/"+first), Want: errcode.Forbidden},
		{Name: "define another's", As: bob, Do: "POST", Path: path(alice, "/filter"), Body: `{}`, Want: errcode.Forbidden},
		{Name: "empty", As: alice, Do: "POST", Path: path(alice, "/filter"), Body: `{}`, Has: []string{`"filter_id":"`}},
		{Name: "not JSON", As: alice, Do: "POST", Path: path(alice, "/filter"), Body: `{"room"}`, Want: errcode.NotJSON},
		{Name: "a list where an object belongs", As: alice, Do: "POST", Path: path(alice, "/filter"), Body: `{"room":[]}`, Want: errcode.BadJSON, Has: []string{`room`}},
		{Name: "too large", As: alice, Do: "POST", Path: path(alice, "/filter"), Body: `{"x":"` + strings.Repeat("x", 64<<10) + `"}`, Want: errcode.TooLarge},
		{Name: "no user ID", As: alice, Do: "POST", Path: "/_matrix/client/v3/user/alice/filter", Body: `{}`, Want: errcode.InvalidParam},
	})
	read(t, srv, func(s *accountdata.Service, tx *db.Tx) error {
		f, err := s.Filter(tx, alice.UserID, first)
		if err != nil || f.Room.Timeline.LimitOr(10, 100) != 20 {
			t.Errorf("Filter(%s): got %+v, %v", first, f, err)
		}
		if _, err := s.Filter(tx, bob.UserID, first); !errors.Is(err, errcode.NotFound) {
			t.Errorf("Filter of another user: got %v, want NotFound", err)
		}
		return nil
	})
}

func TestParseFilter(t *testing.T) {
	limit, yes := 5, true
	got, err := accountdata.ParseFilter([]byte(`{
		"event_fields":["type","content.m\\.relates_to"], "event_format":"federation",
		"presence":{"types":[]}, "account_data":{"not_types":["m.*"]}, "org.example.more":{"x":1},
		"room":{"rooms":["!a:b"],"not_rooms":[],"include_leave":true,
			"timeline":{"limit":5,"senders":["@a:b"],"contains_url":true,"unread_thread_notifications":true,"related_by_rel_types":["m.thread"],"related_by_senders":["@c:d"]},
			"state":{"lazy_load_members":true,"include_redundant_members":true,"types":null}}}`))
	want := &accountdata.Filter{
		EventFields: []string{"type", `content.m\.relates_to`}, EventFormat: "federation",
		Presence:    accountdata.EventFilter{Types: []string{}},
		AccountData: accountdata.EventFilter{NotTypes: []string{"m.*"}},
		Room: accountdata.RoomFilter{
			Rooms: []id.RoomID{"!a:b"}, NotRooms: []id.RoomID{}, IncludeLeave: true,
			Timeline: accountdata.EventFilter{Limit: &limit, Senders: []id.UserID{"@a:b"}, ContainsURL: &yes, UnreadThreadNotifications: true,
				RelatedByRelTypes: []string{"m.thread"}, RelatedBySenders: []id.UserID{"@c:d"}},
			State: accountdata.EventFilter{LazyLoadMembers: true, IncludeRedundantMembers: true},
		},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("ParseFilter: %v (-want +got):\n%s", err, diff)
	}
}

func TestParseFilterRefuses(t *testing.T) {
	list := func(n int, entry string) string { return "[" + strings.Repeat(entry+",", n-1) + entry + "]" }
	for _, c := range []struct {
		name, filter string
		want         *errcode.Code
		names        string // the member that the text must name
	}{
		{"not JSON", `{"room":`, errcode.NotJSON, ""},
		{"a member twice", `{"room":{},"room":{}}`, errcode.BadJSON, "room"},
		{"an array", `[]`, errcode.BadJSON, ""},
		{"too large", `{"x":"` + strings.Repeat("x", 64<<10) + `"}`, errcode.TooLarge, ""},
		{"presence not an object", `{"presence":"x"}`, errcode.BadJSON, `"presence" must be an object`},
		{"timeline not an object", `{"room":{"timeline":7}}`, errcode.BadJSON, `"room.timeline" must be an object`},
		{"a limit that is a text", `{"room":{"timeline":{"limit":"10"}}}`, errcode.BadJSON, `"room.timeline.limit" must be a whole number`},
		{"a limit that is a fraction", `{"room":{"timeline":{"limit":1.5}}}`, errcode.BadJSON, `"room.timeline.limit"`},
		{"a limit beyond integers", `{"room":{"timeline":{"limit":1e30}}}`, errcode.BadJSON, `"room.timeline.limit"`},
		{"a negative limit", `{"room":{"state":{"limit":-1}}}`, errcode.BadJSON, `"room.state.limit" must not be negative`},
		{"types that are no list", `{"account_data":{"types":"m.*"}}`, errcode.BadJSON, `"account_data.types" must be an array`},
		{"a type that is a number", `{"account_data":{"types":["a",1]}}`, errcode.BadJSON, `"account_data.types.1" must be a string`},
		{"no room ID", `{"room":{"timeline":{"rooms":["kitchen"]}}}`, errcode.BadJSON, `"room.timeline.rooms.0" is not valid`},
		{"null as a room ID", `{"room":{"not_rooms":[null]}}`, errcode.BadJSON, `"room.not_rooms"`},
		{"no user ID", `{"presence":{"not_senders":["alice"]}}`, errcode.BadJSON, `"presence.not_senders.0" is not valid`},
		{"another format", `{"event_format":"xml"}`, errcode.BadJSON, `"event_format"`},
		{"a list that is too long", `{"room":{"ephemeral":{"not_types":` + list(1001, `"a"`) + `}}}`, errcode.BadJSON, `"room.ephemeral.not_types" may have at most 1000`},
		{"a list of fields that is too long", `{"event_fields":` + list(1001, `"a"`) + `}`, errcode.BadJSON, `"event_fields"`},
		{"a type that is too long", `{"presence":{"types":["` + strings.Repeat("x", 256) + `"]}}`, errcode.BadJSON, `"presence.types"`},
		{"a type with NUL", `{"presence":{"types":["\u0000"]}}`, errcode.BadJSON, `"presence.types"`},
		{"too many stars", `{"room":{"account_data":{"types":["` + strings.Repeat("*a", 9) + `"]}}}`, errcode.BadJSON, `"room.account_data.types"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := accountdata.ParseFilter([]byte(c.filter))
			if f != nil || !errors.Is(err, c.want) {
				t.Fatalf("got %v, %v, want %s", f, err, c.want.Key)
			}
			if text := err.Error(); !strings.Contains(text, c.names) || strings.Contains(text, "accountdata.") {
				t.Errorf("the text is %q, want it to contain %q", text, c.names)
			}
		})
	}
	if _, err := accountdata.ParseFilter([]byte(`{"room":{"rooms":` + list(1000, `"!a:b"`) + `}}`)); err != nil {
		t.Errorf("the longest list: %v", err)
	}
}

func TestParseEventFilter(t *testing.T) {
	f, err := accountdata.ParseEventFilter([]byte(`{"types":["m.room.message"],"limit":0}`))
	if err != nil || f.LimitOr(10, 100) != 0 || f.Matches("m.room.member", "@a:b", false) {
		t.Errorf("got %+v, %v", f, err)
	}
	for filter, want := range map[string]*errcode.Code{`{"limit":true}`: errcode.BadJSON, `{"limit":-1}`: errcode.BadJSON, `true`: errcode.BadJSON, ``: errcode.NotJSON} {
		if _, err := accountdata.ParseEventFilter([]byte(filter)); !errors.Is(err, want) {
			t.Errorf("%q: got %v, want %s", filter, err, want.Key)
		}
	}
}

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		filter string
		want   bool // of an m.room.message with a url, by @alice:example.org
	}{
		{`{}`, true},
		{`{"types":["m.room.message"]}`, true},
		{`{"types":["m.room.*"]}`, true},
		{`{"types":["*"]}`, true},
		{`{"types":["m.*.mess*e"]}`, true},
		{`{"types":["*message"]}`, true},
		{`{"types":["m.room"]}`, false},
		{`{"types":["m.room.messag*es"]}`, false},
		{`{"types":["M.ROOM.*"]}`, false},
		{`{"types":[]}`, false},
		{`{"types":["m.room.message"],"not_types":["*.message"]}`, false},
		{`{"not_types":["m.room.member"]}`, true},
		{`{"senders":["@alice:example.org"]}`, true},
		{`{"senders":["@bob:example.org"]}`, false},
		{`{"senders":[]}`, false},
		{`{"senders":["@alice:example.org"],"not_senders":["@alice:example.org"]}`, false},
		{`{"contains_url":true}`, true},
		{`{"contains_url":false}`, false},
	} {
		f, err := accountdata.ParseEventFilter([]byte(c.filter))
		if err != nil {
			t.Fatal(err)
		}
		if got := f.Matches("m.room.message", "@alice:example.org", true); got != c.want {
			t.Errorf("%s: got %t, want %t", c.filter, got, c.want)
		}
	}
	for filter, want := range map[string]bool{`{}`: true, `{"rooms":["!a:b"]}`: true, `{"rooms":[]}`: false, `{"not_rooms":["!a:b"]}`: false, `{"rooms":["!c:d"]}`: false} {
		f, err := accountdata.ParseFilter([]byte(`{"room":` + filter + `}`))
		if err != nil {
			t.Fatal(err)
		}
		e, err := accountdata.ParseEventFilter([]byte(filter))
		if err != nil {
			t.Fatal(err)
		}
		if f.Room.MatchesRoom("!a:b") != want || e.MatchesRoom("!a:b") != want {
			t.Errorf("%s: got %t and %t, want %t", filter, f.Room.MatchesRoom("!a:b"), e.MatchesRoom("!a:b"), want)
		}
	}
	limit := 1 << 30
	if got := (&accountdata.EventFilter{Limit: &limit}).LimitOr(10, 100); got != 100 {
		t.Errorf("LimitOr: got %d, want 100", got)
	}
	if got := (&accountdata.EventFilter{}).LimitOr(10, 100); got != 10 {
		t.Errorf("LimitOr: got %d, want 10", got)
	}
}

// FuzzFilter holds two things: parsing never panics and fails only with codes of
// the catalogue, and types match as a regular expression says.
func FuzzFilter(f *testing.F) {
	f.Add([]byte(`{"room":{"timeline":{"types":["m.room.*","*a*b*"],"limit":10}}}`), "m.room.message")
	f.Add([]byte(`{"room":{"timeline":{"types":["**"]}},"presence":{"senders":["@a:b"]}}`), "")
	f.Add([]byte(`{"event_fields":["a"],"event_format":"client"}`), "a.b")
	f.Add([]byte(`[]`), "x")
	f.Add([]byte(`{"room":{"rooms":[null]}}`), "x")
	f.Fuzz(func(t *testing.T, raw []byte, eventType string) {
		filter, err := accountdata.ParseFilter(raw)
		if err != nil {
			var e *errcode.Error
			if filter != nil || !errors.As(err, &e) || e.Code.Status >= 500 {
				t.Fatalf("%q: %v, %v", raw, filter, err)
			}
			return
		}
		types := filter.Room.Timeline.Types
		want := types == nil
		for _, pattern := range types {
			pieces := strings.Split(pattern, "*")
			for i := range pieces {
				pieces[i] = regexp.QuoteMeta(pieces[i])
			}
			want = want || regexp.MustCompile(`(?s)\A`+strings.Join(pieces, ".*")+`\z`).MatchString(eventType)
		}
		only := accountdata.EventFilter{Types: types}
		if got := only.MatchesType(eventType); got != want {
			t.Errorf("%q matches %q: got %t, want %t", types, eventType, got, want)
		}
	})
}
