package accounts

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/identityserver"
	"github.com/narthex-matrix/narthex/internal/jobs"
	"github.com/narthex-matrix/narthex/internal/validation"
)

// binding is one row of `threepid_bindings`: an identity server has published, because
// this server asked it to, that an address is a user's. It is marked as leaving in the
// transaction that wants it taken back, and is gone when the identity server has done
// so. Until then a job tries, whatever became of the request.
type binding struct {
	UserID  id.UserID         `json:"user_id"`
	Medium  validation.Medium `json:"medium"`
	Address string            `json:"address"` // in its canonical form
	Server  string            `json:"id_server"`
	Bound   int64             `json:"bound_ts"` // milliseconds; tells a binding from a later one of the same address
}

// unbindResult is what clients are told of the identity server.
type unbindResult string

const (
	unbound    unbindResult = "success"
	notUnbound unbindResult = "no-support"
)

// unbindJob takes a binding back.
const unbindJob = "accounts.unbind"

const (
	// unbindWithin is how long a client waits for identity servers.
	unbindWithin = 10 * time.Second
	// unbindAfter is when the job begins, after the request has tried.
	unbindAfter = time.Minute
	// maxUnbindTries spread over about five days, after which the identity server is
	// gone.
	maxUnbindTries = 30
)

// recordBinding remembers what an identity server has published. Of an account that
// was closed in the meantime it is taken back at once.
func (s *Service) recordBinding(tx *db.Tx, b binding) error {
	account, err := s.Hold(tx, b.UserID)
	if err != nil {
		return err
	}
	b.Bound = tx.Now.UnixMilli()
	if err := insertBinding(tx, b, account.Deactivated); err != nil || !account.Deactivated {
		return err
	}
	return enqueueUnbind(tx, b)
}

// leave marks the bindings of an address as leaving, and gives them: those that are
// known, or the one of an identity server that the client names and that is trusted,
// since a client may have bound the address there by itself.
func (s *Service) leave(tx *db.Tx, userID id.UserID, medium validation.Medium, address, idServer string) (leaving []binding, err error) {
	if idServer == "" {
		leaving, err = markLeaving(tx, userID, medium, address)
	} else if s.identityServers.Trusts(idServer) {
		b := binding{UserID: userID, Medium: medium, Address: address, Server: idServer, Bound: tx.Now.UnixMilli()}
		leaving, err = []binding{b}, insertBinding(tx, b, true)
	}
	if err != nil {
		return nil, err
	}
	return leaving, enqueueUnbinds(tx, leaving)
}

// leaveAll has all bindings of an account taken back.
func leaveAll(tx *db.Tx, userID id.UserID) error {
	if err := tx.Later(`UPDATE threepid_bindings SET leaving = TRUE WHERE user_id = $1`, userID); err != nil {
		return err
	}
	leaving, err := leavingBindings(tx, userID)
	if err != nil {
		return err
	}
	return enqueueUnbinds(tx, leaving)
}

func enqueueUnbinds(tx *db.Tx, leaving []binding) error {
	for _, b := range leaving {
		if err := enqueueUnbind(tx, b); err != nil {
			return err
		}
	}
	return nil
}

func enqueueUnbind(tx *db.Tx, b binding) error {
	name := fmt.Sprintf("%s %s %s %s %d", b.UserID, b.Medium, b.Address, b.Server, b.Bound)
	return jobs.Enqueue(tx, unbindJob, name, b, tx.Now.Add(unbindAfter))
}

// takeBack asks the identity servers now, and says whether nothing is left. What an
// identity server does not answer in time the job goes on with.
func (s *Service) takeBack(ctx context.Context, call *httpapi.Call, leaving []binding) unbindResult {
	ctx, cancel := context.WithTimeout(ctx, unbindWithin)
	defer cancel()
	result := unbound
	for _, b := range leaving {
		done, err := s.unbind(ctx, b, call.Log)
		if err != nil {
			call.Log.Warn("an identity server was not told to take an address back; it is tried again", "server", b.Server, "err", err)
		}
		if !done {
			result = notUnbound
		}
	}
	return result
}

// unbindLater is the worker. The user may have bound the address again.
func (s *Service) unbindLater(ctx context.Context, job jobs.Job) error {
	var b binding
	if err := json.Unmarshal(job.Payload, &b); err != nil {
		return err
	}
	var leaves bool
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) {
		leaves, err = isLeaving(tx, b)
		return err
	})
	if err != nil || !leaves {
		return err
	}
	_, err = s.unbind(ctx, b, job.Log)
	if err != nil && job.Attempts+1 >= maxUnbindTries {
		job.Log.Warn("an identity server was not reached to take an address back", "server", b.Server, "err", err)
		return s.db.Write(ctx, func(tx *db.Tx) error { return deleteBinding(tx, b) })
	}
	return err
}

// unbind has a binding taken back and forgets it. It is not done if the identity
// server never does this. An error means that it can be tried again.
func (s *Service) unbind(ctx context.Context, b binding, log *slog.Logger) (done bool, err error) {
	err = s.identityServers.Unbind(ctx, b.Server, b.Medium, b.Address, b.UserID)
	refused := errors.Is(err, identityserver.ErrNoUnbinding)
	if err != nil && !refused {
		return false, err
	}
	if refused {
		log.Warn("an identity server does not take an address back", "server", b.Server, "err", err)
	}
	return !refused, s.db.Write(ctx, func(tx *db.Tx) error { return deleteBinding(tx, b) })
}

func insertBinding(tx *db.Tx, b binding, leaving bool) error {
	return tx.Later(`INSERT INTO threepid_bindings (user_id, medium, address, id_server, bound_ts, leaving) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (user_id, medium, address, id_server) DO UPDATE SET bound_ts = $5, leaving = $6`,
		b.UserID, b.Medium, b.Address, b.Server, b.Bound, leaving)
}

// deleteBinding forgets a binding, unless the address was bound again since.
func deleteBinding(tx *db.Tx, b binding) error {
	return tx.Later(`DELETE FROM threepid_bindings WHERE user_id = $1 AND medium = $2 AND address = $3 AND id_server = $4
		AND bound_ts = $5 AND leaving`, b.UserID, b.Medium, b.Address, b.Server, b.Bound)
}

func isLeaving(tx *db.Tx, b binding) (bool, error) {
	n, err := db.Value[int64](tx, `SELECT COUNT(*) FROM threepid_bindings WHERE user_id = $1 AND medium = $2 AND address = $3
		AND id_server = $4 AND bound_ts = $5 AND leaving`, b.UserID, b.Medium, b.Address, b.Server, b.Bound)
	return n > 0, err
}

func scanBinding(r db.Row) (b binding, err error) {
	err = r.Scan(&b.UserID, &b.Medium, &b.Address, &b.Server, &b.Bound)
	return b, err
}

func markLeaving(tx *db.Tx, userID id.UserID, medium validation.Medium, address string) ([]binding, error) {
	return db.All(tx, scanBinding, `UPDATE threepid_bindings SET leaving = TRUE WHERE user_id = $1 AND medium = $2 AND address = $3
		RETURNING user_id, medium, address, id_server, bound_ts`, userID, medium, address)
}

func leavingBindings(tx *db.Tx, userID id.UserID) ([]binding, error) {
	return db.All(tx, scanBinding, `SELECT user_id, medium, address, id_server, bound_ts FROM threepid_bindings
		WHERE user_id = $1 AND leaving ORDER BY bound_ts, medium, address, id_server`, userID)
}
