package main

import (
	"context"
	"errors"
	"os/exec"
	"runtime"

	"github.com/narthex-matrix/narthex/signin/qr"
)

type signinExistingCommand struct {
	signinFlags
	codeFlags
	NoBrowser bool `help:"Print the address of the page instead of opening it."`
}

// Help is shown by --help.
func (signinExistingCommand) Help() string {
	return `It hands the account's keys to the new device, once you have agreed on a page of the homeserver and the
homeserver knows the device. The new device is "narthex signin new", or an app such as Element X.
Without --scan or --code this device shows the code.

With --json the events are qr (code), ask_check_code (answer with the two digits) or check_code (digits),
verification_uri (url, which is not opened), and at last done or failed (reason, next).

Examples:
  narthex signin existing
  narthex signin existing --scan code.png --no-browser
  narthex signin existing --state laptop.json --json`
}

// Run signs another device in.
func (c signinExistingCommand) Run(ctx context.Context, std streams) error {
	return c.play(std, func(con *console, file stateFile) error {
		if err := c.check(); err != nil {
			return err
		}
		s, err := file.load()
		if err != nil {
			return err
		}
		token, err := s.token(ctx, file)
		if err != nil {
			return err
		}
		h := &host{s: s, client: s.client(file), con: con, browser: !c.NoBrowser && !c.JSON}
		if _, err := h.client.whoami(ctx); err != nil {
			return err // before a code is shown
		}
		code, mailbox, err := c.meet(ctx, con, qr.DeviceExisting, s.BaseURL, token)
		if err != nil {
			return err
		}
		device := h.driver(c.screen(con, "the new device"))
		if c.scans() {
			err = device.Scan(ctx, c.profile(), code, mailbox)
		} else {
			err = device.Show(ctx, c.profile(), code, mailbox)
		}
		if err != nil {
			return err
		}
		con.tell("done", fields{"user_id": s.UserID}, "Done: the new device is signed in and has the keys.")
		return nil
	})
}

// token is an access token that is good now.
func (s *signedIn) token(ctx context.Context, file stateFile) (string, error) {
	if s.Session == nil {
		return s.AccessToken, nil
	}
	return s.transport(file).Token(ctx)
}

// host is the device that is signed in.
type host struct {
	s       *signedIn
	client  *matrixClient
	con     *console
	browser bool
}

func (h *host) driver(screen qr.Screen) *qr.ExistingDevice {
	home := qr.Homeserver{BaseURL: h.s.BaseURL}
	return &qr.ExistingDevice{Screen: screen, Homeserver: home, Ready: h.ready,
		OffersGrant: func(ctx context.Context) (bool, error) {
			_, err := h.con.supports(ctx, home)
			if errors.Is(err, qr.ErrUnsupported) {
				return false, nil
			}
			return err == nil, err
		},
		CheckDevice: h.client.answerAbout, OpenPage: h.open, Secrets: h.secrets, Pace: h.con.std.wait}
}

var errNoKeys = errors.New("this device has not the account's cross-signing keys, or they have been replaced")

// ready makes sure that there is something to hand over.
func (h *host) ready(ctx context.Context) error {
	if _, err := h.con.supports(ctx, qr.Homeserver{BaseURL: h.s.BaseURL}); err != nil {
		return err
	}
	id, err := h.s.identity()
	if err != nil {
		return err
	}
	if id == nil {
		return errNoKeys
	}
	p, err := h.client.published(ctx, h.s.UserID)
	if err != nil {
		return err
	}
	if err := id.Check(p); err != nil {
		return errors.Join(errNoKeys, err)
	}
	return nil
}

// open shows the page on which to agree. Where there is no browser the address is
// enough: it can be opened on any device.
func (h *host) open(ctx context.Context, address string) error {
	h.con.tell("verification_uri", fields{"url": address}, "Agree on this page, if it shows the code of the new device:\n  "+printable(address))
	if !h.browser {
		return nil
	}
	name, args := "xdg-open", []string{address}
	switch runtime.GOOS {
	case "darwin":
		name = "open"
	case "windows":
		name, args = "rundll32", []string{"url.dll,FileProtocolHandler", address}
	}
	if err := exec.CommandContext(context.WithoutCancel(ctx), name, args...).Start(); err != nil {
		h.con.tell("no_browser", nil, "No browser could be opened here: open the address by hand.")
	}
	return nil
}

func (h *host) secrets(context.Context) (qr.Secrets, error) {
	keys := qr.CrossSigning(*h.s.Identity)
	given := qr.Secrets{CrossSigning: &keys}
	if h.s.Backup != nil {
		given.Backup = &qr.Backup{Algorithm: h.s.Backup.Algorithm, Key: h.s.Backup.Key, Version: h.s.Backup.Version}
	}
	return given, nil
}
