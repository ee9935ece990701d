package accountdata

import (
	"context"

	"github.com/go-json-experiment/json"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/jobs"
)

// Deps are what the service stands on.
type Deps struct {
	DB *db.DB
}

// Service answers the endpoints of account data, tags and filters.
type Service struct {
	db *db.DB
}

// New makes the service.
func New(d Deps) *Service { return &Service{db: d.DB} }

// Jobs are the workers of the package.
func (s *Service) Jobs() []jobs.Worker {
	return []jobs.Worker{
		{Kind: "accountdata.erase", Work: s.erase},
	}
}

// erase is the job that does away with what an erased account has stored here
// (client-server API, Account deactivation).
func (s *Service) erase(ctx context.Context, job jobs.Job) error {
	var payload struct {
		UserID id.UserID `json:"user_id"`
	}
	if err := json.Unmarshal(job.Payload, &payload); err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx *db.Tx) error { return deleteAll(tx, payload.UserID) })
}

// own refuses a path that names somebody else than the requester.
func own(call *httpapi.Call, userID id.UserID) error {
	if call.UserID != userID {
		return errcode.Forbidden.New("Account data, tags and filters belong to the user who made them. Use your own user ID in the path.")
	}
	return nil
}
