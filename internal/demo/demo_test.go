package demo

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/signin/qr"
)

func TestPlay(t *testing.T) {
	for _, colours := range []bool{false, true} {
		var out bytes.Buffer
		if err := Play(t.Context(), &out, colours, time.Now); err != nil {
			t.Fatalf("%v\n%s", err, &out)
		}
		if strings.Contains(out.String(), "\x1b[") != colours {
			t.Errorf("colours %t: the escapes are not as asked for", colours)
		}
		for _, want := range []string{
			"The administrator says: Welcome! Ask me if you need anything.",
			"M_TOKEN_INCORRECT", "M_SESSION_EXPIRED", "M_THREEPID_IN_USE", "is your code for localhost", "adding this mail address",
			"▀▄", "shows two digits: ", "authorization_pending", "The other device may sign in", "m.login.secrets", " is verified.",
			"authorization_expired", "device_already_exists", "device_not_found", "unexpected_message_received",
			"unsupported_protocol", "user_cancelled", "unable_to_open_verification_uri", "m.login.declined",
			"10 sign-ins with a QR code: 2 succeeded, and 8 ended",
		} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("it does not say %q", want)
			}
		}
	}
}

func TestPlayStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Play(ctx, &bytes.Buffer{}, false, time.Now); err == nil {
		t.Error("a demo that was stopped has succeeded")
	}
	if err := Play(t.Context(), closed{}, false, time.Now); !errors.Is(err, errClosed) {
		t.Errorf("nobody reads: got %v", err)
	}
}

type closed struct{}

var errClosed = errors.New("closed")

func (closed) Write([]byte) (int, error) { return 0, errClosed }

// A sign-in that does not go as it is told ends the demo.
func TestWrongStories(t *testing.T) {
	s, err := raise(t.Context(), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Error(err)
		}
	})
	if err := s.account(t.Context(), "mia", false); err != nil {
		t.Fatal(err)
	}
	l, err := newLaptop(t.Context(), s, nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := newBrowser()
	if err != nil {
		t.Fatal(err)
	}
	fault := errors.New("a fault of the story")
	for name, c := range map[string]struct {
		play func(*player)
		want string
	}{
		"it fails": {func(p *player) {
			p.succeeds(l, b, plot{newcomer: "phone", generation: qr.Gen2024, meanwhile: denies})
		}, "the new device ended with declined"},
		"it succeeds": {func(p *player) {
			p.fails(l, b, plot{generation: qr.Gen2024, meanwhile: allows, reason: qr.Declined, by: qr.DeviceNew})
		}, "the phone had to say m.login.declined: the new device ended with success; the laptop with success"},
		"another reason": {func(p *player) {
			p.fails(l, b, plot{generation: qr.Gen2025, meanwhile: denies, reason: qr.UserCancelled, by: qr.DeviceNew})
		}, "the phone had to say user_cancelled: the new device ended with declined"},
		"the other device": {func(p *player) {
			p.fails(l, b, plot{generation: qr.Gen2024, newShows: true, meanwhile: denies, reason: qr.Declined, by: qr.DeviceExisting})
		}, "the laptop had to say m.login.declined: the new device ended with declined"},
		"a fault": {func(p *player) {
			p.fails(l, b, plot{generation: qr.Gen2024, meanwhile: func(context.Context, *meeting) error { return fault }, reason: qr.UserCancelled, by: qr.DeviceNew})
		}, fault.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			p := &player{ctx: t.Context(), out: &bytes.Buffer{}, now: time.Now}
			if c.play(p); p.err == nil || !strings.Contains(p.err.Error(), c.want) {
				t.Errorf("got %v, want %q", p.err, c.want)
			}
		})
	}
}

func TestBrowserFindsFault(t *testing.T) {
	pages := map[string]string{"/empty": "", "/bare": "<h1>Hello &amp; welcome</h1>"}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		page, ok := pages[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
		}
		_, _ = w.Write([]byte(page))
	}))
	defer srv.Close()
	b, err := newBrowser()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.open(t.Context(), srv.URL+"/nothing"); err == nil {
		t.Error("a page that is not there was opened")
	}
	if _, err := b.open(t.Context(), srv.URL+"/empty"); !errors.Is(err, errNotOnPage) {
		t.Errorf("no heading: got %v", err)
	}
	if heading, err := b.open(t.Context(), srv.URL+"/bare"); err != nil || heading != "Hello & welcome" {
		t.Errorf("got %q %v", heading, err)
	}
	if _, err := b.submit(t.Context(), "/bare", url.Values{}); err == nil {
		t.Error("a form without a token was sent")
	}
}
