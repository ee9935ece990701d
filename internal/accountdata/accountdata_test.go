package accountdata_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/narthex-matrix/narthex/internal/accountdata"
	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/bus"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/id"
)

func TestMain(m *testing.M) { apitest.Main(m) }

const room = "!kitchen:example.org"

// path is a path under the user's own.
func path(c *apitest.Client, rest string) string {
	return "/_matrix/client/v3/user/" + apitest.Escape(c.UserID) + rest
}

// read runs f over the server's database, as /sync would.
func read(t *testing.T, srv *apitest.Server, f func(*accountdata.Service, *db.Tx) error) {
	t.Helper()
	s := accountdata.New(accountdata.Deps{DB: srv.App.DB})
	if err := srv.App.DB.Read(t.Context(), func(tx *db.Tx) error { return f(s, tx) }); err != nil {
		t.Fatal(err)
	}
}

func TestAccountData(t *testing.T) {
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	global, inRoom := path(alice, "/account_data/org.example.x"), path(alice, "/rooms/"+apitest.Escape(room)+"/account_data/org.example.x")
	large := `{"a":"` + strings.Repeat("a", 256<<10) + `"}`
	apitest.Run(t, []apitest.Case{
		{Name: "nothing stored", As: alice, Do: "GET", Path: global, Want: errcode.NotFound},
		{Name: "nothing stored in a room", As: alice, Do: "GET", Path: inRoom, Want: errcode.NotFound},
		{Name: "store", As: alice, Do: "PUT", Path: global, Body: `{ "n" : 1.5, "list": [] }`, Has: []string{`{}`}},
		{Name: "read back", As: alice, Do: "GET", Path: global, Has: []string{`{"n":1.5,"list":[]}`}},
		{Name: "a room does not inherit it", As: alice, Do: "GET", Path: inRoom, Want: errcode.NotFound},
		{Name: "store in a room", As: alice, Do: "PUT", Path: inRoom, Body: `{"r":"\u0000"}`},
		{Name: "read back from the room", As: alice, Do: "GET", Path: inRoom, Has: []string{`{"r":"\u0000"}`}},
		{Name: "replace", As: alice, Do: "PUT", Path: global, Body: `{}`},
		{Name: "an empty object is kept", As: alice, Do: "GET", Path: global, Has: []string{`{}`}},
		{Name: "as r0", As: alice, Do: "GET", Path: strings.Replace(global, "/v3/", "/r0/", 1), Has: []string{`{}`}},

		{Name: "write another's", As: bob, Do: "PUT", Path: global, Body: `{}`, Want: errcode.Forbidden},
		{Name: "read another's", As: bob, Do: "GET", Path: global, Want: errcode.Forbidden},
		{Name: "write another's in a room", As: bob, Do: "PUT", Path: inRoom, Body: `{}`, Want: errcode.Forbidden},
		{Name: "read another's in a room", As: bob, Do: "GET", Path: inRoom, Want: errcode.Forbidden},
		{Name: "without a token", As: srv.Anyone(), Do: "GET", Path: global, Want: errcode.MissingToken},

		{Name: "not JSON", As: alice, Do: "PUT", Path: global, Body: `{"a":`, Want: errcode.NotJSON},
		{Name: "not an object", As: alice, Do: "PUT", Path: global, Body: `[]`, Want: errcode.BadJSON},
		{Name: "not JSON in a room", As: alice, Do: "PUT", Path: inRoom, Body: `nil`, Want: errcode.NotJSON},
		{Name: "not an object in a room", As: alice, Do: "PUT", Path: inRoom, Body: `"x"`, Want: errcode.BadJSON},
		{Name: "too large", As: alice, Do: "PUT", Path: global, Body: large, Want: errcode.TooLarge},
		{Name: "too large in a room", As: alice, Do: "PUT", Path: inRoom, Body: large, Want: errcode.TooLarge},
		{Name: "a type that is too long", As: alice, Do: "PUT", Path: global + strings.Repeat("x", 255), Body: `{}`, Want: errcode.InvalidParam},
		{Name: "a type that is too long in a room", As: alice, Do: "PUT", Path: inRoom + strings.Repeat("x", 255), Body: `{}`, Want: errcode.InvalidParam},
		{Name: "no user ID", As: alice, Do: "GET", Path: "/_matrix/client/v3/user/alice/account_data/x", Want: errcode.InvalidParam},
		{Name: "no room ID", As: alice, Do: "GET", Path: path(alice, "/rooms/kitchen/account_data/x"), Want: errcode.InvalidParam},
	})
}

func TestAccountDataOfTheServer(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	inRoom := path(alice, "/rooms/"+apitest.Escape(room)+"/account_data/")
	apitest.Run(t, []apitest.Case{
		{Name: "fully read", As: alice, Do: "PUT", Path: path(alice, "/account_data/m.fully_read"), Body: `{}`, Want: errcode.ServerManaged},
		{Name: "fully read in a room", As: alice, Do: "PUT", Path: inRoom + "m.fully_read", Body: `{"event_id":"$x"}`, Want: errcode.ServerManaged},
		{Name: "push rules in a room", As: alice, Do: "PUT", Path: inRoom + "m.push_rules", Body: `{}`, Want: errcode.ServerManaged},
	})
}

func TestSince(t *testing.T) {
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	position := func() (pos int64) {
		read(t, srv, func(_ *accountdata.Service, tx *db.Tx) (err error) {
			pos, err = tx.Position()
			return err
		})
		return pos
	}
	changed := func(c *apitest.Client, from, to int64) []string {
		list := []string{}
		read(t, srv, func(s *accountdata.Service, tx *db.Tx) error {
			rows, err := s.Since(tx, c.UserID, from, to)
			for _, r := range rows {
				list = append(list, string(r.RoomID)+" "+r.Type+" "+string(r.Content))
			}
			return err
		})
		return list
	}
	put := func(rest, body string) {
		t.Helper()
		alice.Do(t, "PUT", path(alice, rest), body).OK(t, nil)
	}
	check := func(what string, got []string, want ...string) {
		t.Helper()
		if diff := cmp.Diff(append([]string{}, want...), got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	start := position()
	put("/account_data/a", `{"n":1}`)
	put("/rooms/"+apitest.Escape(room)+"/account_data/b", `{}`)
	first := position()
	put("/account_data/a", `{"n":2}`)
	second := position()
	check("what the first two writes left", changed(alice, start, first), room+" b {}")
	check("after them", changed(alice, first, second), " a {\"n\":2}")
	check("everything", changed(alice, 0, second), room+" b {}", " a {\"n\":2}")
	check("another user's", changed(bob, 0, second))

	put("/account_data/a", `{ "n":2 }`)
	check("the same again", changed(alice, second, position()))
}

func TestAccountDataWakesItsUser(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	local := bus.NewLocal()
	d, err := db.Open(t.Context(), db.Options{Database: t.TempDir() + "/x.db", Now: time.Now, Wake: local.Wake, Unsynced: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	if _, err := d.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	w := local.Subscribe(bus.User(alice.UserID))
	defer w.Close()
	s := accountdata.New(accountdata.Deps{DB: d})
	err = d.Write(t.Context(), func(tx *db.Tx) error {
		if err := srv.App.Accounts.Insert(tx, accounts.Account{UserID: alice.UserID}); err != nil {
			return err
		}
		return s.Put(tx, alice.UserID, "", "x", []byte(`{}`))
	})
	if err != nil {
		t.Fatal(err)
	}
	<-w.C
}

func TestIgnoredUsers(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	for _, c := range []struct {
		name, content string
		want          map[id.UserID]bool
	}{
		{"no list", "", nil},
		{"two", `{"ignored_users":{"@bob:example.org":{},"@Carol:x.org":{"since":1}}}`, map[id.UserID]bool{"@bob:example.org": true, "@Carol:x.org": true}},
		{"oneself, and what is no user", `{"ignored_users":{"` + string(alice.UserID) + `":{},"bob":{}}}`, map[id.UserID]bool{}},
		{"another shape", `{"ignored_users":["@bob:example.org"]}`, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.content != "" {
				alice.Do(t, "PUT", path(alice, "/account_data/m.ignored_user_list"), c.content).OK(t, nil)
			}
			read(t, srv, func(s *accountdata.Service, tx *db.Tx) error {
				got, err := s.IgnoredUsers(tx, alice.UserID)
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Errorf("IgnoredUsers (-want +got):\n%s", diff)
				}
				return err
			})
		})
	}
}

func TestBlocksInvites(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	for _, c := range []struct {
		content string
		want    bool
	}{
		{"", false},
		{`{"default_action":"block"}`, true},
		{`{"default_action":"allow"}`, false},
		{`{"default_action":["block"]}`, false},
		{`{}`, false},
	} {
		if c.content != "" {
			alice.Do(t, "PUT", path(alice, "/account_data/m.invite_permission_config"), c.content).OK(t, nil)
		}
		read(t, srv, func(s *accountdata.Service, tx *db.Tx) error {
			got, err := s.BlocksInvites(tx, alice.UserID, "@bob:example.org")
			if got != c.want {
				t.Errorf("%q: got %t, want %t", c.content, got, c.want)
			}
			return err
		})
	}
}

// An erased account keeps nothing here; one that is only deactivated does.
func TestErasureOfAccountData(t *testing.T) {
	srv := apitest.New(t)
	for _, c := range []struct {
		name  string
		erase bool
		left  int
	}{{"alice", true, 0}, {"bob", false, 2}} {
		user := srv.User(t, c.name)
		user.Do(t, "PUT", path(user, "/account_data/org.example.x"), `{"a":1}`).OK(t, nil)
		user.Do(t, "PUT", path(user, "/rooms/"+apitest.Escape(room)+"/tags/u.work"), `{}`).OK(t, nil)
		user.Do(t, "POST", path(user, "/filter"), `{"room":{"timeline":{"limit":7}}}`).OK(t, nil)
		if err := srv.App.DB.Write(t.Context(), func(tx *db.Tx) error {
			return srv.App.Accounts.Deactivate(tx, user.UserID, "test", c.erase)
		}); err != nil {
			t.Fatal(err)
		}
		srv.RunJobs(t)
		read(t, srv, func(s *accountdata.Service, tx *db.Tx) error {
			rows, err := s.Since(tx, user.UserID, 0, 1<<62)
			if err != nil {
				return err
			}
			filters, err := db.Value[int](tx, `SELECT COUNT(*) FROM filters WHERE user_id = $1`, user.UserID)
			if len(rows) != c.left || filters != min(c.left, 1) {
				t.Errorf("%s: got %d pieces of account data and %d filters, want %d and %d", c.name, len(rows), filters, c.left, min(c.left, 1))
			}
			return err
		})
	}
}
