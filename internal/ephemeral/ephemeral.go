package ephemeral

import (
	"time"

	"github.com/narthex-matrix/narthex/internal/accountdata"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/jobs"
	"github.com/narthex-matrix/narthex/internal/rooms"
)

// Deps are what the service stands on.
type Deps struct {
	DB          *db.DB
	Config      config.Config
	AccountData *accountdata.Service
	Rooms       *rooms.Service
}

// Service answers the endpoints of typing, receipts, read markers and presence.
type Service struct {
	db          *db.DB
	presence    bool // the server keeps presence
	accountData *accountdata.Service
	rooms       *rooms.Service
}

// New makes the service.
func New(d Deps) *Service {
	return &Service{db: d.DB, presence: d.Config.Presence.Enabled, accountData: d.AccountData, rooms: d.Rooms}
}

const typingJob = "ephemeral.typing"

// Jobs are the workers of the package.
func (s *Service) Jobs() []jobs.Worker {
	list := []jobs.Worker{{Kind: typingJob, Work: s.endTyping}}
	if s.presence {
		list = append(list, jobs.Worker{Kind: "ephemeral.presence", Work: s.sweepPresence, Every: time.Minute})
	}
	return list
}

type emptyResponse struct{}
