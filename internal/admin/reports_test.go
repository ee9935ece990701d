package admin_test

import (
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/errcode"
)

func TestListReports(t *testing.T) {
	srv := apitest.New(t)
	root, alice, bob := srv.Administrator(t, "root"), srv.User(t, "alice"), srv.User(t, "bob")
	room := alice.CreateRoom(t).Join(t, bob)
	message := room.Send(t, alice, "rude words")
	bob.Do(t, "POST", room.Path("/report/"+apitest.Escape(message)), `{"reason":"rude"}`).OK(t, nil)
	bob.Do(t, "POST", room.Path("/report"), `{"reason":"noisy"}`).OK(t, nil)

	const path = "/_narthex/admin/v1/reports"
	type page struct {
		Reports []struct {
			Reporter, Reason string
			RoomID           string `json:"room_id"`
			EventID          string `json:"event_id"`
		}
		NextFrom string `json:"next_from"`
	}
	var first, second page
	root.Do(t, "GET", path+"?limit=1", nil).OK(t, &first)
	if len(first.Reports) != 1 || first.Reports[0].Reason != "noisy" || first.Reports[0].RoomID != string(room.ID) {
		t.Fatalf("the newest report: %+v", first)
	}
	root.Do(t, "GET", path+"?limit=1&from="+first.NextFrom, nil).OK(t, &second)
	if len(second.Reports) != 1 || second.Reports[0].EventID != string(message) || second.Reports[0].Reporter != string(bob.UserID) || second.NextFrom != "" {
		t.Errorf("the other report: %+v", second)
	}
	apitest.Run(t, []apitest.Case{
		{Name: "not for everyone", As: bob, Do: "GET", Path: path, Want: errcode.Forbidden},
		{Name: "a negative limit", As: root, Do: "GET", Path: path + "?limit=-1", Want: errcode.InvalidParam},
		{Name: "a word", As: root, Do: "GET", Path: path + "?from=x", Want: errcode.InvalidParam},
	})
}
