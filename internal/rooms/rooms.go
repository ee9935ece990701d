package rooms

import (
	"github.com/narthex-matrix/narthex/internal/accountdata"
	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/event"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/identityserver"
	"github.com/narthex-matrix/narthex/internal/jobs"
)

// Deps are what the service stands on.
type Deps struct {
	DB          *db.DB
	Config      config.Config
	Accounts    *accounts.Service
	AccountData *accountdata.Service
	// IdentityServers are asked about those who are invited by address.
	IdentityServers *identityserver.Service
	Signer          event.Signer
}

// Service answers the room endpoints.
type Service struct {
	db              *db.DB
	cfg             config.Config
	server          id.ServerName
	accounts        *accounts.Service
	accountData     *accountdata.Service
	identityServers *identityserver.Service
	signer          event.Signer
	events          *kept
	tail            *tail
}

// New makes the service.
func New(d Deps) *Service {
	return &Service{
		db: d.DB, cfg: d.Config, server: d.Signer.Server, accounts: d.Accounts, accountData: d.AccountData, identityServers: d.IdentityServers, signer: d.Signer,
		events: newKept(), tail: newTail(),
	}
}

// Jobs are the workers of the package.
func (s *Service) Jobs() []jobs.Worker {
	return []jobs.Worker{
		{Kind: "rooms.leave_all", Work: s.leaveAll},
		{Kind: exchangeJob, Work: s.exchangeInvite},
	}
}
