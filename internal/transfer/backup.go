package transfer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/narthex-matrix/narthex/internal/db"
)

// Options are what all that makes databases needs.
type Options struct {
	Now func() time.Time
	Log *slog.Logger
	// Tell is called often with how far the work is.
	Tell func(Progress)
}

func (o Options) open(ctx context.Context, database string) (*db.DB, error) {
	return db.Open(ctx, db.Options{Database: database, Now: o.Now, Log: o.Log, Alone: true})
}

// Backup writes what a database holds at this moment into a new file, for its owner
// alone to read. Whoever uses the database goes on. The file gets its name when all is
// checked and on disk; until then it is called file.partial, and the next backup of
// that name removes what an interrupted one left.
func Backup(ctx context.Context, from *db.DB, file string, o Options) (tables []Table, err error) {
	if err := refuseExisting(file); err != nil {
		return nil, err
	}
	partial := file + ".partial"
	if err := o.prepare(ctx, partial); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, remove(partial))
		}
	}()
	if tables, err = o.write(ctx, from, partial); err != nil {
		return nil, err
	}
	return tables, publish(partial, file)
}

func refuseExisting(file string) error {
	if _, err := os.Lstat(file); !errors.Is(err, fs.ErrNotExist) {
		if err == nil {
			err = fmt.Errorf("%s exists already, and a backup replaces nothing; choose another name", file)
		}
		return err
	}
	return nil
}

// prepare makes an empty file that only its owner can read, in the place of what an
// interrupted backup has left.
func (o Options) prepare(ctx context.Context, file string) error {
	if _, err := os.Lstat(file); err == nil {
		left, err := o.open(ctx, file)
		if errors.Is(err, db.ErrInUse) {
			return fmt.Errorf("another process is writing %s; wait for its end", file)
		}
		if err == nil { // whatever it is, it goes
			_ = left.Close()
		}
	}
	if err := remove(file); err != nil {
		return err
	}
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

// remove removes an SQLite file with what belongs to it.
func remove(file string) (err error) {
	for _, end := range []string{"", "-wal", "-shm"} {
		if e := os.Remove(file + end); e != nil && !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	return err
}

// write fills an empty file and closes it.
func (o Options) write(ctx context.Context, from *db.DB, file string) (tables []Table, err error) {
	to, err := o.open(ctx, file)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	if tables, err = Copy(ctx, from, to, o.Tell); err != nil {
		return nil, err
	}
	err = to.Write(ctx, func(tx *db.Tx) error {
		for _, t := range tables {
			if err := tx.SetSum(t.Name, t.Sum); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return tables, to.Check(ctx)
}

// publish brings a closed file to disk and gives it its name, if nothing has it yet.
func publish(partial, file string) error {
	if err := sync(partial); err != nil {
		return err
	}
	err := os.Link(partial, file) // which replaces nothing, unlike Rename
	switch {
	case errors.Is(err, fs.ErrExist):
		return refuseExisting(file)
	case err == nil:
		err = os.Remove(partial)
	default: // a file system without links
		err = os.Rename(partial, file)
	}
	return errors.Join(err, sync(filepath.Dir(file)))
}

// sync brings a file, or the names in a folder, to disk.
func sync(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
