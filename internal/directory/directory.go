package directory

import (
	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/rooms"
)

// Deps are what the service stands on.
type Deps struct {
	DB       *db.DB
	Config   config.Config
	Accounts *accounts.Service
	Rooms    *rooms.Service
}

// Service answers the endpoints of the directories.
type Service struct {
	db       *db.DB
	cfg      config.Config
	server   id.ServerName
	accounts *accounts.Service
	rooms    *rooms.Service
}

// New makes the service.
func New(d Deps) *Service {
	return &Service{db: d.DB, cfg: d.Config, server: id.ServerName(d.Config.ServerName), accounts: d.Accounts, rooms: d.Rooms}
}
