package clients_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/signin/qr"
)

// gate is where a new device of js-sdk meets an existing one of ours.
type gate struct {
	js *worker
	h  *host
}

const newDeviceID = "JSSDKDEVICE"

func (g gate) order(t *testing.T) order {
	return order{"name": t.Name(), "baseUrl": g.h.as.Server.URL, "deviceId": newDeviceID}
}

// meet lets js-sdk show a code and our device scan it; they have met when it
// returns.
func (g gate) meet(t *testing.T, h *host) <-chan error {
	t.Helper()
	var shown struct{ Code string }
	g.js.must(t, "show", g.order(t), &shown)
	done := begin(func() error { return scans(t.Context(), shown.Code, h.Scan) })
	var met negotiated
	g.js.must(t, "negotiate", g.order(t), &met)
	h.compares(t, false, met.CheckCode)
	return done
}

// asked is meet, and our device has been asked to open the page.
func (g gate) asked(t *testing.T, h *host) (<-chan error, asked) {
	t.Helper()
	done := g.meet(t, h)
	var page asked
	g.js.must(t, "grant", g.order(t), &page)
	if _, err := take(t.Context(), h.asked); err != nil {
		t.Fatal(err)
	}
	return done, page
}

// puppet lets js-sdk show a code, and a puppet scan it. What it says first is what
// js-sdk negotiates with.
func (g gate) puppet(t *testing.T, first object) (_ *puppet, negotiation <-chan error) {
	t.Helper()
	var shown struct{ Code string }
	g.js.must(t, "show", g.order(t), &shown)
	negotiation = begin(func() error { return g.js.do(t.Context(), "negotiate", g.order(t), nil) })
	p := scanned(t, shown.Code)
	p.say(t, first)
	return p, negotiation
}

// TestQRFailuresOfMatrixJSSDK has a new device of js-sdk and an existing one of
// ours fail in every way that one of them can tell the other.
//
// js-sdk never says unsupported_protocol as a new device: see anyProtocol.
func TestQRFailuresOfMatrixJSSDK(t *testing.T) {
	js := hire(t, "qr-device.mjs")
	g := gate{js, newHost(t, apitest.New(t).User(t, "bob"))}
	t.Run("beside each other", func(t *testing.T) {
		for name, run := range map[string]func(*testing.T){
			"authorization_expired, by js-sdk": g.expired, "authorization expired by the clock of js-sdk": g.expiredThere,
			"declined, by js-sdk": g.declined, "device_already_exists, by ours": g.deviceExists, "device_not_found, by ours": g.deviceMissing,
			"unexpected_message_received, by ours": g.unexpectedByOurs, "unexpected_message_received, by js-sdk": g.unexpectedByTheirs,
			"unsupported_protocol, by ours": g.unsupportedByOurs, "nothing that js-sdk supports": g.anyProtocol,
			"user_cancelled, by ours": g.cancelledByOurs, "the dialogue of js-sdk is closed": g.closedByTheirs,
			"the wrong digits are typed on ours": g.wrongDigits,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				run(t)
			})
		}
	})
}

// The time runs out by the clock of a server of its own.
func (g gate) expired(t *testing.T) {
	srv := apitest.New(t, func(cfg *config.Config) { cfg.OAuth.DeviceCodeLifetime = config.Duration(time.Minute) })
	g.h = newHost(t, srv.User(t, "bob"))
	done, _ := g.asked(t, g.h)
	srv.Advance(2 * time.Minute)
	g.h.answered <- struct{}{}
	g.js.refuses(t, "authorization_expired", "complete", g.order(t))
	ends(t, done, qr.OtherDevice, qr.AuthorizationExpired)
}

// When the clock of js-sdk runs out before the server's, it says another reason:
// its own word for it is "expired", which it does not translate.
func (g gate) expiredThere(t *testing.T) {
	h := g.h.another()
	done, _ := g.asked(t, h)
	h.answered <- struct{}{}
	late := g.order(t)
	late["expiresIn"] = 0
	g.js.refuses(t, "unexpected_message_received", "complete", late)
	ends(t, done, qr.OtherDevice, qr.UnexpectedMessage)
}

// js-sdk has no m.login.declined to say: it says that the person stopped.
func (g gate) declined(t *testing.T) {
	h := g.h.another()
	done, page := g.asked(t, h)
	deny(t, h.as, page.UserCode)
	h.answered <- struct{}{}
	g.js.refuses(t, "user_cancelled", "complete", g.order(t))
	ends(t, done, qr.OtherDevice, qr.UserCancelled)
}

func (g gate) deviceExists(t *testing.T) {
	const taken = "TAKENDEVICE"
	g.h.as.Server.Device(t, g.h.as.UserID, id.DeviceID(taken))
	h := g.h.another()
	done := g.meet(t, h)
	again := g.order(t)
	again["deviceId"] = taken
	g.js.must(t, "grant", again, nil)
	g.js.refuses(t, "device_already_exists", "complete", again)
	ends(t, done, qr.ThisDevice, qr.DeviceAlreadyExists)
}

// js-sdk says that it is signed in, and is not.
func (g gate) deviceMissing(t *testing.T) {
	h := g.h.another()
	h.Pace = hurry
	done, _ := g.asked(t, h)
	h.answered <- struct{}{}
	hears(t, g.js, t.Name(), object{"type": "m.login.protocol_accepted"})
	g.js.refuses(t, "device_not_found", "share", g.order(t))
	ends(t, done, qr.ThisDevice, qr.DeviceNotFound)
}

func (g gate) unexpectedByOurs(t *testing.T) {
	h := g.h.another()
	done := g.meet(t, h)
	g.js.must(t, "say", order{"name": t.Name(), "message": object{"type": "m.login.success"}}, nil)
	hears(t, g.js, t.Name(), said(qr.UnexpectedMessage))
	ends(t, done, qr.ThisDevice, qr.UnexpectedMessage)
}

func (g gate) unexpectedByTheirs(t *testing.T) {
	protocols := object{"type": "m.login.protocols", "protocols": []string{"device_authorization_grant"}, "homeserver": g.h.as.Server.URL}
	t.Run("in place of the protocols", func(t *testing.T) {
		p, negotiation := g.puppet(t, object{"type": "m.login.secrets"})
		p.hears(t, said(qr.UnexpectedMessage))
		isRefusal(t, <-negotiation, "unexpected_message_received")
	})
	t.Run("in place of the acceptance", func(t *testing.T) {
		p, negotiation := g.puppet(t, protocols)
		if err := <-negotiation; err != nil {
			t.Fatal(err)
		}
		g.js.must(t, "grant", g.order(t), nil)
		p.hears(t, object{"type": "m.login.protocol"})
		p.say(t, protocols)
		// Here, and only here, it does not tell the other device.
		g.js.refuses(t, "unexpected_message_received", "complete", g.order(t))
	})
	t.Run("in place of the secrets", func(t *testing.T) {
		p, negotiation := g.puppet(t, protocols)
		if err := <-negotiation; err != nil {
			t.Fatal(err)
		}
		share := begin(func() error { return g.js.do(t.Context(), "share", g.order(t), nil) })
		p.hears(t, object{"type": "m.login.success"})
		p.say(t, protocols)
		p.hears(t, said(qr.UnexpectedMessage))
		isRefusal(t, <-share, "unexpected_message_received")
	})
}

func (g gate) unsupportedByOurs(t *testing.T) {
	t.Run("nothing is offered", func(t *testing.T) {
		h := g.h.another()
		h.OffersGrant = func(context.Context) (bool, error) { return false, nil }
		var shown struct{ Code string }
		g.js.must(t, "show", g.order(t), &shown)
		done := begin(func() error { return scans(t.Context(), shown.Code, h.Scan) })
		g.js.refuses(t, "unsupported_protocol", "negotiate", g.order(t))
		ends(t, done, qr.ThisDevice, qr.UnsupportedProtocol)
	})
	t.Run("something else is chosen", func(t *testing.T) {
		h := g.h.another()
		done := g.meet(t, h)
		g.js.must(t, "say", order{"name": t.Name(), "message": object{"type": "m.login.protocol", "protocol": "carrier_pigeon", "device_id": newDeviceID}}, nil)
		hears(t, g.js, t.Name(), said(qr.UnsupportedProtocol))
		ends(t, done, qr.ThisDevice, qr.UnsupportedProtocol)
	})
}

// A new device of js-sdk does not look at what is offered, and goes on.
func (g gate) anyProtocol(t *testing.T) {
	p, negotiation := g.puppet(t, object{"type": "m.login.protocols", "protocols": []string{"carrier_pigeon"}, "homeserver": "a.org"})
	if err := <-negotiation; err != nil {
		t.Fatal(err)
	}
	g.js.must(t, "grant", g.order(t), nil)
	p.hears(t, object{"type": "m.login.protocol"})
}

func (g gate) cancelledByOurs(t *testing.T) {
	h := g.h.another()
	h.OpenPage = func(context.Context, string) error { return qr.ErrCancelled }
	done := g.meet(t, h)
	g.js.must(t, "grant", g.order(t), nil)
	g.js.refuses(t, "user_cancelled", "complete", g.order(t))
	ends(t, done, qr.ThisDevice, qr.UserCancelled)
}

// js-sdk says nothing when its dialogue is closed: the session is gone.
func (g gate) closedByTheirs(t *testing.T) {
	h := g.h.another()
	done, _ := g.asked(t, h)
	g.js.must(t, "cancel", order{"name": t.Name(), "reason": "user_cancelled"}, nil)
	h.answered <- struct{}{}
	ends(t, done, qr.ThisDevice, qr.SessionOver)
}

// Somebody else may have scanned the code: nothing is said, and the session is gone.
func (g gate) wrongDigits(t *testing.T) {
	h := g.h.another()
	done := begin(func() error { return shows(t.Context(), h.as.Server.URL, h.Show) })
	g.js.must(t, "scan", order{"name": t.Name(), "code": h.code(t)}, nil)
	var met negotiated
	g.js.must(t, "negotiate", g.order(t), &met)
	wrong := []byte(met.CheckCode)
	slices.Reverse(wrong)
	if wrong[0] == wrong[1] {
		wrong[0] = '0' + (wrong[0]-'0'+1)%10
	}
	h.typed <- string(wrong)
	ends(t, done, qr.ThisDevice, qr.WrongCheckCode)
	g.js.must(t, "grant", g.order(t), nil) // sends, and is told that there is no session
	var failures []string
	g.js.must(t, "failures", g.order(t), &failures)
	if !slices.Contains(failures, "unknown") {
		t.Errorf("js-sdk saw %v", failures)
	}
}
