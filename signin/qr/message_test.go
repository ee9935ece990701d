package qr

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMessagesAreWritten(t *testing.T) {
	for _, c := range []struct {
		name    string
		message message
		g       Generation
		want    string
	}{
		{"LG-2 protocols, 2024", protocolsMessage{protocols: []string{deviceGrant}, homeserver: home}, Gen2024,
			`{"homeserver":"https://a.org","protocols":["device_authorization_grant"],"type":"m.login.protocols"}`},
		{"LG-2 protocols, 2025", protocolsMessage{homeserver: home}, Gen2025, `{"base_url":"https://a.org","protocols":[],"type":"m.login.protocols"}`},
		{"protocol", goodRequest, Gen2025, `{"device_authorization_grant":{"verification_uri":"https://a.org/link","verification_uri_complete":"https://a.org/link?c=1"},` +
			`"device_id":"ABCDEFGHIJ","protocol":"device_authorization_grant","type":"m.login.protocol"}`},
		{"protocol without complete", protocolMessage{protocol: deviceGrant, deviceID: "A", verificationURI: "u"}, Gen2024,
			`{"device_authorization_grant":{"verification_uri":"u"},"device_id":"A","protocol":"device_authorization_grant","type":"m.login.protocol"}`},
		{"accepted", acceptedMessage{}, Gen2025, `{"type":"m.login.protocol_accepted"}`},
		{"success", successMessage{}, Gen2025, `{"type":"m.login.success"}`},
		{"LG-1 declined", declinedMessage{}, Gen2025, `{"type":"m.login.declined"}`},
		{"failure", failureMessage{reason: UserCancelled}, Gen2025, `{"reason":"user_cancelled","type":"m.login.failure"}`},
		{"LG-4 failure with homeserver, 2024", failureMessage{reason: UnsupportedProtocol, homeserver: home}, Gen2024,
			`{"homeserver":"https://a.org","reason":"unsupported_protocol","type":"m.login.failure"}`},
		{"LG-4 failure with homeserver, 2025", failureMessage{reason: UnsupportedProtocol, homeserver: home}, Gen2025,
			`{"homeserver":"a","reason":"unsupported_protocol","type":"m.login.failure"}`},
		{"secrets", secretsMessage{someSecrets}, Gen2025, `{"backup":{"algorithm":"m.megolm_backup.v1.curve25519-aes-sha2","key":"k","backup_version":"1"},` +
			`"cross_signing":{"master_key":"m","self_signing_key":"s","user_signing_key":"u"},"type":"m.login.secrets"}`},
		{"SX-7 no secrets", secretsMessage{}, Gen2024, `{"type":"m.login.secrets"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := writeMessage(c.message, c.g)
			if err != nil || string(got) != c.want {
				t.Errorf("got  %s %v\nwant %s", got, err, c.want)
			}
		})
	}
}

func TestMessagesAreRead(t *testing.T) {
	byURL := protocolsMessage{protocols: []string{deviceGrant}, homeserver: Homeserver{BaseURL: "https://a.org/"}}
	byName := protocolsMessage{protocols: []string{deviceGrant}, homeserver: Homeserver{ServerName: "a.org"}}
	none := protocolsMessage{protocols: []string{}, homeserver: Homeserver{BaseURL: "https://a.org"}}
	for _, c := range []struct {
		name, text string
		want       message
	}{
		{"LG-2 homeserver is a URL", `{"type":"m.login.protocols","protocols":["device_authorization_grant"],"homeserver":"https://a.org/"}`, byURL},
		{"LG-2 homeserver is a name", `{"type":"m.login.protocols","protocols":["device_authorization_grant"],"homeserver":"a.org"}`, byName},
		{"LG-2 base_url", `{"type":"m.login.protocols","protocols":["device_authorization_grant"],"base_url":"https://a.org/"}`, byURL},
		{"no protocols", `{"type":"m.login.protocols","protocols":[],"base_url":"https://a.org"}`, none},
		{"LG-3 unknown fields", ` {"type":"m.login.success","x":{"y":1}}`, successMessage{}},
		{"LG-3 unknown reason", `{"type":"m.login.failure","reason":"org.example.tea_time"}`, failureMessage{reason: "org.example.tea_time"}},
		{"LG-3 no reason to be shown", `{"type":"m.login.failure","reason":"<b>you & me</b>"}`, failureMessage{reason: "unknown"}},
		{"LG-3 no reason", `{"type":"m.login.failure"}`, failureMessage{reason: "unknown"}},
		{"failure with homeserver", `{"type":"m.login.failure","reason":"unsupported_protocol","homeserver":"a.org"}`, failureMessage{reason: UnsupportedProtocol}},
		{"another protocol", `{"type":"m.login.protocol","protocol":"x","device_id":"A"}`, protocolMessage{protocol: "x", deviceID: "A"}},
		{"SX-7 secrets without cross-signing", `{"type":"m.login.secrets"}`, secretsMessage{}},
		{"protocols without homeserver", `{"type":"m.login.protocols","protocols":["device_authorization_grant"]}`, oddMessage{}},
		{"protocols without protocols", `{"type":"m.login.protocols","homeserver":"a.org"}`, oddMessage{}},
		{"protocols at an insecure place", `{"type":"m.login.protocols","protocols":[],"base_url":"http://a.org"}`, oddMessage{}},
		{"protocol without page", `{"type":"m.login.protocol","protocol":"device_authorization_grant","device_id":"A"}`, oddMessage{}},
		{"protocol without device", `{"type":"m.login.protocol","protocol":"x"}`, oddMessage{}},
		{"half a set of keys", `{"type":"m.login.secrets","cross_signing":{"master_key":"a","self_signing_key":"b"}}`, oddMessage{}},
		{"half a backup", `{"type":"m.login.secrets","backup":{"algorithm":"a","key":"b"}}`, oddMessage{}},
		{"wrong type", `{"type":"m.login.protocols","protocols":"device_authorization_grant","homeserver":"a.org"}`, oddMessage{}},
		{"unknown message", `{"type":"m.login.tea"}`, oddMessage{}},
		{"no type", `{}`, oddMessage{}},
		{"no object", `["m.login.success"]`, oddMessage{}},
		{"null", `null`, oddMessage{}},
		{"two objects", `{"type":"m.login.success"}{}`, oddMessage{}},
		{"no JSON", `m.login.success`, oddMessage{}},
		{"nothing", ``, oddMessage{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, readMessage([]byte(c.text)), unexported); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestSecretsFit is SX-9: what is handed over in practice fits into any session.
func TestSecretsFit(t *testing.T) {
	key := encoding.EncodeToString(make([]byte, 32))
	plaintext, err := writeMessage(secretsMessage{Secrets{CrossSigning: &CrossSigning{key, key, key},
		Backup: &Backup{Algorithm: "m.megolm_backup.v1.curve25519-aes-sha2", Key: key, Version: "1234567890"}}}, Gen2025)
	if err != nil {
		t.Fatal(err)
	}
	_, s := pair(t, MSC4388)
	sealed, err := s.Seal(plaintext, "3")
	if err != nil || len(sealed) > 1024 {
		t.Errorf("SX-9: %d bytes, %v", len(sealed), err)
	}
}

func FuzzReadMessage(f *testing.F) {
	f.Add([]byte(`{"type":"m.login.protocols","protocols":["device_authorization_grant"],"homeserver":"a.org"}`))
	f.Add([]byte(`{"type":"m.login.secrets","cross_signing":{"master_key":"a","self_signing_key":"b","user_signing_key":"c"}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		m := readMessage(text)
		if _, odd := m.(oddMessage); odd {
			return
		}
		written, err := writeMessage(m, Gen2024)
		if err != nil || !json.Valid(written) {
			t.Fatalf("%s %v", written, err)
		}
		if diff := cmp.Diff(m, readMessage(written), unexported); diff != "" {
			t.Error(diff)
		}
	})
}
