package db

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
)

// PostgreSQL is spoken to in pipelines and without package database/sql: a statement
// whose result nobody waits for goes with the next one, since each exchange costs both
// sides more than a short statement does.

// pipeline is a transaction on a connection to PostgreSQL, or a statement outside of one.
type pipeline struct {
	ctx   context.Context
	conn  *pgxpool.Conn
	pipe  *pgconn.Pipeline
	stmts *statements
	// begin is what begins the transaction. It goes with the first statement.
	begin string
	// unread are the statements that were sent and whose results were not read, and ""
	// for each end of an exchange.
	unread []string
	heard  bool  // the other side has answered, or was told to commit
	dead   bool  // the connection is closed
	left   bool  // somebody else closes it
	trying bool  // a lock was asked for, and the answer was not read
	err    error // why it takes no more statements

	rows   pgRows
	values [][]byte // of the arguments of the statement that is being sent
	format []int16
	text   []byte
}

// statements are those that a connection keeps prepared.
type statements struct {
	byText map[string]*prepared
	names  int // so many were given
}

type prepared struct {
	*pgconn.StatementDescription
	results []int16 // the format of each column
}

// maxPrepared bounds what a connection keeps. Texts are constants but for the lengths of
// lists, so that it is hardly ever reached.
const maxPrepared = 2048

// statementsKey is where a connection keeps its statements.
const statementsKey = "narthex statements"

// The formats of arguments and columns.
const (
	asText   int16 = 0
	asBinary int16 = 1
)

func (d *DB) pipeline(ctx context.Context, begin string) (*pipeline, error) {
	conn, err := d.pool.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	c := conn.Conn().PgConn()
	stmts, _ := c.CustomData()[statementsKey].(*statements)
	if stmts != nil && stmts.names >= maxPrepared {
		if err := c.Exec(ctx, `DEALLOCATE ALL`).Close(); err != nil {
			conn.Release()
			return nil, err
		}
		stmts = nil
	}
	if stmts == nil {
		stmts = &statements{byText: map[string]*prepared{}}
		c.CustomData()[statementsKey] = stmts
	}
	return &pipeline{ctx: ctx, conn: conn, pipe: c.StartPipeline(ctx), stmts: stmts, begin: begin, text: make([]byte, 0, 256)}, nil
}

// use runs f, and gives the connection back, also when f panics.
func (p *pipeline) use(f func(*pipeline) error) error {
	defer func() {
		if !p.left {
			p.close()
		}
	}()
	return f(p)
}

// unheard reports whether the connection broke before anything could come of what was
// sent.
func (p *pipeline) unheard() bool { return p.dead && !p.heard && p.ctx.Err() == nil }

// start makes sure that the transaction's begin goes before any other statement.
func (p *pipeline) start() error {
	begin := p.begin
	if begin == "" || p.err != nil {
		return p.err
	}
	p.begin = ""
	return p.send(begin, nil)
}

// send sends a statement with the next exchange.
func (p *pipeline) send(statement string, args []any) error {
	if err := p.start(); err != nil {
		return err
	}
	st, err := p.prepare(statement)
	if err != nil {
		return err
	}
	if err := p.encode(st, args); err != nil {
		return err
	}
	p.pipe.SendQueryStatement(st.StatementDescription, p.values, p.format, st.results)
	p.unread = append(p.unread, statement)
	return nil
}

func (p *pipeline) prepare(statement string) (*prepared, error) {
	if st := p.stmts.byText[statement]; st != nil {
		return st, nil
	}
	p.stmts.names++
	name := "narthex" + strconv.Itoa(p.stmts.names)
	p.pipe.SendPrepare(name, statement, nil)
	p.unread = append(p.unread, statement)
	result, err := p.exchange()
	if err != nil {
		return nil, err
	}
	found, ok := result.(*pgconn.StatementDescription)
	if !ok {
		return nil, p.fail(fmt.Errorf("db: %T in place of a prepared statement", result), statement)
	}
	found.Name, found.SQL = name, statement
	st := &prepared{StatementDescription: found}
	for _, f := range st.Fields {
		format := asText
		if f.DataTypeOID == pgtype.ByteaOID {
			format = asBinary
		}
		st.results = append(st.results, format)
	}
	p.stmts.byText[statement] = st
	return st, nil
}

// encode makes the arguments of a statement. The connection copies them when it sends.
func (p *pipeline) encode(st *prepared, args []any) error {
	if len(args) != len(st.ParamOIDs) {
		return wrap(fmt.Errorf("db: %d arguments for %d places", len(args), len(st.ParamOIDs)), st.SQL)
	}
	p.values, p.format, p.text = p.values[:0], p.format[:0], p.text[:0]
	for i, a := range args {
		v, err := value(a)
		if err != nil {
			return wrap(fmt.Errorf("argument %d: %w", i+1, err), st.SQL)
		}
		format := asText
		if st.ParamOIDs[i] == pgtype.ByteaOID {
			format = asBinary
		}
		p.format = append(p.format, format)
		begin := len(p.text)
		switch v := v.(type) {
		case nil:
			p.values = append(p.values, nil)
			continue
		case []byte:
			if v != nil { // nil is null
				v = v[:len(v):len(v)]
			}
			p.values = append(p.values, v)
			continue
		case string:
			p.text = append(p.text, v...)
		case int64:
			p.text = strconv.AppendInt(p.text, v, 10)
		case float64:
			p.text = strconv.AppendFloat(p.text, v, 'g', -1, 64)
		case bool:
			p.text = strconv.AppendBool(p.text, v)
		}
		p.values = append(p.values, p.text[begin:len(p.text):len(p.text)])
	}
	return nil
}

// tryLock, sent by try, ends the transaction with errTaken if another one has the lock.
const tryLock = `SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0))`

var errTaken = errors.New("db: another transaction has the lock")

func (p *pipeline) try(lock string) error {
	p.trying = true
	return p.send(tryLock, []any{lock})
}

// granted fails with errTaken unless the lock that was tried is held.
func (p *pipeline) granted() error {
	if !p.trying {
		return p.err
	}
	_, err := p.exchange()
	return err
}

// exchange sends what is to be sent, and gives the result of the last statement.
func (p *pipeline) exchange() (result any, err error) {
	p.unread = append(p.unread, "")
	last, taken := len(p.unread)-2, false
	if err := p.pipe.Sync(); err != nil {
		return nil, p.fail(err, p.unread[last])
	}
	for i, statement := range p.unread[:last+1] {
		if result, err = p.pipe.GetResults(); err != nil {
			return nil, p.fail(err, statement)
		}
		p.heard = true
		if rows, ok := result.(*pgconn.ResultReader); ok && (i < last || statement == tryLock) {
			if statement == tryLock {
				p.trying, taken = false, rows.NextRow() && string(rows.Values()[0]) != "t"
			}
			if _, err := rows.Close(); err != nil {
				return nil, p.fail(err, statement)
			}
		}
	}
	if taken {
		return nil, p.fail(errTaken, tryLock)
	}
	p.unread = append(p.unread[:0], "") // the end of this exchange
	return result, nil
}

// fail notes what ended the pipeline.
func (p *pipeline) fail(err error, statement string) error {
	if p.err != nil {
		return p.err
	}
	p.dead = p.conn.Conn().IsClosed()
	if p.dead && p.ctx.Err() == nil && reasonOf(err) == nil {
		err = fmt.Errorf("%w: %w", driver.ErrBadConn, err)
	}
	p.err = wrap(err, statement)
	return p.err
}

// run runs a statement.
func (p *pipeline) run(statement string, args []any) (pgconn.CommandTag, error) {
	rows, err := p.query(statement, args)
	if err != nil {
		return pgconn.CommandTag{}, err
	}
	tag, err := rows.result.Close()
	if err != nil {
		return tag, p.fail(err, statement)
	}
	return tag, nil
}

// runOnce runs a statement without keeping it prepared.
func (p *pipeline) runOnce(statement string) error {
	if err := p.start(); err != nil {
		return err
	}
	p.pipe.SendQueryParams(statement, nil, nil, nil, nil)
	p.unread = append(p.unread, statement)
	_, err := p.exchange()
	return err
}

func (p *pipeline) query(statement string, args []any) (*pgRows, error) {
	if err := p.send(statement, args); err != nil {
		return nil, err
	}
	result, err := p.exchange()
	if err != nil {
		return nil, err
	}
	p.rows = pgRows{p: p, statement: statement}
	p.rows.result, _ = result.(*pgconn.ResultReader)
	if p.rows.result == nil {
		return nil, p.fail(fmt.Errorf("db: %T in place of rows", result), statement)
	}
	return &p.rows, nil
}

// commit makes what was written durable. It fails without saying whether that was done
// when the connection breaks.
func (p *pipeline) commit() error {
	if err := p.err; err != nil || p.begin != "" { // nothing was begun
		return err
	}
	p.heard = true
	tag, err := p.run(`COMMIT`, nil)
	if err == nil && tag.String() != "COMMIT" {
		err = fmt.Errorf("db: %s in place of a commit", tag)
	}
	return err
}

// close gives the connection back. What was not committed is undone.
func (p *pipeline) close() {
	defer p.conn.Release() // closes it if it is not as it should be
	c := p.conn.Conn().PgConn()
	if p.err == nil && len(p.unread) > 0 && p.unread[0] == "" { // with it comes how the transaction stands
		_, p.err = p.pipe.GetResults()
		p.unread = p.unread[1:]
	}
	queued := len(p.unread) > 0
	if p.err == nil && (queued || c.TxStatus() != 'I') {
		_, _ = p.run(`ROLLBACK`, nil) // what is queued goes with it: pgx closes a connection that leaves something unsent
	}
	_ = p.pipe.Close() // what went wrong has been told
	if !c.IsClosed() && c.TxStatus() != 'I' {
		_ = c.Exec(p.ctx, `ROLLBACK`).Close() // or the connection is closed, which does the same
	}
}

// pgRows is the answer to a query.
type pgRows struct {
	p         *pipeline
	statement string
	result    *pgconn.ResultReader
}

// Next goes to the next row.
func (r *pgRows) Next() bool { return r.result.NextRow() }

// Close ends the query.
func (r *pgRows) Close() error {
	_, err := r.result.Close()
	if err != nil {
		return r.p.fail(err, r.statement)
	}
	return nil
}

// Err is what ended the rows before their end.
func (r *pgRows) Err() error { return r.Close() }

// Scan copies the columns of a row.
func (r *pgRows) Scan(dest ...any) error {
	columns, fields := r.result.Values(), r.result.FieldDescriptions()
	if len(dest) != len(columns) {
		return fmt.Errorf("db: %d columns are scanned into %d places", len(columns), len(dest))
	}
	for i, raw := range columns {
		if err := assignColumn(dest[i], fields[i].DataTypeOID, raw); err != nil {
			return fmt.Errorf("db: column %d (%s): %w", i+1, fields[i].Name, err)
		}
	}
	return nil
}

// assignColumn copies a column to where a pointer points.
func assignColumn(dest any, oid uint32, raw []byte) error {
	if raw == nil {
		return assign(dest, nil)
	}
	switch oid {
	case pgtype.ByteaOID:
		return assign(dest, append([]byte{}, raw...))
	case pgtype.BoolOID:
		if d, ok := dest.(*bool); ok {
			*d = raw[0] == 't'
			return nil
		}
		n := int64(0)
		if raw[0] == 't' {
			n = 1
		}
		return assign(dest, n) // as SQLite has it
	case pgtype.Int8OID, pgtype.Int4OID, pgtype.Int2OID, pgtype.OIDOID, pgtype.NumericOID, pgtype.Float8OID, pgtype.Float4OID:
		n, err := strconv.ParseInt(string(raw), 10, 64)
		if err == nil {
			return assign(dest, n)
		}
		f, err := strconv.ParseFloat(string(raw), 64)
		if err != nil {
			return err
		}
		return assign(dest, f)
	}
	if d, ok := dest.(*string); ok {
		*d = string(raw)
		return nil
	}
	return assign(dest, string(raw))
}
