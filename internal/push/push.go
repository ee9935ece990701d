package push

import (
	"github.com/narthex-matrix/narthex/internal/accountdata"
	"github.com/narthex-matrix/narthex/internal/cache"
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
	rules   *cache.Cache[id.UserID, compiledRules]
	tallies *cache.Cache[tallyKey, *tally]
	views   *cache.Cache[id.EventID, *View]
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
		rules:   cache.New[id.UserID, compiledRules](cachedRules),
		tallies: cache.New[tallyKey, *tally](cachedTallies),
		views:   cache.New[id.EventID, *View](cachedViews),
	}
}

// Jobs are the workers of the package.
func (s *Service) Jobs() []jobs.Worker { return nil }
