package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/narthex-matrix/narthex/internal/transfer"
)

type restoreCommand struct {
	settings
	File    string `arg:"" type:"existingfile" help:"The backup."`
	Replace bool   `help:"Put the backup in the place of the server that is there, and keep that aside."`
}

// Help is shown by --help.
func (restoreCommand) Help() string {
	return `It puts a backup into the database of the configuration, SQLite or PostgreSQL. Stop the server first. The
backup is checked, and stays as it is. What happened after it is gone: messages, accounts, changed passwords.
One-time keys are deleted, since they may have been given out already; clients upload others by themselves, and
begin anew if they had seen more than the backup holds.

Examples:
  narthex restore /backups/narthex-2026-05-01.db --config /etc/narthex/narthex.yaml
  narthex restore narthex-backup.db --replace --database postgres://narthex@localhost/narthex`
}

// Run restores the backup.
func (c restoreCommand) Run(ctx context.Context, std streams) error {
	cfg, err := c.loadChecked()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
		return fmt.Errorf("the folder of the server: %w", err)
	}
	shown := newProgress(std.err)
	defer shown.end()
	done, err := transfer.Restore(ctx, transfer.Restoring{
		File: c.File, Database: cfg.DatabaseSource(), Folder: cfg.Data, Replace: c.Replace,
	}, transferOptions(std, shown))
	if err != nil {
		return err
	}
	shown.end()
	rows, all := copied(done.Tables)
	fmt.Fprintf(std.out, "Restored %d tables, %d rows.\n", len(rows), all)
	if done.Aside != "" {
		fmt.Fprintf(std.out, "What there was is kept as %s.\n", done.Aside)
	}
	fmt.Fprintf(std.out, "%d one-time and fallback keys were deleted, and the devices of %d users are to be looked up again. Clients see to that when they sync.\n", done.Keys, done.Users)
	if _, err := os.Stat(cfg.SecondFactorKey()); errors.Is(err, os.ErrNotExist) && sealed(done.Tables) {
		fmt.Fprintf(std.out, "There is no %s, without which nobody's one-time codes are good. Put it there before you start the server.\n", cfg.SecondFactorKey())
	}
	return nil
}
