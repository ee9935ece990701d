package rooms

import (
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
)

// Relations selects the events that relate to another one.
type Relations struct {
	RoomID  id.RoomID
	EventID id.EventID // the parent
	RelType string     // "" for any
	Type    string     // of the event; "" for any
	// Depth is how many relations may lie between the parent and an event: 1 for
	// its own children.
	Depth int
	// After and UpTo bound the positions; Forward wants the oldest first.
	After, UpTo int64
	Forward     bool
}

// Related gives the first events, at most limit, that relate to another one.
// Nobody's view is applied. What is between an event and a distant parent must be
// of the wanted types as well (client-server API, Relationships API).
func Related(tx *db.Tx, q Relations, limit int) ([]Stored, error) {
	const children = fromEvents + `WHERE e.relates_to = $1 AND e.room_id = $2 AND ($3 = '' OR e.rel_type = $3) AND ($4 = '' OR e.type = $4)
		AND e.pos > $5 AND e.pos <= $6 `
	const descendants = `WITH RECURSIVE related (event_id, depth) AS (
			SELECT c.event_id, 1 FROM events c WHERE c.relates_to = $1 AND c.room_id = $2 AND ($3 = '' OR c.rel_type = $3) AND ($4 = '' OR c.type = $4)
			UNION
			SELECT c.event_id, d.depth + 1 FROM related d CROSS JOIN events c
			WHERE c.relates_to = d.event_id AND d.depth < $8 AND c.room_id = $2 AND ($3 = '' OR c.rel_type = $3) AND ($4 = '' OR c.type = $4)
		) ` + fromEvents + `WHERE e.event_id IN (SELECT event_id FROM related) AND e.pos > $5 AND e.pos <= $6 `
	args := []any{q.EventID, q.RoomID, q.RelType, q.Type, q.After, q.UpTo, limit}
	switch {
	case q.Depth > 1 && q.Forward:
		return db.All(tx, ScanEvent, descendants+`ORDER BY e.pos LIMIT $7`, append(args, q.Depth)...)
	case q.Depth > 1:
		return db.All(tx, ScanEvent, descendants+`ORDER BY e.pos DESC LIMIT $7`, append(args, q.Depth)...)
	case q.Forward:
		return db.All(tx, ScanEvent, children+`ORDER BY e.pos LIMIT $7`, args...)
	}
	return db.All(tx, ScanEvent, children+`ORDER BY e.pos DESC LIMIT $7`, args...)
}

// Child is an event that relates to another one, without its content.
type Child struct {
	Parent  id.EventID
	RelType string
	RoomID  id.RoomID
	ID      id.EventID
	Pos     int64
	Type    string
	Sender  id.UserID
	TS      int64 // origin_server_ts, milliseconds
	// Total is how many there are of the parent and type; Participated says
	// whether one of those is by the user asked for.
	Total        int64
	Participated bool
}

func scanChild(r db.Row) (c Child, err error) {
	err = r.Scan(&c.Parent, &c.RelType, &c.RoomID, &c.ID, &c.Pos, &c.Type, &c.Sender, &c.TS, &c.Total, &c.Participated)
	return c, err
}

// Children gives, for each of some events, the newest of the edits, thread
// replies and references that relate to it, at most limit of each kind, newest
// first. Edits are only those that may be: by the sender of the event, of its
// type, no state, and of nothing that is redacted or itself an edit
// (client-server API, Validity of replacement events). Nobody's view is applied.
func Children(tx *db.Tx, parents []id.EventID, userID id.UserID, limit int) (out []Child, err error) {
	err = db.Chunks(parents, func(chunk []id.EventID) error {
		in := db.In(chunk)
		more, err := db.All(tx, scanChild, `
			SELECT relates_to, rel_type, room_id, event_id, pos, type, sender, origin_server_ts, total, participated = 1 FROM (
				SELECT c.relates_to, c.rel_type, c.room_id, c.event_id, c.pos, c.type, c.sender, c.origin_server_ts,
					ROW_NUMBER() OVER (PARTITION BY c.relates_to, c.rel_type ORDER BY c.pos DESC) AS place,
					COUNT(*) OVER (PARTITION BY c.relates_to, c.rel_type) AS total,
					MAX(CASE WHEN c.sender = $1 THEN 1 ELSE 0 END) OVER (PARTITION BY c.relates_to, c.rel_type) AS participated
				FROM events c JOIN events p ON p.event_id = c.relates_to AND p.room_id = c.room_id
				WHERE c.relates_to IN (`+in.Marks(3)+`) AND c.rel_type IN ('m.replace', 'm.thread', 'm.reference')
					AND (c.rel_type <> 'm.replace' OR c.sender = p.sender AND c.type = p.type AND c.state_key IS NULL AND p.state_key IS NULL
						AND p.redacted_by IS NULL AND COALESCE(p.rel_type, '') <> 'm.replace')
			) AS numbered WHERE place <= $2 ORDER BY pos DESC`, in.Args(userID, limit)...)
		out = append(out, more...)
		return err
	})
	return out, err
}

// ParentsAfter gives the events that those of a room after a position relate to, each as
// often as there are. It reports false if there are more than limit, and then gives no
// more than that.
func ParentsAfter(tx *db.Tx, roomID id.RoomID, after int64, limit int) (parents []id.EventID, all bool, err error) {
	parents, err = db.All(tx, db.Scalar[id.EventID], `SELECT relates_to FROM events WHERE room_id = $1 AND relates_to IS NOT NULL AND pos > $2
		ORDER BY pos LIMIT $3`, roomID, after, limit+1)
	if len(parents) > limit {
		return parents[:limit], false, err
	}
	return parents, true, err
}

// Relating is who relates to an event, and by which type of relation.
type Relating struct {
	Parent  id.EventID
	RelType string
	Sender  id.UserID
}

// RelatingTo gives who relates to some events, once for each type of relation.
func RelatingTo(tx *db.Tx, parents []id.EventID) (out []Relating, err error) {
	err = db.Chunks(parents, func(chunk []id.EventID) error {
		in := db.In(chunk)
		more, err := db.All(tx, func(r db.Row) (x Relating, err error) {
			err = r.Scan(&x.Parent, &x.RelType, &x.Sender)
			return x, err
		}, `SELECT DISTINCT c.relates_to, c.rel_type, c.sender FROM events c JOIN events p ON p.event_id = c.relates_to AND p.room_id = c.room_id
			WHERE c.relates_to IN (`+in.Marks(1)+`)`, in.Args()...)
		out = append(out, more...)
		return err
	})
	return out, err
}

// Thread is the root of a thread and the position of its newest reply.
type Thread struct {
	Root   id.EventID
	Latest int64
}

// ThreadQuery selects threads of a room. A thread is where its newest reply is.
type ThreadQuery struct {
	RoomID id.RoomID
	// Before is the position up to which threads are given.
	Before int64
	// After and UpTo bound the replies that count; those by Ignored do not.
	After, UpTo int64
	Ignored     []id.UserID
	// Participant, if not empty, wants the threads that this user has started or
	// replied to.
	Participant id.UserID
}

// Threads gives the first threads, at most limit, with the newest reply first.
// Nobody's view is applied.
func Threads(tx *db.Tx, q ThreadQuery, limit int) ([]Thread, error) {
	in := db.In(append([]id.UserID{""}, q.Ignored...))
	return db.All(tx, func(r db.Row) (t Thread, err error) {
		err = r.Scan(&t.Root, &t.Latest)
		return t, err
	}, `SELECT c.relates_to, MAX(c.pos) FROM events c JOIN events p ON p.event_id = c.relates_to AND p.room_id = c.room_id
		WHERE c.room_id = $1 AND c.rel_type = 'm.thread' AND c.pos > $3 AND c.pos <= $4 AND c.sender NOT IN (`+in.Marks(7)+`)
		GROUP BY c.relates_to
		HAVING MAX(c.pos) <= $2 AND ($5 = '' OR MAX(CASE WHEN c.sender = $5 OR p.sender = $5 THEN 1 ELSE 0 END) = 1)
		ORDER BY MAX(c.pos) DESC LIMIT $6`, in.Args(q.RoomID, q.Before, q.After, q.UpTo, q.Participant, limit)...)
}
