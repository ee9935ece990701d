package ephemeral_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/narthex-matrix/narthex/internal/accountdata"
	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/ephemeral"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/id"
)

func TestMain(m *testing.M) { apitest.Main(m) }

// read runs f on the server's database, and gives the position that it saw.
func read(t *testing.T, srv *apitest.Server, f func(*ephemeral.Service, *db.Tx) error) (pos int64) {
	t.Helper()
	s := ephemeral.New(ephemeral.Deps{DB: srv.App.DB, Config: srv.App.Config, AccountData: accountdata.New(accountdata.Deps{DB: srv.App.DB}), Rooms: srv.App.Rooms})
	err := srv.App.DB.Read(t.Context(), func(tx *db.Tx) (err error) {
		if pos, err = tx.Position(); err != nil {
			return err
		}
		return f(s, tx)
	})
	if err != nil {
		t.Fatal(err)
	}
	return pos
}

// typing gives who types in the rooms in which that changed after a position.
func typing(t *testing.T, srv *apitest.Server, room *apitest.Room, from int64) (got []ephemeral.Typing, pos int64) {
	t.Helper()
	pos = read(t, srv, func(s *ephemeral.Service, tx *db.Tx) (err error) {
		got, err = s.Typing(tx, []id.RoomID{room.ID}, from, 1<<62)
		return err
	})
	return got, pos
}

func TestTyping(t *testing.T) {
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	room := alice.CreateRoom(t).Join(t, bob)
	path := func(c *apitest.Client) string { return room.Path("/typing/" + apitest.Escape(c.UserID)) }
	nobody, pos := typing(t, srv, room, 0)
	if nobody != nil {
		t.Errorf("before anyone typed: got %v", nobody)
	}
	alice.Do(t, "PUT", path(alice), `{"typing":true,"timeout":20000}`).OK(t, nil)
	bob.Do(t, "PUT", path(bob), `{"typing":true,"timeout":90000}`).OK(t, nil)
	got, started := typing(t, srv, room, pos)
	if diff := cmp.Diff([]ephemeral.Typing{{RoomID: room.ID, Users: []id.UserID{alice.UserID, bob.UserID}}}, got); diff != "" {
		t.Errorf("both type (-want +got):\n%s", diff)
	}
	// Typing on is no news.
	bob.Do(t, "PUT", path(bob), `{"typing":true,"timeout":90000}`).OK(t, nil)
	if got, pos := typing(t, srv, room, started); got != nil || pos != started {
		t.Errorf("typing on: got %v at %d, want nothing at %d", got, pos, started)
	}
	// The end of the time is.
	srv.Advance(21 * time.Second)
	srv.RunJobs(t)
	got, ended := typing(t, srv, room, started)
	if diff := cmp.Diff([]ephemeral.Typing{{RoomID: room.ID, Users: []id.UserID{bob.UserID}}}, got); diff != "" {
		t.Errorf("alice's time is up (-want +got):\n%s", diff)
	}
	bob.Do(t, "PUT", path(bob), `{"typing":false}`).OK(t, nil)
	bob.Do(t, "PUT", path(bob), `{"typing":false}`).OK(t, nil)
	got, stopped := typing(t, srv, room, ended)
	if diff := cmp.Diff([]ephemeral.Typing{{RoomID: room.ID}}, got); diff != "" || stopped != ended+1 {
		t.Errorf("bob stopped, at %d after %d (-want +got):\n%s", stopped, ended, diff)
	}
	if got, _ := typing(t, srv, room, 0); got != nil {
		t.Errorf("from the beginning, with nobody typing: got %v", got)
	}
	srv.RunJobs(t)
}

func TestTypingTimeIsLimited(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	room := alice.CreateRoom(t)
	for _, c := range []struct {
		body   string
		longer time.Duration
	}{
		{`{"typing":true,"timeout":1000000000000}`, 2 * time.Minute},
		{`{"typing":true,"timeout":9223372036854775807}`, 2 * time.Minute},
		{`{"typing":true}`, 30 * time.Second},
		{`{"typing":true,"timeout":-9223372036854775808}`, time.Second},
	} {
		alice.Do(t, "PUT", room.Path("/typing/"+apitest.Escape(alice.UserID)), c.body).OK(t, nil)
		srv.Advance(c.longer + 2*time.Second)
		if got, _ := typing(t, srv, room, 0); got != nil {
			t.Errorf("%s: still typing after %v", c.body, c.longer)
		}
	}
}

func TestRE81_Typing(t *testing.T) {
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	room := alice.CreateRoom(t)
	path := func(c *apitest.Client) string { return room.Path("/typing/" + apitest.Escape(c.UserID)) }
	apitest.Run(t, []apitest.Case{
		{Name: "not joined", As: bob, Do: "PUT", Path: path(bob), Body: `{"typing":true}`, Want: errcode.NotJoined},
		{Name: "unknown room", As: bob, Do: "PUT", Path: "/_matrix/client/v3/rooms/!x:y/typing/" + apitest.Escape(bob.UserID), Body: `{"typing":true}`, Want: errcode.NotJoined},
		{Name: "somebody else", As: bob, Do: "PUT", Path: path(alice), Body: `{"typing":true}`, Want: errcode.Forbidden},
		{Name: "no typing", As: alice, Do: "PUT", Path: path(alice), Body: `{}`, Want: errcode.MissingParam},
		{Name: "typing is a text", As: alice, Do: "PUT", Path: path(alice), Body: `{"typing":"yes"}`, Want: errcode.BadJSON},
		{Name: "timeout is a text", As: alice, Do: "PUT", Path: path(alice), Body: `{"typing":true,"timeout":"1"}`, Want: errcode.BadJSON},
		{Name: "no user ID", As: alice, Do: "PUT", Path: room.Path("/typing/alice"), Body: `{"typing":true}`, Want: errcode.InvalidParam},
		{Name: "not JSON", As: alice, Do: "PUT", Path: path(alice), Body: `{"typing"`, Want: errcode.NotJSON},
		{Name: "too large", As: alice, Do: "PUT", Path: path(alice), Body: `{"x":"` + strings.Repeat("x", 128<<10) + `"}`, Want: errcode.TooLarge},
	})
}

func receipts(t *testing.T, srv *apitest.Server, as *apitest.Client, room *apitest.Room, from int64) (got []string, pos int64) {
	t.Helper()
	pos = read(t, srv, func(s *ephemeral.Service, tx *db.Tx) error {
		list, err := s.Receipts(tx, as.UserID, []id.RoomID{room.ID}, from, 1<<62)
		for _, x := range list {
			got = append(got, fmt.Sprint(x.UserID.Localpart(), " ", x.Type, " ", x.ThreadID, " ", x.EventID))
		}
		return err
	})
	return got, pos
}

func TestReceipts(t *testing.T) {
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	room := alice.CreateRoom(t).Join(t, bob)
	first, second := room.Send(t, alice, "1"), room.Send(t, alice, "2")
	_, pos := receipts(t, srv, alice, room, 0)
	post := func(as *apitest.Client, kind string, event id.EventID, body string) {
		t.Helper()
		as.Do(t, "POST", room.Path("/receipt/"+kind+"/"+apitest.Escape(event)), body).OK(t, nil)
	}
	post(bob, "m.read", second, `{}`)
	post(bob, "m.read", first, ``) // back: no effect
	post(bob, "m.read", first, `{"thread_id":"main"}`)
	post(bob, "m.read.private", second, `{}`)
	post(bob, "m.read", second, `{}`) // again
	want := []string{fmt.Sprint("bob m.read  ", second), fmt.Sprint("bob m.read main ", first), fmt.Sprint("bob m.read.private  ", second)}
	got, after := receipts(t, srv, bob, room, pos)
	if diff := cmp.Diff(want, got); diff != "" || after != pos+3 {
		t.Errorf("to bob, at %d after %d (-want +got):\n%s", after, pos, diff)
	}
	if got, _ := receipts(t, srv, alice, room, pos); cmp.Diff(want[:2], got) != "" {
		t.Errorf("to alice: got %v, want %v", got, want[:2])
	}
	if got, _ := receipts(t, srv, alice, room, after); got != nil {
		t.Errorf("since then: got %v", got)
	}
	read(t, srv, func(s *ephemeral.Service, tx *db.Tx) error {
		own, err := s.OwnReceipts(tx, []id.UserID{bob.UserID}, []id.RoomID{room.ID})
		if len(own) != 3 {
			t.Errorf("bob's own: got %v", own)
		}
		return err
	})
}

func TestReceiptsInThreads(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	room := alice.CreateRoom(t)
	root := room.Send(t, alice, "root")
	relate := func(kind string, to id.EventID) id.EventID {
		return room.SendEvent(t, alice, "m.room.message", map[string]any{"body": "x", "m.relates_to": map[string]any{"rel_type": kind, "event_id": to}})
	}
	reply := relate("m.thread", root)
	edit := relate("m.replace", reply)
	plain := room.Send(t, alice, "plain")
	strange := relate("m.reference", "$gone")
	path := func(event id.EventID) string { return room.Path("/receipt/m.read/" + apitest.Escape(event)) }
	thread := func(of id.EventID) string { return fmt.Sprintf(`{"thread_id":%q}`, of) }
	apitest.Run(t, []apitest.Case{
		{Name: "a reply", As: alice, Do: "POST", Path: path(reply), Body: thread(root)},
		{Name: "an edit of a reply", As: alice, Do: "POST", Path: path(edit), Body: thread(root)},
		{Name: "the root", As: alice, Do: "POST", Path: path(root), Body: thread(root)},
		{Name: "the root in main", As: alice, Do: "POST", Path: path(root), Body: thread("main")},
		{Name: "a plain message in main", As: alice, Do: "POST", Path: path(plain), Body: thread("main")},
		{Name: "related to nothing, in main", As: alice, Do: "POST", Path: path(strange), Body: thread("main")},
		{Name: "a reply in main", As: alice, Do: "POST", Path: path(reply), Body: thread("main"), Want: errcode.InvalidParam},
		{Name: "a plain message in a thread", As: alice, Do: "POST", Path: path(plain), Body: thread(root), Want: errcode.InvalidParam},
		{Name: "empty", As: alice, Do: "POST", Path: path(reply), Body: `{"thread_id":""}`, Want: errcode.InvalidParam},
		{Name: "a number", As: alice, Do: "POST", Path: path(reply), Body: `{"thread_id":1}`, Want: errcode.InvalidParam},
		{Name: "null", As: alice, Do: "POST", Path: path(reply), Body: `{"thread_id":null}`, Want: errcode.InvalidParam},
		{Name: "the fully read marker", As: alice, Do: "POST", Path: room.Path("/receipt/m.fully_read/" + apitest.Escape(reply)), Body: thread(root), Want: errcode.InvalidParam},
	})
}

func TestReadMarkers(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	room := alice.CreateRoom(t)
	first, second, third := room.Send(t, alice, "1"), room.Send(t, alice, "2"), room.Send(t, alice, "3")
	data := "/_matrix/client/v3/user/" + apitest.Escape(alice.UserID) + "/rooms/" + apitest.Escape(room.ID) + "/account_data/m.fully_read"
	apitest.Run(t, []apitest.Case{
		{Name: "all three", As: alice, Do: "POST", Path: room.Path("/read_markers"), Body: fmt.Sprintf(`{"m.fully_read":%q,"m.read":%q,"m.read.private":%q}`, first, second, third), Has: []string{`{}`}},
		{Name: "marked", As: alice, Do: "GET", Path: data, Has: []string{fmt.Sprintf(`{"event_id":%q}`, first)}},
		{Name: "forward, as a receipt", As: alice, Do: "POST", Path: room.Path("/receipt/m.fully_read/" + apitest.Escape(second)), Body: `{}`},
		{Name: "moved", As: alice, Do: "GET", Path: data, Has: []string{string(second)}},
		{Name: "back", As: alice, Do: "POST", Path: room.Path("/read_markers"), Body: fmt.Sprintf(`{"m.fully_read":%q}`, first)},
		{Name: "not moved", As: alice, Do: "GET", Path: data, Has: []string{string(second)}},
		{Name: "none", As: alice, Do: "POST", Path: room.Path("/read_markers"), Body: `{}`},
	})
	got, _ := receipts(t, srv, alice, room, 0)
	if diff := cmp.Diff([]string{fmt.Sprint("alice m.read  ", second), fmt.Sprint("alice m.read.private  ", third)}, got); diff != "" {
		t.Errorf("receipts (-want +got):\n%s", diff)
	}
}

func TestRE82_ReceiptsAndMarkers(t *testing.T) {
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	room := alice.CreateRoom(t, map[string]any{"preset": "public_chat", "initial_state": []any{
		map[string]any{"type": "m.room.history_visibility", "content": map[string]any{"history_visibility": "joined"}}}})
	other := alice.CreateRoom(t)
	hidden, elsewhere := room.Send(t, alice, "x"), other.Send(t, alice, "y")
	receipt := func(kind string, event id.EventID) string {
		return room.Path("/receipt/" + kind + "/" + apitest.Escape(event))
	}
	marker := func(event any) string { return fmt.Sprintf(`{"m.fully_read":%q}`, event) }
	markers := room.Path("/read_markers")
	apitest.Run(t, []apitest.Case{
		{Name: "not joined", As: bob, Do: "POST", Path: receipt("m.read", hidden), Body: `{}`, Want: errcode.NotJoined},
		{Name: "not joined, markers", As: bob, Do: "POST", Path: markers, Body: marker(hidden), Want: errcode.NotJoined},
		{Name: "another type", As: alice, Do: "POST", Path: receipt("m.seen", hidden), Body: `{}`, Want: errcode.InvalidParam},
		{Name: "unknown event", As: alice, Do: "POST", Path: receipt("m.read", "$unknown"), Body: `{}`, Want: errcode.NotFound},
		{Name: "event of another room", As: alice, Do: "POST", Path: receipt("m.read", elsewhere), Body: `{}`, Want: errcode.NotFound},
		{Name: "marker on another room's event", As: alice, Do: "POST", Path: markers, Body: marker(elsewhere), Want: errcode.NotFound},
		{Name: "no event ID", As: alice, Do: "POST", Path: receipt("m.read", "x"), Body: `{}`, Want: errcode.InvalidParam},
		{Name: "marker is no event ID", As: alice, Do: "POST", Path: markers, Body: marker("x"), Want: errcode.InvalidParam},
		{Name: "marker is a number", As: alice, Do: "POST", Path: markers, Body: `{"m.fully_read":1}`, Want: errcode.BadJSON},
		{Name: "not JSON", As: alice, Do: "POST", Path: markers, Body: `{`, Want: errcode.NotJSON},
	})
	room.Join(t, bob)
	bob.Do(t, "POST", receipt("m.read", hidden), `{}`).Fails(t, srv, errcode.NotFound)
}

func TestPresence(t *testing.T) {
	srv := apitest.New(t)
	alice, bob, carol := srv.User(t, "alice"), srv.User(t, "bob"), srv.User(t, "carol")
	alice.CreateRoom(t).Join(t, bob)
	path := func(of *apitest.Client) string {
		return "/_matrix/client/v3/presence/" + apitest.Escape(of.UserID) + "/status"
	}
	apitest.Run(t, []apitest.Case{
		{Name: "never here", As: bob, Do: "GET", Path: path(alice), Has: []string{`{"presence":"offline","currently_active":false}`}},
		{Name: "set", As: alice, Do: "PUT", Path: path(alice), Body: `{"presence":"online","status_msg":"here"}`, Has: []string{`{}`}},
		{Name: "seen by who shares a room", As: bob, Do: "GET", Path: path(alice), Has: []string{`"presence":"online"`, `"status_msg":"here"`, `"currently_active":true`, `"last_active_ago":`}},
		{Name: "one's own", As: alice, Do: "GET", Path: path(alice), Has: []string{`"presence":"online"`}},
		{Name: "a stranger", As: carol, Do: "GET", Path: path(alice), Want: errcode.NotFound, HasNot: []string{"here"}},
		{Name: "unknown", As: carol, Do: "GET", Path: "/_matrix/client/v3/presence/@nobody:narthex.test/status", Want: errcode.NotFound},
		{Name: "somebody else's", As: bob, Do: "PUT", Path: path(alice), Body: `{"presence":"offline"}`, Want: errcode.Forbidden},
		{Name: "no presence", As: alice, Do: "PUT", Path: path(alice), Body: `{"status_msg":"x"}`, Want: errcode.MissingParam},
		{Name: "another state", As: alice, Do: "PUT", Path: path(alice), Body: `{"presence":"free_for_chat"}`, Want: errcode.BadJSON},
		{Name: "a number", As: alice, Do: "PUT", Path: path(alice), Body: `{"presence":1}`, Want: errcode.BadJSON},
		{Name: "too long", As: alice, Do: "PUT", Path: path(alice), Body: `{"presence":"online","status_msg":"` + strings.Repeat("x", 2049) + `"}`, Want: errcode.InvalidParam},
		{Name: "still there", As: bob, Do: "GET", Path: path(alice), Has: []string{`"status_msg":"here"`}},
	})
	seen := func(as *apitest.Client, from int64) (got []string, pos int64) {
		pos = read(t, srv, func(s *ephemeral.Service, tx *db.Tx) error {
			list, err := s.Presence(tx, as.UserID, from, 1<<62)
			for _, p := range list {
				got = append(got, fmt.Sprint(p.UserID.Localpart(), " ", p.State))
			}
			return err
		})
		return got, pos
	}
	got, pos := seen(bob, 0)
	if diff := cmp.Diff([]string{"alice online"}, got); diff != "" {
		t.Errorf("to bob (-want +got):\n%s", diff)
	}
	if got, _ := seen(carol, 0); got != nil {
		t.Errorf("to a stranger: got %v", got)
	}
	srv.Advance(2 * time.Minute)
	srv.RunJobs(t)
	if got, _ := seen(bob, pos); got != nil {
		t.Errorf("after two minutes: got %v", got)
	}
	srv.Advance(2 * time.Minute)
	srv.RunJobs(t)
	got, gone := seen(bob, pos)
	if diff := cmp.Diff([]string{"alice offline"}, got); diff != "" {
		t.Errorf("after four minutes (-want +got):\n%s", diff)
	}
	srv.Advance(2 * time.Minute)
	srv.RunJobs(t)
	if got, _ := seen(bob, gone); got != nil {
		t.Errorf("after six minutes: got %v", got)
	}
}

func TestSeen(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	step := func(claim ephemeral.State, after time.Duration, want string, news bool) {
		t.Helper()
		srv.Advance(after)
		before := read(t, srv, func(*ephemeral.Service, *db.Tx) error { return nil })
		var s *ephemeral.Service
		read(t, srv, func(own *ephemeral.Service, _ *db.Tx) error { s = own; return nil })
		due := false
		srv.Read(t, func(tx *db.Tx) error {
			times, err := db.Value[string](tx, `SELECT `+ephemeral.Times+` FROM users session WHERE user_id = $1`, alice.UserID)
			due = s.SeeDue(times, claim, tx.Now)
			return err
		})
		srv.Write(t, func(tx *db.Tx) error { return s.See(tx, alice.UserID, claim) })
		pos := read(t, srv, func(s *ephemeral.Service, tx *db.Tx) error {
			list, err := s.Presence(tx, alice.UserID, 0, 1<<62)
			got := "offline"
			if len(list) > 0 {
				got = string(list[0].State)
			}
			if got != want {
				t.Errorf("after %s: got %s, want %s", claim, got, want)
			}
			return err
		})
		if (pos > before) != news || news && !due {
			t.Errorf("after %s: the position went from %d to %d, and a write was due: %t", claim, before, pos, due)
		}
	}
	step(ephemeral.Offline, 0, "offline", false)
	step(ephemeral.Online, 0, "online", true)
	step(ephemeral.Online, time.Second, "online", false)
	step(ephemeral.Unavailable, time.Second, "online", false) // another device is in use
	step(ephemeral.Online, 40*time.Second, "online", false)   // only the times
	step(ephemeral.Unavailable, 40*time.Second, "online", false)
	step(ephemeral.Unavailable, 40*time.Second, "unavailable", true)
	step(ephemeral.Offline, 0, "unavailable", false)
	step(ephemeral.Online, 0, "online", true)
}

func TestPresenceSwitchedOff(t *testing.T) {
	srv := apitest.New(t, func(c *config.Config) { c.Presence.Enabled = false })
	alice := srv.User(t, "alice")
	path := "/_matrix/client/v3/presence/" + apitest.Escape(alice.UserID) + "/status"
	alice.Do(t, "PUT", path, `{"presence":"online"}`).OK(t, nil)
	alice.Do(t, "GET", path, nil).Fails(t, srv, errcode.NotFound)
}
