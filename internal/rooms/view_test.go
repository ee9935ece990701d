package rooms_test

import (
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/rooms"
)

// sees tells which of some events a user may see, as a string of one letter each:
// the event's letter, or a dot.
func sees(t *testing.T, srv *apitest.Server, room *apitest.Room, as id.UserID, events []id.EventID) string {
	t.Helper()
	var out []byte
	srv.Read(t, func(tx *db.Tx) error {
		v, err := srv.App.Rooms.View(tx, room.ID, as)
		if err != nil {
			return err
		}
		for i, e := range events {
			st, err := srv.App.Rooms.EventByID(tx, room.ID, e)
			if err != nil {
				return err
			}
			letter := byte('.')
			if v.Sees(st.Event, st.Pos) {
				letter = 'a' + byte(i)
			}
			out = append(out, letter)
		}
		return nil
	})
	return string(out)
}

// TestHistoryVisibility walks people of every kind through a room of each
// visibility. A letter is a message; between them is what happens to the person.
func TestHistoryVisibility(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	people := []struct {
		what  string
		steps []string // between the messages a, b, c, …
		want  map[string]string
	}{
		{"never joined", []string{"", ""}, map[string]string{
			"world_readable": "abc", "shared": "...", "invited": "...", "joined": "..."}},
		{"invited only", []string{"invite", ""}, map[string]string{
			"world_readable": "abc", "shared": "...", "invited": ".bc", "joined": "..."}},
		{"joined", []string{"invite", "join", ""}, map[string]string{
			"world_readable": "abcd", "shared": "abcd", "invited": ".bcd", "joined": "..cd"}},
		{"left", []string{"invite", "join", "leave", ""}, map[string]string{
			"world_readable": "abcde", "shared": "abc..", "invited": ".bc..", "joined": "..c.."}},
		{"rejoined", []string{"invite", "join", "leave", "invite", "join"}, map[string]string{
			"world_readable": "abcdef", "shared": "abcdef", "invited": ".bc.ef", "joined": "..c..f"}},
		{"kicked", []string{"invite", "join", "kick", ""}, map[string]string{
			"world_readable": "abcde", "shared": "abc..", "invited": ".bc..", "joined": "..c.."}},
		{"banned", []string{"invite", "join", "ban", ""}, map[string]string{
			"world_readable": "abcde", "shared": "abc..", "invited": ".bc..", "joined": "..c.."}},
		{"uninvited", []string{"invite", "kick", ""}, map[string]string{
			"world_readable": "abcd", "shared": "....", "invited": ".b..", "joined": "...."}},
		{"left and invited again", []string{"invite", "join", "leave", "invite"}, map[string]string{
			"world_readable": "abcde", "shared": "abc..", "invited": ".bc.e", "joined": "..c.."}},
		{"forgot", []string{"invite", "join", "leave", "forget"}, map[string]string{
			"world_readable": "abcde", "shared": ".....", "invited": ".....", "joined": "....."}},
	}
	for _, visibility := range []string{"world_readable", "shared", "invited", "joined"} {
		for i, p := range people {
			t.Run(visibility+", "+p.what, func(t *testing.T) {
				who := srv.User(t, visibility+string(rune('a'+i)))
				room := alice.CreateRoom(t, map[string]any{"initial_state": []any{
					map[string]any{"type": "m.room.history_visibility", "content": map[string]any{"history_visibility": visibility}}}})
				events := []id.EventID{room.Send(t, alice, "x")}
				for _, step := range p.steps {
					if step != "" {
						do(t, room, alice, who, step)
					}
					events = append(events, room.Send(t, alice, "x"))
				}
				if got := sees(t, srv, room, who.UserID, events); got != p.want[visibility] {
					t.Errorf("sees %s, want %s", got, p.want[visibility])
				}
			})
		}
	}
}

// do does one thing to or by a person.
func do(t *testing.T, room *apitest.Room, moderator, who *apitest.Client, step string) {
	t.Helper()
	switch step {
	case "invite", "kick", "ban", "unban":
		moderator.Do(t, "POST", room.Path("/"+step), user(who)).OK(t, nil)
	default:
		who.Do(t, "POST", room.Path("/"+step), nil).OK(t, nil)
	}
}

// TestHistoryVisibilityChanges follows one room through all visibilities.
func TestHistoryVisibilityChanges(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	early, late, former, stranger := srv.User(t, "early"), srv.User(t, "late"), srv.User(t, "former"), srv.User(t, "stranger")
	room := alice.CreateRoom(t)
	room.Join(t, early, former)
	var events []id.EventID
	message := func() { events = append(events, room.Send(t, alice, "x")) }
	set := func(visibility string) {
		events = append(events, room.SetState(t, alice, "m.room.history_visibility", map[string]any{"history_visibility": visibility}))
	}
	message() // a: shared
	do(t, room, alice, former, "leave")
	set("joined") // b
	message()     // c
	set("world_readable")
	message() // e
	set("invited")
	message() // g
	set("nonsense")
	message() // i: shared again
	room.Join(t, late)
	message() // j
	for _, c := range []struct {
		who  *apitest.Client
		want string
	}{
		{early, "abcdefghij"},
		{late, "ab.def.hij"},
		{former, "a..def...."},
		{stranger, "...def...."},
	} {
		if got := sees(t, srv, room, c.who.UserID, events); got != c.want {
			t.Errorf("%s sees %s, want %s", c.who.UserID, got, c.want)
		}
	}
	if got := sees(t, srv, room, "", events); got != "...def...." {
		t.Errorf("nobody sees %s", got)
	}
}

// TestOwnMembershipIsSeen holds that one sees how one came and went.
func TestOwnMembershipIsSeen(t *testing.T) {
	srv := apitest.New(t)
	alice, bob, carol := srv.User(t, "alice"), srv.User(t, "bob"), srv.User(t, "carol")
	room := alice.CreateRoom(t, map[string]any{"preset": "public_chat", "initial_state": []any{
		map[string]any{"type": "m.room.history_visibility", "content": map[string]any{"history_visibility": "joined"}}}})
	put := func(as, of *apitest.Client, m string) id.EventID {
		return eventID(t, as.Do(t, "PUT", room.Path("/state/m.room.member/"+apitest.Escape(of.UserID)), membership(m)))
	}
	events := []id.EventID{put(bob, bob, "join"), put(carol, carol, "join"), put(alice, bob, "ban"), put(carol, carol, "leave")}
	if got := sees(t, srv, room, bob.UserID, events); got != "abc." {
		t.Errorf("bob sees %s, want abc.: all until his ban", got)
	}
	if got := sees(t, srv, room, carol.UserID, events); got != ".bcd" {
		t.Errorf("carol sees %s, want .bcd", got)
	}
}

// TestReadableAt holds as of when people of every kind read a room's state.
func TestReadableAt(t *testing.T) {
	srv := apitest.New(t)
	h := newHouse(t, srv)
	at := func(c *apitest.Client) (at int64) {
		srv.Read(t, func(tx *db.Tx) error {
			at, _ = srv.App.Rooms.ReadableAt(tx, h.ID, c.UserID) // 0 where it fails
			return nil
		})
		return at
	}
	for what, c := range map[string]struct {
		who  *apitest.Client
		want func(int64) bool
	}{
		"joined":   {h.member, func(at int64) bool { return at == rooms.Present }},
		"left":     {h.left, func(at int64) bool { return at > 0 && at < rooms.Present }},
		"kicked":   {h.kicked, func(at int64) bool { return at > 0 && at < rooms.Present }},
		"banned":   {h.banned, func(at int64) bool { return at > 0 && at < rooms.Present }},
		"invited":  {h.invited, func(at int64) bool { return at == 0 }},
		"knocked":  {h.knocked, func(at int64) bool { return at == 0 }},
		"stranger": {h.stranger, func(at int64) bool { return at == 0 }},
	} {
		if got := at(c.who); !c.want(got) {
			t.Errorf("%s: readable at %d", what, got)
		}
	}
}
