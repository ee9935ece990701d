package transfer

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// intoFile puts a finished file in the place of a database.
func intoFile(ctx context.Context, work, database, aside string) error {
	for _, step := range replacing(work, database, aside) {
		if err := errors.Join(ctx.Err(), step()); err != nil {
			return err
		}
	}
	return nil
}

// replacing gives the steps by which a finished file takes the place of a database that
// is closed. After each of them there is a whole database in that place, the old one or
// the new. Without a name for aside, there is none that has to be kept.
func replacing(work, database, aside string) (steps []func() error) {
	add := func(step func() error) { steps = append(steps, step) }
	add(func() error { return sync(work) })
	if aside != "" {
		for _, end := range logs {
			add(func() error { return keep(database+end, aside+end) })
		}
		add(func() error { return keep(database, aside) })
		add(func() error { return sync(filepath.Dir(database)) })
	}
	// SQLite would take a log that is left for one of the new file. There is one only of
	// a database that could not be read, for whoever closes one empties it.
	for _, end := range logs {
		add(func() error { return removeFile(database + end) })
	}
	add(func() error { return os.Rename(work, database) })
	add(func() error { return sync(filepath.Dir(database)) })
	return steps
}

// logs are the ends of the names of the files that belong to an SQLite file.
var logs = []string{"-wal", "-shm"}

// keep gives a file a second name, or copies it where a file can have only one. There
// is nothing to keep of a file that does not exist.
func keep(file, aside string) error {
	err := os.Link(file, aside)
	switch {
	case err == nil, errors.Is(err, fs.ErrNotExist):
		return nil
	case errors.Is(err, fs.ErrExist):
		return err
	}
	if err := copyInto(file, aside, os.O_CREATE|os.O_EXCL); err != nil {
		return err
	}
	return sync(aside)
}

func removeFile(file string) error {
	if err := os.Remove(file); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
