package syncer_test

import (
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/errcode"
)

func TestMain(m *testing.M) { apitest.Main(m) }

const syncPath = "/_matrix/client/v3/sync"

// bodies are the texts of the messages in a list, and the types of what is none.
func bodies(list apitest.Events) []string {
	out := []string{}
	for _, ev := range list.Events {
		out = append(out, describe(ev))
	}
	return out
}

func describe(ev apitest.Event) string {
	var content struct {
		Body       string `json:"body"`
		Membership string `json:"membership"`
		Name       string `json:"name"`
	}
	decode(ev.Content, &content)
	switch {
	case ev.Type == "m.room.message":
		return content.Body
	case content.Membership != "":
		return content.Membership + " " + localpart(*ev.StateKey)
	case ev.Type == "m.room.name":
		return "name " + content.Name
	}
	return ev.Type
}

func same(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// filtered is the query for an inline filter.
func filtered(filter string) string { return "filter=" + url.QueryEscape(filter) }

func TestInitialSync(t *testing.T) {
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	room := alice.CreateRoom(t).Join(t, bob)
	for _, text := range []string{"1", "2", "3"} {
		room.Send(t, alice, text)
	}
	all := bob.Sync(t, "").Rooms.Join[room.ID]
	same(t, "timeline", []string{"m.room.create", "join alice", "m.room.power_levels", "m.room.join_rules", "m.room.history_visibility", "m.room.guest_access", "join bob", "1", "2", "3"}, bodies(all.Timeline.Events))
	same(t, "state before it", []string{}, bodies(*all.State))
	if all.Timeline.Limited || all.StateAfter != nil {
		t.Errorf("limited %t, state_after %v", all.Timeline.Limited, all.StateAfter)
	}
	some := bob.Sync(t, filtered(`{"room":{"timeline":{"limit":4}}}`)).Rooms.Join[room.ID]
	same(t, "timeline of four", []string{"join bob", "1", "2", "3"}, bodies(some.Timeline.Events))
	same(t, "state before the four", []string{"m.room.create", "join alice", "m.room.power_levels", "m.room.join_rules", "m.room.history_visibility", "m.room.guest_access"}, bodies(*some.State))
	if !some.Timeline.Limited || *some.Summary.Joined != 2 || *some.Summary.Invited != 0 || len(some.Summary.Heroes) != 1 {
		t.Errorf("limited %t, summary %+v", some.Timeline.Limited, some.Summary)
	}
	var page struct {
		Chunk []apitest.Event `json:"chunk"`
	}
	bob.Do(t, "GET", room.Path("/messages?dir=b&limit=2&from="+some.Timeline.PrevBatch), nil).OK(t, &page)
	same(t, "before prev_batch", []string{"m.room.guest_access", "m.room.history_visibility"}, bodies(apitest.Events{Events: page.Chunk}))
}

func TestIncrementalSync(t *testing.T) {
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	room, other := alice.CreateRoom(t).Join(t, bob), alice.CreateRoom(t)
	since := bob.Sync(t, "").NextBatch
	idle := bob.Sync(t, "since="+since)
	if len(idle.Rooms.Join) != 0 || idle.NextBatch != since {
		t.Errorf("with no news: %s", idle.Body)
	}
	room.Send(t, alice, "one")
	other.Send(t, alice, "not for bob")
	got := bob.Sync(t, "since="+since)
	same(t, "rooms", 1, len(got.Rooms.Join))
	same(t, "timeline", []string{"one"}, bodies(got.Rooms.Join[room.ID].Timeline.Events))
	same(t, "state", []string{}, bodies(*got.Rooms.Join[room.ID].State))
	for i := range 12 {
		room.Send(t, alice, string(rune('a'+i)))
		if i == 0 {
			room.SetState(t, alice, "m.room.name", map[string]any{"name": "Hall"})
		}
	}
	got = bob.Sync(t, "since="+got.NextBatch)
	r := got.Rooms.Join[room.ID]
	same(t, "limited timeline", []string{"c", "d", "e", "f", "g", "h", "i", "j", "k", "l"}, bodies(r.Timeline.Events))
	same(t, "state of the gap", []string{"name Hall"}, bodies(*r.State))
	if !r.Timeline.Limited {
		t.Error("not limited")
	}
}

func TestSyncRefuses(t *testing.T) {
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	var filter struct {
		ID string `json:"filter_id"`
	}
	alice.Do(t, "POST", "/_matrix/client/v3/user/"+apitest.Escape(alice.UserID)+"/filter", `{"room":{"timeline":{"limit":1}}}`).OK(t, &filter)
	cases := []apitest.Case{
		{Name: "a filter of one's own", As: alice, Do: "GET", Path: syncPath + "?filter=" + filter.ID},
		{Name: "a filter of another", As: bob, Do: "GET", Path: syncPath + "?filter=" + filter.ID, Want: errcode.InvalidParam},
		{Name: "as r0", As: alice, Do: "GET", Path: "/_matrix/client/r0/sync"},
	}
	for name, query := range map[string]string{
		"an unknown filter": "filter=1", "a filter that is no JSON": filtered(`{"room"`), "a filter of another shape": filtered(`{"room":[]}`),
		"the federation format": filtered(`{"event_format":"federation"}`), "another timeout": "timeout=soon", "a fraction": "timeout=1.5",
		"full_state": "full_state=yes", "use_state_after": "use_state_after=1", "set_presence": "set_presence=away",
	} {
		cases = append(cases, apitest.Case{Name: name, As: alice, Do: "GET", Path: syncPath + "?" + query, Want: errcode.InvalidParam})
	}
	for _, since := range []string{"", "1", "s", "s-1", "s01", "s1_2_3", "t1", "s9223372036854775808", "x", "%00"} {
		cases = append(cases, apitest.Case{Name: "since=" + since, As: alice, Do: "GET", Path: syncPath + "?since=" + since, Want: errcode.InvalidParam})
	}
	apitest.Run(t, cases)
	alice.Sync(t, "timeout=-1")
	alice.Sync(t, "timeout=1000000000000") // an initial sync does not wait
}
