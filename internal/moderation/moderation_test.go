package moderation_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/moderation"
)

func TestMain(m *testing.M) { apitest.Main(m) }

func TestReports(t *testing.T) {
	srv := apitest.New(t)
	alice, bob, eve := srv.User(t, "alice"), srv.User(t, "bob"), srv.User(t, "eve")
	room := alice.CreateRoom(t)
	room.SetState(t, alice, "m.room.history_visibility", map[string]any{"history_visibility": "joined"})
	unseen := room.Send(t, alice, "before bob came")
	room.Join(t, bob)
	seen := room.Send(t, alice, "rude")
	event := func(e id.EventID) string { return room.Path("/report/" + apitest.Escape(e)) }
	user := func(u id.UserID) string { return "/_matrix/client/v3/users/" + apitest.Escape(u) + "/report" }
	const unknownRoom = "/_matrix/client/v3/rooms/!nothing:narthex.test"
	apitest.Run(t, []apitest.Case{
		{Name: "a room", As: eve, Do: "POST", Path: room.Path("/report"), Body: `{"reason":"spam"}`},
		{Name: "a room, by an unstable path", As: bob, Do: "POST", Path: "/_matrix/client/unstable/org.matrix.msc4151/rooms/" + apitest.Escape(room.ID) + "/report", Body: `{"reason":""}`},
		{Name: "no room", As: eve, Do: "POST", Path: unknownRoom + "/report", Body: `{"reason":"spam"}`},
		{Name: "a room without a reason", As: eve, Do: "POST", Path: room.Path("/report"), Body: `{}`, Want: errcode.MissingParam},
		{Name: "an event", As: bob, Do: "POST", Path: event(seen), Body: `{"reason":"rude","score":-100}`},
		{Name: "an event again", As: bob, Do: "POST", Path: event(seen), Body: `{"reason":"very rude"}`},
		{Name: "an event that one may not see", As: bob, Do: "POST", Path: event(unseen), Body: `{}`, Want: errcode.NotFound},
		{Name: "an event of a room that one is not in", As: eve, Do: "POST", Path: event(seen), Body: `{}`, Want: errcode.NotFound},
		{Name: "no event", As: bob, Do: "POST", Path: event("$nothing"), Body: `{}`, Want: errcode.NotFound},
		{Name: "no event of no room", As: bob, Do: "POST", Path: unknownRoom + "/report/$nothing", Body: `{}`, Want: errcode.NotFound},
		{Name: "a user", As: eve, Do: "POST", Path: user(alice.UserID), Body: `{"reason":"rude\u0000"}`},
		{Name: "no user", As: eve, Do: "POST", Path: user("@nobody:narthex.test"), Body: `{"reason":"x"}`, Want: errcode.NotFound},
		{Name: "a user of another server", As: eve, Do: "POST", Path: user("@alice:example.org"), Body: `{"reason":"x"}`, Want: errcode.NotFound},
		{Name: "a user without a reason", As: eve, Do: "POST", Path: user(alice.UserID), Body: `{}`, Want: errcode.MissingParam},
		{Name: "a reason that is no text", As: bob, Do: "POST", Path: event(seen), Body: `{"reason":7}`, Want: errcode.BadJSON},
		{Name: "a room's name", As: bob, Do: "POST", Path: "/_matrix/client/v3/rooms/nothing/report", Body: `{"reason":"x"}`, Want: errcode.InvalidParam},
		{Name: "an event's name", As: bob, Do: "POST", Path: event("nothing"), Body: `{}`, Want: errcode.InvalidParam},
		{Name: "a user's name", As: bob, Do: "POST", Path: user("nobody"), Body: `{"reason":"x"}`, Want: errcode.InvalidParam},
		{Name: "a long reason", As: bob, Do: "POST", Path: event(seen), Body: `{"reason":"` + strings.Repeat("x", 9000) + `"}`, Want: errcode.TooLarge},
		{Name: "a long reason for a room", As: bob, Do: "POST", Path: room.Path("/report"), Body: `{"reason":"` + strings.Repeat("x", 9000) + `"}`, Want: errcode.TooLarge},
		{Name: "a long reason for a user", As: bob, Do: "POST", Path: user(alice.UserID), Body: `{"reason":"` + strings.Repeat("x", 9000) + `"}`, Want: errcode.TooLarge},
		{Name: "by nobody", As: srv.Anyone(), Do: "POST", Path: event(seen), Body: `{}`, Want: errcode.MissingToken},
	})
	reports := moderation.New(moderation.Deps{DB: srv.App.DB})
	list := func(before int64, limit int) (out []moderation.Report) {
		t.Helper()
		err := srv.App.DB.Read(t.Context(), func(tx *db.Tx) (err error) {
			out, err = reports.Reports(tx, before, limit)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	got := list(0, 10)
	want := []moderation.Report{
		{Reporter: eve.UserID, UserID: alice.UserID, Reason: "rude"},
		{Reporter: bob.UserID, RoomID: room.ID, EventID: seen, UserID: alice.UserID, Reason: "very rude"},
		{Reporter: bob.UserID, RoomID: room.ID},
		{Reporter: eve.UserID, RoomID: room.ID, Reason: "spam"},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(moderation.Report{}, "ID", "Created")); diff != "" {
		t.Errorf("reports (-want +got):\n%s", diff)
	}
	if rest := list(got[1].ID, 1); len(rest) != 1 || rest[0].ID != got[2].ID {
		t.Errorf("the next page: got %+v, want the report %d", rest, got[2].ID)
	}
}
