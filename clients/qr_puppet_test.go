package clients_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/oauth"
	"github.com/narthex-matrix/narthex/signin/qr"
)

// object is a JSON object, such as a message of the login protocol.
type object = map[string]any

// said makes the message of a device that stops.
func said(reason qr.Reason) object {
	return object{"type": "m.login.failure", "reason": string(reason)}
}

// A puppet has scanned a code, and says what the test wants.
type puppet struct {
	mailbox *qr.Mailbox2024
	channel *qr.Channel
}

// scanned makes a puppet that has the channel established: the other device has to
// negotiate at the same time.
func scanned(t *testing.T, code string) *puppet {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(code)
	if err != nil {
		t.Fatal(err)
	}
	read, err := qr.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	p := &puppet{}
	if p.mailbox, err = qr.Open2024(t.Context(), read.RendezvousURL, qr.RendezvousOptions{Wait: hurry}); err != nil {
		t.Fatal(err)
	}
	if p.channel, err = qr.NewScanner(qr.Deployed, read); err != nil {
		t.Fatal(err)
	}
	first, err := p.channel.Initiate("")
	if err != nil {
		t.Fatal(err)
	}
	if err := p.mailbox.Send(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	second, err := p.mailbox.Receive(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := p.channel.Finish(second, ""); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *puppet) say(t *testing.T, message object) {
	t.Helper()
	raw, err := json.Marshal(message)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := p.channel.Seal(raw, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := p.mailbox.Send(t.Context(), sealed); err != nil {
		t.Fatal(err)
	}
}

// hears fails the test unless the next message is of the type, and has the reason.
func (p *puppet) hears(t *testing.T, want object) {
	t.Helper()
	sealed, err := p.mailbox.Receive(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	raw, err := p.channel.Open(sealed, "")
	if err != nil {
		t.Fatal(err)
	}
	var got object
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	same(t, got, want)
}

// hears is that of a puppet, for a device of js-sdk.
func hears(t *testing.T, js *worker, name string, want object) {
	t.Helper()
	var got object
	js.must(t, "hear", order{"name": name}, &got)
	same(t, got, want)
}

func same(t *testing.T, got, want object) {
	t.Helper()
	if got["type"] != want["type"] || got["reason"] != want["reason"] {
		t.Fatalf("heard %v, not %v", got, want)
	}
}

// ends fails the test unless a sign-in of ours ends in this way.
func ends(t *testing.T, done <-chan error, by qr.Side, reason qr.Reason) *qr.Failure {
	t.Helper()
	err := <-done
	failure, ok := errors.AsType[*qr.Failure](err)
	if !ok || failure.By != by || failure.Reason != reason {
		t.Fatalf("our device ends with %#v (%v), and not for the reason %s", err, err, reason)
	}
	return failure
}

// decide answers a device that asks, as the page would.
func decide(t *testing.T, as *apitest.Client, how func(*db.Tx) (oauth.Decision, error)) {
	t.Helper()
	as.Server.Write(t, func(tx *db.Tx) error {
		_, err := how(tx)
		return err
	})
}

func allow(t *testing.T, as *apitest.Client, userCode string) {
	t.Helper()
	decide(t, as, func(tx *db.Tx) (oauth.Decision, error) {
		return as.Server.App.OAuth.ApproveDevice(tx, as.UserID, userCode)
	})
}

func deny(t *testing.T, as *apitest.Client, userCode string) {
	t.Helper()
	decide(t, as, func(tx *db.Tx) (oauth.Decision, error) {
		return as.Server.App.OAuth.DenyDevice(tx, as.UserID, userCode)
	})
}
