package upstream

import (
	"context"

	"github.com/go-json-experiment/json"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/jobs"
	"github.com/narthex-matrix/narthex/internal/secret"
)

// forget does away with what providers call the owner of a deactivated account, and
// keeps no more than is needed to know them again.
func (s *Service) forget(ctx context.Context, job jobs.Job) error {
	var payload struct {
		UserID id.UserID `json:"user_id"`
	}
	if err := json.Unmarshal(job.Payload, &payload); err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		gone, err := db.All(tx, func(r db.Row) (person Person, err error) {
			err = r.Scan(&person.Provider, &person.Subject)
			return person, err
		}, `DELETE FROM upstream_links WHERE user_id = $1 RETURNING provider, subject`, payload.UserID)
		if err != nil {
			return err
		}
		for _, person := range gone { // one or two
			if err := tx.Later(`INSERT INTO upstream_closed (mark) VALUES ($1) ON CONFLICT (mark) DO NOTHING`, closedMark(person)); err != nil {
				return err
			}
		}
		return nil
	})
}

func closedMark(p Person) []byte { return secret.Hash("closed\x00" + p.Provider + "\x00" + p.Subject) }

// checkNotClosed fails with a *Failure for somebody whose account is closed.
func checkNotClosed(tx *db.Tx, person Person) error {
	closed, err := db.Value[bool](tx, `SELECT EXISTS (SELECT 1 FROM upstream_closed WHERE mark = $1)`, closedMark(person))
	if err == nil && closed {
		err = errClosed()
	}
	return err
}

func errClosed() error {
	return refused("Your account on this server is closed, or was refused. Ask the administrator of this server.")
}
