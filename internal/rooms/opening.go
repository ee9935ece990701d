package rooms

import (
	"errors"
	"fmt"
	"strings"

	"github.com/narthex-matrix/narthex/internal/authrules"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/event"
	"github.com/narthex-matrix/narthex/internal/id"
)

// unknownVersion is the failure of opening a room of a version that this server
// does not know: one of a newer server over the same database.
type unknownVersion string

// Error names the version.
func (v unknownVersion) Error() string {
	return fmt.Sprintf("the room has the unknown version %q", string(v))
}

// open takes the room's lock and reads its head, to write to it. It fails with
// db.ErrNoRow if there is no such room.
func (s *Service) open(tx *db.Tx, roomID id.RoomID) (*room, error) {
	if err := tx.Lock("room", string(roomID)); err != nil {
		return nil, err
	}
	return s.look(tx, roomID)
}

// openFor is open for who wants to change something: read gives the head with the state
// of the keys. An unknown room is refused in the words for a room that one is not in.
func (s *Service) openFor(tx *db.Tx, roomID id.RoomID, sender id.UserID, read func() (opened, error), keys []authrules.Key) (*room, error) {
	if err := tx.Lock("room", string(roomID)); err != nil {
		return nil, err
	}
	o, err := read()
	if errors.Is(err, db.ErrNoRow) {
		return nil, notJoined(sender, roomID)
	}
	if err != nil {
		return nil, err
	}
	r, err := s.opened(tx, roomID, o)
	if err != nil {
		return nil, err
	}
	positions := make([]int64, 0, len(keys))
	for i, key := range keys {
		r.state[key] = nil
		if pos := o.state[i]; pos != nil {
			positions = append(positions, *pos)
		}
	}
	return r, r.loadAt(positions)
}

// openForState opens a room for an event that becomes the state of a key.
func (s *Service) openForState(tx *db.Tx, roomID id.RoomID, sender id.UserID, key authrules.Key) (*room, error) {
	read := func() (opened, error) { return headForState(tx, roomID, sender, key) }
	return s.openFor(tx, roomID, sender, read, whoMayKeys(sender, key))
}

// look is open for those who only read.
func (s *Service) look(tx *db.Tx, roomID id.RoomID) (*room, error) {
	o, err := roomHead(tx, roomID)
	if err != nil {
		return nil, err
	}
	return s.opened(tx, roomID, o)
}

// opened gives a room whose head was read.
func (s *Service) opened(tx *db.Tx, roomID id.RoomID, o opened) (*room, error) {
	v, ok := event.VersionByID(o.version)
	if !ok {
		return nil, unknownVersion(o.version)
	}
	return &room{s: s, tx: tx, id: roomID, version: v, head: o.head, sent: o.sent, state: map[authrules.Key]*event.Event{}}, nil
}

// head is the row of a room that an append reads and writes.
type head struct {
	version     string
	depth       int64
	extremities []id.EventID
	joined      int64
	invited     int64
	redactedPos int64
}

// opened is what a change of a room begins with: its head, the positions of the state that
// the change looks at, nil for what is not there, and the event that the request made
// before.
type opened struct {
	head
	state []*int64
	sent  *id.EventID
}

// scanOpened reads the columns of a head, and n positions after them; and at last sent.
func scanOpened(n int) func(db.Row) (opened, error) {
	return func(r db.Row) (o opened, err error) {
		var extremities string
		o.state = make([]*int64, n)
		places := append(make([]any, 0, 12), &o.version, &o.depth, &extremities, &o.joined, &o.invited, &o.redactedPos)
		for i := range o.state {
			places = append(places, &o.state[i])
		}
		err = r.Scan(append(places, &o.sent)...)
		for e := range strings.FieldsSeq(extremities) {
			o.extremities = append(o.extremities, id.EventID(e))
		}
		return o, err
	}
}

// A change of a room reads its head and the state that it looks at in one statement.
const (
	headColumns = `SELECT r.version, r.depth, r.extremities, r.joined_count, r.invited_count, r.redacted_pos, `
	present     = `(SELECT st.event_pos FROM room_state st WHERE st.room_id = r.room_id AND st.until_pos = 9223372036854775807 AND st.type = `
	// whoMay is what each event's sender is looked at by; $2 is the sender.
	whoMay = present + `'m.room.create' AND st.state_key = ''), ` + present + `'m.room.power_levels' AND st.state_key = ''), ` +
		present + `'m.room.member' AND st.state_key = $2), `
	ofHead = ` FROM rooms r WHERE r.room_id = $1`
)

// whoMayKeys are the keys of whoMay.
func whoMayKeys(sender id.UserID, more ...authrules.Key) []authrules.Key {
	return append([]authrules.Key{createKey, levelsKey, memberKey(sender)}, more...)
}

func roomHead(tx *db.Tx, roomID id.RoomID) (opened, error) {
	return db.One(tx, scanOpened(0), headColumns+`NULL`+ofHead, roomID)
}

// headForMessage finds also what the device sent with the transaction id before.
func headForMessage(tx *db.Tx, d Draft) (opened, error) {
	return db.One(tx, scanOpened(3), headColumns+whoMay+`(SELECT e.event_id FROM events e WHERE e.sender = $2 AND e.txn_device = $3 AND e.txn_id = $4
			AND e.room_id = r.room_id AND e.type = $5 AND COALESCE(e.redacts, '') = $6 LIMIT 1)`+ofHead,
		d.RoomID, d.Sender, d.TxnDevice, d.TxnID, d.Type, d.Redacts)
}

// headForState is for an event that becomes the present state of a key.
func headForState(tx *db.Tx, roomID id.RoomID, sender id.UserID, key authrules.Key) (opened, error) {
	return db.One(tx, scanOpened(4), headColumns+whoMay+present+`$3 AND st.state_key = $4), NULL`+ofHead, roomID, sender, key.Type, key.StateKey)
}

// headForMembership is for a change of the membership of a target.
func headForMembership(tx *db.Tx, roomID id.RoomID, sender, target id.UserID) (opened, error) {
	return db.One(tx, scanOpened(5), headColumns+whoMay+present+`'m.room.join_rules' AND st.state_key = ''), `+
		present+`'m.room.member' AND st.state_key = $3), NULL`+ofHead, roomID, sender, target)
}
