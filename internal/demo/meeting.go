package demo

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/narthex-matrix/narthex/internal/qrcode"
	"github.com/narthex-matrix/narthex/signin/qr"
)

// A meeting is one sign-in with a QR code: a laptop that is signed in, a newcomer
// that is not, each running on its own, and Mia with her browser.
type meeting struct {
	plot
	p       *player
	laptop  *laptop
	joining *newcomer
	browser *browser
	aloud   bool // every step is told

	codes                 chan []byte // what a camera carries
	digits                chan string // and what Mia types
	newOver, existingOver chan struct{}
	stop                  context.CancelFunc // Cancel on the new device
	telling               sync.Mutex
}

// ends are how the two devices ended; nil for success.
type ends struct{ new, existing error }

// with tells whether both devices ended for a reason that one of them gave.
func (e ends) with(reason qr.Reason, by qr.Device) bool {
	for own, end := range map[qr.Device]error{qr.DeviceNew: e.new, qr.DeviceExisting: e.existing} {
		failure, ok := errors.AsType[*qr.Failure](end)
		if !ok || failure.Reason != reason || (failure.By == qr.ThisDevice) != (own == by) {
			return false
		}
	}
	return true
}

// Error has what is behind the ends, for whoever looks for the fault.
func (e ends) Error() string {
	return fmt.Sprintf("the new device ended with %s; the laptop with %s", behind(e.new), behind(e.existing))
}

// Unwrap gives both.
func (e ends) Unwrap() []error { return []error{e.new, e.existing} }

func behind(end error) string {
	failure, ok := errors.AsType[*qr.Failure](end)
	switch {
	case end == nil:
		return "success"
	case ok:
		return fmt.Sprintf("%s (%v)", failure.Reason, failure.Cause)
	}
	return end.Error()
}

// meetingTimeout is far more than a meeting takes.
const meetingTimeout = 30 * time.Second

// meet runs both devices.
func (p *player) meet(l *laptop, b *browser, what plot, aloud bool) (e ends) {
	ctx, cancel := context.WithTimeout(p.ctx, meetingTimeout)
	defer cancel()
	m := &meeting{
		plot: what, p: p, laptop: l, browser: b, aloud: aloud, codes: make(chan []byte, 1), digits: make(chan string, 1),
		newOver: make(chan struct{}), existingOver: make(chan struct{}),
	}
	m.joining = &newcomer{m: m}
	stopped, stop := context.WithCancel(ctx)
	defer stop()
	m.stop = stop
	joins, helps := m.joining.driver(), l.driver(m)
	if m.twist != nil {
		m.twist(m, joins, helps)
	}
	var both sync.WaitGroup
	both.Go(func() {
		defer close(m.newOver)
		if m.newShows {
			e.new = m.show(stopped, "", joins.Show)
		} else {
			e.new = m.scan(stopped, m.existingOver, joins.Scan)
		}
	})
	both.Go(func() {
		defer close(m.existingOver)
		if m.newShows {
			e.existing = m.scan(ctx, m.newOver, helps.Scan)
		} else {
			e.existing = m.show(ctx, l.token, helps.Show)
		}
	})
	both.Wait()
	return e
}

// drive is a method of a driver.
type drive func(context.Context, qr.Profile, qr.Payload, qr.Mailbox) error

// show creates the place where the devices meet, and shows where it is.
func (m *meeting) show(ctx context.Context, token string, show drive) error {
	options := m.options()
	options.AccessToken = token
	place := qr.Payload{Generation: m.generation}
	if m.generation == qr.Gen2024 {
		mailbox, err := qr.Create2024(ctx, m.laptop.s.url, options)
		if err != nil {
			return err
		}
		place.RendezvousURL = mailbox.URL()
		return show(ctx, 0, place, mailbox)
	}
	mailbox, err := qr.Create2025(ctx, m.laptop.s.url, options)
	if err != nil {
		return err
	}
	place.RendezvousID, place.BaseURL = mailbox.ID(), mailbox.BaseURL()
	return show(ctx, 0, place, mailbox)
}

var errNothingToScan = errors.New("the other device ended before it showed a code")

// scan reads the code of the other device, and goes to where it says.
func (m *meeting) scan(ctx context.Context, other <-chan struct{}, scan drive) error {
	var raw []byte
	select {
	case raw = <-m.codes:
	case <-other:
		return errNothingToScan
	case <-ctx.Done():
		return ctx.Err()
	}
	code, err := qr.Parse(raw)
	if err != nil {
		return err
	}
	if code.Generation == qr.Gen2024 {
		mailbox, err := qr.Open2024(ctx, code.RendezvousURL, m.options())
		if err != nil {
			return err
		}
		return scan(ctx, 0, code, mailbox)
	}
	mailbox, err := qr.Open2025(ctx, code.BaseURL, code.RendezvousID, m.options())
	if err != nil {
		return err
	}
	return scan(ctx, 0, code, mailbox)
}

func (m *meeting) options() qr.RendezvousOptions {
	return qr.RendezvousOptions{HTTP: &m.laptop.s.client, Wait: hurry}
}

// pace waits less than a person has to: the time in which the other device reads the
// last message lasts until it has ended.
func (m *meeting) pace(other <-chan struct{}) qr.Pace {
	return func(ctx context.Context, d time.Duration) error {
		switch {
		case d <= time.Second:
			return hurry(ctx, d)
		case d < time.Minute:
			return pause(ctx, d, other)
		}
		return pause(ctx, d, nil) // the life of a request, which the homeserver ends
	}
}

func (m *meeting) screen(own, other string) qr.Screen {
	return qr.Screen{
		ShowCode: func(_ context.Context, code []byte) error {
			drawn, err := qrcode.Draw(code)
			if err != nil {
				return err
			}
			m.tell("The %s makes a meeting place at the homeserver, and shows a code of %d bytes that says where:\n\n%s", own, len(code), qrcode.Blocks(drawn, m.p.colours))
			m.codes <- code
			return nil
		},
		ShowDigits: func(_ context.Context, digits string) error {
			m.tell("The %s has scanned it. The two devices share keys now that nobody between them has,\nnot even the homeserver. The %s shows two digits: %s", own, own, digits)
			m.digits <- digits
			return nil
		},
		AskDigits: func(ctx context.Context) (string, error) {
			select {
			case digits := <-m.digits:
				m.tell("Mia types %s on the %s: now that is sure to speak with her %s, and with nobody else.", digits, own, other)
				return digits, nil
			case <-ctx.Done():
				return "", ctx.Err()
			}
		},
	}
}

func (m *meeting) openPage(ctx context.Context, address string) error {
	heading, err := m.browser.open(ctx, address)
	if err != nil {
		return err
	}
	m.tell("The laptop opens a page of the homeserver in the browser: %s\nIts heading is %q.", address, heading)
	return nil
}

// decides is Mia in front of the homeserver's page.
func (m *meeting) decides(ctx context.Context, answer string) (err error) {
	b := m.browser
	if b.place.Path == "/login" {
		heading, err := b.submit(ctx, "/login", url.Values{"username": {"mia"}, "password": {password}})
		if err != nil {
			return err
		}
		m.tell("Mia signs in on that page, and is led to the next: %q.", heading)
	}
	code, err := b.text(codeText)
	if err != nil {
		return err
	}
	if code != m.joining.grant.UserCode {
		return fmt.Errorf("the page shows the code %s, and the device %s", code, m.joining.grant.UserCode)
	}
	m.tell("The page shows the code %s, as the %s does. Mia ticks that it is her device, and\nchooses %s.", code, m.plot.newcomer, strings.ToUpper(answer[:1])+answer[1:])
	heading, err := b.submit(ctx, "/link", url.Values{"mine": {"yes"}, "answer": {answer}})
	if err == nil {
		m.tell("The page says: %q.", heading)
	}
	return err
}

// tell says what one of the devices does. Both run at once.
func (m *meeting) tell(format string, args ...any) {
	if m.aloud {
		m.telling.Lock()
		defer m.telling.Unlock()
		m.p.say(format, args...)
	}
}

func (m *meeting) done(method, path string) {
	if m.aloud {
		m.telling.Lock()
		defer m.telling.Unlock()
		m.p.done(method, path)
	}
}
