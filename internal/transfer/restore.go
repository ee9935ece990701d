package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/e2ee"
)

// Restoring says what is restored, and where to.
type Restoring struct {
	File     string // the backup
	Database string // an SQLite file, or a postgres:// URL, as a server has it
	// Folder is where a working copy of the backup is made; for an SQLite file it is
	// made beside it. It must be closed to others.
	Folder string
	// Replace lets the restored server take the place of one that is there.
	Replace bool
}

// Restored says what a restore has done.
type Restored struct {
	Tables []Table // of the backup
	Aside  string  // the file or schema in which the replaced server is; empty: there was none
	Keys   int64   // one-time and fallback keys that were deleted
	Users  int64   // users whose devices everybody is told to look up again
}

// Restore makes a server of a backup. Nobody may use the database meanwhile. What the
// backup says is checked against the counts and hashes in it, and brought to this
// program's schema. Then three things are corrected, so that nobody takes the restored
// server for the one that went on after the backup:
//
//   - positions of the stream go on beyond any that was given out, and those in
//     between are noted as lost ([db.Tx.Restored]);
//   - one-time and fallback keys are deleted, since they may have been given out;
//   - everybody's devices are to be looked up again.
//
// All of that happens in a copy. The database changes in one step at the end, when what
// there was is kept aside: whenever a restore is interrupted, the server that was there
// or the restored one is in its place, and the restore can be begun again.
func Restore(ctx context.Context, r Restoring, o Options) (done Restored, err error) {
	postgres := isURL(r.Database)
	var target *db.DB
	there, beyond := false, int64(0)
	if postgres {
		if target, err = o.open(ctx, r.Database); err != nil {
			return done, inUse(err, r.Database)
		}
		defer func() { err = errors.Join(err, target.Close()) }()
		there, beyond, err = used(ctx, target)
	} else {
		there, beyond, err = o.usedFile(ctx, r.Database, r.Replace)
	}
	if err != nil {
		return done, err
	}
	if there && !r.Replace {
		return done, fmt.Errorf("%w: there is a server in it already; --replace puts the backup in its place and keeps it aside", ErrNotEmpty)
	}
	work := r.Database + ".restoring"
	if postgres {
		work = filepath.Join(r.Folder, "restoring.db")
	}
	if err := o.prepare(ctx, work); err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, remove(work)) }()
	if done, err = o.correct(ctx, r.File, work, beyond); err != nil {
		return done, fmt.Errorf("%s cannot be restored: %w", r.File, err)
	}
	aside := "before_restore_" + o.Now().UTC().Format("20060102_150405")
	if postgres {
		if there {
			done.Aside = aside
		}
		return done, o.intoPostgres(ctx, work, target, done.Aside)
	}
	if there {
		done.Aside = r.Database + "." + aside
	}
	return done, intoFile(ctx, work, r.Database, done.Aside)
}

// used reports whether there is a server in a database, and the last position that it
// gave out.
func used(ctx context.Context, d *db.DB) (there bool, last int64, err error) {
	err = d.Read(ctx, func(tx *db.Tx) error {
		there, last = false, 0
		err := refuseUsed(tx)
		if !errors.Is(err, ErrNotEmpty) {
			return err
		}
		there = true
		if last, err = tx.Position(); errors.Is(err, db.ErrNoRow) {
			err = nil
		}
		return err
	})
	return there, last, err
}

// usedFile is used for an SQLite file. With replace, one that cannot be read counts as
// a server, too: it may be what makes the restore necessary.
func (o Options) usedFile(ctx context.Context, file string, replace bool) (there bool, last int64, err error) {
	info, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return false, 0, nil
	}
	if err != nil || !info.Mode().IsRegular() {
		return false, 0, errors.Join(err, fmt.Errorf("%s is no file", file))
	}
	d, err := o.open(ctx, file)
	if err == nil {
		there, last, err = used(ctx, d)
		err = errors.Join(err, d.Close())
		if log, e := os.Stat(file + "-wal"); err == nil && e == nil && log.Size() > 0 {
			return false, 0, fmt.Errorf("%s-wal cannot be brought into its database, as it has to be before that is replaced; is the disk full?", file)
		}
	}
	if err != nil && replace && !errors.Is(err, db.ErrInUse) {
		o.Log.Warn("the database that is replaced cannot be read", "err", err)
		return true, 0, nil
	}
	return there, last, inUse(err, file)
}

// correct makes the database of a server of a backup, in a copy, and closes it.
func (o Options) correct(ctx context.Context, file, work string, beyond int64) (done Restored, err error) {
	if err := copyFile(file, work); err != nil {
		return done, err
	}
	d, err := o.open(ctx, work)
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	if err := d.Check(ctx); err != nil {
		return done, err
	}
	if done.Tables, err = o.checkSums(ctx, d); err != nil {
		return done, err
	}
	if _, err := d.Migrate(ctx); err != nil {
		return done, err
	}
	err = d.Write(ctx, func(tx *db.Tx) (err error) {
		if err := tx.ForgetSums(); err != nil {
			return err
		}
		if err := tx.Restored(beyond); err != nil {
			return err
		}
		done.Keys, done.Users, err = e2ee.Restored(tx)
		return err
	})
	return done, err
}

// checkSums compares a backup with what was noted in it. A database that was not made
// by Backup has no notes, and one that was served since has old ones; these are taken as
// they are.
func (o Options) checkSums(ctx context.Context, d *db.DB) (found []Table, err error) {
	err = d.Read(ctx, func(tx *db.Tx) error {
		tables, err := tx.Tables()
		if err != nil {
			return err
		}
		found = nil
		p := Progress{}
		for _, t := range tables {
			n, err := tx.Count(t)
			if err != nil {
				return err
			}
			p.All += n
		}
		for _, t := range tables {
			p.Table = t.Name
			sum, err := tx.Sum(t, func(rows int) { p.Done += int64(rows); o.Tell(p) })
			if err != nil {
				return err
			}
			found = append(found, Table{t.Name, sum})
		}
		if !slices.ContainsFunc(found, func(t Table) bool { return t.Name == stream }) {
			return errors.New("there is no server in it")
		}
		return compare(tx, found)
	})
	return found, err
}

func compare(tx *db.Tx, found []Table) error {
	noted, err := tx.Sums()
	if err != nil {
		return err
	}
	for _, t := range found {
		if t.Name == stream && t.Sum != noted[stream] {
			return nil // none, or old ones
		}
	}
	for _, t := range found {
		if want := noted[t.Name]; t.Sum != want {
			return fmt.Errorf("the file is damaged: the table %s should have %d rows with the hash %x, and has %d with %x", t.Name, want.Rows, want.Hash[:8], t.Rows, t.Hash[:8])
		}
	}
	return nil
}

// copyFile copies into a file that is there and empty.
func copyFile(from, to string) error { return copyInto(from, to, 0) }

// copyInto copies a file. The flags say more of how the other one is opened.
func copyInto(from, to string, flags int) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|flags, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// intoPostgres copies a finished file into a database, in a schema of its own if there
// is something to keep aside.
func (o Options) intoPostgres(ctx context.Context, work string, target *db.DB, aside string) (err error) {
	from, err := o.open(ctx, work)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	if aside == "" {
		_, err = Copy(ctx, from, target, o.Tell)
		return err
	}
	return from.Read(ctx, func(src *db.Tx) error {
		return target.Write(ctx, func(dst *db.Tx) error {
			return dst.Replace(aside, func() error {
				_, err := fill(src, dst, o.Tell)
				return errors.Join(err, ctx.Err())
			})
		})
	})
}
