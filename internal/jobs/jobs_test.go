package jobs_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/jobs"
)

func TestMain(m *testing.M) { apitest.Main(m) }

func enqueue(t *testing.T, srv *apitest.Server, kind, id string, after time.Duration) {
	t.Helper()
	err := srv.App.DB.Write(t.Context(), func(tx *db.Tx) error {
		return jobs.Enqueue(tx, kind, id, map[string]string{"who": "alice"}, tx.Now.Add(after))
	})
	if err != nil {
		t.Fatal(err)
	}
}

func run(t *testing.T, r *jobs.Runner, want int) {
	t.Helper()
	if got, err := r.RunDue(t.Context()); err != nil || got != want {
		t.Errorf("RunDue: got %d %v, want %d", got, err, want)
	}
}

func TestAJobIsWorkedOnceWhenDue(t *testing.T) {
	srv := apitest.New(t)
	worked := 0
	r := jobs.NewRunner(srv.App.DB, srv.Logger(), []jobs.Worker{{Kind: "test.greet", Work: func(_ context.Context, job jobs.Job) error {
		var payload map[string]string
		if err := json.Unmarshal(job.Payload, &payload); err != nil || payload["who"] != "alice" {
			t.Errorf("payload %s: %v", job.Payload, err)
		}
		worked++
		return nil
	}}})
	enqueue(t, srv, "test.greet", "1", time.Hour)
	enqueue(t, srv, "test.greet", "1", 0) // the same job: not added
	enqueue(t, srv, "test.other", "1", 0) // nobody here works it
	run(t, r, 0)
	srv.Advance(time.Hour + time.Second)
	run(t, r, 1)
	run(t, r, 0)
	if worked != 1 {
		t.Errorf("worked %d times", worked)
	}
}

func TestAFailedJobComesBack(t *testing.T) {
	srv := apitest.New(t)
	var attempts []int64
	r := jobs.NewRunner(srv.App.DB, srv.Logger(), []jobs.Worker{{Kind: "test.fail", Work: func(_ context.Context, job jobs.Job) error {
		if attempts = append(attempts, job.Attempts); len(attempts) < 3 {
			return errors.New("not yet")
		}
		return nil
	}}})
	enqueue(t, srv, "test.fail", "", 0)
	run(t, r, 1)
	run(t, r, 0) // not before its time
	srv.Advance(6 * time.Second)
	run(t, r, 1)
	srv.Advance(11 * time.Second)
	run(t, r, 1)
	srv.Advance(time.Hour)
	run(t, r, 0)
	if len(attempts) != 3 || attempts[2] != 2 {
		t.Errorf("attempts: %v", attempts)
	}
}

func TestAPeriodicJobComesBack(t *testing.T) {
	srv := apitest.New(t)
	r := jobs.NewRunner(srv.App.DB, srv.Logger(), []jobs.Worker{{Kind: "test.sweep", Every: time.Minute, Work: func(context.Context, jobs.Job) error { return nil }}})
	for range 2 { // a second start adds nothing
		if err := r.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	run(t, r, 0)
	for range 3 {
		srv.Advance(time.Minute + time.Second)
		run(t, r, 1)
	}
}

// TestALeaseKeepsOthersAway holds that two runners do not work one job, and that a
// job whose worker has died is taken again.
func TestALeaseKeepsOthersAway(t *testing.T) {
	srv := apitest.New(t)
	var worked atomic.Int64
	var second *jobs.Runner
	work := func(ctx context.Context, _ jobs.Job) error {
		if worked.Add(1) == 1 {
			run(t, second, 0) // while the first works it
			return context.Canceled
		}
		return nil
	}
	first := jobs.NewRunner(srv.App.DB, srv.Logger(), []jobs.Worker{{Kind: "test.slow", Work: work}})
	second = jobs.NewRunner(srv.App.DB, srv.Logger(), []jobs.Worker{{Kind: "test.slow", Work: work}})
	enqueue(t, srv, "test.slow", "", 0)
	if _, err := first.RunDue(t.Context()); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	run(t, second, 0)
	srv.Advance(3 * time.Minute)
	run(t, second, 1)
}

func TestAPanicIsTheFailureOfOneJob(t *testing.T) {
	srv := apitest.New(t)
	worked := 0
	r := jobs.NewRunner(srv.App.DB, slog.New(slog.DiscardHandler), []jobs.Worker{
		{Kind: "test.panic", Work: func(context.Context, jobs.Job) error { panic("broken") }},
		{Kind: "test.quiet", Work: func(context.Context, jobs.Job) error { worked++; return nil }},
	})
	enqueue(t, srv, "test.panic", "", 0)
	enqueue(t, srv, "test.quiet", "", time.Second)
	srv.Advance(2 * time.Second)
	run(t, r, 2)
	run(t, r, 0)
	srv.Advance(6 * time.Second)
	run(t, r, 1) // it is tried again, like any that fails
	if worked != 1 {
		t.Errorf("the other job was worked %d times", worked)
	}
}

// TestK19_AClockThatWasAhead holds that a start brings back what a clock put off that was
// a year ahead.
func TestK19_AClockThatWasAhead(t *testing.T) {
	srv := apitest.New(t)
	worked := 0
	r := jobs.NewRunner(srv.App.DB, srv.Logger(), []jobs.Worker{{Kind: "test.hourly", Every: time.Hour, Work: func(context.Context, jobs.Job) error {
		worked++
		return nil
	}}})
	start := func() {
		t.Helper()
		if err := r.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	start()
	srv.Advance(366 * 24 * time.Hour)
	run(t, r, 1) // and it comes back in a year and an hour
	srv.Advance(-366 * 24 * time.Hour)
	start()
	run(t, r, 0) // not before its time
	srv.Advance(time.Hour + time.Second)
	run(t, r, 1)
	if worked != 2 {
		t.Errorf("worked %d times, want 2", worked)
	}
}
