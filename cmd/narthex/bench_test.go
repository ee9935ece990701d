package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/narthex-matrix/narthex/internal/bench"
	"github.com/narthex-matrix/narthex/internal/pgtest"
)

// TestBenchOverPostgreSQL measures a server with a database of its own, and holds
// that the second benchmark leaves alone what is in the database.
func TestBenchOverPostgreSQL(t *testing.T) {
	t.Parallel()
	database, out := pgtest.StartFor(t).DatabaseFor(t, ""), filepath.Join(t.TempDir(), "results.jsonl")
	measure := func() (string, error) {
		said, err := exec.Command("narthex", "bench", "--quick", "--scenario", "whoami", "--database", database, "--out", out).CombinedOutput()
		return string(said), err
	}
	said, err := measure()
	if err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	results, err := bench.ReadResults([]string{out})
	const stretches, ofTheMachine = 3, 3
	if err != nil || len(results) != stretches+ofTheMachine {
		t.Fatalf("got %d results, %v", len(results), err)
	}
	for _, r := range results[:stretches] {
		if r.Label != "Narthex, PostgreSQL" || !r.SeparateDatabase || r.Operations == 0 || r.Failed > 0 {
			t.Errorf("got %+v", r)
		}
	}
	if said, err := measure(); err == nil || !strings.Contains(said, "the database is in use already") {
		t.Errorf("the second time: %v %s", err, said)
	}
}

// TestBenchThatNobodyReads holds that the server of a benchmark ends with it, and
// leaves nothing.
func TestBenchThatNobodyReads(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	cmd := exec.Command("narthex", "bench", "--quick", "--scenario", "whoami", "--folder", folder)
	cmd.Stdout = w
	if err := errors.Join(r.Close(), cmd.Start(), w.Close()); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != 1 {
		t.Errorf("it ended with %v", err)
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
		t.Errorf("it left %v, %v", left, err)
	}
}
