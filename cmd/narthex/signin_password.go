package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/narthex-matrix/narthex/signin/crosssigning"
)

type signinPasswordCommand struct {
	signinFlags
	Server string `arg:"" help:"The homeserver: example.org, or https://matrix.example.org."`
	User   string `arg:"" help:"The user: alice, or @alice:example.org."`
	Name   string `default:"narthex" help:"What the device is called in the list of devices."`
	Reset  bool   `help:"Replace the account's cross-signing keys, if they are lost. Other people are told."`
}

// Help is shown by --help.
func (signinPasswordCommand) Help() string {
	return `It asks for the password. If the account has no encryption keys yet, it makes them: cross-signing, secret
storage and a key backup; the recovery key is shown once. If it has, it asks for the recovery key.

Examples:
  narthex signin password example.org alice
  narthex signin password http://localhost:8008 alice --json < password.txt`
}

// Run signs in.
func (c signinPasswordCommand) Run(ctx context.Context, std streams) error {
	return c.play(std, func(con *console, file stateFile) error {
		if err := file.vacant(); err != nil {
			return err
		}
		server, err := con.library().Find(ctx, c.Server)
		if err != nil {
			return err
		}
		con.tell("homeserver", fields{"base_url": server.BaseURL}, "The homeserver is at "+server.BaseURL+".")
		password, err := con.secret(ctx, "password", "Password: ")
		if err != nil {
			return err
		}
		login := byPassword(c.User, password)
		login.DisplayName = c.Name
		in, err := (&matrixClient{base: server.BaseURL, http: newHTTP(nil)}).login(ctx, login)
		if err != nil {
			return err
		}
		s := &signedIn{BaseURL: server.BaseURL, UserID: in.UserID, DeviceID: in.DeviceID, AccessToken: in.AccessToken}
		if err := file.save(s); err != nil {
			return errors.Join(err, s.client(file).logout(ctx))
		}
		con.tell("signed_in", fields{"user_id": in.UserID, "device_id": in.DeviceID}, fmt.Sprintf("Signed in as %s, device %s.", in.UserID, in.DeviceID))
		b := newBringUp(s, file, con)
		if err := c.encryption(ctx, b, password); err != nil {
			return &halfway{err}
		}
		return b.prove(ctx)
	})
}

// encryption gives the device an identity: a new one, or the account's own.
func (c signinPasswordCommand) encryption(ctx context.Context, b *bringUp, password string) error {
	p, err := b.c.published(ctx, b.s.UserID)
	if err != nil {
		return err
	}
	if !p.HasIdentity() || c.Reset {
		return b.create(ctx, password)
	}
	key, err := b.con.secret(ctx, "recovery_key", "The account has encryption keys already. Its recovery key, or the passphrase: ")
	if err != nil {
		return err
	}
	secrets, backup, err := b.unlock(ctx, key)
	if err != nil {
		return err
	}
	return b.adopt(ctx, secrets, backup)
}

// halfway is a failure after the device was signed in.
type halfway struct{ err error }

func (h *halfway) Error() string { return h.err.Error() }
func (h *halfway) Unwrap() error { return h.err }

// create makes an identity, a key backup and secret storage for an account that
// has none.
func (b *bringUp) create(ctx context.Context, password string) error {
	id, err := crosssigning.NewIdentity(b.s.UserID)
	if err != nil {
		return err
	}
	up, err := id.Upload(nil)
	if err != nil {
		return err
	}
	if err := b.c.uploadIdentity(ctx, up, b.s.UserID, password); err != nil {
		return fmt.Errorf("publishing the cross-signing keys: %w", err)
	}
	b.con.tell("cross_signing", fields{"master_key": id.Master.Public()}, "Made the cross-signing keys.")
	if err := b.publish(ctx, id); err != nil {
		return err
	}
	if err := b.createBackup(ctx, id); err != nil {
		return err
	}
	return b.lockAway(ctx)
}
