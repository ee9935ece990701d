package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/narthex-matrix/narthex/internal/transfer"
)

type migrateMoveCommand struct {
	migrateStatusCommand
	From string `placeholder:"FILE|URL" help:"The database to move: an SQLite file, or a postgres:// URL."`
	To   string `placeholder:"FILE|URL" help:"An empty database."`
}

// Help is shown by --help.
func (migrateMoveCommand) Help() string {
	return `Stop the server first; no process may use either database. Everything is copied from one snapshot in one
transaction, and compared with the source before that ends: an interrupted move leaves the target empty. The
source stays as it is. What is not in the database: second-factor.key in the folder data, and the configuration.

Examples:
  narthex migrate --from narthex-data/narthex.db --to postgres://narthex:PASSWORD@localhost/narthex
  narthex migrate --from postgres://narthex:PASSWORD@localhost/narthex --to narthex-data/narthex.db
  narthex migrate`
}

// Run moves a server, or lists the steps of the schema.
func (c migrateMoveCommand) Run(ctx context.Context, std streams) error {
	if c.From == "" && c.To == "" {
		return c.migrateStatusCommand.Run(ctx, std)
	}
	if c.From == "" || c.To == "" {
		return errors.New("--from and --to belong together: name both databases")
	}
	shown := newProgress(std.err)
	defer shown.end()
	tables, err := transfer.Move(ctx, c.From, c.To, transferOptions(std, shown))
	if err != nil {
		return err
	}
	shown.end()
	rows, all := copied(tables)
	if c.JSON {
		return writeJSON(std, rows)
	}
	if err := writeCopied(std.out, tables); err != nil {
		return err
	}
	fmt.Fprintf(std.out, "%d tables and %d rows are the same in both databases.\n", len(rows), all)
	fmt.Fprintln(std.out, "Now write the new one into the configuration as database, and start the server. The old one is as it was: do not start a server with it again.")
	if sealed(tables) {
		fmt.Fprintln(std.out, "One-time codes need second-factor.key of the folder data: if the server moves to another machine, take it along.")
	}
	return nil
}
