package event

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/narthex-matrix/narthex/internal/id"
)

// realistic are events as a busy room of the newest version has them: a message, an
// encrypted one, a change of membership, and power levels of a hundred users.
func realistic() map[string]Draft {
	const room, alice = id.RoomID("!YXr3m5eNbGjYqGcPJJGfBV5OFG1bWd2yPrWAkVCTa4I"), id.UserID("@alice:example.org")
	base := Draft{
		RoomID: room, Sender: alice, Depth: 1234, OriginServerTS: 1_700_000_000_000,
		Prev: []id.EventID{"$tbHMiGSXvWUWmZWjR3pY6yOmNRbVEbwWCKUgkIGtVGA"},
		Auth: []id.EventID{"$vWUWmZWjR3pYtbHMiGSX6yOmNRbVEbwWCKUgkIGtVGA", "$R3pY6yOmNRtbHMiGSXvWUWmZWjbVEbwWCKUgkIGtVGA"},
	}
	of := func(eventType string, stateKey *string, content string) Draft {
		d := base
		d.Type, d.StateKey, d.Content = eventType, stateKey, json.RawMessage(content)
		return d
	}
	var users strings.Builder
	for i := range 100 {
		users.WriteString(`"@user` + strings.Repeat("x", i%7) + string(rune('a'+i%26)) + string(rune('a'+i/26)) + `:example.org":50,`)
	}
	return map[string]Draft{
		"message": of("m.room.message", nil, `{"msgtype":"m.text","body":"Shall we meet at \"Café Zoë\" at eight? 🙂","format":"org.matrix.custom.html",
			"formatted_body":"Shall we meet at <em>Café Zoë</em> at eight? 🙂","m.mentions":{"user_ids":["@bob:example.org"]}}`),
		"encrypted": of("m.room.encrypted", nil, `{"algorithm":"m.megolm.v1.aes-sha2","ciphertext":"`+strings.Repeat("AwgAEnACgAkLmt6q", 60)+
			`","device_id":"RJYKSTBOIE","sender_key":"VLu93Qm9dTcbpqVXi8GJb2UgY3s0bZXtQOyjQrHQyQo","session_id":"X3lUlvLELLYxeTx4yOVu6UDpasGEVO0Jbu+QFnm0cKQ"}`),
		"member": of(TypeMember, key(string(alice)), `{"membership":"join","displayname":"Alice Liddell","avatar_url":"mxc://example.org/SEsfnsuifSDFSSEF"}`),
		"levels": of(TypePowerLevels, key(""), `{"ban":50,"events":{"m.room.name":50,"m.room.power_levels":100,"m.room.tombstone":100},"invite":0,"kick":50,
			"users":{`+users.String()+`"@bob:example.org":100},"users_default":0}`),
	}
}

// each runs a benchmark for each realistic event, built.
func each(b *testing.B, run func(b *testing.B, v *Version, d Draft, e *Event)) {
	v, signer := version(b, "12"), testSigner()
	for _, name := range []string{"message", "encrypted", "member", "levels"} {
		draft := realistic()[name]
		e, err := Build(v, draft, signer)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			run(b, v, draft, e)
		})
	}
}

// BenchmarkBuild makes an event: canonical form, content hash, signature, event ID.
func BenchmarkBuild(b *testing.B) {
	signer := testSigner()
	each(b, func(b *testing.B, v *Version, d Draft, _ *Event) {
		for b.Loop() {
			if _, err := Build(v, d, signer); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkParse takes an event from elsewhere, without its signature.
func BenchmarkParse(b *testing.B) {
	each(b, func(b *testing.B, v *Version, _ Draft, e *Event) {
		for b.Loop() {
			if _, intact, err := Parse(v, e.Raw); err != nil || !intact {
				b.Fatal(intact, err)
			}
		}
	})
}

// BenchmarkLoad reads an event back from the database.
func BenchmarkLoad(b *testing.B) {
	each(b, func(b *testing.B, v *Version, _ Draft, e *Event) {
		for b.Loop() {
			if _, err := Load(v, e.ID, e.Raw); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkReferenceHash computes the hash that names an event.
func BenchmarkReferenceHash(b *testing.B) {
	each(b, func(b *testing.B, v *Version, _ Draft, e *Event) {
		for b.Loop() {
			if _, err := ReferenceHash(v, e.Raw); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkContent reads what the content says, as is done once for each event that
// comes into memory.
func BenchmarkContent(b *testing.B) {
	each(b, func(b *testing.B, v *Version, _ Draft, e *Event) {
		for b.Loop() {
			loaded, err := Load(v, e.ID, e.Raw)
			if err != nil {
				b.Fatal(err)
			}
			loaded.Member()
		}
	})
}
