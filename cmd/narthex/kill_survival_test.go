package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/pgtest"
)

// TestKills kills servers, with kill -9 and at the moments at which that hurts most, and
// holds that they lose nothing that they have acknowledged. NARTHEX_TEST_KILLS is how often
// each is killed; NARTHEX_TEST_DATABASE chooses one database. NARTHEX_TEST_KILL_PROGRAM may be
// a program that has been built with -tags faults, which else is built first.
func TestKills(t *testing.T) {
	t.Parallel()
	kills, migrations := 20, 3
	if text := os.Getenv("NARTHEX_TEST_KILLS"); text != "" {
		var err error
		if kills, err = strconv.Atoi(text); err != nil {
			t.Fatalf("NARTHEX_TEST_KILLS: %v", err)
		}
		migrations = kills
	}
	binary := buildFaulty(t)
	t.Run("an ordinary program has nothing of it", func(t *testing.T) { ordinary(t, binary) })
	seed := seed(t)
	over := func(name string, f func(t *testing.T)) {
		if only := os.Getenv("NARTHEX_TEST_DATABASE"); only == "" || only == name {
			t.Run(name, func(t *testing.T) { t.Parallel(); f(t) })
		}
	}
	over("sqlite", func(t *testing.T) {
		w := newWorld(t, binary, "", seed)
		w.phase(t, "server", func(t *testing.T) { w.killServers(t, kills) })
		w.phase(t, "stopped", func(t *testing.T) { w.stopUnderLoad(t, max(2, kills/20)) })
		w.phase(t, "sound", w.lookInside)
		w.phase(t, "early answers", w.earlyAnswers)
		t.Run("migration", func(t *testing.T) {
			killMigrations(t, binary, migrations, seed, db.SQLite, func(t *testing.T) grave { return grave{data: filepath.Join(t.TempDir(), "data")} })
		})
	})
	over("postgres", func(t *testing.T) {
		server := pgtest.StartFor(t)
		database := func(t *testing.T) string { return server.DatabaseFor(t, "") + "&synchronous_commit=on" }
		w := newWorld(t, binary, database(t), seed)
		w.phase(t, "server", func(t *testing.T) { w.killServers(t, (kills+1)/2) })
		w.phase(t, "database", func(t *testing.T) { w.crashDatabases(t, server, kills/2) })
		w.phase(t, "stopped", func(t *testing.T) { w.stopUnderLoad(t, max(2, kills/20)) })
		w.phase(t, "sound", w.lookInside)
		w.phase(t, "early answers", w.earlyAnswers)
		t.Run("migration", func(t *testing.T) {
			killMigrations(t, binary, migrations, seed, db.Postgres, func(t *testing.T) grave {
				database := database(t)
				return grave{data: filepath.Join(t.TempDir(), "data"), database: database, environment: []string{"NARTHEX_DATABASE=" + database}}
			})
		})
	})
}

// phase is a part of what a world goes through. It tells what was found.
func (w *world) phase(t *testing.T, name string, f func(t *testing.T)) {
	t.Run(name, func(t *testing.T) {
		w.t, w.findings = t, nil
		requests := w.requests.Load()
		f(t)
		events := 0
		for _, h := range w.halls {
			events += len(h.events)
		}
		t.Logf("%d requests; %d events so far", w.requests.Load()-requests, events)
		for _, f := range w.findings {
			t.Error(f)
		}
	})
}

// ordinary holds that a program without the build tag, such as this one, cannot be told
// to end itself: it does not even have the name of the variable.
func ordinary(t *testing.T, faulty string) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{faulty: true, self: false} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(string(text), faultVariable); got != want {
			t.Errorf("%s contains %s: got %t, want %t", path, faultVariable, got, want)
		}
	}
}

// killServers kills the server at random moments and at each point that hurts, in turn.
// After a commit it is killed while those of one kind are at work, one kind after the
// other: else nearly every kill would be one of the many that send, and what is rarely
// done never be in the middle.
func (w *world) killServers(t *testing.T, kills int) {
	points := []string{"committed", "answered", "committed", "uncommitted"}
	count := map[string]int{}
	kinds := w.kinds()
	begin := filepath.Join(t.TempDir(), "begin")
	for i := 0; i < kills && len(w.findings) == 0; i++ {
		kind, fault, at := "random", "", w.regulars
		if i%3 > 0 { // the server that the last kill left is killed again
			kind, points = points[0], append(points[1:], points[0])
			fault = kind + ":" + strconv.Itoa(1+w.random.IntN(60))
			if kind == "committed" { // since it has started, unlike the others
				fault = kind + ":" + strconv.Itoa(1+w.random.IntN(12)) + ":" + begin
				at, kinds = slices.Concat(kinds[0], w.readers()), append(kinds[1:], kinds[0])
			}
			w.process.end()
			if !w.rise(fault) {
				count[kind+", at the start"]++
				w.mustRise()
				w.judge()
				continue
			}
			if err := os.WriteFile(begin, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		count[kind]++
		requests := int64(1 + w.random.IntN(150))
		if fault != "" {
			requests = 1500 // if it is not dead by then
		}
		w.killAfter(requests, w.process.kill)
		w.live(at)
		w.process.end()
		_ = os.Remove(begin) // it is not always there
		w.mustRise()
		w.judge()
	}
	t.Logf("kills: %v", count)
}

// kinds are the clients that write, those of a kind together, in a random order.
func (w *world) kinds() [][]regular {
	by := map[string][]regular{}
	for _, a := range w.regulars {
		if _, reads := a.(*reader); !reads {
			kind := fmt.Sprintf("%T", a)
			by[kind] = append(by[kind], a)
		}
	}
	var kinds [][]regular
	for _, name := range slices.Sorted(maps.Keys(by)) {
		kinds = append(kinds, by[name])
	}
	w.random.Shuffle(len(kinds), func(i, j int) { kinds[i], kinds[j] = kinds[j], kinds[i] })
	return kinds
}

func (w *world) readers() []regular {
	return slices.DeleteFunc(slices.Clone(w.regulars), func(a regular) bool { _, reads := a.(*reader); return !reads })
}

// crashDatabases ends the database at random moments. The server lives on.
func (w *world) crashDatabases(t *testing.T, server *pgtest.Server, crashes int) {
	w.postgres = server
	defer func() { w.postgres = nil }()
	for i := 0; i < crashes && len(w.findings) == 0; i++ {
		crashed := make(chan error, 1)
		w.killAfter(int64(1+w.random.IntN(70)), func() { crashed <- w.postgres.Crash() })
		w.live(w.regulars)
		if err := <-crashed; err != nil {
			t.Fatal(err)
		}
		if err := w.postgres.Restart(); err != nil {
			t.Fatal(err)
		}
		w.judge()
	}
	select {
	case <-w.process.ended:
		t.Error("the server ended with its database")
	default:
	}
	t.Logf("%d crashes", crashes)
}

// stopUnderLoad stops the server in peace while clients are at work (K20).
func (w *world) stopUnderLoad(t *testing.T, times int) {
	for range times {
		idle := w.survivor() // it waits for news that do not come
		if r, err := idle.register("idle" + strconv.FormatInt(w.requests.Load(), 10)); err != nil || r.status != 200 {
			t.Fatal(err, r.status)
		}
		var first synced
		if err := idle.tell("GET", "/_matrix/client/v3/sync", nil, &first); err != nil {
			t.Fatal(err)
		}
		polled := make(chan error, 1)
		go func() {
			polled <- idle.tell("GET", "/_matrix/client/v3/sync?timeout=50000&since="+first.Next, nil, &synced{})
		}()
		w.killAfter(int64(100+w.random.IntN(100)), func() { _ = w.process.cmd.Process.Signal(syscall.SIGTERM) })
		w.live(w.regulars)
		<-w.process.ended
		if code := w.process.cmd.ProcessState.ExitCode(); code != 0 {
			t.Errorf("stopped with exit code %d", code)
		}
		if err := <-polled; err != nil {
			t.Errorf("the poll under way: %v", err)
		}
		if wal, err := os.Stat(filepath.Join(w.grave.data, "narthex.db-wal")); err == nil && wal.Size() > 0 {
			t.Errorf("SQLite's log still holds %d bytes", wal.Size())
		}
		w.mustRise()
		w.judgeUnanswered()
		w.judge()
	}
}

// judgeUnanswered holds that what was not answered was not done: a server that stops
// in peace cuts no answer off.
func (w *world) judgeUnanswered() {
	for _, h := range w.halls {
		if err := h.read(w); err != nil { // what is there and was not answered is found here
			w.find("history: %v", err)
		}
	}
}

// earlyAnswers runs the suite on a server that answers before it commits: it must find
// that events were lost.
func (w *world) earlyAnswers(t *testing.T) {
	for range 10 {
		w.process.end()
		if !w.rise("earlyack:1") {
			t.Fatal("it does not start")
		}
		w.killAfter(int64(60+w.random.IntN(60)), w.process.kill)
		w.live(w.regulars)
		w.process.end()
		w.findings = nil // a client may be confused before the kill; what counts is what is lost
		w.mustRise()
		w.judge()
		if slices.ContainsFunc(w.findings, func(f string) bool { return strings.HasPrefix(f, "lost: K1") }) {
			w.findings = nil // it was to be found
			return
		}
	}
	t.Error("the suite does not notice that a server answers before it commits")
}
