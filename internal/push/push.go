package push

import (
	"github.com/maypok86/otter/v2"

	"github.com/narthex-matrix/narthex/internal/accountdata"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/jobs"
	"github.com/narthex-matrix/narthex/internal/rooms"
)

// Deps are what the service stands on.
type Deps struct {
	DB          *db.DB
	AccountData *accountdata.Service
	Rooms       *rooms.Service
}

// Service answers the endpoints of push rules, and counts what is unread.
type Service struct {
	db          *db.DB
	accountData *accountdata.Service
	rooms       *rooms.Service

	// Three caches, all correct when empty. Compiled rules are held against the
	// position of their row, tallies against what [tally] lists; an event that was
	// not redacted never changes.
	rules   *otter.Cache[id.UserID, compiledRules]
	tallies *otter.Cache[tallyKey, *tally]
	views   *otter.Cache[id.EventID, *View]
}

type compiledRules struct {
	rules *Rules
	pos   int64
}

// The sizes of the caches, in entries: a tally has some hundred bytes, a view a
// little more than its event.
const (
	cachedRules   = 10_000
	cachedTallies = 50_000
	cachedViews   = 10_000
)

// New makes the service.
func New(d Deps) *Service {
	return &Service{
		db: d.DB, accountData: d.AccountData, rooms: d.Rooms,
		rules:   otter.Must(&otter.Options[id.UserID, compiledRules]{MaximumSize: cachedRules}),
		tallies: otter.Must(&otter.Options[tallyKey, *tally]{MaximumSize: cachedTallies}),
		views:   otter.Must(&otter.Options[id.EventID, *View]{MaximumSize: cachedViews}),
	}
}

// Jobs are the workers of the package.
func (s *Service) Jobs() []jobs.Worker { return nil }
