package app_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/app"
	"github.com/narthex-matrix/narthex/internal/bus"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/jobs"
)

// ledger counts who worked what.
type ledger struct {
	mu     sync.Mutex
	worked map[string]int
}

func (l *ledger) add(what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.worked[what]++
}

// TestReplicasWorkAJobOnceAtOnce lets three replicas work two hundred jobs, and then one
// periodic job for some periods. No clock is exactly as another.
func TestReplicasWorkAJobOnceAtOnce(t *testing.T) {
	servers := replicas(t, 3)
	l := &ledger{worked: map[string]int{}}
	var runners []*jobs.Runner
	for i, srv := range servers {
		srv.Advance(time.Duration(i) * time.Second)
		runners = append(runners, jobs.NewRunner(srv.App.DB, srv.Logger(), []jobs.Worker{
			{Kind: "test.note", Work: func(_ context.Context, job jobs.Job) error { l.add(string(job.Payload)); return nil }},
			{Kind: "test.sweep", Every: time.Minute, Work: func(context.Context, jobs.Job) error { l.add("sweep"); return nil }},
		}))
	}
	const many = 200
	servers[0].Write(t, func(tx *db.Tx) error {
		for i := range many {
			if err := jobs.Enqueue(tx, "test.note", fmt.Sprint(i), i, tx.Now.Add(-time.Second)); err != nil {
				return err
			}
		}
		return nil
	})
	everyone := func() (worked int) {
		var all sync.WaitGroup
		counts := make([]int, len(runners))
		for i, r := range runners {
			all.Go(func() {
				n, err := r.RunDue(t.Context())
				if err != nil {
					t.Error(err)
				}
				counts[i] = n
			})
		}
		all.Wait()
		return counts[0] + counts[1] + counts[2]
	}
	if n := everyone(); n != many || len(l.worked) != many {
		t.Errorf("%d jobs were worked, %d of them other than before; want %d", n, len(l.worked), many)
	}
	for i, r := range runners {
		if err := r.Start(t.Context()); err != nil {
			t.Fatal(i, err)
		}
	}
	const periods = 3
	for range periods {
		for _, srv := range servers {
			srv.Advance(time.Minute + 5*time.Second)
		}
		if n := everyone(); n != 1 {
			t.Errorf("the periodic job was worked %d times", n)
		}
	}
	for what, n := range l.worked {
		if what != "sweep" && n != 1 || what == "sweep" && n != periods {
			t.Errorf("%s was worked %d times", what, n)
		}
	}
}

// TestReplicasTakeOverJobs has a replica die over a job. Another one takes it when the
// lease is over and not before; and a job that one replica wants done wakes the others.
func TestReplicasTakeOverJobs(t *testing.T) {
	servers := replicas(t, 2)
	here, there := servers[0], servers[1]
	l := &ledger{worked: map[string]int{}}
	dying := jobs.NewRunner(here.App.DB, here.Logger(), []jobs.Worker{{Kind: "test.slow", Work: func(context.Context, jobs.Job) error {
		return context.Canceled // what was done is lost, and the row stays as it is
	}}})
	living := jobs.NewRunner(there.App.DB, there.Logger(), []jobs.Worker{{Kind: "test.slow", Work: func(context.Context, jobs.Job) error {
		l.add("slow")
		return nil
	}}})
	w := there.App.Bus().Subscribe(bus.Jobs)
	defer w.Close()
	here.Write(t, func(tx *db.Tx) error { return jobs.Enqueue(tx, "test.slow", "1", object{}, tx.Now) })
	woken(patience(t), t, w)
	if _, err := dying.RunDue(t.Context()); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	for _, c := range []struct {
		after time.Duration
		want  int
	}{{0, 0}, {time.Minute, 0}, {2 * time.Minute, 1}, {time.Hour, 0}} {
		there.Advance(c.after)
		if n, err := living.RunDue(t.Context()); err != nil || n != c.want {
			t.Errorf("%s later: worked %d, %v; want %d", c.after, n, err, c.want)
		}
	}
}

// TestReplicasStartAtOnce starts three servers over a database with nothing in it: they
// make one schema and one signing key.
func TestReplicasStartAtOnce(t *testing.T) {
	full := replicas(t, 1)[0]
	name, conn := operator(t, full)
	empty := name + "_empty"
	for _, statement := range []string{"CREATE DATABASE " + empty, "DROP DATABASE " + empty + " WITH (FORCE)"} {
		run := func() {
			if _, err := conn.Exec(context.Background(), statement); err != nil {
				t.Errorf("%s: %v", statement, err)
			}
		}
		if strings.HasPrefix(statement, "CREATE") {
			run()
		} else {
			t.Cleanup(run)
		}
	}
	cfg := full.App.Config
	cfg.Database = strings.Replace(cfg.Database, "/"+name+"?", "/"+empty+"?", 1)
	apps := make([]*app.App, 3)
	var all sync.WaitGroup
	for i := range apps {
		all.Go(func() {
			a, err := app.Open(t.Context(), cfg, app.Seams{Now: time.Now, Log: slog.New(slog.DiscardHandler), Unsynced: true})
			if err != nil {
				t.Errorf("server %d: %v", i, err)
				return
			}
			apps[i] = a
		})
	}
	all.Wait()
	keys := map[string]bool{}
	for _, a := range apps {
		if a == nil {
			continue
		}
		defer a.Close()
		r := httptest.NewRecorder()
		a.ServeHTTP(r, httptest.NewRequest("GET", "/_matrix/key/v2/server", nil))
		keys[fmt.Sprint(members(t, &apitest.Response{Body: r.Body.Bytes()})["verify_keys"])] = true
	}
	if len(keys) != 1 {
		t.Fatalf("they sign with the keys %v", keys)
	}
	if n, err := db.ReadOne(t.Context(), apps[0].DB, db.Scalar[int64], `SELECT COUNT(*) FROM server_keys`); n != 1 || err != nil {
		t.Errorf("there are %d signing keys, %v", n, err)
	}
}
