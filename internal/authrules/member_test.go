package authrules

import (
	"crypto/ed25519"
	"strings"
	"testing"

	cj "github.com/narthex-matrix/narthex/internal/canonicaljson"
	"github.com/narthex-matrix/narthex/internal/event"
	"github.com/narthex-matrix/narthex/internal/id"
)

func TestMembershipForm(t *testing.T) {
	const unknown = "5.6 4.6 4.7 4.8 4.8 5.8"
	runCases(t, []testCase{
		{name: "no state key", try: sends(user, event.TypeMember, `{"membership":"join"}`), rules: "5.1 4.1 4.1 4.1 4.1 5.1", kind: Content},
		{name: "no membership", try: sets(user, event.TypeMember, string(user), `{}`), rules: "5.1 4.1 4.1 4.1 4.1 5.1", kind: Content},
		{name: "a number as membership", try: sets(user, event.TypeMember, string(user), `{"membership":1}`), rules: "5.1 4.1 4.1 4.1 4.1 5.1", kind: Content},
		{name: "an unknown membership", try: becomes(user, user, "resting"), rules: unknown, kind: Content},
	})
}

func TestJoin(t *testing.T) {
	const notInvited = "5.2.6 4.2.6 4.2.6 4.3.7 4.3.7 5.3.7"
	afterCreate := func(joiner id.UserID, more ...id.EventID) func(*room) *event.Event {
		return func(r *room) *event.Event {
			create := r.state(event.TypeCreate, "")
			r.events = map[Key]*event.Event{{event.TypeCreate, ""}: create}
			return r.event(joiner, event.TypeMember, str(string(joiner)), `{"membership":"join"}`,
				func(d *event.Draft) { d.Prev = append([]id.EventID{create.ID}, more...) })
		}
	}
	runCases(t, []testCase{
		{name: "the creator, first", try: afterCreate(creator), rules: "ok"},
		{name: "the creator, not only after the create event", try: afterCreate(creator, "$more:s"), rules: notInvited, kind: JoinRule},
		{name: "another, first", try: afterCreate(user), rules: notInvited, kind: JoinRule},
		{name: "for another", try: becomes(user, never, "join"), rules: "5.2.2 4.2.2 4.2.2 4.3.2 4.3.2 5.3.2", kind: Ownership},
		{name: "the banned", try: becomes(banned, banned, "join"), rules: "5.2.3 4.2.3 4.2.3 4.3.3 4.3.3 5.3.3", kind: TargetState},
		{name: "public room", try: becomes(never, never, "join"), rules: "ok"},
		{name: "again", setup: joinRuleIs("invite"), try: becomes(user, user, "join"), rules: "ok"},
		{name: "invited", setup: joinRuleIs("invite"), try: becomes(invited, invited, "join"), rules: "ok"},
		{name: "not invited", setup: joinRuleIs("invite"), try: becomes(never, never, "join"), rules: notInvited, kind: JoinRule},
		{name: "after leaving", setup: joinRuleIs("invite"), try: becomes(gone, gone, "join"), rules: notInvited, kind: JoinRule},
		{name: "no join rules", setup: noState(event.TypeJoinRules), try: becomes(never, never, "join"), rules: notInvited, kind: JoinRule},
		{name: "private", setup: joinRuleIs("private"), try: becomes(invited, invited, "join"), rules: notInvited, kind: JoinRule},
		{name: "knock rule, invited", setup: joinRuleIs("knock"), try: becomes(invited, invited, "join"), rules: "5.2.6 4.2.6 ok ok ok ok", kind: JoinRule},
		{name: "knock rule, knocked", setup: joinRuleIs("knock"), try: becomes(knocked, knocked, "join"), rules: notInvited, kind: JoinRule},
	})
}

func TestRestrictedJoin(t *testing.T) {
	via := func(name string) func(*room) *event.Event {
		return sets(never, event.TypeMember, string(never), `{"membership":"join","join_authorised_via_users_server":`+name+`}`)
	}
	restricted, both := joinRuleIs("restricted"), joinRuleIs("knock_restricted")
	runCases(t, []testCase{
		{name: "restricted, let in", setup: restricted, try: via(`"@mod:s"`), rules: "5.2.6 4.2.6 4.2.6 ok ok ok", kind: JoinRule},
		{name: "restricted, invited", setup: restricted, try: becomes(invited, invited, "join"), rules: "5.2.6 4.2.6 4.2.6 ok ok ok", kind: JoinRule},
		{name: "restricted, by nobody", setup: restricted, try: becomes(never, never, "join"), rules: "5.2.6 4.2.6 4.2.6 4.3.5.2 4.3.5.2 5.3.5.2", kind: JoinRule},
		{name: "restricted, by one without power", setup: restricted, try: via(`"@user:s"`), rules: "5.2.6 4.2.6 4.2.6 4.3.5.2 4.3.5.2 5.3.5.2", kind: JoinRule},
		{name: "restricted, by one who left", setup: restricted, try: via(`"@gone:s"`), rules: "5.2.6 4.2.6 4.2.6 4.3.5.2 4.3.5.2 5.3.5.2", kind: JoinRule},
		{name: "restricted, by one who had power and left", setup: func(r *room) { restricted(r); r.member(mod, event.Leave) }, try: via(`"@mod:s"`), rules: "5.2.6 4.2.6 4.2.6 4.3.5.2 4.3.5.2 5.3.5.2", kind: JoinRule},
		{name: "restricted, unsigned", setup: restricted, try: via(`"@other:s2"`), rules: "- - - 4.2.1 4.2.1 5.2.1"},
		{name: "restricted, not a user", setup: restricted, try: via(`"s"`), rules: "- - - 4.2.1 4.2.1 5.2.1"},
		{name: "restricted, a number", setup: restricted, try: via(`1`), rules: "- - - 4.2.1 4.2.1 5.2.1"},
		{name: "knock_restricted, let in", setup: both, try: via(`"@mod:s"`), rules: "5.2.6 4.2.6 4.2.6 4.3.7 ok ok", kind: JoinRule},
		{name: "knock_restricted, by nobody", setup: both, try: becomes(never, never, "join"), rules: "5.2.6 4.2.6 4.2.6 4.3.7 4.3.5.2 5.3.5.2", kind: JoinRule},
	})
}

func TestInvite(t *testing.T) {
	runCases(t, []testCase{
		{name: "by a stranger", try: becomes(never, gone, "invite"), rules: "5.3.2 4.3.2 4.3.2 4.4.2 4.4.2 5.4.2", kind: NotJoined},
		{name: "of the joined", try: becomes(mod, user, "invite"), rules: "5.3.3 4.3.3 4.3.3 4.4.3 4.4.3 5.4.3", kind: TargetJoined},
		{name: "RE-12 of oneself", try: becomes(mod, mod, "invite"), rules: "5.3.3 4.3.3 4.3.3 4.4.3 4.4.3 5.4.3", kind: TargetJoined},
		{name: "RE-13 of the joined without power", try: becomes(user, mod, "invite"), rules: "5.3.3 4.3.3 4.3.3 4.4.3 4.4.3 5.4.3", kind: TargetJoined},
		{name: "RE-11 of the banned", try: becomes(mod, banned, "invite"), rules: "5.3.3 4.3.3 4.3.3 4.4.3 4.4.3 5.4.3", kind: TargetState},
		{name: "RE-14 without power", try: becomes(user, never, "invite"), rules: "5.3.5 4.3.5 4.3.5 4.4.5 4.4.5 5.4.5", kind: Power},
		{name: "with power", try: becomes(mod, never, "invite"), rules: "ok"},
		{name: "RE-15 of the invited", try: becomes(mod, invited, "invite"), rules: "ok"},
		{name: "RE-16 of one who knocked", try: becomes(mod, knocked, "invite"), rules: "ok"},
		{name: "without levels", setup: noState(event.TypePowerLevels), try: becomes(user, never, "invite"), rules: "ok"},
	})
}

func TestLeave(t *testing.T) {
	const (
		self, stranger = "5.4.1 4.4.1 4.4.1 4.5.1 4.5.1 5.5.1", "5.4.2 4.4.2 4.4.2 4.5.2 4.5.2 5.5.2"
		power, unban   = "5.4.5 4.4.5 4.4.5 4.5.5 4.5.5 5.5.5", "5.4.3 4.4.3 4.4.3 4.5.3 4.5.3 5.5.3"
	)
	runCases(t, []testCase{
		{name: "the joined", try: becomes(user, user, "leave"), rules: "ok"},
		{name: "the invited", try: becomes(invited, invited, "leave"), rules: "ok"},
		{name: "one who knocked", try: becomes(knocked, knocked, "leave"), rules: "5.4.1 4.4.1 ok ok ok ok", kind: NotJoined},
		{name: "one who left", try: becomes(gone, gone, "leave"), rules: self, kind: NotJoined},
		{name: "the banned", try: becomes(banned, banned, "leave"), rules: self, kind: NotJoined},
		{name: "RE-27 kick by a stranger", try: becomes(never, user, "leave"), rules: stranger, kind: NotJoined},
		{name: "RE-29 kick without power", try: becomes(user, invited, "leave"), rules: power, kind: Power},
		{name: "RE-30 kick of an equal", try: becomes(mod, mod2, "leave"), rules: power, kind: Power},
		{name: "kick", try: becomes(mod, user, "leave"), rules: "ok"},
		{name: "RE-93 kick of the creator", try: becomes(admin, creator, "leave"), rules: "ok ok ok ok ok 5.5.5", kind: Power},
		{name: "RE-40 unban below the ban level", try: becomes(mod, banned, "leave"), rules: unban, kind: Power},
		{name: "unban", try: becomes(admin, banned, "leave"), rules: "ok"},
	})
}

func TestBan(t *testing.T) {
	const power = "5.5.3 4.5.3 4.5.3 4.6.3 4.6.3 5.6.3"
	runCases(t, []testCase{
		{name: "RE-33 by a stranger", try: becomes(never, user, "ban"), rules: "5.5.1 4.5.1 4.5.1 4.6.1 4.6.1 5.6.1", kind: NotJoined},
		{name: "RE-34 without power", try: becomes(mod, user, "ban"), rules: power, kind: Power},
		{name: "RE-35 of oneself", try: becomes(admin, admin, "ban"), rules: power, kind: Power},
		{name: "of a user", try: becomes(admin, user, "ban"), rules: "ok"},
		{name: "RE-37 of one who never was there", try: becomes(admin, never, "ban"), rules: "ok"},
		{name: "RE-36 of the banned", try: becomes(admin, banned, "ban"), rules: "ok"},
		{name: "of the creator", try: becomes(admin, creator, "ban"), rules: "ok ok ok ok ok 5.6.3", kind: Power},
		{name: "by the creator", try: becomes(creator, admin, "ban"), rules: "5.5.3 4.5.3 4.5.3 4.6.3 4.6.3 ok", kind: Power},
	})
}

func TestKnock(t *testing.T) {
	const unsupported = "5.6 4.6 "
	knock := joinRuleIs("knock")
	runCases(t, []testCase{
		{name: "a knock", setup: knock, try: becomes(never, never, "knock"), rules: unsupported + "ok ok ok ok", kind: Content},
		{name: "RE-24 again", setup: knock, try: becomes(knocked, knocked, "knock"), rules: unsupported + "ok ok ok ok", kind: Content},
		{name: "knock_restricted", setup: joinRuleIs("knock_restricted"), try: becomes(never, never, "knock"), rules: "- - 4.6.1 4.7.1 ok ok", kind: JoinRule},
		{name: "RE-52 for another", setup: knock, try: becomes(user, never, "knock"), rules: "- - 4.6.2 4.7.2 4.7.2 5.7.2", kind: Ownership},
		{name: "RE-21 the joined", setup: knock, try: becomes(user, user, "knock"), rules: "- - 4.6.4 4.7.4 4.7.4 5.7.4", kind: TargetJoined},
		{name: "RE-22 the banned", setup: knock, try: becomes(banned, banned, "knock"), rules: "- - 4.6.4 4.7.4 4.7.4 5.7.4", kind: TargetState},
		{name: "RE-23 the invited", setup: knock, try: becomes(invited, invited, "knock"), rules: "- - 4.6.4 4.7.4 4.7.4 5.7.4", kind: TargetState},
	})
	for version, rule := range map[string]string{"7": "4.6.1", "8": "4.7.1", "11": "4.7.1", "12": "5.7.1"} {
		r := newRoom(t, version)
		if got := Check(becomes(never, never, "knock")(r), r.state); got == nil || got.Rule != rule || got.Kind != JoinRule {
			t.Errorf("RE-25 version %s, a knock on a public room: got %+v, want rule %s", version, got, rule)
		}
	}
}

func TestThirdPartyInvite(t *testing.T) {
	identityKey := ed25519.NewKeyFromSeed([]byte("an identity server's key, 32 b.."))
	public := cj.EncodeBase64(identityKey.Public().(ed25519.PublicKey))
	sign := func(object string) string {
		signed, err := cj.Sign([]byte(object), "id.example", "ed25519:0", identityKey)
		if err != nil {
			t.Fatal(err)
		}
		return string(signed)
	}
	signed := sign(`{"mxid":"@never:s","token":"tok"}`)
	attempt := func(sender, target id.UserID, invite string) func(*room) *event.Event {
		return sets(sender, event.TypeMember, string(target), `{"membership":"invite","third_party_invite":`+invite+`}`)
	}
	with := func(content string) func(*room) {
		return func(r *room) { r.set(mod, event.TypeThirdPartyInvite, "tok", content) }
	}
	single, list := with(`{"public_key":"`+public+`"}`), with(`{"public_key":"AAAA","public_keys":[{},{"public_key":"`+public+`"}]}`)
	inURLs := strings.NewReplacer("+", "-", "/", "_").Replace(public)
	if inURLs == public {
		t.Fatal("the key is the same in both alphabets")
	}
	rule := func(n string) string {
		return "5.3.1." + n + " 4.3.1." + n + " 4.3.1." + n + " 4.4.1." + n + " 4.4.1." + n + " 5.4.1." + n
	}
	runCases(t, []testCase{
		{name: "one key", setup: single, try: attempt(mod, never, `{"signed":`+signed+`}`), rules: "ok"},
		{name: "many keys", setup: list, try: attempt(mod, never, `{"signed":`+signed+`}`), rules: "ok"},
		{name: "a key in the alphabet for URLs", setup: with(`{"public_key":"` + inURLs + `"}`), try: attempt(mod, never, `{"signed":`+signed+`}`), rules: "ok"},
		{name: "of the banned", setup: single, try: attempt(mod, banned, `{"signed":`+sign(`{"mxid":"@banned:s","token":"tok"}`)+`}`), rules: rule("1"), kind: TargetState},
		{name: "unsigned part", setup: single, try: attempt(mod, never, `{}`), rules: rule("2"), kind: Content},
		{name: "not an object", setup: single, try: attempt(mod, never, `"x"`), rules: rule("2"), kind: Content},
		{name: "no token", setup: single, try: attempt(mod, never, `{"signed":{"mxid":"@never:s"}}`), rules: rule("3"), kind: Content},
		{name: "for another", setup: single, try: attempt(mod, gone, `{"signed":`+signed+`}`), rules: rule("4"), kind: Content},
		{name: "unknown token", try: attempt(mod, never, `{"signed":`+signed+`}`), rules: rule("5")},
		{name: "by another sender", setup: single, try: attempt(admin, never, `{"signed":`+signed+`}`), rules: rule("6"), kind: Ownership},
		{name: "wrong key", setup: with(`{"public_key":"` + cj.EncodeBase64(make([]byte, 32)) + `"}`), try: attempt(mod, never, `{"signed":`+signed+`}`), rules: rule("8")},
		{name: "no signature", setup: single, try: attempt(mod, never, `{"signed":{"mxid":"@never:s","token":"tok"}}`), rules: rule("8")},
		{name: "taken back", setup: with(`{}`), try: attempt(mod, never, `{"signed":`+signed+`}`), rules: rule("8")},
	})
}

// The key's own address comes before the one of the older member beside the list.
func TestSigningKey(t *testing.T) {
	identityKey := ed25519.NewKeyFromSeed([]byte("an identity server's key, 32 b.."))
	public := cj.EncodeBase64(identityKey.Public().(ed25519.PublicKey))
	signed, err := cj.Sign([]byte(`{"mxid":"@never:s","token":"tok"}`), "id.example", "ed25519:0", identityKey)
	if err != nil {
		t.Fatal(err)
	}
	for content, want := range map[string]string{
		`{"public_key":"` + public + `","key_validity_url":"old","public_keys":[{"public_key":"AAAA","key_validity_url":"other"},{"public_key":"` + public + `","key_validity_url":"own"}]}`: "own",
		`{"public_key":"` + public + `","key_validity_url":"old","public_keys":[{"public_key":"AAAA","key_validity_url":"other"}]}`:                                                          "old",
		`{"public_key":"` + public + `","key_validity_url":1}`: "",
	} {
		key, ok := SigningKey([]byte(content), signed)
		if !ok || key.Public != public || key.ValidityURL != want {
			t.Errorf("%s: got %+v, %t; want the address %q", content, key, ok, want)
		}
	}
	for _, content := range []string{`{}`, `[]`, `{"public_key":"!"}`, `{"public_keys":[1,{"public_key":2}]}`} {
		if key, ok := SigningKey([]byte(content), signed); ok {
			t.Errorf("%s: got %+v", content, key)
		}
	}
}

func TestLevels(t *testing.T) {
	for version, want := range map[string]Level{"1": 0, "10": 0, "11": 0, "12": Infinite} {
		if got := UserLevel(newRoom(t, version).state, creator); got != want {
			t.Errorf("version %s: creator's level %d, want %d", version, got, want)
		}
	}
	for version, want := range map[string]Level{"1": 100, "10": 100, "11": 100, "12": Infinite} {
		r := newRoom(t, version)
		noState(event.TypePowerLevels)(r)
		l := NewLevels(r.state)
		got := []Level{l.UserLevel(creator), l.UserLevel(user), l.Invite(), l.Kick(), l.Ban(), l.Redact(), l.EventLevel("m.x", true), l.EventLevel("m.x", false), l.Notification("room")}
		for i, level := range []Level{want, 0, 0, 50, 50, 50, 50, 0, 50} {
			if got[i] != level {
				t.Errorf("RE-98 version %s without levels: got %v, value %d should be %d", version, got, i, level)
			}
		}
	}
	r := newRoom(t, "12")
	content := `{"additional_creators":["@mod:s"],"room_version":"12"}`
	create := r.event(creator, event.TypeCreate, str(""), content, first)
	l := NewLevels(func(eventType, _ string) *event.Event {
		if eventType == event.TypeCreate {
			return create
		}
		return nil
	})
	if l.UserLevel(mod) != Infinite || !l.IsCreator(mod) || l.UserLevel(user) != 0 {
		t.Errorf("additional creators: got %d for one, %d for another user", l.UserLevel(mod), l.UserLevel(user))
	}
	if nobody := NewLevels(func(string, string) *event.Event { return nil }); nobody.UserLevel(user) != 0 || nobody.Ban() != 50 {
		t.Error("an empty room has other levels than the defaults")
	}
}
