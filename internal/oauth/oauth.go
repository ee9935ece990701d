package oauth

import (
	"context"

	"github.com/narthex-matrix/narthex/internal/accounts"
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
	Accounts  *accounts.Service
	Passwords *secret.Passwords
}

// Service answers the sign-in endpoints.
type Service struct {
	db        *db.DB
	cfg       config.Config
	server    id.ServerName
	accounts  *accounts.Service
	passwords *secret.Passwords
}

// New makes the service.
func New(d Deps) *Service {
	return &Service{db: d.DB, cfg: d.Config, server: id.ServerName(d.Config.ServerName), accounts: d.Accounts, passwords: d.Passwords}
}

// Jobs are the workers of the package.
func (s *Service) Jobs() []jobs.Worker { return nil }

type whoamiRequest struct{}

type whoamiResponse struct {
	UserID   id.UserID   `json:"user_id"`
	DeviceID id.DeviceID `json:"device_id,omitzero"`
	IsGuest  bool        `json:"is_guest"`
}

func (s *Service) getTokenOwner(_ context.Context, call *httpapi.Call, _ whoamiRequest) (whoamiResponse, error) {
	return whoamiResponse{UserID: call.UserID, DeviceID: call.DeviceID, IsGuest: call.Guest}, nil
}
