package db

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"

	"modernc.org/sqlite"
)

// SQLite is spoken to through its driver and without package database/sql, whose
// pool, locks and conversions cost a third of a short query: a connection belongs to
// one goroutine at a time here anyway.

// conn is one SQLite connection with its prepared statements.
type conn struct {
	driver.Conn
	stmts map[string]*stmt
	args  []driver.NamedValue // of the statement that is being begun
}

// stmt is a prepared statement.
type stmt struct {
	driver.Stmt
	exec  driver.StmtExecContext
	query driver.StmtQueryContext
	rows  rows // of the last query; SQLite begins no other before they are closed
}

func openConn(name string) (*conn, error) {
	c, err := (&sqlite.Driver{}).Open(name)
	if err != nil {
		return nil, err
	}
	return &conn{Conn: c, stmts: map[string]*stmt{}}, nil
}

// Close ends the connection. SQLite would keep one with open statements, and with it
// the lock and the write-ahead log.
func (c *conn) Close() (err error) {
	for _, st := range c.stmts {
		err = errors.Join(err, st.Close())
	}
	return errors.Join(err, c.Conn.Close())
}

// prepare gives a statement that the connection keeps.
func (c *conn) prepare(statement string) (*stmt, error) {
	if st := c.stmts[statement]; st != nil {
		return st, nil
	}
	// SQLite looks at the value of a limit that is a parameter to choose a plan, and so
	// compiles the statement again whenever one is bound. A sum it leaves alone.
	prepared, err := c.Prepare(strings.ReplaceAll(statement, "LIMIT $", "LIMIT 0+$"))
	if err != nil {
		return nil, err
	}
	st := &stmt{Stmt: prepared}
	var executes, queries bool
	st.exec, executes = prepared.(driver.StmtExecContext)
	st.query, queries = prepared.(driver.StmtQueryContext)
	if !executes || !queries {
		return nil, errors.Join(errors.New("the SQLite driver takes no context"), prepared.Close())
	}
	c.stmts[statement] = st
	return st, nil
}

// bind makes the arguments of a statement. The driver is done with them when the
// statement has begun.
func (c *conn) bind(args []any) ([]driver.NamedValue, error) {
	c.args = c.args[:0]
	for i, a := range args {
		v, err := value(a)
		if err != nil {
			return nil, fmt.Errorf("argument %d: %w", i+1, err)
		}
		c.args = append(c.args, driver.NamedValue{Ordinal: i + 1, Value: v})
	}
	return c.args, nil
}

func (c *conn) run(ctx context.Context, statement string, args ...any) (int64, error) {
	st, err := c.prepare(statement)
	if err != nil {
		return 0, err
	}
	bound, err := c.bind(args)
	if err != nil {
		return 0, err
	}
	res, err := st.exec.ExecContext(ctx, bound)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// runOnce runs a statement without keeping it.
func (c *conn) runOnce(ctx context.Context, statement string) error {
	_, err := c.run(ctx, statement)
	if st := c.stmts[statement]; st != nil {
		delete(c.stmts, statement)
		err = errors.Join(err, st.Close())
	}
	return err
}

func (c *conn) query(ctx context.Context, statement string, args []any) (*rows, error) {
	st, err := c.prepare(statement)
	if err != nil {
		return nil, err
	}
	bound, err := c.bind(args)
	if err != nil {
		return nil, err
	}
	r, err := st.query.QueryContext(ctx, bound)
	if err != nil {
		return nil, err
	}
	if n := len(r.Columns()); len(st.rows.values) != n {
		st.rows.values = make([]driver.Value, n)
	}
	st.rows.Rows, st.rows.err = r, nil
	return &st.rows, nil
}

// rows is the answer to a query, as [sql.Rows] is.
type rows struct {
	driver.Rows
	values []driver.Value
	err    error
}

// Next goes to the next row.
func (r *rows) Next() bool {
	r.err = r.Rows.Next(r.values)
	return r.err == nil
}

// Close ends the query.
func (r *rows) Close() error {
	clear(r.values) // they may be long
	return r.Rows.Close()
}

// Err is what ended the rows before their end.
func (r *rows) Err() error {
	if errors.Is(r.err, io.EOF) {
		return nil
	}
	return r.err
}

// Scan copies the columns of a row.
func (r *rows) Scan(dest ...any) error {
	if len(dest) != len(r.values) {
		return fmt.Errorf("db: %d columns are scanned into %d places", len(r.values), len(dest))
	}
	for i, v := range r.values {
		if err := assign(dest[i], v); err != nil {
			return fmt.Errorf("db: column %d (%s): %w", i+1, r.Columns()[i], err)
		}
	}
	return nil
}

// value gives an argument as the driver takes it.
func value(arg any) (driver.Value, error) {
	switch a := arg.(type) {
	case nil, int64, float64, bool, []byte:
		return a, nil
	case int:
		return int64(a), nil
	case string:
		return checked(a)
	}
	v := reflect.ValueOf(arg)
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil, nil
		}
		return value(v.Elem().Interface())
	case reflect.String:
		return checked(v.String())
	case reflect.Bool:
		return v.Bool(), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return v.Int(), nil
	case reflect.Uint8, reflect.Uint16, reflect.Uint32:
		return int64(v.Uint()), nil
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return v.Bytes(), nil
		}
	}
	return nil, fmt.Errorf("db: a %T cannot be stored", arg)
}

func checked(text string) (driver.Value, error) {
	if strings.IndexByte(text, 0) >= 0 {
		return nil, ErrNUL
	}
	return text, nil
}

// assign copies a column to where a pointer points.
func assign(dest any, v driver.Value) error {
	switch d := dest.(type) {
	case *string:
		if s, ok := v.(string); ok {
			*d = s
			return nil
		}
	case *int64:
		if n, ok := v.(int64); ok {
			*d = n
			return nil
		}
	case *bool:
		if n, ok := v.(int64); ok {
			*d = n != 0
			return nil
		}
	case *[]byte:
		if b, ok := v.([]byte); ok {
			*d = b
			return nil
		}
	}
	p := reflect.ValueOf(dest)
	if p.Kind() != reflect.Pointer || p.IsNil() {
		return fmt.Errorf("%T is no place to copy to", dest)
	}
	to := p.Elem()
	if v == nil {
		if k := to.Kind(); k != reflect.Pointer && k != reflect.Slice {
			return fmt.Errorf("it is null, and %s has no null", to.Type())
		}
		to.SetZero()
		return nil
	}
	return assignValue(to, v)
}

func assignValue(to reflect.Value, v driver.Value) error {
	switch from := v.(type) {
	case int64:
		switch to.Kind() {
		case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
			if to.OverflowInt(from) {
				return fmt.Errorf("%d is too large for %s", from, to.Type())
			}
			to.SetInt(from)
			return nil
		case reflect.Bool:
			to.SetBool(from != 0)
			return nil
		case reflect.Float64:
			to.SetFloat(float64(from))
			return nil
		}
	case float64:
		if to.Kind() == reflect.Float64 {
			to.SetFloat(from)
			return nil
		}
	case string:
		switch {
		case to.Kind() == reflect.String:
			to.SetString(from)
			return nil
		case isBytes(to):
			to.SetBytes([]byte(from))
			return nil
		}
	case []byte:
		switch {
		case isBytes(to):
			to.SetBytes(from)
			return nil
		case to.Kind() == reflect.String:
			to.SetString(string(from))
			return nil
		}
	}
	if to.Kind() == reflect.Pointer {
		to.Set(reflect.New(to.Type().Elem()))
		return assign(to.Interface(), v)
	}
	return fmt.Errorf("a %T does not fit into %s", v, to.Type())
}

func isBytes(to reflect.Value) bool {
	return to.Kind() == reflect.Slice && to.Type().Elem().Kind() == reflect.Uint8
}
