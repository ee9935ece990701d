package notices_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
)

func TestMain(m *testing.M) { apitest.Main(m) }

type object = map[string]any

const (
	noticePath   = "/_synapse/admin/v1/send_server_notice"
	registerPath = "/_matrix/client/v3/register"
)

func userID(localpart string) id.UserID {
	return id.UserID("@" + localpart + ":" + string(apitest.ServerName))
}

// approvalRequired configures a server whose new accounts wait, with a reason.
func approvalRequired(cfg *config.Config) {
	cfg.Approval.Enabled, cfg.Approval.RequiredForNewAccounts, cfg.Approval.Reason = true, true, "optional"
}

// wait makes an account that waits.
func wait(t *testing.T, srv *apitest.Server, username, reason string) {
	t.Helper()
	r := srv.Anyone().Do(t, "POST", registerPath, object{"username": username, "password": apitest.Password,
		"auth": object{"type": "m.login.dummy"}, "io.github.narthex-matrix.reason": reason})
	if r.Status != 403 {
		t.Fatalf("got %d %s", r.Status, r.Body)
	}
}

// notify sends a notice to a user.
func notify(t *testing.T, root *apitest.Client, user id.UserID, text string) *apitest.Response {
	t.Helper()
	return root.Do(t, "POST", noticePath, object{"user_id": user, "content": object{"msgtype": "m.text", "body": text}})
}

// invite is an invitation to a room with notices, as /sync shows it.
type invite struct {
	Room          id.RoomID
	Sender        id.UserID
	Direct        bool
	Name, Speaker string
}

// invites are the rooms that a user is invited to.
func invites(t *testing.T, c *apitest.Client) (all []invite) {
	t.Helper()
	var answer struct {
		Rooms struct {
			Invite map[id.RoomID]struct {
				State struct {
					Events []struct {
						Type     string `json:"type"`
						StateKey string `json:"state_key"`
						Sender   id.UserID
						Content  struct {
							Name        string `json:"name"`
							DisplayName string `json:"displayname"`
							IsDirect    bool   `json:"is_direct"`
						} `json:"content"`
					} `json:"events"`
				} `json:"invite_state"`
			} `json:"invite"`
		} `json:"rooms"`
	}
	if err := json.Unmarshal(c.Do(t, "GET", "/_matrix/client/v3/sync", nil).OK(t, nil).Body, &answer); err != nil {
		t.Fatal(err)
	}
	for roomID, r := range answer.Rooms.Invite {
		i := invite{Room: roomID}
		for _, e := range r.State.Events {
			switch {
			case e.Type == "m.room.name":
				i.Name = e.Content.Name
			case e.Type == "m.room.member" && e.StateKey == string(c.UserID):
				i.Sender, i.Direct = e.Sender, e.Content.IsDirect
			case e.Type == "m.room.member":
				i.Speaker = e.Content.DisplayName
			}
		}
		all = append(all, i)
	}
	return all
}

// roomOf is the room with notices of a user, which they are invited to or in.
func roomOf(t *testing.T, srv *apitest.Server, user id.UserID) (roomID id.RoomID) {
	t.Helper()
	srv.Read(t, func(tx *db.Tx) (err error) {
		roomID, err = db.Value[id.RoomID](tx, `SELECT room_id FROM notice_rooms WHERE user_id = $1`, user)
		return err
	})
	return roomID
}

func path(roomID id.RoomID, rest string) string {
	return "/_matrix/client/v3/rooms/" + apitest.Escape(roomID) + rest
}

// texts are what the server has said to a user, who joins the room to read it, the
// oldest first.
func texts(t *testing.T, srv *apitest.Server, c *apitest.Client) (bodies []string) {
	t.Helper()
	roomID := roomOf(t, srv, c.UserID)
	c.Do(t, "POST", path(roomID, "/join"), object{}).OK(t, nil)
	var page struct {
		Chunk []struct {
			Type    string
			Sender  id.UserID
			Content struct{ Body string }
		}
	}
	if err := json.Unmarshal(c.Do(t, "GET", path(roomID, "/messages?dir=f&limit=100"), nil).OK(t, nil).Body, &page); err != nil {
		t.Fatal(err)
	}
	for _, e := range page.Chunk {
		if e.Type == "m.room.message" {
			bodies = append(bodies, e.Content.Body)
		}
	}
	return bodies
}

// settle works the jobs, and those that follow from them.
func settle(t *testing.T, srv *apitest.Server) {
	t.Helper()
	for range 2 {
		srv.RunJobs(t)
		srv.Advance(20 * time.Second) // what a mail waits for before a job sends it
	}
	srv.RunJobs(t)
}
