package db

import (
	"context"
	"fmt"
	"strings"
)

// Clear deletes every row of a table.
func (tx *Tx) Clear(t Table) error {
	_, err := tx.Exec(`DELETE FROM ` + t.Name)
	return err
}

// Analyze tells PostgreSQL what a table that was just filled holds. It would find out
// itself some minutes later, and until then read whole tables to find a row.
func (tx *Tx) Analyze(t Table) error {
	if tx.pg == nil {
		return nil
	}
	return tx.execOnce(`ANALYZE ` + t.Name)
}

// SetSum notes in a backup what a table holds.
func (tx *Tx) SetSum(table string, s Sum) error {
	_, err := tx.Exec(`INSERT INTO backup_tables (name, row_count, hash) VALUES ($1, $2, $3)`, table, s.Rows, s.Hash[:])
	return err
}

// Sums gives what was noted by SetSum; nothing for a database that is no backup.
func (tx *Tx) Sums() (map[string]Sum, error) {
	sums := map[string]Sum{}
	if tx.lite != nil { // it may be of a time before there were sums
		n, err := Value[int64](tx, `SELECT COUNT(*) FROM sqlite_master WHERE name = 'backup_tables'`)
		if err != nil || n == 0 {
			return sums, err
		}
	}
	return sums, Each(tx, func(r Row) error {
		var name string
		var s Sum
		var hash []byte
		err := r.Scan(&name, &s.Rows, &hash)
		copy(s.Hash[:], hash)
		sums[name] = s
		return err
	}, `SELECT name, row_count, hash FROM backup_tables`)
}

// ForgetSums makes a server of a backup.
func (tx *Tx) ForgetSums() error {
	_, err := tx.Exec(`DELETE FROM backup_tables`)
	return err
}

// Check looks for damage in an SQLite file, which takes as long as reading it.
// PostgreSQL looks after its own.
func (d *DB) Check(ctx context.Context) error {
	if d.dialect != SQLite {
		return nil
	}
	return d.Read(ctx, func(tx *Tx) error {
		found, err := All(tx, Scalar[string], `PRAGMA integrity_check(5)`)
		if err != nil {
			return err
		}
		if text := strings.Join(found, "; "); text != "ok" {
			return fmt.Errorf("the file is damaged: %s", text)
		}
		return Each(tx, func(r Row) error {
			var table, to string
			var row *int64
			var key int64
			if err := r.Scan(&table, &row, &to, &key); err != nil {
				return err
			}
			return fmt.Errorf("the file is damaged: a row of %s refers to one of %s that is not there", table, to)
		}, `PRAGMA foreign_key_check`)
	})
}

// Replace runs f in an empty schema that has this program's tables, and then puts that
// schema in the place of the present one, which is kept under the name aside. It is
// for PostgreSQL, where one transaction can do all that.
func (tx *Tx) Replace(aside string, f func() error) error {
	own, err := Value[string](tx, `SELECT nspname::text FROM pg_namespace WHERE oid = current_schema()::regnamespace`)
	if err != nil {
		return err
	}
	fresh := aside + "_new"
	for _, text := range []string{`CREATE SCHEMA ` + quoted(fresh), `SET LOCAL search_path TO ` + quoted(fresh)} {
		if err := tx.execOnce(text); err != nil {
			return err
		}
	}
	if err := tx.build(); err != nil {
		return err
	}
	if err := f(); err != nil {
		return err
	}
	for _, text := range []string{
		`ALTER SCHEMA ` + quoted(own) + ` RENAME TO ` + quoted(aside),
		`ALTER SCHEMA ` + quoted(fresh) + ` RENAME TO ` + quoted(own),
	} {
		if err := tx.execOnce(text); err != nil {
			return err
		}
	}
	return nil
}

// build makes all tables in an empty schema.
func (tx *Tx) build() error {
	known, err := Migrations()
	if err != nil {
		return err
	}
	if err := tx.execOnce(makeMigrations); err != nil {
		return err
	}
	for _, m := range known {
		for _, text := range m.Statements(tx.d.dialect) {
			if err := tx.execOnce(text); err != nil {
				return fmt.Errorf("migration %d (%s): %w", m.Number, m.Name, err)
			}
		}
		if _, err := tx.Exec(`INSERT INTO migrations (number, name, applied_ts) VALUES ($1, $2, $3)`, m.Number, m.Name, tx.Now.UnixMilli()); err != nil {
			return err
		}
	}
	return nil
}

func quoted(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
