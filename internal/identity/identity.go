package identity

import (
	"context"
	"crypto/ed25519"
	"net/http"
	"net/url"
	"time"

	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/jobs"
	"github.com/narthex-matrix/narthex/internal/mail"
	"github.com/narthex-matrix/narthex/internal/outbound"
	"github.com/narthex-matrix/narthex/internal/validation"
)

// Homeserver is the homeserver in the same process. Its users are asked for
// directly and not over the network, where this machine may not reach itself.
type Homeserver struct {
	// OpenIDUser says whose OpenID token it is, or fails with UnknownToken.
	OpenIDUser func(ctx context.Context, token string) (id.UserID, error)
	// Keys are the homeserver's public signing keys by their ids.
	Keys map[string]ed25519.PublicKey
	// OnBind takes the body of the notice that a user of the homeserver has bound
	// an address. Nil means that it takes none.
	OnBind func(ctx context.Context, notice []byte) error
}

// Deps are what the service stands on.
type Deps struct {
	DB         *db.DB
	Config     config.Config
	Key        Key
	Validation *validation.Service
	Mail       *mail.Service
	Client     *http.Client // of package outbound
	Home       *Homeserver  // nil where the service runs alone
}

// Service is the identity service.
type Service struct {
	db         *db.DB
	cfg        config.Config
	policies   []config.Policy
	name       id.ServerName
	base       string // of URLs, without a slash at its end
	key        Key
	validation *validation.Service
	mail       *mail.Service
	remote     homeservers
	home       *Homeserver
}

// New makes the service.
func New(d Deps) *Service {
	return &Service{
		db: d.DB, cfg: d.Config, policies: d.Config.Identity.Policies(),
		name: id.ServerName(d.Config.ServerName), base: d.Config.BaseURL(), key: d.Key,
		validation: d.Validation, mail: d.Mail, home: d.Home,
		remote: homeservers{client: d.Client, discovery: outbound.FollowRedirects(d.Client)},
	}
}

// isHome reports whether a server is the homeserver in the same process.
func (s *Service) isHome(server id.ServerName) bool { return s.home != nil && server == s.name }

// names are what others call this service: the server's name, and the host that its
// clients reach it by.
func (s *Service) names() []id.ServerName {
	names := []id.ServerName{s.name}
	if u, err := url.Parse(s.base); err == nil && u.Host != string(s.name) {
		names = append(names, id.ServerName(u.Host))
	}
	return names
}

const (
	rotateEvery = time.Hour
	sweepEvery  = 24 * time.Hour
	// tokenLifetime is how long an access token is valid. Clients register again by
	// themselves.
	tokenLifetime = 365 * 24 * time.Hour
	// inviteLifetime is how long an invitation waits for its address to be bound,
	// and its key counts as valid.
	inviteLifetime = 365 * 24 * time.Hour
)

// Jobs are the workers of the package.
func (s *Service) Jobs() []jobs.Worker {
	if !s.cfg.Identity.Enabled {
		return nil
	}
	return []jobs.Worker{
		{Kind: "identity.rotate", Work: s.rotate, Every: rotateEvery},
		{Kind: "identity.sweep", Work: s.sweep, Every: sweepEvery},
		{Kind: onBindJob, Work: s.tellOfBinding},
	}
}

// sweep forgets tokens and invitations that have run out.
func (s *Service) sweep(ctx context.Context, _ jobs.Job) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		if err := removeExpiredTokens(tx); err != nil {
			return err
		}
		return removeExpiredInvites(tx)
	})
}
