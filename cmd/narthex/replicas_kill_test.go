package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/app"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/pgtest"
)

// replicaEvents is how many events the tests of this file send. The long form is
//
//	NARTHEX_TEST_REPLICA_EVENTS=3600 go test -run Replicas ./cmd/narthex
func replicaEvents(t *testing.T, short int) int {
	t.Helper()
	n, err := strconv.Atoi(cmp.Or(os.Getenv("NARTHEX_TEST_REPLICA_EVENTS"), strconv.Itoa(short)))
	if err != nil {
		t.Fatalf("NARTHEX_TEST_REPLICA_EVENTS: %v", err)
	}
	return n
}

// shared starts the PostgreSQL that the replicas of a test share.
func shared(t *testing.T) *pgtest.Server {
	t.Helper()
	if os.Getenv("NARTHEX_TEST_DATABASE") == "sqlite" {
		t.Skip("replicas share a PostgreSQL; over SQLite there is one process")
	}
	return pgtest.StartFor(t)
}

// crowd is people who write into one room, and people who read it, through several
// processes over one PostgreSQL.
type crowd struct {
	t         *testing.T
	processes []*process
	servers   []*apitest.Server // where they are
	writers   []*apitest.Client
	readers   []*apitest.Reader
	room      *apitest.Room

	told  [][]id.EventID // by writer, in the order of the answers
	sent  atomic.Int64
	half  chan struct{} // closed when half of all was acknowledged
	again atomic.Int64  // requests that were made again
}

// newCrowd starts processes over a database.
func newCrowd(t *testing.T, database string, processes, writers, readers int) *crowd {
	t.Helper()
	data := filepath.Join(t.TempDir(), "data")
	c := &crowd{t: t, told: make([][]id.EventID, writers), half: make(chan struct{})}
	var people []*apitest.Client
	insideOf(t, data, database, func(a *app.App) {
		within(t, a, func(tx *db.Tx) error {
			people = nil
			for i := range writers + readers {
				userID := id.UserID(fmt.Sprintf("@p%d:localhost", i))
				if err := a.Accounts.Insert(tx, accounts.Account{UserID: userID, PasswordHash: "none"}); err != nil {
					return err
				}
				if err := a.Accounts.PutDevice(tx, userID, "DEVICE", nil); err != nil {
					return err
				}
				token, err := a.OAuth.IssueToken(tx, userID, "DEVICE", 0)
				if err != nil {
					return err
				}
				people = append(people, &apitest.Client{UserID: userID, Token: token})
			}
			return nil
		})
	})
	for range processes {
		p := launch(t, append(development(data), "--database", database))
		c.processes, c.servers = append(c.processes, p), append(c.servers, &apitest.Server{URL: p.url})
	}
	for _, person := range people {
		person.Server = c.servers[0]
	}
	c.room = people[0].CreateRoom(t).Join(t, people[1:]...)
	c.writers = people[:writers]
	for i, person := range people[writers:] {
		c.readers = append(c.readers, &apitest.Reader{Client: person, Room: c.room.ID, Limit: []int{1, 5, 20, 100}[i%4]})
	}
	return c
}

// write has a writer send n messages, each by another process. What is not answered
// by success is sent again, to the next process, in the same transaction.
func (c *crowd) write(ctx context.Context, writer, n, half int) error {
	as := *c.writers[writer]
	for i := range n {
		for try := 0; ; try++ {
			as.Server = c.servers[(writer+i+try)%len(c.servers)]
			r, err := as.Try(ctx, "PUT", c.room.Path(fmt.Sprintf("/send/m.room.message/%d", i)), `{"msgtype":"m.text","body":"x"}`)
			if ctx.Err() != nil {
				return fmt.Errorf("message %d of writer %d: %w", i, writer, ctx.Err())
			}
			if err == nil && r.Status == http.StatusOK {
				var sent struct {
					EventID id.EventID `json:"event_id"`
				}
				if err := json.Unmarshal(r.Body, &sent); err != nil {
					return err
				}
				c.told[writer] = append(c.told[writer], sent.EventID)
				break
			}
			if err == nil && !failed(r) {
				return fmt.Errorf("message %d of writer %d: %d %s", i, writer, r.Status, r.Body)
			}
			c.again.Add(1)
		}
		if c.sent.Add(1) == int64(half) {
			close(c.half)
		}
	}
	return nil
}

// failed reports whether an answer is a failure of the server, in the form of Matrix.
func failed(r *apitest.Response) bool {
	var body struct {
		Errcode string `json:"errcode"`
		Error   string `json:"error"`
	}
	return r.Status >= 500 && json.Unmarshal(r.Body, &body) == nil && body.Errcode != "" && body.Error != ""
}

// read follows the room until done, and goes to the next process when one fails.
func (c *crowd) read(ctx context.Context, reader int, done <-chan struct{}) {
	r := c.readers[reader]
	on := reader
	for {
		select {
		case <-done:
			return
		case <-ctx.Done():
			return
		default:
		}
		r.Client.Server = c.servers[on%len(c.servers)]
		if r.Step(ctx, 200) != nil {
			c.again.Add(1)
			on++
		}
	}
}

// run sends n messages in all, lets happen what is to happen in the middle, and holds
// that nothing was lost, nothing doubled, and that everybody reads the same.
func (c *crowd) run(n int, middle func() error) {
	t := c.t
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	each := n / len(c.writers)
	var writing, reading sync.WaitGroup
	done := make(chan struct{})
	for i := range c.readers {
		reading.Go(func() { c.read(ctx, i, done) })
	}
	for i := range c.writers {
		writing.Go(func() {
			if err := c.write(ctx, i, each, each*len(c.writers)/2); err != nil {
				t.Error(err)
				cancel()
			}
		})
	}
	select {
	case <-c.half:
		if err := middle(); err != nil {
			t.Error(err)
		}
	case <-ctx.Done():
	}
	writing.Wait()
	close(done)
	reading.Wait()
	if t.Failed() {
		return
	}
	if c.again.Load() == 0 {
		t.Error("no request failed: what happened in the middle shows nothing")
	}
	for _, r := range c.readers {
		r.Client.Server = c.servers[0]
		if err := r.Step(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		c.readers[0].Same(t, fmt.Sprintf("the reader with limit %d", r.Limit), r.Read)
	}
	c.readers[0].Whole(t, c.told)
	// The state of the room, those who joined, and one event for each transaction.
	creation := len(c.readers[0].Read) - each*len(c.writers)
	if events := c.readers[0].Read[:max(creation, 0)]; creation < len(c.writers)+len(c.readers) || creation > len(c.writers)+len(c.readers)+10 {
		t.Errorf("there are %d events besides the %d messages: %v", creation, each*len(c.writers), events)
	}
}

// TestK3_ReplicasSkipNothingWhenOneIsKilled kills one of three processes, while nine
// write by all of them and four read.
func TestK3_ReplicasSkipNothingWhenOneIsKilled(t *testing.T) {
	t.Parallel()
	c := newCrowd(t, shared(t).DatabaseFor(t, ""), 3, 9, 4)
	c.run(replicaEvents(t, 360), func() error {
		c.processes[1].end()
		return nil
	})
}

// TestReplicasComeBackWithPostgres stops PostgreSQL under two processes as a crash of
// its machine would, and starts it again: what cannot be done fails with a code, what
// was acknowledged is there, and the processes go on by themselves.
func TestReplicasComeBackWithPostgres(t *testing.T) {
	t.Parallel()
	postgres := shared(t)
	c := newCrowd(t, postgres.DatabaseFor(t, "")+"&synchronous_commit=on", 2, 6, 2)
	c.run(replicaEvents(t, 180), func() error {
		if err := postgres.Crash(); err != nil {
			return err
		}
		return postgres.Restart()
	})
}
