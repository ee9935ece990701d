package rendezvous

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/jobs"
)

// Deps are what the service stands on.
type Deps struct {
	DB     *db.DB
	Config config.Config
}

// Service answers the endpoints of rendezvous sessions.
type Service struct {
	db   *db.DB
	cfg  config.Rendezvous
	base string // where clients reach the server
	// denied may begin no session.
	denied []netip.Prefix
	// crowded is whether one network may hold only so many sessions. Like the other
	// limits of rates it is off where those are.
	crowded bool
}

// New makes the service.
func New(d Deps) *Service {
	return &Service{db: d.DB, cfg: d.Config.Rendezvous, base: d.Config.BaseURL(), denied: config.Networks(d.Config.Rendezvous.DeniedNetworks),
		crowded: d.Config.RateLimits.Enabled && !d.Config.Dev}
}

// barred fails with Forbidden for a caller whose network may begin no session.
func (s *Service) barred(call *httpapi.Call) error {
	if slices.ContainsFunc(s.denied, func(p netip.Prefix) bool { return p.Contains(call.Addr) }) {
		return errcode.Forbidden.New("From this network no sign-in by QR code can be begun. Use another network, or ask the administrator of this server.")
	}
	return nil
}

const sweepEvery = 5 * time.Minute

// Jobs are the workers of the package.
func (s *Service) Jobs() []jobs.Worker {
	return []jobs.Worker{{Kind: "rendezvous.sweep", Work: s.sweep, Every: sweepEvery}}
}

// sweep forgets the sessions that have expired.
func (s *Service) sweep(ctx context.Context, _ jobs.Job) error {
	return s.db.Write(ctx, func(tx *db.Tx) error { return removeExpired(tx) })
}
