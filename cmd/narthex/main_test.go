package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"narthex": main})
}

// TestCommands plays the scripts in testdata: the command line as a person uses it.
func TestCommands(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{Dir: "testdata", RequireExplicitExec: true})
}

// TestReferencesAreCurrent holds docs/reference against what the program writes.
func TestReferencesAreCurrent(t *testing.T) {
	folder := t.TempDir()
	if err := (docsCommand{Folder: folder}).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		want, err := os.ReadFile(filepath.Join(folder, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join("../../docs/reference", f.Name()))
		if err != nil {
			t.Error(err)
		} else if !bytes.Equal(got, want) {
			t.Errorf("docs/reference/%s is not current; run make generate: %s", f.Name(), firstDifference(string(got), string(want)))
		}
	}
}

func firstDifference(got, want string) string {
	lines := strings.Split(want, "\n")
	for i, line := range strings.Split(got, "\n") {
		if i >= len(lines) || line != lines[i] {
			return fmt.Sprintf("line %d is %q", i+1, line)
		}
	}
	return fmt.Sprintf("it ends too early, before %q", lines[strings.Count(got, "\n")])
}

// TestEveryCommandHasAnExample holds that --help shows how a command is used.
func TestEveryCommandHasAnExample(t *testing.T) {
	parser, err := newParser(&commands{})
	if err != nil {
		t.Fatal(err)
	}
	for _, leaf := range parser.Model.Leaves(false) {
		if !contains(leaf.Detail, "Example") || !contains(leaf.Detail, "narthex") {
			t.Errorf("%s --help shows no example", leaf.FullPath())
		}
	}
}

func TestExitCodes(t *testing.T) {
	for _, c := range []struct {
		args []string
		code int
		out  string
	}{
		{[]string{"version"}, 0, "sqlite"},
		{[]string{"--help"}, 0, "Usage: narthex"},
		{[]string{"nonsense"}, 2, "nonsense"},
		{[]string{"serve", "--nonsense"}, 2, "--nonsense"},
		{[]string{"errors", "M_NOTHING"}, 1, "M_NOTHING"},
	} {
		std, shown := newStreams("")
		if code := run(context.Background(), c.args, std); code != c.code || !contains(shown.String(), c.out) {
			t.Errorf("narthex %v: got exit code %d and %q, want %d and %q", c.args, code, shown, c.code, c.out)
		}
	}
}
