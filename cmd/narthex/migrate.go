package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"text/tabwriter"
	"time"

	"github.com/narthex-matrix/narthex/internal/db"
)

type migrateCommand struct {
	Move   migrateMoveCommand   `cmd:"" default:"withargs" help:"Move a server to another database: narthex migrate --from … --to …; without these, as status."`
	Status migrateStatusCommand `cmd:"" help:"List the steps and when they were applied."`
	Up     migrateUpCommand     `cmd:"" help:"Apply the steps that are missing."`
}

type migrateStatusCommand struct {
	settings
	JSON bool `help:"Write JSON."`
}

// Help is shown by --help.
func (migrateStatusCommand) Help() string {
	return "Example:\n  narthex migrate status --config /etc/narthex/narthex.yaml"
}

type stepRow struct {
	Number  int64      `json:"number"`
	Name    string     `json:"name"`
	Applied *time.Time `json:"applied"` // null: not yet
}

// Run lists the steps.
func (c migrateStatusCommand) Run(ctx context.Context, std streams) error {
	cfg, err := c.loadChecked()
	if err != nil {
		return err
	}
	if err := present(cfg); err != nil {
		return err
	}
	var rows []stepRow
	err = c.withDB(ctx, std, func(d *db.DB) error {
		known, err := db.Migrations()
		if err != nil {
			return err
		}
		done, err := d.Applied(ctx)
		if err != nil {
			return err
		}
		rows = steps(known, done)
		return nil
	})
	if err != nil {
		return err
	}
	if c.JSON {
		return writeJSON(std, rows)
	}
	w := tabwriter.NewWriter(std.out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "STEP\tNAME\tAPPLIED")
	for _, r := range rows {
		applied := "not yet"
		if r.Applied != nil {
			applied = r.Applied.UTC().Format(time.DateTime)
		}
		fmt.Fprintf(w, "%d\t%s\t%s\n", r.Number, r.Name, applied)
	}
	return w.Flush()
}

// steps joins the steps that the program knows with those that were applied.
func steps(known []db.Migration, done []db.Applied) []stepRow {
	at := map[int64]time.Time{}
	for _, a := range done {
		at[a.Number] = a.At
	}
	var rows []stepRow
	for _, m := range known {
		row := stepRow{Number: int64(m.Number), Name: m.Name}
		if t, ok := at[row.Number]; ok {
			row.Applied = &t
			delete(at, row.Number)
		}
		rows = append(rows, row)
	}
	for _, a := range done {
		if t, ok := at[a.Number]; ok {
			rows = append(rows, stepRow{Number: a.Number, Name: a.Name + " (of a newer version)", Applied: &t})
		}
	}
	return rows
}

type migrateUpCommand struct{ settings }

// Help is shown by --help.
func (migrateUpCommand) Help() string {
	return `The server does this itself when it starts. Make a backup first: steps go forward only.

Example:
  narthex migrate up --config /etc/narthex/narthex.yaml`
}

// Run applies what is missing.
func (c migrateUpCommand) Run(ctx context.Context, std streams) error {
	return c.withDB(ctx, std, func(d *db.DB) error {
		applied, err := d.Migrate(ctx)
		for _, m := range applied {
			fmt.Fprintf(std.out, "applied %d %s\n", m.Number, m.Name)
		}
		if err == nil && len(applied) == 0 {
			fmt.Fprintln(std.out, "The database is up to date.")
		}
		return err
	})
}

// withDB opens the database alone.
func (s settings) withDB(ctx context.Context, std streams, f func(*db.DB) error) (err error) {
	cfg, err := s.loadChecked()
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(std.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
	d, err := db.Open(ctx, db.Options{Database: cfg.DatabaseSource(), Now: time.Now, Log: log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	return f(d)
}
