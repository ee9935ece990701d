package syncer_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/id"
)

func decode(raw json.RawMessage, v any) { _ = json.Unmarshal(raw, v) } // what does not fit stays empty

func localpart(userID string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(userID, "@"), ":")
	return name
}

// types are the types of events, with their state keys if they have one.
func types(list apitest.Events) []string {
	out := []string{}
	for _, ev := range list.Events {
		name := ev.Type
		if ev.StateKey != nil && *ev.StateKey != "" {
			name += " " + localpart(*ev.StateKey)
		}
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

var strippedMember = []string{"m.room.create", "m.room.join_rules", "m.room.member alice", "m.room.member bob", "m.room.name"}

func TestInvites(t *testing.T) {
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	room := alice.CreateRoom(t, `{"preset":"private_chat","name":"Hall"}`)
	secret := room.Send(t, alice, "before")
	since := bob.Sync(t, "").NextBatch
	room.Invite(t, bob)
	first, again := bob.Sync(t, "since="+since), bob.Sync(t, "")
	for _, got := range []*apitest.Sync{first, again} {
		same(t, "stripped state", strippedMember, types(got.Rooms.Invite[room.ID].State))
		if strings.Contains(got.Body, string(secret)) || strings.Contains(got.Body, `"event_id"`) || len(got.Rooms.Join) > 0 {
			t.Errorf("the invite tells too much: %s", got.Body)
		}
	}
	if next := bob.Sync(t, "since="+first.NextBatch); len(next.Rooms.Invite) > 0 {
		t.Errorf("told twice: %s", next.Body)
	}
	room.Join(t, bob)
	joined := bob.Sync(t, "since="+first.NextBatch)
	if len(joined.Rooms.Invite) > 0 || len(joined.Rooms.Join) != 1 {
		t.Fatalf("after the join: %s", joined.Body)
	}
	r := joined.Rooms.Join[room.ID]
	same(t, "the timeline", []string{"m.room.create", "join alice", "m.room.power_levels", "m.room.join_rules", "m.room.history_visibility", "m.room.guest_access", "name Hall", "before", "invite bob", "join bob"}, bodies(r.Timeline.Events))
}

func TestInvitesFromTheIgnored(t *testing.T) {
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	since := bob.Sync(t, "").NextBatch
	alice.CreateRoom(t).Invite(t, bob)
	bob.Do(t, "PUT", "/_matrix/client/v3/user/"+apitest.Escape(bob.UserID)+"/account_data/m.ignored_user_list", map[string]any{"ignored_users": map[string]any{string(alice.UserID): map[string]any{}}}).OK(t, nil)
	for _, query := range []string{"", "since=" + since} {
		if got := bob.Sync(t, query); len(got.Rooms.Invite) > 0 {
			t.Errorf("%s: %s", query, got.Body)
		}
	}
}

func TestKnocks(t *testing.T) {
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	room := alice.CreateRoom(t, `{"preset":"private_chat","name":"Hall","initial_state":[{"type":"m.room.join_rules","content":{"join_rule":"knock"}}]}`)
	since := bob.Sync(t, "").NextBatch
	bob.Do(t, "POST", "/_matrix/client/v3/knock/"+apitest.Escape(room.ID), `{}`).OK(t, nil)
	for _, query := range []string{"", "since=" + since} {
		got := bob.Sync(t, query)
		same(t, "stripped state", []string{"m.room.create", "m.room.join_rules", "m.room.member bob", "m.room.name"}, types(got.Rooms.Knock[room.ID].State))
		since = got.NextBatch
	}
	bob.Do(t, "POST", room.Path("/leave"), `{}`).OK(t, nil)
	got := bob.Sync(t, "since="+since)
	same(t, "knock taken back", []string{"leave bob"}, bodies(got.Rooms.Leave[room.ID].Timeline.Events))
}

func TestLeaving(t *testing.T) {
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	left, kicked, banned, declined, forgotten := alice.CreateRoom(t).Join(t, bob), alice.CreateRoom(t).Join(t, bob), alice.CreateRoom(t).Join(t, bob), alice.CreateRoom(t).Invite(t, bob), alice.CreateRoom(t).Join(t, bob)
	since := bob.Sync(t, "").NextBatch
	left.Send(t, alice, "one")
	who := map[string]any{"user_id": bob.UserID}
	bob.Do(t, "POST", left.Path("/leave"), `{}`).OK(t, nil)
	left.Send(t, alice, "after")
	alice.Do(t, "POST", kicked.Path("/kick"), who).OK(t, nil)
	alice.Do(t, "POST", banned.Path("/ban"), who).OK(t, nil)
	bob.Do(t, "POST", declined.Path("/leave"), `{}`).OK(t, nil)
	bob.Do(t, "POST", forgotten.Path("/leave"), `{}`).OK(t, nil)
	bob.Do(t, "POST", forgotten.Path("/forget"), `{}`).OK(t, nil)
	got := bob.Sync(t, "since="+since)
	want := map[id.RoomID][]string{left.ID: {"one", "leave bob"}, kicked.ID: {"leave bob"}, banned.ID: {"ban bob"}, declined.ID: {"leave bob"}}
	timelines := func(s *apitest.Sync) map[id.RoomID][]string {
		all := map[id.RoomID][]string{}
		for roomID, r := range s.Rooms.Leave {
			all[roomID] = bodies(r.Timeline.Events)
		}
		return all
	}
	same(t, "left rooms", want, timelines(got))
	if len(got.Rooms.Join) > 0 || strings.Contains(got.Body, "after") {
		t.Errorf("told too much: %s", got.Body)
	}
	if r := got.Rooms.Leave[declined.ID]; len(r.State.Events) > 0 {
		t.Errorf("the state of a room in which bob never was: %v", r.State)
	}
	if next := bob.Sync(t, "since="+got.NextBatch); len(next.Rooms.Leave) > 0 {
		t.Errorf("told twice: %s", next.Body)
	}
	if fresh := bob.Sync(t, ""); len(fresh.Rooms.Leave) > 0 {
		t.Errorf("an initial sync tells of left rooms: %s", fresh.Body)
	}
	archived := bob.Sync(t, filtered(`{"room":{"include_leave":true,"timeline":{"limit":2}}}`))
	want[left.ID], want[kicked.ID], want[banned.ID] = []string{"one", "leave bob"}, []string{"join bob", "leave bob"}, []string{"join bob", "ban bob"}
	same(t, "with include_leave", want, timelines(archived))
	same(t, "state of the archived room", []string{"m.room.create", "m.room.guest_access", "m.room.history_visibility", "m.room.join_rules", "m.room.member alice", "m.room.member bob", "m.room.power_levels"}, types(*archived.Rooms.Leave[left.ID].State))
}

func TestComingAndGoingBetweenTwoSyncs(t *testing.T) {
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	room := alice.CreateRoom(t)
	since := bob.Sync(t, "").NextBatch
	room.Join(t, bob)
	bob.Do(t, "POST", room.Path("/leave"), `{}`).OK(t, nil)
	got := bob.Sync(t, "since="+since+"&"+filtered(`{"room":{"timeline":{"limit":2}}}`))
	r := got.Rooms.Leave[room.ID]
	if r == nil || len(got.Rooms.Join) > 0 {
		t.Fatalf("got %s", got.Body)
	}
	same(t, "timeline", []string{"join bob", "leave bob"}, bodies(r.Timeline.Events))
	same(t, "state", 6, len(r.State.Events))
}

func TestComingBack(t *testing.T) {
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	for _, visibility := range []string{"shared", "joined"} {
		t.Run(visibility, func(t *testing.T) {
			room := alice.CreateRoom(t, fmt.Sprintf(`{"preset":"public_chat","initial_state":[{"type":"m.room.history_visibility","content":{"history_visibility":%q}}]}`, visibility)).Join(t, bob)
			room.Send(t, alice, "seen")
			bob.Do(t, "POST", room.Path("/leave"), `{}`).OK(t, nil)
			since := bob.Sync(t, "").NextBatch
			room.Send(t, alice, "missed")
			room.SetState(t, alice, "m.room.name", map[string]any{"name": "Hall"})
			room.Join(t, bob)
			room.Send(t, alice, "now")
			r := bob.Sync(t, "since="+since).Rooms.Join[room.ID]
			want := []string{"missed", "name Hall", "join bob", "now"}
			if visibility == "joined" {
				want = want[2:]
			}
			same(t, "timeline", want, bodies(r.Timeline.Events))
			if !r.Timeline.Limited {
				t.Error("the stay before is not declared as a gap")
			}
			name := slices.Contains(types(*r.State), "m.room.name")
			if name != (visibility == "joined") || len(r.State.Events) < 7 {
				t.Errorf("state: %v", types(*r.State))
			}
		})
	}
}

func TestLeavingAndComingBackBetweenTwoSyncs(t *testing.T) {
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	room := alice.CreateRoom(t, `{"preset":"public_chat","initial_state":[{"type":"m.room.history_visibility","content":{"history_visibility":"joined"}}]}`).Join(t, bob)
	since := bob.Sync(t, "").NextBatch
	room.Send(t, alice, "seen")
	bob.Do(t, "POST", room.Path("/leave"), `{}`).OK(t, nil)
	room.Send(t, alice, "hidden")
	room.SetState(t, alice, "m.room.name", map[string]any{"name": "Hall"})
	room.Join(t, bob)
	r := bob.Sync(t, "since="+since).Rooms.Join[room.ID]
	same(t, "timeline", []string{"seen", "leave bob", "join bob"}, bodies(r.Timeline.Events))
	same(t, "state that was set meanwhile", []string{"name Hall"}, bodies(*r.State))
}

func TestFullState(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	room, quiet := alice.CreateRoom(t), alice.CreateRoom(t)
	since := alice.Sync(t, "").NextBatch
	room.Send(t, alice, "one")
	got := alice.Sync(t, "full_state=true&timeout=60000&since="+since)
	same(t, "rooms", 2, len(got.Rooms.Join))
	same(t, "timeline", []string{"one"}, bodies(got.Rooms.Join[room.ID].Timeline.Events))
	same(t, "state", 6, len(got.Rooms.Join[room.ID].State.Events))
	same(t, "state of a quiet room", 6, len(got.Rooms.Join[quiet.ID].State.Events))
	same(t, "timeline of a quiet room", []string{}, bodies(got.Rooms.Join[quiet.ID].Timeline.Events))
}

func TestStateAfter(t *testing.T) {
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	room := alice.CreateRoom(t).Join(t, bob)
	all := bob.Sync(t, "use_state_after=true").Rooms.Join[room.ID]
	if all.State != nil {
		t.Error("state is there beside state_after")
	}
	same(t, "initial state_after", 7, len(all.StateAfter.Events))
	since := bob.Sync(t, "").NextBatch
	room.SetState(t, alice, "m.room.name", map[string]any{"name": "A"})
	room.SetState(t, alice, "m.room.name", map[string]any{"name": "B"})
	room.Send(t, alice, "x")
	some := bob.Sync(t, "use_state_after=true&since="+since)
	r := some.Rooms.Join[room.ID]
	same(t, "timeline", []string{"name A", "name B", "x"}, bodies(r.Timeline.Events))
	same(t, "state_after", []string{"name B"}, bodies(*r.StateAfter))
	room.Send(t, alice, "y")
	r = bob.Sync(t, "use_state_after=true&since="+some.NextBatch).Rooms.Join[room.ID]
	if r.StateAfter == nil || len(r.StateAfter.Events) > 0 {
		t.Errorf("state_after without changes: %v", r.StateAfter)
	}
	bob.Do(t, "POST", room.Path("/leave"), `{}`).OK(t, nil)
	left := bob.Sync(t, "use_state_after=true&since="+some.NextBatch).Rooms.Leave[room.ID]
	same(t, "state_after of a left room", []string{"leave bob"}, bodies(*left.StateAfter))
}

func TestLazyMembers(t *testing.T) {
	srv := apitest.New(t)
	alice, bob, carol, dave := srv.User(t, "alice"), srv.User(t, "bob"), srv.User(t, "carol"), srv.User(t, "dave")
	room := alice.CreateRoom(t, `{"preset":"public_chat","name":"Hall"}`).Join(t, bob, carol, dave)
	room.Send(t, carol, "1")
	lazy := func(limit int, more string) string {
		return filtered(fmt.Sprintf(`{"room":{"state":{"lazy_load_members":true%s},"timeline":{"limit":%d}}}`, more, limit))
	}
	members := func(r *apitest.SyncRoom) []string {
		var out []string
		for _, text := range types(*r.State) {
			if name, ok := strings.CutPrefix(text, "m.room.member "); ok {
				out = append(out, name)
			}
		}
		return out
	}
	first := bob.Sync(t, lazy(1, ""))
	same(t, "initial", []string{"bob", "carol"}, members(first.Rooms.Join[room.ID]))
	room.Send(t, alice, "2")
	room.Send(t, bob, "3")
	second := bob.Sync(t, lazy(10, "")+"&since="+first.NextBatch)
	same(t, "incremental", []string{"alice"}, members(second.Rooms.Join[room.ID]))
	same(t, "redundant", []string{"alice", "bob"}, members(bob.Sync(t, lazy(10, `,"include_redundant_members":true`)+"&since="+first.NextBatch).Rooms.Join[room.ID]))
	dave.Do(t, "POST", room.Path("/leave"), `{}`).OK(t, nil)
	room.Send(t, carol, "4")
	third := bob.Sync(t, lazy(1, "")+"&since="+second.NextBatch)
	same(t, "a gap", []string{"carol", "dave"}, members(third.Rooms.Join[room.ID]))
	room.SetState(t, alice, "m.room.name", map[string]any{})
	unnamed := bob.Sync(t, lazy(1, ""))
	same(t, "an unnamed room", []string{"alice", "bob", "carol"}, members(unnamed.Rooms.Join[room.ID]))
	same(t, "its heroes", []id.UserID{alice.UserID, carol.UserID}, unnamed.Rooms.Join[room.ID].Summary.Heroes)
	if first.Rooms.Join[room.ID].Summary.Heroes != nil {
		t.Error("a room with a name has heroes")
	}
}

func TestSummaries(t *testing.T) {
	srv := apitest.New(t)
	alice, bob, carol := srv.User(t, "alice"), srv.User(t, "bob"), srv.User(t, "carol")
	room := alice.CreateRoom(t, `{"preset":"private_chat"}`).Invite(t, bob)
	got := alice.Sync(t, "")
	s := got.Rooms.Join[room.ID].Summary
	if *s.Joined != 1 || *s.Invited != 1 || !slices.Equal(s.Heroes, []id.UserID{bob.UserID}) {
		t.Errorf("with an invite: %+v", s)
	}
	room.Send(t, alice, "x")
	next := alice.Sync(t, "since="+got.NextBatch)
	if s := next.Rooms.Join[room.ID].Summary; s.Joined != nil {
		t.Errorf("without a change: %+v", s)
	}
	room.Join(t, bob).Invite(t, carol)
	last := alice.Sync(t, "since="+next.NextBatch)
	if s := last.Rooms.Join[room.ID].Summary; *s.Joined != 2 || *s.Invited != 1 || len(s.Heroes) != 2 {
		t.Errorf("after a join: %+v", s)
	}
	bob.Do(t, "POST", room.Path("/leave"), `{}`).OK(t, nil)
	carol.Do(t, "POST", room.Path("/leave"), `{}`).OK(t, nil)
	if s := alice.Sync(t, "since="+last.NextBatch).Rooms.Join[room.ID].Summary; *s.Joined != 1 || *s.Invited != 0 || len(s.Heroes) != 2 {
		t.Errorf("when all have left: %+v", s)
	}
}

// TestSummariesOfGaps leaves out of the timeline whatever might change a summary.
func TestSummariesOfGaps(t *testing.T) {
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	room := alice.CreateRoom(t, `{"preset":"private_chat","name":"Hall"}`)
	since := alice.Sync(t, "").NextBatch
	gap := func(change func()) apitest.SyncRoom {
		t.Helper()
		change()
		room.Send(t, alice, "1")
		room.Send(t, alice, "2")
		got := alice.Sync(t, filtered(`{"room":{"timeline":{"limit":1}}}`)+"&since="+since)
		if !got.Rooms.Join[room.ID].Timeline.Limited {
			t.Errorf("no gap: %s", got.Body)
		}
		since = got.NextBatch
		return *got.Rooms.Join[room.ID]
	}
	if s := gap(func() { room.SetState(t, alice, "m.room.topic", map[string]any{"topic": "x"}) }).Summary; s.Joined != nil {
		t.Errorf("after another topic: %+v", s)
	}
	if s := gap(func() { room.Invite(t, bob) }).Summary; s.Joined == nil || *s.Invited != 1 || len(s.Heroes) != 0 {
		t.Errorf("after an invite: %+v", s)
	}
	if s := gap(func() { room.Join(t, bob) }).Summary; s.Joined == nil || *s.Joined != 2 || *s.Invited != 0 {
		t.Errorf("after a join: %+v", s)
	}
	if s := gap(func() { room.SetState(t, alice, "m.room.name", map[string]any{}) }).Summary; !slices.Equal(s.Heroes, []id.UserID{bob.UserID}) {
		t.Errorf("without a name: %+v", s)
	}
	if s := gap(func() { room.SetState(t, alice, "m.room.canonical_alias", map[string]any{}) }).Summary; !slices.Equal(s.Heroes, []id.UserID{bob.UserID}) {
		t.Errorf("without an alias: %+v", s)
	}
}

// TestRestoredBackup is a client whose token is from after what a restored backup
// holds.
func TestRestoredBackup(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	room := alice.CreateRoom(t)
	room.Send(t, alice, "one")
	got := alice.Sync(t, "timeout=30000&since=s"+url.QueryEscape("9223372036854775807"))
	r := got.Rooms.Join[room.ID]
	if r == nil || !r.Timeline.Limited || position(got.NextBatch) > 1000 {
		t.Fatalf("got %s", got.Body)
	}
	same(t, "timeline", 7, len(r.Timeline.Events.Events))
}
