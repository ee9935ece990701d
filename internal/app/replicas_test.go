package app_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/bus"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/id"
)

// The tests of replicas hold that several servers over one PostgreSQL are one
// homeserver. Each server has the whole of a process but the process: its own
// connections, caches and bus. Real processes, and what happens when one is killed,
// are in cmd/narthex.

// replicas starts n servers over one fresh database, reached by one public address.
func replicas(t *testing.T, n int, change ...func(*config.Config)) []*apitest.Server {
	t.Helper()
	if os.Getenv("NARTHEX_TEST_ENGINE") != "postgres" {
		t.Skip("replicas share a PostgreSQL; over SQLite there is one process")
	}
	servers := []*apitest.Server{apitest.New(t, change...)}
	for len(servers) < n {
		servers = append(servers, apitest.Over(t, servers[0].App.Config.Database, append(slices.Clone(change), func(cfg *config.Config) {
			cfg.PublicURL = servers[0].URL
		})...))
	}
	return servers
}

// at is the same device, with its requests going to another replica.
func at(srv *apitest.Server, c *apitest.Client) *apitest.Client {
	moved := *c
	moved.Server = srv
	return &moved
}

// patience ends a test in which something does not happen that should. It is far
// longer than what happens takes, and far shorter than reading again every ten
// seconds would take the tests that it is for.
func patience(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// woken waits for a wake-up.
func woken(ctx context.Context, t *testing.T, w *bus.Waiter) {
	t.Helper()
	select {
	case <-w.C:
	case <-ctx.Done():
		t.Fatal("nobody was woken")
	}
}

type answer struct {
	*apitest.Response
	err error
}

const syncPath = "/_matrix/client/v3/sync"

// polls starts a sync that waits, and gives the way to its answer.
func polls(ctx context.Context, c *apitest.Client, since string) <-chan answer {
	out := make(chan answer, 1)
	go func() {
		r, err := c.Try(ctx, "GET", syncPath+"?timeout=60000&set_presence=offline&since="+since, nil)
		out <- answer{r, err}
	}()
	return out
}

// TestReplicasWakeEachOtherAtOnce waits on one replica for what is done on the other.
func TestReplicasWakeEachOtherAtOnce(t *testing.T) {
	servers := replicas(t, 2)
	here, there := servers[0], servers[1]
	ctx := patience(t)
	alice, bob := here.User(t, "alice"), here.User(t, "bob")
	waiting := at(there, bob)
	room, hall := alice.CreateRoom(t).Join(t, bob), alice.CreateRoom(t)
	event := room.Send(t, alice, "x")
	ofBob := func(rest string) string { return "/_matrix/client/v3/user/" + apitest.Escape(bob.UserID) + rest }
	for _, c := range []struct {
		name string
		do   func()
		has  string
	}{
		{"a message", func() { room.Send(t, alice, "hello") }, `"hello"`},
		{"a change of state", func() { room.SetState(t, alice, "m.room.topic", object{"topic": "z"}) }, `"m.room.topic"`},
		{"typing", func() {
			alice.Do(t, "PUT", room.Path("/typing/"+apitest.Escape(alice.UserID)), `{"typing":true}`).OK(t, nil)
		}, `"m.typing"`},
		{"the end of typing", func() { here.Advance(time.Minute); here.RunJobs(t) }, `"m.typing"`},
		{"a receipt", func() {
			alice.Do(t, "POST", room.Path("/receipt/m.read/"+apitest.Escape(event)), `{}`).OK(t, nil)
		}, `"m.receipt"`},
		{"presence", func() {
			alice.Do(t, "PUT", "/_matrix/client/v3/presence/"+apitest.Escape(alice.UserID)+"/status", `{"presence":"online"}`).OK(t, nil)
		}, `"m.presence"`},
		{"account data", func() { bob.Do(t, "PUT", ofBob("/account_data/org.example"), `{}`).OK(t, nil) }, `"org.example"`},
		{"a tag", func() { bob.Do(t, "PUT", ofBob("/rooms/"+apitest.Escape(room.ID)+"/tags/u.x"), `{}`).OK(t, nil) }, `"m.tag"`},
		{"push rules", func() {
			bob.Do(t, "PUT", "/_matrix/client/v3/pushrules/global/content/word", `{"pattern":"word","actions":["notify"]}`).OK(t, nil)
		}, `"m.push_rules"`},
		{"a message to the device", func() {
			alice.Do(t, "PUT", "/_matrix/client/v3/sendToDevice/org.example.note/1", object{"messages": object{string(bob.UserID): object{"*": object{}}}}).OK(t, nil)
		}, `"org.example.note"`},
		{"the keys of a device of another", func() { alice.UploadDeviceKeys(t) }, `"changed":["` + string(alice.UserID) + `"]`},
		{"the name of another", func() {
			alice.Do(t, "PUT", "/_matrix/client/v3/profile/"+apitest.Escape(alice.UserID)+"/displayname", `{"displayname":"Alice"}`).OK(t, nil)
			here.RunJobs(t)
		}, `"Alice"`},
		{"an invite", func() { hall.Invite(t, bob) }, `"invite"`},
		{"one's join by another device", func() { hall.Join(t, bob) }, `"join"`},
		{"a kick", func() { alice.Do(t, "POST", hall.Path("/kick"), object{"user_id": bob.UserID}).OK(t, nil) }, `"leave"`},
		{"one's own devices", func() {
			bob.Do(t, "PUT", "/_matrix/client/v3/devices/DEVICE1", `{"display_name":"new"}`).OK(t, nil)
		}, `"changed":["` + string(bob.UserID) + `"]`},
	} {
		since := waiting.Sync(t, "set_presence=offline").NextBatch
		poll := polls(ctx, waiting, since)
		there.UntilWaiting(t, bob.UserID)
		w := there.App.Bus().Subscribe(bus.User(bob.UserID), bus.Room(room.ID), bus.Room(hall.ID))
		c.do()
		woken(ctx, t, w)
		w.Close()
		got := <-poll
		if got.err != nil {
			t.Fatalf("%s: %v", c.name, got.err)
		}
		if body := string(got.OK(t, nil).Body); !strings.Contains(body, c.has) {
			t.Errorf("%s: got %s, without %s", c.name, body, c.has)
		}
	}
}

// TestReplicasCountKeysTogether asks one replica how many one-time keys are left that
// the other takes in and gives out.
func TestReplicasCountKeysTogether(t *testing.T) {
	servers := replicas(t, 2)
	here, there := servers[0], servers[1]
	alice, bob := here.User(t, "alice"), here.User(t, "bob")
	uploadOneTimeKeys(t, at(there, alice), 3)
	if got := alice.Sync(t, "").OneTimeKeys["signed_curve25519"]; got != 3 {
		t.Errorf("there are %d keys, want 3", got)
	}
	since := at(there, alice).Sync(t, "").NextBatch
	claimOne(t, bob, alice.UserID)
	if got := at(there, alice).Sync(t, "since="+since).OneTimeKeys["signed_curve25519"]; got != 2 {
		t.Errorf("there are %d keys, want 2", got)
	}
}

// TestReplicasShareATransactionIDAtOnce sends the same a hundred times at once.
func TestReplicasShareATransactionIDAtOnce(t *testing.T) {
	servers := replicas(t, 3)
	alice := servers[0].User(t, "alice")
	room := alice.CreateRoom(t)
	toAlice := object{"messages": object{string(alice.UserID): object{"*": object{"body": "x"}}}}
	for name, c := range map[string]struct {
		path string
		body object
	}{
		"a message":               {room.Path("/send/m.room.message/1"), object{"body": "x"}},
		"a message to the device": {"/_matrix/client/v3/sendToDevice/org.example.note/1", toAlice},
	} {
		answers := map[string]int{}
		for _, r := range together(t, 100, func(i int) (*apitest.Response, error) {
			return at(servers[i%3], alice).Try(t.Context(), "PUT", c.path, c.body)
		}) {
			answers[fmt.Sprintf("%d %s", r.Status, r.Body)]++
		}
		if len(answers) != 1 {
			t.Errorf("%s: got %v", name, answers)
		}
	}
	for _, srv := range servers {
		s := at(srv, alice).Sync(t, "")
		messages := 0
		for _, ev := range s.Rooms.Join[room.ID].Timeline.Events.Events {
			if ev.Type == "m.room.message" {
				messages++
			}
		}
		if messages != 1 || len(s.ToDevice.Events) != 1 {
			t.Errorf("there are %d messages and %d to the device, want 1 and 1", messages, len(s.ToDevice.Events))
		}
	}
}

// together makes n requests at once and gives their answers.
func together(t *testing.T, n int, ask func(i int) (*apitest.Response, error)) []*apitest.Response {
	t.Helper()
	answers, failures := make([]*apitest.Response, n), make(chan error, n)
	for i := range n {
		go func() {
			r, err := ask(i)
			answers[i] = r
			failures <- err
		}()
	}
	for range n {
		if err := <-failures; err != nil {
			t.Fatal(err)
		}
	}
	return answers
}

// uploadOneTimeKeys uploads n keys, named k000 and so on.
func uploadOneTimeKeys(t *testing.T, c *apitest.Client, n int) {
	t.Helper()
	keys := object{}
	for i := range n {
		keys[fmt.Sprintf("signed_curve25519:k%03d", i)] = object{"key": fmt.Sprintf("public%03d", i)}
	}
	c.Do(t, "POST", "/_matrix/client/v3/keys/upload", object{"one_time_keys": keys}).OK(t, nil)
}

const claimPath = "/_matrix/client/v3/keys/claim"

func wantOne(of id.UserID) object {
	return object{"one_time_keys": object{string(of): object{"DEVICE1": "signed_curve25519"}}}
}

// claimOne claims a key of the first device of a user.
func claimOne(t *testing.T, as *apitest.Client, of id.UserID) {
	t.Helper()
	if body := string(as.Do(t, "POST", claimPath, wantOne(of)).OK(t, nil).Body); !strings.Contains(body, "signed_curve25519:") {
		t.Errorf("no key was left: %s", body)
	}
}
