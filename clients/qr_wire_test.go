package clients_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	qrimage "rsc.io/qr"

	"github.com/narthex-matrix/narthex/signin/qr"
)

// decoded is a code as js-sdk's cryptography reads it.
type decoded struct {
	Key        string `json:"key"`
	Intent     string `json:"intent"`
	URL        string `json:"url"`
	ServerName string `json:"serverName"`
	ID         string `json:"id"`
	Again      string `json:"again"` // what it writes of it
}

const (
	session  = "https://matrix.example.org/_matrix/client/unstable/org.matrix.msc4108/rendezvous/Zm9v_~.-"
	base     = "https://matrix.example.org"
	longName = "a-homeserver-whose-operator-likes-long-names.and-many-labels.example.org"
)

// someKey is a public key with all kinds of bytes in it.
func someKey() (key [32]byte) {
	for i := range key {
		key[i] = byte(i*37 + 128)
	}
	key[0], key[31] = 0, 9
	return key
}

func inBase64(raw []byte) string { return base64.RawStdEncoding.EncodeToString(raw) }

// payloads are codes of every kind, and how js-sdk's cryptography reads them;
// nil where it does not.
func payloads() map[string]struct {
	ours   qr.Payload
	theirs *decoded
} {
	key := someKey()
	text := inBase64(key[:])
	return map[string]struct {
		ours   qr.Payload
		theirs *decoded
	}{
		"2024, a new device": {qr.Payload{Generation: qr.Gen2024, ShownBy: qr.DeviceNew, Key: key, RendezvousURL: session},
			&decoded{Key: text, Intent: "Login", URL: session}},
		"2024, an existing device, by name": {qr.Payload{Generation: qr.Gen2024, ShownBy: qr.DeviceExisting, Key: key, RendezvousURL: session, ServerName: longName},
			&decoded{Key: text, Intent: "Reciprocate", URL: session, ServerName: longName}},
		"2024, an existing device, by address": {qr.Payload{Generation: qr.Gen2024, ShownBy: qr.DeviceExisting, Key: key, RendezvousURL: session, BaseURL: base},
			&decoded{Key: text, Intent: "Reciprocate", URL: session, ServerName: base}},
		// The text gives the length of the ID one byte, the Rust SDK two; and it
		// does not know the stable prefix.
		"2025, unstable": {qr.Payload{Generation: qr.Gen2025, Unstable: true, ShownBy: qr.DeviceNew, Key: key, RendezvousID: "Zm9v_~.-", BaseURL: base}, nil},
		"2025":           {qr.Payload{Generation: qr.Gen2025, ShownBy: qr.DeviceExisting, Key: key, RendezvousID: "Zm9v_~.-", BaseURL: base}, nil},
	}
}

// TestQRCryptoOfMatrixJSSDK holds codes and channels against
// matrix-sdk-crypto-wasm, which has them in js-sdk.
func TestQRCryptoOfMatrixJSSDK(t *testing.T) {
	js := hire(t, "qr-device.mjs")
	t.Run("our codes", func(t *testing.T) { ourCodes(t, js) })
	t.Run("their codes", func(t *testing.T) { theirCodes(t, js) })
	t.Run("the channel, we show", func(t *testing.T) { channelShown(t, js) })
	t.Run("the channel, we scan", func(t *testing.T) { channelScanned(t, js) })
}

// ourCodes has what we write read by them, and pictures of it by jsQR.
func ourCodes(t *testing.T, js *worker) {
	for name, c := range payloads() {
		t.Run(name, func(t *testing.T) {
			raw, err := c.ours.Encode()
			if err != nil {
				t.Fatal(err)
			}
			var got decoded
			err = js.do(t.Context(), "decode", order{"code": inBase64(raw)}, &got)
			if c.theirs == nil {
				if _, refused := errors.AsType[*refusal](err); !refused {
					t.Errorf("the code is read as %+v: %v", got, err)
				}
			} else {
				want := *c.theirs
				want.Again = base64.StdEncoding.EncodeToString(raw)
				if diff := cmp.Diff(want, got); diff != "" || err != nil {
					t.Error(err, diff)
				}
			}
			drawn, err := qrimage.Encode(string(raw), qrimage.Q)
			if err != nil {
				t.Fatal(err)
			}
			var seen struct{ Code string }
			js.must(t, "picture", order{"png": inBase64(drawn.PNG())}, &seen)
			if want := base64.StdEncoding.EncodeToString(raw); seen.Code != want {
				t.Errorf("in the picture, jsQR sees %s, not %s", seen.Code, want)
			}
		})
	}
}

// theirCodes reads what they write.
func theirCodes(t *testing.T, js *worker) {
	key := someKey()
	text := inBase64(key[:])
	for _, c := range []struct {
		name, how string
		write     order
		want      qr.Payload
	}{
		{"2024, a new device", "encode", order{"key": text, "url": session},
			qr.Payload{Generation: qr.Gen2024, ShownBy: qr.DeviceNew, Key: key, RendezvousURL: session}},
		{"2024, an existing device, by name", "encode", order{"key": text, "url": session, "serverName": longName},
			qr.Payload{Generation: qr.Gen2024, ShownBy: qr.DeviceExisting, Key: key, RendezvousURL: session, ServerName: longName}},
		{"2024, an existing device, by address", "encode", order{"key": text, "url": session, "serverName": base + "/"},
			qr.Payload{Generation: qr.Gen2024, ShownBy: qr.DeviceExisting, Key: key, RendezvousURL: session, BaseURL: base + "/"}},
		{"2025, a new device", "encode4388", order{"key": text, "url": base, "rendezvousId": "Zm9v_~.-", "intent": "Login"},
			qr.Payload{Generation: qr.Gen2025, Unstable: true, ShownBy: qr.DeviceNew, Key: key, RendezvousID: "Zm9v_~.-", BaseURL: base}},
		{"2025, an existing device", "encode4388", order{"key": text, "url": base, "rendezvousId": "Zm9v_~.-", "intent": "Reciprocate"},
			qr.Payload{Generation: qr.Gen2025, Unstable: true, ShownBy: qr.DeviceExisting, Key: key, RendezvousID: "Zm9v_~.-", BaseURL: base}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var written struct{ Code []byte }
			js.must(t, c.how, c.write, &written)
			got, err := qr.Parse(written.Code)
			if err != nil {
				t.Fatalf("%v: %x", err, written.Code)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func channelShown(t *testing.T, js *worker) {
	ours, err := qr.NewGenerator(qr.Deployed, qr.Payload{Generation: qr.Gen2024})
	if err != nil {
		t.Fatal(err)
	}
	key := ours.PublicKey()
	var theirs struct{ Message, CheckCode string }
	js.must(t, "outbound", order{"name": t.Name(), "key": inBase64(key[:]), "plaintext": "MATRIX_QR_CODE_LOGIN_INITIATE"}, &theirs)
	second, err := ours.Answer(theirs.Message, "", "")
	if err != nil {
		t.Fatal(err)
	}
	opens(t, js, second, "MATRIX_QR_CODE_LOGIN_OK")
	if right, err := ours.CheckDigits(theirs.CheckCode); !right || err != nil {
		t.Errorf("the digits %s are not ours: %v", theirs.CheckCode, err)
	}
	talk(t, js, ours)
}

func channelScanned(t *testing.T, js *worker) {
	var theirs struct{ Key, Plaintext, CheckCode, Message string }
	js.must(t, "generator", order{"name": t.Name()}, &theirs)
	code := qr.Payload{Generation: qr.Gen2024}
	raw, err := base64.RawStdEncoding.DecodeString(theirs.Key)
	if err != nil {
		t.Fatal(err)
	}
	copy(code.Key[:], raw)
	ours, err := qr.NewScanner(qr.Deployed, code)
	if err != nil {
		t.Fatal(err)
	}
	first, err := ours.Initiate("")
	if err != nil {
		t.Fatal(err)
	}
	js.must(t, "inbound", order{"name": t.Name(), "message": first}, &theirs)
	if theirs.Plaintext != "MATRIX_QR_CODE_LOGIN_INITIATE" {
		t.Errorf("js-sdk reads %q", theirs.Plaintext)
	}
	js.must(t, "seal", order{"name": t.Name(), "plaintext": "MATRIX_QR_CODE_LOGIN_OK"}, &theirs)
	if err := ours.Finish(theirs.Message, ""); err != nil {
		t.Fatal(err)
	}
	if digits, err := ours.CheckCode(); digits != theirs.CheckCode || err != nil {
		t.Errorf("our digits are %s, theirs %s: %v", digits, theirs.CheckCode, err)
	}
	talk(t, js, ours)
}

func opens(t *testing.T, js *worker, message, want string) {
	t.Helper()
	var got struct{ Plaintext string }
	js.must(t, "open", order{"name": t.Name(), "message": message}, &got)
	if got.Plaintext != want {
		t.Errorf("js-sdk reads %q, not %q", got.Plaintext, want)
	}
}

// talk sends some messages each way; a changed one is refused.
func talk(t *testing.T, js *worker, ours *qr.Channel) {
	t.Helper()
	for _, text := range []string{`{"type":"m.login.success"}`, "", strings.Repeat("ä", 2000)} {
		sealed, err := ours.Seal([]byte(text), "")
		if err != nil {
			t.Fatal(err)
		}
		opens(t, js, sealed, text)
		var theirs struct{ Message string }
		js.must(t, "seal", order{"name": t.Name(), "plaintext": text}, &theirs)
		changed := "A" + theirs.Message[1:]
		if changed == theirs.Message {
			changed = "B" + theirs.Message[1:]
		}
		if _, err := ours.Open(changed, ""); err == nil {
			t.Error("a changed message is opened")
		}
		if got, err := ours.Open(theirs.Message, ""); err != nil || !bytes.Equal(got, []byte(text)) {
			t.Errorf("we read %q, not %q: %v", got, text, err)
		}
	}
}
