package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/narthex-matrix/narthex/internal/db"
)

type userResetFactorsCommand struct {
	settings
	User string `arg:"" help:"The user: alice, or @alice:example.org."`
}

// Help is shown by --help.
func (userResetFactorsCommand) Help() string {
	return `Removes the passkeys, the one-time codes and the recovery codes of somebody who has
lost them all. The password alone signs in then. Make sure first who asks: whoever
knows the password may pretend. The audit log keeps it, and a mail tells the owner.

Example:
  narthex user reset-factors alice`
}

// Run removes them.
func (c userResetFactorsCommand) Run(ctx context.Context, std streams) error {
	a, userID, err := c.account(ctx, std, c.User)
	if err != nil {
		return err
	}
	defer a.Close()
	had := false
	err = a.DB.Write(ctx, func(tx *db.Tx) (err error) {
		had, err = a.Factors.Reset(tx, userID, actor)
		return err
	})
	if errors.Is(err, db.ErrNoRow) {
		return fmt.Errorf("there is no account %s", userID)
	}
	if err != nil {
		return err
	}
	if !had {
		_, err = fmt.Fprintf(std.out, "%s has no second factor\n", userID)
		return err
	}
	_, err = fmt.Fprintf(std.out, "removed the second factors of %s\n", userID)
	return err
}
