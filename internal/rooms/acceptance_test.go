package rooms_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/event"
	"github.com/narthex-matrix/narthex/internal/id"
)

// thirdPartySigned is the body of a join.
func thirdPartySigned(signed any) map[string]any { return map[string]any{"third_party_signed": signed} }

// mails is a room with a moderator who invites people by mail.
type mails struct {
	*apitest.Room
	is               *identityServer
	srv              *apitest.Server
	alice, moderator *apitest.Client
}

func newMails(t *testing.T, room ...any) mails {
	t.Helper()
	is := newIdentityServer(t)
	m := mails{is: is, srv: is.start(t)}
	m.alice, m.moderator = m.srv.User(t, "alice"), m.srv.User(t, "moderator")
	if room == nil {
		room = []any{map[string]any{"preset": "private_chat", "power_level_content_override": map[string]any{"invite": 50}}}
	}
	m.Room = m.alice.CreateRoom(t, room...)
	m.Invite(t, m.moderator).Join(t, m.moderator)
	m.power(t, 50)
	return m
}

// power sets the moderator's.
func (m mails) power(t *testing.T, level int) {
	t.Helper()
	users := map[id.UserID]int{m.moderator.UserID: level, m.alice.UserID: 100}
	if m.version(t) == "12" {
		delete(users, m.alice.UserID)
	}
	m.SetState(t, m.alice, "m.room.power_levels", map[string]any{"invite": 50, "users": users})
}

func (m mails) version(t *testing.T) string {
	t.Helper()
	var create struct {
		Version string `json:"room_version"`
	}
	m.alice.Do(t, "GET", m.Path("/state/m.room.create"), nil).OK(t, &create)
	return create.Version
}

// proof is that a new invite of the moderator is for somebody.
func (m mails) proof(t *testing.T, who *apitest.Client) map[string]any {
	t.Helper()
	return m.is.signed(t, who.UserID, m.moderator.UserID, m.is.invite(t, m.Room, m.moderator))
}

// invites are the invites of a user that followed from one by address.
func (m mails) invites(t *testing.T, who *apitest.Client) (invites []*event.Event) {
	t.Helper()
	for _, st := range stored(t, m.srv, m.ID) {
		if st.Type == event.TypeMember && *st.StateKey == string(who.UserID) && st.Membership() == event.Invite && st.Member().ThirdPartyInvite != nil {
			invites = append(invites, st.Event)
		}
	}
	return invites
}

func TestJoinWithAProof(t *testing.T) {
	for _, version := range []string{"1", "10", "11", "12"} {
		t.Run("version "+version, func(t *testing.T) {
			m := newMails(t, map[string]any{"room_version": version, "preset": "private_chat", "room_alias_name": "plots", "name": "Allotments"})
			frank, erin := m.srv.User(t, "frank"), m.srv.User(t, "erin")
			proof := m.proof(t, frank)
			m.is.requests("")
			frank.Do(t, "POST", m.Path("/join"), thirdPartySigned(proof)).OK(t, nil)
			membershipIs(t, m.Room, frank, "join")
			invites := m.invites(t, frank)
			if len(invites) != 1 {
				t.Fatalf("%d invites, want 1", len(invites))
			}
			if got := invites[0]; got.Sender != m.moderator.UserID || !strings.Contains(string(got.Content), `"third_party_invite":{"display_name":"f...@e...","signed":{"mxid":"@frank:narthex.test"`) {
				t.Errorf("the invite is by %s: %s", got.Sender, got.Content)
			}
			if asked := m.is.requests(validPath); len(asked) != 1 {
				t.Errorf("the identity server was asked %d times whether its key is valid, want once", len(asked))
			}
			// The other path, with an alias.
			erin.Do(t, "POST", join("#plots:narthex.test"), thirdPartySigned(m.proof(t, erin))).OK(t, nil)
			membershipIs(t, m.Room, erin, "join")
			// Who is in the room stays there.
			frank.Do(t, "POST", m.Path("/join"), thirdPartySigned(proof)).OK(t, nil)
			if n := len(m.invites(t, frank)); n != 1 {
				t.Errorf("%d invites, want 1", n)
			}
		})
	}
}

func TestJoinWithAMalformedProof(t *testing.T) {
	m := newMails(t)
	frank := m.srv.User(t, "frank")
	good := m.proof(t, frank)
	with := func(name string, value any) map[string]any {
		proof := maps.Clone(good)
		if proof[name] = value; value == nil {
			delete(proof, name)
		}
		return thirdPartySigned(proof)
	}
	for _, path := range []string{m.Path("/join"), join(m.ID)} {
		apitest.Run(t, []apitest.Case{
			{Name: "a text", As: frank, Do: "POST", Path: path, Body: thirdPartySigned("signed"), Want: errcode.BadJSON},
			{Name: "a list", As: frank, Do: "POST", Path: path, Body: thirdPartySigned([]any{good}), Want: errcode.BadJSON},
			{Name: "no user", As: frank, Do: "POST", Path: path, Body: with("mxid", nil), Want: errcode.MissingParam, Has: []string{"third_party_signed.mxid"}},
			{Name: "no sender", As: frank, Do: "POST", Path: path, Body: with("sender", nil), Want: errcode.MissingParam, Has: []string{"third_party_signed.sender"}},
			{Name: "no token", As: frank, Do: "POST", Path: path, Body: with("token", nil), Want: errcode.MissingParam, Has: []string{"third_party_signed.token"}},
			{Name: "no signatures", As: frank, Do: "POST", Path: path, Body: with("signatures", nil), Want: errcode.MissingParam, Has: []string{"third_party_signed.signatures"}},
			{Name: "empty signatures", As: frank, Do: "POST", Path: path, Body: with("signatures", map[string]any{}), Want: errcode.MissingParam},
			{Name: "what is no user", As: frank, Do: "POST", Path: path, Body: with("mxid", "frank"), Want: errcode.InvalidParam, Has: []string{"third_party_signed"}},
			{Name: "a token of another type", As: frank, Do: "POST", Path: path, Body: with("token", 5), Want: errcode.BadJSON},
			{Name: "a token that cannot be stored", As: frank, Do: "POST", Path: path, Body: with("token", "a\x00b"), Want: errcode.InvalidParam},
			{Name: "signatures of another type", As: frank, Do: "POST", Path: path, Body: with("signatures", map[string]any{"a": "b"}), Want: errcode.BadJSON},
			{Name: "null is none", As: frank, Do: "POST", Path: path, Body: `{"third_party_signed":null}`, Want: errcode.Forbidden},
		})
	}
	if n := len(m.invites(t, frank)); n != 0 {
		t.Errorf("%d invites, want none", n)
	}
}

func TestJoinWithAProofRefused(t *testing.T) {
	m := newMails(t)
	frank, erin, banned := m.srv.User(t, "frank"), m.srv.User(t, "erin"), m.srv.User(t, "banned")
	m.alice.Do(t, "POST", m.Path("/ban"), user(banned)).OK(t, nil)
	token := m.is.invite(t, m.Room, m.moderator)
	signed := func(who *apitest.Client, sender *apitest.Client, token string) map[string]any {
		return thirdPartySigned(m.is.signed(t, who.UserID, sender.UserID, token))
	}
	forged := m.is.signed(t, erin.UserID, m.moderator.UserID, token)
	forged["mxid"] = frank.UserID
	public := m.alice.CreateRoom(t)
	other := newIdentityServer(t)
	path := m.Path("/join")
	refused := []apitest.Case{
		{Name: "for another user", As: frank, Body: signed(erin, m.moderator, token), Has: []string{"another user"}},
		{Name: "with another's signature", As: frank, Body: thirdPartySigned(forged), Has: []string{"not signed"}},
		{Name: "by another identity server", As: frank, Body: thirdPartySigned(other.signed(t, frank.UserID, m.moderator.UserID, token)), Has: []string{"not signed"}},
		{Name: "unknown", As: frank, Body: signed(frank, m.moderator, "nothing"), Has: []string{"no such invite"}},
		{Name: "by another sender", As: frank, Body: signed(frank, m.alice, token), Has: []string{"another user"}},
		{Name: "of the banned", As: banned, Body: signed(banned, m.moderator, token), Has: []string{"banned"}},
		{Name: "to a room that is open to all", As: frank, Path: public.Path("/join"), Body: signed(frank, m.moderator, token), Has: []string{"no such invite"}},
	}
	for i := range refused {
		refused[i].Do, refused[i].Want = "POST", errcode.Forbidden
		if refused[i].Path == "" {
			refused[i].Path = path
		}
	}
	m.is.requests("")
	apitest.Run(t, slices.Concat(refused, []apitest.Case{
		{Name: "an unknown room", As: frank, Do: "POST", Path: join(nowhere), Body: signed(frank, m.moderator, token), Want: errcode.NotFound},
		{Name: "an unknown alias", As: frank, Do: "POST", Path: join("#nowhere:narthex.test"), Body: signed(frank, m.moderator, token), Want: errcode.NotFound},
	}))
	if asked := m.is.requests(""); len(asked) != 0 {
		t.Errorf("the identity server was asked about what is refused anyway: %v", asked)
	}
	if n := len(m.invites(t, frank)) + len(m.invites(t, banned)); n != 0 {
		t.Errorf("%d invites, want none", n)
	}
}

// What ends an invite by address after it was sent.
func TestAnInviteByAddressEnds(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(t *testing.T, m mails, token string)
		text string
	}{
		"taken back": {func(t *testing.T, m mails, token string) {
			m.SetState(t, m.moderator, "m.room.third_party_invite/"+token, map[string]any{})
		}, "taken back"},
		"taken back by another": {func(t *testing.T, m mails, token string) {
			m.SetState(t, m.alice, "m.room.third_party_invite/"+token, map[string]any{})
		}, "taken back"},
		"redacted": {func(t *testing.T, m mails, token string) {
			for _, st := range stored(t, m.srv, m.ID) {
				if st.Type == event.TypeThirdPartyInvite {
					m.alice.Do(t, "PUT", m.Path("/redact/"+apitest.Escape(st.ID)+"/"+apitest.TxnID()), map[string]any{}).OK(t, nil)
				}
			}
		}, "taken back"},
		"the inviter lost the power": {func(t *testing.T, m mails, _ string) { m.power(t, 49) }, "may no longer invite"},
		"the inviter left": {func(t *testing.T, m mails, _ string) {
			m.moderator.Do(t, "POST", m.Path("/leave"), nil).OK(t, nil)
		}, "may no longer invite"},
		"the key is not valid any more": {func(_ *testing.T, m mails, _ string) {
			m.is.says(validPath, reply(http.StatusOK, apitest.Object{"valid": false}))
		}, "taken back the key"},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMails(t)
			frank := m.srv.User(t, "frank")
			token := m.is.invite(t, m.Room, m.moderator)
			c.end(t, m, token)
			r := frank.Do(t, "POST", m.Path("/join"), thirdPartySigned(m.is.signed(t, frank.UserID, m.moderator.UserID, token))).Fails(t, m.srv, errcode.Forbidden)
			if !strings.Contains(string(r.Body), c.text) {
				t.Errorf("got %s, want a word of %q", r.Body, c.text)
			}
			if n := len(m.invites(t, frank)); n != 0 {
				t.Errorf("%d invites, want none", n)
			}
		})
	}
}

// Whoever may invite may take an invite back, and nobody else.
func TestTakingAnInviteByAddressBack(t *testing.T) {
	m := newMails(t)
	member, stranger := m.srv.User(t, "member"), m.srv.User(t, "stranger")
	m.Invite(t, member).Join(t, member)
	path := m.Path("/state/m.room.third_party_invite/" + m.is.invite(t, m.Room, m.moderator))
	apitest.Run(t, []apitest.Case{
		{Name: "by a stranger", As: stranger, Do: "PUT", Path: path, Body: `{}`, Want: errcode.NotJoined},
		{Name: "RE-58 below the invite level", As: member, Do: "PUT", Path: path, Body: `{}`, Want: errcode.InsufficientPower},
		{Name: "what is no object", As: m.moderator, Do: "PUT", Path: path, Body: `[]`, Want: errcode.BadJSON},
		{Name: "it works", As: m.moderator, Do: "PUT", Path: path, Body: `{}`},
	})
}

// Whether a key is valid that cannot be asked about is not known.
func TestJoinWithAProofWhenTheIdentityServerIsSilent(t *testing.T) {
	m := newMails(t)
	frank := m.srv.User(t, "frank")
	proof := m.proof(t, frank)
	m.is.says(validPath, reply(http.StatusBadGateway, nil))
	frank.Do(t, "POST", m.Path("/join"), thirdPartySigned(proof)).Fails(t, m.srv, errcode.Unknown)
	frank.Do(t, "POST", join(m.ID), thirdPartySigned(proof)).Fails(t, m.srv, errcode.Unknown)
	m.is.says(validPath, nil)
	frank.Do(t, "POST", m.Path("/join"), thirdPartySigned(proof)).OK(t, nil)
}

// A key without an address to ask at is valid for ever.
func TestJoinWithAKeyThatNobodyVouchesFor(t *testing.T) {
	m := newMails(t)
	frank := m.srv.User(t, "frank")
	m.SetState(t, m.moderator, "m.room.third_party_invite/t", map[string]any{"display_name": "F", "public_keys": []any{map[string]any{"public_key": m.is.public()}}})
	m.is.requests("")
	frank.Do(t, "POST", m.Path("/join"), thirdPartySigned(m.is.signed(t, frank.UserID, m.moderator.UserID, "t"))).OK(t, nil)
	if asked := m.is.requests(""); len(asked) != 0 {
		t.Errorf("the identity server was asked: %v", asked)
	}
}

// The invite may have been given other keys while the first was asked about.
func TestJoinWhenTheInviteChangesMeanwhile(t *testing.T) {
	m := newMails(t)
	frank := m.srv.User(t, "frank")
	token := m.is.invite(t, m.Room, m.moderator)
	m.is.says(validPath, func(w http.ResponseWriter, r *http.Request) {
		if got := m.alice.Do(t, "PUT", m.Path("/state/m.room.third_party_invite/"+token), map[string]any{}); got.Status != http.StatusOK {
			t.Errorf("meanwhile: %d %s", got.Status, got.Body)
		}
		reply(http.StatusOK, apitest.Object{"valid": true})(w, r)
	})
	frank.Do(t, "POST", m.Path("/join"), thirdPartySigned(m.is.signed(t, frank.UserID, m.moderator.UserID, token))).Fails(t, m.srv, errcode.Forbidden)
	if n := len(m.invites(t, frank)); n != 0 {
		t.Errorf("%d invites, want none", n)
	}
}

// A proof counts once: who was removed does not come back by it.
func TestAProofCountsOnce(t *testing.T) {
	for _, version := range []string{"10", "11", "12"} {
		t.Run("version "+version, func(t *testing.T) {
			m := newMails(t, map[string]any{"room_version": version, "preset": "private_chat"})
			frank := m.srv.User(t, "frank")
			token := m.is.invite(t, m.Room, m.moderator)
			proof := thirdPartySigned(m.is.signed(t, frank.UserID, m.moderator.UserID, token))
			frank.Do(t, "POST", m.Path("/join"), proof).OK(t, nil)
			m.alice.Do(t, "POST", m.Path("/kick"), user(frank)).OK(t, nil)
			frank.Do(t, "POST", m.Path("/join"), proof).Fails(t, m.srv, errcode.Forbidden)
			// Nor after everything about the invite was redacted.
			for _, invite := range m.invites(t, frank) {
				m.alice.Do(t, "PUT", m.Path("/redact/"+apitest.Escape(invite.ID)+"/"+apitest.TxnID()), map[string]any{}).OK(t, nil)
			}
			frank.Do(t, "POST", m.Path("/join"), proof).Fails(t, m.srv, errcode.Forbidden)
			// Another invite is another matter.
			frank.Do(t, "POST", m.Path("/join"), thirdPartySigned(m.proof(t, frank))).OK(t, nil)
		})
	}
}

// Since version 11 a redaction leaves what proves that the invite was one.
func TestRedactionKeepsTheProof(t *testing.T) {
	for version, kept := range map[string]bool{"10": false, "11": true, "12": true} {
		t.Run("version "+version, func(t *testing.T) {
			m := newMails(t, map[string]any{"room_version": version, "preset": "private_chat"})
			frank := m.srv.User(t, "frank")
			frank.Do(t, "POST", m.Path("/join"), thirdPartySigned(m.proof(t, frank))).OK(t, nil)
			invite := m.invites(t, frank)[0]
			m.alice.Do(t, "PUT", m.Path("/redact/"+apitest.Escape(invite.ID)+"/"+apitest.TxnID()), map[string]any{}).OK(t, nil)
			for _, st := range stored(t, m.srv, m.ID) {
				if st.ID == invite.ID && strings.Contains(string(st.Content), `"signed":{`) != kept {
					t.Errorf("the redacted invite is %s", st.Content)
				}
			}
		})
	}
}

// Guests come in as they otherwise do: where they are admitted.
func TestAGuestJoinsWithAProof(t *testing.T) {
	m := newMails(t)
	guest := m.srv.Guest(t, "1")
	proof := thirdPartySigned(m.proof(t, guest))
	m.SetState(t, m.alice, "m.room.guest_access", map[string]any{"guest_access": "forbidden"})
	guest.Do(t, "POST", m.Path("/join"), proof).Fails(t, m.srv, errcode.GuestAccessForbidden)
	if n := len(m.invites(t, guest)); n != 0 {
		t.Errorf("%d invites, want none", n)
	}
	m.SetState(t, m.alice, "m.room.guest_access", map[string]any{"guest_access": "can_join"})
	guest.Do(t, "POST", m.Path("/join"), proof).OK(t, nil)
}
