package rooms

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/narthex-matrix/narthex/internal/authrules"
	"github.com/narthex-matrix/narthex/internal/bus"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/event"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/secret"
)

// Draft is an event that somebody wants to add to a room.
type Draft struct {
	RoomID   id.RoomID
	Type     string
	StateKey *string
	Sender   id.UserID
	Content  []byte // a JSON object
	Redacts  id.EventID
	// TxnDevice and TxnID say by which request of which device it came, if by one.
	TxnDevice id.DeviceID
	TxnID     string

	suspended bool // the sender may redact their own events and nothing else
}

// room is a room that a transaction writes to. It holds the room's lock.
type room struct {
	s       *Service
	tx      *db.Tx
	id      id.RoomID
	version *event.Version
	head
	// state holds the entries that were asked for; nil for those that do not exist.
	state map[authrules.Key]*event.Event
	// begun says that this transaction made the room: all of its state is in state.
	begun bool
	dirty bool
	// sent is the event that the same request has made before, if it has.
	sent *id.EventID
}

// begin starts a room that does not exist yet. Its id is known once its create
// event is.
func (s *Service) begin(tx *db.Tx, v *event.Version) *room {
	r := &room{s: s, tx: tx, version: v, head: head{version: v.ID}, state: map[authrules.Key]*event.Event{}, begun: true}
	if !v.RoomIDIsCreateEvent {
		r.id = id.RoomID("!" + secret.String(roomIDBytes) + ":" + string(s.server))
	}
	return r
}

// roomIDBytes is the randomness of a room id of versions up to 11.
const roomIDBytes = 18

// create appends the create event and inserts the room.
func (r *room) create(creator id.UserID, content []byte, published bool) error {
	key := ""
	d := Draft{RoomID: r.id, Type: event.TypeCreate, StateKey: &key, Sender: creator, Content: content}
	for ts := r.tx.Now.UnixMilli(); ; ts++ {
		ev, err := event.Build(r.version, event.Draft{
			RoomID: r.id, Type: d.Type, StateKey: d.StateKey, Sender: creator, Content: content, Depth: 1, OriginServerTS: ts,
		}, r.s.signer)
		if err != nil {
			return buildError(err)
		}
		if rejection := authrules.Check(ev, r.get); rejection != nil {
			return r.refuse(rejection, creator)
		}
		inserted, err := insertRoom(r.tx, ev.RoomID, r.version.ID, creator, published)
		if err != nil {
			return err
		}
		// Since version 12 the id is the hash of the create event, and two rooms that
		// somebody makes alike in one millisecond would be one room.
		if !inserted {
			continue
		}
		r.id = ev.RoomID
		_, err = r.store(ev, d)
		return err
	}
}

// load reads the present state of the keys that are not loaded yet: one
// statement, and one more for events that are not kept in memory.
func (r *room) load(keys ...authrules.Key) error {
	var missing []authrules.Key
	for _, k := range keys {
		if _, ok := r.state[k]; !ok {
			missing = append(missing, k)
			r.state[k] = nil
		}
	}
	if len(missing) == 0 || r.begun {
		return nil
	}
	positions, err := currentState(r.tx, r.id, missing)
	if err != nil {
		return err
	}
	return r.loadAt(positions)
}

// loadAt reads the present state at some positions: no statement, but for events that are
// not kept in memory.
func (r *room) loadAt(positions []int64) error {
	places := make([]place, len(positions))
	for i, pos := range positions {
		places[i] = place{pos, r.redactedPos}
	}
	events, err := r.s.eventsAt(r.tx, places)
	for _, st := range events {
		r.state[authrules.Key{Type: st.Type, StateKey: *st.StateKey}] = st.Event
	}
	return err
}

// get is the room's state as the authorization rules read it. The keys that they
// need have been loaded before.
func (r *room) get(eventType, stateKey string) *event.Event {
	return r.state[authrules.Key{Type: eventType, StateKey: stateKey}]
}

var (
	createKey      = authrules.Key{Type: event.TypeCreate}
	levelsKey      = authrules.Key{Type: event.TypePowerLevels}
	joinRulesKey   = authrules.Key{Type: event.TypeJoinRules}
	guestAccessKey = authrules.Key{Type: "m.room.guest_access"}
)

func memberKey(u id.UserID) authrules.Key {
	return authrules.Key{Type: event.TypeMember, StateKey: string(u)}
}

// membership is the present membership of a user, "" for none. The key has been
// loaded before.
func (r *room) membership(u id.UserID) string {
	if ev := r.get(event.TypeMember, string(u)); ev != nil {
		return ev.Membership()
	}
	return ""
}

// levels is the power in the room. Create and power levels have been loaded.
func (r *room) levels() authrules.Levels { return authrules.NewLevels(r.get) }

// append builds, signs, authorizes and stores an event. The room's row is written
// by close.
func (r *room) append(d Draft) (Stored, error) {
	d.RoomID = r.id
	draft := event.Draft{
		RoomID: r.id, Type: d.Type, StateKey: d.StateKey, Sender: d.Sender, Content: d.Content, Redacts: d.Redacts,
		Prev: r.extremities, Depth: r.depth + 1, OriginServerTS: r.tx.Now.UnixMilli(),
	}
	keys := authrules.AuthEventKeys(r.version, draft)
	if err := r.load(append(keys, createKey)...); err != nil {
		return Stored{}, err
	}
	for _, k := range keys {
		if ev := r.state[k]; ev != nil {
			draft.Auth = append(draft.Auth, ev.ID)
		}
	}
	if err := r.referenceHashes(&draft, keys); err != nil {
		return Stored{}, err
	}
	ev, err := event.Build(r.version, draft, r.s.signer)
	if err != nil {
		return Stored{}, buildError(err)
	}
	if rejection := authrules.Check(ev, r.get); rejection != nil {
		return Stored{}, r.refuse(rejection, d.Sender)
	}
	return r.store(ev, d)
}

// referenceHashes adds what events of versions 1 and 2 carry beside the ids.
func (r *room) referenceHashes(d *event.Draft, keys []authrules.Key) error {
	if r.version.Format != event.FormatServer {
		return nil
	}
	d.Hashes = map[id.EventID][sha256.Size]byte{}
	add := func(ev *event.Event) (err error) {
		d.Hashes[ev.ID], err = event.ReferenceHash(r.version, ev.Raw)
		return err
	}
	for _, k := range keys {
		if ev := r.state[k]; ev != nil {
			if err := add(ev); err != nil {
				return err
			}
		}
	}
	for _, prev := range d.Prev {
		st, err := r.s.EventByID(r.tx, r.id, prev)
		if err != nil {
			return err
		}
		if err := add(st.Event); err != nil {
			return err
		}
	}
	return nil
}

func (r *room) store(ev *event.Event, d Draft) (Stored, error) {
	pos, err := r.tx.Next()
	if err != nil {
		return Stored{}, err
	}
	var replaces *int64
	if ev.StateKey != nil {
		if replaces, err = replaceState(r.tx, ev, pos, stateValue(ev)); err != nil {
			return Stored{}, err
		}
		if ev.Type == event.TypeMember {
			if err := r.changeMember(ev, pos); err != nil {
				return Stored{}, err
			}
		}
		r.state[authrules.Key{Type: ev.Type, StateKey: *ev.StateKey}] = ev
	}
	st := Stored{Event: ev, Pos: pos, ReplacesPos: replaces, redactedPos: r.redactedPos}
	if st.RelatesTo, st.RelType = relation(ev.Content); d.TxnID != "" {
		st.TxnDevice, st.TxnID = &d.TxnDevice, &d.TxnID
	}
	if err := insertEvent(r.tx, st); err != nil {
		return Stored{}, err
	}
	r.depth, r.extremities, r.dirty = ev.Depth, []id.EventID{ev.ID}, true
	r.tx.Wake(bus.Room(r.id))
	r.s.events.put(r.tx, st)
	return st, nil
}

// stateValue is the part of a state event that readers ask for without its JSON.
func stateValue(ev *event.Event) *string {
	var value string
	switch ev.Type {
	case event.TypeMember:
		value = ev.Membership()
	case event.TypeHistoryVisibility:
		value = ev.HistoryVisibility()
	case event.TypeJoinRules:
		value = ev.JoinRule()
	default:
		return nil
	}
	return clean(value)
}

// changeMember writes the membership, its counts, and wakes whom it concerns.
func (r *room) changeMember(ev *event.Event, pos int64) error {
	target := id.UserID(*ev.StateKey)
	count := func(membership string, by int64) {
		switch membership {
		case event.Join:
			r.joined += by
		case event.Invite:
			r.invited += by
		}
	}
	count(r.membership(target), -1)
	count(ev.Membership(), +1)
	r.tx.Wake(bus.User(target))
	return setMember(r.tx, ev, pos)
}

// close writes the room's row, if something was appended.
func (r *room) close() error {
	if !r.dirty {
		return nil
	}
	r.dirty = false
	return updateHead(r.tx, r.id, r.head)
}

// Append adds an event to a room as its sender may. Other packages use it; the
// failures are those of the room endpoints.
func (s *Service) Append(tx *db.Tx, d Draft) (Stored, error) {
	var key authrules.Key // of a message, that of no state
	if d.StateKey != nil {
		key = authrules.Key{Type: d.Type, StateKey: *d.StateKey}
	}
	r, err := s.openForState(tx, d.RoomID, d.Sender, key)
	if err != nil {
		return Stored{}, err
	}
	st, err := r.append(d)
	if err != nil {
		return Stored{}, err
	}
	return st, r.close()
}

// notJoined is the one answer to a stranger: the room may exist or not (RE-7).
func notJoined(userID id.UserID, roomID id.RoomID) error {
	return errcode.NotJoined.New("%s is not in room %s. Join it first, or ask for an invite.", userID, roomID)
}

// refuse turns a rejection by the room's rules into a code. The rule's number goes
// to the log.
func (r *room) refuse(rejection *authrules.Rejection, sender id.UserID) error {
	cause := fmt.Errorf("room version %s, authorization rule %s", r.version.ID, rejection.Rule)
	switch rejection.Kind {
	case authrules.NotJoined:
		return notJoined(sender, r.id)
	case authrules.Power:
		return errcode.InsufficientPower.Wrap(cause, "%s", rejection.Reason)
	case authrules.TargetJoined:
		return errcode.AlreadyJoined.Wrap(cause, "%s", rejection.Reason)
	case authrules.Content:
		return errcode.BadJSON.Wrap(cause, "%s", rejection.Reason)
	}
	return errcode.Forbidden.Wrap(cause, "%s", rejection.Reason)
}

// refused reports whether an error is a refusal rather than a failure.
func refused(err error) bool {
	var refusal *errcode.Error
	return errors.As(err, &refusal)
}

func buildError(err error) error {
	var large *event.TooLargeError
	var content *event.ContentError
	switch {
	case errors.As(err, &large):
		return errcode.TooLarge.New("%s", large.Error())
	case errors.As(err, &content):
		return errcode.BadJSON.New("%s", content.Error())
	}
	return err
}
