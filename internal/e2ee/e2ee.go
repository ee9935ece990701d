package e2ee

import (
	"context"
	"time"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/jobs"
)

// Deps are what the service stands on.
type Deps struct {
	DB       *db.DB
	Config   config.Config
	Accounts *accounts.Service
}

// Service answers the endpoints of end-to-end encryption.
type Service struct {
	db       *db.DB
	server   id.ServerName
	accounts *accounts.Service
}

// New makes the service.
func New(d Deps) *Service {
	return &Service{db: d.DB, server: id.ServerName(d.Config.ServerName), accounts: d.Accounts}
}

const (
	sweepEvery = time.Hour
	// rememberSent is how long a transaction id is known.
	rememberSent = 24 * time.Hour
)

// Jobs are the workers of the package.
func (s *Service) Jobs() []jobs.Worker {
	return []jobs.Worker{{Kind: "e2ee.sweep", Work: s.sweep, Every: sweepEvery}}
}

func (s *Service) sweep(ctx context.Context, _ jobs.Job) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(`DELETE FROM to_device_sent WHERE sent_ts < $1`, tx.Now.Add(-rememberSent).UnixMilli())
		return err
	})
}

// unreachable gives the other servers among users, as /keys/query and /keys/claim
// report those that do not answer.
func unreachable[T any](s *Service, users map[id.UserID]T) map[id.ServerName]struct{} {
	failures := map[id.ServerName]struct{}{}
	for u := range users {
		if server := u.ServerName(); server != s.server {
			failures[server] = struct{}{}
		}
	}
	return failures
}
