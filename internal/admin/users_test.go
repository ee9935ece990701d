package admin_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/id"
)

const (
	usersV2 = "/_synapse/admin/v2/users"
	usersV3 = "/_synapse/admin/v3/users"
)

func user(u id.UserID) string { return usersV2 + "/" + apitest.Escape(u) }

type userList struct {
	Users     []map[string]any
	Total     int
	NextToken string `json:"next_token"`
}

func (l userList) names() string {
	var names []string
	for _, u := range l.Users {
		names = append(names, id.UserID(fmt.Sprint(u["name"])).Localpart())
	}
	return strings.Join(names, " ")
}

func users(t *testing.T, as *apitest.Client, path string) (l userList) {
	t.Helper()
	as.Do(t, "GET", path, nil).OK(t, &l)
	return l
}

// register makes an account without approval, and a guest's.
func guest(t *testing.T, srv *apitest.Server) id.UserID {
	t.Helper()
	var made struct {
		UserID id.UserID `json:"user_id"`
	}
	srv.Anyone().Do(t, "POST", "/_matrix/client/v3/register?kind=guest", object{}).OK(t, &made)
	return made.UserID
}

func TestListUsers(t *testing.T) {
	srv := apitest.New(t, approvalRequired, func(cfg *config.Config) { cfg.Registration.AllowGuests = true })
	root := srv.Administrator(t, "root")
	for _, name := range []string{"bob", "alice", "gone", "locked"} {
		srv.Advance(time.Second)
		srv.User(t, name)
	}
	srv.Advance(time.Second)
	pend(t, srv, "pending_1")
	srv.Advance(time.Second)
	pend(t, srv, "pending-2")
	visitor := guest(t, srv).Localpart()
	root.Do(t, "POST", "/_synapse/admin/v1/deactivate/"+apitest.Escape(userID("gone")), nil).OK(t, nil)
	root.Do(t, "PUT", user(userID("locked")), object{"locked": true}).OK(t, nil)
	root.Do(t, "PUT", user(userID("bob")), object{"displayname": "Aaron", "avatar_url": "mxc://narthex.test/a"}).OK(t, nil)

	for query, want := range map[string]string{
		usersV2: visitor + " alice bob pending-2 pending_1 root",
		// What is left out
		usersV2 + "?guests=false":                                  "alice bob pending-2 pending_1 root",
		usersV2 + "?guests=true&admins=false":                      visitor + " alice bob pending-2 pending_1",
		usersV2 + "?admins=true":                                   "root",
		usersV2 + "?deactivated=true&guests=false":                 "alice bob gone pending-2 pending_1 root",
		usersV2 + "?deactivated=false&guests=false":                "alice bob pending-2 pending_1 root",
		usersV2 + "?locked=true&guests=false":                      "alice bob locked pending-2 pending_1 root",
		usersV3 + "?guests=false":                                  "alice bob gone pending-2 pending_1 root",
		usersV3 + "?guests=false&deactivated=false":                "alice bob pending-2 pending_1 root",
		usersV3 + "?deactivated=true":                              "gone",
		usersV2 + "?not_user_type=bot&not_user_type=&guests=false": "alice bob pending-2 pending_1 root",
		usersV2 + "?name=OB":                                       "bob",
		usersV2 + "?name=narthex":                                  "",
		usersV2 + "?user_id=narthex&guests=false":                  "alice bob pending-2 pending_1 root",
		usersV2 + "?user_id=" + url.QueryEscape("@ali"):            "alice",
		usersV2 + "?user_id=alice&name=bob":                        "bob",
		usersV2 + "?name=_":                                        "pending_1",
		usersV2 + "?name=" + url.QueryEscape("%"):                  "",
		// The order
		usersV2 + "?guests=false&dir=b":                              "root pending_1 pending-2 bob alice",
		usersV2 + "?guests=false&order_by=name":                      "alice bob pending-2 pending_1 root",
		usersV2 + "?guests=false&order_by=creation_ts":               "root bob alice pending_1 pending-2",
		usersV2 + "?guests=false&order_by=creation_ts&dir=b":         "pending-2 pending_1 alice bob root",
		usersV2 + "?guests=false&order_by=displayname":               "alice pending-2 pending_1 root bob",
		usersV2 + "?guests=false&order_by=avatar_url&dir=b":          "bob alice pending-2 pending_1 root",
		usersV2 + "?guests=false&order_by=last_seen_ts&admins=false": "pending-2 pending_1 bob alice",
		usersV2 + "?guests=false&order_by=admin&dir=b":               "root alice bob pending-2 pending_1",
		usersV2 + "?order_by=is_guest&admins=false&dir=b":            visitor + " alice bob pending-2 pending_1",
		usersV3 + "?guests=false&order_by=deactivated&dir=b":         "gone alice bob pending-2 pending_1 root",
		usersV2 + "?guests=false&locked=true&order_by=locked&dir=b":  "locked alice bob pending-2 pending_1 root",
		usersV2 + "?guests=false&order_by=user_type":                 "alice bob pending-2 pending_1 root",
		// Approval
		usersV2 + "?approved=false":             "pending-2 pending_1",
		usersV2 + "?approved=false&name=1":      "pending_1",
		usersV2 + "?approved=true&guests=false": "alice bob pending-2 pending_1 root",
	} {
		t.Run("A-49 "+query, func(t *testing.T) {
			l := users(t, root, query)
			if l.names() != want || l.Total != len(l.Users) || l.NextToken != "" {
				t.Errorf("got %q of %d, next %q; want %q", l.names(), l.Total, l.NextToken, want)
			}
		})
	}
	t.Run("A-48 every account says whether it is approved", func(t *testing.T) {
		for _, u := range users(t, root, usersV3+"?locked=true").Users {
			want := !strings.HasPrefix(fmt.Sprint(u["name"]), "@pending")
			if u["approved"] != want {
				t.Errorf("%s: got approved %v, want %v", u["name"], u["approved"], want)
			}
		}
	})
	t.Run("A-49 pages of a filtered list", func(t *testing.T) {
		first := users(t, root, usersV2+"?approved=false&limit=1")
		second := users(t, root, usersV2+"?approved=false&limit=1&from="+first.NextToken)
		if first.names() != "pending-2" || first.NextToken != "1" || second.names() != "pending_1" || second.NextToken != "" || first.Total != 2 || second.Total != 2 {
			t.Errorf("got %+v and %+v", first, second)
		}
		if beyond := users(t, root, usersV2+"?from=50"); len(beyond.Users) != 0 || beyond.NextToken != "" || beyond.Total != 6 {
			t.Errorf("got %+v, want nobody", beyond)
		}
	})
	malformed := map[string]string{
		"A-50 approved": "approved=x", "A-50 approved empty": "approved=", "guests": "guests=1", "admins": "admins=yes", "deactivated": "deactivated=",
		"locked": "locked=x", "order_by": "order_by=password_hash", "dir": "dir=up", "from": "from=-1", "from a text": "from=a",
		"limit": "limit=0", "limit a text": "limit=a", "twice": "name=a&name=b",
	}
	for name, query := range malformed {
		for _, path := range []string{usersV2, usersV3} {
			apitest.Run(t, []apitest.Case{{Name: name, As: root, Do: "GET", Path: path + "?" + query, Want: errcode.InvalidParam}})
		}
	}
	apitest.Run(t, []apitest.Case{
		{Name: "without a token", As: srv.Anyone(), Do: "GET", Path: usersV2, Want: errcode.MissingToken},
		{Name: "not an administrator", As: srv.User(t, "carol"), Do: "GET", Path: usersV2, Want: errcode.Forbidden},
	})
}

func TestGetUser(t *testing.T) {
	srv := apitest.New(t, approvalRequired)
	root, alice := srv.Administrator(t, "root"), pend(t, srv, "alice")
	t.Run("A-51 a whole account", func(t *testing.T) {
		var got map[string]any
		root.Do(t, "GET", user(alice), nil).OK(t, &got)
		if ts, _ := got["creation_ts"].(float64); ts < 1e12 {
			t.Errorf("creation_ts: got %v, want milliseconds", got["creation_ts"])
		}
		delete(got, "creation_ts")
		want := map[string]any{
			"name": string(alice), "displayname": nil, "avatar_url": nil, "is_guest": false, "admin": false, "deactivated": false, "erased": false,
			"locked": false, "suspended": false, "shadow_banned": false, "user_type": nil, "last_seen_ts": nil, "approved": false,
			"threepids": []any{}, "external_ids": []any{}, "appservice_id": nil, "consent_version": nil, "consent_server_notice_sent": nil, "consent_ts": nil,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("A-51 an account from before approval", func(t *testing.T) {
		apitest.Run(t, []apitest.Case{{Name: "root", As: root, Do: "GET", Path: user(root.UserID), Has: []string{`"approved":true`, `"admin":true`}}})
	})
	apitest.Run(t, []apitest.Case{
		{Name: "unknown", As: root, Do: "GET", Path: user(userID("nobody")), Want: errcode.NotFound},
		{Name: "of another server", As: root, Do: "GET", Path: user("@a:other.test"), Want: errcode.InvalidParam},
		{Name: "not a user", As: root, Do: "GET", Path: usersV2 + "/alice", Want: errcode.InvalidParam},
		{Name: "not an administrator", As: srv.User(t, "carol"), Do: "GET", Path: user(userID("carol")), Want: errcode.Forbidden},
	})
}

func TestA54_ApprovalSwitchedOff(t *testing.T) {
	srv := apitest.New(t)
	root, alice := srv.Administrator(t, "root"), srv.User(t, "alice")
	apitest.Run(t, []apitest.Case{
		{Name: "the list", As: root, Do: "GET", Path: usersV2, HasNot: []string{"approved"}},
		{Name: "the filter", As: root, Do: "GET", Path: usersV2 + "?approved=false", Has: []string{"@alice:", `"total":2`}},
		{Name: "a malformed filter", As: root, Do: "GET", Path: usersV2 + "?approved=x"},
		{Name: "one account", As: root, Do: "GET", Path: user(alice.UserID), HasNot: []string{"approved"}},
		{Name: "a change", As: root, Do: "PUT", Path: user(alice.UserID), Body: object{"approved": false}, HasNot: []string{"approved"}},
		{Name: "a malformed change", As: root, Do: "PUT", Path: user(alice.UserID), Body: object{"approved": "x"}},
	})
	if a := account(t, srv, alice.UserID); a.Approved != nil {
		t.Errorf("approved: got %v, want nothing", *a.Approved)
	}
}

func TestUserShowsItsAddresses(t *testing.T) {
	srv := apitest.New(t)
	root, alice := srv.Administrator(t, "root"), srv.User(t, "alice")
	srv.Write(t, func(tx *db.Tx) error {
		_, err := tx.Exec(`INSERT INTO user_threepids (medium, address, user_id, validated_ts, added_ts) VALUES ('email', 'alice@example.org', $1, 1000, 2000)`, alice.UserID)
		return err
	})
	apitest.Run(t, []apitest.Case{
		{Name: "one", As: root, Do: "GET", Path: "/_synapse/admin/v2/users/" + apitest.Escape(alice.UserID),
			Has: []string{`"threepids":[{"medium":"email","address":"alice@example.org","added_at":2000,"validated_at":1000}]`}},
		{Name: "none", As: root, Do: "GET", Path: "/_synapse/admin/v2/users/" + apitest.Escape(root.UserID), Has: []string{`"threepids":[]`}},
		{Name: "to nobody else", As: alice, Do: "GET", Path: "/_synapse/admin/v2/users/" + apitest.Escape(alice.UserID), Want: errcode.Forbidden},
	})
}
