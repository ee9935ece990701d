package transfer_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/transfer"
)

// put writes a file.
func put(t *testing.T, file string, content []byte) {
	t.Helper()
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func content(t *testing.T, file string) []byte {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// TestK18_ARestoreThatIsInterrupted ends a restore after each of the steps by which the
// restored file takes the place of another. A server that is started then is the old one
// or the new one, with all that it had, and a second restore finds nothing in its way.
func TestK18_ARestoreThatIsInterrupted(t *testing.T) {
	database, file := anew(t, db.SQLite), filepath.Join(t.TempDir(), "backup.db")
	life(t, database, func(t *testing.T, srv *apitest.Server) { srv.User(t, "alice") })
	if err := backup(t, database, file); err != nil {
		t.Fatal(err)
	}
	life(t, database, func(t *testing.T, srv *apitest.Server) { srv.User(t, "bob") })
	before, restored := content(t, database), content(t, file)

	for done := 0; ; done++ {
		target := anew(t, db.SQLite)
		work, aside := target+".restoring", target+".aside"
		put(t, target, before)
		put(t, work, restored)
		steps := transfer.Replacing(work, target, aside)
		if done > len(steps) {
			break
		}
		for i, step := range steps[:done] {
			if err := step(); err != nil {
				t.Fatalf("step %d: %v", i, err)
			}
		}
		t.Run(fmt.Sprintf("after %d of %d", done, len(steps)), func(t *testing.T) {
			if _, err := os.Stat(target); err != nil {
				t.Fatalf("a server would begin anew: %v", err)
			}
			_, err := os.Stat(work)
			replaced := err != nil
			if got, want := users(t, target), map[bool]int64{false: 2, true: 1}[replaced]; got != want {
				t.Errorf("%d users are there, want %d; replaced: %t", got, want, replaced)
			}
			again, err := restore(t, file, target, true)
			if err != nil {
				t.Fatal(err)
			}
			if n := users(t, target); n != 1 {
				t.Errorf("after a second restore %d users are there", n)
			}
			if !replaced {
				aside = again.Aside
			}
			if n := users(t, aside); n != 2 {
				t.Errorf("%d users are aside, want 2", n)
			}
			if left, err := filepath.Glob(target + ".restoring*"); err != nil || len(left) > 0 {
				t.Errorf("left are %v %v", left, err)
			}
		})
	}
}

// elsewhere gives a folder in another file system than another folder, to which no file
// there can have a second name.
func elsewhere(t *testing.T, folder string) string {
	t.Helper()
	probe := filepath.Join(folder, "probe")
	put(t, probe, nil)
	defer os.Remove(probe)
	for _, place := range []string{"/dev/shm", "/run", "/var/tmp"} {
		other, err := os.MkdirTemp(place, "narthex-test-")
		if err != nil {
			continue
		}
		t.Cleanup(func() { _ = os.RemoveAll(other) }) // it is as good as empty
		if errors.Is(os.Link(probe, filepath.Join(other, "probe")), syscall.EXDEV) {
			return other
		}
	}
	t.Skip("there is one file system only, and files in it can have two names")
	return ""
}

// TestK18_ARestoreCopiesWhatCannotHaveTwoNames keeps a database and its logs aside where
// no file can have a second name: they are copied.
func TestK18_ARestoreCopiesWhatCannotHaveTwoNames(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string // by the end of the name
		taken string            // the end of the name of a file that is aside already
	}{
		"a database":                     {map[string]string{"": "old"}, "none"},
		"a database with logs":           {map[string]string{"": "old", "-wal": "log", "-shm": "index"}, "none"},
		"a database, and one is aside":   {map[string]string{"": "old", "-wal": "log"}, ""},
		"its log, and one is aside":      {map[string]string{"": "old", "-wal": "log"}, "-wal"},
		"a log that is longer than both": {map[string]string{"": "old", "-wal": strings.Repeat("log", 100_000)}, "none"},
	} {
		t.Run(name, func(t *testing.T) {
			target := anew(t, db.SQLite)
			work, aside := target+".restoring", filepath.Join(elsewhere(t, filepath.Dir(target)), "aside.db")
			put(t, work, []byte("new"))
			for end, text := range c.files {
				put(t, target+end, []byte(text))
			}
			if c.taken != "none" {
				put(t, aside+c.taken, []byte("older"))
			}
			var err error
			for _, step := range transfer.Replacing(work, target, aside) {
				if err = step(); err != nil {
					break
				}
			}
			if c.taken != "none" {
				if !errors.Is(err, fs.ErrExist) || string(content(t, target)) != "old" || string(content(t, aside+c.taken)) != "older" {
					t.Errorf("got %v; in its place is %q, and aside %q", err, content(t, target), content(t, aside+c.taken))
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := content(t, target); string(got) != "new" {
				t.Errorf("in its place is %q", got)
			}
			for end, want := range c.files {
				if got := content(t, aside+end); string(got) != want {
					t.Errorf("aside%s has %d bytes, want %d", end, len(got), len(want))
				}
				if info, err := os.Stat(aside + end); err != nil || info.Mode().Perm() != 0o600 {
					t.Errorf("aside%s: %v %v", end, info.Mode(), err)
				}
				if _, err := os.Stat(target + end); end != "" && !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("%s is left of the old database: %v", end, err)
				}
			}
		})
	}
}

// TestK18_ARestoreKeepsTheLogOfADamagedFile holds that SQLite does not take what is left
// in the log of a database that cannot be read for a log of the restored one.
func TestK18_ARestoreKeepsTheLogOfADamagedFile(t *testing.T) {
	database, file := anew(t, db.SQLite), filepath.Join(t.TempDir(), "backup.db")
	life(t, database, func(t *testing.T, srv *apitest.Server) { srv.User(t, "alice") })
	if err := backup(t, database, file); err != nil {
		t.Fatal(err)
	}
	var log []byte
	life(t, database, func(t *testing.T, srv *apitest.Server) {
		srv.User(t, "bob")
		log = content(t, database+"-wal")
	})
	if len(log) == 0 {
		t.Fatal("there is no log: the test shows nothing")
	}
	put(t, database, []byte("broken"))
	put(t, database+"-wal", log)
	put(t, database+"-shm", nil)
	done, err := restore(t, file, database, true)
	if err != nil {
		t.Fatal(err)
	}
	if n := users(t, database); n != 1 {
		t.Errorf("%d users are restored, want 1", n)
	}
	if got := content(t, done.Aside); string(got) != "broken" {
		t.Errorf("aside is %q", got)
	}
	if got := content(t, done.Aside+"-wal"); string(got) != string(log) {
		t.Errorf("the log that is aside has %d bytes, want %d", len(got), len(log))
	}
}
