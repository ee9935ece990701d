// Package app builds the server: every package in the order of its rank, in one
// function that is read from top to bottom; it starts, drains and stops them.
package app

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/narthex-matrix/narthex/internal/accountdata"
	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/admin"
	"github.com/narthex-matrix/narthex/internal/adminpages"
	"github.com/narthex-matrix/narthex/internal/bus"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/directory"
	"github.com/narthex-matrix/narthex/internal/discovery"
	"github.com/narthex-matrix/narthex/internal/e2ee"
	"github.com/narthex-matrix/narthex/internal/ephemeral"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/event"
	"github.com/narthex-matrix/narthex/internal/factors"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/identity"
	"github.com/narthex-matrix/narthex/internal/identityserver"
	"github.com/narthex-matrix/narthex/internal/jobs"
	"github.com/narthex-matrix/narthex/internal/mail"
	"github.com/narthex-matrix/narthex/internal/moderation"
	"github.com/narthex-matrix/narthex/internal/notices"
	"github.com/narthex-matrix/narthex/internal/oauth"
	"github.com/narthex-matrix/narthex/internal/page"
	"github.com/narthex-matrix/narthex/internal/profile"
	"github.com/narthex-matrix/narthex/internal/push"
	"github.com/narthex-matrix/narthex/internal/rendezvous"
	"github.com/narthex-matrix/narthex/internal/rooms"
	"github.com/narthex-matrix/narthex/internal/secret"
	"github.com/narthex-matrix/narthex/internal/signing"
	"github.com/narthex-matrix/narthex/internal/sms"
	"github.com/narthex-matrix/narthex/internal/syncer"
	"github.com/narthex-matrix/narthex/internal/timeline"
	"github.com/narthex-matrix/narthex/internal/upstream"
	"github.com/narthex-matrix/narthex/internal/validation"
	"github.com/narthex-matrix/narthex/internal/visitor"
	"github.com/narthex-matrix/narthex/internal/web"
)

// patience is how long a long poll waits where other requests are. Whom there is much
// news for has an answer before.
const patience = time.Second

// Seams are the edges to the outside world: main fills them from the
// configuration, tests with what they need.
type Seams struct {
	Now func() time.Time
	Log *slog.Logger
	// Observe, if set, is told of every answer.
	Observe func(httpapi.Answer)
	// Examine, if set, looks at the setup for the pages of administrators.
	Examine func(config.Config) []page.Finding
	// Unsynced leaves out the fsync of commits; for tests only.
	Unsynced bool
}

// App is a server that has been built.
type App struct {
	DB       *db.DB
	Config   config.Config
	Accounts *accounts.Service
	Factors  *factors.Service
	OAuth    *oauth.Service
	Rooms    *rooms.Service
	E2EE     *e2ee.Service
	Syncer   *syncer.Service
	// AdminPages make the link for the first administrator.
	AdminPages *adminpages.Service
	// Passwords hashes passwords at the cost that the configuration means.
	Passwords *secret.Passwords

	server  *httpapi.Server
	texts   *mail.Templates
	out     *http.Client // to whatever addresses strangers name
	vouch   upstream.Directory
	runner  *jobs.Runner
	bus     *bus.Local
	log     *slog.Logger
	closers []func()

	stopping atomic.Bool
}

// Open opens the database, brings it up to date, and builds everything on it.
func Open(ctx context.Context, cfg config.Config, seams Seams) (_ *App, err error) {
	a := &App{Config: cfg, log: seams.Log}
	defer func() {
		if err != nil {
			a.Close()
		}
	}()
	if err := a.openDatabase(ctx, cfg, seams); err != nil {
		return nil, err
	}
	signer, err := signing.Load(ctx, a.DB, serverName(cfg))
	if err != nil {
		return nil, fmt.Errorf("the signing key: %w", err)
	}
	if a.texts, err = mail.LoadTemplates(cfg); err != nil {
		return nil, err
	}
	if err := a.openOutbound(cfg); err != nil {
		return nil, err
	}
	if a.vouch, err = upstream.Load(cfg, a.out); err != nil {
		return nil, fmt.Errorf("sso.providers: %w", err)
	}
	key, err := loadIdentityKey(ctx, a.DB, cfg)
	if err != nil {
		return nil, err
	}
	a.build(cfg, seams, signer, key)
	return a, a.runner.Start(ctx)
}

// build wires the packages in the order of their ranks.
func (a *App) build(cfg config.Config, seams Seams, signer event.Signer, key identity.Key) {
	cost := secret.Strong
	if cfg.Dev {
		cost = secret.Cheap
	}
	a.Passwords = secret.NewPasswords(cost, cfg.Login.Password.MaxConcurrentHashes)

	mails := mail.New(mail.Deps{DB: a.DB, Config: cfg, Log: seams.Log, Templates: a.texts})
	texts := sms.New(sms.Deps{DB: a.DB, Config: cfg, Log: seams.Log})
	validations := validation.New(validation.Deps{DB: a.DB, Config: cfg, Mail: mails, SMS: texts})
	identityServers := identityserver.New(identityserver.Deps{Config: cfg, Signer: signer, Client: a.out, Home: a})
	a.Accounts = accounts.New(accounts.Deps{DB: a.DB, Config: cfg, Passwords: a.Passwords, Validation: validations, Mail: mails, IdentityServers: identityServers})
	accountData := accountdata.New(accountdata.Deps{DB: a.DB})
	meetings := rendezvous.New(rendezvous.Deps{DB: a.DB, Config: cfg})
	a.Factors = factors.New(factors.Deps{DB: a.DB, Config: cfg, Log: seams.Log, Accounts: a.Accounts})
	a.OAuth = oauth.New(oauth.Deps{DB: a.DB, Config: cfg, Accounts: a.Accounts, Passwords: a.Passwords})
	identities := identity.New(identity.Deps{DB: a.DB, Config: cfg, Key: key, Validation: validations, Mail: mails, Client: a.out, Home: a.homeserver(signer)})
	a.Rooms = rooms.New(rooms.Deps{DB: a.DB, Config: cfg, Accounts: a.Accounts, AccountData: accountData, IdentityServers: identityServers, Signer: signer})
	a.E2EE = e2ee.New(e2ee.Deps{DB: a.DB, Config: cfg, Accounts: a.Accounts, Rooms: a.Rooms})
	profiles := profile.New(profile.Deps{DB: a.DB, Accounts: a.Accounts, Rooms: a.Rooms})
	history := timeline.New(timeline.Deps{DB: a.DB, Rooms: a.Rooms, AccountData: accountData})
	ephemera := ephemeral.New(ephemeral.Deps{DB: a.DB, Config: cfg, AccountData: accountData, Rooms: a.Rooms})
	pushes := push.New(push.Deps{DB: a.DB, AccountData: accountData, Rooms: a.Rooms})
	reports := moderation.New(moderation.Deps{DB: a.DB, Accounts: a.Accounts, Rooms: a.Rooms})
	notes := notices.New(notices.Deps{DB: a.DB, Config: cfg, Log: seams.Log, Accounts: a.Accounts, AccountData: accountData, Rooms: a.Rooms, Mail: mails})
	administration := admin.New(admin.Deps{DB: a.DB, Config: cfg, Accounts: a.Accounts, Rooms: a.Rooms, Profile: profiles, Moderation: reports, Passwords: a.Passwords})
	visitors := visitor.New(visitor.Deps{DB: a.DB, Config: cfg, Accounts: a.Accounts, Factors: a.Factors, OAuth: a.OAuth})
	vouchers := upstream.New(upstream.Deps{DB: a.DB, Accounts: a.Accounts, Providers: a.vouch})
	pages := web.New(web.Deps{DB: a.DB, Config: cfg, Accounts: a.Accounts, Factors: a.Factors, OAuth: a.OAuth, Profile: profiles, Passwords: a.Passwords, Visitors: visitors, Upstream: vouchers, Validation: validations})
	a.AdminPages = adminpages.New(adminpages.Deps{
		DB: a.DB, Config: cfg, Accounts: a.Accounts, OAuth: a.OAuth, Admin: administration, Mail: mails,
		Passwords: a.Passwords, Visitors: visitors, Examine: seams.Examine,
	})
	a.Syncer = syncer.New(syncer.Deps{
		DB: a.DB, Bus: a.bus, Accounts: a.Accounts, AccountData: accountData, Rooms: a.Rooms,
		Timeline: history, Ephemeral: ephemera, Push: pushes, E2EE: a.E2EE,
	})

	routes := slices.Concat(
		a.Accounts.Routes(),
		accountData.Routes(),
		meetings.Routes(),
		a.OAuth.Routes(),
		identities.Routes(),
		a.Rooms.Routes(),
		history.Routes(),
		profiles.Routes(),
		a.E2EE.Routes(),
		reports.Routes(),
		notes.Routes(),
		directory.New(directory.Deps{DB: a.DB, Config: cfg, Accounts: a.Accounts, Rooms: a.Rooms}).Routes(),
		ephemera.Routes(),
		pushes.Routes(),
		a.Syncer.Routes(),
		administration.Routes(),
		pages.Routes(),
		a.AdminPages.Routes(),
		discovery.New(discovery.Deps{Config: cfg, Signer: signer}).Routes(),
	)
	a.runner = jobs.NewRunner(a.DB, seams.Log, slices.Concat(
		mails.Jobs(),
		texts.Jobs(),
		validations.Jobs(),
		a.Accounts.Jobs(),
		accountData.Jobs(),
		meetings.Jobs(),
		a.Factors.Jobs(),
		a.OAuth.Jobs(),
		vouchers.Jobs(),
		identities.Jobs(),
		a.Rooms.Jobs(),
		history.Jobs(),
		profiles.Jobs(),
		a.E2EE.Jobs(),
		ephemera.Jobs(),
		pushes.Jobs(),
		notes.Jobs(),
	))
	a.server = &httpapi.Server{
		Now: seams.Now, Log: seams.Log, Observe: seams.Observe,
		Authenticate:         a.OAuth.Authenticate,
		AuthenticateIdentity: identities.Authenticate,
		Forms:                errcode.Forms{MSC3848: errcode.Mode(cfg.MSC3848Mode()), Approval: errcode.Mode(cfg.ApprovalErrcode())},
		ErrorPage:            pages.ErrorPage,
		Limits:               limits(cfg),
		Admission:            a.admission(cfg, seams),
		TrustedProxies:       config.Networks(cfg.TrustedProxies),
		Patience:             patience,
	}
	a.server.Handle(routes)
}

// openDatabase opens the database and what wakes those who wait for it, and brings it
// up to date.
func (a *App) openDatabase(ctx context.Context, cfg config.Config, seams Seams) error {
	wake, err := a.openBus(ctx, cfg, seams)
	if err != nil {
		return err
	}
	a.DB, err = db.Open(ctx, db.Options{Database: cfg.DatabaseSource(), Now: seams.Now, Wake: wake, Log: seams.Log, Unsynced: seams.Unsynced})
	if err != nil {
		return err
	}
	a.closers = append(a.closers, func() {
		if err := a.DB.Close(); err != nil {
			seams.Log.Error("closing the database", "err", err)
		}
	})
	_, err = a.DB.Migrate(ctx)
	return err
}

func (a *App) openBus(ctx context.Context, cfg config.Config, seams Seams) (wake func([]string), err error) {
	name := cfg.DatabaseSource()
	if !strings.HasPrefix(name, "postgres") {
		a.bus = bus.NewLocal()
		return a.bus.Wake, nil
	}
	p, err := bus.NewPostgres(ctx, name, seams.Log)
	if err != nil {
		return nil, err
	}
	a.bus = p.Local
	a.closers = append(a.closers, p.Close)
	return p.Wake, nil
}

// ServeHTTP answers a request.
func (a *App) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.server.ServeHTTP(w, r) }

// Routes lists every endpoint.
func (a *App) Routes() []httpapi.Route { return a.server.Routes() }

// Forms are the wire forms of the proposals' codes.
func (a *App) Forms() errcode.Forms { return a.server.Forms }

// RunJobs works what is due, once. Tests call it; a server runs [App.Run].
func (a *App) RunJobs(ctx context.Context) error {
	_, err := a.runner.RunDue(ctx)
	return err
}

// Run works jobs until the context ends.
func (a *App) Run(ctx context.Context) { a.runner.Run(ctx, a.bus) }

// Close stops what Open started, the last first.
func (a *App) Close() {
	for _, f := range slices.Backward(a.closers) {
		f()
	}
	a.closers = nil
}

func limits(cfg config.Config) *httpapi.Limiter {
	if !cfg.RateLimits.Enabled || cfg.Dev {
		return nil
	}
	budget := func(b config.Rate) httpapi.Budget { return httpapi.Budget{PerSecond: b.PerSecond, Burst: b.Burst} }
	return httpapi.NewLimiter(map[httpapi.Class]httpapi.Budget{
		httpapi.Address:      budget(cfg.RateLimits.Address),
		httpapi.Cheap:        budget(cfg.RateLimits.Cheap),
		httpapi.Sending:      budget(cfg.RateLimits.Sending),
		httpapi.Login:        budget(cfg.RateLimits.Login),
		httpapi.Registration: budget(cfg.RateLimits.Registration),
		httpapi.Validation:   budget(cfg.RateLimits.Validation),
		httpapi.Expensive:    budget(cfg.RateLimits.Expensive),
	}, cfg.RateLimits.Devices)
}

func serverName(cfg config.Config) id.ServerName { return id.ServerName(cfg.ServerName) }
