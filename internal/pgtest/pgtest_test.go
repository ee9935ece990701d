package pgtest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
)

// helperVariable turns the test binary into a process that starts a server and
// waits to be killed.
const helperVariable = "NARTHEX_PGTEST_HELPER"

func TestMain(m *testing.M) {
	if os.Getenv(helperVariable) != "" {
		s, err := Start()
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(s.folder)
		select {}
	}
	os.Exit(m.Run())
}

// query runs one statement that returns one text.
func query(url, sql string) (text string, err error) {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return "", err
	}
	defer conn.Close(ctx)
	err = conn.QueryRow(ctx, sql).Scan(&text)
	return text, err
}

func TestDatabasesAtOnce(t *testing.T) {
	s := StartFor(t)

	t.Run("a new database is empty, in UTF-8 and apart from others", func(t *testing.T) {
		one, two := s.DatabaseFor(t, ""), s.DatabaseFor(t, "")
		if got, err := query(one, "CREATE TABLE fruit AS SELECT 'pear' AS name; SHOW server_encoding"); err == nil {
			t.Errorf("two statements in one: got %q, want the driver's refusal", got)
		}
		if got, err := query(one, "SHOW server_encoding"); err != nil || got != "UTF8" {
			t.Errorf("server_encoding: got %q, %v, want UTF8", got, err)
		}
		fill(t, one)
		if _, err := query(two, "SELECT name FROM fruit"); err == nil {
			t.Error("a table of one database is visible in another")
		}
	})
	t.Run("a copy holds what its template holds", func(t *testing.T) {
		template := s.DatabaseFor(t, "")
		fill(t, template)
		for _, name := range []string{template, strings.TrimPrefix(template[:strings.Index(template, "?")], "postgres://narthex@/")} {
			if got, err := query(s.DatabaseFor(t, name), "SELECT name FROM fruit"); err != nil || got != "pear" {
				t.Errorf("copy of %s: got %q, %v, want pear", name, got, err)
			}
		}
	})
	t.Run("an unknown template is refused by name", func(t *testing.T) {
		_, err := s.NewDatabase("no such")
		if err == nil || !strings.Contains(err.Error(), `"no such" does not exist`) {
			t.Errorf("got %v, want that it does not exist", err)
		}
	})
	t.Run("a malformed URL is refused", func(t *testing.T) {
		if _, err := s.NewDatabase("postgres://%zz"); err == nil {
			t.Error("NewDatabase took it")
		}
		if err := s.DropDatabase("postgres://%zz"); err == nil {
			t.Error("DropDatabase took it")
		}
	})
	t.Run("a dropped database is gone, with those who use it", func(t *testing.T) {
		url := s.DatabaseFor(t, "")
		conn, err := pgx.Connect(context.Background(), url)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(context.Background())
		if err := s.DropDatabase(url); err != nil {
			t.Fatalf("DropDatabase: %v", err)
		}
		if _, err := query(url, "SELECT 'here'"); err == nil {
			t.Error("the dropped database still answers")
		}
		if err := s.DropDatabase(url); err == nil {
			t.Error("dropping it again: got no error")
		}
	})
	t.Run("many at once", func(t *testing.T) {
		template := s.DatabaseFor(t, "")
		fill(t, template)
		var wait sync.WaitGroup
		for range 8 {
			wait.Go(func() {
				url, err := s.NewDatabase(template)
				if err != nil {
					t.Errorf("NewDatabase: %v", err)
				} else if err := s.DropDatabase(url); err != nil {
					t.Errorf("DropDatabase: %v", err)
				}
			})
		}
		wait.Wait()
	})
}

func fill(t *testing.T, url string) {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, "CREATE TABLE fruit AS SELECT 'pear' AS name"); err != nil {
		t.Fatal(err)
	}
}

func TestStop(t *testing.T) {
	s := StartFor(t)
	url := s.DatabaseFor(t, "")
	for range 2 {
		if err := s.Stop(); err != nil {
			t.Fatalf("Stop: %v", err)
		}
	}
	if err := s.process.Signal(os.Interrupt); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("the server's process: got %v, want that it has ended", err)
	}
	if _, err := os.Stat(s.folder); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the server's folder: got %v, want that it is gone", err)
	}
	if _, err := query(url, "SELECT 'here'"); err == nil {
		t.Error("a database answers after Stop")
	}
}

func TestServerEndsWithItsProcess(t *testing.T) {
	if err := StartFor(t).Stop(); err != nil { // skips where there is no PostgreSQL
		t.Fatal(err)
	}
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	helper := exec.Command(os.Args[0])
	helper.Env = append(os.Environ(), helperVariable+"=1")
	helper.Stderr = os.Stderr
	helper.ExtraFiles = []*os.File{writer} // inherited by the server and its children
	stdout, err := helper.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := helper.Start(); err != nil {
		t.Fatal(err)
	}
	writer.Close()
	folder, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("the helper's folder: %v", err)
	}
	folder = strings.TrimSpace(folder)
	if err := helper.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = helper.Wait() // it was killed
	// The pipe ends when the last process that inherited it has ended.
	if _, err := io.Copy(io.Discard, reader); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(folder); err != nil {
		t.Fatalf("the folder of the killed helper: %v", err)
	}
	s := StartFor(t)
	if _, err := os.Stat(folder); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the next Start left the folder of a dead process: %v", err)
	}
	if got, err := query(s.DatabaseFor(t, ""), "SELECT 'here'"); err != nil || got != "here" {
		t.Errorf("after cleaning up: got %q, %v", got, err)
	}
}

func TestHousekeepingSparesOthers(t *testing.T) {
	first := StartFor(t)
	unclaimed := filepath.Join(filepath.Dir(first.folder), folderPrefix+"unclaimed")
	if err := os.MkdirAll(unclaimed, 0o700); err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(unclaimed)
	StartFor(t)
	for _, folder := range []string{first.folder, unclaimed} {
		if _, err := os.Stat(folder); err != nil {
			t.Errorf("a folder in use: %v", err)
		}
	}
}

func TestFindBinaries(t *testing.T) {
	root := t.TempDir()
	program := func(version, name string) {
		folder := filepath.Join(root, version, "bin")
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, name), nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", t.TempDir())
	pattern := filepath.Join(root, "*", "bin", "initdb")
	if _, err := findBinaries(pattern); !errors.Is(err, ErrNotInstalled) {
		t.Errorf("nothing installed: got %v, want ErrNotInstalled", err)
	}
	program("9", "initdb")
	if _, err := findBinaries(pattern); !errors.Is(err, ErrNotInstalled) {
		t.Errorf("initdb without a server: got %v, want ErrNotInstalled", err)
	}
	program("9", "postgres")
	program("15", "initdb")
	program("15", "postgres")
	if got, err := findBinaries(pattern); err != nil || got != filepath.Join(root, "15", "bin") {
		t.Errorf("two versions: got %q, %v, want the newest", got, err)
	}
	t.Setenv("PATH", filepath.Join(root, "9", "bin"))
	if got, err := findBinaries(pattern); err != nil || got != filepath.Join(root, "9", "bin") {
		t.Errorf("one on the PATH: got %q, %v, want that one", got, err)
	}
}

func TestVersion(t *testing.T) {
	for path, want := range map[string]int{
		"/usr/lib/postgresql/15/bin/initdb": 15,
		"/usr/lib/postgresql/9/bin/initdb":  9,
		"/usr/local/bin/initdb":             0,
		"":                                  0,
	} {
		if got := version(path); got != want {
			t.Errorf("version(%q): got %d, want %d", path, got, want)
		}
	}
}

func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		s, err := Start()
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Stop(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkNewDatabase(b *testing.B) {
	s, err := Start()
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Stop(); err != nil {
			b.Error(err)
		}
	})
	for b.Loop() {
		url, err := s.NewDatabase("")
		if err != nil {
			b.Fatal(err)
		}
		if err := s.DropDatabase(url); err != nil {
			b.Fatal(err)
		}
	}
}
