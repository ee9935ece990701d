package syncer

import (
	"github.com/go-json-experiment/json/jsontext"

	"github.com/narthex-matrix/narthex/internal/event"
	"github.com/narthex-matrix/narthex/internal/id"
)

// strippedTypes are the state events by which the invited know a room (client-server
// API, Stripped state).
var strippedTypes = []string{
	event.TypeCreate, "m.room.name", "m.room.avatar", "m.room.topic", event.TypeJoinRules,
	"m.room.canonical_alias", "m.room.encryption",
}

// strippedEvent is a state event without all that only members need.
type strippedEvent struct {
	Type     string         `json:"type"`
	StateKey string         `json:"state_key"`
	Sender   id.UserID      `json:"sender"`
	Content  jsontext.Value `json:"content"`
}

// addInvitations writes the invites and knocks, with the stripped state. Invites
// from those whom the user ignores are not told.
func (r *reading) addInvitations() error {
	var roomIDs []id.RoomID
	at := map[id.RoomID]int64{}
	users := map[id.RoomID][]id.UserID{}
	for _, a := range r.asked {
		if !a.knock && r.ignored[a.sender] || !r.filter.Room.MatchesRoom(a.roomID) {
			continue
		}
		roomIDs = append(roomIDs, a.roomID)
		at[a.roomID] = r.to
		users[a.roomID] = []id.UserID{r.userID, a.sender}
	}
	if len(roomIDs) == 0 {
		return nil
	}
	state, err := r.s.rooms.RoomState(r.tx, roomIDs)
	if err != nil {
		return err
	}
	members, err := r.s.rooms.MembersIn(r.tx, at, users)
	if err != nil {
		return err
	}
	for _, a := range r.asked {
		if at[a.roomID] == 0 {
			continue
		}
		var list eventList
		for _, t := range strippedTypes {
			if ev := state[a.roomID][t]; ev != nil {
				if err := list.strip(ev); err != nil {
					return err
				}
			}
		}
		for _, ev := range members[a.roomID] {
			if err := list.strip(ev.Event); err != nil {
				return err
			}
		}
		if a.knock {
			r.answer.Rooms.Knock[a.roomID] = &knockedRoom{list}
		} else {
			r.answer.Rooms.Invite[a.roomID] = &invitedRoom{list}
		}
	}
	return nil
}

func (l *eventList) strip(ev *event.Event) error {
	return l.add(strippedEvent{ev.Type, *ev.StateKey, ev.Sender, jsontext.Value(ev.Content)})
}
