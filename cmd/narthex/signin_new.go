package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/narthex-matrix/narthex/signin"
	"github.com/narthex-matrix/narthex/signin/crosssigning"
	"github.com/narthex-matrix/narthex/signin/qr"
)

type signinNewCommand struct {
	signinFlags
	codeFlags
	Server string `arg:"" optional:"" help:"The homeserver at which the devices meet if this one shows the code: example.org, or https://matrix.example.org."`
}

// Help is shown by --help.
func (signinNewCommand) Help() string {
	return `The other device is one that is signed in: "narthex signin existing", or an app such as Element.
Without --scan or --code this device shows the code.

With --json the events are qr (code), ask_check_code (answer with the two digits) or check_code (digits),
homeserver, user_code, signed_in, device_keys, backup or no_backup, and at last done or failed (reason, next).

Examples:
  narthex signin new example.org
  narthex signin new --scan photo.jpg
  narthex signin new http://localhost:8008 --png code.png --json`
}

var errNoServer = errors.New("which homeserver? name it, or read the code of the other device with --scan or --code")

// Run signs in.
func (c signinNewCommand) Run(ctx context.Context, std streams) error {
	return c.play(std, func(con *console, file stateFile) error {
		if err := errors.Join(c.check(), file.vacant()); err != nil {
			return err
		}
		n := &newcomer{file: file, con: con}
		if !c.scans() {
			if c.Server == "" {
				return errNoServer
			}
			found, err := con.library().Find(ctx, c.Server)
			if err != nil {
				return err
			}
			n.base = found.BaseURL
		}
		code, mailbox, err := c.meet(ctx, con, qr.DeviceNew, n.base, "")
		if err != nil {
			return err
		}
		n.mailbox = mailbox
		device := n.driver(c.screen(con, "the device that is signed in"))
		if c.scans() {
			err = device.Scan(ctx, c.profile(), code, mailbox)
		} else {
			err = device.Show(ctx, c.profile(), code, mailbox)
		}
		if err != nil {
			return err
		}
		return newBringUp(n.s, file, con).prove(ctx)
	})
}

// newcomer is the device that is being signed in.
type newcomer struct {
	file     stateFile
	con      *console
	base     string // where it shows its code
	mailbox  qr.Mailbox
	server   *signin.Homeserver
	clientID string
	grant    *signin.DeviceGrant
	tokens   signin.Tokens
	s        *signedIn
}

func (n *newcomer) driver(screen qr.Screen) *qr.NewDevice {
	return &qr.NewDevice{Screen: screen, Discover: n.discover, StartGrant: n.start, ShowUserCode: n.showUserCode,
		PollToken: n.poll, KeepSession: n.keep, ImportSecrets: n.adopt, Pace: n.con.std.wait}
}

// about is how the homeserver's page names this program.
func about() signin.ClientMetadata {
	return signin.ClientMetadata{ClientName: "Narthex on the command line", ClientURI: "https://github.com/narthex-matrix/narthex"}
}

func (n *newcomer) discover(ctx context.Context, home qr.Homeserver) (err error) {
	if home == (qr.Homeserver{}) {
		home.BaseURL = n.base
	}
	if n.server, err = n.con.supports(ctx, home); err != nil {
		return err
	}
	n.con.tell("homeserver", fields{"base_url": n.server.BaseURL}, "The homeserver is at "+n.server.BaseURL+".")
	registration, err := n.server.Register(ctx, about())
	n.clientID = registration.ClientID
	return err
}

func (n *newcomer) start(ctx context.Context) (_ qr.Grant, err error) {
	id := signin.NewDeviceID()
	if n.grant, err = n.server.StartDevice(ctx, n.clientID, n.server.Scope(id)); err != nil {
		return qr.Grant{}, err
	}
	return qr.GrantOf(id, n.grant, time.Now()), nil
}

func (n *newcomer) showUserCode(_ context.Context, g qr.Grant) error {
	left := g.ExpiresIn
	if place, ok := n.mailbox.(interface{ Remaining() time.Duration }); ok && place.Remaining() > 0 {
		left = min(left, place.Remaining()) // the other device cannot say anything after that
	}
	n.con.tell("user_code", fields{"user_code": g.UserCode, "verification_uri": g.VerificationURI, "expires_in": int(left.Seconds())},
		fmt.Sprintf("The other device opens a page of the homeserver. It must show this code: %s\nWaiting until you agree there, for about %s.", g.UserCode, left.Round(time.Second)))
	return nil
}

// poll waits for the outcome of the grant.
func (n *newcomer) poll(ctx context.Context) (_ qr.TokenAnswer, err error) {
	n.tokens, err = n.server.WaitDevice(ctx, n.grant)
	return qr.TokenAnswerOf(ctx, err)
}

func (n *newcomer) keep(ctx context.Context) error {
	n.s = &signedIn{BaseURL: n.server.BaseURL}
	save := n.s.keep(n.file)
	live, err := n.server.Begin(ctx, n.clientID, n.tokens, func(ctx context.Context, session signin.Session) error {
		n.s.UserID, n.s.DeviceID = session.UserID, session.DeviceID
		return save(ctx, session)
	})
	if err != nil {
		return err
	}
	n.s.live = live
	n.con.tell("signed_in", fields{"user_id": n.s.UserID, "device_id": n.s.DeviceID}, fmt.Sprintf("Signed in as %s, device %s. Waiting for the keys.", n.s.UserID, n.s.DeviceID))
	return nil
}

// adopt uses the keys that the other device gave.
func (n *newcomer) adopt(ctx context.Context, given qr.Secrets) error {
	b := newBringUp(n.s, n.file, n.con)
	var backup *backupSecret
	if given.Backup != nil {
		backup = &backupSecret{Algorithm: given.Backup.Algorithm, Key: given.Backup.Key, Version: given.Backup.Version}
	}
	if given.CrossSigning != nil {
		return b.adopt(ctx, crosssigning.Secrets(*given.CrossSigning), backup)
	}
	if err := b.publish(ctx, nil); err != nil || backup == nil {
		return err
	}
	return b.connectBackup(ctx, *backup)
}
