package timeline_test

import (
	"fmt"
	"net/url"
	"slices"
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/id"
)

func TestMain(m *testing.M) { apitest.Main(m) }

type clientEvent struct {
	ID       id.EventID `json:"event_id"`
	Type     string     `json:"type"`
	Sender   id.UserID  `json:"sender"`
	StateKey *string    `json:"state_key"`
	Content  struct {
		Body       string `json:"body"`
		Membership string `json:"membership"`
	} `json:"content"`
	Unsigned struct {
		Relations relations `json:"m.relations"`
	} `json:"unsigned"`
}

type relations struct {
	Replace *clientEvent `json:"m.replace"`
	Thread  *struct {
		Latest       clientEvent `json:"latest_event"`
		Count        int         `json:"count"`
		Participated bool        `json:"current_user_participated"`
	} `json:"m.thread"`
	Reference *struct {
		Chunk []struct {
			ID id.EventID `json:"event_id"`
		} `json:"chunk"`
	} `json:"m.reference"`
}

type page struct {
	Start string        `json:"start"`
	End   string        `json:"end"`
	Next  string        `json:"next_batch"`
	Prev  string        `json:"prev_batch"`
	Depth int           `json:"recursion_depth"`
	Chunk []clientEvent `json:"chunk"`
	State []clientEvent `json:"state"`
}

// messages reads one page.
func messages(t testing.TB, as *apitest.Client, room *apitest.Room, query string) (p page) {
	t.Helper()
	as.Do(t, "GET", room.Path("/messages?"+query), nil).OK(t, &p)
	return p
}

// all reads every page.
func all(t testing.TB, as *apitest.Client, room *apitest.Room, query string) (out []clientEvent) {
	t.Helper()
	from := ""
	for range 1000 {
		p := messages(t, as, room, query+from)
		if out = append(out, p.Chunk...); p.End == "" {
			return out
		}
		from = "&from=" + p.End
	}
	t.Fatal("the pages do not end")
	return nil
}

// bodies are the texts of the messages among events.
func bodies(events []clientEvent) (out []string) {
	for _, e := range events {
		if e.Type == "m.room.message" {
			out = append(out, e.Content.Body)
		}
	}
	return out
}

func want(t testing.TB, what string, got []string, wanted ...string) {
	t.Helper()
	if !slices.Equal(got, wanted) {
		t.Errorf("%s: got %v, want %v", what, got, wanted)
	}
}

func v1(room *apitest.Room, rest string) string {
	return "/_matrix/client/v1/rooms/" + apitest.Escape(room.ID) + rest
}

// relate sends a message that relates to another event.
func relate(t testing.TB, as *apitest.Client, room *apitest.Room, relType string, parent id.EventID, body string) id.EventID {
	t.Helper()
	content := map[string]any{"msgtype": "m.text", "body": body, "m.relates_to": map[string]any{"rel_type": relType, "event_id": parent}}
	if relType == "m.replace" {
		content["m.new_content"] = map[string]any{"msgtype": "m.text", "body": body}
	}
	return room.SendEvent(t, as, "m.room.message", content)
}

func TestMessagesArePaged(t *testing.T) {
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	room := alice.CreateRoom(t).Join(t, bob)
	for i := range 5 {
		room.Send(t, alice, fmt.Sprint("m", i))
	}
	want(t, "backwards", bodies(all(t, bob, room, "dir=b&limit=2")), "m4", "m3", "m2", "m1", "m0")
	want(t, "forwards", bodies(all(t, bob, room, "dir=f&limit=3")), "m0", "m1", "m2", "m3", "m4")
	first := messages(t, bob, room, "dir=b&limit=2")
	want(t, "the first page", bodies(first.Chunk), "m4", "m3")
	back := messages(t, bob, room, "dir=f&from="+first.End)
	want(t, "forwards from the end of a page", bodies(back.Chunk), "m3", "m4")
	if back.End != "" {
		t.Errorf("the last page has the end %q", back.End)
	}
	until := messages(t, bob, room, "dir=b&to="+first.End)
	want(t, "up to a token", bodies(until.Chunk), "m4", "m3")
	if first.State != nil {
		t.Errorf("a page has state without being asked: %v", first.State)
	}
}

func TestMessagesThatAreRefused(t *testing.T) {
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	room := alice.CreateRoom(t)
	room.Send(t, alice, "secret")
	unknown := "/_matrix/client/v3/rooms/" + apitest.Escape("!nothing:narthex.test") + "/messages?dir=b"
	var cases []apitest.Case
	for _, query := range []string{"dir=x", "dir=b&from=x", "dir=b&from=s1_2_3", "dir=b&from=s-1", "dir=b&from=s99999999999999999999", "dir=b&to=s", "dir=b&limit=0", "dir=b&limit=-1", "dir=b&limit=1.5",
		"dir=b&filter=x", "dir=b&filter=" + url.QueryEscape(`{"types":3}`), "dir=b&filter=" + url.QueryEscape(`{"limit":-1}`)} {
		cases = append(cases, apitest.Case{Name: "malformed " + query, As: alice, Do: "GET", Path: room.Path("/messages?" + query), Want: errcode.InvalidParam})
	}
	apitest.Run(t, append(cases,
		apitest.Case{Name: "RE-83 not in the room", As: bob, Do: "GET", Path: room.Path("/messages?dir=b"), Want: errcode.NotJoined},
		apitest.Case{Name: "RE-83 no such room", As: bob, Do: "GET", Path: unknown, Want: errcode.NotJoined},
		apitest.Case{Name: "without dir", As: alice, Do: "GET", Path: room.Path("/messages"), Want: errcode.MissingParam},
		apitest.Case{Name: "without a token", As: srv.Anyone(), Do: "GET", Path: room.Path("/messages?dir=b"), Want: errcode.MissingToken},
		apitest.Case{Name: "a huge limit", As: alice, Do: "GET", Path: room.Path("/messages?dir=b&limit=1000000000"), Has: []string{"secret"}},
		apitest.Case{Name: "from the future", As: alice, Do: "GET", Path: room.Path("/messages?dir=f&from=s9000000000000000000"), HasNot: []string{"secret", `"end"`}},
		apitest.Case{Name: "from after to", As: alice, Do: "GET", Path: room.Path("/messages?dir=f&from=s5&to=s1"), HasNot: []string{"secret", `"end"`}},
	))
}

func TestMessagesAreFiltered(t *testing.T) {
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	room := alice.CreateRoom(t).Join(t, bob)
	root := room.Send(t, alice, "plain")
	room.SendEvent(t, bob, "m.room.message", map[string]any{"msgtype": "m.image", "body": "picture", "url": "mxc://narthex.test/x"})
	relate(t, bob, room, "m.thread", root, "reply")
	for filter, wanted := range map[string][]string{
		`{"types":["m.room.message"]}`:                                     {"reply", "picture", "plain"},
		`{"not_types":["m.room.*"]}`:                                       nil,
		`{"senders":["@alice:narthex.test"]}`:                              {"plain"},
		`{"contains_url":true}`:                                            {"picture"},
		`{"rooms":[]}`:                                                     nil,
		`{"limit":1}`:                                                      {"reply"},
		`{"related_by_rel_types":["m.thread"]}`:                            {"plain"},
		`{"related_by_senders":["@alice:narthex.test"]}`:                   nil,
		`{"types":["m.room.message"],"not_senders":["@bob:narthex.test"]}`: {"plain"},
	} {
		p := messages(t, alice, room, "dir=b&filter="+url.QueryEscape(filter))
		want(t, filter, bodies(p.Chunk), wanted...)
	}
	lazy := messages(t, alice, room, "dir=b&limit=1&filter="+url.QueryEscape(`{"lazy_load_members":true}`))
	if len(lazy.State) != 1 || lazy.State[0].Type != "m.room.member" || *lazy.State[0].StateKey != string(bob.UserID) {
		t.Errorf("lazy loading: got the state %v, want the membership of bob", lazy.State)
	}
	ignore := map[string]any{"ignored_users": map[string]any{string(bob.UserID): struct{}{}}}
	alice.Do(t, "PUT", "/_matrix/client/v3/user/"+apitest.Escape(alice.UserID)+"/account_data/m.ignored_user_list", ignore).OK(t, nil)
	want(t, "with bob ignored", bodies(all(t, alice, room, "dir=b")), "plain")
}

func TestFormerMembersReadUpToTheirLeave(t *testing.T) {
	srv := apitest.New(t)
	alice, bob, carol := srv.User(t, "alice"), srv.User(t, "bob"), srv.User(t, "carol")
	room := alice.CreateRoom(t)
	room.Send(t, alice, "before")
	room.Join(t, bob)
	room.Send(t, alice, "during")
	bob.Do(t, "POST", room.Path("/leave"), nil).OK(t, nil)
	after := room.Send(t, alice, "after")
	events := all(t, bob, room, "dir=b&limit=1")
	want(t, "RE-83 a former member", bodies(events), "during", "before")
	if events[0].Content.Membership != "leave" {
		t.Errorf("RE-83 a former member: the newest event is %v, want their leaving", events[0])
	}
	bob.Do(t, "GET", room.Path("/event/"+apitest.Escape(after)), nil).Fails(t, srv, errcode.NotFound)
	bob.Do(t, "GET", room.Path("/context/"+apitest.Escape(after)), nil).Fails(t, srv, errcode.NotFound)

	room.SetState(t, alice, "m.room.history_visibility", map[string]any{"history_visibility": "joined"})
	room.Send(t, alice, "hidden")
	room.Join(t, carol)
	room.Send(t, alice, "seen")
	want(t, "visibility joined", bodies(all(t, carol, room, "dir=f&limit=1")), "before", "during", "after", "seen")
	room.SetState(t, alice, "m.room.history_visibility", map[string]any{"history_visibility": "world_readable"})
	room.Send(t, alice, "public")
	want(t, "world readable, to a stranger", bodies(all(t, srv.User(t, "dave"), room, "dir=b")), "public")
}

func TestInvitedMembersSeeWhatWasSentSinceTheInvite(t *testing.T) {
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	room := alice.CreateRoom(t, map[string]any{"preset": "private_chat", "initial_state": []map[string]any{
		{"type": "m.room.history_visibility", "content": map[string]any{"history_visibility": "invited"}},
	}})
	room.Send(t, alice, "before")
	room.Invite(t, bob)
	since := room.Send(t, alice, "since")
	bob.Do(t, "GET", room.Path("/messages?dir=b"), nil).Fails(t, srv, errcode.NotJoined)
	bob.Do(t, "GET", room.Path("/event/"+apitest.Escape(since)), nil).OK(t, nil)
	room.Join(t, bob)
	want(t, "visibility invited", bodies(all(t, bob, room, "dir=b")), "since")
}

func TestOneEvent(t *testing.T) {
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	room := alice.CreateRoom(t)
	other := bob.CreateRoom(t)
	sent := room.Send(t, alice, "hello")
	alice.Do(t, "GET", room.Path("/event/"+apitest.Escape(sent)), nil).OK(t, nil)
	paths := []string{
		room.Path("/event/" + apitest.Escape(sent)),
		room.Path("/event/$nothing"),
		other.Path("/event/" + apitest.Escape(sent)),
		"/_matrix/client/v3/rooms/!nothing:narthex.test/event/" + apitest.Escape(sent),
		v1(room, "/relations/"+apitest.Escape(sent)),
		v1(room, "/relations/"+apitest.Escape(sent)+"/m.thread"),
		v1(room, "/relations/"+apitest.Escape(sent)+"/m.thread/m.room.message"),
	}
	first := bob.Do(t, "GET", paths[0], nil).Body
	for _, path := range paths {
		t.Run("RE-84 "+path, func(t *testing.T) {
			r := bob.Do(t, "GET", path, nil).Fails(t, srv, errcode.NotFound)
			if string(r.Body) != string(first) {
				t.Errorf("got %s, want %s as for any other", r.Body, first)
			}
		})
	}
	alice.Do(t, "GET", room.Path("/event/hello"), nil).Fails(t, srv, errcode.InvalidParam)
}
