package rendezvous

import (
	"context"
	"time"

	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
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
	// crowded is whether one network may hold only so many sessions. Like the other
	// limits of rates it is off where those are.
	crowded bool
}

// New makes the service.
func New(d Deps) *Service {
	return &Service{db: d.DB, cfg: d.Config.Rendezvous, base: d.Config.BaseURL(),
		crowded: d.Config.RateLimits.Enabled && !d.Config.Dev}
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
