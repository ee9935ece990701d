package db

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"
)

// Tx is a transaction. It is used by one goroutine and not after its closure has
// returned.
type Tx struct {
	// Now is the time of the transaction; every row written carries it.
	Now time.Time

	ctx    context.Context
	d      *DB
	lite   *conn     // SQLite
	pg     *pipeline // PostgreSQL
	write  bool
	woken  []string
	after  []func()
	locked map[string]bool
	brief  *brief // nil within a transaction
	wrote  bool   // PostgreSQL: something would have to be undone
	taken  *taken // nil: its writes share no transaction with others
	// position is that of the snapshot of a read, once it was asked for.
	position *int64
}

// Row is what a scan function reads from.
type Row interface {
	Scan(dest ...any) error
}

// Context is the transaction's context, for calls that need one.
func (tx *Tx) Context() context.Context { return tx.ctx }

// Exec runs a statement and gives the number of rows that it changed.
// A violated unique constraint is ErrDuplicate; on PostgreSQL the transaction is
// then over, so prefer ON CONFLICT where the conflict is expected.
func (tx *Tx) Exec(statement string, args ...any) (int64, error) {
	if tx.brief != nil {
		tx.brief.more = true // so it is refused, as in every read
		return 0, errMore
	}
	if tx.lite != nil {
		n, err := tx.lite.run(tx.ctx, statement, args...)
		return n, wrap(err, statement)
	}
	tx.wrote = true
	tag, err := tx.pg.run(statement, args)
	return tag.RowsAffected(), err
}

// Later runs a statement of which only the failure matters, in its turn: on PostgreSQL
// it goes with the next statement or with the commit, and so costs no exchange. Its
// error is that of whatever it went with.
func (tx *Tx) Later(statement string, args ...any) error {
	if tx.lite != nil || tx.brief != nil {
		_, err := tx.Exec(statement, args...)
		return err
	}
	tx.wrote = true
	return tx.pg.send(statement, args)
}

// cursor is the answer of either engine to a query.
type cursor interface {
	Row
	Next() bool
	Err() error
	Close() error
}

func (tx *Tx) query(statement string, args []any) (cursor, error) {
	if tx.brief != nil {
		if err := tx.brief.count(); err != nil {
			return nil, err
		}
	}
	if tx.lite != nil {
		return tx.lite.query(tx.ctx, statement, args)
	}
	tx.wrote = tx.wrote || !strings.HasPrefix(statement, "SELECT")
	return tx.pg.query(statement, args)
}

// Each calls f for each row of a query, and stops at the first error.
func Each(tx *Tx, f func(Row) error, statement string, args ...any) error {
	rows, err := tx.query(statement, args)
	if err != nil {
		return wrap(err, statement)
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(rows); err != nil {
			return err
		}
	}
	return wrap(rows.Err(), statement)
}

// All gives every row of a query.
func All[T any](tx *Tx, scan func(Row) (T, error), statement string, args ...any) ([]T, error) {
	var out []T
	err := Each(tx, func(r Row) error {
		v, err := scan(r)
		out = append(out, v)
		return err
	}, statement, args...)
	if err != nil {
		return nil, err
	}
	return out, nil
}

// One gives the first row of a query, or ErrNoRow.
func One[T any](tx *Tx, scan func(Row) (T, error), statement string, args ...any) (T, error) {
	rows, err := tx.query(statement, args)
	return first(rows, err, scan, statement)
}

// brief counts the statements of a read without a transaction.
type brief struct{ begun, more bool }

var errMore = errors.New("db: a second statement of a brief read")

func (b *brief) count() error {
	if b.begun {
		b.more = true
		return errMore
	}
	b.begun = true
	return nil
}

// ReadBriefly is [DB.Read] for a closure that mostly makes one statement, which costs no
// transaction: it sees one snapshot as it is. A closure that makes another one fails there,
// and runs again within a transaction.
func (d *DB) ReadBriefly(ctx context.Context, f func(tx *Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var b brief
	err := d.readBriefly(ctx, &b, f)
	if b.more {
		return d.Read(ctx, f)
	}
	return unavailable(err)
}

func (d *DB) readBriefly(ctx context.Context, b *brief, f func(tx *Tx) error) error {
	switch {
	case d.dialect == Postgres:
		return d.overPipeline(ctx, "", func(p *pipeline) error {
			*b = brief{}
			return f(&Tx{Now: d.now(), ctx: ctx, d: d, pg: p, brief: b})
		})
	case d.alone: // there is one connection
		return d.readSQLite(ctx, f)
	}
	c, err := d.reader(ctx)
	if err != nil {
		return err
	}
	defer d.readAgain(c)
	return f(&Tx{Now: d.now(), ctx: context.WithoutCancel(ctx), d: d, lite: c, brief: b})
}

// ReadOne is [One] in a read of its own, which costs no transaction.
func ReadOne[T any](ctx context.Context, d *DB, scan func(Row) (T, error), statement string, args ...any) (out T, err error) {
	err = d.ReadBriefly(ctx, func(tx *Tx) (err error) {
		out, err = One(tx, scan, statement, args...)
		return err
	})
	return out, err
}

// first gives the first row of an answer, or ErrNoRow.
func first[T any](rows cursor, err error, scan func(Row) (T, error), statement string) (T, error) {
	var out T
	if err != nil {
		return out, wrap(err, statement)
	}
	defer rows.Close()
	if !rows.Next() {
		if err := rows.Err(); err != nil {
			return out, wrap(err, statement)
		}
		return out, ErrNoRow
	}
	return scan(rows)
}

// Value gives the only column of the first row, or ErrNoRow.
func Value[T any](tx *Tx, statement string, args ...any) (T, error) {
	return One(tx, Scalar[T], statement, args...)
}

// Scalar scans a row of one column.
func Scalar[T any](r Row) (v T, err error) {
	err = r.Scan(&v)
	return v, err
}

// Next takes the next position of the stream: one counter for everything that a
// reader can wait for. Take it as late as possible: on PostgreSQL other writers
// wait for it until this transaction ends.
func (tx *Tx) Next() (int64, error) { return tx.NextN(1) }

// NextN takes n positions in a row and gives the first. Positions that nobody uses are
// left out: nothing may count on them being dense.
func (tx *Tx) NextN(n int) (int64, error) {
	t := tx.taken
	if t == nil {
		t = &taken{}
	}
	if t.left < n {
		more := n + t.behind
		last, err := Value[int64](tx, `UPDATE stream SET pos = pos + $1 RETURNING pos`, more)
		if err != nil {
			return 0, err
		}
		t.next, t.left = last-int64(more)+1, more
	}
	first := t.next
	t.next, t.left = first+int64(n), t.left-n
	return first, nil
}

// Position is the highest position that the transaction's snapshot can see.
func (tx *Tx) Position() (pos int64, err error) {
	if tx.position != nil {
		return *tx.position, nil
	}
	pos, err = Value[int64](tx, `SELECT pos FROM stream`)
	if err == nil && !tx.write { // the snapshot of a read stays as it is
		tx.position = &pos
	}
	return pos, err
}

// Position is [Tx.Position] of a read of its own.
func (d *DB) Position(ctx context.Context) (int64, error) {
	return ReadOne(ctx, d, Scalar[int64], `SELECT pos FROM stream`)
}

// Lock holds (kind, key) until the transaction ends: one writer over all
// processes. On SQLite there is one writer anyway; on PostgreSQL the lock is there for
// whatever statement comes next, which it goes with.
func (tx *Tx) Lock(kind, key string) error {
	name := kind + " " + key
	if _, err := checked(name); err != nil || tx.pg == nil {
		return err
	}
	if tx.locked[name] {
		return nil
	}
	if err := tx.Later(`SELECT pg_advisory_xact_lock(hashtextextended($1, 0))`, name); err != nil {
		return err
	}
	if tx.locked == nil {
		tx.locked = map[string]bool{}
	}
	tx.locked[name] = true
	return nil
}

// Wake wakes those who wait for key, after the commit.
func (tx *Tx) Wake(key string) { tx.woken = append(tx.woken, key) }

// AfterCommit runs f after the commit, in the goroutine that called Write; in a
// read, which has no commit to wait for, at once. It is for caches that must be
// correct when they are empty, and for nothing else: if the process dies before, f
// never runs.
func (tx *Tx) AfterCommit(f func()) {
	if !tx.write {
		f()
		return
	}
	tx.after = append(tx.after, f)
}

// List is the arguments of an IN (…) clause.
type List struct{ args []any }

// In makes a list for an IN (…) clause. The list must not be empty, and should
// have at most 500 items: take [Chunks] for more.
func In[T any](items []T) List {
	l := List{args: make([]any, len(items))}
	for i, v := range items {
		l.args[i] = v
	}
	return l
}

// Marks gives "$n,$n+1,…" starting at n. The number of marks is rounded up to a
// power of two, the last argument repeated, so that few texts are prepared.
func (l List) Marks(n int) string {
	var b strings.Builder
	for i := range l.size() {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(n + i))
	}
	return b.String()
}

// Pairs gives "($n,$n+1),($n+2,$n+3),…" starting at n, for a list of pairs after
// VALUES. It is rounded up like Marks.
func (l List) Pairs(n int) string {
	var b strings.Builder
	for i := 0; i < l.size(); i += 2 {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString("($" + strconv.Itoa(n+i) + ",$" + strconv.Itoa(n+i+1) + ")")
	}
	return b.String()
}

// Args gives the arguments for Marks, after those in before.
func (l List) Args(before ...any) []any {
	out := append(before, l.args...)
	// An even number is repeated by its last pair, so that pairs stay pairs.
	step := 2 - len(l.args)%2
	for i := len(l.args); i < l.size(); i++ {
		out = append(out, out[len(out)-step])
	}
	return out
}

func (l List) size() int {
	n := 1
	for n < len(l.args) {
		n *= 2
	}
	return n
}

// Chunks calls f with at most 512 items at a time.
func Chunks[T any](items []T, f func([]T) error) error {
	for len(items) > 0 {
		n := min(512, len(items))
		if err := f(items[:n]); err != nil {
			return err
		}
		items = items[n:]
	}
	return nil
}
