package e2ee_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
)

// TestClaimedAtOnceAKeyGoesToOne has 16 claimers take 4,000 keys of four devices at once.
// Each key comes once, and nobody goes without while one remains (K6).
func TestClaimedAtOnceAKeyGoesToOne(t *testing.T) {
	const claimers, devices, keys = 16, 4, 1000
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	wanted := map[string]string{}
	for i := range devices {
		device := srv.Device(t, alice.UserID, id.DeviceID(fmt.Sprint("D", i)))
		device.Do(t, "POST", upload, oneTime(0, keys)).OK(t, nil)
		wanted[string(device.DeviceID)] = "signed_curve25519"
	}
	body := map[string]any{"one_time_keys": map[string]any{string(alice.UserID): wanted}}
	var mu sync.Mutex
	var wait sync.WaitGroup
	var tickets atomic.Int64 // as many requests as keys of each device
	seen := map[string]int{}
	order := map[id.DeviceID][]string{} // as one of them got them
	for i := range claimers {
		wait.Go(func() {
			for tickets.Add(1) <= keys {
				r, err := bob.Try(t.Context(), "POST", claims, body)
				var got claimed
				if err != nil || json.Unmarshal(r.Body, &got) != nil {
					t.Error(r, err)
					return
				}
				mu.Lock()
				for device, keys := range got.Keys[alice.UserID] {
					for name := range keys {
						seen[string(device)+" "+name]++
						if i == 0 {
							order[device] = append(order[device], name)
						}
					}
				}
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	for name, times := range seen {
		if times != 1 {
			t.Errorf("%s was claimed %d times", name, times)
		}
	}
	if len(seen) != devices*keys {
		t.Errorf("%d keys were claimed, want %d", len(seen), devices*keys)
	}
	for device, names := range order {
		if !slices.IsSorted(names) {
			t.Errorf("the keys of %s came in another order than that of their upload", device)
		}
	}
}

// TestKeysAreGivenInTheOrderOfUpload holds MSC4225 over several uploads.
func TestKeysAreGivenInTheOrderOfUpload(t *testing.T) {
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	for _, from := range []int{700, 300, 500} {
		alice.Do(t, "POST", upload, oneTime(from, 2)).OK(t, nil)
	}
	for _, want := range []string{"key700", "key701", "key300", "key301", "key500", "key501", ""} {
		if got := claimOne(t, bob, "DEVICE1"); got != want {
			t.Errorf("claiming: got %q, want %q", got, want)
		}
	}
}

// TestARepeatedUploadBringsNoKeyBack has a client whose answer was lost, and some of
// whose keys were claimed before it tried again (K6, K7).
func TestARepeatedUploadBringsNoKeyBack(t *testing.T) {
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	alice.Do(t, "POST", upload, oneTime(0, 3)).OK(t, nil)
	if got := claimOne(t, bob, "DEVICE1"); got != "key0" {
		t.Fatalf("got %q", got)
	}
	var counts struct {
		Counts map[string]int `json:"one_time_key_counts"`
	}
	alice.Do(t, "POST", upload, oneTime(0, 3)).OK(t, &counts)
	if counts.Counts["signed_curve25519"] != 2 {
		t.Errorf("after the repeated upload there are %v keys, want 2", counts.Counts)
	}
	// Another key under the id of one that is gone is a new key.
	alice.Do(t, "POST", upload, `{"one_time_keys":{"signed_curve25519:K0000":{"key":"new"}}}`).OK(t, nil)
	for _, want := range []string{"key1", "key2", "new", ""} {
		if got := claimOne(t, bob, "DEVICE1"); got != want {
			t.Errorf("claiming: got %q, want %q", got, want)
		}
	}
	srv.Advance(25 * 3600e9)
	srv.RunJobs(t)
	if n := count(t, srv, `SELECT COUNT(*) FROM one_time_keys`); n != 0 {
		t.Errorf("after a day %d claimed keys are kept", n)
	}
}

// count gives the number that a query counts.
func count(t *testing.T, srv *apitest.Server, query string, args ...any) (n int64) {
	t.Helper()
	err := srv.App.DB.Read(t.Context(), func(tx *db.Tx) (err error) {
		n, err = db.Value[int64](tx, query, args...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}
