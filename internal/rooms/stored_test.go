package rooms_test

import (
	"encoding/json"
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/rooms"
)

var versions = []string{"1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12"}

// stored gives every event of a room, as it is in the database.
func stored(t *testing.T, srv *apitest.Server, room id.RoomID) (events []rooms.Stored) {
	t.Helper()
	srv.Read(t, func(tx *db.Tx) (err error) {
		events, err = db.All(tx, rooms.ScanEvent, `SELECT `+rooms.Columns+` FROM events e JOIN rooms r ON r.room_id = e.room_id WHERE e.room_id = $1 ORDER BY e.pos`, room)
		return err
	})
	return events
}

// count is how many events of a type a room has.
func count(t *testing.T, srv *apitest.Server, room *apitest.Room, eventType string) (n int) {
	t.Helper()
	for _, ev := range stored(t, srv, room.ID) {
		if ev.Type == eventType {
			n++
		}
	}
	return n
}

// clientEvents gives every event of a room in the form for a client.
func clientEvents(t *testing.T, srv *apitest.Server, room *apitest.Room, as *apitest.Client) map[id.EventID]map[string]any {
	t.Helper()
	events := stored(t, srv, room.ID)
	out := map[id.EventID]map[string]any{}
	srv.Read(t, func(tx *db.Tx) error {
		written, err := srv.App.Rooms.ClientEvents(tx, rooms.Viewer{UserID: as.UserID, DeviceID: as.DeviceID}, events)
		if err != nil {
			return err
		}
		for i, raw := range written {
			var ev map[string]any
			if err := json.Unmarshal(raw, &ev); err != nil {
				t.Fatalf("%v in %s", err, raw)
			}
			out[events[i].ID] = ev
		}
		return nil
	})
	return out
}

// token is the position of an event, as clients name it.
func token(t *testing.T, srv *apitest.Server, room *apitest.Room, event id.EventID) (token string) {
	t.Helper()
	srv.Read(t, func(tx *db.Tx) error {
		st, err := srv.App.Rooms.EventByID(tx, room.ID, event)
		token = rooms.Token(st.Pos)
		return err
	})
	return token
}
