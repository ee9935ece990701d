package transfer_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/transfer"
)

// backup makes a backup of a database that no server uses.
func backup(t *testing.T, database, file string) error {
	t.Helper()
	d, err := db.Open(t.Context(), db.Options{Database: database, Now: time.Now, Log: options().Log})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	_, err = transfer.Backup(t.Context(), d, file, options())
	return err
}

func restore(t *testing.T, file, database string, replace bool) (transfer.Restored, error) {
	t.Helper()
	return transfer.Restore(t.Context(), transfer.Restoring{File: file, Database: database, Folder: t.TempDir(), Replace: replace}, options())
}

func users(t *testing.T, database string) (n int64) {
	t.Helper()
	return counts(t, database, []string{"users"})["users"]
}

// TestRestoreReplaces keeps what it replaces, and goes on beyond its positions even
// when the clock was set back.
func TestRestoreReplaces(t *testing.T) {
	for _, engine := range []db.Dialect{db.SQLite, db.Postgres} {
		t.Run(string(engine), func(t *testing.T) {
			database, file := anew(t, engine), filepath.Join(t.TempDir(), "backup.db")
			life(t, database, func(t *testing.T, srv *apitest.Server) { srv.User(t, "alice").CreateRoom(t) })
			if err := backup(t, database, file); err != nil {
				t.Fatal(err)
			}
			var last int64
			life(t, database, func(t *testing.T, srv *apitest.Server) {
				srv.User(t, "bob").CreateRoom(t)
				srv.User(t, "carol")
			})
			inside(t, database, func(tx *db.Tx) (err error) { last, err = tx.Position(); return err })

			if _, err := restore(t, file, database, false); !errors.Is(err, transfer.ErrNotEmpty) {
				t.Errorf("over a server: got %v", err)
			}
			if n := users(t, database); n != 3 {
				t.Errorf("a refused restore has left %d users", n)
			}
			o := options()
			o.Now = func() time.Time { return time.UnixMicro(10) } // before any position
			done, err := transfer.Restore(t.Context(), transfer.Restoring{File: file, Database: database, Folder: t.TempDir(), Replace: true}, o)
			if err != nil {
				t.Fatal(err)
			}
			if n := users(t, database); n != 1 {
				t.Errorf("%d users are restored, want 1", n)
			}
			inside(t, database, func(tx *db.Tx) error {
				pos, err := tx.Position()
				if err != nil || pos <= last {
					t.Errorf("positions go on at %d, and %d was given out: %v", pos, last, err)
				}
				lost, err := tx.Lost(last)
				if !lost {
					t.Errorf("the last position of the replaced server counts as one of this: %v", err)
				}
				return err
			})
			aside := done.Aside
			if engine == db.Postgres {
				aside = database + "?search_path=" + done.Aside
				if strings.Contains(database, "?") {
					aside = database + "&search_path=" + done.Aside
				}
			}
			if done.Aside == "" {
				t.Fatal("nothing was kept aside")
			}
			if n := users(t, aside); n != 3 {
				t.Errorf("%d users are aside, want 3", n)
			}
			life(t, database, func(t *testing.T, srv *apitest.Server) { srv.User(t, "dora").CreateRoom(t) })
		})
	}
}

// TestRestoreIsRefused holds that nothing but a whole backup becomes a server.
func TestRestoreIsRefused(t *testing.T) {
	h := settle(t, db.SQLite)
	file := filepath.Join(t.TempDir(), "backup.db")
	if err := backup(t, h.database, file); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	changed := bytes.ReplaceAll(whole, []byte("täxt"), []byte("täxu")) // in the indexes, too
	if bytes.Equal(changed, whole) {
		t.Fatal("there is no text to damage")
	}
	for name, c := range map[string]struct {
		content []byte
		want    string
	}{
		"another letter":    {changed, "should have 1 rows"},
		"half of it":        {whole[:len(whole)/2], "malformed"},
		"no database":       {[]byte("Dear diary,\n" + strings.Repeat("nothing ", 200)), "not a database"},
		"an empty file":     {nil, "no server in it"},
		"a page too little": {whole[:len(whole)-4096], ""},
	} {
		bad, target := filepath.Join(t.TempDir(), "bad.db"), anew(t, db.SQLite)
		if err := os.WriteFile(bad, c.content, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := restore(t, bad, target, true); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
		if left, err := filepath.Glob(target + "*"); err != nil || len(left) > 0 {
			t.Errorf("%s: there is %v %v", name, left, err)
		}
	}
	if _, err := restore(t, filepath.Join(t.TempDir(), "none.db"), anew(t, db.SQLite), true); err == nil {
		t.Error("a file that is not there was restored")
	}
	if now, err := os.ReadFile(file); err != nil || !bytes.Equal(now, whole) {
		t.Errorf("the backup has changed: %v", err)
	}
	if postgres != nil {
		life(t, anew(t, db.Postgres), func(t *testing.T, srv *apitest.Server) {
			if _, err := restore(t, file, srv.App.Config.Database, true); !errors.Is(err, db.ErrInUse) {
				t.Errorf("under a server: got %v", err)
			}
		})
	}
}

// TestReplacingADamagedFile restores over a file that cannot be read.
func TestReplacingADamagedFile(t *testing.T) {
	h := settle(t, db.SQLite)
	file, target := filepath.Join(t.TempDir(), "backup.db"), anew(t, db.SQLite)
	if err := backup(t, h.database, file); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(target, []byte(strings.Repeat("broken ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := restore(t, file, target, false); err == nil {
		t.Error("a damaged file was replaced unasked")
	}
	done, err := restore(t, file, target, true)
	if err != nil {
		t.Fatal(err)
	}
	if raw, err := os.ReadFile(done.Aside); err != nil || !strings.HasPrefix(string(raw), "broken") {
		t.Errorf("aside: %q %v", done.Aside, err)
	}
	if n := users(t, target); n != h.filled["users"] {
		t.Errorf("%d users are restored", n)
	}
	// Every table comes through, but for the keys that a restore deletes and what it notes.
	got := counts(t, target, allTables(t))
	for name, n := range h.filled {
		want := n
		switch name {
		case "one_time_keys", "fallback_keys":
			want = 0
		case "lost_positions":
			want = n + 1
		case "device_list_changes":
			want = n + 2
		}
		if got[name] != want {
			t.Errorf("%s has %d rows, want %d", name, got[name], want)
		}
	}
}

// TestBackupReplacesNothing holds what a backup does with names that are taken, and
// with what an interrupted one has left.
func TestBackupReplacesNothing(t *testing.T) {
	database, file := anew(t, db.SQLite), filepath.Join(t.TempDir(), "backup.db")
	life(t, database, func(t *testing.T, srv *apitest.Server) { srv.User(t, "alice") })
	if err := os.WriteFile(file, []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := backup(t, database, file); err == nil || !strings.Contains(err.Error(), "exists already") {
		t.Errorf("a name that is taken: got %v", err)
	}
	if raw, err := os.ReadFile(file); err != nil || string(raw) != "mine" {
		t.Errorf("the file is now %q %v", raw, err)
	}
	if err := os.Rename(file, file+".partial"); err != nil { // as if it were a broken rest
		t.Fatal(err)
	}
	if err := backup(t, database, file); err != nil {
		t.Fatal(err)
	}
	if n := users(t, file); n != 1 {
		t.Errorf("the backup has %d users", n)
	}
	inside(t, database, func(tx *db.Tx) error { _, err := tx.Exec(`CREATE TABLE theirs (n BIGINT)`); return err })
	other := filepath.Join(t.TempDir(), "other.db")
	if err := backup(t, database, other); err == nil {
		t.Error("a table of others was left out of a backup")
	}
	if left, err := filepath.Glob(other + "*"); err != nil || len(left) > 0 {
		t.Errorf("a failed backup has left %v %v", left, err)
	}
}
