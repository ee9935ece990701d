package syncer_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/id"
)

func user(c *apitest.Client, rest string) string {
	return "/_matrix/client/v3/user/" + apitest.Escape(c.UserID) + rest
}

func TestAccountData(t *testing.T) {
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	room, left := alice.CreateRoom(t), alice.CreateRoom(t)
	alice.Do(t, "POST", left.Path("/leave"), `{}`).OK(t, nil)
	first := alice.Sync(t, "")
	same(t, "a new account", []string{"m.push_rules"}, types(first.AccountData))
	alice.Do(t, "PUT", user(alice, "/account_data/org.example.a"), `{"x":1}`).OK(t, nil)
	alice.Do(t, "PUT", user(alice, "/rooms/"+apitest.Escape(room.ID)+"/tags/u.work"), `{"order":0.5}`).OK(t, nil)
	alice.Do(t, "PUT", user(alice, "/rooms/"+apitest.Escape(left.ID)+"/account_data/org.example.b"), `{}`).OK(t, nil)
	got := alice.Sync(t, "since="+first.NextBatch)
	same(t, "global", []string{"org.example.a"}, types(got.AccountData))
	same(t, "its content", `{"x":1}`, string(got.AccountData.Events[0].Content))
	same(t, "of the room", []string{"m.tag"}, types(got.Rooms.Join[room.ID].AccountData))
	if len(got.Rooms.Join) != 1 || len(got.Rooms.Leave) != 0 || len(got.Rooms.Join[room.ID].Timeline.Events.Events) > 0 {
		t.Errorf("got %s", got.Body)
	}
	alice.Do(t, "PUT", "/_matrix/client/v3/pushrules/global/content/word", `{"pattern":"word","actions":["notify"]}`).OK(t, nil)
	same(t, "push rules", []string{"m.push_rules"}, types(alice.Sync(t, "since="+got.NextBatch).AccountData))
	none := alice.Sync(t, filtered(`{"account_data":{"not_types":["*"]},"room":{"account_data":{"types":[]}}}`))
	if len(none.AccountData.Events) > 0 || len(none.Rooms.Join[room.ID].AccountData.Events) > 0 {
		t.Errorf("filtered: %s", none.Body)
	}
	if other := bob.Sync(t, ""); strings.Contains(other.Body, "org.example") || strings.Contains(other.Body, "m.tag") {
		t.Errorf("bob gets what is alice's: %s", other.Body)
	}
}

func TestTypingAndReceipts(t *testing.T) {
	srv := apitest.New(t)
	alice, bob, carol := srv.User(t, "alice"), srv.User(t, "bob"), srv.User(t, "carol")
	room := alice.CreateRoom(t).Join(t, bob)
	event := room.Send(t, alice, "x")
	since := alice.Sync(t, "").NextBatch
	bob.Do(t, "PUT", room.Path("/typing/"+apitest.Escape(bob.UserID)), `{"typing":true}`).OK(t, nil)
	bob.Do(t, "POST", room.Path("/receipt/m.read/"+apitest.Escape(event)), `{}`).OK(t, nil)
	bob.Do(t, "POST", room.Path("/receipt/m.read/"+apitest.Escape(event)), `{"thread_id":"main"}`).OK(t, nil)
	bob.Do(t, "POST", room.Path("/receipt/m.read.private/"+apitest.Escape(event)), `{}`).OK(t, nil)
	got := alice.Sync(t, "since="+since)
	r := got.Rooms.Join[room.ID]
	same(t, "ephemeral", []string{"m.receipt", "m.receipt", "m.typing"}, types(r.Ephemeral))
	same(t, "typing", fmt.Sprintf(`{"user_ids":[%q]}`, bob.UserID), string(r.Ephemeral.Events[0].Content))
	if strings.Contains(got.Body, "m.read.private") || !strings.Contains(got.Body, `"thread_id":"main"`) {
		t.Errorf("receipts: %s", got.Body)
	}
	if own := bob.Sync(t, "since="+since); !strings.Contains(own.Body, "m.read.private") {
		t.Errorf("one's own: %s", own.Body)
	}
	if r.Timeline.PrevBatch == "" || r.State == nil || len(r.State.Events) > 0 {
		t.Errorf("the rest of the room: %s", got.Body)
	}
	bob.Do(t, "PUT", room.Path("/typing/"+apitest.Escape(bob.UserID)), `{"typing":false}`).OK(t, nil)
	stopped := alice.Sync(t, "since="+got.NextBatch).Rooms.Join[room.ID]
	same(t, "stopped", `{"user_ids":[]}`, string(stopped.Ephemeral.Events[0].Content))
	// Who comes into the room is told of all receipts.
	before := carol.Sync(t, "").NextBatch
	room.Join(t, carol)
	same(t, "to a new member", []string{"m.receipt", "m.receipt"}, types(carol.Sync(t, "since="+before).Rooms.Join[room.ID].Ephemeral))
	if none := alice.Sync(t, "since="+since+"&"+filtered(`{"presence":{"types":[]},"room":{"ephemeral":{"types":[]},"timeline":{"types":[]},"state":{"types":[]}}}`)); len(none.Rooms.Join) > 0 {
		t.Errorf("filtered: %s", none.Body)
	}
}

func TestPresence(t *testing.T) {
	srv := apitest.New(t)
	alice, bob, carol := srv.User(t, "alice"), srv.User(t, "bob"), srv.User(t, "carol")
	alice.CreateRoom(t).Join(t, bob)
	carol.Sync(t, "")
	who := func(s *apitest.Sync) (all []string) {
		for _, ev := range s.Presence.Events {
			var content struct{ Presence string }
			decode(ev.Content, &content)
			all = append(all, localpart(string(ev.Sender))+" "+content.Presence)
		}
		return all
	}
	first := alice.Sync(t, "")
	same(t, "oneself", []string{"alice online"}, who(first))
	bob.Sync(t, "set_presence=offline")
	same(t, "not marked", []string(nil), who(alice.Sync(t, "since="+first.NextBatch)))
	bob.Sync(t, "set_presence=unavailable")
	second := alice.Sync(t, "since="+first.NextBatch)
	same(t, "idle", []string{"bob unavailable"}, who(second))
	bob.Sync(t, "")
	same(t, "online", []string{"bob online"}, who(alice.Sync(t, "since="+second.NextBatch)))
	same(t, "all, initially", []string{"alice online", "bob online"}, who(alice.Sync(t, "")))
	same(t, "filtered", []string(nil), who(alice.Sync(t, filtered(`{"presence":{"not_types":["m.presence"]}}`))))
	same(t, "filtered by sender", []string{"bob online"}, who(alice.Sync(t, filtered(`{"presence":{"not_senders":["@alice:narthex.test"]}}`))))
	off := apitest.New(t, func(c *config.Config) { c.Presence.Enabled = false })
	same(t, "switched off", []string(nil), who(off.User(t, "alice").Sync(t, "")))
}

func TestUnreadCounts(t *testing.T) {
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	room := alice.CreateRoom(t).Join(t, bob)
	since := bob.Sync(t, "").NextBatch
	root := room.Send(t, alice, "root")
	room.Send(t, alice, "hello bob")
	last := room.SendEvent(t, alice, "m.room.message", map[string]any{"msgtype": "m.text", "body": "in the thread", "m.relates_to": map[string]any{"rel_type": "m.thread", "event_id": root}})
	r := bob.Sync(t, "since="+since).Rooms.Join[room.ID]
	if r.Unread == nil || r.Unread.Notifications != 3 || len(r.UnreadThreads) > 0 {
		t.Errorf("all together: %+v, %v", r.Unread, r.UnreadThreads)
	}
	r = bob.Sync(t, "since="+since+"&"+filtered(`{"room":{"timeline":{"unread_thread_notifications":true}}}`)).Rooms.Join[room.ID]
	if r.Unread.Notifications != 2 || r.UnreadThreads[root].Notifications != 1 {
		t.Errorf("by thread: %+v, %v", r.Unread, r.UnreadThreads)
	}
	since = bob.Sync(t, "").NextBatch
	bob.Do(t, "POST", room.Path("/receipt/m.read.private/"+apitest.Escape(last)), `{}`).OK(t, nil)
	if r = bob.Sync(t, "since="+since).Rooms.Join[room.ID]; r == nil || r.Unread.Notifications != 0 {
		t.Errorf("after reading: %+v", r)
	}
}

func TestIgnoredUsers(t *testing.T) {
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	room := alice.CreateRoom(t).Join(t, bob)
	bob.Do(t, "PUT", user(bob, "/account_data/m.ignored_user_list"), map[string]any{"ignored_users": map[string]any{string(alice.UserID): map[string]any{}}}).OK(t, nil)
	since := bob.Sync(t, "").NextBatch
	room.Send(t, alice, "unwanted")
	alice.Do(t, "PUT", room.Path("/typing/"+apitest.Escape(alice.UserID)), `{"typing":true}`).OK(t, nil)
	got := bob.Sync(t, "since="+since)
	if strings.Contains(got.Body, "unwanted") || strings.Contains(got.Body, string(alice.UserID)) {
		t.Errorf("got %s", got.Body)
	}
	room.SetState(t, alice, "m.room.name", map[string]any{"name": "Hall"})
	same(t, "state is told", []string{"name Hall"}, bodies(bob.Sync(t, "since="+got.NextBatch).Rooms.Join[room.ID].Timeline.Events))
	for i := range 30 {
		room.Send(t, alice, fmt.Sprint("unwanted", i))
	}
	room.Send(t, bob, "own")
	same(t, "beyond many", []string{"name Hall", "own"}, bodies(bob.Sync(t, "since="+got.NextBatch).Rooms.Join[room.ID].Timeline.Events))
}

func TestTransactionIDs(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	other := srv.Device(t, alice.UserID, "DEVICE2")
	room := alice.CreateRoom(t)
	since := alice.Sync(t, "").NextBatch
	alice.Do(t, "PUT", room.Path("/send/m.room.message/mine"), `{"body":"x"}`).OK(t, nil)
	for c, want := range map[*apitest.Client]bool{alice: true, other: false} {
		if got := c.Sync(t, "since="+since); strings.Contains(got.Body, `"transaction_id":"mine"`) != want {
			t.Errorf("on %s: %s", c.DeviceID, got.Body)
		}
	}
}

func TestBundledAggregations(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	room := alice.CreateRoom(t)
	since := alice.Sync(t, "").NextBatch
	original := room.Send(t, alice, "first")
	room.SendEvent(t, alice, "m.room.message", map[string]any{"body": "* second", "m.new_content": map[string]any{"body": "second"}, "m.relates_to": map[string]any{"rel_type": "m.replace", "event_id": original}})
	events := alice.Sync(t, "since="+since).Rooms.Join[room.ID].Timeline.Events.Events
	if len(events) != 2 || !strings.Contains(string(events[0].Unsigned), `"m.replace"`) {
		t.Errorf("got %v", events)
	}
}

func TestHistoryVisibility(t *testing.T) {
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	for visibility, want := range map[string][]string{
		"joined": {"join bob", "after"}, "invited": {"invite bob", "between", "join bob", "after"}, "shared": {"before", "invite bob", "between", "join bob", "after"},
	} {
		room := alice.CreateRoom(t, fmt.Sprintf(`{"preset":"public_chat","initial_state":[{"type":"m.room.history_visibility","content":{"history_visibility":%q}}]}`, visibility))
		since := bob.Sync(t, "").NextBatch
		room.Send(t, alice, "before")
		room.Invite(t, bob).Send(t, alice, "between")
		room.Join(t, bob).Send(t, alice, "after")
		for _, query := range []string{"", "since=" + since} {
			// What was sent before the visibility was set is shared.
			got := bodies(bob.Sync(t, query+"&"+filtered(`{"room":{"timeline":{"limit":50}}}`)).Rooms.Join[room.ID].Timeline.Events)
			same(t, visibility, want, got[slices.Index(got, "m.room.history_visibility")+1:])
		}
	}
}

func TestTimelineFilters(t *testing.T) {
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	room, other := alice.CreateRoom(t).Join(t, bob), alice.CreateRoom(t)
	since := alice.Sync(t, "").NextBatch
	room.Send(t, alice, "1")
	for range 25 {
		room.SendEvent(t, bob, "org.example.noise", map[string]any{})
	}
	room.SetState(t, alice, "m.room.name", map[string]any{"name": "Hall"})
	room.SendEvent(t, bob, "m.room.message", map[string]any{"body": "2", "url": "mxc://x/y"})
	for _, c := range []struct {
		timeline string
		want     []string
		limited  bool
		state    []string
	}{
		{`{"types":["m.room.message"]}`, []string{"1", "2"}, false, []string{"name Hall"}},
		{`{"types":["m.room.message"],"contains_url":true}`, []string{"2"}, false, []string{"name Hall"}},
		{`{"types":["m.room.message"],"limit":1}`, []string{"2"}, true, []string{"name Hall"}},
		{`{"not_types":["org.*"]}`, []string{"1", "name Hall", "2"}, false, []string{}},
		{`{"senders":["@alice:narthex.test"]}`, []string{"1", "name Hall"}, false, []string{}},
		{`{"contains_url":true}`, []string{"2"}, false, []string{"name Hall"}},
		{`{"limit":0}`, []string{}, true, []string{"name Hall"}},
		{`{"types":[]}`, []string{}, false, []string{"name Hall"}},
		{`{"not_rooms":["` + string(room.ID) + `"]}`, []string{}, false, []string{"name Hall"}},
		{`{"related_by_rel_types":["m.thread"]}`, []string{}, false, []string{"name Hall"}},
	} {
		r := alice.Sync(t, "since="+since+"&"+filtered(`{"room":{"timeline":`+c.timeline+`}}`)).Rooms.Join[room.ID]
		if r == nil {
			t.Errorf("%s: the room is not told of", c.timeline)
			continue
		}
		same(t, c.timeline, c.want, bodies(r.Timeline.Events))
		same(t, c.timeline+" state", c.state, bodies(*r.State))
		if r.Timeline.Limited != c.limited {
			t.Errorf("%s: limited is %t", c.timeline, r.Timeline.Limited)
		}
	}
	last := alice.Sync(t, "").NextBatch
	room.SetState(t, alice, "m.room.name", map[string]any{"name": "Den"})
	room.Send(t, alice, "3")
	r := alice.Sync(t, "since="+last+"&"+filtered(`{"room":{"timeline":{"types":["m.room.message"]}}}`)).Rooms.Join[room.ID]
	same(t, "a filter that leaves out the first event", []string{"3"}, bodies(r.Timeline.Events))
	same(t, "which is state", []string{"name Den"}, bodies(*r.State))
	for filter, want := range map[string][]id.RoomID{`{"rooms":["` + string(room.ID) + `"]}`: {room.ID}, `{"not_rooms":["` + string(room.ID) + `"]}`: {other.ID}, `{"rooms":[]}`: nil} {
		var got []id.RoomID
		for roomID := range alice.Sync(t, filtered(`{"room":`+filter+`}`)).Rooms.Join {
			got = append(got, roomID)
		}
		same(t, filter, want, got)
	}
	state := *alice.Sync(t, filtered(`{"room":{"timeline":{"limit":1},"state":{"types":["m.room.name","m.room.create"]}}}`)).Rooms.Join[room.ID].State
	same(t, "state types", []string{"m.room.create", "m.room.name"}, types(state))
	state = *alice.Sync(t, filtered(`{"room":{"timeline":{"limit":1},"state":{"not_rooms":["`+string(room.ID)+`"]}}}`)).Rooms.Join[room.ID].State
	same(t, "state of other rooms", []string{}, types(state))
}

func TestEventFields(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	room := alice.CreateRoom(t)
	since := alice.Sync(t, "").NextBatch
	room.SendEvent(t, alice, "m.room.message", map[string]any{"body": "x", "a.b": 1, "c": map[string]any{"d": 2, "e": 3}})
	for fields, want := range map[string]string{
		`["type"]`:                                  `{"type":"m.room.message"}`,
		`["content.body"]`:                          `{"content":{"body":"x"}}`,
		`["content.a\\.b","content.c.d"]`:           `{"content":{"a.b":1,"c":{"d":2}}}`,
		`["content.c","content.c.d"]`:               `{"content":{"c":{"d":2,"e":3}}}`,
		`["content.c.d","content.c"]`:               `{"content":{"c":{"d":2,"e":3}}}`,
		`["nothing","content.body.x","content..y"]`: `{}`,
		`[]`: `{}`,
	} {
		got := alice.Sync(t, "since="+since+"&"+filtered(`{"event_fields":`+fields+`}`))
		if !strings.Contains(got.Body, `"timeline":{"events":[`+want+`]`) {
			t.Errorf("%s: got %s, want %s", fields, got.Body, want)
		}
	}
}

func TestDeviceLists(t *testing.T) {
	srv := apitest.New(t)
	alice, bob, carol, dave := srv.User(t, "alice"), srv.User(t, "bob"), srv.User(t, "carol"), srv.User(t, "dave")
	secret := `{"preset":"public_chat","initial_state":[{"type":"m.room.encryption","content":{"algorithm":"m.megolm.v1.aes-sha2"}}]}`
	room, plain := alice.CreateRoom(t, secret).Join(t, bob), alice.CreateRoom(t).Join(t, dave)
	since := alice.Sync(t, "").NextBatch
	lists := func(want, left []*apitest.Client) {
		t.Helper()
		got := alice.Sync(t, "since="+since)
		names := func(list []*apitest.Client) []id.UserID {
			var out []id.UserID
			for _, c := range list {
				out = append(out, c.UserID)
			}
			return out
		}
		if !slices.Equal(got.DeviceLists.Changed, names(want)) || !slices.Equal(got.DeviceLists.Left, names(left)) {
			t.Errorf("got %+v, want %v and %v", got.DeviceLists, names(want), names(left))
		}
		since = got.NextBatch
	}
	type list = []*apitest.Client
	room.Join(t, carol)
	lists(list{carol}, nil)
	bob.Do(t, "POST", room.Path("/leave"), `{}`).OK(t, nil)
	lists(nil, list{bob})
	dave.Do(t, "POST", plain.Path("/leave"), `{}`).OK(t, nil)
	lists(nil, nil) // no encrypted room
	for _, c := range []*apitest.Client{bob, carol} {
		c.Do(t, "PUT", "/_matrix/client/v3/devices/DEVICE1", `{"display_name":"new"}`).OK(t, nil)
	}
	lists(list{carol}, nil) // bob is a stranger by now
	other := bob.CreateRoom(t, secret).Join(t, dave)
	lists(nil, nil)
	other.Join(t, alice)
	lists(list{bob, dave}, nil)
	alice.Do(t, "POST", other.Path("/leave"), `{}`).OK(t, nil)
	lists(nil, list{bob, dave})
	plain.Join(t, dave)
	plain.SetState(t, alice, "m.room.encryption", map[string]any{"algorithm": "m.megolm.v1.aes-sha2"})
	lists(list{dave}, nil)
	if first := alice.Sync(t, ""); strings.Contains(first.Body, "device_lists") {
		t.Error("an initial sync has device lists")
	}
}
