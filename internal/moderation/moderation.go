package moderation

import (
	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/rooms"
)

// Deps are what the service stands on.
type Deps struct {
	DB       *db.DB
	Accounts *accounts.Service
	Rooms    *rooms.Service
}

// Service answers the endpoints for reports.
type Service struct {
	db       *db.DB
	accounts *accounts.Service
	rooms    *rooms.Service
}

// New makes the service.
func New(d Deps) *Service {
	return &Service{db: d.DB, accounts: d.Accounts, rooms: d.Rooms}
}
