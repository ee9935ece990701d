package identity_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/canonicaljson"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
)

const room = "!room:example.org"

type stored struct {
	Token      string `json:"token"`
	PublicKeys []struct {
		PublicKey   string `json:"public_key"`
		ValidityURL string `json:"key_validity_url"`
	} `json:"public_keys"`
	PublicKey   string `json:"public_key"`
	DisplayName string `json:"display_name"`
}

func invitation(sender *apitest.Client, address string) apitest.Object {
	return apitest.Object{"medium": "email", "address": address, "room_id": room, "sender": sender.UserID,
		"room_name": "Allotments", "sender_display_name": "Alice", "room_alias": "#garden:example.org", "anything": map[string]int{"else": 1}}
}

func (s service) invite(t *testing.T, sender *apitest.Client, address string) (got stored) {
	t.Helper()
	sender.Do(t, "POST", v2+"/store-invite", invitation(sender, address)).OK(t, &got)
	return got
}

// withClient makes invitations lead to a web client, whose link the mail can have.
func withClient(c *config.Config) { c.Identity.WebClient = "https://app.example.org/" }

// link is the link of an invitation's mail: its fragment's query.
func (s service) link(t *testing.T, address string) url.Values {
	t.Helper()
	text := s.mails.Last(t, address).Text
	_, rest, found := strings.Cut(text, "https://app.example.org/#/room/"+url.PathEscape(room)+"?")
	if !found {
		t.Fatalf("there is no link in the mail:\n%s", text)
	}
	raw, _, _ := strings.Cut(rest, "\n")
	values, err := url.ParseQuery(strings.TrimSpace(raw))
	if err != nil {
		t.Fatal(err)
	}
	return values
}

func TestTP89_TP96_StoreInvite(t *testing.T) {
	s := start(t, withClient)
	alice := s.user(t, "alice")
	got := s.invite(t, alice, "Frank@Burgers.example")
	if got.DisplayName != "f...@b..." || len(got.PublicKeys) != 2 || got.PublicKey != got.PublicKeys[0].PublicKey || got.PublicKey == got.PublicKeys[1].PublicKey {
		t.Fatalf("got %+v", got)
	}
	if strings.Trim(got.Token, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.=_-") != "" || len(got.Token) < 22 {
		t.Errorf("the token is %q", got.Token)
	}
	for _, key := range got.PublicKeys {
		path, ok := strings.CutPrefix(key.ValidityURL, s.URL)
		r := s.Anyone().Do(t, "GET", path+query("public_key", key.PublicKey), nil).OK(t, nil)
		if !ok || string(r.Body) != `{"valid":true}` {
			t.Errorf("%s says %s of %s", key.ValidityURL, r.Body, key.PublicKey)
		}
	}
	// The exact text alone is valid (TP-89).
	r := s.Anyone().Do(t, "GET", v2+"/pubkey/ephemeral/isvalid"+query("public_key", got.PublicKeys[1].PublicKey+"="), nil).OK(t, nil)
	if string(r.Body) != `{"valid":false}` {
		t.Errorf("a padded key: got %s", r.Body)
	}

	link := s.link(t, "frank@burgers.example")
	if link.Get("email") != "frank@burgers.example" || link.Get("room_name") != "Allotments" || link.Get("inviter_name") != "Alice" {
		t.Errorf("the link has %v", link)
	}
	sign, err := url.Parse(link.Get("signurl"))
	if err != nil || sign.Path != v2+"/sign-ed25519" || sign.Query().Get("token") != got.Token {
		t.Errorf("the link leads to %s, %v", link.Get("signurl"), err)
	}
	seed, err := base64.RawURLEncoding.DecodeString(sign.Query().Get("private_key"))
	if err != nil || len(seed) != ed25519.SeedSize {
		t.Fatalf("the private key is %q, %v", seed, err)
	}
	public := ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
	if base64.RawURLEncoding.EncodeToString(public) != got.PublicKeys[1].PublicKey {
		t.Error("the private key is not the one of the public key")
	}
	s.Read(t, func(tx *db.Tx) error {
		n, err := db.Value[int64](tx, `SELECT COUNT(*) FROM identity_invites WHERE public_key = $1 OR token = $1`, sign.Query().Get("private_key"))
		if n != 0 {
			t.Error("the private key is stored")
		}
		return err
	})
}

func TestTP96_RefusedInvites(t *testing.T) {
	s := start(t)
	alice, bob := s.user(t, "alice"), s.user(t, "bob")
	s.bind(t, bob, "bob@example.com")
	s.mails.Refuse("gone@example.com")
	path := v2 + "/store-invite"
	change := func(name string, value any) apitest.Object {
		body := invitation(alice, "frank@example.com")
		if body[name] = value; value == nil {
			delete(body, name)
		}
		return body
	}
	apitest.Run(t, []apitest.Case{
		{Name: "another sender", As: alice, Do: "POST", Path: path, Body: change("sender", bob.UserID), Want: errcode.NotYours},
		{Name: "a phone number", As: alice, Do: "POST", Path: path, Body: change("medium", "msisdn"), Want: errcode.UnrecognizedValue},
		{Name: "what is no address", As: alice, Do: "POST", Path: path, Body: change("address", "frank"), Want: errcode.InvalidEmail},
		{Name: "an empty address", As: alice, Do: "POST", Path: path, Body: change("address", ""), Want: errcode.InvalidParam},
		{Name: "what is no room", As: alice, Do: "POST", Path: path, Body: change("room_id", "room"), Want: errcode.InvalidParam},
		{Name: "what is no user", As: alice, Do: "POST", Path: path, Body: change("sender", "alice"), Want: errcode.InvalidParam},
		{Name: "no room", As: alice, Do: "POST", Path: path, Body: change("room_id", nil), Want: errcode.MissingParams},
		{Name: "no sender", As: alice, Do: "POST", Path: path, Body: change("sender", nil), Want: errcode.MissingParams},
		{Name: "no medium", As: alice, Do: "POST", Path: path, Body: change("medium", nil), Want: errcode.MissingParams},
		{Name: "no address", As: alice, Do: "POST", Path: path, Body: change("address", nil), Want: errcode.MissingParams},
		{Name: "no token", As: s.Anyone(), Do: "POST", Path: path, Body: change("medium", "email"), Want: errcode.IdentityUnauthorized},
		{Name: "bound already", As: alice, Do: "POST", Path: path, Body: change("address", "BOB@example.com"), Want: errcode.ThreepidInUse,
			Has: []string{`"mxid":"` + string(bob.UserID) + `"`}},
		{Name: "a mail that is refused", As: alice, Do: "POST", Path: path, Body: change("address", "gone@example.com"), Want: errcode.EmailSendError},
	})
	s.Read(t, func(tx *db.Tx) error {
		n, err := db.Value[int64](tx, `SELECT COUNT(*) FROM identity_invites`)
		if n != 0 {
			t.Errorf("%d refused invitations are kept", n)
		}
		return err
	})
}

// Nobody's mailbox is filled by invitations.
func TestTP96_InvitesOfOneAddressAreLimited(t *testing.T) {
	s := start(t)
	alice := s.user(t, "alice")
	for range 10 {
		s.invite(t, alice, "frank@example.com")
	}
	alice.Do(t, "POST", v2+"/store-invite", invitation(alice, "frank@example.com")).Fails(t, s.Server, errcode.LimitExceeded)
	s.invite(t, alice, "erin@example.com")
	if n := len(s.mails.Mails("frank@example.com")); n != 10 {
		t.Errorf("%d mails, want 10", n)
	}
}

func TestTP97_SignAnAcceptance(t *testing.T) {
	s := start(t, withClient)
	alice, frank := s.user(t, "alice"), s.user(t, "frank")
	got := s.invite(t, alice, "frank@example.com")
	sign, err := url.Parse(s.link(t, "frank@example.com").Get("signurl"))
	if err != nil {
		t.Fatal(err)
	}
	private := sign.Query().Get("private_key")
	path := v2 + "/sign-ed25519"
	body := func(user any, token, key string) apitest.Object {
		return apitest.Object{"mxid": user, "token": token, "private_key": key}
	}
	answer := frank.Do(t, "POST", path, body(frank.UserID, got.Token, private)).OK(t, nil)
	key, err := base64.RawURLEncoding.DecodeString(got.PublicKeys[1].PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	if err := canonicaljson.Verify(answer.Body, string(apitest.ServerName), "ed25519:0", key); err != nil {
		t.Errorf("%s: %v", answer.Body, err)
	}
	var signed map[string]any
	if err := json.Unmarshal(answer.Body, &signed); err != nil || signed["mxid"] != string(frank.UserID) || signed["sender"] != string(alice.UserID) || signed["token"] != got.Token {
		t.Errorf("got %s", answer.Body)
	}
	apitest.Run(t, []apitest.Case{
		{Name: "an unknown token", As: frank, Do: "POST", Path: path, Body: body(frank.UserID, "none", private), Want: errcode.Unrecognized},
		{Name: "a key that is none", As: frank, Do: "POST", Path: path, Body: body(frank.UserID, got.Token, "key"), Want: errcode.InvalidParam},
		{Name: "a key of another size", As: frank, Do: "POST", Path: path, Body: body(frank.UserID, got.Token, "AAAA"), Want: errcode.InvalidParam},
		{Name: "a key in the other alphabet", As: frank, Do: "POST", Path: path, Body: body(frank.UserID, got.Token, strings.Repeat("+/", 21)+"8="), Status: 200},
		{Name: "what is no user", As: frank, Do: "POST", Path: path, Body: body("frank", got.Token, private), Want: errcode.InvalidParam},
		{Name: "no key", As: frank, Do: "POST", Path: path, Body: apitest.Object{"mxid": frank.UserID, "token": got.Token}, Want: errcode.MissingParams},
		{Name: "not JSON", As: frank, Do: "POST", Path: path, Body: "{", Want: errcode.NotJSON},
		{Name: "no token of the service", As: s.Anyone(), Do: "POST", Path: path, Body: "{}", Want: errcode.IdentityUnauthorized},
	})
}

func TestTP94_TheHomeserverLearnsOfInvites(t *testing.T) {
	s := start(t)
	alice, frank := s.user(t, "alice"), s.user(t, "frank")
	s.bind(t, frank, "nobody@example.com") // without invitations there is nothing to tell
	s.RunJobs(t)
	if n := len(s.other.received()); n != 0 {
		t.Fatalf("%d notices, want none", n)
	}
	first, second := s.invite(t, alice, "frank@example.com"), s.invite(t, alice, "frank@example.com")
	s.invite(t, alice, "erin@example.com")
	s.bind(t, frank, "frank@example.com")
	s.RunJobs(t)
	s.RunJobs(t)
	notices := s.other.received()
	if len(notices) != 1 {
		t.Fatalf("%d notices, want 1", len(notices))
	}
	n := notices[0]
	if n.method != http.MethodPut || n.uri != "/_matrix/federation/v1/3pid/onbind" {
		t.Errorf("got %s %s", n.method, n.uri)
	}
	s.verify(t, n.body)
	s.verifyRequest(t, n)
	var body struct {
		Medium, Address, MXID string
		Invites               []struct {
			Medium, Address, MXID, Sender string
			RoomID                        string `json:"room_id"`
			Signed                        json.RawMessage
		}
	}
	if err := json.Unmarshal(n.body, &body); err != nil {
		t.Fatal(err)
	}
	if body.Medium != "email" || body.Address != "frank@example.com" || body.MXID != string(frank.UserID) || len(body.Invites) != 2 {
		t.Fatalf("got %s", n.body)
	}
	tokens := map[string]bool{}
	for _, i := range body.Invites {
		s.verify(t, i.Signed)
		var signed struct{ MXID, Token string }
		if err := json.Unmarshal(i.Signed, &signed); err != nil || signed.MXID != string(frank.UserID) {
			t.Errorf("got %s, %v", i.Signed, err)
		}
		tokens[signed.Token] = true
		if i.Sender != string(alice.UserID) || i.RoomID != room || i.MXID != string(frank.UserID) || i.Medium != "email" || i.Address != "frank@example.com" {
			t.Errorf("got %+v", i)
		}
	}
	if !tokens[first.Token] || !tokens[second.Token] {
		t.Errorf("got the invitations %v", tokens)
	}
}

// verifyRequest checks the signature of a request as a homeserver does.
func (s service) verifyRequest(t *testing.T, n notice) {
	t.Helper()
	var origin, destination, keyID, signature string
	_, err := fmt.Sscanf(n.authorization, `X-Matrix origin=%q,destination=%q,key=%q,sig=%q`, &origin, &destination, &keyID, &signature)
	if err != nil || origin != string(apitest.ServerName) || destination != string(s.other.name) {
		t.Fatalf("%s: %v", n.authorization, err)
	}
	object, err := json.Marshal(apitest.Object{
		"method": n.method, "uri": n.uri, "origin": origin, "destination": destination, "content": json.RawMessage(n.body),
		"signatures": apitest.Object{origin: apitest.Object{keyID: signature}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := canonicaljson.Verify(object, origin, keyID, s.key(t, keyID)); err != nil {
		t.Errorf("%s: %v", n.authorization, err)
	}
}

func TestTP94_AHomeserverThatIsDownLearnsLater(t *testing.T) {
	s := start(t)
	alice, frank := s.user(t, "alice"), s.user(t, "frank")
	s.invite(t, alice, "frank@example.com")
	s.bind(t, frank, "frank@example.com")
	s.other.answers(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	s.RunJobs(t)
	s.other.answers(nil)
	s.RunJobs(t)
	if n := len(s.other.received()); n != 0 {
		t.Fatalf("%d notices before the next try, want none", n)
	}
	s.Advance(backOff)
	s.RunJobs(t)
	if n := len(s.other.received()); n != 1 {
		t.Fatalf("%d notices, want 1", n)
	}
}

// Who unbinds the address before the notice was sent gets none.
func TestTP94_NothingIsToldOfABindingTakenBack(t *testing.T) {
	s := start(t)
	alice, frank := s.user(t, "alice"), s.user(t, "frank")
	s.invite(t, alice, "frank@example.com")
	s.bind(t, frank, "frank@example.com")
	sid := s.validate(t, frank, "frank@example.com")
	frank.Do(t, "POST", v2+"/3pid/unbind", apitest.Object{"mxid": frank.UserID, "sid": sid, "client_secret": secret,
		"threepid": apitest.Object{"medium": "email", "address": "frank@example.com"}}).OK(t, nil)
	s.RunJobs(t)
	if n := len(s.other.received()); n != 0 {
		t.Errorf("%d notices, want none", n)
	}
}
