package db

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
)

// Sum says what a table holds, alike on both engines and whatever the order of its
// rows: how many there are, and the sum of their SHA-256 hashes, taken as four
// numbers of 64 bits. It finds accidents, and is no seal against forgery.
type Sum struct {
	Rows int64
	Hash [32]byte
}

// add counts a row.
func (s *Sum) add(row []byte) {
	h := sha256.Sum256(row)
	for i := 0; i < len(h); i += 8 {
		n := binary.BigEndian.Uint64(s.Hash[i:]) + binary.BigEndian.Uint64(h[i:])
		binary.BigEndian.PutUint64(s.Hash[i:], n)
	}
	s.Rows++
}

// Count gives the number of rows of a table.
func (tx *Tx) Count(t Table) (int64, error) {
	return Value[int64](tx, `SELECT COUNT(*) FROM `+t.Name)
}

// Sum reads a whole table. It tells step after each chunk how many rows there were
// in it, and ends when the transaction's context does.
func (tx *Tx) Sum(t Table, step func(rows int)) (sum Sum, err error) {
	err = tx.chunks(t, func(rows [][]any) error {
		for _, row := range rows {
			sum.add(encoded(t, row))
		}
		step(len(rows))
		return nil
	})
	return sum, err
}

// CopyTo adds the rows of a table to the same table of another database, whose
// [Tx.Tables] t is from, and gives their sum. It tells step after each chunk how many
// rows there were in it. Numbers that the engine chooses go on after the highest copied.
func (tx *Tx) CopyTo(to *Tx, t Table, step func(rows int)) (sum Sum, err error) {
	err = tx.chunks(t, func(rows [][]any) error {
		for _, row := range rows {
			sum.add(encoded(t, row))
		}
		step(len(rows))
		return to.insert(t, rows)
	})
	if err != nil || to.lite != nil || t.Identity == "" || sum.Rows == 0 {
		return sum, err
	}
	_, err = Value[int64](to, `SELECT setval(pg_get_serial_sequence('`+t.Name+`', '`+t.Identity+`'), MAX(`+t.Identity+`)) FROM `+t.Name)
	return sum, err
}

// chunkRows is how many rows are in memory at a time, at most. A row is an event of
// 64 KiB at most, mostly 1 KiB.
const chunkRows = 256

// chunks reads a table by its key, so that no statement takes long.
func (tx *Tx) chunks(t Table, f func(rows [][]any) error) error {
	text := `SELECT ` + t.list() + ` FROM ` + t.Name
	if len(t.Key) == 0 {
		rows, err := All(tx, t.scan, text)
		if err != nil || len(rows) == 0 {
			return err
		}
		return f(rows)
	}
	key := strings.Join(t.Key, ", ")
	marks := make([]string, len(t.Key))
	for i := range marks {
		marks[i] = "$" + strconv.Itoa(i+1)
	}
	end := ` ORDER BY ` + key + ` LIMIT ` + strconv.Itoa(chunkRows)
	next := text + ` WHERE (` + key + `) > (` + strings.Join(marks, ", ") + `)` + end
	text += end
	var from []any
	for {
		if err := tx.ctx.Err(); err != nil {
			return err
		}
		rows, err := All(tx, t.scan, text, from...)
		if err != nil || len(rows) == 0 {
			return err
		}
		if err := f(rows); err != nil || len(rows) < chunkRows {
			return err
		}
		text, from = next, t.keyOf(rows[len(rows)-1])
	}
}

// keyOf gives the values of the key in a row.
func (t Table) keyOf(row []any) []any {
	key := make([]any, len(t.Key))
	for i, name := range t.Key {
		for j, c := range t.Columns {
			if c.Name == name {
				key[i] = row[j]
			}
		}
	}
	return key
}

// scan reads a row: string, int64, bool, []byte or nil for each column.
func (t Table) scan(r Row) ([]any, error) {
	places := make([]any, len(t.Columns))
	for i, c := range t.Columns {
		switch c.Type {
		case "TEXT":
			places[i] = new(*string)
		case "BIGINT":
			places[i] = new(*int64)
		case "BOOLEAN":
			places[i] = new(*bool)
		case "BYTEA":
			places[i] = new(*[]byte)
		default:
			return nil, fmt.Errorf("the column %s of the table %s is %s, which this program does not use", c.Name, t.Name, c.Type)
		}
	}
	if err := r.Scan(places...); err != nil {
		return nil, fmt.Errorf("table %s: %w", t.Name, err)
	}
	for i, p := range places {
		switch p := p.(type) {
		case **string:
			places[i] = pointed(*p)
		case **int64:
			places[i] = pointed(*p)
		case **bool:
			places[i] = pointed(*p)
		case **[]byte:
			if places[i] = nil; *p != nil {
				places[i] = append([]byte{}, **p...) // an empty one is not null
			}
		}
	}
	return places, nil
}

func pointed[T any](p *T) any {
	if p == nil {
		return nil
	}
	return *p
}

// encoded gives a row as bytes: for each column its kind, length and value.
func encoded(t Table, row []any) []byte {
	var b []byte
	for _, v := range row {
		switch v := v.(type) {
		case nil:
			b = append(b, 'n')
		case string:
			b = append(binary.BigEndian.AppendUint64(append(b, 't'), uint64(len(v))), v...)
		case []byte:
			b = append(binary.BigEndian.AppendUint64(append(b, 'x'), uint64(len(v))), v...)
		case int64:
			b = binary.BigEndian.AppendUint64(append(b, 'i'), uint64(v))
		case bool:
			b = append(b, 'f')
			if v {
				b[len(b)-1] = 'y'
			}
		}
	}
	return b
}

// atOnce is how many rows one statement inserts.
const atOnce = 32

func (tx *Tx) insert(t Table, rows [][]any) error {
	one, many := t.inserts(1), t.inserts(atOnce)
	for len(rows) > 0 {
		text, n := one, 1
		if len(rows) >= atOnce {
			text, n = many, atOnce
		}
		args := make([]any, 0, n*len(t.Columns))
		for _, row := range rows[:n] {
			args = append(args, row...)
		}
		if _, err := tx.Exec(text, args...); err != nil {
			return fmt.Errorf("table %s: %w", t.Name, err)
		}
		rows = rows[n:]
	}
	return nil
}

// inserts is the statement that inserts n rows.
func (t Table) inserts(n int) string {
	var b strings.Builder
	b.WriteString(`INSERT INTO ` + t.Name + ` (` + t.list() + `) VALUES `)
	mark := 0
	for i := range n {
		if i > 0 {
			b.WriteString(", ")
		}
		for j := range t.Columns {
			mark++
			b.WriteString([]string{", $", "($"}[min(1, max(0, 1-j))] + strconv.Itoa(mark))
		}
		b.WriteString(")")
	}
	return b.String()
}
