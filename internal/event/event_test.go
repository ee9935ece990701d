package event

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	cj "github.com/narthex-matrix/narthex/internal/canonicaljson"
	"github.com/narthex-matrix/narthex/internal/id"
)

// testSigner signs with the key of the appendix "Cryptographic Test Vectors".
func testSigner() Signer {
	seed, err := cj.DecodeBase64("YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1")
	if err != nil {
		panic(err)
	}
	return Signer{Server: "domain", KeyID: "ed25519:1", Key: ed25519.NewKeyFromSeed(seed)}
}

func version(t testing.TB, name string) *Version {
	t.Helper()
	v, ok := VersionByID(name)
	if !ok {
		t.Fatalf("VersionByID(%q): unknown", name)
	}
	return v
}

func key(s string) *string { return &s }

func messageDraft() Draft {
	return Draft{
		RoomID: "!room:domain", Type: "m.room.message", Sender: "@alice:domain",
		Content: json.RawMessage(`{"msgtype":"m.text", "body":"Hello\u0021 \"there\""}`),
		Prev:    []id.EventID{"$prev"}, Auth: []id.EventID{"$create", "$levels", "$member"},
		Depth: 7, OriginServerTS: 1_700_000_000_000,
	}
}

func TestVersions(t *testing.T) {
	table := Versions()
	if len(table) != 12 {
		t.Fatalf("Versions: got %d rows, want 12", len(table))
	}
	if _, ok := VersionByID(DefaultVersion); !ok {
		t.Errorf("VersionByID(%q): unknown", DefaultVersion)
	}
	for _, unknown := range []string{"", "0", "13", "1 ", "org.example"} {
		if _, ok := VersionByID(unknown); ok {
			t.Errorf("VersionByID(%q): known, want unknown", unknown)
		}
	}
	first := map[string]string{}
	for _, v := range table {
		for name, on := range map[string]bool{
			"strict": v.StrictJSON, "validity": v.EnforceKeyValidity, "no redaction rule": !v.RedactionRule,
			"no aliases": !v.AliasesRule, "notifications": v.NotificationLevels, "knock": v.Knock, "restricted": v.Restricted,
			"knock_restricted": v.KnockRestricted, "integers": v.IntegerPowerLevels, "implicit": v.ImplicitCreator,
			"redacts": v.RedactsInContent, "creators": v.PrivilegedCreators, "room id": v.RoomIDIsCreateEvent,
			"url": v.Format == FormatHashURL, "hash": v.Format >= FormatHash, "r6": v.Redaction >= RedactionV6,
			"r8": v.Redaction >= RedactionV8, "r9": v.Redaction >= RedactionV9, "r11": v.Redaction >= RedactionV11,
			"s2": v.StateResolution >= StateResolutionV2, "s21": v.StateResolution >= StateResolutionV21,
		} {
			if _, seen := first[name]; on && !seen {
				first[name] = v.ID
			}
		}
	}
	want := map[string]string{
		"strict": "6", "validity": "5", "no redaction rule": "3", "no aliases": "6", "notifications": "6", "knock": "7", "restricted": "8",
		"knock_restricted": "10", "integers": "10", "implicit": "11", "redacts": "11", "creators": "12", "room id": "12",
		"url": "4", "hash": "3", "r6": "6", "r8": "8", "r9": "9", "r11": "11", "s2": "2", "s21": "12",
	}
	if diff := cmp.Diff(want, first); diff != "" {
		t.Errorf("first version with each trait (-want +got):\n%s", diff)
	}
}

// TestSigningVectors holds hashing and signing to the event vectors of the
// specification's appendix.
func TestSigningVectors(t *testing.T) {
	cases := []struct{ name, in, hash, signature string }{
		{
			"minimal",
			`{"room_id":"!x:domain","sender":"@a:domain","origin":"domain","origin_server_ts":1000000,"signatures":{},"hashes":{},
			 "type":"X","content":{},"prev_events":[],"auth_events":[],"depth":3,"unsigned":{"age_ts":1000000}}`,
			"5jM4wQpv6lnBo7CLIghJuHdW+s2CMBJPUOGOC89ncos",
			"KxwGjPSDEtvnFgU00fwFz+l6d2pJM6XBIaMEn81SXPTRl16AqLAYqfIReFGZlHi5KLjAWbOoMszkwsQma+lYAg",
		},
		{
			"redactable content",
			`{"content":{"body":"Here is the message content"},"event_id":"$0:domain","origin":"domain","origin_server_ts":1000000,
			 "type":"m.room.message","room_id":"!r:domain","sender":"@u:domain","signatures":{},"unsigned":{"age_ts":1000000}}`,
			"onLKD1bGljeBWQhWZ1kaP9SorVmRQNdN5aM2JYU2n/g",
			"Wm+VzmOUOz08Ds+0NTWb1d4CZrVsJSikkeRxh6aCcUwu6pNC78FunoD7KNWzqFn241eYHYMGCA5McEiVPdhzBA",
		},
	}
	v, signer := version(t, "1"), testSigner()
	for _, c := range cases {
		members, err := canonicalMembers(v, []byte(c.in))
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		hash := contentHash(members)
		if got := cj.EncodeBase64(hash[:]); got != c.hash {
			t.Errorf("%s: content hash %s, want %s", c.name, got, c.hash)
		}
		members = cj.Set(members, "hashes", []byte(`{"sha256":"`+c.hash+`"}`))
		redacted := cj.AppendObject(nil, redactMembers(v, members))
		signed, err := cj.Sign(redacted, "domain", "ed25519:1", signer.Key)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if !strings.Contains(string(signed), c.signature) {
			t.Errorf("%s: signed %s, want the signature %s", c.name, signed, c.signature)
		}
	}
}

// drafts are the kinds of event that a round trip must survive.
func drafts(v *Version) map[string]Draft {
	state := messageDraft()
	state.Type, state.StateKey = "m.room.topic", key("a \"key\"\n")
	redaction := messageDraft()
	redaction.Type, redaction.Redacts, redaction.Content = TypeRedaction, "$gone", json.RawMessage(`{"reason":"r"}`)
	create := messageDraft()
	create.Type, create.StateKey, create.Content = TypeCreate, key(""), json.RawMessage(`{"room_version":"`+v.ID+`"}`)
	create.Prev, create.Auth = nil, nil
	return map[string]Draft{"message": messageDraft(), "state": state, "redaction": redaction, "create": create}
}

func TestBuildParseVerify(t *testing.T) {
	signer := testSigner()
	public := signer.Key.Public().(ed25519.PublicKey)
	for _, row := range Versions() {
		v := version(t, row.ID)
		for name, draft := range drafts(v) {
			built, err := Build(v, draft, signer)
			if err != nil {
				t.Fatalf("version %s, %s: Build: %v", v.ID, name, err)
			}
			if canon, err := cj.Canonical(built.Raw); err != nil || !bytes.Equal(canon, built.Raw) {
				t.Errorf("version %s, %s: Raw is not canonical: %s, %v", v.ID, name, built.Raw, err)
			}
			parsed, intact, err := Parse(v, built.Raw)
			if err != nil || !intact {
				t.Fatalf("version %s, %s: Parse: intact %v, %v", v.ID, name, intact, err)
			}
			same(t, v.ID+" "+name+" Parse", built, parsed)
			loaded, err := Load(v, built.ID, built.Raw)
			if err != nil {
				t.Fatalf("version %s, %s: Load: %v", v.ID, name, err)
			}
			same(t, v.ID+" "+name+" Load", built, loaded)
			if err := VerifySignature(parsed, "domain", "ed25519:1", public); err != nil {
				t.Errorf("version %s, %s: VerifySignature: %v", v.ID, name, err)
			}
			if err := VerifySignature(parsed, "other", "ed25519:1", public); !errors.Is(err, cj.ErrNotSigned) {
				t.Errorf("version %s, %s: VerifySignature of another server: got %v", v.ID, name, err)
			}
		}
	}
}

func same(t *testing.T, name string, want, got *Event) {
	t.Helper()
	flat := func(e *Event) map[string]any {
		m := map[string]any{
			"id": e.ID, "room": e.RoomID, "type": e.Type, "sender": e.Sender, "ts": e.OriginServerTS, "depth": e.Depth,
			"prev": append([]id.EventID{}, e.Prev...), "auth": append([]id.EventID{}, e.Auth...), "redacts": e.Redacts,
			"content": string(e.Content), "raw": string(e.Raw), "version": e.Version.ID, "key": "none",
		}
		if e.StateKey != nil {
			m["key"] = "is " + *e.StateKey
		}
		return m
	}
	if diff := cmp.Diff(flat(want), flat(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func TestEventIDs(t *testing.T) {
	signer := testSigner()
	forms := map[string]func(string) bool{
		"2":  func(s string) bool { return strings.HasSuffix(s, ":domain") },
		"3":  func(s string) bool { return len(s) == 44 && !strings.ContainsAny(s[1:], "-_:") },
		"4":  func(s string) bool { return len(s) == 44 && !strings.ContainsAny(s[1:], "+/:") },
		"12": func(s string) bool { return len(s) == 44 && !strings.ContainsAny(s[1:], "+/:") },
	}
	for name, fits := range forms {
		for depth := range int64(50) { // enough hashes that each alphabet shows
			draft := messageDraft()
			draft.Depth = depth
			e, err := Build(version(t, name), draft, signer)
			if err != nil {
				t.Fatalf("version %s: %v", name, err)
			}
			if !fits(string(e.ID)) {
				t.Errorf("version %s: event ID %s has the wrong form", name, e.ID)
			}
		}
	}
}

func TestVersion12RoomID(t *testing.T) {
	v := version(t, "12")
	e, err := Build(v, drafts(v)["create"], testSigner())
	if err != nil {
		t.Fatal(err)
	}
	if string(e.RoomID) != "!"+string(e.ID[1:]) {
		t.Errorf("RoomID: got %s for the create event %s", e.RoomID, e.ID)
	}
	if bytes.Contains(e.Raw, []byte("room_id")) {
		t.Errorf("Raw: %s contains a room_id", e.Raw)
	}
	if _, err := id.ParseRoomID(string(e.RoomID)); err != nil {
		t.Errorf("ParseRoomID(%s): %v", e.RoomID, err)
	}
}

func TestParseTamperedEventIsRedacted(t *testing.T) {
	v, signer := version(t, "10"), testSigner()
	built, err := Build(v, messageDraft(), signer)
	if err != nil {
		t.Fatal(err)
	}
	tampered := bytes.Replace(built.Raw, []byte("Hello"), []byte("Howdy"), 1)
	parsed, intact, err := Parse(v, tampered)
	if err != nil || intact {
		t.Fatalf("Parse: intact %v, %v, want a redacted event", intact, err)
	}
	if string(parsed.Content) != `{}` || parsed.ID != built.ID {
		t.Errorf("Parse: got %s with content %s, want %s with none", parsed.ID, parsed.Content, built.ID)
	}
	if err := VerifySignature(parsed, "domain", "ed25519:1", signer.Key.Public().(ed25519.PublicKey)); err != nil {
		t.Errorf("VerifySignature: %v, want none, because the redacted form is signed", err)
	}
	moved := bytes.Replace(built.Raw, []byte(`"depth":7`), []byte(`"depth":8`), 1)
	parsed, _, err = Parse(v, moved)
	if err != nil {
		t.Fatal(err)
	}
	if err := VerifySignature(parsed, "domain", "ed25519:1", signer.Key.Public().(ed25519.PublicKey)); !errors.Is(err, cj.ErrBadSignature) {
		t.Errorf("VerifySignature after a change of depth: got %v, want ErrBadSignature", err)
	}
}
