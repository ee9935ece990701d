package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/narthex-matrix/narthex/internal/app"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
)

// settings are the flags that say which server a command is about.
type settings struct {
	Config     string `short:"c" type:"path" placeholder:"FILE" help:"The configuration file."`
	Data       string `type:"path" placeholder:"FOLDER" help:"The folder for what the server keeps (default: ./narthex-data)."`
	Database   string `placeholder:"FILE|URL" help:"An SQLite file, or a postgres:// URL (default: narthex.db in the data folder)."`
	ServerName string `placeholder:"NAME" help:"The name of the server, the part after the colon in user names (default: localhost)."`
}

// load reads file and environment, and puts the flags over them. It does not
// check the result.
func (s settings) load() (config.Config, error) { return s.loadOver(config.Default()) }

// loadOver is load with other defaults.
func (s settings) loadOver(defaults config.Config) (config.Config, error) {
	cfg, err := config.Load(defaults, s.Config, os.Environ())
	if err != nil {
		return cfg, fmt.Errorf("the configuration cannot be used:\n%w", err)
	}
	for _, flag := range []struct{ value, to *string }{
		{&s.Data, &cfg.Data}, {&s.Database, &cfg.Database}, {&s.ServerName, &cfg.ServerName},
	} {
		if *flag.value != "" {
			*flag.to = *flag.value
		}
	}
	return cfg, nil
}

// loadChecked is load with the checks of package config.
func (s settings) loadChecked() (config.Config, error) {
	cfg, err := s.load()
	if err != nil {
		return cfg, err
	}
	return cfg, checked(cfg)
}

func checked(cfg config.Config) error {
	if err := cfg.Check(); err != nil {
		return fmt.Errorf("the configuration cannot be used:\n%w", err)
	}
	return nil
}

// flags repeats the given settings for a command that is shown to somebody.
func (s settings) flags() string {
	var b strings.Builder
	for _, flag := range []struct{ name, value string }{
		{"--config", s.Config}, {"--data", s.Data}, {"--database", s.Database}, {"--server-name", s.ServerName},
	} {
		if flag.value != "" && !strings.Contains(flag.value, "://") { // a URL can hold a password
			fmt.Fprintf(&b, " %s %s", flag.name, flag.value)
		}
	}
	return b.String()
}

// self is how this program is called, for a command that is shown to somebody.
func self() string {
	path, err := os.Executable()
	if err == nil && strings.Contains(path, "go-build") {
		return "go run ./cmd/narthex"
	}
	if name := filepath.Base(os.Args[0]); err == nil && filepath.IsAbs(os.Args[0]) {
		return name
	}
	return os.Args[0]
}

// open builds the server for a command that works on its database, beside a
// running server if there is one. It does not migrate a database that is in use
// by an older program.
func (s settings) open(ctx context.Context, w io.Writer) (*app.App, error) {
	cfg, err := s.loadChecked()
	if err != nil {
		return nil, err
	}
	if err := present(cfg); err != nil {
		return nil, err
	}
	return s.openOrCreate(ctx, w)
}

// present refuses a database file that is not there: most likely the command was
// started in another folder than the server.
func present(cfg config.Config) error {
	file := cfg.DatabaseSource()
	if strings.Contains(file, "://") {
		return nil
	}
	if _, err := os.Stat(file); err != nil {
		return fmt.Errorf("there is no database %s; use the --config, --data or --database of the server", file)
	}
	return nil
}

// openOrCreate is open for a server that may not have run yet.
func (s settings) openOrCreate(ctx context.Context, w io.Writer) (*app.App, error) {
	cfg, err := s.loadChecked()
	if err != nil {
		return nil, err
	}
	log := slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelWarn}))
	if err := current(ctx, cfg, log); err != nil {
		return nil, err
	}
	return app.Open(ctx, cfg, app.Seams{Now: time.Now, Log: log})
}

// current refuses a database whose schema is older than this program's, unless
// it is empty.
func current(ctx context.Context, cfg config.Config, log *slog.Logger) (err error) {
	d, err := db.Open(ctx, db.Options{Database: cfg.DatabaseSource(), Now: time.Now, Log: log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	done, err := d.Applied(ctx)
	if err != nil {
		return err
	}
	known, err := db.Migrations()
	if err != nil {
		return err
	}
	if len(done) > 0 && len(done) < len(known) {
		return errors.New(`the database was made by an older version; stop that server and run "narthex migrate up", or start this version once`)
	}
	return nil
}
