package timeline_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/id"
)

func relating(t testing.TB, as *apitest.Client, room *apitest.Room, parent id.EventID, rest string) (p page) {
	t.Helper()
	as.Do(t, "GET", v1(room, "/relations/"+apitest.Escape(parent)+rest), nil).OK(t, &p)
	return p
}

func one(t testing.TB, as *apitest.Client, room *apitest.Room, eventID id.EventID) (e clientEvent) {
	t.Helper()
	as.Do(t, "GET", room.Path("/event/"+apitest.Escape(eventID)), nil).OK(t, &e)
	return e
}

func TestRelations(t *testing.T) {
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	room := alice.CreateRoom(t).Join(t, bob)
	root := room.Send(t, alice, "root")
	first := relate(t, bob, room, "m.thread", root, "first")
	relate(t, bob, room, "m.reference", root, "reference")
	relate(t, alice, room, "m.thread", root, "second")
	relate(t, bob, room, "m.replace", first, "first, corrected")
	room.SendEvent(t, bob, "m.reaction", map[string]any{"m.relates_to": map[string]any{"rel_type": "m.annotation", "event_id": root, "key": "+1"}})

	p := relating(t, alice, room, root, "")
	want(t, "all relations", bodies(p.Chunk), "second", "reference", "first")
	if len(p.Chunk) != 4 || p.Next != "" || p.Prev != "" || p.Depth != 0 {
		t.Errorf("all relations: got %+v", p)
	}
	want(t, "by type", bodies(relating(t, alice, room, root, "/m.thread").Chunk), "second", "first")
	want(t, "by type, forwards", bodies(relating(t, alice, room, root, "/m.thread?dir=f").Chunk), "first", "second")
	want(t, "by event type", bodies(relating(t, alice, room, root, "/m.annotation/m.room.message").Chunk))
	if p := relating(t, alice, room, root, "/m.annotation/m.reaction"); len(p.Chunk) != 1 {
		t.Errorf("reactions: got %+v", p)
	}
	deep := relating(t, alice, room, root, "?recurse=true&dir=f")
	want(t, "recursing", bodies(deep.Chunk), "first", "reference", "second", "first, corrected")
	if deep.Depth != 3 {
		t.Errorf("recursing: got the depth %d, want 3", deep.Depth)
	}
	want(t, "recursing backwards with a type", bodies(relating(t, alice, room, root, "/m.thread?recurse=true").Chunk), "second", "first")
	if p := relating(t, alice, room, root, "?recurse=false"); p.Depth != 1 {
		t.Errorf("not recursing: got the depth %d, want 1", p.Depth)
	}

	paged := relating(t, alice, room, root, "/m.thread?limit=1")
	want(t, "the first page", bodies(paged.Chunk), "second")
	rest := relating(t, alice, room, root, "/m.thread?limit=1&from="+paged.Next)
	want(t, "the second page", bodies(rest.Chunk), "first")
	if rest.Next != "" || rest.Prev != paged.Next {
		t.Errorf("the second page: got %+v", rest)
	}
	want(t, "up to a token", bodies(relating(t, alice, room, root, "/m.thread?to="+paged.Next).Chunk), "second")
	for _, query := range []string{"?limit=0", "?dir=up", "?from=x", "?to=x", "?recurse=maybe"} {
		for _, rest := range []string{"", "/m.thread", "/m.thread/m.room.message"} {
			alice.Do(t, "GET", v1(room, "/relations/"+apitest.Escape(root)+rest+query), nil).Fails(t, srv, errcode.InvalidParam)
		}
	}
}

func TestThreadsOfARoom(t *testing.T) {
	srv := apitest.New(t)
	alice, bob, eve := srv.User(t, "alice"), srv.User(t, "bob"), srv.User(t, "eve")
	room := alice.CreateRoom(t).Join(t, bob)
	var roots []id.EventID
	for i := range 3 {
		roots = append(roots, room.Send(t, alice, fmt.Sprint("root", i)))
		relate(t, alice, room, "m.thread", roots[i], "reply")
	}
	reply := relate(t, bob, room, "m.thread", roots[0], "bob's reply")
	threads := func(as *apitest.Client, query string) (p page) {
		t.Helper()
		as.Do(t, "GET", v1(room, "/threads"+query), nil).OK(t, &p)
		return p
	}
	p := threads(bob, "")
	want(t, "all threads", bodies(p.Chunk), "root0", "root2", "root1")
	if thread := p.Chunk[0].Unsigned.Relations.Thread; thread == nil || thread.Count != 2 || !thread.Participated || thread.Latest.ID != reply {
		t.Errorf("the thread of root0: got %+v, want 2 replies, the last by bob", thread)
	}
	if thread := p.Chunk[1].Unsigned.Relations.Thread; thread == nil || thread.Count != 1 || thread.Participated {
		t.Errorf("the thread of root2: got %+v, want 1 reply, none by bob", thread)
	}
	want(t, "bob's threads", bodies(threads(bob, "?include=participated").Chunk), "root0")
	want(t, "alice's threads", bodies(threads(alice, "?include=participated").Chunk), "root0", "root2", "root1")
	first := threads(bob, "?limit=2")
	want(t, "the first page", bodies(first.Chunk), "root0", "root2")
	second := threads(bob, "?limit=2&from="+first.Next)
	want(t, "the second page", bodies(second.Chunk), "root1")
	if second.Next != "" {
		t.Errorf("the second page has the token %q", second.Next)
	}
	apitest.Run(t, []apitest.Case{
		{Name: "RE-83 not in the room", As: eve, Do: "GET", Path: v1(room, "/threads"), Want: errcode.NotJoined},
		{Name: "an unknown selection", As: bob, Do: "GET", Path: v1(room, "/threads?include=some"), Want: errcode.InvalidParam},
		{Name: "no limit", As: bob, Do: "GET", Path: v1(room, "/threads?limit=0"), Want: errcode.InvalidParam},
	})

	bob.Do(t, "POST", room.Path("/leave"), nil).OK(t, nil)
	relate(t, alice, room, "m.thread", roots[1], "after bob has left")
	p = threads(bob, "")
	want(t, "RE-83 to a former member", bodies(p.Chunk), "root0", "root2", "root1")
	if thread := p.Chunk[2].Unsigned.Relations.Thread; thread.Count != 1 || thread.Latest.Content.Body != "reply" {
		t.Errorf("RE-83 a former member sees a reply that came later: %+v", thread)
	}
}

// TestBundlesAmongManyRelations holds that an event has its bundle however many relations
// of others came after it: up to 128 are looked at to see that it has any.
func TestBundlesAmongManyRelations(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	room := alice.CreateRoom(t)
	message, other := room.Send(t, alice, "helo"), room.Send(t, alice, "other")
	for i := range 127 {
		relate(t, alice, room, "m.reference", other, fmt.Sprint(i))
	}
	if r := one(t, alice, room, message).Unsigned.Relations.Replace; r != nil {
		t.Errorf("nothing relates to it: got %+v", r)
	}
	edit := relate(t, alice, room, "m.replace", message, "hello") // the 128th
	for range 3 {
		if r := one(t, alice, room, message).Unsigned.Relations.Replace; r == nil || r.ID != edit {
			t.Errorf("got %+v, want the edit %s", r, edit)
		}
		relate(t, alice, room, "m.reference", other, "more")
	}
	edit = relate(t, alice, room, "m.replace", message, "hello!") // one of those that are not looked at
	if r := one(t, alice, room, message).Unsigned.Relations.Replace; r == nil || r.ID != edit {
		t.Errorf("got %+v, want the newest edit %s", r, edit)
	}
}

func TestEditsAreBundled(t *testing.T) {
	srv := apitest.New(t)
	alice, bob, carol := srv.User(t, "alice"), srv.User(t, "bob"), srv.User(t, "carol")
	room := alice.CreateRoom(t).Join(t, bob, carol)
	message := room.Send(t, alice, "helo")
	edit := relate(t, alice, room, "m.replace", message, "hello")
	relate(t, bob, room, "m.replace", message, "not bob's to edit")
	room.SendEvent(t, alice, "m.room.message", map[string]any{"body": "without new content", "m.relates_to": map[string]any{"rel_type": "m.replace", "event_id": message}})
	room.SendEvent(t, alice, "m.sticker", map[string]any{"m.new_content": map[string]any{}, "m.relates_to": map[string]any{"rel_type": "m.replace", "event_id": message}})
	relate(t, alice, room, "m.replace", edit, "an edit of an edit")
	got := one(t, bob, room, message)
	if r := got.Unsigned.Relations.Replace; r == nil || r.ID != edit || got.Content.Body != "helo" {
		t.Errorf("got %+v, want the edit %s beside the old content", got, edit)
	}
	if r := one(t, bob, room, edit).Unsigned.Relations.Replace; r != nil {
		t.Errorf("an edit was edited: %+v", r)
	}
	carol.Do(t, "POST", room.Path("/leave"), nil).OK(t, nil)
	later := relate(t, alice, room, "m.replace", message, "hello!")
	if r := one(t, carol, room, message).Unsigned.Relations.Replace; r == nil || r.ID != edit {
		t.Errorf("to a former member: got %+v, want the edit %s", r, edit)
	}
	alice.Do(t, "PUT", room.Path("/redact/"+apitest.Escape(later)+"/1"), `{}`).OK(t, nil)
	if r := one(t, bob, room, message).Unsigned.Relations.Replace; r == nil || r.ID != edit {
		t.Errorf("after the newest edit was redacted: got %+v, want the edit %s", r, edit)
	}
	alice.Do(t, "PUT", room.Path("/redact/"+apitest.Escape(message)+"/2"), `{}`).OK(t, nil)
	if r := one(t, bob, room, message).Unsigned.Relations.Replace; r != nil {
		t.Errorf("a redacted event has the edit %+v", r)
	}
}

func TestBundlesAreBundled(t *testing.T) {
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	room := alice.CreateRoom(t).Join(t, bob)
	root := room.Send(t, alice, "root")
	reply := relate(t, bob, room, "m.thread", root, "reply")
	edit := relate(t, bob, room, "m.replace", reply, "reply, corrected")
	var references []id.EventID
	for range 3 {
		references = append(references, relate(t, alice, room, "m.reference", root, "see above"))
	}
	var got clientEvent
	for _, e := range all(t, bob, room, "dir=b&limit=100") {
		if e.ID == root {
			got = e
		}
	}
	thread := got.Unsigned.Relations.Thread
	if thread == nil || thread.Latest.ID != reply || thread.Latest.Unsigned.Relations.Replace == nil || thread.Latest.Unsigned.Relations.Replace.ID != edit {
		t.Errorf("the thread: got %+v, want the reply %s with its edit %s", thread, reply, edit)
	}
	var listed []id.EventID
	for _, r := range got.Unsigned.Relations.Reference.Chunk {
		listed = append(listed, r.ID)
	}
	if !slices.Equal(listed, references) {
		t.Errorf("references: got %v, want %v", listed, references)
	}
	ignore := map[string]any{"ignored_users": map[string]any{string(bob.UserID): struct{}{}}}
	alice.Do(t, "PUT", "/_matrix/client/v3/user/"+apitest.Escape(alice.UserID)+"/account_data/m.ignored_user_list", ignore).OK(t, nil)
	if thread := one(t, alice, room, root).Unsigned.Relations.Thread; thread != nil {
		t.Errorf("alice ignores bob, and yet sees his reply: %+v", thread)
	}
}

func TestContext(t *testing.T) {
	srv := apitest.New(t)
	alice, bob, eve := srv.User(t, "alice"), srv.User(t, "bob"), srv.User(t, "eve")
	room := alice.CreateRoom(t).Join(t, bob)
	var sent []id.EventID
	for i := range 9 {
		sent = append(sent, room.Send(t, []*apitest.Client{alice, bob}[i%2], fmt.Sprint("m", i)))
	}
	room.SetState(t, alice, "m.room.topic", map[string]any{"topic": "later"})
	type answer struct {
		Start, End string
		Before     []clientEvent `json:"events_before"`
		Event      clientEvent
		After      []clientEvent `json:"events_after"`
		State      []clientEvent
	}
	path := room.Path("/context/" + apitest.Escape(sent[4]))
	get := func(query string) (a answer) {
		t.Helper()
		bob.Do(t, "GET", path+query, nil).OK(t, &a)
		return a
	}
	a := get("?limit=5")
	want(t, "before", bodies(a.Before), "m3", "m2")
	want(t, "the event", bodies([]clientEvent{a.Event}), "m4")
	want(t, "after", bodies(a.After), "m5", "m6", "m7")
	for _, e := range a.State {
		if e.Type == "m.room.topic" {
			t.Error("the state is not that of the last event, but later")
		}
	}
	want(t, "on from the start", bodies(messages(t, bob, room, "dir=b&limit=2&from="+a.Start).Chunk), "m1", "m0")
	want(t, "on from the end", bodies(messages(t, bob, room, "dir=f&limit=2&from="+a.End).Chunk), "m8")
	if a := get("?limit=0"); a.Event.ID != sent[4] || len(a.Before)+len(a.After) != 0 || len(a.State) == 0 {
		t.Errorf("limit 0: got %+v", a)
	}
	if a := get(""); len(a.Before) != 5 || len(a.After) != 5 {
		t.Errorf("no limit: got %d and %d events, want 5 and 5", len(a.Before), len(a.After))
	}
	members := 0
	for _, e := range get(`?limit=0&filter={"lazy_load_members":true}`).State {
		if e.Type == "m.room.member" {
			members++
		}
	}
	if members != 1 {
		t.Errorf("lazy loading: got %d members, want the sender", members)
	}
	apitest.Run(t, []apitest.Case{
		{Name: "RE-83 not in the room", As: eve, Do: "GET", Path: path, Want: errcode.NotJoined},
		{Name: "no such event", As: bob, Do: "GET", Path: room.Path("/context/$nothing"), Want: errcode.NotFound},
		{Name: "a negative limit", As: bob, Do: "GET", Path: path + "?limit=-1", Want: errcode.InvalidParam},
		{Name: "a broken filter", As: bob, Do: "GET", Path: path + "?filter={", Want: errcode.InvalidParam},
	})
}

func TestEventsByTime(t *testing.T) {
	srv := apitest.New(t)
	alice, bob, eve := srv.User(t, "alice"), srv.User(t, "bob"), srv.User(t, "eve")
	room := alice.CreateRoom(t).Join(t, bob)
	srv.Advance(3600e9)
	early := room.Send(t, alice, "early")
	srv.Advance(3600e9)
	late := room.Send(t, alice, "late")
	var at struct {
		TS int64 `json:"origin_server_ts"`
	}
	bob.Do(t, "GET", room.Path("/event/"+apitest.Escape(early)), nil).OK(t, &at)
	path := func(dir string, ts int64) string {
		return v1(room, fmt.Sprintf("/timestamp_to_event?dir=%s&ts=%d", dir, ts))
	}
	apitest.Run(t, []apitest.Case{
		{Name: "the next one", As: bob, Do: "GET", Path: path("f", at.TS+1), Has: []string{string(late)}},
		{Name: "at exactly the time", As: bob, Do: "GET", Path: path("f", at.TS), Has: []string{string(early)}},
		{Name: "backwards at exactly the time", As: bob, Do: "GET", Path: path("b", at.TS), Has: []string{string(early)}},
		{Name: "the one before", As: bob, Do: "GET", Path: path("b", at.TS+1000), Has: []string{string(early)}},
		{Name: "nothing after", As: bob, Do: "GET", Path: path("f", at.TS*2), Want: errcode.NotFound},
		{Name: "nothing before", As: bob, Do: "GET", Path: path("b", 0), Want: errcode.NotFound},
		{Name: "not in the room", As: eve, Do: "GET", Path: path("f", 0), Want: errcode.NotJoined},
		{Name: "no direction", As: bob, Do: "GET", Path: v1(room, "/timestamp_to_event?ts=1"), Want: errcode.MissingParam},
		{Name: "no number", As: bob, Do: "GET", Path: v1(room, "/timestamp_to_event?ts=x&dir=f"), Want: errcode.InvalidParam},
	})
	bob.Do(t, "POST", room.Path("/leave"), nil).OK(t, nil)
	srv.Advance(3600e9)
	room.Send(t, alice, "unseen")
	bob.Do(t, "GET", path("f", at.TS+2*3600e3), nil).Fails(t, srv, errcode.NotFound)
}
