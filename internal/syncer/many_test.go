package syncer_test

import (
	"fmt"
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/id"
)

// TestManyRooms has more rooms than are in memory at once, and news at as many positions as
// are looked at one by one, and at more.
func TestManyRooms(t *testing.T) {
	const n = 70
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	list := make([]*apitest.Room, n)
	for i := range list {
		list[i] = alice.CreateRoom(t, map[string]any{"name": fmt.Sprint("room ", i)})
	}
	first := alice.Sync(t, "")
	if len(first.Rooms.Join) != n {
		t.Fatalf("the first sync has %d rooms, %d are wanted", len(first.Rooms.Join), n)
	}
	for i, room := range list {
		// The name is in the state, or among the newest events.
		j := first.Rooms.Join[room.ID]
		got := append(bodies(*j.State), bodies(j.Timeline.Events)...)
		named := 0
		for _, text := range got {
			if text == fmt.Sprint("name room ", i) {
				named++
			}
		}
		if named != 1 {
			t.Errorf("room %d has its name %d times: %v", i, named, got)
		}
	}
	since := first.NextBatch
	for _, times := range []int{1, 8} {
		want := map[id.RoomID][]string{}
		for i, room := range list {
			for j := range times {
				text := fmt.Sprint("text ", i, " ", j)
				room.Send(t, alice, text)
				want[room.ID] = append(want[room.ID], text)
			}
		}
		next := alice.Sync(t, "since="+since)
		got := map[id.RoomID][]string{}
		for roomID, j := range next.Rooms.Join {
			got[roomID] = bodies(j.Timeline.Events)
		}
		same(t, fmt.Sprint("news, ", times, " in each"), want, got)
		since = next.NextBatch
	}
	list[n-1].Send(t, alice, "last")
	last := alice.Sync(t, "since="+since)
	if len(last.Rooms.Join) != 1 {
		t.Errorf("%d rooms have news, 1 is wanted", len(last.Rooms.Join))
	}
}
