package rooms_test

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/id"
)

const onBind = "/_matrix/federation/v1/3pid/onbind"

// notice says that an address is a user's, and what was signed for which rooms.
func notice(who id.UserID, room id.RoomID, signed ...map[string]any) map[string]any {
	invites := []map[string]any{}
	for _, s := range signed {
		invites = append(invites, map[string]any{"medium": "email", "address": "frank@example.com", "mxid": who, "room_id": room, "sender": "@moderator:narthex.test", "signed": s})
	}
	return map[string]any{"medium": "email", "address": "frank@example.com", "mxid": who, "invites": invites}
}

// bound sends a notice and does what follows from it.
func (m mails) bound(t *testing.T, who *apitest.Client, signed ...map[string]any) {
	t.Helper()
	m.srv.Anyone().Do(t, "PUT", onBind, notice(who.UserID, m.ID, signed...)).OK(t, nil)
	m.srv.RunJobs(t)
}

func (m mails) jobs(t *testing.T) (n int) {
	t.Helper()
	m.srv.Read(t, func(tx *db.Tx) (err error) {
		n, err = db.Value[int](tx, `SELECT COUNT(*) FROM jobs WHERE kind = 'rooms.exchange_invite'`)
		return err
	})
	return n
}

func TestTP94_TheInviteOfABoundAddress(t *testing.T) {
	for _, version := range []string{"10", "11", "12"} {
		t.Run("version "+version, func(t *testing.T) {
			m := newMails(t, map[string]any{"room_version": version, "preset": "private_chat", "name": "Allotments"})
			frank := m.srv.User(t, "frank")
			token := m.is.invite(t, m.Room, m.moderator)
			since := frank.Sync(t, "timeout=0").NextBatch
			m.bound(t, frank, m.is.signed(t, frank.UserID, "", token))

			invite, ok := frank.Sync(t, "timeout=0&since="+since).Rooms.Invite[m.ID]
			if !ok {
				t.Fatal("the invite is not in /sync")
			}
			types := map[string]string{}
			for _, ev := range invite.State.Events {
				types[ev.Type] += string(ev.Content)
			}
			if !strings.Contains(types["m.room.name"], "Allotments") || !strings.Contains(types["m.room.member"], `"signed"`) || types["m.room.create"] == "" {
				t.Errorf("the invite has the state %v", types)
			}
			frank.Do(t, "POST", m.Path("/join"), nil).OK(t, nil)
			membershipIs(t, m.Room, frank, "join")
		})
	}
}

// A notice that comes again, or is repeated by somebody else, changes nothing.
func TestTP94_ANoticeCountsOnce(t *testing.T) {
	m := newMails(t)
	frank := m.srv.User(t, "frank")
	signed := m.is.signed(t, frank.UserID, "", m.is.invite(t, m.Room, m.moderator))
	m.bound(t, frank, signed, signed)
	m.bound(t, frank, signed)
	if n := len(m.invites(t, frank)); n != 1 {
		t.Errorf("%d invites, want 1", n)
	}
	frank.Do(t, "POST", m.Path("/leave"), nil).OK(t, nil)
	m.bound(t, frank, signed)
	membershipIs(t, m.Room, frank, "leave")
}

// The invite that a notice has made does not stand in the way of the link in the mail.
func TestTP94_JoinWithAProofAfterTheNotice(t *testing.T) {
	m := newMails(t)
	frank := m.srv.User(t, "frank")
	token := m.is.invite(t, m.Room, m.moderator)
	m.bound(t, frank, m.is.signed(t, frank.UserID, "", token))
	frank.Do(t, "POST", m.Path("/join"), thirdPartySigned(m.is.signed(t, frank.UserID, m.moderator.UserID, token))).OK(t, nil)
	if n := len(m.invites(t, frank)); n != 1 {
		t.Errorf("%d invites, want 1", n)
	}
}

func TestTP94_MalformedNotices(t *testing.T) {
	m := newMails(t)
	frank := m.srv.User(t, "frank")
	token := m.is.invite(t, m.Room, m.moderator)
	good := notice(frank.UserID, m.ID, m.is.signed(t, frank.UserID, "", token))
	with := func(name string, value any) map[string]any {
		body := maps.Clone(good)
		if body[name] = value; value == nil {
			delete(body, name)
		}
		return body
	}
	invite := func(name string, value any) map[string]any {
		body := maps.Clone(good["invites"].([]map[string]any)[0])
		body[name] = value
		return with("invites", []any{body})
	}
	many := make([]map[string]any, 501)
	for i := range many {
		many[i] = map[string]any{"mxid": frank.UserID, "token": "t", "signatures": map[string]any{"a": map[string]any{}}}
	}
	as := m.srv.Anyone()
	apitest.Run(t, []apitest.Case{
		{Name: "not JSON", As: as, Do: "PUT", Path: onBind, Body: `{`, Want: errcode.NotJSON},
		{Name: "a list", As: as, Do: "PUT", Path: onBind, Body: `[]`, Want: errcode.BadJSON},
		{Name: "no user", As: as, Do: "PUT", Path: onBind, Body: with("mxid", nil), Want: errcode.MissingParam},
		{Name: "no medium", As: as, Do: "PUT", Path: onBind, Body: with("medium", nil), Want: errcode.MissingParam},
		{Name: "no address", As: as, Do: "PUT", Path: onBind, Body: with("address", nil), Want: errcode.MissingParam},
		{Name: "no invites", As: as, Do: "PUT", Path: onBind, Body: with("invites", nil), Want: errcode.MissingParam},
		{Name: "what is no user", As: as, Do: "PUT", Path: onBind, Body: with("mxid", "frank"), Want: errcode.InvalidParam},
		{Name: "a user of another server", As: as, Do: "PUT", Path: onBind, Body: with("mxid", "@frank:elsewhere.test"), Want: errcode.InvalidParam},
		{Name: "invites of another type", As: as, Do: "PUT", Path: onBind, Body: with("invites", "none"), Want: errcode.BadJSON},
		{Name: "an invite of another type", As: as, Do: "PUT", Path: onBind, Body: with("invites", []int{1}), Want: errcode.BadJSON},
		{Name: "what is no room", As: as, Do: "PUT", Path: onBind, Body: invite("room_id", "room"), Want: errcode.InvalidParam},
		{Name: "no room", As: as, Do: "PUT", Path: onBind, Body: invite("room_id", ""), Want: errcode.InvalidParam},
		{Name: "nothing signed", As: as, Do: "PUT", Path: onBind, Body: invite("signed", map[string]any{}), Want: errcode.MissingParam},
		{Name: "signed is a text", As: as, Do: "PUT", Path: onBind, Body: invite("signed", "me"), Want: errcode.BadJSON},
		{Name: "signed for what is no user", As: as, Do: "PUT", Path: onBind, Body: invite("signed", map[string]any{"mxid": "frank"}), Want: errcode.InvalidParam},
		{Name: "too many", As: as, Do: "PUT", Path: onBind, Body: notice(frank.UserID, m.ID, many...), Want: errcode.InvalidParam},
		{Name: "too large", As: as, Do: "PUT", Path: onBind, Body: with("address", strings.Repeat("a", 512<<10)), Want: errcode.TooLarge},
		{Name: "no invites in the list", As: as, Do: "PUT", Path: onBind, Body: notice(frank.UserID, m.ID)},
	})
	if n := m.jobs(t); n != 0 || len(m.invites(t, frank)) != 0 {
		t.Errorf("malformed notices made %d jobs", n)
	}
}

// What is not signed as it must be makes no work, and the answer does not tell.
func TestTP94_NoticesThatCountForNothing(t *testing.T) {
	m := newMails(t)
	frank, erin := m.srv.User(t, "frank"), m.srv.User(t, "erin")
	token := m.is.invite(t, m.Room, m.moderator)
	forged := m.is.signed(t, erin.UserID, "", token)
	forged["mxid"] = frank.UserID
	m.is.requests("")
	for name, body := range map[string]map[string]any{
		"another's signature":     notice(frank.UserID, m.ID, forged),
		"another identity server": notice(frank.UserID, m.ID, newIdentityServer(t).signed(t, frank.UserID, "", token)),
		"for another user":        notice(frank.UserID, m.ID, m.is.signed(t, erin.UserID, "", token)),
		"an unknown token":        notice(frank.UserID, m.ID, m.is.signed(t, frank.UserID, "", "nothing")),
		"an unknown room":         notice(frank.UserID, nowhere, m.is.signed(t, frank.UserID, "", token)),
		"a user who is not there": notice("@ghost:narthex.test", m.ID, m.is.signed(t, "@ghost:narthex.test", "", token)),
	} {
		t.Run(name, func(t *testing.T) {
			r := m.srv.Anyone().Do(t, "PUT", onBind, body).OK(t, nil)
			if n := m.jobs(t); string(r.Body) != `{}` || n != 0 {
				t.Errorf("got %s and %d jobs, want {} and none", r.Body, n)
			}
		})
	}
	if asked := m.is.requests(""); len(asked) != 0 {
		t.Errorf("the identity server was asked: %v", asked)
	}
	// One that is no good does not keep another from counting.
	m.bound(t, frank, forged, m.is.signed(t, frank.UserID, "", token))
	membershipIs(t, m.Room, frank, "invite")
}

// What keeps a good notice from becoming an invite.
func TestTP94_NoticesThatAreRefused(t *testing.T) {
	for name, before := range map[string]func(m mails, frank *apitest.Client, token string){
		"the user blocks invites": func(_ mails, frank *apitest.Client, _ string) {
			frank.Do(t, "PUT", "/_matrix/client/v3/user/@frank:narthex.test/account_data/m.invite_permission_config", `{"default_action":"block"}`).OK(t, nil)
		},
		"the user is banned": func(m mails, frank *apitest.Client, _ string) {
			m.alice.Do(t, "POST", m.Path("/ban"), user(frank)).OK(t, nil)
		},
		"the inviter lost the power": func(m mails, _ *apitest.Client, _ string) { m.power(t, 0) },
		"the key is not valid": func(m mails, _ *apitest.Client, _ string) {
			m.is.says(validPath, reply(http.StatusOK, apitest.Object{"valid": false}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMails(t)
			frank := m.srv.User(t, "frank")
			token := m.is.invite(t, m.Room, m.moderator)
			before(m, frank, token)
			m.bound(t, frank, m.is.signed(t, frank.UserID, "", token))
			if n, left := len(m.invites(t, frank)), m.jobs(t); n != 0 || left != 0 {
				t.Errorf("%d invites and %d jobs, want none", n, left)
			}
		})
	}
}

// The state may change between the notice and the work that it makes.
func TestTP94_TakenBackAfterTheNotice(t *testing.T) {
	m := newMails(t)
	frank := m.srv.User(t, "frank")
	token := m.is.invite(t, m.Room, m.moderator)
	m.srv.Anyone().Do(t, "PUT", onBind, notice(frank.UserID, m.ID, m.is.signed(t, frank.UserID, "", token))).OK(t, nil)
	m.SetState(t, m.alice, "m.room.third_party_invite/"+token, map[string]any{})
	m.srv.RunJobs(t)
	if n := len(m.invites(t, frank)); n != 0 {
		t.Errorf("%d invites, want none", n)
	}
}

// An identity server that is silent is asked again, and at last no more.
func TestTP94_TheKeyIsAskedAboutAgain(t *testing.T) {
	m := newMails(t)
	frank, erin := m.srv.User(t, "frank"), m.srv.User(t, "erin")
	m.is.says(validPath, reply(http.StatusBadGateway, nil))
	m.bound(t, frank, m.is.signed(t, frank.UserID, "", m.is.invite(t, m.Room, m.moderator)))
	if n := m.jobs(t); n != 1 || len(m.invites(t, frank)) != 0 {
		t.Fatalf("%d jobs wait, want 1", n)
	}
	m.is.says(validPath, nil)
	m.srv.Advance(time.Minute)
	m.srv.RunJobs(t)
	membershipIs(t, m.Room, frank, "invite")

	m.is.says(validPath, reply(http.StatusBadGateway, nil))
	m.bound(t, erin, m.is.signed(t, erin.UserID, "", m.is.invite(t, m.Room, m.moderator)))
	for range 12 {
		m.srv.Advance(6 * time.Hour)
		m.srv.RunJobs(t)
	}
	if n := m.jobs(t); n != 0 {
		t.Errorf("%d jobs after 12 tries, want none", n)
	}
}

func TestTP94_SeveralInvites(t *testing.T) {
	m := newMails(t)
	frank := m.srv.User(t, "frank")
	second := m.moderator.CreateRoom(t, map[string]any{"preset": "private_chat"})
	body := notice(frank.UserID, m.ID, m.is.signed(t, frank.UserID, "", m.is.invite(t, m.Room, m.moderator)))
	other := notice(frank.UserID, second.ID, m.is.signed(t, frank.UserID, "", m.is.invite(t, second, m.moderator)))
	body["invites"] = append(body["invites"].([]map[string]any), other["invites"].([]map[string]any)...)
	m.srv.Anyone().Do(t, "PUT", onBind, body).OK(t, nil)
	m.srv.RunJobs(t)
	invited := frank.Sync(t, "timeout=0").Rooms.Invite
	if len(invited) != 2 {
		t.Errorf("%s", fmt.Sprint("got the invites ", invited))
	}
}
