package accounts

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/narthex-matrix/narthex/internal/db"
)

// AuditEntry is one row of `audit_log`.
type AuditEntry struct {
	ID      int64 // 1 for the first, without gaps
	Time    time.Time
	Actor   string // a user ID, or "command line", or "server"
	Action  string // "approve", "deny", "lock", …
	Target  string // mostly a user ID
	Details jsontext.Value

	// Hash is that of the line with the one before it in PrevHash, which is empty for
	// the first (see [AuditEntry.Sum]).
	PrevHash, Hash []byte
}

// ServerActor is the actor of what the server does by itself.
const ServerActor = "server"

// Audit adds a line to the audit log, in the transaction of the act that it
// tells of. Details is marshalled as JSON and holds no secrets.
func (s *Service) Audit(tx *db.Tx, actor, action, target string, details any) error {
	if err := tx.Lock("audit", ""); err != nil {
		return err
	}
	raw, err := json.Marshal(details, json.Deterministic(true))
	if err != nil {
		return fmt.Errorf("audit details: %w", err)
	}
	last, err := db.One(tx, scanAudit, `SELECT `+auditColumns+` FROM audit_log ORDER BY id DESC LIMIT 1`)
	if err != nil && !errors.Is(err, db.ErrNoRow) {
		return err
	}
	e := AuditEntry{ID: last.ID + 1, Time: tx.Now, Actor: actor, Action: action, Target: target, Details: raw, PrevHash: last.Hash}
	if e.PrevHash == nil {
		e.PrevHash = []byte{}
	}
	return tx.Later(`INSERT INTO audit_log (id, ts, actor, action, target, details, prev_hash, hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		e.ID, e.Time.UnixMilli(), e.Actor, e.Action, e.Target, raw, e.PrevHash, e.Sum())
}

const auditColumns = `id, ts, actor, action, target, details, prev_hash, hash`

func scanAudit(r db.Row) (e AuditEntry, err error) {
	var ts int64
	err = r.Scan(&e.ID, &ts, &e.Actor, &e.Action, &e.Target, (*[]byte)(&e.Details), &e.PrevHash, &e.Hash)
	e.Time = time.UnixMilli(ts)
	return e, err
}

// Sum is the hash of a line: of the hash before it and of every field, each with
// its length before it, so that no two lines have the same input.
func (e AuditEntry) Sum() []byte {
	h := sha256.New()
	for _, field := range [][]byte{
		e.PrevHash, fmt.Append(nil, e.ID), fmt.Append(nil, e.Time.UnixMilli()),
		[]byte(e.Actor), []byte(e.Action), []byte(e.Target), e.Details,
	} {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(field))))
		h.Write(field)
	}
	return h.Sum(nil)
}

// AuditLog gives at most limit lines after the one with the id, the oldest first.
func (s *Service) AuditLog(tx *db.Tx, after int64, limit int) ([]AuditEntry, error) {
	return db.All(tx, scanAudit, `SELECT `+auditColumns+` FROM audit_log WHERE id > $1 ORDER BY id LIMIT $2`, after, limit)
}

// CheckAuditLog follows the chain of hashes through the whole log. It fails at the
// first line that was changed, added or removed by other means than Audit. Lines
// cut off at the end cannot be noticed.
func (s *Service) CheckAuditLog(tx *db.Tx) error {
	last := AuditEntry{}
	return db.Each(tx, func(r db.Row) error {
		e, err := scanAudit(r)
		if err != nil {
			return err
		}
		if e.ID != last.ID+1 || !bytes.Equal(e.PrevHash, last.Hash) || !bytes.Equal(e.Hash, e.Sum()) {
			return fmt.Errorf("the audit log was changed at or before line %d", e.ID)
		}
		last = e
		return nil
	}, `SELECT `+auditColumns+` FROM audit_log ORDER BY id`)
}
