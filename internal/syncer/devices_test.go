package syncer_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/id"
)

// tell sends messages to devices; the content says the number of each.
func tell(t *testing.T, from *apitest.Client, txn string, to map[id.UserID][]id.DeviceID) {
	t.Helper()
	messages := map[id.UserID]map[id.DeviceID]any{}
	for u, devices := range to {
		messages[u] = map[id.DeviceID]any{}
		for _, d := range devices {
			messages[u][d] = map[string]any{"n": txn}
		}
	}
	from.Do(t, "PUT", "/_matrix/client/v3/sendToDevice/m.test/"+txn, map[string]any{"messages": messages}).OK(t, nil)
}

func told(s *apitest.Sync) (all []string) {
	for _, ev := range s.ToDevice.Events {
		var content struct{ N string }
		decode(ev.Content, &content)
		all = append(all, content.N)
	}
	return all
}

func TestMessagesToDevices(t *testing.T) {
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	other := srv.Device(t, bob.UserID, "DEVICE2")
	since := bob.Sync(t, "").NextBatch
	tell(t, alice, "one", map[id.UserID][]id.DeviceID{bob.UserID: {bob.DeviceID}})
	first := bob.Sync(t, "since="+since)
	same(t, "to the device", []string{"one"}, told(first))
	same(t, "its sender", alice.UserID, first.ToDevice.Events[0].Sender)
	same(t, "to another device", []string(nil), told(other.Sync(t, "")))
	// The answer may have been lost: it comes again until its token is used.
	same(t, "again", []string{"one"}, told(bob.Sync(t, "since="+since)))
	bob.Sync(t, "since=s9223372036854775807") // shows nothing
	same(t, "and again", []string{"one"}, told(bob.Sync(t, "since="+since)))
	same(t, "then no more", []string(nil), told(bob.Sync(t, "since="+first.NextBatch)))
	same(t, "at all", []string(nil), told(bob.Sync(t, "since="+since)))
}

func TestMoreMessagesToADeviceThanFit(t *testing.T) {
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	room, hall := alice.CreateRoom(t).Join(t, bob), alice.CreateRoom(t)
	r := &reader{Client: bob, room: room, filter: `{"presence":{"types":[]}}`}
	if err := r.step(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	var want []string
	for i := range 450 {
		txn := fmt.Sprint("m", i)
		tell(t, alice, txn, map[id.UserID][]id.DeviceID{bob.UserID: {bob.DeviceID}})
		want = append(want, txn)
		switch i {
		case 10:
			room.Send(t, alice, "early")
		case 150:
			hall.Join(t, bob)
		case 250:
			bob.Do(t, "POST", hall.Path("/leave"), `{}`).OK(t, nil)
			bob.Do(t, "POST", room.Path("/leave"), `{}`).OK(t, nil)
			room.Join(t, bob).Send(t, alice, "late")
		}
	}
	var got, seen []string
	for range 4 {
		s, err := get[apitest.Sync](context.WithoutCancel(t.Context()), bob, syncPath+"?since="+r.since)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, told(&s)...)
		if joined := s.Rooms.Join[room.ID]; joined != nil {
			seen = append(seen, bodies(joined.Timeline.Events)...)
		}
		for name, section := range map[string]map[id.RoomID]*apitest.SyncRoom{"in the hall": s.Rooms.Join, "out of the hall": s.Rooms.Leave} {
			if section[hall.ID] != nil {
				seen = append(seen, name)
			}
		}
		r.since = s.NextBatch
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
	slices.Sort(seen)
	same(t, "what came with them", []string{"early", "in the hall", "join bob", "late", "leave bob", "out of the hall"}, seen)
}

func TestCountsOfKeys(t *testing.T) {
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	none := alice.Sync(t, "")
	same(t, "none", map[string]int{"signed_curve25519": 0}, none.OneTimeKeys)
	same(t, "no fallback key", []string{}, none.FallbackKeys)
	alice.Do(t, "POST", "/_matrix/client/v3/keys/upload", `{"one_time_keys":{"signed_curve25519:A":{"key":"1"},"signed_curve25519:B":{"key":"2"}},
		"fallback_keys":{"signed_curve25519:C":{"key":"3","fallback":true}}}`).OK(t, nil)
	claim := fmt.Sprintf(`{"one_time_keys":{%q:{"DEVICE1":"signed_curve25519"}}}`, alice.UserID)
	for _, want := range []int{2, 1, 0} {
		got := alice.Sync(t, "since="+none.NextBatch)
		same(t, "one-time keys", want, got.OneTimeKeys["signed_curve25519"])
		same(t, "fallback key", []string{"signed_curve25519"}, got.FallbackKeys)
		bob.Do(t, "POST", "/_matrix/client/v3/keys/claim", claim).OK(t, nil)
	}
	same(t, "a used fallback key", []string{}, alice.Sync(t, "timeout=20&since="+alice.Sync(t, "").NextBatch).FallbackKeys)
}
