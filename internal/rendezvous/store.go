package rendezvous

import (
	"time"

	"github.com/narthex-matrix/narthex/internal/db"
)

// protocol is a generation of the protocol. A session is seen by its own only.
type protocol string

const (
	msc4108 protocol = "msc4108" // plain text and ETags
	msc4388 protocol = "msc4388" // JSON and sequence tokens
)

// session is a mailbox with its latest message.
type session struct {
	id       string
	protocol protocol
	stable   bool // made by the stable path
	network  string
	data     []byte
	tag      string // ETag or sequence token, without quotes
	writes   int64
	written  int64 // bytes
	updated  time.Time
	expires  time.Time
	ends     time.Time
	at       time.Time // when it was made or read; not in the row
}

// find gives a live session, or ErrNoRow.
func find(tx *db.Tx, p protocol, id string) (session, error) {
	return db.One(tx, func(r db.Row) (session, error) {
		found := session{id: id, protocol: p, at: tx.Now}
		var updated, expires, ends int64
		err := r.Scan(&found.stable, &found.data, &found.tag, &found.writes, &found.written, &updated, &expires, &ends)
		found.updated, found.expires, found.ends = time.UnixMilli(updated), time.UnixMilli(expires), time.UnixMilli(ends)
		return found, err
	}, `SELECT stable, data, tag, writes, written, updated_ts, expires_ts, ends_ts FROM rendezvous_sessions
		WHERE session_id = $1 AND protocol = $2 AND expires_ts > $3`, id, p, tx.Now.UnixMilli())
}

func insert(tx *db.Tx, made session) error {
	return tx.Later(`INSERT INTO rendezvous_sessions
			(session_id, protocol, stable, network, data, tag, writes, written, updated_ts, expires_ts, ends_ts)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		made.id, made.protocol, made.stable, made.network, made.data, made.tag, made.writes, made.written,
		made.updated.UnixMilli(), made.expires.UnixMilli(), made.ends.UnixMilli())
}

// replace puts the next message in place of the one with the tag, and reports
// whether that was still there.
func replace(tx *db.Tx, tag string, next session) (bool, error) {
	n, err := tx.Exec(`UPDATE rendezvous_sessions SET data = $3, tag = $4, writes = $5, written = $6, updated_ts = $7, expires_ts = $8
		WHERE session_id = $1 AND tag = $2`,
		next.id, tag, next.data, next.tag, next.writes, next.written, next.updated.UnixMilli(), next.expires.UnixMilli())
	return n == 1, err
}

// remove deletes a live session, and reports whether there was one.
func remove(tx *db.Tx, p protocol, id string) (bool, error) {
	n, err := tx.Exec(`DELETE FROM rendezvous_sessions WHERE session_id = $1 AND protocol = $2 AND expires_ts > $3`, id, p, tx.Now.UnixMilli())
	return n == 1, err
}

func removeExpired(tx *db.Tx) error {
	return tx.Later(`DELETE FROM rendezvous_sessions WHERE expires_ts <= $1`, tx.Now.UnixMilli())
}

// count counts the live sessions, and those of them that one network has made.
func count(tx *db.Tx, network string) (all, own int64, err error) {
	type counts struct{ all, own int64 }
	c, err := db.One(tx, func(r db.Row) (c counts, err error) {
		err = r.Scan(&c.all, &c.own)
		return c, err
	}, `SELECT COUNT(*), COUNT(CASE WHEN network = $2 THEN 1 END) FROM rendezvous_sessions WHERE expires_ts > $1`, tx.Now.UnixMilli(), network)
	return c.all, c.own, err
}
