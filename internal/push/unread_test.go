package push_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/narthex-matrix/narthex/internal/accountdata"
	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/push"
)

// kitchen is a room made by Bob with Alice in it, whose unread events are counted
// by two services: one that remembers, and for each question one that does not.
type kitchen struct {
	t          *testing.T
	srv        *apitest.Server
	alice, bob *apitest.Client
	roomID     id.RoomID
	remembers  *push.Service
	sent       int
}

func newKitchen(t *testing.T) *kitchen {
	t.Helper()
	srv := apitest.New(t)
	k := &kitchen{t: t, srv: srv, alice: srv.User(t, "alice"), bob: srv.User(t, "bob"), remembers: service(srv)}
	var room struct {
		RoomID id.RoomID `json:"room_id"`
	}
	k.bob.Do(t, "POST", "/_matrix/client/v3/createRoom", `{"preset":"public_chat"}`).OK(t, &room)
	k.roomID = room.RoomID
	k.say(k.bob, `"body":"before"`)
	k.join(k.alice)
	return k
}

func (k *kitchen) path(rest string) string {
	return "/_matrix/client/v3/rooms/" + apitest.Escape(k.roomID) + rest
}

func (k *kitchen) join(c *apitest.Client) {
	k.t.Helper()
	c.Do(k.t, "POST", k.path("/join"), `{}`).OK(k.t, nil)
}

// say sends a message whose content has the members.
func (k *kitchen) say(c *apitest.Client, members string) id.EventID {
	k.t.Helper()
	return k.send(c, "m.room.message", `{"msgtype":"m.text",`+members+`}`)
}

func (k *kitchen) send(c *apitest.Client, eventType, content string) id.EventID {
	k.t.Helper()
	k.sent++
	return k.put(c, fmt.Sprintf("/send/%s/t%d", eventType, k.sent), content)
}

func (k *kitchen) put(c *apitest.Client, rest, content string) id.EventID {
	k.t.Helper()
	var resp struct {
		EventID id.EventID `json:"event_id"`
	}
	c.Do(k.t, "PUT", k.path(rest), content).OK(k.t, &resp)
	return resp.EventID
}

// now is the present position, as a receipt for the newest event has it.
func (k *kitchen) now() (pos int64) {
	k.t.Helper()
	k.read(func(tx *db.Tx) (err error) {
		pos, err = tx.Position()
		return err
	})
	return pos
}

func (k *kitchen) read(f func(tx *db.Tx) error) {
	k.t.Helper()
	if err := k.srv.App.DB.Read(k.t.Context(), f); err != nil {
		k.t.Fatal(err)
	}
}

// unread counts for a user as the transaction sees them.
func unread(srv *apitest.Server, s *push.Service, tx *db.Tx, userID id.UserID, reads []push.Read) (map[id.RoomID]push.Unread, error) {
	reader := push.Reader{UserID: userID}
	var err error
	if reader.Pos, err = tx.Position(); err != nil {
		return nil, err
	}
	if reader.RulesPos, err = db.Value[int64](tx, `SELECT `+push.Changed+` FROM users session WHERE user_id = $1`, userID); err != nil {
		return nil, err
	}
	if reader.Ignored, err = accountdata.New(accountdata.Deps{DB: srv.App.DB}).IgnoredUsers(tx, userID); err != nil {
		return nil, err
	}
	return s.Unread(tx, reader, reads)
}

// expect checks what is unread for Alice, for both services.
func (k *kitchen) expect(what string, read push.Read, want push.Unread) {
	k.t.Helper()
	k.expectFor(k.alice, what, read, want)
}

func (k *kitchen) expectFor(c *apitest.Client, what string, read push.Read, want push.Unread) {
	k.t.Helper()
	read.RoomID = k.roomID
	for name, s := range map[string]*push.Service{"afresh": service(k.srv), "remembered": k.remembers} {
		k.read(func(tx *db.Tx) error {
			got, err := unread(k.srv, s, tx, c.UserID, []push.Read{read})
			if diff := cmp.Diff(want, got[k.roomID]); diff != "" {
				k.t.Errorf("%s, counted %s (-want +got):\n%s", what, name, diff)
			}
			return err
		})
	}
}

func plain(n, highlights int) push.Unread {
	return push.Unread{Main: push.Count{Notifications: n, Highlights: highlights}}
}

func TestUnread(t *testing.T) {
	k := newKitchen(t)
	none := push.Read{}
	mention := `"body":"hi","m.mentions":{"user_ids":["` + string(k.alice.UserID) + `"]}`
	k.expect("what was sent before the join", none, plain(0, 0))
	k.say(k.bob, `"body":"one"`)
	k.expect("a message", none, plain(1, 0))
	k.expectFor(k.bob, "one's own message", none, plain(0, 0))
	k.say(k.bob, mention)
	k.expect("a mention", none, plain(2, 1))
	first := k.now()
	k.send(k.bob, "m.reaction", `{"m.relates_to":{"rel_type":"m.annotation","event_id":"$x","key":"+"}}`)
	k.put(k.bob, "/state/m.room.topic", `{"topic":"tea"}`)
	k.expect("a reaction and a topic", none, plain(2, 0+1))
	k.expect("a receipt", push.Read{Unthreaded: first}, plain(0, 0))
	k.say(k.bob, `"body":"two"`)
	k.expect("a message after the receipt", push.Read{Unthreaded: first}, plain(1, 0))
	k.expect("a receipt for the main timeline", push.Read{Main: first}, plain(1, 0))
	k.expect("an older receipt, which counts more", none, plain(3, 1))

	redacted := k.say(k.bob, mention)
	k.expect("another mention", none, plain(4, 2))
	k.sent++
	k.put(k.bob, fmt.Sprintf("/redact/%s/t%d", apitest.Escape(redacted), k.sent), `{}`)
	k.expect("after its redaction", none, plain(3, 1))

	k.say(k.alice, `"body":"I have read it all"`)
	k.expect("after one's own message", none, plain(0, 0))
	k.say(k.bob, `"body":"good"`)
	k.expect("and an answer", none, plain(1, 0))
	k.put(k.alice, "/state/m.room.member/"+apitest.Escape(k.alice.UserID), `{"membership":"join","displayname":"Alice!"}`)
	k.expect("after a change of name", none, plain(1, 0))
}

func TestUnreadAfterComingBack(t *testing.T) {
	k := newKitchen(t)
	k.say(k.bob, `"body":"one"`)
	k.expect("a message", push.Read{}, plain(1, 0))
	k.alice.Do(t, "POST", k.path("/leave"), `{}`).OK(t, nil)
	k.say(k.bob, `"body":"while she is away"`)
	k.read(func(tx *db.Tx) error {
		got, err := unread(k.srv, k.remembers, tx, k.alice.UserID, []push.Read{{RoomID: k.roomID}})
		if len(got) != 0 {
			t.Errorf("for one who has left: got %v, want nothing", got)
		}
		return err
	})
	k.join(k.alice)
	k.expect("after coming back", push.Read{}, plain(0, 0))
	k.say(k.bob, `"body":"welcome"`)
	k.expect("a message since", push.Read{}, plain(1, 0))
}

func TestUnreadInThreads(t *testing.T) {
	k := newKitchen(t)
	in := func(root id.EventID) string {
		return fmt.Sprintf(`"body":"x","m.relates_to":{"rel_type":"m.thread","event_id":%q}`, root)
	}
	root, other := k.say(k.bob, `"body":"root"`), k.say(k.bob, `"body":"other root"`)
	reply := k.say(k.bob, in(root))
	first := k.now()
	k.say(k.bob, in(root))
	k.say(k.bob, in(other))
	// Two hops: a reference to a reference to a reply in the thread.
	hop := k.say(k.bob, fmt.Sprintf(`"body":"x","m.relates_to":{"rel_type":"m.reference","event_id":%q}`, reply))
	k.say(k.bob, fmt.Sprintf(`"body":"x","m.relates_to":{"rel_type":"m.reference","event_id":%q}`, hop))
	all := push.Unread{Main: push.Count{Notifications: 2}, Threads: map[id.EventID]push.Count{root: {Notifications: 4}, other: {Notifications: 1}}}
	k.expect("two threads", push.Read{}, all)
	if got := all.Total(); got.Notifications != 7 {
		t.Errorf("Total: got %d, want 7", got.Notifications)
	}
	all.Threads[root] = push.Count{Notifications: 3}
	k.expect("one thread is half read", push.Read{Threads: map[id.EventID]int64{root: first}}, all)
	all.Main = push.Count{}
	k.expect("and the main timeline", push.Read{Main: k.now(), Threads: map[id.EventID]int64{root: first}}, all)
	k.expect("a receipt for everything so far", push.Read{Unthreaded: first}, push.Unread{Threads: map[id.EventID]push.Count{root: {Notifications: 3}, other: {Notifications: 1}}})
	k.say(k.alice, in(root))
	k.expect("after one's own reply", push.Read{}, push.Unread{Main: push.Count{Notifications: 2}, Threads: map[id.EventID]push.Count{other: {Notifications: 1}}})
}

func TestUnreadFollowsTheRules(t *testing.T) {
	k := newKitchen(t)
	none := push.Read{}
	k.say(k.bob, `"body":"tea?"`)
	k.say(k.bob, `"body":"hello","m.mentions":{"room":true}`)
	k.expect("a mention of the room by its creator", none, plain(2, 1))
	carol := k.srv.User(t, "carol")
	k.join(carol)
	k.say(carol, `"body":"hello","m.mentions":{"room":true}`)
	k.expect("and by one who may not", none, plain(3, 1))

	set := func(rule, body string) {
		t.Helper()
		k.alice.Do(t, "PUT", "/_matrix/client/v3/pushrules/global/"+rule, body).OK(t, nil)
	}
	set("content/tea", `{"pattern":"tea","actions":["notify",{"set_tweak":"highlight"}]}`)
	k.expect("a word", none, plain(3, 2))
	set("underride/.m.rule.message/actions", `{"actions":[]}`)
	k.expect("without other messages", none, plain(2, 2))
	set("override/name", `{"conditions":[{"kind":"contains_display_name"}],"actions":["notify"]}`)
	k.put(k.alice, "/state/m.room.member/"+apitest.Escape(k.alice.UserID), `{"membership":"join","displayname":"Al"}`)
	k.say(k.bob, `"body":"al, tea"`)
	k.expect("a name wins over a word", none, plain(3, 2))
	set("room/"+apitest.Escape(k.roomID), `{"actions":[]}`)
	k.expect("a room without notifications", none, plain(3, 2))
	set("override/.m.rule.master/enabled", `{"enabled":true}`)
	k.expect("nothing at all", none, plain(0, 0))
}

func TestUnreadLeavesOutIgnoredUsers(t *testing.T) {
	k := newKitchen(t)
	carol := k.srv.User(t, "carol")
	k.join(carol)
	k.say(carol, `"body":"one"`)
	k.say(k.bob, `"body":"two"`)
	k.expect("two people", push.Read{}, plain(2, 0))
	ignore := func(list string) {
		t.Helper()
		k.alice.Do(t, "PUT", "/_matrix/client/v3/user/"+apitest.Escape(k.alice.UserID)+"/account_data/m.ignored_user_list", `{"ignored_users":{`+list+`}}`).OK(t, nil)
	}
	ignore(`"` + string(carol.UserID) + `":{}`)
	k.expect("one ignored", push.Read{}, plain(1, 0))
	k.say(carol, `"body":"three"`)
	k.expect("who goes on", push.Read{}, plain(1, 0))
	ignore("")
	k.expect("no longer ignored", push.Read{}, plain(3, 0))
}

func TestUnreadInManyRooms(t *testing.T) {
	k := newKitchen(t)
	var reads []push.Read
	want := map[id.RoomID]push.Unread{}
	for i := range 5 {
		var room struct {
			RoomID id.RoomID `json:"room_id"`
		}
		k.bob.Do(t, "POST", "/_matrix/client/v3/createRoom", `{"preset":"public_chat"}`).OK(t, &room)
		k.roomID = room.RoomID
		k.join(k.alice)
		for range i {
			k.say(k.bob, `"body":"x"`)
		}
		reads = append(reads, push.Read{RoomID: room.RoomID})
		want[room.RoomID] = plain(i, 0)
	}
	reads = append(reads, push.Read{RoomID: "!nowhere:example.org"})
	k.read(func(tx *db.Tx) error {
		got, err := unread(k.srv, k.remembers, tx, k.alice.UserID, reads)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("Unread (-want +got):\n%s", diff)
		}
		return err
	})
	k.read(func(tx *db.Tx) error {
		got, err := unread(k.srv, k.remembers, tx, k.alice.UserID, nil)
		if len(got) != 0 {
			t.Errorf("in no room: got %v", got)
		}
		return err
	})
}

// TestUnreadInALongRoom holds the bound: afresh only the newest 500 events are
// looked at, and what was counted before is not lost by it.
func TestUnreadInALongRoom(t *testing.T) {
	k := newKitchen(t)
	k.say(k.bob, `"body":"old mention","m.mentions":{"user_ids":["`+string(k.alice.UserID)+`"]}`)
	k.expect("a mention", push.Read{}, plain(1, 1))
	body := strings.Repeat("x", 10)
	for range 501 {
		k.say(k.bob, `"body":"`+body+`"`)
	}
	k.read(func(tx *db.Tx) error {
		read := []push.Read{{RoomID: k.roomID}}
		afresh, err := unread(k.srv, service(k.srv), tx, k.alice.UserID, read)
		if err != nil {
			return err
		}
		remembered, err := unread(k.srv, k.remembers, tx, k.alice.UserID, read)
		if diff := cmp.Diff([]push.Unread{plain(500, 0), plain(501, 1)}, []push.Unread{afresh[k.roomID], remembered[k.roomID]}); diff != "" {
			t.Errorf("afresh and remembered (-want +got):\n%s", diff)
		}
		return err
	})
}

func BenchmarkUnread(b *testing.B) {
	srv := apitest.New(b)
	alice, bob := srv.User(b, "alice"), srv.User(b, "bob")
	var room struct {
		RoomID id.RoomID `json:"room_id"`
	}
	bob.Do(b, "POST", "/_matrix/client/v3/createRoom", `{"preset":"public_chat"}`).OK(b, &room)
	path := "/_matrix/client/v3/rooms/" + apitest.Escape(room.RoomID)
	alice.Do(b, "POST", path+"/join", `{}`).OK(b, nil)
	for i := range 500 {
		bob.Do(b, "PUT", fmt.Sprintf("%s/send/m.room.message/t%d", path, i), `{"msgtype":"m.text","body":"x"}`).OK(b, nil)
	}
	s := service(srv)
	count := func(s *push.Service) error {
		return srv.App.DB.Read(b.Context(), func(tx *db.Tx) error {
			_, err := unread(srv, s, tx, alice.UserID, []push.Read{{RoomID: room.RoomID}})
			return err
		})
	}
	for name, of := range map[string]func() *push.Service{"remembered": func() *push.Service { return s }, "afresh": func() *push.Service { return service(srv) }} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if err := count(of()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
