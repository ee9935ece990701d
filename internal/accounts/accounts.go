package accounts

import (
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/jobs"
	"github.com/narthex-matrix/narthex/internal/secret"
)

// Deps are what the service stands on.
type Deps struct {
	DB        *db.DB
	Config    config.Config
	Passwords *secret.Passwords
}

// Service answers the account endpoints.
type Service struct {
	db        *db.DB
	cfg       config.Config
	server    id.ServerName
	passwords *secret.Passwords
}

// New makes the service.
func New(d Deps) *Service {
	return &Service{db: d.DB, cfg: d.Config, server: id.ServerName(d.Config.ServerName), passwords: d.Passwords}
}

// Routes are the endpoints of the package.
func (s *Service) Routes() []httpapi.Route { return nil }

// Jobs are the workers of the package.
func (s *Service) Jobs() []jobs.Worker { return nil }
