package app_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/bus"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/rooms"
)

// TestReplicasKeepOneOrderAtOnce has many people write into one room through three
// replicas, while others read it, each time from another replica. Everybody reads the
// same history, each event once, and so does whoever pages through it, whatever the
// size of a page. cmd/narthex kills a replica meanwhile.
func TestReplicasKeepOneOrderAtOnce(t *testing.T) {
	servers := replicas(t, 3)
	alice := servers[0].User(t, "alice")
	room := alice.CreateRoom(t)
	const senders, messages = 6, 30
	var readers []*apitest.Reader
	for i, limit := range []int{1, 3, 10, 100} {
		c := servers[0].User(t, fmt.Sprint("reader", i))
		room.Join(t, c)
		readers = append(readers, &apitest.Reader{Client: c, Room: room.ID, Limit: limit})
	}
	var writers []*apitest.Client
	for i := range senders {
		writers = append(writers, servers[0].User(t, fmt.Sprint("writer", i)))
	}
	room.Join(t, writers...)

	failures := make(chan error, senders+len(readers))
	ctx, written := context.WithCancel(t.Context())
	defer written()
	told := make([][]id.EventID, senders)
	var writing, reading sync.WaitGroup
	for n, c := range writers {
		writing.Go(func() {
			for i := range messages {
				var sent struct {
					EventID id.EventID `json:"event_id"`
				}
				r, err := at(servers[(n+i)%3], c).Try(t.Context(), "PUT", room.Path(fmt.Sprintf("/send/m.room.message/%d", i)), `{"body":"x"}`)
				if err == nil {
					err = json.Unmarshal(r.Body, &sent)
				}
				if err != nil || r.Status != 200 {
					failures <- fmt.Errorf("sending: %w: %+v", err, r)
					return
				}
				told[n] = append(told[n], sent.EventID)
			}
		})
	}
	for n, r := range readers {
		reading.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				r.Client = at(servers[(n+i)%3], r.Client)
				if err := r.Step(t.Context(), 50); err != nil {
					failures <- err
					return
				}
			}
		})
	}
	writing.Wait()
	written()
	reading.Wait()
	close(failures)
	for err := range failures {
		t.Error(err)
	}
	for _, r := range readers {
		if err := r.Step(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		readers[0].Same(t, fmt.Sprintf("the reader with limit %d", r.Limit), r.Read)
	}
	readers[0].Whole(t, told)
}

// TestK4_APositionIsHeldUntilTheCommitAtOnce has a slow transaction on one replica
// take its position first. A reader on the other must not get beyond it before it is
// there: neither by an event that is sent meanwhile, nor by one that is sent when the
// slow transaction has come to nothing.
func TestK4_APositionIsHeldUntilTheCommitAtOnce(t *testing.T) {
	servers := replicas(t, 2)
	here, there := servers[0], servers[1]
	alice, bob := here.User(t, "alice"), here.User(t, "bob")
	slow, quick := alice.CreateRoom(t).Join(t, bob), alice.CreateRoom(t).Join(t, bob)
	reader := at(there, bob)
	for _, fails := range []bool{false, true} {
		since := reader.Sync(t, "set_presence=offline").NextBatch
		taken, goOn, done, sent := make(chan int64), make(chan struct{}), make(chan error, 1), make(chan id.EventID, 1)
		var held id.EventID
		go func() {
			done <- here.App.DB.Write(t.Context(), func(tx *db.Tx) error {
				st, err := here.App.Rooms.Append(tx, rooms.Draft{RoomID: slow.ID, Type: "m.room.message", Sender: alice.UserID, Content: []byte(`{"body":"slow"}`)})
				if err != nil {
					return err
				}
				held = st.ID
				taken <- st.Pos
				<-goOn
				if fails {
					return errors.New("this comes to nothing")
				}
				return nil
			})
		}()
		pos := <-taken
		go func() { sent <- quick.Send(t, at(there, alice), "quick") }()
		early := waitsOrIsThere(t, there, sent)
		first := reader.Sync(t, "set_presence=offline&timeout=0&since="+since)
		if got := apitest.Position(first.NextBatch); got >= pos {
			t.Errorf("the reader is at %d, and %d is not there yet", got, pos)
		}
		close(goOn)
		if err := <-done; (err != nil) != fails {
			t.Fatal(err)
		}
		if !early {
			<-sent
		}
		second := reader.Sync(t, "set_presence=offline&timeout=0&since="+first.NextBatch)
		if n := len(timeline(first, quick)) + len(timeline(second, quick)); n != 1 {
			t.Errorf("the quick message was told %d times: %s and %s", n, first.Body, second.Body)
		}
		switch got := timeline(second, slow); {
		case fails && len(got) > 0:
			t.Errorf("got what has come to nothing: %s", second.Body)
		case !fails && (len(got) != 1 || got[0].EventID != held):
			t.Errorf("the slow message was skipped: %s", second.Body)
		}
	}
}

// timeline is what an answer tells of a room.
func timeline(s *apitest.Sync, room *apitest.Room) []apitest.Event {
	joined := s.Rooms.Join[room.ID]
	if joined == nil {
		return nil
	}
	return joined.Timeline.Events.Events
}

// waitsOrIsThere returns when a request waits for a row that another transaction
// holds, or has been answered.
func waitsOrIsThere(t *testing.T, srv *apitest.Server, sent <-chan id.EventID) (isThere bool) {
	t.Helper()
	ctx := patience(t)
	for ctx.Err() == nil {
		var waiting int
		srv.Read(t, func(tx *db.Tx) (err error) {
			waiting, err = db.Value[int](tx, `SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database()
				AND wait_event_type = 'Lock' AND query LIKE 'UPDATE stream%'`)
			return err
		})
		select {
		case <-sent:
			return true
		default:
			if waiting > 0 {
				return false
			}
		}
	}
	t.Fatal("the request neither waits nor is answered")
	return false
}

// listeners are the processes of PostgreSQL that replicas listen by.
func listeners(t *testing.T, srv *apitest.Server) (pids []int64) {
	t.Helper()
	srv.Read(t, func(tx *db.Tx) (err error) {
		pids, err = db.All(tx, db.Scalar[int64], `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN %' ORDER BY backend_start`)
		return err
	})
	return pids
}

// TestReplicasHearAgainAfterABreak cuts the connection by which a replica listens, and
// lets it connect again only when something was sent. It then wakes its long polls by
// itself: nobody else does, and the time to read again anyway is not waited for.
func TestReplicasHearAgainAfterABreakAtOnce(t *testing.T) {
	servers := replicas(t, 2)
	here, there := servers[0], servers[1]
	ctx := patience(t)
	alice, bob := here.User(t, "alice"), here.User(t, "bob")
	room := alice.CreateRoom(t).Join(t, bob)
	w := there.App.Bus().Subscribe(bus.Room(room.ID))
	defer w.Close()
	room.Send(t, alice, "one")
	woken(ctx, t, w) // and the connection by which the other speaks is open
	waiting := at(there, bob)
	since := waiting.Sync(t, "set_presence=offline").NextBatch

	both := listeners(t, here)
	if len(both) != 2 {
		t.Fatalf("%d connections listen, want 2", len(both))
	}
	poll := polls(ctx, waiting, since)
	there.UntilWaiting(t, bob.UserID)
	setOpen, name := door(t, here)
	setOpen(false)
	here.Read(t, func(tx *db.Tx) error {
		ended, err := db.Value[bool](tx, `SELECT pg_terminate_backend($1, 10000)`, both[1])
		if !ended {
			t.Errorf("process %d of PostgreSQL goes on, for %s", both[1], name)
		}
		return err
	})
	select {
	case <-w.C: // of before
	default:
	}
	room.Send(t, alice, "two")
	if left := listeners(t, here); len(left) != 1 {
		t.Fatalf("%d connections listen, want 1", len(left))
	}
	setOpen(true)
	woken(ctx, t, w)
	got := <-poll
	if got.err != nil {
		t.Fatal(got.err)
	}
	var s apitest.Sync
	got.OK(t, &s)
	if len(timeline(&s, room)) != 1 {
		t.Errorf("got %s", got.Body)
	}
	room.Send(t, alice, "three")
	woken(ctx, t, w) // as before
}

// door opens the database of a server for new connections, or closes it; those that
// there are stay.
func door(t *testing.T, srv *apitest.Server) (set func(open bool), name string) {
	t.Helper()
	name, conn := operator(t, srv)
	set = func(open bool) {
		statement := fmt.Sprintf("ALTER DATABASE %s ALLOW_CONNECTIONS %t", pgx.Identifier{name}.Sanitize(), open)
		if _, err := conn.Exec(context.Background(), statement); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { set(true) })
	return set, name
}

// operator gives the name of a server's database, and a connection to another one of
// the same PostgreSQL, which closes with the test.
func operator(t *testing.T, srv *apitest.Server) (name string, conn *pgx.Conn) {
	t.Helper()
	u, err := url.Parse(srv.App.Config.Database)
	if err != nil {
		t.Fatal(err)
	}
	name = u.Path[1:]
	u.Path = "/postgres"
	if conn, err = pgx.Connect(t.Context(), u.String()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return name, conn
}
