package app_test

import (
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
)

const ownAccount = "/_matrix/client/v3/account/whoami"

// crowd is requests that are under way at the same time.
type crowd struct {
	t       *testing.T
	running sync.WaitGroup
	mu      sync.Mutex
	answers []*apitest.Response
}

// begin makes a request and does not wait for the answer.
func (c *crowd) begin(as *apitest.Client, method, path string, body any) {
	c.running.Go(func() {
		r, err := as.Try(c.t.Context(), method, path, body)
		if err != nil {
			c.t.Error(err)
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.answers = append(c.answers, r)
	})
}

// count is how many requests have been answered with a status so far.
func (c *crowd) count(status int) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.answers {
		if r.Status == status {
			n++
		}
	}
	return n
}

// until comes back when something has become true.
func until(t *testing.T, what string, true func() bool) {
	t.Helper()
	for !true() {
		if t.Context().Err() != nil {
			t.Fatalf("waiting until %s: the test has ended", what)
		}
		runtime.Gosched()
	}
}

// holding lets nobody write to the rooms until it is told to let go. On SQLite nobody
// writes anything meanwhile.
func holding(t *testing.T, srv *apitest.Server, rooms []*apitest.Room) (letGo func()) {
	t.Helper()
	held, free, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		done <- srv.App.DB.Write(t.Context(), func(tx *db.Tx) error {
			for _, r := range rooms {
				if err := tx.Lock("room", string(r.ID)); err != nil {
					return err
				}
			}
			if _, err := tx.Position(); err != nil { // the locks come with it
				return err
			}
			close(held)
			<-free
			return nil
		})
	}()
	<-held
	return func() {
		close(free)
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// hold has people leave a room each, and comes back when all of them are being worked on,
// which lasts until what is held is let go. Unlike a message, a request to leave has no
// body: it does not give its place to another while it is read, so that whoever comes
// now finds none, and waits or is refused. The clock stands, so that nobody is refused
// for how long others have waited.
func (c *crowd) hold(srv *apitest.Server, people []*apitest.Client, rooms []*apitest.Room) {
	c.t.Helper()
	srv.StopClock()
	until(c.t, "what was answered has left its place", func() bool { return sendingLoad(srv).Running == 0 })
	for i, r := range rooms {
		c.begin(people[i], "POST", r.Path("/leave"), nil)
	}
	until(c.t, "each has a place", func() bool { return sendingLoad(srv).Running == len(rooms) })
}

// patiently is a configuration in which whoever waits does so until the end of the test.
func patiently(c *config.Config) { c.Limits.QueueTimeout = config.Duration(time.Hour) }

func sendPath(r *apitest.Room, txn any) string {
	return r.Path("/send/m.room.message/" + fmt.Sprint(txn))
}

// sendingLoad is what there is to do for those who send.
func sendingLoad(srv *apitest.Server) httpapi.Load { return srv.App.Loads()[0] }

// comesBack checks that a refusal says when to come back, within seconds.
func comesBackSoon(t *testing.T, r *apitest.Response) {
	t.Helper()
	if after, _ := strconv.Atoi(r.Header.Get("Retry-After")); after < 1 || after > 5 {
		t.Errorf("%d %s has Retry-After %q", r.Status, r.Body, r.Header.Get("Retry-After"))
	}
}

// TestOverloadIsRefusedAtOnce has many more send than can be worked on, while the
// database does not write. Those who do not send notice nothing, and in the end
// everybody is served.
func TestOverloadIsRefusedAtOnce(t *testing.T) {
	const running, queue, senders = 2, 3, 60
	srv := apitest.New(t, patiently, func(c *config.Config) { c.Limits.Concurrency, c.Limits.Queue = running, queue })
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	var rooms []*apitest.Room
	for range senders {
		rooms = append(rooms, alice.CreateRoom(t))
	}
	bob.Do(t, "GET", ownAccount, nil).OK(t, nil)
	since := bob.Sync(t, "").NextBatch
	letGo := holding(t, srv, rooms)
	c := &crowd{t: t}
	c.hold(srv, []*apitest.Client{alice, alice}, rooms[:running])
	for i, r := range rooms[running:] {
		c.begin(alice, "PUT", sendPath(r, i), object{"body": "a"})
	}
	until(t, "all are refused for whom there is no room", func() bool { return c.count(503) >= senders-running-queue })
	if l := sendingLoad(srv); l.Running != running || l.Waiting != queue || l.Refused["full"] != senders-running-queue {
		t.Errorf("load: %+v", l)
	}
	c.mu.Lock()
	for _, r := range c.answers {
		r.Fails(t, srv, errcode.Overloaded)
		comesBackSoon(t, r)
	}
	c.mu.Unlock()
	bob.Do(t, "GET", ownAccount, nil).OK(t, nil)
	bob.Do(t, "GET", "/_matrix/client/v3/sync?timeout=1&since="+since, nil).OK(t, nil)
	srv.Anyone().Do(t, "GET", "/_matrix/client/versions", nil).OK(t, nil)
	letGo()
	c.running.Wait()
	if got := c.count(200); got != running+queue || got+c.count(503) != senders {
		t.Errorf("%d were served in the end, and %d refused", got, c.count(503))
	}
	alice.Do(t, "PUT", sendPath(rooms[running], "again"), object{"body": "a"}).OK(t, nil)
	if l := sendingLoad(srv); l.Running != 0 || l.Waiting != 0 {
		t.Errorf("load afterwards: %+v", l)
	}
}

// TestSearchesGoFirstAtOnce lets sends wait too long: searches are refused, and what
// matters more is not.
func TestSearchesGoFirstAtOnce(t *testing.T) {
	srv := apitest.New(t, patiently, func(c *config.Config) { c.Limits.Concurrency = 1 })
	alice := srv.User(t, "alice")
	var rooms []*apitest.Room
	for range 6 {
		rooms = append(rooms, alice.CreateRoom(t))
	}
	search := func() *apitest.Response {
		return alice.Do(t, "POST", "/_matrix/client/v3/user_directory/search", object{"search_term": "bob"})
	}
	search().OK(t, nil)
	letGo := holding(t, srv, rooms)
	c := &crowd{t: t}
	c.hold(srv, []*apitest.Client{alice}, rooms[:1])
	srv.Advance(51 * time.Millisecond)
	for i, r := range rooms[1:] {
		c.begin(alice, "PUT", sendPath(r, i), object{"body": "a"})
		until(t, "it waits", func() bool { return sendingLoad(srv).Waiting == i+1 })
		srv.Advance(51 * time.Millisecond) // the third finds that a wait is too long, the fourth that it stays so
	}
	r := search().Fails(t, srv, errcode.Overloaded)
	comesBackSoon(t, r)
	alice.Do(t, "GET", ownAccount, nil).OK(t, nil)
	if l := srv.App.Loads(); l[4].Kind != "heavy" || l[4].Refused["shed"] != 1 || !l[0].Shedding {
		t.Errorf("load: %+v", l)
	}
	letGo()
	c.running.Wait()
	if got := c.count(200); got != len(rooms) {
		t.Errorf("%d of %d sends were served in the end", got, len(rooms))
	}
	search().Fails(t, srv, errcode.Overloaded)
	srv.Advance(4 * time.Second)
	search().OK(t, nil)
}

// TestOneHotRoomStopsNoOtherAtOnce has many send into one room that nobody can write
// to. They take neither all places nor all connections to the database.
func TestOneHotRoomStopsNoOtherAtOnce(t *testing.T) {
	const places, queue, senders = 8, 6, 40
	srv := apitest.New(t, patiently, func(c *config.Config) { c.Limits.Concurrency, c.Limits.RoomQueue = places, queue })
	const running = places / 2
	alice := srv.User(t, "alice")
	hot, other := alice.CreateRoom(t), alice.CreateRoom(t)
	var guests []*apitest.Client
	var theirs []*apitest.Room
	for i := range running {
		guests, theirs = append(guests, srv.User(t, fmt.Sprint("guest", i))), append(theirs, hot)
	}
	hot.Join(t, guests...)
	letGo := holding(t, srv, []*apitest.Room{hot})
	c := &crowd{t: t}
	c.hold(srv, guests, theirs)
	for i := range senders - running {
		c.begin(alice, "PUT", sendPath(hot, i), object{"body": "a"})
	}
	until(t, "all are refused for whom there is no room", func() bool { return c.count(429) >= senders-running-queue })
	if l := sendingLoad(srv); l.Running != running || int(l.Refused["room"]) != senders-running-queue {
		t.Errorf("load: %+v", l)
	}
	c.mu.Lock()
	for _, r := range c.answers {
		r.Fails(t, srv, errcode.LimitExceeded)
		comesBackSoon(t, r)
	}
	c.mu.Unlock()
	if srv.App.DB.Dialect() == db.Postgres {
		for i := range 3 * places {
			alice.Do(t, "PUT", sendPath(other, i), object{"body": "a"}).OK(t, nil)
		}
	}
	letGo()
	c.running.Wait()
	if got := c.count(200); got != running+queue || got+c.count(429) != senders {
		t.Errorf("%d were served in the end, want %d, and %d refused", got, running+queue, c.count(429))
	}
}

// TestOneGreedyUserStopsNoOtherAtOnce has one user ask fifty times as often as is
// allowed, from many devices, while others ask as often as they may.
func TestOneGreedyUserStopsNoOtherAtOnce(t *testing.T) {
	const budget, devices, others = 4, 5, 8
	srv := apitest.New(t, func(c *config.Config) {
		c.Dev, c.RateLimits.Enabled = false, true
		c.RateLimits.Cheap, c.RateLimits.Devices = config.Rate{PerSecond: 0.001, Burst: budget}, devices
	})
	greedy, modest := &crowd{t: t}, &crowd{t: t}
	mallory := srv.User(t, "mallory")
	for i := range 10 {
		device := srv.Device(t, mallory.UserID, id.DeviceID(fmt.Sprint("M", i)))
		for range 50 * budget / 10 {
			greedy.begin(device, "GET", ownAccount, nil)
		}
	}
	for i := range others {
		user := srv.User(t, fmt.Sprint("user", i))
		for range budget {
			modest.begin(user, "GET", ownAccount, nil)
		}
	}
	modest.running.Wait()
	greedy.running.Wait()
	if got := modest.count(200); got != others*budget {
		t.Errorf("%d of %d requests of the others were answered", got, others*budget)
	}
	if ok, refused := greedy.count(200), greedy.count(429); ok != devices*budget || refused != 50*budget-devices*budget {
		t.Errorf("the greedy one was answered %d times and refused %d times", ok, refused)
	}
	for _, r := range greedy.answers {
		if r.Status != 200 {
			r.Fails(t, srv, errcode.LimitExceeded)
			if r.Header.Get("Retry-After") == "" {
				t.Error("a refusal does not say when to come back")
			}
		}
	}
	srv.Advance(time.Hour)
	mallory.Do(t, "GET", ownAccount, nil).OK(t, nil)
}
