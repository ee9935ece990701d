package transfer_test

import (
	"fmt"
	"os"
	"path/filepath"
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
