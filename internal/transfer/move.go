package transfer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/narthex-matrix/narthex/internal/db"
)

// Move is [Copy] by names: SQLite files or postgres:// URLs, of which nobody may use
// either meanwhile. The source stays as it is. A file for the target is made, for its
// owner alone to read, and is gone again if the copy fails.
func Move(ctx context.Context, from, to string, o Options) (tables []Table, err error) {
	if err := isThere(from); err != nil {
		return nil, err
	}
	source, err := o.open(ctx, from)
	if err != nil {
		return nil, inUse(err, from)
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	made, err := makeFile(to)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil && made {
			err = errors.Join(err, remove(to))
		}
	}()
	target, err := o.open(ctx, to)
	if err != nil {
		return nil, inUse(err, to)
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	tables, err = Copy(ctx, source, target, o.Tell)
	if errors.Is(err, ErrNotEmpty) {
		err = fmt.Errorf("%w; name one that no server has used", err)
	}
	return tables, err
}

func isURL(database string) bool { return strings.Contains(database, "://") }

func isThere(database string) error {
	if isURL(database) {
		return nil
	}
	if _, err := os.Stat(database); err != nil {
		return fmt.Errorf("there is no database %s", database)
	}
	return nil
}

// makeFile makes an empty file for a database, unless there is one.
func makeFile(database string) (made bool, err error) {
	if isURL(database) {
		return false, nil
	}
	f, err := os.OpenFile(database, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, f.Close()
}

// inUse explains db.ErrInUse.
func inUse(err error, database string) error {
	if !errors.Is(err, db.ErrInUse) {
		return err
	}
	if isURL(database) { // which can hold a password
		database = "the PostgreSQL database"
	}
	return fmt.Errorf("%s is in use; stop the server first, with every process of it: %w", database, err)
}
