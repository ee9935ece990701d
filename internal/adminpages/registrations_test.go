package adminpages_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
)

const queue = "/admin/registrations"

func TestQueue(t *testing.T) {
	srv, root := begin(t)
	root.Get(t, queue).Shows(t, 200, "Nobody waits for approval.").Without(t, `name="decision"`)
	for _, name := range []string{"zoe", "bob", "alice"} {
		srv.Advance(time.Second)
		pend(t, srv, name)
	}
	write(t, srv, func(tx *db.Tx) error {
		if err := srv.App.Accounts.SetProfileField(tx, userID("bob"), accounts.DisplayName, []byte(`"Robert <b>Ünder</b>"`)); err != nil {
			return err
		}
		_, err := tx.Exec(`INSERT INTO user_threepids (medium, address, user_id, validated_ts, added_ts)
			VALUES ('email', 'bob@example.net', $1, 1, 1), ('msisdn', '442079460018', $1, 2, 2)`, userID("bob"))
		return err
	})
	v := root.Get(t, queue).Shows(t, 200, "3 accounts wait, the oldest first.", "@bob:narthex.test Robert <b>Ünder</b>",
		"bob@example.net", "+442079460018", "127.0.0.1", "Go-http-client/1.1").Without(t, "<b>Ünder")
	if z, b, a := strings.Index(v.Text, "@zoe:"), strings.Index(v.Text, "@bob:"), strings.Index(v.Text, "@alice:"); z > b || b > a {
		t.Errorf("the order is not that of time: %s", v.Text)
	}
	for search, want := range map[string]string{"ZO": "@zoe:", "ünDer": "@bob:", "example.NET": "@bob:", "44207": "@bob:", "narthex.test": "@alice:"} {
		root.Get(t, queue+"?q="+search).Shows(t, 200, want)
	}
	root.Get(t, queue+"?q=ZO").Shows(t, 200, "1 account waits whose name").Without(t, "@bob:")
	root.Get(t, queue+"?q=%25").Shows(t, 200, "Nobody who waits has “%”")
	root.Get(t, queue+"?from=nowhere").Shows(t, 200, "3 accounts wait")
	root.Get(t, queue+"?number=x").Shows(t, 400)
	root.Get(t, "/admin").Shows(t, 200, "Waiting accounts 3 Decide")
}

func TestQueueInPages(t *testing.T) {
	srv, root := begin(t)
	write(t, srv, func(tx *db.Tx) error {
		waits := false
		for i := range 51 {
			if err := srv.App.Accounts.Insert(tx, accounts.Account{UserID: userID(fmt.Sprintf("u%02d", i)), Approved: &waits}); err != nil {
				return err
			}
		}
		return nil
	})
	first := root.Get(t, queue).Shows(t, 200, "51 accounts wait", "@u49:", "More").Without(t, "@u50:", "The first ones")
	_, rest, _ := strings.Cut(first.HTML, "from=")
	from, _, _ := strings.Cut(rest, `"`)
	root.Get(t, queue+"?from="+from).Shows(t, 200, "@u50:", "The first ones").Without(t, `<b class="id">@u49:`, ">More<")
}

func TestApprove(t *testing.T) {
	srv, root := begin(t)
	pend(t, srv, "alice", "bob", "carol")
	login(t, srv, "alice").Fails(t, srv, errcode.UserAwaitingApproval)
	root.Get(t, queue)
	root.Post(t, queue, form("user", "@alice:narthex.test", "decision", "approve", "note", "Welcome!")).Goes(t, queue+"?done=approved&number=1")
	root.Get(t, queue+"?done=approved&number=1").Shows(t, 200, "1 account is approved.", "2 accounts wait").Without(t, "@alice:")
	login(t, srv, "alice").OK(t, nil)
	wantAudit(t, srv, "@alice:narthex.test", `root approve {"note":"Welcome!"}`)

	root.Post(t, queue, form("user", "@bob:narthex.test", "user", "@carol:narthex.test", "user", "@bob:narthex.test", "decision", "approve", "q", "o")).
		Goes(t, queue+"?done=approved&number=2&q=o")
	login(t, srv, "bob").OK(t, nil)
	login(t, srv, "carol").OK(t, nil)

	// again is no other act.
	root.Post(t, queue, form("user", "@alice:narthex.test", "decision", "approve")).Goes(t, queue+"?done=approved&number=1")
	wantAudit(t, srv, "@alice:narthex.test", `root approve {"note":"Welcome!"}`)

	root.Get(t, "/admin/decisions").Shows(t, 200, "approved", "@alice:narthex.test", "@root:narthex.test", "“Welcome!”", "@carol:narthex.test")
	root.Get(t, "/admin/decisions?q=ALI").Shows(t, 200, "@alice:narthex.test").Without(t, "@bob:")
	root.Get(t, "/admin/decisions?q=nobody").Shows(t, 200, "There are no decisions like that.")
	root.Get(t, "/admin/decisions?before=x").Shows(t, 400)
}

func TestRefuse(t *testing.T) {
	srv, root := begin(t)
	pend(t, srv, "alice", "bob", "carol")
	root.Get(t, queue)
	choice := form("user", "@alice:narthex.test", "user", "@bob:narthex.test", "decision", "refuse", "note", "We are full.")
	root.Post(t, queue, choice).Shows(t, 200, "Refuse these accounts?", "@alice:narthex.test", "@bob:narthex.test", "We are full.", "Refuse 2 accounts").
		Without(t, "@carol:")
	login(t, srv, "alice").Fails(t, srv, errcode.UserAwaitingApproval)
	choice.Set("sure", "yes")
	root.Post(t, queue, choice).Goes(t, queue+"?done=refused&number=2")
	root.Get(t, queue+"?done=refused&number=2").Shows(t, 200, "2 accounts are refused.", "1 account waits")
	login(t, srv, "alice").Fails(t, srv, errcode.Forbidden)
	wantAudit(t, srv, "@alice:narthex.test", `root deny {"reason":"We are full.","release_localpart":false}`)
	root.Get(t, "/admin/decisions").Shows(t, 200, "refused", "“We are full.”")

	choice.Del("sure")
	root.Post(t, queue, choice).Shows(t, 409, "Nothing was changed: none of the accounts waits any more.")
	choice.Set("sure", "yes")
	root.Post(t, queue, choice).Goes(t, queue+"?done=refused&number=2")
	root.Post(t, queue, form("user", "@alice:narthex.test", "decision", "approve")).
		Shows(t, 400, "@alice:narthex.test: The account is deactivated or was denied, and cannot be approved.")
}

func TestMalformedDecisions(t *testing.T) {
	srv, root := begin(t)
	pend(t, srv, "alice", "bob")
	root.Get(t, queue)
	many := form("decision", "approve")
	for i := range 51 {
		many.Add("user", string(userID(fmt.Sprint("u", i))))
	}
	for name, c := range map[string]struct {
		form   map[string][]string
		status int
		text   string
	}{
		"nobody chosen":     {form("decision", "approve", "note", "kept"), 400, "choose at least one account"},
		"no decision":       {form("user", "@alice:narthex.test"), 400, "the form was not complete"},
		"another decision":  {form("user", "@alice:narthex.test", "decision", "promote"), 400, "the form was not complete"},
		"no user ID":        {form("user", "alice", "decision", "approve"), 400, "the form was not complete"},
		"of another server": {form("user", "@alice:other.test", "decision", "approve"), 400, "the form was not complete"},
		"unknown":           {form("user", "@nobody:narthex.test", "decision", "approve"), 404, "@nobody:narthex.test: This server has no such account."},
		"too many":          {many, 400, "the form was not complete"},
		"a note twice":      {form("user", "@alice:narthex.test", "decision", "approve", "note", "a", "note", "b"), 400, "only once"},
		"a long note":       {form("user", "@alice:narthex.test", "decision", "approve", "note", strings.Repeat("ä", 1001)), 400, "at most 1000 characters"},
		"a long reason":     {form("user", "@alice:narthex.test", "decision", "refuse", "sure", "yes", "note", strings.Repeat("ä", 1001)), 400, "at most 1000 characters"},
		"not text":          {form("user", "@alice:narthex.test", "decision", "approve", "note", "\xff"), 400, "UTF-8"},
	} {
		t.Run(name, func(t *testing.T) { root.Post(t, queue, c.form).Shows(t, c.status, c.text) })
	}
	root.Post(t, queue, form("decision", "approve", "note", "kept")).Shows(t, 400, "kept")
	if !account(t, srv, "alice").Pending() {
		t.Error("alice was approved")
	}
	// One that cannot be decided on keeps nobody else waiting.
	root.Get(t, queue)
	root.Post(t, queue, form("user", "@nobody:narthex.test", "user", "@bob:narthex.test", "decision", "approve")).
		Shows(t, 404, "1 account is approved.", "@nobody:narthex.test: This server has no such account.")
	login(t, srv, "bob").OK(t, nil)
}

// TestA45TwoAdministratorsDecideAtOnce has one approve and the other refuse the same
// account at once: one wins, and the other is answered as if they had come second.
func TestA45TwoAdministratorsDecideAtOnce(t *testing.T) {
	srv, root := begin(t)
	srv.Administrator(t, "second")
	other := apitest.Surf(t, srv).SignIn(t, "second")
	root.Get(t, queue)
	other.Get(t, queue)
	decide := func(s *apitest.Surfer, name, decision string) func() (*apitest.Response, error) {
		return func() (*apitest.Response, error) {
			v := s.Post(t, queue, form("user", string(userID(name)), "decision", decision, "sure", "yes"))
			return &apitest.Response{Status: v.Status, Body: []byte(v.Text)}, nil
		}
	}
	want := func(got []*apitest.Response, text string) {
		t.Helper()
		if got[0].Status != 303 || got[1].Status != 400 || !strings.Contains(string(got[1].Body), text) {
			t.Errorf("got %d and %d %s", got[0].Status, got[1].Status, got[1].Body)
		}
	}
	pend(t, srv, "alice", "bob", "carol")
	want(srv.InTurn(t, "user", "@alice:narthex.test", nil, decide(root, "alice", "approve"), decide(other, "alice", "refuse")), "The account is not waiting for approval.")
	login(t, srv, "alice").OK(t, nil)
	wantAudit(t, srv, "@alice:narthex.test", `root approve {"note":""}`)
	want(srv.InTurn(t, "user", "@bob:narthex.test", nil, decide(other, "bob", "refuse"), decide(root, "bob", "approve")), "cannot be approved")
	login(t, srv, "bob").Fails(t, srv, errcode.Forbidden)
	wantAudit(t, srv, "@bob:narthex.test", `second deny {"reason":"","release_localpart":false}`)

	got := srv.InTurn(t, "user", "@carol:narthex.test", nil, decide(root, "carol", "approve"), decide(other, "carol", "approve"))
	if got[0].Status != 303 || got[1].Status != 303 {
		t.Errorf("got %d and %d", got[0].Status, got[1].Status)
	}
	wantAudit(t, srv, "@carol:narthex.test", `root approve {"note":""}`)
}

func TestWhereNobodyWaits(t *testing.T) {
	srv := apitest.New(t, func(cfg *config.Config) { cfg.Approval.Enabled = false })
	srv.Administrator(t, "root")
	apitest.Surf(t, srv).SignIn(t, "root").Get(t, queue).Shows(t, 200, "new accounts can be used at once")
}
