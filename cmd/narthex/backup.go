package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/transfer"
)

type backupCommand struct {
	settings
	File string `arg:"" type:"path" help:"The file to write, which must not be there yet."`
}

// Help is shown by --help.
func (backupCommand) Help() string {
	return `It writes all that the database holds at one moment into one SQLite file, also from PostgreSQL, while the
server goes on. The file is checked, and gets its name only when it is whole and on disk. It holds every
message, and the key with which the server signs: keep it as secret as the server.

Examples:
  narthex backup /backups/narthex-$(date +%F).db --config /etc/narthex/narthex.yaml
  narthex restore /backups/narthex-2026-05-01.db --config /etc/narthex/narthex.yaml`
}

// Run makes the backup.
func (c backupCommand) Run(ctx context.Context, std streams) error {
	cfg, err := c.loadChecked()
	if err != nil {
		return err
	}
	if err := present(cfg); err != nil {
		return err
	}
	shown := newProgress(std.err)
	defer shown.end()
	return c.withDB(ctx, std, func(d *db.DB) error {
		tables, err := transfer.Backup(ctx, d, c.File, transferOptions(std, shown))
		if err != nil {
			return err
		}
		shown.end()
		info, err := os.Stat(c.File)
		if err != nil {
			return err
		}
		rows, all := copied(tables)
		fmt.Fprintf(std.out, "%s: %d tables, %d rows, %d KiB; checked\n", c.File, len(rows), all, (info.Size()+1023)/1024)
		if sealed(tables) {
			fmt.Fprintf(std.out, "Not in it: %s, without which nobody's one-time codes are good. Keep a copy of it elsewhere.\n", cfg.SecondFactorKey())
		}
		return nil
	})
}

func transferOptions(std streams, shown *progress) transfer.Options {
	log := slog.New(slog.NewTextHandler(std.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
	return transfer.Options{Now: time.Now, Log: log, Tell: shown.tell}
}
