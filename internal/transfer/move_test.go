package transfer_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/transfer"
)

// household is a server on which people have done things, and what they hold.
type household struct {
	database   string
	alice, bob apitest.Client
	room       apitest.Room
	since      string            // alice has read up to here
	news       string            // what bob has written since
	filled     map[string]int64  // rows of each table
	answers    map[string]string // to what alice asks, by path
}

// settle makes a household. Every table has a row: those that the people do not fill
// have one that fits their columns.
func settle(t *testing.T, engine db.Dialect) *household {
	t.Helper()
	h := &household{database: anew(t, engine), answers: map[string]string{}}
	life(t, h.database, func(t *testing.T, srv *apitest.Server) {
		alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
		room := alice.CreateRoom(t).Join(t, bob)
		room.SetState(t, alice, "m.room.encryption", map[string]any{"algorithm": "m.megolm.v1.aes-sha2"})
		for _, u := range []*apitest.Client{alice, bob} {
			u.UploadDeviceKeys(t)
			u.Do(t, "POST", "/_matrix/client/v3/keys/upload", `{"one_time_keys":{"signed_curve25519:A":{"key":"a"},"signed_curve25519:B":{"key":"b"}},"fallback_keys":{"signed_curve25519:F":{"key":"f","fallback":true}}}`).OK(t, nil)
		}
		alice.UploadCrossSigning(t)
		read := room.Send(t, bob, "read")
		alice.Do(t, "POST", room.Path("/receipt/m.read/"+apitest.Escape(read)), `{}`).OK(t, nil)
		alice.Do(t, "PUT", "/_matrix/client/v3/profile/"+apitest.Escape(alice.UserID)+"/displayname", `{"displayname":"Älice \u0001"}`).OK(t, nil)
		alice.Do(t, "PUT", "/_matrix/client/v3/user/"+apitest.Escape(alice.UserID)+"/account_data/org.example", `{"a":[1,2.5,null,"ü"]}`).OK(t, nil)
		bob.Do(t, "PUT", "/_matrix/client/v3/presence/"+apitest.Escape(bob.UserID)+"/status", `{"presence":"online","status_msg":"here"}`).OK(t, nil)
		srv.User(t, "zoe") // whose rows of tables that nobody fills would make no sense to an app
		h.since = alice.Sync(t, "").NextBatch
		h.news = string(room.Send(t, bob, "news"))
		bob.Do(t, "PUT", "/_matrix/client/v3/sendToDevice/m.test/1", map[string]any{"messages": map[string]any{string(alice.UserID): map[string]any{"*": map[string]any{"n": 1}}}}).OK(t, nil)
		h.alice, h.bob, h.room = *alice, *bob, *room
		for _, path := range h.paths() {
			h.answers[path] = asked(t, alice, path)
		}
	})
	inside(t, h.database, fillRest)
	h.filled = counts(t, h.database, allTables(t))
	for name, n := range h.filled {
		if n == 0 {
			t.Fatalf("the table %s is empty: nothing would show that it is forgotten", name)
		}
	}
	return h
}

func (h *household) paths() []string {
	return []string{
		h.room.Path("/messages?dir=b&limit=100"), h.room.Path("/state"), h.room.Path("/members"),
		"/_matrix/client/v3/profile/" + apitest.Escape(h.alice.UserID),
		"/_matrix/client/v3/user/" + apitest.Escape(h.alice.UserID) + "/account_data/org.example",
		"/_matrix/client/v3/pushrules/", "/_matrix/client/v3/devices",
	}
}

// asked gives an answer without what changes with the time.
func asked(t *testing.T, c *apitest.Client, path string) string {
	t.Helper()
	var lines []string
	for part := range strings.SplitSeq(string(c.Do(t, "GET", path, nil).OK(t, nil).Body), ",") {
		if !strings.Contains(part, `"age":`) && !strings.Contains(part, `"last_seen_ts":`) {
			lines = append(lines, part)
		}
	}
	return strings.Join(lines, "\n")
}

// fillRest puts a row into each table that has none.
func fillRest(tx *db.Tx) error {
	tables, err := tx.Tables()
	if err != nil {
		return err
	}
	known := map[string]any{"user_id": "@zoe:narthex.test", "signer_id": "@zoe:narthex.test", "device_id": "DEVICE1", "client_id": "client", "version": int64(1)}
	for _, t := range tables {
		if n, err := tx.Count(t); err != nil || n > 0 {
			if err != nil {
				return err
			}
			continue
		}
		var names, marks []string
		var args []any
		for i, c := range t.Columns {
			value, ok := known[c.Name]
			if _, isText := value.(string); !ok || isText != (c.Type == "TEXT") {
				value = map[string]any{"TEXT": "täxt", "BIGINT": int64(9e18) + int64(i), "BOOLEAN": true, "BYTEA": []byte{0, 255, byte(i)}}[c.Type]
			}
			names, marks, args = append(names, c.Name), append(marks, fmt.Sprint("$", i+1)), append(args, value)
		}
		if _, err := tx.Exec(`INSERT INTO `+t.Name+` (`+strings.Join(names, ", ")+`) VALUES (`+strings.Join(marks, ", ")+`)`, args...); err != nil {
			return err
		}
	}
	return nil
}

// TestMove moves a server and goes on with it: nobody notices.
func TestMove(t *testing.T) {
	ways(t, func(t *testing.T, from, to db.Dialect) {
		h, target := settle(t, from), anew(t, to)
		tables, err := transfer.Move(t.Context(), h.database, target, options())
		if err != nil {
			t.Fatal(err)
		}
		if len(tables) != len(h.filled) {
			t.Errorf("%d tables were moved, and the schema has %d", len(tables), len(h.filled))
		}
		for _, moved := range tables {
			if moved.Rows != h.filled[moved.Name] {
				t.Errorf("%s: %d rows are said to be moved, want %d", moved.Name, moved.Rows, h.filled[moved.Name])
			}
		}
		if diff := cmp.Diff(h.filled, counts(t, target, allTables(t))); diff != "" {
			t.Fatalf("rows (-want +got):\n%s", diff)
		}
		if to == db.SQLite {
			if info, err := os.Stat(target); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("the file: %v %v", info.Mode(), err)
			}
		}
		life(t, target, func(t *testing.T, srv *apitest.Server) { h.goOn(t, srv) })
	})
}

// goOn is what alice and bob find on the moved server.
func (h *household) goOn(t *testing.T, srv *apitest.Server) {
	alice, bob := h.alice, h.bob
	alice.Server, bob.Server = srv, srv
	for _, path := range h.paths() {
		if diff := cmp.Diff(h.answers[path], asked(t, &alice, path)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
	got := alice.Sync(t, "since="+h.since)
	r := got.Rooms.Join[h.room.ID]
	if r == nil || r.Timeline.Limited || len(r.Timeline.Events.Events) != 1 || string(r.Timeline.Events.Events[0].EventID) != h.news || len(got.ToDevice.Events) != 1 {
		t.Errorf("sync does not go on where it was: %s", got.Body)
	}
	if got.OneTimeKeys["signed_curve25519"] != 2 || len(got.FallbackKeys) != 1 {
		t.Errorf("keys: %s", got.Body)
	}
	room := h.room
	sent := room.Send(t, &bob, "after")
	got = alice.Sync(t, "since="+got.NextBatch)
	if r := got.Rooms.Join[h.room.ID]; r == nil || len(r.Timeline.Events.Events) != 1 || r.Timeline.Events.Events[0].EventID != sent {
		t.Errorf("the first message on the moved server: %s", got.Body)
	}
	srv.User(t, "carol") // numbers that the engine chooses are free
	bob.Do(t, "POST", "/_matrix/client/v3/keys/upload", `{"one_time_keys":{"signed_curve25519:C":{"key":"c"}}}`).OK(t, nil)
}

// TestMoveIsRefused holds that nothing is written over, and nothing half done is left.
func TestMoveIsRefused(t *testing.T) {
	h := settle(t, db.SQLite)
	move := func(from, to string) error {
		_, err := transfer.Move(t.Context(), from, to, options())
		return err
	}
	if err := move(filepath.Join(t.TempDir(), "none.db"), anew(t, db.SQLite)); err == nil || !strings.Contains(err.Error(), "there is no database") {
		t.Errorf("no source: %v", err)
	}
	empty := anew(t, db.SQLite)
	inside(t, empty, func(*db.Tx) error { return nil })
	target := anew(t, db.SQLite)
	if err := move(empty, target); err == nil || !strings.Contains(err.Error(), "is empty") {
		t.Errorf("an empty source: %v", err)
	}
	if _, err := os.Stat(target); err == nil {
		t.Error("the file of a refused move is left")
	}
	if err := move(h.database, h.database); !errors.Is(err, db.ErrInUse) {
		t.Errorf("onto itself: %v", err)
	}
	inside(t, h.database, func(tx *db.Tx) error { _, err := tx.Exec(`CREATE TABLE theirs (n BIGINT)`); return err })
	if err := move(h.database, target); err == nil || !strings.Contains(err.Error(), "theirs") {
		t.Errorf("a foreign table: %v", err)
	}
	inside(t, h.database, func(tx *db.Tx) error { _, err := tx.Exec(`DROP TABLE theirs`); return err })
	if err := move(h.database, target); err != nil {
		t.Fatal(err)
	}
	if err := move(h.database, target); !errors.Is(err, transfer.ErrNotEmpty) {
		t.Errorf("a target that is full: %v", err)
	}
	inside(t, h.database, func(tx *db.Tx) error {
		_, err := tx.Exec(`DELETE FROM migrations WHERE number = (SELECT MAX(number) FROM migrations)`)
		return err
	})
	if err := move(h.database, anew(t, db.SQLite)); err == nil || !strings.Contains(err.Error(), "older version") {
		t.Errorf("a source of an older version: %v", err)
	}
	if postgres != nil {
		life(t, anew(t, db.Postgres), func(t *testing.T, srv *apitest.Server) {
			if err := move(srv.App.Config.Database, anew(t, db.SQLite)); !errors.Is(err, db.ErrInUse) || strings.Contains(err.Error(), "://") {
				t.Errorf("from under a server: %v", err)
			}
		})
	}
}

// TestInterruptedMove stops a move half way: the target is as empty as it was, and can
// be used.
func TestInterruptedMove(t *testing.T) {
	for _, to := range []db.Dialect{db.SQLite, db.Postgres} {
		t.Run(string(to), func(t *testing.T) {
			h, target := settle(t, db.SQLite), anew(t, to)
			var all int64
			o := options()
			o.Tell = func(p transfer.Progress) { all = p.Done }
			if _, err := transfer.Move(t.Context(), h.database, anew(t, db.SQLite), o); err != nil {
				t.Fatal(err)
			}
			for _, at := range []int64{1, all / 2, all} {
				d, err := db.Open(t.Context(), db.Options{Database: target, Now: o.Now, Log: o.Log})
				if err != nil {
					t.Fatal(err)
				}
				err = interrupted(t, h.database, d, at)
				if err == nil {
					t.Errorf("after %d of %d rows: not interrupted", at, all)
				}
				if err := d.Close(); err != nil {
					t.Fatal(err)
				}
				for name, n := range counts(t, target, allTables(t)) {
					if n > 0 && name != "stream" {
						t.Errorf("after %d of %d rows: %s has %d", at, all, name, n)
					}
				}
			}
			if _, err := transfer.Move(t.Context(), h.database, target, options()); err != nil {
				t.Errorf("once more: %v", err)
			}
		})
	}
}

// interrupted copies until so many rows were read or checked.
func interrupted(t *testing.T, from string, to *db.DB, at int64) error {
	t.Helper()
	source, err := db.Open(t.Context(), db.Options{Database: from, Now: options().Now, Log: options().Log})
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	_, err = transfer.Copy(ctx, source, to, func(p transfer.Progress) {
		if p.Done >= at {
			stop()
		}
	})
	return err
}
