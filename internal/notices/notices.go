package notices

import (
	"log/slog"

	"github.com/narthex-matrix/narthex/internal/accountdata"
	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/jobs"
	"github.com/narthex-matrix/narthex/internal/mail"
	"github.com/narthex-matrix/narthex/internal/rooms"
)

// Deps are what the service stands on.
type Deps struct {
	DB          *db.DB
	Config      config.Config
	Log         *slog.Logger
	Accounts    *accounts.Service
	AccountData *accountdata.Service
	Rooms       *rooms.Service
	Mail        *mail.Service
}

// Service tells users what the server has to say.
type Service struct {
	db          *db.DB
	cfg         config.Config
	log         *slog.Logger
	accounts    *accounts.Service
	accountData *accountdata.Service
	rooms       *rooms.Service
	mail        *mail.Service
	speaker     id.UserID // in whose name the server speaks
}

// New makes the service. The configuration has been checked.
func New(d Deps) *Service {
	return &Service{
		db: d.DB, cfg: d.Config, log: d.Log, accounts: d.Accounts, accountData: d.AccountData, rooms: d.Rooms, mail: d.Mail,
		speaker: id.UserID("@" + d.Config.Notices.Localpart + ":" + d.Config.ServerName),
	}
}

// Jobs are the workers of the package.
func (s *Service) Jobs() []jobs.Worker {
	return []jobs.Worker{{Kind: accounts.WaitingJob, Work: s.tellOfWaiting}}
}
