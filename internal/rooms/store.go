package rooms

import (
	"errors"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/narthex-matrix/narthex/internal/authrules"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/event"
	"github.com/narthex-matrix/narthex/internal/id"
)

// Present is the until_pos of state that holds now.
const Present = 1<<63 - 1

// Stored is an event with what the database knows of it.
type Stored struct {
	*event.Event
	Pos         int64
	ReplacesPos *int64
	RedactedBy  *id.EventID
	RelatesTo   *id.EventID
	RelType     *string
	TxnDevice   *id.DeviceID
	TxnID       *string

	// redactedPos is the position of the newest redaction in its room, as it was when
	// the event was read.
	redactedPos int64
}

// Columns are what ScanEvent reads, from `events e` joined with `rooms r`.
const Columns = `e.pos, e.event_id, e.json, r.version, e.replaces_pos, e.redacted_by, e.relates_to, e.rel_type, e.txn_device, e.txn_id, r.redacted_pos`

// ScanEvent reads a row of Columns.
func ScanEvent(r db.Row) (Stored, error) {
	var st Stored
	var eventID id.EventID
	var raw []byte
	var version string
	if err := r.Scan(&st.Pos, &eventID, &raw, &version, &st.ReplacesPos, &st.RedactedBy, &st.RelatesTo, &st.RelType, &st.TxnDevice, &st.TxnID, &st.redactedPos); err != nil {
		return st, err
	}
	v, _ := event.VersionByID(version) // a room is never made with another
	var err error
	st.Event, err = event.Load(v, eventID, raw)
	return st, err
}

// insertRoom reports false if there is a room of that id.
func insertRoom(tx *db.Tx, roomID id.RoomID, version string, creator id.UserID, published bool) (bool, error) {
	n, err := tx.Exec(`INSERT INTO rooms (room_id, version, creator, created_ts, depth, extremities, joined_count, invited_count, published)
		VALUES ($1, $2, $3, $4, 0, '', 0, 0, $5) ON CONFLICT (room_id) DO NOTHING`, roomID, version, creator, tx.Now.UnixMilli(), published)
	return n > 0, err
}

// movePublication takes a room out of the room directory and reports whether it
// was there.
func movePublication(tx *db.Tx, roomID id.RoomID) (bool, error) {
	n, err := tx.Exec(`UPDATE rooms SET published = FALSE WHERE room_id = $1 AND published`, roomID)
	return n > 0, err
}

// moveAliases makes every alias of a room lead to another.
func moveAliases(tx *db.Tx, from, to id.RoomID) error {
	return tx.Later(`UPDATE room_aliases SET room_id = $2 WHERE room_id = $1`, from, to)
}

func updateHead(tx *db.Tx, roomID id.RoomID, h head) error {
	ids := make([]string, len(h.extremities))
	for i, e := range h.extremities {
		ids[i] = string(e)
	}
	return tx.Later(`UPDATE rooms SET depth = $2, extremities = $3, joined_count = $4, invited_count = $5, redacted_pos = $6 WHERE room_id = $1`,
		roomID, h.depth, strings.Join(ids, " "), h.joined, h.invited, h.redactedPos)
}

// currentState gives the positions of the present entries for the keys, of those that
// exist. The keys come first in a CROSS JOIN, which SQLite does not reorder: each is
// looked up, however much state the room has.
func currentState(tx *db.Tx, roomID id.RoomID, keys []authrules.Key) ([]int64, error) {
	pairs := make([]string, 0, 2*len(keys))
	for _, k := range keys {
		pairs = append(pairs, k.Type, k.StateKey)
	}
	in := db.In(pairs)
	found, err := db.All(tx, db.Scalar[int64], `SELECT st.event_pos FROM (VALUES `+in.Pairs(2)+`) AS k CROSS JOIN room_state st
		WHERE st.room_id = $1 AND st.type = k.column1 AND st.state_key = k.column2 AND st.until_pos = 9223372036854775807`, in.Args(roomID)...)
	slices.Sort(found) // a pair may be repeated
	return slices.Compact(found), err
}

// EventByID gives an event of a room, or db.ErrNoRow.
func (s *Service) EventByID(tx *db.Tx, roomID id.RoomID, eventID id.EventID) (Stored, error) {
	return db.One(tx, ScanEvent, `SELECT `+Columns+` FROM events e JOIN rooms r ON r.room_id = e.room_id WHERE e.event_id = $1 AND e.room_id = $2`, eventID, roomID)
}

func insertEvent(tx *db.Tx, st Stored) error {
	return tx.Later(`INSERT INTO events (pos, event_id, room_id, type, state_key, sender, origin_server_ts, json,
			replaces_pos, redacts, relates_to, rel_type, txn_device, txn_id)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`,
		st.Pos, st.ID, st.RoomID, st.Type, st.StateKey, st.Sender, st.OriginServerTS, st.Raw,
		st.ReplacesPos, null(st.Redacts), st.RelatesTo, st.RelType, st.TxnDevice, st.TxnID)
}

func null[S ~string](s S) *string {
	if s == "" {
		return nil
	}
	text := string(s)
	return &text
}

// relation reads m.relates_to of a content.
func relation(content []byte) (relatesTo *id.EventID, relType *string) {
	if !strings.Contains(string(content), `"m.relates_to"`) {
		return nil, nil
	}
	var c struct {
		RelatesTo struct {
			EventID string `json:"event_id"`
			RelType string `json:"rel_type"`
		} `json:"m.relates_to"`
	}
	if err := json.Unmarshal(content, &c); err != nil || c.RelatesTo.RelType == "" || c.RelatesTo.EventID == "" {
		return nil, nil
	}
	if strings.IndexByte(c.RelatesTo.RelType+c.RelatesTo.EventID, 0) >= 0 {
		return nil, nil // not storable, and no relation
	}
	eventID := id.EventID(c.RelatesTo.EventID)
	return &eventID, &c.RelatesTo.RelType
}

// replaceState makes an event the present state of its key and gives the
// position of the one that it replaces, if there was one.
func replaceState(tx *db.Tx, ev *event.Event, pos int64, value *string) (*int64, error) {
	replaced, err := db.Value[int64](tx, `UPDATE room_state SET until_pos = $4
		WHERE room_id = $1 AND type = $2 AND state_key = $3 AND until_pos = 9223372036854775807 RETURNING event_pos`,
		ev.RoomID, ev.Type, *ev.StateKey, pos)
	var before *int64
	switch {
	case err == nil:
		before = &replaced
	case !errors.Is(err, db.ErrNoRow):
		return nil, err
	}
	err = tx.Later(`INSERT INTO room_state (room_id, type, state_key, from_pos, until_pos, event_pos, event_id, value)
		VALUES ($1, $2, $3, $4, 9223372036854775807, $4, $5, $6)`, ev.RoomID, ev.Type, *ev.StateKey, pos, ev.ID, value)
	return before, err
}

// setMember writes the present membership of a user.
func setMember(tx *db.Tx, ev *event.Event, pos int64) error {
	m := ev.Member()
	return tx.Later(`INSERT INTO room_members (room_id, user_id, membership, event_pos, sender, displayname, avatar_url, forgotten)
		VALUES ($1, $2, $3, $4, $5, $6, $7, FALSE)
		ON CONFLICT (room_id, user_id) DO UPDATE SET membership = excluded.membership, event_pos = excluded.event_pos, sender = excluded.sender,
			displayname = excluded.displayname, avatar_url = excluded.avatar_url, forgotten = FALSE`,
		ev.RoomID, *ev.StateKey, m.Membership, pos, ev.Sender, clean(m.DisplayName), clean(m.AvatarURL))
}

// clean makes a text from an event's content storable in a column.
func clean(s string) *string {
	return null(strings.ReplaceAll(s, "\x00", ""))
}
