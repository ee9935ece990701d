package transfer

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/narthex-matrix/narthex/internal/db"
)

// ErrNotEmpty is wrapped by the error for a target that holds a server already.
var ErrNotEmpty = errors.New("the database is not empty")

// stream is the table that is never empty.
const stream = "stream"

// Progress says how far a copy is.
type Progress struct {
	Table string // the one that is being copied or checked; its own count is not known
	// Done and All are rows of all tables; each counts twice: when it is copied, and
	// when it is checked.
	Done, All int64
}

// Table is what was copied of a table.
type Table struct {
	Name string
	db.Sum
}

// Copy fills an empty database with what another holds, and gives the tables in the
// order in which they were filled. Both must be of this program's schema; to is brought
// there first. The source is read in one snapshot and may be in use; the target is not
// changed unless all is well. tell is called often, from this goroutine.
func Copy(ctx context.Context, from, to *db.DB, tell func(Progress)) (tables []Table, err error) {
	if err := current(ctx, from); err != nil {
		return nil, err
	}
	if _, err := to.Migrate(ctx); err != nil {
		return nil, err
	}
	err = from.Read(ctx, func(src *db.Tx) error {
		return to.Write(ctx, func(dst *db.Tx) error {
			tables, err = fill(src, dst, tell)
			if err == nil {
				err = ctx.Err() // a transaction of SQLite does not end with its context
			}
			return err
		})
	})
	return tables, err
}

// current refuses a database that is not at this program's schema.
func current(ctx context.Context, d *db.DB) error {
	done, err := d.Applied(ctx)
	if err != nil {
		return err
	}
	known, err := db.Migrations()
	if err != nil {
		return err
	}
	for i, m := range known {
		switch {
		case len(done) == 0:
			return errors.New("the database that is to be copied is empty")
		case i >= len(done):
			return errors.New(`the database that is to be copied was made by an older version; stop that server and run "narthex migrate up" on it`)
		case done[i].Number != int64(m.Number) || done[i].Name != m.Name:
			return fmt.Errorf("the database that is to be copied is of another history: its step %d is %s and not %s", done[i].Number, done[i].Name, m.Name)
		}
	}
	if len(done) > len(known) {
		return errors.New("the database that is to be copied was made by a newer version; use that version")
	}
	return nil
}

// fill copies every table, and checks what has come of it.
func fill(src, dst *db.Tx, tell func(Progress)) ([]Table, error) {
	tables, err := matching(src, dst)
	if err != nil {
		return nil, err
	}
	if err := refuseUsed(dst); err != nil {
		return nil, err
	}
	p := Progress{}
	counts := make([]int64, len(tables))
	for i, t := range tables {
		if counts[i], err = src.Count(t); err != nil {
			return nil, err
		}
		p.All += 2 * counts[i]
	}
	step := func(rows int) {
		p.Done += int64(rows)
		tell(p)
	}
	var copied []Table
	for i, t := range tables {
		p.Table = t.Name
		if t.Name == stream { // the step that makes it gives it its row
			if err := dst.Clear(t); err != nil {
				return nil, err
			}
		}
		sum, err := src.CopyTo(dst, t, step)
		if err != nil {
			return nil, err
		}
		if sum.Rows != counts[i] {
			return nil, fmt.Errorf("the table %s has %d rows, and %d were read: its index is broken", t.Name, counts[i], sum.Rows)
		}
		copied = append(copied, Table{t.Name, sum})
	}
	for i, t := range tables {
		p.Table = t.Name
		if err := verify(dst, t, copied[i].Sum, step); err != nil {
			return nil, err
		}
		if err := dst.Analyze(t); err != nil {
			return nil, err
		}
	}
	return copied, nil
}

// verify compares a table with what it should hold.
func verify(tx *db.Tx, t db.Table, want db.Sum, step func(rows int)) error {
	got, err := tx.Sum(t, step)
	if err != nil {
		return err
	}
	if got != want {
		return fmt.Errorf("the table %s should have %d rows with the hash %x, and has %d with %x", t.Name, want.Rows, want.Hash[:8], got.Rows, got.Hash[:8])
	}
	return nil
}

// matching gives the target's tables, which must be those of the source.
func matching(src, dst *db.Tx) ([]db.Table, error) {
	theirs, err := src.Tables()
	if err != nil {
		return nil, err
	}
	tables, err := dst.Tables()
	if err != nil {
		return nil, err
	}
	for _, t := range theirs {
		i := slices.IndexFunc(tables, func(own db.Table) bool { return own.Name == t.Name })
		if i < 0 {
			return nil, fmt.Errorf("the table %s is not one of this program's; move it out of the database that is to be copied", t.Name)
		}
		if !tables[i].Same(t) {
			return nil, fmt.Errorf("the table %s has other columns than this program gives it", t.Name)
		}
	}
	for _, own := range tables {
		if !slices.ContainsFunc(theirs, func(t db.Table) bool { return t.Name == own.Name }) {
			return nil, fmt.Errorf("the database that is to be copied has no table %s", own.Name)
		}
	}
	return tables, nil
}

// refuseUsed refuses a database in which there is more than its steps have put there.
func refuseUsed(tx *db.Tx) error {
	tables, err := tx.Tables()
	if err != nil {
		return err
	}
	for _, t := range tables {
		n, err := tx.Count(t)
		if err != nil {
			return err
		}
		if n > 0 && t.Name != stream {
			return fmt.Errorf("%w: its table %s has %d rows", ErrNotEmpty, t.Name, n)
		}
	}
	return nil
}
