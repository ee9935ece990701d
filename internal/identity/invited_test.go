package identity_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/errcode"
)

// The tests of this file play what an invite by mail address is for, through the
// homeserver and the identity service of one process, and a mail server.

// neighbours is such a process, with a user who invites people.
type neighbours struct {
	service
	alice      *apitest.Client
	aliceToken string // at the identity service
	room       *apitest.Room
}

func newNeighbours(t *testing.T, version string, change ...func(*config.Config)) neighbours {
	t.Helper()
	n := neighbours{service: start(t, append(change, withClient)...)}
	n.alice = n.User(t, "alice")
	n.aliceToken = n.local(t, n.alice).Token
	n.room = n.alice.CreateRoom(t, map[string]any{"room_version": version, "preset": "private_chat", "name": "Allotments"})
	return n
}

// local is a user of the homeserver with a token of the identity service.
func (s service) local(t *testing.T, user *apitest.Client) *apitest.Client {
	t.Helper()
	var openID apitest.Object
	user.Do(t, "POST", "/_matrix/client/v3/user/"+string(user.UserID)+"/openid/request_token", "{}").OK(t, &openID)
	c := s.Anyone()
	c.UserID, c.Token = user.UserID, s.register(t, openID)
	return c
}

// invite has Alice invite an address.
func (n neighbours) invite(t *testing.T, address string) *apitest.Response {
	t.Helper()
	return n.alice.Do(t, "POST", n.room.Path("/invite"), apitest.Object{
		"medium": "email", "address": address, "id_server": apitest.ServerName, "id_access_token": n.aliceToken,
	})
}

// signUp registers somebody at the homeserver.
func (n neighbours) signUp(t *testing.T, localpart string) *apitest.Client {
	t.Helper()
	c := n.Anyone()
	var got struct {
		UserID      string `json:"user_id"`
		AccessToken string `json:"access_token"`
	}
	n.Anyone().Do(t, "POST", "/_matrix/client/v3/register", apitest.Object{
		"username": localpart, "password": apitest.Password, "auth": apitest.Object{"type": "m.login.dummy"},
	}).OK(t, &got)
	c.Token = got.AccessToken
	if err := c.UserID.UnmarshalText([]byte(got.UserID)); err != nil {
		t.Fatal(err)
	}
	return c
}

// events are the events of a type in the room's state, as their JSON.
func (n neighbours) events(t *testing.T, eventType string) (events []apitest.Event) {
	t.Helper()
	var state []apitest.Event
	n.alice.Do(t, "GET", n.room.Path("/state"), nil).OK(t, &state)
	for _, ev := range state {
		if ev.Type == eventType {
			events = append(events, ev)
		}
	}
	return events
}

func TestTP94_TP96_FromTheMailToTheRoom(t *testing.T) {
	for _, version := range []string{"10", "11", "12"} {
		t.Run("version "+version, func(t *testing.T) {
			n := newNeighbours(t, version)
			n.invite(t, "Frank@Burgers.example").OK(t, nil)

			letter := n.mails.Last(t, "frank@burgers.example")
			if !strings.Contains(letter.Text, "Allotments") || !strings.Contains(letter.Text, string(n.alice.UserID)) {
				t.Errorf("the mail does not say who invites to what:\n%s", letter.Text)
			}
			announced := n.events(t, "m.room.third_party_invite")
			if len(announced) != 1 || !strings.Contains(string(announced[0].Content), `"display_name":"f...@b..."`) || announced[0].Sender != n.alice.UserID {
				t.Fatalf("the room has %+v", announced)
			}

			frank := n.signUp(t, "frank")
			since := frank.Sync(t, "timeout=0").NextBatch
			n.bind(t, n.local(t, frank), "frank@burgers.example")
			n.RunJobs(t)
			n.RunJobs(t)
			got := frank.Sync(t, "timeout=0&since="+since)
			if _, ok := got.Rooms.Invite[n.room.ID]; !ok {
				t.Fatalf("the invite is not in /sync: %s", got.Body)
			}
			frank.Do(t, "POST", n.room.Path("/join"), nil).OK(t, nil)
			if _, ok := frank.Sync(t, "timeout=0").Rooms.Join[n.room.ID]; !ok {
				t.Error("Frank is not in the room")
			}
			// From now on the address is his: the next invite goes to him at once.
			frank.Do(t, "POST", n.room.Path("/leave"), nil).OK(t, nil)
			n.invite(t, "frank@burgers.example").OK(t, nil)
			if _, ok := frank.Sync(t, "timeout=0").Rooms.Invite[n.room.ID]; !ok {
				t.Error("Frank is not invited")
			}
			n.invite(t, "frank@burgers.example").OK(t, nil)
			if letters := n.mails.Mails("frank@burgers.example"); len(letters) != 2 { // the other was about his address
				t.Errorf("%d mails, want 2", len(letters))
			}
			frank.Do(t, "POST", n.room.Path("/join"), nil).OK(t, nil)
			n.invite(t, "frank@burgers.example").Fails(t, n.Server, errcode.AlreadyJoined)
		})
	}
}

func TestTP96_TP97_ByTheLinkInTheMail(t *testing.T) {
	for _, version := range []string{"10", "11", "12"} {
		t.Run("version "+version, func(t *testing.T) {
			n := newNeighbours(t, version)
			n.invite(t, "frank@burgers.example").OK(t, nil)
			frank, erin := n.signUp(t, "frank"), n.signUp(t, "erin")
			franks := n.follow(t, "frank@burgers.example", n.local(t, frank))
			path := n.room.Path("/join")
			apitest.Run(t, []apitest.Case{
				{Name: "without the proof", As: frank, Do: "POST", Path: path, Want: errcode.Forbidden},
				{Name: "with another's proof", As: erin, Do: "POST", Path: path, Body: franks, Want: errcode.Forbidden},
				{Name: "with the proof", As: frank, Do: "POST", Path: path, Body: franks},
			})
			if _, ok := frank.Sync(t, "timeout=0").Rooms.Join[n.room.ID]; !ok {
				t.Error("Frank is not in the room")
			}
		})
	}
}

func TestTP97_AnInviteTakenBack(t *testing.T) {
	n := newNeighbours(t, "11")
	n.invite(t, "frank@burgers.example").OK(t, nil)
	token := *n.events(t, "m.room.third_party_invite")[0].StateKey
	n.room.SetState(t, n.alice, "m.room.third_party_invite/"+token, map[string]any{})
	frank := n.signUp(t, "frank")
	frank.Do(t, "POST", n.room.Path("/join"), n.follow(t, "frank@burgers.example", n.local(t, frank))).Fails(t, n.Server, errcode.Forbidden)
	n.bind(t, n.local(t, frank), "frank@burgers.example")
	n.RunJobs(t)
	n.RunJobs(t)
	if got := frank.Sync(t, "timeout=0"); len(got.Rooms.Invite) != 0 {
		t.Errorf("Frank is invited: %s", got.Body)
	}
}

// follow does what a client does with the link of the invitation's mail, and gives the
// body of a join.
func (n neighbours) follow(t *testing.T, address string, as *apitest.Client) apitest.Object {
	t.Helper()
	_, rest, found := strings.Cut(n.mails.Mails(address)[0].Text, "https://app.example.org/#/room/"+url.PathEscape(string(n.room.ID))+"?")
	if !found {
		t.Fatal("the mail has no link to the room")
	}
	raw, _, _ := strings.Cut(rest, "\n")
	link, err := url.ParseQuery(strings.TrimSpace(raw))
	if err != nil {
		t.Fatal(err)
	}
	sign, err := url.Parse(link.Get("signurl"))
	if err != nil {
		t.Fatal(err)
	}
	var signed apitest.Object
	as.Do(t, "POST", sign.Path, apitest.Object{"mxid": as.UserID, "token": sign.Query().Get("token"), "private_key": sign.Query().Get("private_key")}).OK(t, &signed)
	if fmt.Sprint(signed["sender"]) != string(n.alice.UserID) {
		t.Errorf("signed is %v, want it with the sender", signed)
	}
	return apitest.Object{"third_party_signed": signed}
}

// RE-17: what the identity service refuses reaches the one who invites.
func TestTP96_InvitesRefusedByTheIdentityService(t *testing.T) {
	n := newNeighbours(t, "11")
	n.mails.Refuse("gone@burgers.example")
	invite := func(token, address string) apitest.Object {
		return apitest.Object{"medium": "email", "address": address, "id_server": apitest.ServerName, "id_access_token": token}
	}
	phone := invite(n.aliceToken, "+44 7700 900123")
	phone["medium"] = "msisdn"
	path := n.room.Path("/invite")
	apitest.Run(t, []apitest.Case{
		{Name: "a token that it does not know", As: n.alice, Do: "POST", Path: path, Body: invite("nothing", "frank@burgers.example"), Want: errcode.IdentityUnauthorized},
		{Name: "the token of another", As: n.alice, Do: "POST", Path: path, Body: invite(n.local(t, n.User(t, "bob")).Token, "frank@burgers.example"), Want: errcode.IdentityUnauthorized},
		{Name: "a mail that comes back", As: n.alice, Do: "POST", Path: path, Body: invite(n.aliceToken, "gone@burgers.example"), Want: errcode.EmailSendError},
		{Name: "a phone number that nobody has bound", As: n.alice, Do: "POST", Path: path, Body: phone, Want: errcode.ThreepidMediumNotSupported},
	})
	if announced := n.events(t, "m.room.third_party_invite"); len(announced) != 0 {
		t.Errorf("the room has %+v", announced)
	}
}
