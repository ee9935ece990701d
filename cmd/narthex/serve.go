package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/narthex-matrix/narthex/internal/app"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/doctor"
	"github.com/narthex-matrix/narthex/internal/metrics"
)

type serveCommand struct {
	settings
	Listen    []string `placeholder:"HOST:PORT" help:"An address to accept requests on; may be given several times (default: 127.0.0.1:8008)."`
	PublicURL string   `placeholder:"URL" help:"Where clients reach the server."`
	Only      string   `enum:",identity" default:"" placeholder:"identity" help:"Run one part alone: the identity service, with a database of its own and no accounts."`
	Dev       bool     `help:"For trying things out on this machine: cheap password hashes and, unless the configuration says otherwise, registration without approval and no rate limits."`
}

// Help is shown by --help.
func (serveCommand) Help() string {
	return `Without a configuration the server is called localhost, listens on 127.0.0.1:8008 and keeps an SQLite
database in ./narthex-data. Flags win over the environment (NARTHEX_…), and that over the file.

Examples:
  narthex serve
  narthex serve --dev
  narthex serve --config /etc/narthex/narthex.yaml --listen 127.0.0.1:8008 --listen [::1]:8008
  narthex serve --only identity --config /etc/narthex/identity.yaml`
}

// Run serves until the context ends.
func (c serveCommand) Run(ctx context.Context, std streams) error {
	defaults := config.Default()
	if c.Dev {
		defaults = config.Development()
	}
	cfg, err := c.loadOver(defaults)
	if err != nil {
		return err
	}
	if len(c.Listen) > 0 {
		cfg.Listen = c.Listen
	}
	if c.PublicURL != "" {
		cfg.PublicURL = c.PublicURL
	}
	if err := checked(cfg); err != nil {
		return err
	}
	log := logger(cfg.Log, std.err)
	slog.SetDefault(log)
	listeners, err := listen(ctx, cfg.Listen)
	if err != nil {
		return err
	}
	if cfg.PublicURL == "" { // the port may have been 0
		cfg.Listen[0] = listeners[0].Addr().String()
	}
	counts := metrics.New(version())
	open := app.Open
	if c.Only == "identity" {
		open = app.OpenIdentity
	}
	a, err := open(ctx, cfg, app.Seams{Now: time.Now, Log: log, Observe: counts.Observe, Examine: doctor.Shown})
	if err != nil {
		closeAll(listeners)
		return fmt.Errorf("%w\n%s doctor%s may say more", err, self(), c.flags())
	}
	defer a.Close()
	counts.Watch(a.Loads)
	if err := serveMetrics(ctx, cfg.Metrics.Listen, counts.Handler(a.Ready), log); err != nil {
		closeAll(listeners)
		return err
	}
	if err := c.greet(ctx, std.out, a, listeners); err != nil {
		closeAll(listeners)
		return err
	}
	if cfg.Dev {
		log.Warn("running with --dev: anybody on this machine can make accounts, and passwords are hashed cheaply; never use this data for a real server")
	}
	if limit := limitMemory(); limit > 0 {
		log.Info("memory is limited", "mib", limit>>20)
	}
	untouched := make([]byte, ballast)
	go giveBack(ctx)
	go useProcessors(ctx)
	err = a.Serve(ctx, listeners)
	runtime.KeepAlive(untouched)
	log.Info("stopped")
	return err
}

// greet says where the server is, and what is to be done first.
func (c serveCommand) greet(ctx context.Context, w io.Writer, a *app.App, listeners []net.Listener) error {
	var at []string
	for _, l := range listeners {
		at = append(at, "http://"+l.Addr().String())
	}
	if c.Only != "" {
		_, err := fmt.Fprintf(w, "Narthex %s listens on %s as %s, the %s service alone\n", version(), strings.Join(at, " and "), a.Config.ServerName, c.Only)
		return err
	}
	link, err := a.AdminPages.FirstLink(ctx)
	if err != nil {
		return err
	}
	text := fmt.Sprintf("Narthex %s listens on %s as %s\n", version(), strings.Join(at, " and "), a.Config.ServerName)
	if link != "" {
		text += fmt.Sprintf("There is no administrator yet. To become one, open this link in a browser. It is good once, for a day:\n  %s\nor make one in another terminal:\n  %s user create --admin%s NAME\n",
			link, self(), c.flags())
	} else {
		text += fmt.Sprintf("Administrators: %sadmin\n", a.Config.Issuer())
	}
	_, err = io.WriteString(w, text+joining(a.Config))
	return err
}

// joining says where people get an account, if they can.
func joining(cfg config.Config) string {
	page := cfg.Issuer() + "register"
	switch {
	case !cfg.Registration.Enabled:
		return ""
	case cfg.Registration.RequireToken:
		return fmt.Sprintf("People with a registration token from an administrator make an account at:\n  %s\n", page)
	case cfg.Approval.Enabled && cfg.Approval.RequiredForNewAccounts:
		return fmt.Sprintf("People ask for an account here, and an administrator approves or refuses it:\n  %s\n", page)
	}
	return fmt.Sprintf("Anybody makes an account here:\n  %s\n", page)
}

// listen opens all addresses, or none.
func listen(ctx context.Context, addresses []string) ([]net.Listener, error) {
	var open []net.Listener
	var by net.ListenConfig
	for _, address := range addresses {
		l, err := by.Listen(ctx, "tcp", address)
		if err != nil {
			closeAll(open)
			return nil, fmt.Errorf("cannot listen on %s: %w; is another server running there? --listen chooses another address", address, errors.Unwrap(err))
		}
		open = append(open, l)
	}
	return open, nil
}

func closeAll(listeners []net.Listener) {
	for _, l := range listeners {
		_ = l.Close() // the first error says what is wrong
	}
}

// serveMetrics serves the metrics listener until the process ends, so that it can
// say that the server is stopping.
func serveMetrics(ctx context.Context, address string, h http.Handler, log *slog.Logger) error {
	if address == "" {
		return nil
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("metrics.listen: %w", err)
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
	go func() {
		if err := server.Serve(l); err != nil {
			log.Error("the metrics listener ended", "err", err)
		}
	}()
	log.Info("metrics", "at", "http://"+l.Addr().String()+"/metrics")
	return nil
}

func logger(c config.Log, w io.Writer) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Level)); err != nil {
		level = slog.LevelInfo // config has checked it
	}
	options := &slog.HandlerOptions{Level: level}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	if w == io.Writer(os.Stderr) && os.Getenv("JOURNAL_STREAM") != "" {
		options.ReplaceAttr = withoutTime // the journal has its own
	}
	return slog.New(slog.NewTextHandler(w, options))
}

func withoutTime(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}
