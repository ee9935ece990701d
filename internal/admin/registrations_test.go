package admin_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/id"
)

func TestApprove(t *testing.T) {
	srv := apitest.New(t, approvalRequired)
	root := srv.Administrator(t, "root")
	alice := pend(t, srv, "alice")
	login(t, srv, alice).Fails(t, srv, errcode.UserAwaitingApproval)
	once := []string{`@root:narthex.test approve {"note":"a friend"}`}

	t.Run("A-37 A-56 a pending account is approved", func(t *testing.T) {
		wantJSON(t, root.Do(t, "POST", decision(alice, "approve"), object{"note": "a friend"}), object{"user_id": alice, "state": "approved"})
		if a := account(t, srv, alice); a.Approved == nil || !*a.Approved {
			t.Errorf("got %+v, want approved", a)
		}
		if diff := cmp.Diff(once, audit(t, root, string(alice))); diff != "" {
			t.Error(diff)
		}
		login(t, srv, alice).OK(t, nil)
	})
	t.Run("A-38 approving again changes nothing", func(t *testing.T) {
		wantJSON(t, root.Do(t, "POST", decision(alice, "approve"), nil), object{"user_id": alice, "state": "approved"})
		if diff := cmp.Diff(once, audit(t, root, string(alice))); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("A-39", func(t *testing.T) {
		denied, gone := pend(t, srv, "denied"), srv.User(t, "gone")
		root.Do(t, "POST", decision(denied, "deny"), nil).OK(t, nil)
		root.Do(t, "POST", "/_synapse/admin/v1/deactivate/"+apitest.Escape(gone.UserID), nil).OK(t, nil)
		apitest.Run(t, []apitest.Case{
			{Name: "unknown", As: root, Do: "POST", Path: decision(userID("nobody"), "approve"), Want: errcode.NotFound},
			{Name: "deactivated", As: root, Do: "POST", Path: decision(gone.UserID, "approve"), Want: errcode.InvalidParam},
			{Name: "denied", As: root, Do: "POST", Path: decision(denied, "approve"), Want: errcode.InvalidParam},
			{Name: "of another server", As: root, Do: "POST", Path: decision("@a:other.test", "approve"), Want: errcode.InvalidParam},
			{Name: "not a user", As: root, Do: "POST", Path: registrations("/alice/approve"), Want: errcode.InvalidParam},
			{Name: "a note of another type", As: root, Do: "POST", Path: decision(alice, "approve"), Body: `{"note":1}`, Want: errcode.BadJSON},
			{Name: "a note that is too long", As: root, Do: "POST", Path: decision(alice, "approve"),
				Body: object{"note": strings.Repeat("ä", 1001)}, Want: errcode.InvalidParam},
		})
	})
}

func TestDeny(t *testing.T) {
	srv := apitest.New(t, approvalRequired)
	root := srv.Administrator(t, "root")
	alice, bob := pend(t, srv, "alice"), pend(t, srv, "bob")

	t.Run("A-41 A-57 a denied account cannot be told from an unknown one", func(t *testing.T) {
		wantJSON(t, root.Do(t, "POST", decision(alice, "deny"), object{"reason": "a robot"}), object{"user_id": alice, "state": "denied"})
		a := account(t, srv, alice)
		if !a.Deactivated || a.PasswordHash != "" {
			t.Errorf("got %+v, want deactivated and without password", a)
		}
		unknown := login(t, srv, userID("nobody")).Fails(t, srv, errcode.Forbidden)
		if r := login(t, srv, alice).Fails(t, srv, errcode.Forbidden); string(r.Body) != string(unknown.Body) {
			t.Errorf("got %s, want %s", r.Body, unknown.Body)
		}
		srv.Anyone().Do(t, "GET", "/_matrix/client/v3/register/available?username=alice", nil).Fails(t, srv, errcode.UserInUse)
	})
	t.Run("A-42 denying twice", func(t *testing.T) {
		wantJSON(t, root.Do(t, "POST", decision(alice, "deny"), nil), object{"user_id": alice, "state": "denied"})
		want := []string{`@root:narthex.test deny {"reason":"a robot","release_localpart":false}`}
		if diff := cmp.Diff(want, audit(t, root, string(alice))); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("A-42 denying an approved account", func(t *testing.T) {
		root.Do(t, "POST", decision(root.UserID, "deny"), nil).Fails(t, srv, errcode.InvalidParam)
		carol := pend(t, srv, "carol")
		root.Do(t, "POST", decision(carol, "approve"), nil).OK(t, nil)
		root.Do(t, "POST", decision(carol, "deny"), nil).Fails(t, srv, errcode.InvalidParam)
		login(t, srv, carol).OK(t, nil)
	})
	t.Run("A-41 release_localpart frees the name", func(t *testing.T) {
		root.Do(t, "POST", decision(bob, "deny"), object{"release_localpart": true}).OK(t, nil)
		srv.Anyone().Do(t, "GET", "/_matrix/client/v3/register/available?username=bob", nil).OK(t, nil)
		root.Do(t, "POST", decision(bob, "deny"), nil).Fails(t, srv, errcode.NotFound)
		pend(t, srv, "bob")
	})
	apitest.Run(t, []apitest.Case{
		{Name: "A-57 unknown", As: root, Do: "POST", Path: decision(userID("nobody"), "deny"), Want: errcode.NotFound},
		{Name: "A-57 malformed", As: root, Do: "POST", Path: decision(bob, "deny"), Body: `{"release_localpart":"yes"}`, Want: errcode.BadJSON},
		{Name: "A-57 a reason that is too long", As: root, Do: "POST", Path: decision(bob, "deny"),
			Body: object{"reason": strings.Repeat("x", 1001)}, Want: errcode.InvalidParam},
	})
}

func TestRevoke(t *testing.T) {
	srv := apitest.New(t, approvalRequired)
	root, alice := srv.Administrator(t, "root"), srv.User(t, "alice")
	whoami := func() *apitest.Response { return alice.Do(t, "GET", "/_matrix/client/v3/account/whoami", nil) }

	t.Run("A-43 un-approving blocks new logins only", func(t *testing.T) {
		root.Do(t, "PUT", "/_synapse/admin/v2/users/"+apitest.Escape(alice.UserID), object{"approved": false}).OK(t, nil)
		login(t, srv, alice.UserID).Fails(t, srv, errcode.UserAwaitingApproval)
		whoami().OK(t, nil)
	})
	t.Run("A-44 revoking keeps the sessions unless told otherwise", func(t *testing.T) {
		want := object{"user_id": alice.UserID, "state": "pending"}
		wantJSON(t, root.Do(t, "POST", decision(alice.UserID, "revoke"), nil), want)
		whoami().OK(t, nil)
		wantJSON(t, root.Do(t, "POST", decision(alice.UserID, "revoke"), object{"revoke_sessions": true}), want)
		whoami().Fails(t, srv, errcode.UnknownToken)
		login(t, srv, alice.UserID).Fails(t, srv, errcode.UserAwaitingApproval)
		root.Do(t, "POST", decision(alice.UserID, "approve"), nil).OK(t, nil)
		login(t, srv, alice.UserID).OK(t, nil)
		lines := []string{
			`@root:narthex.test unapprove {"logout":false}`, `@root:narthex.test unapprove {"logout":true}`, `@root:narthex.test approve {"note":""}`,
		}
		if diff := cmp.Diff(lines, audit(t, root, string(alice.UserID))); diff != "" {
			t.Error(diff)
		}
	})
	gone := pend(t, srv, "gone")
	root.Do(t, "POST", decision(gone, "deny"), nil).OK(t, nil)
	apitest.Run(t, []apitest.Case{
		{Name: "A-44 oneself", As: root, Do: "POST", Path: decision(root.UserID, "revoke"), Want: errcode.Forbidden},
		{Name: "A-44 unknown", As: root, Do: "POST", Path: decision(userID("nobody"), "revoke"), Want: errcode.NotFound},
		{Name: "A-44 deactivated", As: root, Do: "POST", Path: decision(gone, "revoke"), Want: errcode.InvalidParam},
		{Name: "A-44 malformed", As: root, Do: "POST", Path: decision(alice.UserID, "revoke"), Body: `{"revoke_sessions":1}`, Want: errcode.BadJSON},
	})
}

// TestA45_ApproveAndDenyAtOnce decides on accounts from two sides.
func TestA45_ApproveAndDenyAtOnce(t *testing.T) {
	srv := apitest.New(t, approvalRequired)
	root, other := srv.Administrator(t, "root"), srv.Administrator(t, "other")
	for i := range 8 {
		user := pend(t, srv, fmt.Sprint("user", i))
		var approved, denied *apitest.Response
		var wait sync.WaitGroup
		decide := func(as *apitest.Client, what string, answer **apitest.Response) {
			r, err := as.Try(t.Context(), "POST", decision(user, what), nil)
			if err != nil {
				t.Error(err)
				r = &apitest.Response{}
			}
			*answer = r
		}
		wait.Go(func() { decide(root, "approve", &approved) })
		wait.Go(func() { decide(other, "deny", &denied) })
		wait.Wait()
		switch a := account(t, srv, user); {
		case a.Deactivated: // the denial came first
			denied.OK(t, nil)
			approved.Fails(t, srv, errcode.InvalidParam)
			login(t, srv, user).Fails(t, srv, errcode.Forbidden)
		default:
			approved.OK(t, nil)
			denied.Fails(t, srv, errcode.InvalidParam)
			login(t, srv, user).OK(t, nil)
		}
		if lines := audit(t, root, string(user)); len(lines) != 1 {
			t.Errorf("got the lines %q, want one decision", lines)
		}
	}
}

// TestA46_RestartBeforeTheAnswer registers, restarts, and tries again.
func TestA46_RestartBeforeTheAnswer(t *testing.T) {
	before := apitest.New(t, approvalRequired)
	root := before.Administrator(t, "root")
	const path = "/_matrix/client/v3/register"
	body := object{"username": "alice", "password": apitest.Password}
	var challenge struct{ Session string }
	r := before.Anyone().Do(t, "POST", path, body).Fails(t, before, errcode.InteractiveAuth)
	r.Status = 200
	r.OK(t, &challenge)
	body["auth"] = object{"type": "m.login.dummy", "session": challenge.Session}
	first := before.Anyone().Do(t, "POST", path, body).Fails(t, before, errcode.UserAwaitingApproval)

	after := apitest.Over(t, before.App.Config.Database, approvalRequired)
	again := after.Anyone().Do(t, "POST", path, body).Fails(t, after, errcode.UserAwaitingApproval)
	if string(again.Body) != string(first.Body) {
		t.Errorf("got %s, want %s", again.Body, first.Body)
	}
	delete(body, "auth")
	after.Anyone().Do(t, "POST", path, body).Fails(t, after, errcode.UserInUse)
	root.Server = after
	if found := list(t, root, "?state=pending"); len(found.Registrations) != 1 || found.Registrations[0].UserID != userID("alice") {
		t.Errorf("got %+v, want alice alone", found)
	}
}

// TestA47_AnotherProcessSeesTheApproval approves on one server and signs in on
// another over the same database.
func TestA47_AnotherProcessSeesTheApproval(t *testing.T) {
	one := apitest.New(t, approvalRequired)
	other := apitest.Over(t, one.App.Config.Database, approvalRequired)
	root := one.Administrator(t, "root")
	alice, bob := pend(t, other, "alice"), pend(t, one, "bob")
	login(t, other, alice).Fails(t, other, errcode.UserAwaitingApproval)
	root.Do(t, "POST", decision(alice, "approve"), nil).OK(t, nil)
	login(t, other, alice).OK(t, nil)

	root.Server = other // the token is good there, too
	login(t, one, bob).Fails(t, one, errcode.UserAwaitingApproval)
	root.Do(t, "POST", decision(bob, "deny"), nil).OK(t, nil)
	login(t, one, bob).Fails(t, one, errcode.Forbidden)
}

type listed struct {
	Registrations []struct {
		UserID            id.UserID `json:"user_id"`
		CreatedTS         int64     `json:"created_ts"`
		DisplayName       *string
		Threepids         []any
		IP                string
		UserAgent         string  `json:"user_agent"`
		RegistrationToken *string `json:"registration_token"`
		SSOProvider       *string `json:"sso_provider"`
		State             string
	}
	Total    int
	NextFrom string `json:"next_from"`
}

func list(t *testing.T, as *apitest.Client, query string) (l listed) {
	t.Helper()
	as.Do(t, "GET", registrations(query), nil).OK(t, &l)
	return l
}

func TestListRegistrations(t *testing.T) {
	srv := apitest.New(t, approvalRequired)
	root := srv.Administrator(t, "root")
	var users []id.UserID
	for i := range 7 {
		users = append(users, pend(t, srv, fmt.Sprint("user", i)))
	}
	root.Do(t, "POST", decision(users[1], "approve"), nil).OK(t, nil)
	root.Do(t, "POST", decision(users[2], "deny"), nil).OK(t, nil)
	root.Do(t, "PUT", "/_synapse/admin/v2/users/"+apitest.Escape(userID("named")), object{"displayname": "Name", "approved": false})

	t.Run("A-55 the fields", func(t *testing.T) {
		l := list(t, root, "?limit=1")
		r := l.Registrations[0]
		if r.UserID != users[0] || r.CreatedTS == 0 || r.IP != "127.0.0.1" || r.UserAgent == "" || r.State != "pending" ||
			r.Threepids == nil || len(r.Threepids) != 0 || r.DisplayName != nil || r.RegistrationToken != nil || r.SSOProvider != nil {
			t.Errorf("got %+v", r)
		}
		all := list(t, root, "")
		if named := all.Registrations[len(all.Registrations)-1]; named.DisplayName == nil || *named.DisplayName != "Name" {
			t.Errorf("got %+v, want a display name", named)
		}
	})
	t.Run("A-55 the addresses", func(t *testing.T) {
		srv.Write(t, func(tx *db.Tx) error {
			_, err := tx.Exec(`INSERT INTO user_threepids (medium, address, user_id, validated_ts, added_ts)
				VALUES ('email', 'one@example.org', $1, 1000, 2000), ('msisdn', '447700900123', $1, 1000, 3000), ('email', 'four@example.org', $2, 1000, 2000)`, users[1], users[4])
			return err
		})
		for i, r := range list(t, root, "").Registrations {
			got := fmt.Sprint(r.Threepids)
			want := map[int]string{
				1: "[map[added_at:2000 address:one@example.org medium:email validated_at:1000] map[added_at:3000 address:447700900123 medium:msisdn validated_at:1000]]",
				4: "[map[added_at:2000 address:four@example.org medium:email validated_at:1000]]",
			}[i]
			if want == "" {
				want = "[]"
			}
			if got != want {
				t.Errorf("%s has %s, want %s", r.UserID, got, want)
			}
		}
	})
	for state, want := range map[string][]id.UserID{
		"pending":         {users[0], users[3], users[4], users[5], users[6], userID("named")},
		"approved":        {users[1]},
		"denied":          {users[2]},
		"approved,denied": {users[1], users[2]},
	} {
		t.Run("A-55 "+state, func(t *testing.T) {
			var got []id.UserID
			for from, pages := "", 0; ; pages++ {
				l := list(t, root, "?limit=2&state="+state+"&from="+url.QueryEscape(from))
				if l.Total != len(want) {
					t.Errorf("total: got %d, want %d", l.Total, len(want))
				}
				for _, r := range l.Registrations {
					got = append(got, r.UserID)
					if !slices.Contains(strings.Split(state, ","), r.State) {
						t.Errorf("got the state %s, want %s", r.State, state)
					}
				}
				if from = l.NextFrom; from == "" || pages > 10 {
					break
				}
			}
			slices.Sort(got)
			if diff := cmp.Diff(slices.Sorted(slices.Values(want)), got); diff != "" {
				t.Error(diff)
			}
		})
	}
	apitest.Run(t, []apitest.Case{
		{Name: "A-55 an unknown state", As: root, Do: "GET", Path: registrations("?state=waiting"), Want: errcode.InvalidParam},
		{Name: "A-55 an empty state", As: root, Do: "GET", Path: registrations("?state="), Want: errcode.InvalidParam},
		{Name: "A-55 a from of somebody else's", As: root, Do: "GET", Path: registrations("?from=12"), Want: errcode.InvalidParam},
		{Name: "A-55 a limit that is no number", As: root, Do: "GET", Path: registrations("?limit=x"), Want: errcode.InvalidParam},
		{Name: "A-55 a limit of nothing", As: root, Do: "GET", Path: registrations("?limit=0"), Want: errcode.InvalidParam},
		{Name: "A-55 without a token", As: srv.Anyone(), Do: "GET", Path: registrations(""), Want: errcode.MissingToken},
		{Name: "A-55 not an administrator", As: srv.User(t, "carol"), Do: "GET", Path: registrations(""), Want: errcode.Forbidden},
	})
}

func TestListAudit(t *testing.T) {
	srv := apitest.New(t, approvalRequired)
	root := srv.Administrator(t, "root")
	for i := range 5 {
		root.Do(t, "POST", decision(pend(t, srv, fmt.Sprint("user", i)), "approve"), nil).OK(t, nil)
	}
	const path = "/_narthex/admin/v1/audit"
	t.Run("pages", func(t *testing.T) {
		var got []string
		for from := ""; ; {
			var log struct {
				Entries  []auditLine
				NextFrom string `json:"next_from"`
			}
			root.Do(t, "GET", path+"?limit=2"+from, nil).OK(t, &log)
			for _, e := range log.Entries {
				got = append(got, fmt.Sprint(e.ID, e.Target, e.TS > 0))
			}
			if log.NextFrom == "" {
				break
			}
			from = "&from=" + log.NextFrom
		}
		var want []string
		for i := range 5 {
			want = append(want, fmt.Sprint(int64(i+1), userID(fmt.Sprint("user", i)), true))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
	apitest.Run(t, []apitest.Case{
		{Name: "a negative from", As: root, Do: "GET", Path: path + "?from=-1", Want: errcode.InvalidParam},
		{Name: "a from that is no number", As: root, Do: "GET", Path: path + "?from=x", Want: errcode.InvalidParam},
		{Name: "a limit of nothing", As: root, Do: "GET", Path: path + "?limit=0", Want: errcode.InvalidParam},
		{Name: "without a token", As: srv.Anyone(), Do: "GET", Path: path, Want: errcode.MissingToken},
		{Name: "not an administrator", As: srv.User(t, "carol"), Do: "GET", Path: path, Want: errcode.Forbidden},
	})
}
