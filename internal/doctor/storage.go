package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/signing"
)

const (
	othersMay = 0o077
	mebibyte  = 1 << 20
	tight     = 1024 // MiB free
	full      = 100  // MiB free
)

// files looks at permissions and space.
func (p Patient) files(r *report) {
	c := p.Config
	if info, err := os.Stat(p.ConfigFile); err == nil && p.ConfigFile != "" && info.Mode().Perm()&0o007 != 0 &&
		(c.Registration.SharedSecret != "" || strings.Contains(c.Database, "@")) {
		r.warn(fmt.Sprintf("Everybody on this machine may read %s, which holds a secret.", p.ConfigFile), "chmod 640 "+p.ConfigFile+", owned by the server's user")
	}
	info, err := os.Stat(c.Data)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		r.good("The folder %s is not there yet; the first start makes it.", c.Data)
		return
	case err != nil:
		r.fault(fmt.Sprintf("The folder %s cannot be looked at: %v.", c.Data, err), "Give it to the user that runs the server.")
		return
	case !info.IsDir():
		r.fault(c.Data+" is not a folder.", "Name a folder in data.")
		return
	}
	if info.Mode().Perm()&othersMay != 0 {
		r.warn(fmt.Sprintf("Other users of this machine may look into %s.", c.Data), "chmod 700 "+c.Data)
	}
	probe, err := os.CreateTemp(c.Data, ".doctor-")
	if err != nil {
		r.fault(fmt.Sprintf("The folder %s cannot be written to.", c.Data), "Give it to the user that runs the server, and run doctor as that user.")
		return
	}
	_ = probe.Close() // it was never written to
	_ = os.Remove(probe.Name())
	space, known := freeSpace(c.Data)
	switch {
	case known && space/mebibyte < full:
		r.fault(fmt.Sprintf("Only %d MiB are free in %s: writes are about to fail.", space/mebibyte, c.Data), "Make room.")
	case known && space/mebibyte < tight:
		r.warn(fmt.Sprintf("Only %d MiB are free in %s.", space/mebibyte, c.Data), "Make room.")
	case known:
		r.good("%d GiB are free in %s.", space/mebibyte/1024, c.Data)
	}
}

// database opens the database and looks at its schema and what is in it. It does
// not make a file that is not there.
func (p Patient) database(ctx context.Context, r *report) {
	source := p.Config.DatabaseSource()
	if !strings.Contains(source, "://") {
		info, err := os.Stat(source)
		if errors.Is(err, fs.ErrNotExist) {
			r.good("There is no database %s yet; the first start makes it.", source)
			return
		}
		if err == nil && info.Mode().Perm()&othersMay != 0 {
			if dir, err := os.Stat(filepath.Dir(source)); err != nil || dir.Mode().Perm()&othersMay != 0 {
				r.warn(fmt.Sprintf("Other users of this machine may read %s, with all messages.", source), "chmod 600 "+source)
			}
		}
	}
	d, err := db.Open(ctx, db.Options{Database: source, Now: p.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		r.fault(fmt.Sprintf("The database cannot be opened: %v.", err),
			"Check the key database, and that the database runs and admits this user; see docs/operating/postgres-and-replicas.md.")
		return
	}
	defer d.Close()
	version, err := d.Version(ctx)
	if err != nil {
		r.fault(fmt.Sprintf("The database does not answer: %v.", err), "Look into its own log.")
		return
	}
	r.good("The database answers: %s %s.", d.Dialect(), version)
	if p.schema(ctx, d, r) {
		p.content(ctx, d, r)
	}
}

// schema reports whether the database is at this program's schema.
func (p Patient) schema(ctx context.Context, d *db.DB, r *report) bool {
	done, err := d.Applied(ctx)
	if err != nil {
		r.fault(fmt.Sprintf("The steps of the schema cannot be read: %v.", err), "Give the server's user the right to create and change tables.")
		return false
	}
	known, err := db.Migrations()
	if err != nil {
		r.fault(err.Error(), "Install the program again.")
		return false
	}
	if len(done) == 0 {
		r.good("The database is empty; the first start makes its tables.")
		return false
	}
	last := done[len(done)-1]
	if p.Now().Before(last.At.Add(-time.Minute)) {
		r.fault(fmt.Sprintf("The clock says %s, and the database was changed later than that.", p.Now().UTC().Format(time.DateTime)),
			"Set the clock, and keep it right with NTP.")
	}
	switch newest := int64(known[len(known)-1].Number); {
	case last.Number > newest:
		r.fault(fmt.Sprintf("The database has schema %d, and this program knows %d: a newer version made it.", last.Number, newest),
			"Run that version, or restore a backup from before the upgrade.")
		return false
	case len(done) < len(known):
		r.warn(fmt.Sprintf("%d steps of the schema are still to be applied.", len(known)-len(done)),
			"Make a backup; the next start applies them, or: narthex migrate up.")
		return false
	}
	r.good("The schema is up to date (%d).", last.Number)
	return true
}

// content looks at the signing key, the administrators and the audit log.
func (p Patient) content(ctx context.Context, d *db.DB, r *report) {
	signer, err := signing.Load(ctx, d, id.ServerName(p.Config.ServerName))
	if err != nil {
		r.fault(fmt.Sprintf("The signing key cannot be read: %v.", err), "Restore the table server_keys from a backup.")
	} else {
		r.good("The signing key is %s.", signer.KeyID)
	}
	service := accounts.New(accounts.Deps{DB: d, Config: p.Config})
	has := false
	err = d.Read(ctx, func(tx *db.Tx) (err error) {
		has, err = service.HasAdministrator(tx)
		return err
	})
	switch {
	case err != nil:
		r.fault(fmt.Sprintf("The accounts cannot be read: %v.", err), "Look into the database's own log.")
	case !has:
		r.warn("There is no administrator.", "narthex user create --admin NAME")
	default:
		r.good("There is an administrator.")
	}
	if err := d.Read(ctx, service.CheckAuditLog); err != nil {
		r.fault(fmt.Sprintf("The audit log is not whole: %v.", err), "Somebody changed the database by hand. Compare it with a backup.")
	}
}
