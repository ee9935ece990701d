package syncer_test

import (
	"encoding/json"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/syncer"
)

var ages = regexp.MustCompile(`"(age|last_active_ago)":[0-9]+`)

// timeless decodes an answer without what the time of asking makes of it.
func timeless(t *testing.T, r *apitest.Response) (v any) {
	t.Helper()
	if err := json.Unmarshal(ages.ReplaceAll(r.OK(t, nil).Body, []byte(`"$1":0`)), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// arrival is a request that comes with others.
type arrival struct {
	name   string
	client *apitest.Client
	query  string
	fails  *errcode.Code
}

func (a arrival) ask(t *testing.T) *apitest.Response {
	return a.client.Do(t, "GET", syncPath+"?timeout=0&set_presence=offline&"+a.query, nil)
}

// together has requests look at the same time, and gives their answers. Meanwhile comes
// between their arrival and their look.
func together(t *testing.T, srv *apitest.Server, list []arrival, meanwhile func()) []*apitest.Response {
	t.Helper()
	if len(list) > syncer.AtOnce {
		t.Fatalf("%d requests do not look together", len(list))
	}
	release := srv.App.Syncer.Hold()
	answers := make([]chan *apitest.Response, len(list))
	for i, a := range list {
		answers[i] = make(chan *apitest.Response, 1)
		go func() { answers[i] <- a.ask(t) }()
	}
	for srv.App.Syncer.Looking() < len(list) {
		if t.Context().Err() != nil {
			t.Fatal("not everybody looks")
		}
		runtime.Gosched()
	}
	meanwhile()
	release()
	out := make([]*apitest.Response, len(list))
	for i := range list {
		out[i] = <-answers[i]
	}
	return out
}

// TestWhoIsLookedForOnlyWaitsAtOnce holds that a request for which another one looks does
// nothing meanwhile, although there is room for more who look.
func TestWhoIsLookedForOnlyWaitsAtOnce(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	since := alice.Sync(t, "").NextBatch
	var look func()
	answers := together(t, srv, []arrival{{client: alice, query: "since=" + since}}, func() {
		look = srv.App.Syncer.Take()
		go func() {
			defer look()
			for range 10_000 {
				if inState("chan receive", "(*Service).lookOnce") {
					return
				}
				runtime.Gosched()
			}
			t.Error("it does not only wait")
		}()
	})
	answers[0].OK(t, nil)
}

// inState reports whether a goroutine is in a state, and calls a function.
func inState(state, function string) bool {
	stacks := make([]byte, 1<<20)
	for stack := range strings.SplitSeq(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
		head, calls, _ := strings.Cut(stack, "\n")
		if strings.Contains(head, "["+state) && strings.Contains(calls, function) {
			return true
		}
	}
	return false
}

// TestTogetherAsAloneAtOnce holds that those who look at the same time are told what each
// would be told alone: who is in other rooms, came, left, ignores, has read, has lost the
// session, or has more to read than the others.
func TestTogetherAsAloneAtOnce(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	hall, attic := alice.CreateRoom(t), alice.CreateRoom(t)
	users := map[string]*apitest.Client{}
	for _, name := range []string{"hall", "attic", "both", "leaves", "comes", "ignores", "reads", "outside", "locked", "out"} {
		users[name] = srv.User(t, name)
	}
	for _, name := range []string{"hall", "both", "leaves", "ignores", "reads", "locked", "out"} {
		hall.Join(t, users[name])
	}
	attic.Join(t, users["attic"], users["both"], users["reads"])
	early := alice.Sync(t, "").NextBatch
	for range 70 {
		hall.Send(t, alice, "earlier")
	}
	users["ignores"].Do(t, "PUT", "/_matrix/client/v3/user/"+apitest.Escape(users["ignores"].UserID)+"/account_data/m.ignored_user_list",
		map[string]any{"ignored_users": map[string]any{string(alice.UserID): map[string]any{}}}).OK(t, nil)
	since := "since=" + alice.Sync(t, "since="+early).NextBatch
	event := hall.Send(t, alice, "for the hall")
	attic.Send(t, alice, "for the attic")
	users["reads"].Do(t, "POST", hall.Path("/receipt/m.read/"+apitest.Escape(event)), map[string]any{}).OK(t, nil)
	users["leaves"].Do(t, "POST", hall.Path("/leave"), nil).OK(t, nil)
	hall.Join(t, users["comes"])
	hall.Send(t, users["both"], "for those who stay")

	second := srv.Device(t, users["both"].UserID, "SECOND")
	list := []arrival{
		{name: "alice", client: alice, query: since},
		{name: "a second device", client: second, query: since},
		{name: "with a filter", client: users["both"], query: since + "&" + filtered(`{"room":{"rooms":["`+string(attic.ID)+`"]}}`)},
		{name: "from long ago", client: users["both"], query: "since=" + early},
		{name: "from the future", client: users["hall"], query: "since=s9999999"},
		{name: "locked", client: users["locked"], query: since, fails: errcode.UserLocked},
		{name: "out", client: users["out"], query: since, fails: errcode.UnknownToken},
	}
	for _, name := range []string{"hall", "attic", "both", "leaves", "comes", "ignores", "reads", "outside"} {
		list = append(list, arrival{name: name, client: users[name], query: since})
	}
	answers := together(t, srv, list, func() {
		srv.Write(t, func(tx *db.Tx) error { return srv.App.Accounts.SetLocked(tx, users["locked"].UserID, true, "test") })
		users["out"].Do(t, "POST", "/_matrix/client/v3/logout", nil).OK(t, nil)
	})
	for i, got := range answers {
		a := list[i]
		if a.fails != nil {
			got.Fails(t, srv, a.fails)
			continue
		}
		if d := cmp.Diff(timeless(t, a.ask(t)), timeless(t, got)); d != "" {
			t.Errorf("%s: together is not as alone (-alone +together):\n%s", a.name, d)
		}
	}
}

// TestTogetherOneFailsAtOnce holds that who cannot be told keeps nobody else from being
// told.
func TestTogetherOneFailsAtOnce(t *testing.T) {
	srv := apitest.New(t)
	alice, bob, carol := srv.User(t, "alice"), srv.User(t, "bob"), srv.User(t, "carol")
	hall, attic := alice.CreateRoom(t).Join(t, bob), alice.CreateRoom(t).Join(t, carol)
	since := "since=" + alice.Sync(t, "").NextBatch
	broken := attic.Send(t, alice, "broken")
	hall.Send(t, alice, "whole")
	srv.Write(t, func(tx *db.Tx) error {
		if _, err := tx.Exec(`UPDATE events SET json = $1 WHERE event_id = $2`, []byte(`{`), broken); err != nil {
			return err
		}
		// What is kept in memory is not what the database has then.
		_, err := tx.Exec(`UPDATE rooms SET redacted_pos = redacted_pos + 1 WHERE room_id = $1`, attic.ID)
		return err
	})
	answers := together(t, srv, []arrival{{client: bob, query: since}, {client: carol, query: since}, {client: bob, query: since}}, func() {})
	for _, i := range []int{0, 2} {
		var s apitest.Sync
		answers[i].OK(t, &s)
		same(t, "timeline", []string{"whole"}, bodies(s.Rooms.Join[hall.ID].Timeline.Events))
	}
	if answers[1].Status != 500 {
		t.Errorf("what cannot be read is told: %d %s", answers[1].Status, answers[1].Body)
	}
}
