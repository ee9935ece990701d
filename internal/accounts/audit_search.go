package accounts

import (
	"math"

	"github.com/narthex-matrix/narthex/internal/db"
)

// AuditFilter says which lines of the audit log to give. The zero value means all.
type AuditFilter struct {
	// Actor and Target are parts of those, in any case.
	Actor, Target string
	// Actions are the ones to give; none means all.
	Actions []string
	// Before is the id that all lines are below; 0 means from the end.
	Before int64
}

// SearchAuditLog gives at most limit lines that the filter lets through, the newest
// first.
func (s *Service) SearchAuditLog(tx *db.Tx, f AuditFilter, limit int) ([]AuditEntry, error) {
	if f.Before == 0 {
		f.Before = math.MaxInt64
	}
	in, all := db.In(f.Actions), len(f.Actions) == 0
	if all {
		in = db.In([]string{""})
	}
	return db.All(tx, scanAudit, `SELECT `+auditColumns+` FROM audit_log
		WHERE id < $1 AND lower(actor) LIKE $2 ESCAPE '!' AND lower(target) LIKE $3 ESCAPE '!' AND ($4 OR action IN (`+in.Marks(6)+`))
		ORDER BY id DESC LIMIT $5`, in.Args(f.Before, like(f.Actor), like(f.Target), all, limit)...)
}

// AuditLength is the id of the last line, and so the number of lines.
func (s *Service) AuditLength(tx *db.Tx) (int64, error) {
	return db.Value[int64](tx, `SELECT COALESCE(MAX(id), 0) FROM audit_log`)
}
