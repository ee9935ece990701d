package rooms

import (
	"slices"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/event"
	"github.com/narthex-matrix/narthex/internal/id"
)

// erasures says whose events a viewer gets as redacted copies: those of accounts
// that were erased before the viewer joined the room (client-server API, Account
// deactivation, "erase"). Whoever joined before keeps what they could see; leaving
// and joining again counts as joining later, and whoever looks in without ever
// having joined sees no more than a newcomer.
//
// State is no exception: what the rules of redaction keep is what rooms need, such
// as memberships, power levels and join rules. The room's own state stays as it is,
// and so do summaries of rooms and stripped state, which tell strangers what a
// room is called at present.
type erasures struct {
	at     map[id.UserID]int64 // of the erased senders
	joined map[id.RoomID]int64 // when the viewer last came to the room
}

// erasures finds what is needed for the events in the lists: in one statement if
// none of the senders was erased, as nearly always, and else in two.
func (s *Service) erasures(tx *db.Tx, viewer id.UserID, lists ...[]Stored) (e erasures, err error) {
	var senders []id.UserID
	for _, list := range lists {
		for _, st := range list {
			if n := len(senders); n == 0 || senders[n-1] != st.Sender {
				senders = append(senders, st.Sender)
			}
		}
	}
	slices.Sort(senders)
	if e.at, err = s.accounts.Erasures(tx, slices.Compact(senders)); err != nil || len(e.at) == 0 {
		return e, err
	}
	var roomIDs []id.RoomID
	for _, list := range lists {
		for _, st := range list {
			if _, erased := e.at[st.Sender]; erased {
				roomIDs = append(roomIDs, st.RoomID)
			}
		}
	}
	slices.Sort(roomIDs)
	e.joined, err = lastJoins(tx, viewer, slices.Compact(roomIDs))
	return e, err
}

// lastJoins gives, for each room in which the user ever was, the position at which
// they last came to it: a join that follows a join is a change of the profile.
func lastJoins(tx *db.Tx, userID id.UserID, roomIDs []id.RoomID) (map[id.RoomID]int64, error) {
	joined := map[id.RoomID]int64{}
	err := db.Chunks(roomIDs, func(chunk []id.RoomID) error {
		in := db.In(chunk)
		return db.Each(tx, func(r db.Row) error {
			var roomID id.RoomID
			var pos int64
			err := r.Scan(&roomID, &pos)
			joined[roomID] = pos
			return err
		}, `SELECT j.room_id, MAX(j.from_pos) FROM room_state j
			WHERE j.type = 'm.room.member' AND j.state_key = $1 AND j.value = 'join' AND j.room_id IN (`+in.Marks(2)+`)
				AND NOT EXISTS (SELECT 1 FROM room_state b WHERE b.room_id = j.room_id AND b.type = 'm.room.member' AND b.state_key = $1
					AND b.until_pos = j.from_pos AND b.value = 'join')
			GROUP BY j.room_id`, in.Args(userID)...)
	})
	return joined, err
}

// seen gives the event as the viewer gets it: whole, or its redacted copy.
func (e erasures) seen(st Stored) (Stored, error) {
	erased, ok := e.at[st.Sender]
	if !ok || st.RedactedBy != nil || neededWhole(st.Event) {
		return st, nil
	}
	if joined, ok := e.joined[st.RoomID]; ok && joined < erased {
		return st, nil
	}
	raw, err := event.Redact(st.Version, st.Raw)
	if err != nil {
		return st, err
	}
	st.Event, err = event.Load(st.Version, st.ID, raw)
	return st, err
}

// neededWhole reports whether the room would work differently for whoever gets a
// redacted copy. Without its algorithm m.room.encryption reads as if the room were
// not encrypted, and the newcomer would write in the clear. Redaction of m.room.create
// loses the room's version and type before room version 11, and nothing since.
func neededWhole(ev *event.Event) bool {
	return ev.IsState(event.TypeCreate) || ev.IsState("m.room.encryption")
}
