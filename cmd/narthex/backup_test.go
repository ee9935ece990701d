package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/app"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/pgtest"
)

// furnished gives a server's folder and database with so many accounts that a copy takes a while.
func furnished(t *testing.T, database string) (data string) {
	t.Helper()
	data = filepath.Join(t.TempDir(), "data")
	insideOf(t, data, database, func(a *app.App) {
		within(t, a, func(tx *db.Tx) error {
			var many []id.UserID
			for i := range 10_000 {
				many = append(many, id.UserID(fmt.Sprintf("@user%d:localhost", i)))
			}
			if err := a.Accounts.Insert(tx, accounts.Account{UserID: killUser, PasswordHash: "none"}); err != nil {
				return err
			}
			return accounts.DeviceListsChanged(tx, many)
		})
	})
	return data
}

// command runs the program to its end.
func command(args ...string) (string, error) {
	out, err := exec.Command("narthex", args...).CombinedOutput()
	return string(out), err
}

// killAt runs the program, and kills it when it has written a text so many times. It
// may be faster.
func killAt(t *testing.T, text string, times int, args ...string) {
	t.Helper()
	cmd := exec.Command("narthex", args...)
	out := &buffer{more: make(chan struct{}, 1)}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }() // it is killed
	for strings.Count(out.String(), text) < times {
		select {
		case <-out.more:
			continue
		case <-ended:
		}
		break
	}
	_ = cmd.Process.Kill() // it may have ended
	<-ended
}

// TestK18_BackupsRestoresAndMoves has what other tests do in one process done by
// several, of which some are killed.
func TestK18_BackupsRestoresAndMoves(t *testing.T) {
	t.Parallel()
	postgres := pgtest.StartFor(t)
	for name, test := range map[string]func(*testing.T, *pgtest.Server){
		"nothing moves under a server": nothingMoves, "a kill leaves no half backup": killBackups, "a kill leaves no half restore": killRestores,
	} {
		t.Run(name, func(t *testing.T) { t.Parallel(); test(t, postgres) })
	}
}

// nothingMoves holds that what must be alone with a database notices a server in
// another process, and that a backup needs nobody to stop.
func nothingMoves(t *testing.T, postgres *pgtest.Server) {
	for name, database := range map[string]string{"SQLite": "", "PostgreSQL": postgres.DatabaseFor(t, "")} {
		t.Run(name, func(t *testing.T) {
			data := furnished(t, database)
			if database == "" {
				database = filepath.Join(data, "narthex.db")
			}
			p := launch(t, append(development(data), "--database", database))
			file := filepath.Join(t.TempDir(), "backup.db")
			if out, err := command("backup", file, "--data", data, "--database", database); err != nil {
				t.Fatalf("backup: %v %s", err, out)
			}
			for _, args := range [][]string{
				{"migrate", "--from", database, "--to", filepath.Join(t.TempDir(), "new.db")},
				{"migrate", "--from", file, "--to", database},
				{"restore", file, "--data", data, "--database", database, "--replace"},
			} {
				if out, err := command(args...); err == nil || !contains(out, "in use; stop the server") {
					t.Errorf("%v: %v %s", args[:2], err, out)
				}
			}
			if status, _ := get(t, p.url+"/_matrix/client/versions"); status != 200 {
				t.Errorf("the server answers %d", status)
			}
			p.end()
			if out, err := command("restore", file, "--data", data, "--database", database, "--replace"); err != nil {
				t.Errorf("without the server: %v %s", err, out)
			}
		})
	}
}

// killBackups kills backups on their way. Nothing has the name that it was to get, and
// the next one is whole.
func killBackups(t *testing.T, postgres *pgtest.Server) {
	for name, database := range map[string]string{"SQLite": "", "PostgreSQL": postgres.DatabaseFor(t, "")} {
		t.Run(name, func(t *testing.T) {
			data := furnished(t, database)
			args := []string{"--data", data}
			if database != "" {
				args = append(args, "--database", database)
			}
			file := filepath.Join(t.TempDir(), "backup.db")
			halves := 0
			for _, at := range []string{" 30 %", " 80 %"} {
				killAt(t, at, 1, append([]string{"backup", file}, args...)...)
				if _, err := os.Stat(file); err == nil { // it was faster, and so must be whole
					if out, err := command("restore", file, "--data", filepath.Join(t.TempDir(), "new")); err != nil {
						t.Errorf("killed at %s: half a backup has the name of a whole: %s", at, out)
					}
					if err := os.Remove(file); err != nil {
						t.Fatal(err)
					}
					continue
				} else if !errors.Is(err, fs.ErrNotExist) {
					t.Fatal(err)
				}
				if _, err := os.Stat(file + ".partial"); err == nil {
					halves++
				}
			}
			if halves == 0 {
				t.Error("no kill came in the middle: the test shows nothing")
			}
			if out, err := command(append([]string{"backup", file}, args...)...); err != nil {
				t.Fatalf("after the kills: %v %s", err, out)
			}
			if left, err := filepath.Glob(file + "?*"); err != nil || len(left) > 0 {
				t.Errorf("what the kills left is still there: %v %v", left, err)
			}
			if out, err := command("restore", file, "--data", filepath.Join(t.TempDir(), "new")); err != nil || !contains(out, "Restored") {
				t.Errorf("the backup after the kills: %v %s", err, out)
			}
		})
	}
}

// killRestores kills restores, and a move. The target is as it was.
func killRestores(t *testing.T, postgres *pgtest.Server) {
	data := furnished(t, "")
	file := filepath.Join(t.TempDir(), "backup.db")
	if out, err := command("backup", file, "--data", data); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	for _, end := range [][]string{{"restore", file, "--replace", "--data", data}, {"restore", file, "--data", t.TempDir(), "--database"}, {"migrate", "--from", file, "--to"}} {
		url := postgres.DatabaseFor(t, "")
		args := end
		if last := end[len(end)-1]; last == "--database" || last == "--to" {
			args = append(args, url)
		}
		times := 1
		if args[0] == "restore" && len(args) > len(end) {
			times = 2 // when the backup has been checked
		}
		killAt(t, " 30 %", times, args...)
		if out, err := command("user", "list", "--data", data); err != nil || !contains(out, "@alice:localhost") {
			t.Errorf("%s: the server that was there: %v %s", args[0], err, out)
		}
		// A target that holds anything would be refused.
		if out, err := command("migrate", "--from", file, "--to", url); err != nil {
			t.Errorf("after a killed %s: %v %s", args[0], err, out)
		}
	}
	if out, err := command("restore", file, "--replace", "--data", data); err != nil {
		t.Errorf("after a killed restore: %v %s", err, out)
	}
}
