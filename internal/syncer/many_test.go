package syncer_test

import (
	"fmt"
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
)

// TestManyRooms has more rooms than are in memory at once, and more news than positions
// are counted.
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
	for i, room := range list {
		room.Send(t, alice, fmt.Sprint("text ", i))
	}
	next := alice.Sync(t, "since="+first.NextBatch)
	for i, room := range list {
		same(t, fmt.Sprint("news of room ", i), []string{fmt.Sprint("text ", i)}, bodies(next.Rooms.Join[room.ID].Timeline.Events))
	}
	list[n-1].Send(t, alice, "last")
	last := alice.Sync(t, "since="+next.NextBatch)
	if len(last.Rooms.Join) != 1 {
		t.Errorf("%d rooms have news, 1 is wanted", len(last.Rooms.Join))
	}
}
