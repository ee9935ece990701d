package e2ee

import (
	"context"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/jobs"
	"github.com/narthex-matrix/narthex/internal/rooms"
)

// Deps are what the service stands on.
type Deps struct {
	DB       *db.DB
	Config   config.Config
	Accounts *accounts.Service
	Rooms    *rooms.Service
}

// Service answers the endpoints of end-to-end encryption.
type Service struct {
	db       *db.DB
	server   id.ServerName
	accounts *accounts.Service
	rooms    *rooms.Service
}

// New makes the service.
func New(d Deps) *Service {
	return &Service{db: d.DB, server: id.ServerName(d.Config.ServerName), accounts: d.Accounts, rooms: d.Rooms}
}

const (
	sweepEvery = time.Hour
	// remember is how long a client may repeat a request whose answer was lost: how
	// long transaction ids, and one-time keys that were claimed, are known.
	remember = 24 * time.Hour
)

// Jobs are the workers of the package.
func (s *Service) Jobs() []jobs.Worker {
	return []jobs.Worker{
		{Kind: "e2ee.sweep", Work: s.sweep, Every: sweepEvery},
		{Kind: "e2ee.forget", Work: s.forget}, // of a deactivated account
	}
}

// sweep forgets what no client repeats any more.
func (s *Service) sweep(ctx context.Context, _ jobs.Job) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		before := tx.Now.Add(-remember).UnixMilli()
		if err := tx.Later(`DELETE FROM to_device_sent WHERE sent_ts < $1`, before); err != nil {
			return err
		}
		return tx.Later(`DELETE FROM one_time_keys WHERE claimed_ts < $1`, before)
	})
}

// forget does away with what a deactivated account leaves, beyond the keys of its
// devices, which went with these.
func (s *Service) forget(ctx context.Context, job jobs.Job) error {
	var payload struct {
		UserID id.UserID `json:"user_id"`
	}
	if err := json.Unmarshal(job.Payload, &payload); err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		if err := lockKeys(tx, payload.UserID); err != nil {
			return err
		}
		if err := dropSignaturesBy(tx, payload.UserID, master); err != nil {
			return err
		}
		if err := tx.Later(`DELETE FROM user_signatures WHERE user_id = $1`, payload.UserID); err != nil {
			return err
		}
		return tx.Later(`DELETE FROM key_backups WHERE user_id = $1`, payload.UserID)
	})
}

// unreachable gives the other servers among users, as /keys/query and /keys/claim
// report those that do not answer.
func unreachable[T any](s *Service, users map[id.UserID]T) map[id.ServerName]struct{} {
	failures := map[id.ServerName]struct{}{}
	for u := range users {
		if server := u.ServerName(); server != s.server {
			failures[server] = struct{}{}
		}
	}
	return failures
}
