package notices_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/errcode"
)

func TestSendServerNotice(t *testing.T) {
	srv := apitest.New(t)
	root, alice, bob := srv.Administrator(t, "root"), srv.User(t, "alice"), srv.User(t, "bob")
	var sent struct {
		EventID string `json:"event_id"`
	}
	notify(t, root, alice.UserID, "The server moves on Sunday.").OK(t, &sent)
	if sent.EventID == "" {
		t.Error("no event_id")
	}
	room := roomOf(t, srv, alice.UserID)
	want := []invite{{Room: room, Sender: userID("notices"), Direct: true, Name: "Server notices", Speaker: "Server notices"}}
	if diff := cmp.Diff(want, invites(t, alice)); diff != "" {
		t.Error(diff)
	}
	tags := alice.Do(t, "GET", "/_matrix/client/v3/user/"+apitest.Escape(alice.UserID)+"/rooms/"+apitest.Escape(room)+"/tags", nil).OK(t, nil)
	if !strings.Contains(string(tags.Body), `"m.server_notice"`) {
		t.Errorf("the tags are %s", tags.Body)
	}
	notify(t, root, alice.UserID, "It is done.").OK(t, nil)
	if got := texts(t, srv, alice); !slices.Equal(got, []string{"The server moves on Sunday.", "It is done."}) {
		t.Errorf("got %q", got)
	}
	if n := len(invites(t, bob)); n != 0 {
		t.Errorf("somebody else has %d invites", n)
	}
	// The room is for reading.
	content := object{"msgtype": "m.text", "body": "thanks"}
	alice.Do(t, "PUT", path(room, "/send/m.room.message/1"), content).Fails(t, srv, errcode.InsufficientPower)
	alice.Do(t, "POST", path(room, "/invite"), object{"user_id": bob.UserID}).Fails(t, srv, errcode.InsufficientPower)

	message := func(change object) object {
		body := object{"user_id": alice.UserID, "content": content}
		for name, value := range change {
			if body[name] = value; value == nil {
				delete(body, name)
			}
		}
		return body
	}
	apitest.Run(t, []apitest.Case{
		{Name: "as Synapse's clients send it", As: root, Do: "POST", Path: noticePath, Body: message(object{"type": "m.room.message"}), Has: []string{`"event_id":"$`}},
		{Name: "to nobody", As: root, Do: "POST", Path: noticePath, Body: message(object{"user_id": nil}), Want: errcode.MissingParam},
		{Name: "of nothing", As: root, Do: "POST", Path: noticePath, Body: message(object{"content": nil}), Want: errcode.MissingParam},
		{Name: "a text for the content", As: root, Do: "POST", Path: noticePath, Body: message(object{"content": "hello"}), Want: errcode.BadJSON},
		{Name: "not a user", As: root, Do: "POST", Path: noticePath, Body: message(object{"user_id": "alice"}), Want: errcode.InvalidParam},
		{Name: "an unknown user", As: root, Do: "POST", Path: noticePath, Body: message(object{"user_id": "@nobody:narthex.test"}), Want: errcode.NotFound},
		{Name: "a user of another server", As: root, Do: "POST", Path: noticePath, Body: message(object{"user_id": "@alice:other.test"}), Want: errcode.NotFound},
		{Name: "state", As: root, Do: "POST", Path: noticePath, Body: message(object{"state_key": ""}), Want: errcode.InvalidParam},
		{Name: "another event", As: root, Do: "POST", Path: noticePath, Body: message(object{"type": "m.room.topic"}), Want: errcode.InvalidParam},
		{Name: "too large", As: root, Do: "POST", Path: noticePath, Body: message(object{"content": object{"body": strings.Repeat("x", 70_000)}}), Want: errcode.TooLarge},
		{Name: "by a user", As: alice, Do: "POST", Path: noticePath, Body: message(nil), Want: errcode.Forbidden},
		{Name: "by nobody", As: srv.Anyone(), Do: "POST", Path: noticePath, Body: message(nil), Want: errcode.MissingToken},
	})
}

// TestRE73_InvitesToNoticesCannotBeRejected holds that who has joined can leave, and
// is invited again when there is something to say.
func TestRE73_InvitesToNoticesCannotBeRejected(t *testing.T) {
	srv := apitest.New(t)
	root, alice := srv.Administrator(t, "root"), srv.User(t, "alice")
	notify(t, root, alice.UserID, "One").OK(t, nil)
	room := roomOf(t, srv, alice.UserID)
	leaving := object{"membership": "leave"}
	apitest.Run(t, []apitest.Case{
		{Name: "RE-73 reject", As: alice, Do: "POST", Path: path(room, "/leave"), Body: object{}, Want: errcode.CannotLeaveServerNoticeRoom},
		{Name: "RE-73 reject, as state", As: alice, Do: "PUT", Path: path(room, "/state/m.room.member/"+apitest.Escape(alice.UserID)), Body: leaving, Want: errcode.CannotLeaveServerNoticeRoom},
		{Name: "join", As: alice, Do: "POST", Path: path(room, "/join"), Body: object{}},
		{Name: "leave", As: alice, Do: "POST", Path: path(room, "/leave"), Body: object{}},
	})
	if n := len(invites(t, alice)); n != 0 {
		t.Errorf("%d invites", n)
	}
	notify(t, root, alice.UserID, "Two").OK(t, nil)
	if got := invites(t, alice); len(got) != 1 || got[0].Room != room {
		t.Errorf("got %+v, want one more to %s", got, room)
	}
	// An invite to an ordinary room can be rejected, as ever.
	bob := srv.User(t, "bob")
	ordinary := bob.CreateRoom(t).Invite(t, alice)
	alice.Do(t, "POST", ordinary.Path("/leave"), object{}).OK(t, nil)
	// Whoever closes the account is no longer invited.
	alice.Do(t, "POST", "/_matrix/client/v3/account/deactivate", object{"auth": object{"type": "m.login.password", "user": "alice", "password": apitest.Password}}).OK(t, nil)
	srv.RunJobs(t)
	root.Do(t, "GET", "/_synapse/admin/v1/rooms/"+apitest.Escape(room)+"/members", nil).OK(t, nil)
}

func TestWhoHasLeftIsLeftAlone(t *testing.T) {
	srv := apitest.New(t, func(cfg *config.Config) { cfg.Notices.Return = false })
	root, alice := srv.Administrator(t, "root"), srv.User(t, "alice")
	notify(t, root, alice.UserID, "One").OK(t, nil)
	room := roomOf(t, srv, alice.UserID)
	alice.Do(t, "POST", path(room, "/join"), object{}).OK(t, nil)
	alice.Do(t, "POST", path(room, "/leave"), object{}).OK(t, nil)
	notify(t, root, alice.UserID, "Two").Fails(t, srv, errcode.NotFound)
	if n := len(invites(t, alice)); n != 0 {
		t.Errorf("%d invites", n)
	}
}

// TestTheSpeakerIsNobody holds that nobody can have the name of the server's own
// account, or sign in to it.
func TestTheSpeakerIsNobody(t *testing.T) {
	srv := apitest.New(t)
	root := srv.Administrator(t, "root")
	register := object{"username": "Notices", "password": apitest.Password, "auth": object{"type": "m.login.dummy"}}
	srv.Anyone().Do(t, "POST", registerPath, register).Fails(t, srv, errcode.InvalidUsername)
	notify(t, root, root.UserID, "hello").OK(t, nil)
	srv.Anyone().Do(t, "POST", registerPath, register).Fails(t, srv, errcode.InvalidUsername)
	login := object{"type": "m.login.password", "identifier": object{"type": "m.id.user", "user": "notices"}, "password": ""}
	srv.Anyone().Do(t, "POST", "/_matrix/client/v3/login", login).Fails(t, srv, errcode.Forbidden)
	root.Do(t, "POST", "/_synapse/admin/v1/reset_password/"+apitest.Escape(userID("notices")),
		object{"new_password": apitest.Password}).Fails(t, srv, errcode.InvalidParam)
}

// TestTheSpeakerIsAPerson holds that the server does not speak in the name of a person
// who had the name first.
func TestTheSpeakerIsAPerson(t *testing.T) {
	srv := apitest.New(t, func(cfg *config.Config) { cfg.Notices.Localpart = "alice" })
	root := srv.Administrator(t, "root")
	srv.User(t, "alice")
	r := notify(t, root, root.UserID, "hello").Fails(t, srv, errcode.InvalidParam)
	if !strings.Contains(string(r.Body), "notices.localpart") {
		t.Errorf("got %s", r.Body)
	}
}

// TestTheSpeakerStays holds that nobody closes the account in which the server speaks;
// where the name is a person's, that person can.
func TestTheSpeakerStays(t *testing.T) {
	srv := apitest.New(t)
	root, alice := srv.Administrator(t, "root"), srv.User(t, "alice")
	notify(t, root, alice.UserID, "hello").OK(t, nil)
	const path = "/_synapse/admin/v1/deactivate/"
	r := root.Do(t, "POST", path+"@notices:narthex.test", object{}).Fails(t, srv, errcode.InvalidParam)
	if !strings.Contains(string(r.Body), "This account is the server's own") {
		t.Errorf("got %s", r.Body)
	}
	root.Do(t, "PUT", "/_synapse/admin/v2/users/@notices:narthex.test", object{"deactivated": true}).Fails(t, srv, errcode.InvalidParam)
	notify(t, root, alice.UserID, "still there").OK(t, nil)
	root.Do(t, "POST", path+"@alice:narthex.test", object{}).OK(t, nil)

	srv = apitest.New(t)
	person := srv.User(t, "notices")
	auth := object{"type": "m.login.password", "identifier": object{"type": "m.id.user", "user": "notices"}, "password": apitest.Password}
	var asked struct{ Session string }
	if err := json.Unmarshal(person.Do(t, "POST", "/_matrix/client/v3/account/deactivate", object{}).Body, &asked); err != nil {
		t.Fatal(err)
	}
	auth["session"] = asked.Session
	person.Do(t, "POST", "/_matrix/client/v3/account/deactivate", object{"auth": auth}).OK(t, nil)
}
