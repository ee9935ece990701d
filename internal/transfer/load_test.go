package transfer_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/transfer"
)

// busy is a server on which people write while a backup is made.
type busy struct {
	alice, bob  apitest.Client
	room        apitest.Room
	early, late string       // what alice has read up to: before the backup, after it
	before      []id.EventID // acknowledged before the backup began
	whole       []id.EventID // the room's history in the end
	seen        []id.EventID // what alice has seen up to early
	file        string
	afterwards  id.EventID // sent when the backup was made
}

const (
	senders = 3
	enough  = 25 // messages before the backup, and again after it
	wide    = `{"room":{"timeline":{"limit":1000}}}`
)

// work makes a backup in the middle of people's writing.
func (b *busy) work(t *testing.T, srv *apitest.Server) {
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	room := alice.CreateRoom(t).Join(t, bob)
	room.SetState(t, alice, "m.room.encryption", map[string]any{"algorithm": "m.megolm.v1.aes-sha2"})
	for _, u := range []*apitest.Client{alice, bob} {
		u.UploadDeviceKeys(t)
		u.Do(t, "POST", "/_matrix/client/v3/keys/upload", `{"one_time_keys":{"signed_curve25519:A":{"key":"a"}},"fallback_keys":{"signed_curve25519:F":{"key":"f","fallback":true}}}`).OK(t, nil)
	}
	first := alice.Sync(t, "filter="+url.QueryEscape(wide))
	b.early, b.seen = first.NextBatch, events(first, room.ID)

	ctx, stop := context.WithCancel(t.Context())
	acks := make(chan id.EventID)
	var writing sync.WaitGroup
	for n := range senders {
		writing.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				answer, err := bob.Try(t.Context(), "PUT", room.Path(fmt.Sprintf("/send/m.room.message/w%d-%d", n, i)), `{"msgtype":"m.text","body":"x"}`)
				var sent struct {
					EventID id.EventID `json:"event_id"`
				}
				if err != nil || answer.Status != 200 || json.Unmarshal(answer.Body, &sent) != nil {
					t.Errorf("a message was not taken: %v %+v", err, answer)
					return
				}
				select {
				case acks <- sent.EventID:
				case <-ctx.Done():
				}
			}
		})
	}
	for range enough {
		b.before = append(b.before, <-acks)
	}
	made := make(chan error, 1)
	go func() {
		_, err := transfer.Backup(t.Context(), srv.App.DB, b.file, options())
		made <- err
	}()
	// No more than one answer of /sync has.
	during, more := 0, acks
	for waiting := true; waiting; {
		select {
		case <-more:
			if during++; during == enough {
				more = nil
			}
		case err := <-made:
			waiting = false
			if err != nil {
				t.Errorf("the backup: %v", err)
			}
		}
	}
	if during == 0 {
		t.Error("nobody wrote while the backup was made: it held them up, or was too fast to show anything")
	}
	for range enough {
		<-acks
	}
	stop()
	writing.Wait()
	// A key that was in the backup is given out.
	bob.Do(t, "POST", "/_matrix/client/v3/keys/claim", map[string]any{"one_time_keys": map[string]any{string(alice.UserID): map[string]string{"DEVICE1": "signed_curve25519"}}}).OK(t, nil)
	b.afterwards = room.Send(t, bob, "too late")
	b.late = alice.Sync(t, "since="+b.early).NextBatch
	b.whole = history(t, alice, room)
	b.alice, b.bob, b.room = *alice, *bob, *room
}

func events(s *apitest.Sync, room id.RoomID) (ids []id.EventID) {
	if r := s.Rooms.Join[room]; r != nil {
		for _, ev := range r.Timeline.Events.Events {
			ids = append(ids, ev.EventID)
		}
	}
	return ids
}

// history reads a room's history from its beginning.
func history(t *testing.T, c *apitest.Client, room *apitest.Room) (ids []id.EventID) {
	t.Helper()
	from := ""
	for {
		var page struct {
			Chunk []apitest.Event `json:"chunk"`
			End   string          `json:"end"`
		}
		c.Do(t, "GET", room.Path("/messages?dir=f&limit=100"+from), nil).OK(t, &page)
		for _, ev := range page.Chunk {
			ids = append(ids, ev.EventID)
		}
		if page.End == "" || len(page.Chunk) == 0 {
			return ids
		}
		from = "&from=" + page.End
	}
}

// find is what people find on the restored server.
func (b *busy) find(t *testing.T, srv *apitest.Server) {
	alice, bob, room := b.alice, b.bob, b.room
	alice.Server, bob.Server = srv, srv
	got := history(t, &alice, &room)
	if len(got) >= len(b.whole) || !slices.Equal(got, b.whole[:len(got)]) {
		t.Fatalf("the restored history of %d events is no prefix of the %d there were", len(got), len(b.whole))
	}
	for _, ev := range b.before {
		if !slices.Contains(got, ev) {
			t.Errorf("%s was acknowledged before the backup, and is gone", ev)
		}
	}
	if slices.Contains(got, b.afterwards) {
		t.Error("the backup holds what was sent when it was made")
	}
	// A token from before the backup goes on, and skips nothing.
	on := alice.Sync(t, "since="+b.early+"&filter="+url.QueryEscape(wide))
	if diff := cmp.Diff(got, append(slices.Clone(b.seen), events(on, room.ID)...)); diff != "" || on.Rooms.Join[room.ID].Timeline.Limited {
		t.Errorf("with a token from before the backup (-want +got):\n%s", diff)
	}
	// One from after it begins anew.
	anew := alice.Sync(t, "since="+b.late+"&filter="+url.QueryEscape(wide))
	if diff := cmp.Diff(got, events(anew, room.ID)); diff != "" || !anew.Rooms.Join[room.ID].Timeline.Limited {
		t.Errorf("with a token from after the backup (-want +got):\n%s", diff)
	}
	sent := room.Send(t, &bob, "first")
	for _, s := range []*apitest.Sync{on, anew} {
		if got := events(alice.Sync(t, "since="+s.NextBatch), room.ID); !slices.Equal(got, []id.EventID{sent}) {
			t.Errorf("the first message after the restore: %v", got)
		}
		for _, u := range []id.UserID{alice.UserID, bob.UserID} {
			if !slices.Contains(s.DeviceLists.Changed, u) {
				t.Errorf("%s's devices are not to be looked up: %s", u, s.Body)
			}
		}
		if n, ok := s.OneTimeKeys["signed_curve25519"]; !ok || n != 0 || len(s.FallbackKeys) != 0 {
			t.Errorf("keys are left: %s", s.Body)
		}
	}
	// The token from after the backup stays one, however far the stream has gone.
	if !alice.Sync(t, "since="+b.late).Rooms.Join[room.ID].Timeline.Limited {
		t.Error("the token from after the backup is taken for a new one")
	}
	claim := func() string {
		return string(bob.Do(t, "POST", "/_matrix/client/v3/keys/claim", map[string]any{"one_time_keys": map[string]any{string(alice.UserID): map[string]string{"DEVICE1": "signed_curve25519"}}}).OK(t, nil).Body)
	}
	if got := claim(); got != `{"failures":{},"one_time_keys":{}}` && got != `{"one_time_keys":{},"failures":{}}` {
		t.Errorf("a key from the backup is given out: %s", got)
	}
	alice.Do(t, "POST", "/_matrix/client/v3/keys/upload", `{"one_time_keys":{"signed_curve25519:N":{"key":"new"}}}`).OK(t, nil)
	if got := claim(); !json.Valid([]byte(got)) || !slices.Contains(keysIn(got), "signed_curve25519:N") {
		t.Errorf("a new key: %s", got)
	}
}

func keysIn(claimed string) (keys []string) {
	var got struct {
		OneTimeKeys map[id.UserID]map[id.DeviceID]map[string]any `json:"one_time_keys"`
	}
	_ = json.Unmarshal([]byte(claimed), &got) // no keys, then
	for _, devices := range got.OneTimeKeys {
		for _, list := range devices {
			for k := range list {
				keys = append(keys, k)
			}
		}
	}
	return keys
}

// TestK18_ABackupUnderLoadRestores makes backups on both engines, and restores them on
// both.
func TestK18_ABackupUnderLoadRestores(t *testing.T) {
	for _, from := range []db.Dialect{db.SQLite, db.Postgres} {
		t.Run("from "+string(from), func(t *testing.T) {
			b := &busy{file: filepath.Join(t.TempDir(), "backup.db")}
			life(t, anew(t, from), b.work)
			if info, err := os.Stat(b.file); err != nil || info.Mode().Perm() != 0o600 {
				t.Fatalf("the backup: %v %v", info, err)
			}
			left, err := filepath.Glob(b.file + "?*")
			if err != nil || len(left) > 0 {
				t.Errorf("beside the backup: %v %v", left, err)
			}
			for _, to := range []db.Dialect{db.SQLite, db.Postgres} {
				t.Run("to "+string(to), func(t *testing.T) {
					target := anew(t, to)
					done, err := transfer.Restore(t.Context(), transfer.Restoring{File: b.file, Database: target, Folder: t.TempDir()}, options())
					if err != nil {
						t.Fatal(err)
					}
					if done.Keys != 4 || done.Users != 2 || done.Aside != "" {
						t.Errorf("%d keys were deleted and %d users are to be looked up, want 4 and 2; aside is %q", done.Keys, done.Users, done.Aside)
					}
					life(t, target, b.find)
				})
			}
		})
	}
}
