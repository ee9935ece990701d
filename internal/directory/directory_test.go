package directory_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/id"
)

func TestMain(m *testing.M) { apitest.Main(m) }

const (
	publicRooms = "/_matrix/client/v3/publicRooms"
	listRoom    = "/_matrix/client/v3/directory/list/room/"
	userSearch  = "/_matrix/client/v3/user_directory/search"
)

type list struct {
	Chunk []struct {
		RoomID id.RoomID `json:"room_id"`
		Name   string    `json:"name"`
	} `json:"chunk"`
	Next  string `json:"next_batch"`
	Prev  string `json:"prev_batch"`
	Total int    `json:"total_room_count_estimate"`
}

func names(l list) (out []string) {
	for _, r := range l.Chunk {
		out = append(out, r.Name)
	}
	return out
}

func want(t testing.TB, what string, got []string, wanted ...string) {
	t.Helper()
	if !slices.Equal(got, wanted) {
		t.Errorf("%s: got %v, want %v", what, got, wanted)
	}
}

func TestPublicRooms(t *testing.T) {
	srv := apitest.New(t)
	alice, bob, carol := srv.User(t, "alice"), srv.User(t, "bob"), srv.User(t, "carol")
	make := func(name string, more map[string]any, members ...*apitest.Client) *apitest.Room {
		body := map[string]any{"visibility": "public", "preset": "public_chat", "name": name}
		for k, v := range more {
			body[k] = v
		}
		return alice.CreateRoom(t, body).Join(t, members...)
	}
	make("Large", map[string]any{"topic": "Everything", "room_alias_name": "everything"}, bob, carol)
	make("Medium", map[string]any{"topic": "100% wool"}, bob)
	make("Small", map[string]any{"creation_content": map[string]any{"type": "m.space"}})
	alice.CreateRoom(t, map[string]any{"preset": "private_chat", "name": "Hidden"})

	get := func(query string) (l list) {
		t.Helper()
		srv.Anyone().Do(t, "GET", publicRooms+query, nil).OK(t, &l)
		return l
	}
	all := get("")
	want(t, "all", names(all), "Large", "Medium", "Small")
	if all.Total != 3 || all.Next != "" || all.Prev != "" {
		t.Errorf("all: got %+v", all)
	}
	first := get("?limit=2")
	want(t, "the first page", names(first), "Large", "Medium")
	second := get("?limit=2&since=" + first.Next)
	want(t, "the second page", names(second), "Small")
	want(t, "back to the first page", names(get("?limit=2&since="+second.Prev)), "Large", "Medium")
	if second.Next != "" || get("?since=99").Chunk == nil {
		t.Errorf("the last page: got %+v", second)
	}
	for filter, wanted := range map[string][]string{
		`{"generic_search_term":"LARGE"}`:                          {"Large"},
		`{"generic_search_term":"everyth"}`:                        {"Large"},
		`{"generic_search_term":"0%"}`:                             {"Medium"},
		`{"generic_search_term":"_"}`:                              nil,
		`{"generic_search_term":"hidden"}`:                         nil,
		`{"room_types":["m.space"]}`:                               {"Small"},
		`{"room_types":[null]}`:                                    {"Large", "Medium"},
		`{"room_types":[null,"m.space"],"generic_search_term":""}`: {"Large", "Medium", "Small"},
		`{"room_types":[]}`:                                        nil,
	} {
		var l list
		bob.Do(t, "POST", publicRooms, `{"filter":`+filter+`}`).OK(t, &l)
		want(t, filter, names(l), wanted...)
		if l.Total != len(wanted) {
			t.Errorf("%s: the total is %d, want %d", filter, l.Total, len(wanted))
		}
	}
	apitest.Run(t, []apitest.Case{
		{Name: "all that is known of a room", As: bob, Do: "GET", Path: publicRooms, Has: []string{`"canonical_alias":"#everything:narthex.test"`, `"num_joined_members":3`, `"join_rule":"public"`, `"world_readable":false`, `"guest_can_join":false`, `"room_type":"m.space"`}},
		{Name: "this server", As: bob, Do: "GET", Path: publicRooms + "?server=narthex.test", Has: []string{"Large"}},
		{Name: "another server", As: bob, Do: "GET", Path: publicRooms + "?server=example.org", Want: errcode.NotFound},
		{Name: "another server, by search", As: bob, Do: "POST", Path: publicRooms + "?server=example.org", Body: `{}`, Want: errcode.NotFound},
		{Name: "no limit", As: bob, Do: "GET", Path: publicRooms + "?limit=0", Want: errcode.InvalidParam},
		{Name: "a negative limit", As: bob, Do: "POST", Path: publicRooms, Body: `{"limit":-1}`, Want: errcode.InvalidParam},
		{Name: "no token", As: bob, Do: "GET", Path: publicRooms + "?since=-1", Want: errcode.InvalidParam},
		{Name: "no token, by search", As: bob, Do: "POST", Path: publicRooms, Body: `{"since":"x"}`, Want: errcode.InvalidParam},
		{Name: "a malformed filter", As: bob, Do: "POST", Path: publicRooms, Body: `{"filter":[]}`, Want: errcode.BadJSON},
		{Name: "a search by nobody", As: srv.Anyone(), Do: "POST", Path: publicRooms, Body: `{}`, Want: errcode.MissingToken},
	})
}

func TestRE90_Visibility(t *testing.T) {
	srv := apitest.New(t)
	alice, bob, eve := srv.User(t, "alice"), srv.User(t, "bob"), srv.User(t, "eve")
	room := alice.CreateRoom(t).Join(t, bob)
	path := listRoom + apitest.Escape(room.ID)
	apitest.Run(t, []apitest.Case{
		{Name: "private at first", As: srv.Anyone(), Do: "GET", Path: path, Has: []string{`"private"`}},
		{Name: "published", As: alice, Do: "PUT", Path: path, Body: `{}`},
		{Name: "public", As: srv.Anyone(), Do: "GET", Path: path, Has: []string{`"public"`}},
		{Name: "RE-90 not joined", As: eve, Do: "PUT", Path: path, Body: `{"visibility":"private"}`, Want: errcode.NotJoined},
		{Name: "RE-90 no such room", As: eve, Do: "PUT", Path: listRoom + "!nothing:narthex.test", Body: `{}`, Want: errcode.NotJoined},
		{Name: "RE-90 below the level", As: bob, Do: "PUT", Path: path, Body: `{"visibility":"private"}`, Want: errcode.InsufficientPower},
		{Name: "malformed", As: alice, Do: "PUT", Path: path, Body: `{"visibility":"secret"}`, Want: errcode.InvalidParam},
		{Name: "still public", As: srv.Anyone(), Do: "GET", Path: path, Has: []string{`"public"`}},
		{Name: "taken out", As: alice, Do: "PUT", Path: path, Body: `{"visibility":"private"}`},
		{Name: "private again", As: srv.Anyone(), Do: "GET", Path: path, Has: []string{`"private"`}},
		{Name: "of a name", As: srv.Anyone(), Do: "GET", Path: listRoom + "nothing", Want: errcode.InvalidParam},
		{Name: "of no room", As: srv.Anyone(), Do: "GET", Path: listRoom + "!nothing:narthex.test", Want: errcode.NotFound},
	})
}

func TestOnlyAdministratorsPublishWhereItIsSaid(t *testing.T) {
	srv := apitest.New(t, func(c *config.Config) { c.Rooms.PublicDirectory = false })
	alice, root := srv.User(t, "alice"), srv.Administrator(t, "root")
	own, roots := listRoom+apitest.Escape(alice.CreateRoom(t).ID), listRoom+apitest.Escape(root.CreateRoom(t).ID)
	apitest.Run(t, []apitest.Case{
		{Name: "an administrator", As: root, Do: "PUT", Path: roots, Body: `{"visibility":"public"}`},
		{Name: "anybody else", As: alice, Do: "PUT", Path: own, Body: `{"visibility":"public"}`, Want: errcode.Forbidden},
		{Name: "an administrator's new room", As: root, Do: "POST", Path: "/_matrix/client/v3/createRoom", Body: `{"visibility":"public"}`},
		{Name: "anybody else's new room", As: alice, Do: "POST", Path: "/_matrix/client/v3/createRoom", Body: `{"visibility":"public"}`, Want: errcode.Forbidden},
		{Name: "a public room outside the directory", As: alice, Do: "POST", Path: "/_matrix/client/v3/createRoom", Body: `{"preset":"public_chat"}`},
		{Name: "taking out is allowed", As: alice, Do: "PUT", Path: own, Body: `{"visibility":"private"}`},
	})
}

func TestRoomSummary(t *testing.T) {
	srv := apitest.New(t)
	alice, bob, eve := srv.User(t, "alice"), srv.User(t, "bob"), srv.User(t, "eve")
	summary := func(name string) string { return "/_matrix/client/v1/room_summary/" + apitest.Escape(name) }
	rule := func(rule string, more map[string]any) *apitest.Room {
		content := map[string]any{"join_rule": rule}
		for k, v := range more {
			content[k] = v
		}
		return alice.CreateRoom(t, map[string]any{"name": rule, "initial_state": []any{map[string]any{"type": "m.room.join_rules", "content": content}}})
	}
	public := alice.CreateRoom(t, map[string]any{"preset": "public_chat", "name": "Public", "room_alias_name": "public"})
	private, knock := rule("invite", nil), rule("knock", nil)
	lobby := alice.CreateRoom(t).Join(t, bob)
	restricted := rule("restricted", map[string]any{"allow": []any{map[string]any{"type": "m.room_membership", "room_id": lobby.ID}}})
	readable := rule("private", nil)
	readable.SetState(t, alice, "m.room.history_visibility", map[string]any{"history_visibility": "world_readable"})
	invited := rule("invite", nil).Invite(t, bob)
	unknown := eve.Do(t, "GET", summary("!nothing:narthex.test"), nil).Fails(t, srv, errcode.NotFound)
	hidden := eve.Do(t, "GET", summary(string(private.ID)), nil).Fails(t, srv, errcode.NotFound)
	if string(unknown.Body) != string(hidden.Body) {
		t.Errorf("a hidden room is answered %s, no room %s", hidden.Body, unknown.Body)
	}
	apitest.Run(t, []apitest.Case{
		{Name: "a public room", As: eve, Do: "GET", Path: summary(string(public.ID)), Has: []string{`"name":"Public"`, `"membership":"leave"`, `"room_version":"12"`, `"num_joined_members":1`}},
		{Name: "by its alias", As: eve, Do: "GET", Path: summary("#public:narthex.test"), Has: []string{`"name":"Public"`}},
		{Name: "without a token", As: srv.Anyone(), Do: "GET", Path: summary(string(public.ID)), HasNot: []string{"membership"}},
		{Name: "by an unstable path", As: eve, Do: "GET", Path: "/_matrix/client/unstable/im.nheko.summary/rooms/" + apitest.Escape(public.ID) + "/summary"},
		{Name: "by another unstable path", As: eve, Do: "GET", Path: "/_matrix/client/unstable/im.nheko.summary/summary/" + apitest.Escape(public.ID)},
		{Name: "a room to knock at", As: eve, Do: "GET", Path: summary(string(knock.ID)), Has: []string{`"join_rule":"knock"`}},
		{Name: "a room that everybody may read", As: eve, Do: "GET", Path: summary(string(readable.ID)), Has: []string{`"world_readable":true`}},
		{Name: "one's own room", As: alice, Do: "GET", Path: summary(string(private.ID)), Has: []string{`"membership":"join"`}},
		{Name: "an invited user", As: bob, Do: "GET", Path: summary(string(invited.ID)), Has: []string{`"membership":"invite"`}},
		{Name: "admitted by a restricted rule", As: bob, Do: "GET", Path: summary(string(restricted.ID)), Has: []string{`"allowed_room_ids":["` + string(lobby.ID) + `"]`}},
		{Name: "not admitted by a restricted rule", As: eve, Do: "GET", Path: summary(string(restricted.ID)), Want: errcode.NotFound},
		{Name: "no such alias", As: eve, Do: "GET", Path: summary("#nothing:narthex.test"), Want: errcode.NotFound},
		{Name: "neither id nor alias", As: eve, Do: "GET", Path: summary("nothing"), Want: errcode.InvalidParam},
		{Name: "a token that is none", As: &apitest.Client{Server: srv, Token: "x"}, Do: "GET", Path: summary(string(public.ID)), Want: errcode.UnknownToken},
	})
	alice.Do(t, "POST", public.Path("/ban"), map[string]any{"user_id": eve.UserID}).OK(t, nil)
	eve.Do(t, "GET", summary(string(public.ID)), nil).Fails(t, srv, errcode.NotFound)
}

type hierarchy struct {
	Rooms []struct {
		Name     string `json:"name"`
		Children []struct {
			StateKey id.RoomID `json:"state_key"`
			TS       int64     `json:"origin_server_ts"`
		} `json:"children_state"`
	} `json:"rooms"`
	Next string `json:"next_batch"`
}

func TestSpaces(t *testing.T) {
	srv := apitest.New(t)
	alice, bob, eve := srv.User(t, "alice"), srv.User(t, "bob"), srv.User(t, "eve")
	make := func(name, preset, roomType string) *apitest.Room {
		body := map[string]any{"preset": preset, "name": name}
		if roomType != "" {
			body["creation_content"] = map[string]any{"type": roomType}
		}
		return alice.CreateRoom(t, body)
	}
	top, sub := make("top", "private_chat", "m.space"), make("sub", "public_chat", "m.space")
	a, b, c, secret := make("a", "public_chat", ""), make("b", "public_chat", ""), make("c", "public_chat", ""), make("secret", "private_chat", "")
	link := func(parent, child *apitest.Room, content map[string]any) {
		t.Helper()
		parent.SetState(t, alice, "m.space.child/"+string(child.ID), content)
	}
	via := []string{"narthex.test"}
	link(top, a, map[string]any{"via": via})
	link(top, sub, map[string]any{"via": via, "order": "1", "suggested": true})
	link(top, secret, map[string]any{"via": via, "order": "0"})
	link(top, c, map[string]any{}) // has been taken out
	link(sub, b, map[string]any{"via": via, "order": "z"})
	link(sub, c, map[string]any{"via": via, "order": "y"})
	link(sub, top, map[string]any{"via": via}) // a loop
	link(a, b, map[string]any{"via": via})     // not a space
	top.Invite(t, bob).Join(t, bob)

	path := "/_matrix/client/v1/rooms/" + apitest.Escape(top.ID) + "/hierarchy"
	get := func(as *apitest.Client, query string) (h hierarchy, found []string) {
		t.Helper()
		as.Do(t, "GET", path+query, nil).OK(t, &h)
		for _, r := range h.Rooms {
			found = append(found, r.Name)
		}
		return h, found
	}
	h, found := get(bob, "")
	want(t, "the whole", found, "top", "sub", "c", "b", "a")
	if len(h.Rooms[0].Children) != 3 || h.Rooms[0].Children[1].StateKey != sub.ID || h.Rooms[0].Children[1].TS == 0 || len(h.Rooms[4].Children) != 0 {
		t.Errorf("the children: got %+v", h.Rooms)
	}
	_, found = get(alice, "")
	want(t, "to a member of the secret room", found, "top", "secret", "sub", "c", "b", "a")
	_, found = get(bob, "?max_depth=1")
	want(t, "one level", found, "top", "sub", "a")
	_, found = get(bob, "?max_depth=0")
	want(t, "no level", found, "top")
	_, found = get(bob, "?suggested_only=true")
	want(t, "only what is suggested", found, "top", "sub")

	var paged []string
	query := "?limit=2"
	for range 5 {
		h, found := get(bob, query)
		if paged = append(paged, found...); h.Next == "" {
			break
		}
		query = "?limit=2&from=" + h.Next
	}
	want(t, "in pages", paged, "top", "sub", "c", "b", "a")
	first, _ := get(bob, "?limit=2")
	apitest.Run(t, []apitest.Case{
		{Name: "RE-83 not in the room", As: eve, Do: "GET", Path: path, Want: errcode.NotJoined},
		{Name: "RE-83 no such room", As: eve, Do: "GET", Path: "/_matrix/client/v1/rooms/!nothing:narthex.test/hierarchy", Want: errcode.NotJoined},
		{Name: "another depth on the second page", As: bob, Do: "GET", Path: path + "?max_depth=1&from=" + first.Next, Want: errcode.InvalidParam},
		{Name: "other suggestions on the second page", As: bob, Do: "GET", Path: path + "?suggested_only=true&from=" + first.Next, Want: errcode.InvalidParam},
		{Name: "no token", As: bob, Do: "GET", Path: path + "?from=x", Want: errcode.InvalidParam},
		{Name: "a negative depth", As: bob, Do: "GET", Path: path + "?max_depth=-1", Want: errcode.InvalidParam},
		{Name: "no limit", As: bob, Do: "GET", Path: path + "?limit=0", Want: errcode.InvalidParam},
	})
}

func TestUserDirectory(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	users := map[string]*apitest.Client{}
	for localpart, name := range map[string]string{"bob": "Bob Smith", "bobby": "Robert", "carol": "Bob", "dan": "Änne", "per_cent": "50%", "erin": "", "zed": "Bobolink"} {
		users[localpart] = srv.User(t, localpart)
		if name != "" {
			users[localpart].Do(t, "PUT", "/_matrix/client/v3/profile/"+apitest.Escape(users[localpart].UserID)+"/displayname", map[string]any{"displayname": name}).OK(t, nil)
		}
	}
	private := alice.CreateRoom(t, map[string]any{"preset": "private_chat"})
	for _, u := range []string{"bob", "bobby", "dan", "per_cent"} {
		private.Invite(t, users[u]).Join(t, users[u])
	}
	users["carol"].CreateRoom(t)                                         // public
	users["zed"].CreateRoom(t, map[string]any{"preset": "private_chat"}) // not visible
	search := func(term string, limit int) (found []string, limited bool) {
		t.Helper()
		var out struct {
			Results []struct {
				UserID      id.UserID `json:"user_id"`
				DisplayName string    `json:"display_name"`
			} `json:"results"`
			Limited bool `json:"limited"`
		}
		alice.Do(t, "POST", userSearch, map[string]any{"search_term": term, "limit": limit}).OK(t, &out)
		for _, u := range out.Results {
			found = append(found, u.UserID.Localpart())
		}
		return found, out.Limited
	}
	for term, wanted := range map[string][]string{
		"bob":                {"bob", "carol", "bobby"},
		"BOB smith":          {"bob"},
		"@bob:narthex.test":  {"bob"},
		"änne":               {"dan"},
		"%":                  {"per_cent"},
		"_":                  {"per_cent"},
		"erin":               nil,
		"alice":              nil,
		" ":                  nil,
		"bobolink":           nil,
		"nobody of the name": nil,
	} {
		found, limited := search(term, 10)
		want(t, term, found, wanted...)
		if limited {
			t.Errorf("%s: limited", term)
		}
	}
	if found, limited := search("bob", 1); len(found) != 1 || !limited {
		t.Errorf("limit 1: got %v, limited %t", found, limited)
	}
	apitest.Run(t, []apitest.Case{
		{Name: "without a term", As: alice, Do: "POST", Path: userSearch, Body: `{}`, Want: errcode.MissingParam},
		{Name: "no limit", As: alice, Do: "POST", Path: userSearch, Body: `{"search_term":"x","limit":0}`, Want: errcode.InvalidParam},
		{Name: "malformed", As: alice, Do: "POST", Path: userSearch, Body: `{"search_term":7}`, Want: errcode.BadJSON},
		{Name: "by nobody", As: srv.Anyone(), Do: "POST", Path: userSearch, Body: `{"search_term":"x"}`, Want: errcode.MissingToken},
	})
	err := srv.App.DB.Write(t.Context(), func(tx *db.Tx) error { return srv.App.Accounts.Deactivate(tx, users["bob"].UserID, "test", false) })
	if err != nil {
		t.Fatal(err)
	}
	found, _ := search("bob", 10)
	want(t, "A-60 without those who are deactivated", found, "carol", "bobby")
}

func TestA60_PendingUsersAreNotFound(t *testing.T) {
	srv := apitest.New(t, func(c *config.Config) { c.Approval.Enabled, c.Approval.RequiredForNewAccounts = true, true })
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	alice.CreateRoom(t).Join(t, bob)
	search := apitest.Case{Name: "approved", As: alice, Do: "POST", Path: userSearch, Body: `{"search_term":"bob"}`, Has: []string{fmt.Sprint(bob.UserID)}}
	apitest.Run(t, []apitest.Case{search})
	err := srv.App.DB.Write(t.Context(), func(tx *db.Tx) error {
		_, err := tx.Exec(`UPDATE users SET approved = FALSE WHERE user_id = $1`, bob.UserID)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	search.Name, search.Has, search.HasNot = "pending", nil, []string{fmt.Sprint(bob.UserID)}
	apitest.Run(t, []apitest.Case{search})
}
