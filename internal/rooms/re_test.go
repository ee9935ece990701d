package rooms_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/id"
)

// The tests in the files re_*.go hold the answers of the room endpoints, line by
// line. Each line has a number, RE-1 to RE-98, which is in the name of its test.

// elsewhere names where the lines are tested that are about other packages, and
// says why some have no test.
var elsewhere = map[int]string{
	2:  "errcode: the name of the unstable member",
	4:  "discovery: /versions has no flag for it",
	19: "not testable without other servers: a server that cannot do the version is remote",
	73: "there are no server notices",
	81: "ephemeral: typing",
	82: "ephemeral: receipts and read markers",
	84: "timeline: event and relations",
	90: "directory: the list of published rooms",
	92: "there are no federation endpoints",
}

func TestEveryLineHasATest(t *testing.T) {
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	tested := map[int]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range regexp.MustCompile(`"(RE-\d+ )+`).FindAll(text, -1) {
			for _, number := range regexp.MustCompile(`\d+`).FindAll(name, -1) {
				n, _ := strconv.Atoi(string(number))
				tested[n] = true
			}
		}
	}
	for n := 1; n <= 98; n++ {
		if !tested[n] && elsewhere[n] == "" {
			t.Errorf("RE-%d has no test", n)
		}
	}
}

// modes are the wire forms in which the codes of MSC3848 go out.
var modes = []string{"unstable", "stable", "off"}

// inEveryMode runs a test once for each wire form.
func inEveryMode(t *testing.T, f func(t *testing.T, srv *apitest.Server)) {
	t.Helper()
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) {
			f(t, apitest.New(t, func(cfg *config.Config) { cfg.MSC3848.Mode = mode }))
		})
	}
}

// house is a room with people of every kind. Its creator made a moderator with
// level 50 and gave the room levels that tell its actions apart.
type house struct {
	*apitest.Room
	creator, moderator, member         *apitest.Client
	invited, knocked, left, kicked     *apitest.Client
	banned, stranger                   *apitest.Client
	bannedAbove, newcomer, anotherUser *apitest.Client
}

// newHouse makes a room of version 11, where the creator's level is 100.
func newHouse(t *testing.T, srv *apitest.Server) house {
	t.Helper()
	h := house{
		creator: srv.User(t, "creator"), moderator: srv.User(t, "moderator"), member: srv.User(t, "member"),
		invited: srv.User(t, "invited"), knocked: srv.User(t, "knocked"), left: srv.User(t, "left"), kicked: srv.User(t, "kicked"),
		banned: srv.User(t, "banned"), stranger: srv.User(t, "stranger"),
		bannedAbove: srv.User(t, "above"), newcomer: srv.User(t, "newcomer"), anotherUser: srv.User(t, "another"),
	}
	h.Room = h.creator.CreateRoom(t, map[string]any{
		"preset": "public_chat", "room_version": "11",
		"power_level_content_override": map[string]any{"invite": 20, "kick": 40, "ban": 30, "users": map[string]int{
			string(h.creator.UserID): 100, string(h.moderator.UserID): 50, string(h.bannedAbove.UserID): 60,
		}},
	})
	h.Join(t, h.moderator, h.member, h.left, h.kicked, h.banned, h.bannedAbove)
	h.left.Do(t, "POST", h.Path("/leave"), nil).OK(t, nil)
	h.SetState(t, h.creator, "m.room.join_rules", map[string]any{"join_rule": "knock"})
	h.knocked.Do(t, "POST", knock(h.ID), nil).OK(t, nil)
	h.Invite(t, h.invited)
	h.act(t, h.creator, "kick", h.kicked).OK(t, nil)
	h.act(t, h.creator, "ban", h.banned).OK(t, nil)
	h.act(t, h.creator, "ban", h.bannedAbove).OK(t, nil)
	return h
}

func (h house) act(t testing.TB, as *apitest.Client, action string, on *apitest.Client) *apitest.Response {
	t.Helper()
	return as.Do(t, "POST", h.Path("/"+action), map[string]any{"user_id": on.UserID})
}

// outsiders are all who are not joined, by what they are.
func (h house) outsiders() map[string]*apitest.Client {
	return map[string]*apitest.Client{
		"invited": h.invited, "knocked": h.knocked, "left": h.left, "kicked": h.kicked, "banned": h.banned, "never a member": h.stranger,
	}
}

// notJoined is one case for each outsider, and one for a room that does not exist.
func (h house) notJoined(name, method, path string, body any) []apitest.Case {
	cases := []apitest.Case{{Name: name + ", unknown room", As: h.member, Do: method, Path: roomPath(nowhere) + path, Body: body, Want: errcode.NotJoined}}
	for what, as := range h.outsiders() {
		cases = append(cases, apitest.Case{Name: name + ", " + what, As: as, Do: method, Path: h.Path(path), Body: body, Want: errcode.NotJoined})
	}
	return cases
}

// memberPath is the path of somebody's membership as state.
func (h house) memberPath(of *apitest.Client) string {
	return h.Path("/state/m.room.member/" + apitest.Escape(of.UserID))
}

// nowhere is the id of a room that does not exist.
const nowhere id.RoomID = "!nowhere:narthex.test"

func roomPath(room id.RoomID) string { return "/_matrix/client/v3/rooms/" + apitest.Escape(room) }

func join[S ~string](room S) string { return "/_matrix/client/v3/join/" + apitest.Escape(room) }

func knock[S ~string](room S) string { return "/_matrix/client/v3/knock/" + apitest.Escape(room) }

func user(c *apitest.Client) map[string]any { return map[string]any{"user_id": c.UserID} }

func membership(m string) map[string]any { return map[string]any{"membership": m} }

// is fails the test unless the user's membership is the one wanted.
func (h house) is(t *testing.T, who *apitest.Client, want string) {
	t.Helper()
	membershipIs(t, h.Room, who, want)
}

func membershipIs(t *testing.T, room *apitest.Room, who *apitest.Client, want string) {
	t.Helper()
	var got struct {
		Membership string `json:"membership"`
	}
	room.Creator.Do(t, "GET", room.Path("/state/m.room.member/"+apitest.Escape(who.UserID)), nil).OK(t, &got)
	if got.Membership != want {
		t.Errorf("the membership of %s is %q, want %q", who.UserID, got.Membership, want)
	}
}

// eventID is the event_id of an answer.
func eventID(t *testing.T, r *apitest.Response) id.EventID {
	t.Helper()
	var sent struct {
		EventID id.EventID `json:"event_id"`
	}
	r.OK(t, &sent)
	if sent.EventID == "" {
		t.Fatalf("no event_id in %s", r.Body)
	}
	return sent.EventID
}
