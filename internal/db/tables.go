package db

import (
	"fmt"
	"slices"
	"strings"
)

// Column is a column of a table.
type Column struct {
	Name string
	// Type is TEXT, BIGINT, BOOLEAN or BYTEA.
	Type string
}

// Table is a table of the schema.
type Table struct {
	Name    string
	Columns []Column
	// Key is the columns of the primary key, in its order; none if there is no key.
	Key []string
	// Identity is the column for which the engine chooses a number, if there is one.
	Identity string

	refers []string // tables that its foreign keys name
}

// Tables lists the tables that hold what a server keeps, in an order in which they
// can be filled: a table comes after those to which its foreign keys refer. The
// tables `migrations` and `backup_tables`, which speak of the database itself, are
// not among them.
func (tx *Tx) Tables() ([]Table, error) {
	columns, references := postgresColumns, postgresReferences
	if tx.lite != nil {
		columns, references = sqliteColumns, sqliteReferences
	}
	var tables []Table
	keys := map[string]map[int64]string{}
	err := Each(tx, func(r Row) error {
		var table string
		var c Column
		var key int64
		var identity bool
		if err := r.Scan(&table, &c.Name, &c.Type, &key, &identity); err != nil {
			return err
		}
		if n := len(tables); n == 0 || tables[n-1].Name != table {
			tables = append(tables, Table{Name: table})
			keys[table] = map[int64]string{}
		}
		t := &tables[len(tables)-1]
		if c.Type = strings.ToUpper(c.Type); c.Type == "INTEGER" {
			c.Type = "BIGINT"
		}
		t.Columns = append(t.Columns, c)
		if key > 0 {
			keys[table][key] = c.Name
		}
		if identity {
			t.Identity = c.Name
		}
		return nil
	}, columns)
	if err != nil {
		return nil, err
	}
	refers := map[string][]string{}
	err = Each(tx, func(r Row) error {
		var table, to string
		err := r.Scan(&table, &to)
		refers[table] = append(refers[table], to)
		return err
	}, references)
	for i := range tables {
		t := &tables[i]
		for n := range int64(len(keys[t.Name])) {
			t.Key = append(t.Key, keys[t.Name][n+1])
		}
		t.refers = refers[t.Name]
	}
	if err != nil {
		return nil, err
	}
	return inOrder(tables)
}

// The columns: table, name, type, place in the primary key from 1 on or 0, whether
// the engine chooses a number.
const (
	sqliteColumns = `SELECT made.name, col.name, col.type, col.pk, FALSE
		FROM sqlite_master made, pragma_table_info(made.name) col
		WHERE made.type = 'table' AND made.name NOT LIKE 'sqlite\_%' ESCAPE '\' AND made.name NOT IN ('migrations', 'backup_tables')
		ORDER BY made.name, col.cid`
	postgresColumns = `SELECT t.relname::text, a.attname::text, upper(format_type(a.atttypid, NULL)),
			COALESCE(array_position(k.conkey, a.attnum), 0)::bigint, a.attidentity <> ''
		FROM pg_class t
		JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
		LEFT JOIN pg_constraint k ON k.conrelid = t.oid AND k.contype = 'p'
		WHERE t.relkind = 'r' AND t.relnamespace = current_schema()::regnamespace AND t.relname NOT IN ('migrations', 'backup_tables')
		ORDER BY t.relname::text COLLATE "C", a.attnum`
	sqliteReferences = `SELECT made.name, refs."table" FROM sqlite_master made, pragma_foreign_key_list(made.name) refs
		WHERE made.type = 'table' AND refs.seq = 0 ORDER BY made.name`
	postgresReferences = `SELECT t.relname::text, o.relname::text FROM pg_constraint k
		JOIN pg_class t ON t.oid = k.conrelid JOIN pg_class o ON o.oid = k.confrelid
		WHERE k.contype = 'f' AND t.relnamespace = current_schema()::regnamespace ORDER BY 1`
)

// inOrder puts tables after those to which they refer.
func inOrder(tables []Table) ([]Table, error) {
	var out []Table
	placed := map[string]bool{}
	for len(tables) > 0 {
		waiting := slices.DeleteFunc(slices.Clone(tables), func(t Table) bool {
			for _, to := range t.refers {
				if to != t.Name && !placed[to] {
					return false
				}
			}
			out = append(out, t)
			return true
		})
		if len(waiting) == len(tables) {
			return nil, fmt.Errorf("the tables %s and others refer to each other in a circle", tables[0].Name)
		}
		for _, t := range out {
			placed[t.Name] = true
		}
		tables = waiting
	}
	return out, nil
}

// list gives the names of the columns, for SQL.
func (t Table) list() string {
	names := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		names[i] = c.Name
	}
	return strings.Join(names, ", ")
}

// Same reports whether two tables have the same columns and key.
func (t Table) Same(other Table) bool {
	return t.Name == other.Name && slices.Equal(t.Columns, other.Columns) && slices.Equal(t.Key, other.Key)
}
