package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/narthex-matrix/narthex/signin"
)

type signinCommand struct {
	Password signinPasswordCommand `cmd:"" help:"Sign in by password, and set up encryption for the account."`
	New      signinNewCommand      `cmd:"" help:"Sign in this device with a QR code and another device."`
	Existing signinExistingCommand `cmd:"" help:"Sign in another device with a QR code and this one."`
	Status   signinStatusCommand   `cmd:"" help:"Show who is signed in here, and whether others trust the device."`
	Refresh  signinRefreshCommand  `cmd:"" help:"Replace the access token now."`
	Logout   signinLogoutCommand   `cmd:"" help:"Sign out and forget the device."`
}

// signinFlags are the flags of all sign-in commands.
type signinFlags struct {
	State stateFile `type:"path" placeholder:"FILE" help:"Where the signed-in device is kept, readable by its owner only (default: narthex/signin.json in the user's configuration folder)."`
	JSON  bool      `help:"Write one JSON object per line, and read answers from the standard input, one per line."`
}

// play runs a command: what it fails with is explained on the console.
func (f signinFlags) play(std streams, command func(con *console, file stateFile) error) error {
	con := &console{std: std, json: f.JSON}
	file, err := f.State.or()
	if err == nil {
		err = file.alone(func() error { return command(con, file) })
	}
	if err == nil || errors.Is(err, errFound) {
		return err
	}
	return con.fail(err)
}

// library is the client library as these commands use it.
func (c *console) library() *signin.Client {
	return &signin.Client{HTTP: newHTTP(nil), Wait: c.std.wait}
}

// client asks the homeserver on behalf of a signed-in device. The tokens of an
// OAuth session are replaced when they run out, and kept.
func (s *signedIn) client(file stateFile) *matrixClient {
	if s.Session == nil {
		return &matrixClient{base: s.BaseURL, http: newHTTP(bearer(s.AccessToken))}
	}
	return &matrixClient{base: s.BaseURL, http: newHTTP(s.transport(file))}
}

// transport is the one that holds the session's tokens: with two, the one would
// use tokens that the other has replaced.
func (s *signedIn) transport(file stateFile) *signin.Transport {
	if s.live == nil {
		library := &signin.Client{HTTP: newHTTP(nil)}
		s.live = library.Resume(*s.Session, s.keep(file))
	}
	return s.live
}

// keep stores a session with the rest of the device.
func (s *signedIn) keep(file stateFile) signin.Save {
	return func(_ context.Context, session signin.Session) error {
		s.Session = &session
		return file.save(s)
	}
}

type signinStatusCommand struct{ signinFlags }

// Help is shown by --help.
func (signinStatusCommand) Help() string {
	return `The exit code is 1 if nobody is signed in, or the device is not one that others trust.

Examples:
  narthex signin status
  narthex signin status --state phone.json --json`
}

// Run shows the device.
func (c signinStatusCommand) Run(ctx context.Context, std streams) error {
	return c.play(std, func(con *console, file stateFile) error {
		s, err := file.load()
		if err != nil {
			return err
		}
		return newBringUp(s, file, con).prove(ctx)
	})
}

type signinRefreshCommand struct{ signinFlags }

// Help is shown by --help.
func (signinRefreshCommand) Help() string {
	return "It is done by itself when it is needed; this is for trying.\n\nExample:\n  narthex signin refresh"
}

// Run replaces the token.
func (c signinRefreshCommand) Run(ctx context.Context, std streams) error {
	return c.play(std, func(con *console, file stateFile) error {
		s, err := file.load()
		if err != nil {
			return err
		}
		if s.Session == nil {
			return errNoRefresh
		}
		s.Session.Tokens.ExpiresAt = time.Unix(0, 0) // so that it is due
		t := s.transport(file)
		if _, err := t.Token(ctx); err != nil {
			return err
		}
		until := t.Session().Tokens.ExpiresAt
		con.tell("refreshed", fields{"expires_at": until}, fmt.Sprintf("The access token is new, and good until %s.", until.Local().Format(time.DateTime)))
		return nil
	})
}

// errNoRefresh says that there is nothing to refresh.
var errNoRefresh = errors.New("this device was signed in by password: its token does not run out, and cannot be replaced")

type signinLogoutCommand struct {
	signinFlags
	Forget bool `help:"Forget the device even if the homeserver cannot be told."`
}

// Help is shown by --help.
func (signinLogoutCommand) Help() string {
	return `The keys of the device are deleted with it.

Examples:
  narthex signin logout
  narthex signin logout --forget`
}

// Run signs out.
func (c signinLogoutCommand) Run(ctx context.Context, std streams) error {
	return c.play(std, func(con *console, file stateFile) error {
		s, err := file.load()
		if err != nil {
			return err
		}
		if err := s.signOut(ctx, file); err != nil && !isOver(err) && !c.Forget {
			return err
		}
		if err := file.remove(); err != nil {
			return err
		}
		con.tell("signed_out", fields{"user_id": s.UserID, "device_id": s.DeviceID}, fmt.Sprintf("Signed out %s, device %s.", s.UserID, s.DeviceID))
		return nil
	})
}

func (s *signedIn) signOut(ctx context.Context, file stateFile) error {
	if s.Session != nil {
		return s.transport(file).SignOut(ctx)
	}
	return s.client(file).logout(ctx)
}

// isOver tells whether the session had ended before.
func isOver(err error) bool {
	var refusal *signin.MatrixError
	return errors.Is(err, signin.ErrLoggedOut) || (errors.As(err, &refusal) && refusal.Status == http.StatusUnauthorized)
}
