package syncer

import (
	"runtime"

	"github.com/narthex-matrix/narthex/internal/accountdata"
	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/bus"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/e2ee"
	"github.com/narthex-matrix/narthex/internal/ephemeral"
	"github.com/narthex-matrix/narthex/internal/push"
	"github.com/narthex-matrix/narthex/internal/rooms"
	"github.com/narthex-matrix/narthex/internal/timeline"
)

// Deps are what the service stands on.
type Deps struct {
	DB          *db.DB
	Bus         *bus.Local
	Accounts    *accounts.Service
	AccountData *accountdata.Service
	Rooms       *rooms.Service
	Timeline    *timeline.Service
	Ephemeral   *ephemeral.Service
	Push        *push.Service
	E2EE        *e2ee.Service
}

// Service answers /sync.
type Service struct {
	db          *db.DB
	bus         *bus.Local
	accounts    *accounts.Service
	accountData *accountdata.Service
	rooms       *rooms.Service
	timeline    *timeline.Service
	ephemeral   *ephemeral.Service
	push        *push.Service
	e2ee        *e2ee.Service

	looks   chan *look    // those that wait for somebody to look for all of them
	leading chan struct{} // has room for those who may do so at the same time
}

// New makes the service.
func New(d Deps) *Service {
	return &Service{
		db: d.DB, bus: d.Bus, accounts: d.Accounts, accountData: d.AccountData, rooms: d.Rooms,
		timeline: d.Timeline, ephemeral: d.Ephemeral, push: d.Push, e2ee: d.E2EE,
		looks: make(chan *look, 1024), leading: make(chan struct{}, runtime.GOMAXPROCS(0)),
	}
}
