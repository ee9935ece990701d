package demo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/signin"
	"github.com/narthex-matrix/narthex/signin/qr"
)

// A plot is what happens in a meeting.
type plot struct {
	text       string // what Mia sees and does
	newcomer   string // what the new device is
	generation qr.Generation
	newShows   bool // the new device shows the code
	// twist makes the devices do something else than usual.
	twist func(*meeting, *qr.NewDevice, *qr.ExistingDevice)
	// meanwhile is what happens while the new device waits for an answer.
	meanwhile func(context.Context, *meeting) error
	// How it ends: on both devices for this reason, which one of them gave.
	reason qr.Reason
	by     qr.Device
}

func allows(ctx context.Context, m *meeting) error { return m.decides(ctx, "allow") }
func denies(ctx context.Context, m *meeting) error { return m.decides(ctx, "deny") }

// byCode: MSC4108 and MSC4388 as they should go.
func byCode(p *player) {
	p.stages = p.stages[:1] // they do not differ in this
	p.title("Mia signs her phone in with a QR code")
	p.say("From here on one of the servers is enough.")
	p.say("Mia's laptop signs in by password, and makes the keys of her account: those that vouch for\nher devices, and the one of the backup of her messages.")
	l := p.laptop(p.stages[0], p.done)
	b := p.browser()
	p.succeeds(l, b, plot{newcomer: "phone", generation: qr.Gen2024, newShows: true, meanwhile: allows})
	p.title("And a tablet, the other way round")
	p.say("This time the device that is signed in shows the code, and the devices speak the newer\nprotocol (MSC4388). Mia's browser knows her already.")
	p.succeeds(l, b, plot{newcomer: "tablet", generation: qr.Gen2025, meanwhile: allows})
	p.title("Eight ways in which a sign-in with a code ends, and what each device says")
	for _, what := range failures {
		p.fails(l, b, what)
	}
	p.without()
}

func (p *player) laptop(s *stage, heard told) (l *laptop) {
	if p.err == nil {
		l, p.err = newLaptop(p.ctx, s, heard)
	}
	return l
}

func (p *player) browser() (b *browser) {
	if p.err == nil {
		b, p.err = newBrowser()
	}
	return b
}

// succeeds plays a sign-in that has to succeed, and asks the laptop afterwards what
// it thinks of the new device.
func (p *player) succeeds(l *laptop, b *browser, what plot) {
	if p.err != nil {
		return
	}
	var newcomer string
	what.twist = func(m *meeting, _ *qr.NewDevice, _ *qr.ExistingDevice) {
		m.joining.deviceID = signin.NewDeviceID()
		newcomer = m.joining.deviceID
	}
	ends := p.meet(l, b, what, true)
	if ends.new != nil || ends.existing != nil {
		p.err = errors.Join(p.err, fmt.Errorf("the story went wrong: %w", ends))
	}
	if p.err != nil {
		return
	}
	p.signIns++
	listed, err := published(p.ctx, l.s, l.token)
	if err == nil {
		_, err = listed.Verify(newcomer, l.account.Master.Public())
	}
	if err != nil {
		p.err = fmt.Errorf("the story went wrong: the laptop does not trust the new device: %w", err)
		return
	}
	p.say("The laptop looks at the keys of Mia's devices: %s is verified. Nobody had to compare\nanything more.", newcomer)
	p.done(http.MethodPost, client+"/keys/query")
}

// pageLifetime is how long a request for approval lives on the servers of the demo.
const pageLifetime = 4 * time.Minute

// failures are the reasons that the devices give each other, but for one: see
// without.
var failures = []plot{
	{
		text:       "Mia refuses on the page.",
		generation: qr.Gen2024, newShows: true, meanwhile: denies, reason: qr.Declined, by: qr.DeviceNew,
	},
	{
		text:       fmt.Sprintf("Mia makes tea instead of answering. The homeserver gives her %.0f minutes, by which its clock is moved.", pageLifetime.Minutes()),
		generation: qr.Gen2024, reason: qr.AuthorizationExpired, by: qr.DeviceNew,
		meanwhile: func(_ context.Context, m *meeting) error {
			m.laptop.s.clock.move(pageLifetime)
			return nil
		},
	},
	{
		text:       "Mia changes her mind, and presses Cancel on the phone.",
		generation: qr.Gen2025, reason: qr.UserCancelled, by: qr.DeviceNew,
		meanwhile: func(ctx context.Context, m *meeting) error {
			m.stop()
			return ctx.Err()
		},
	},
	{
		text:       "The laptop has no browser. Only the newer protocol has a word for that.",
		generation: qr.Gen2025, reason: qr.UnableToOpenURI, by: qr.DeviceExisting,
		twist: func(_ *meeting, _ *qr.NewDevice, helps *qr.ExistingDevice) {
			helps.OpenPage = func(context.Context, string) error { return errors.New("there is no browser") }
		},
	},
	{
		text:       "The phone's app is faulty, and asks for the device ID of the laptop.",
		generation: qr.Gen2024, newShows: true, reason: qr.DeviceAlreadyExists, by: qr.DeviceExisting,
		twist: func(m *meeting, _ *qr.NewDevice, _ *qr.ExistingDevice) {
			m.joining.deviceID = m.laptop.deviceID
		},
	},
	{
		text:       "The phone's app is faulty, or wants to deceive: it signs in as another device than it has told the laptop.",
		generation: qr.Gen2025, meanwhile: allows, reason: qr.DeviceNotFound, by: qr.DeviceExisting,
		twist: func(m *meeting, joins *qr.NewDevice, _ *qr.ExistingDevice) {
			joins.StartGrant = func(ctx context.Context) (qr.Grant, error) {
				grant, err := m.joining.start(ctx)
				grant.DeviceID = signin.NewDeviceID()
				return grant, err
			}
		},
	},
	{
		text:       "The phone's app is faulty, and does not say which page to open.",
		generation: qr.Gen2024, newShows: true, reason: qr.UnexpectedMessage, by: qr.DeviceExisting,
		twist: func(m *meeting, joins *qr.NewDevice, _ *qr.ExistingDevice) {
			joins.StartGrant = func(ctx context.Context) (qr.Grant, error) {
				grant, err := m.joining.start(ctx)
				grant.VerificationURI, grant.VerificationURIComplete = "", ""
				return grant, err
			}
		},
	},
}

// without plays on a server that cannot sign in devices by a code.
func (p *player) without() {
	if p.err != nil {
		return
	}
	s, err := raise(p.ctx, p.now, func(cfg *config.Config) { cfg.OAuth.Enabled = false })
	if err != nil {
		p.err = err
		return
	}
	defer func() { p.err = errors.Join(p.err, s.stop()) }()
	if p.err = s.account(p.ctx, "mia", false); p.err != nil {
		return
	}
	p.fails(p.laptop(s, nil), p.browser(), plot{
		text:       "On another server the devices can meet, but oauth.enabled is false: it has no page on which to agree.",
		generation: qr.Gen2025, reason: qr.UnsupportedProtocol, by: qr.DeviceNew,
	})
}

// fails plays a sign-in that has to end as its plot says, and shows what both
// devices tell Mia.
func (p *player) fails(l *laptop, b *browser, what plot) {
	if p.err != nil {
		return
	}
	what.newcomer = "phone"
	if what.meanwhile == nil {
		what.meanwhile = func(context.Context, *meeting) error { return errors.New("it has not ended before the page") }
	}
	p.say("%s", what.text)
	ends := p.meet(l, b, what, false)
	if p.err != nil {
		return
	}
	code, by := string(what.reason), "phone"
	if what.reason == qr.Declined {
		code = "m.login.declined"
	}
	if what.by == qr.DeviceExisting {
		by = "laptop"
	}
	if !ends.with(what.reason, what.by) {
		p.err = fmt.Errorf("the story went wrong: the %s had to say %s: %w", by, code, ends)
		return
	}
	p.signIns++
	p.signInsFailed++
	p.write("  " + p.paint(red, code) + p.paint(faint, ", says the "+by))
	p.say("      On the phone:  %s", ends.new)
	p.say("      On the laptop: %s", ends.existing)
}
