package clients_test

import (
	"context"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/signin/qr"
)

// stage is where a new device of ours meets an existing one of js-sdk.
type stage struct {
	js   *worker
	name string // of the device of js-sdk
	as   *apitest.Client
}

// open makes a user on a server, with a device of js-sdk.
func open(t *testing.T, js *worker, srv *apitest.Server, name string) (stage, theirKeys) {
	t.Helper()
	s := stage{js, name, srv.User(t, name)}
	var theirs theirKeys
	js.must(t, "existing", existingOrder(s.as), &theirs)
	return s, theirs
}

// meet lets js-sdk show a code and our device scan it; they have met when it
// returns.
func (s stage) meet(t *testing.T, ctx context.Context, n *newcomer) <-chan error {
	t.Helper()
	var shown struct{ Code string }
	s.js.must(t, "show", order{"name": t.Name(), "client": s.name}, &shown)
	done := begin(func() error { return scans(ctx, shown.Code, n.Scan) })
	var met negotiated
	s.js.must(t, "negotiate", order{"name": t.Name()}, &met)
	n.compares(t, false, met.CheckCode)
	return done
}

// asked is meet, and js-sdk has been asked to open the page.
func (s stage) asked(t *testing.T, ctx context.Context, n *newcomer) <-chan error {
	t.Helper()
	done := s.meet(t, ctx, n)
	s.js.must(t, "grant", order{"name": t.Name()}, nil)
	return done
}

// puppet lets js-sdk show a code, and a puppet scan it.
func (s stage) puppet(t *testing.T) *puppet {
	t.Helper()
	var shown struct{ Code string }
	s.js.must(t, "show", order{"name": t.Name(), "client": s.name}, &shown)
	met := begin(func() error { return s.js.do(t.Context(), "negotiate", order{"name": t.Name()}, nil) })
	p := scanned(t, shown.Code)
	if err := <-met; err != nil {
		t.Fatal(err)
	}
	return p
}

// TestQRFailuresFromMatrixJSSDK has a new device of ours and an existing one of
// js-sdk fail in every way that one of them can tell the other.
func TestQRFailuresFromMatrixJSSDK(t *testing.T) {
	js := hire(t, "qr-device.mjs")
	s, _ := open(t, js, apitest.New(t), "alice")
	without, theirs := open(t, js, apitest.New(t, func(cfg *config.Config) { cfg.OAuth.Enabled = false }), "carol")
	if theirs.Available {
		t.Error("without OAuth 2.0, js-sdk offers to sign in with a QR code")
	}
	t.Run("beside each other", func(t *testing.T) {
		for name, run := range map[string]func(*testing.T){
			"authorization_expired, by ours": s.expired, "declined, by ours": s.declined,
			"device_already_exists, by js-sdk": s.deviceExists, "device_not_found, by js-sdk": s.deviceMissing,
			"unexpected_message_received, by ours": s.unexpectedByOurs, "unexpected_message_received, by js-sdk": s.unexpectedByTheirs,
			"unsupported_protocol, by ours": without.unsupportedByOurs, "unsupported_protocol, by js-sdk": s.unsupportedByTheirs,
			"unsupported_protocol, by js-sdk at once": without.unsupportedAtOnce,
			"user_cancelled, by ours":                 s.cancelledByOurs, "user_cancelled, by js-sdk": s.cancelledByTheirs,
			"the dialogue of js-sdk is closed": s.closedByTheirs,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				run(t)
			})
		}
	})
}

// The time runs out by the clock of a server of its own.
func (s stage) expired(t *testing.T) {
	srv := apitest.New(t, func(cfg *config.Config) { cfg.OAuth.DeviceCodeLifetime = config.Duration(time.Minute) })
	s, _ = open(t, s.js, srv, "bob")
	done := s.asked(t, t.Context(), newNewcomer(t, srv))
	srv.Advance(2 * time.Minute)
	s.js.refuses(t, "authorization_expired", "share", order{"name": t.Name()})
	ends(t, done, qr.ThisDevice, qr.AuthorizationExpired)
}

func (s stage) declined(t *testing.T) {
	n := newNewcomer(t, s.as.Server)
	done := s.asked(t, t.Context(), n)
	deny(t, s.as, n.grant.UserCode)
	s.js.refuses(t, "user_declined", "share", order{"name": t.Name()})
	ends(t, done, qr.ThisDevice, qr.Declined)
}

func (s stage) deviceExists(t *testing.T) {
	n := newNewcomer(t, s.as.Server)
	n.StartGrant = func(ctx context.Context) (qr.Grant, error) {
		grant, err := n.start(ctx)
		grant.DeviceID = string(s.as.DeviceID)
		return grant, err
	}
	done := s.meet(t, t.Context(), n)
	s.js.refuses(t, "device_already_exists", "grant", order{"name": t.Name()})
	ends(t, done, qr.OtherDevice, qr.DeviceAlreadyExists)
}

func (s stage) deviceMissing(t *testing.T) {
	n := newNewcomer(t, s.as.Server)
	n.PollToken = func(context.Context) (qr.TokenAnswer, error) { return qr.TokenGranted, nil }
	n.KeepSession = func(context.Context) error { return nil }
	done := s.asked(t, t.Context(), n)
	s.js.refuses(t, "device_not_found", "share", order{"name": t.Name(), "leap": true}) // after 10 seconds
	if failure := ends(t, done, qr.OtherDevice, qr.DeviceNotFound); !failure.SignedIn {
		t.Error("the device does not say that it is signed in")
	}
}

func (s stage) unexpectedByOurs(t *testing.T) {
	done := s.asked(t, t.Context(), newNewcomer(t, s.as.Server))
	s.js.must(t, "say", order{"name": t.Name(), "message": object{"type": "m.login.protocols", "protocols": []string{}, "homeserver": "a.org"}}, nil)
	hears(t, s.js, t.Name(), said(qr.UnexpectedMessage))
	ends(t, done, qr.ThisDevice, qr.UnexpectedMessage)
}

func (s stage) unexpectedByTheirs(t *testing.T) {
	t.Run("in place of the protocol", func(t *testing.T) {
		p := s.puppet(t)
		p.say(t, object{"type": "m.login.success"})
		s.js.refuses(t, "unexpected_message_received", "grant", order{"name": t.Name()})
		p.hears(t, said(qr.UnexpectedMessage))
	})
	t.Run("in place of the outcome", func(t *testing.T) {
		p := s.puppet(t)
		protocol := object{"type": "m.login.protocol", "protocol": "device_authorization_grant", "device_id": "ABCDEFGHIJ",
			"device_authorization_grant": object{"verification_uri": s.as.Server.URL + "/link"}}
		p.say(t, protocol)
		s.js.must(t, "grant", order{"name": t.Name()}, nil)
		share := begin(func() error {
			s.js.refuses(t, "unexpected_message_received", "share", order{"name": t.Name()})
			return nil
		})
		p.hears(t, object{"type": "m.login.protocol_accepted"})
		p.say(t, protocol)
		p.hears(t, said(qr.UnexpectedMessage))
		<-share
	})
}

func (s stage) unsupportedByTheirs(t *testing.T) {
	p := s.puppet(t)
	p.say(t, object{"type": "m.login.protocol", "protocol": "carrier_pigeon", "device_id": "ABCDEFGHIJ"})
	s.js.refuses(t, "unsupported_protocol", "grant", order{"name": t.Name()})
	p.hears(t, said(qr.UnsupportedProtocol))
}

// The person stops our device while the page is open.
func (s stage) cancelledByOurs(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	n := newNewcomer(t, s.as.Server)
	n.PollToken = func(context.Context) (qr.TokenAnswer, error) {
		stop()
		return qr.TokenPending, nil
	}
	done := s.asked(t, ctx, n)
	s.js.refuses(t, "user_cancelled", "share", order{"name": t.Name()})
	ends(t, done, qr.ThisDevice, qr.UserCancelled)
}

func (s stage) cancelledByTheirs(t *testing.T) {
	done := s.asked(t, t.Context(), newNewcomer(t, s.as.Server))
	s.js.must(t, "decline", order{"name": t.Name()}, nil)
	ends(t, done, qr.OtherDevice, qr.UserCancelled)
}

// js-sdk says nothing when its dialogue is closed: the session is gone.
func (s stage) closedByTheirs(t *testing.T) {
	done := s.asked(t, t.Context(), newNewcomer(t, s.as.Server))
	s.js.must(t, "cancel", order{"name": t.Name(), "reason": "user_cancelled"}, nil)
	ends(t, done, qr.ThisDevice, qr.SessionOver)
}

// Where the homeserver has lost the grant, whoever learns of it first says so.
func (s stage) unsupportedByOurs(t *testing.T) {
	done := s.meet(t, t.Context(), newNewcomer(t, s.as.Server))
	s.js.refuses(t, "unsupported_protocol", "grant", order{"name": t.Name()})
	ends(t, done, qr.ThisDevice, qr.UnsupportedProtocol)
}

func (s stage) unsupportedAtOnce(t *testing.T) {
	n := newNewcomer(t, s.as.Server)
	done := begin(func() error { return shows(t.Context(), s.as.Server.URL, n.Show) })
	s.js.must(t, "scan", order{"name": t.Name(), "client": s.name, "code": n.code(t)}, nil)
	s.js.refuses(t, "unsupported_protocol", "negotiate", order{"name": t.Name()})
	ends(t, done, qr.OtherDevice, qr.UnsupportedProtocol)
}
