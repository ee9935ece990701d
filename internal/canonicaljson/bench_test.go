package canonicaljson

import (
	"crypto/ed25519"
	"fmt"
	"strings"
	"testing"
)

// bodies are what clients send most: a message, an encrypted one, and a device's
// one-time keys, whose members come unsorted as from a map.
var bodies = []struct{ name, text string }{
	{"message", `{"msgtype": "m.text", "body": "Shall we meet at \"Café Zoë\" at eight? 🙂", "format": "org.matrix.custom.html",
		"formatted_body": "Shall we meet at <em>Café Zoë</em> at eight? 🙂", "m.mentions": {"user_ids": ["@alice:example.org"]},
		"m.relates_to": {"m.in_reply_to": {"event_id": "$YXr3m5eNbGjYqGcPJJGfBV5OFG1bWd2yPrWAkVCTa4I"}}}`},
	{"encrypted", `{"algorithm":"m.megolm.v1.aes-sha2","ciphertext":"` + strings.Repeat("AwgAEnACgAkLmt6q", 60) +
		`","sender_key":"VLu93Qm9dTcbpqVXi8GJb2UgY3s0bZXtQOyjQrHQyQo","device_id":"RJYKSTBOIE","session_id":"X3lUlvLELLYxeTx4yOVu6UDpasGEVO0Jbu+QFnm0cKQ"}`},
	{"keys", oneTimeKeys(50)},
}

func oneTimeKeys(count int) string {
	var b strings.Builder
	b.WriteString(`{"one_time_keys":{`)
	for i := range count {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `"signed_curve25519:AAAA%03d":{"key":"zKbLg+NrIjpnagy+pIY6uPL4ZwEG2v+8F9lmgsnlZz%d","signatures":{"@alice:example.org":{"ed25519:JLAFKJWSCS":"%s"}}}`,
			i*37%count, i, strings.Repeat("FLWxXqGbwrb8S", 6))
	}
	return b.String() + `}}`
}

func BenchmarkStrict(b *testing.B) {
	for _, body := range bodies {
		b.Run(body.name, func(b *testing.B) {
			data := []byte(body.text)
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if err := Strict(data, Limits{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkCanonical(b *testing.B) {
	for _, body := range bodies {
		b.Run(body.name, func(b *testing.B) {
			data := []byte(body.text)
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Canonical(data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkSign(b *testing.B) {
	object, key := []byte(bodies[0].text), vectorKey(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Sign(object, "example.org", "ed25519:1", key); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	key := vectorKey(b)
	signed, err := Sign([]byte(bodies[0].text), "example.org", "ed25519:1", key)
	if err != nil {
		b.Fatal(err)
	}
	public := key.Public().(ed25519.PublicKey)
	b.ReportAllocs()
	for b.Loop() {
		if err := Verify(signed, "example.org", "ed25519:1", public); err != nil {
			b.Fatal(err)
		}
	}
}
