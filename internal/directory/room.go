package directory

import (
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/event"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/rooms"
)

// publicRoom is a room in a list (client-server API, PublishedRoomsChunk).
type publicRoom struct {
	RoomID         id.RoomID `json:"room_id"`
	Joined         int64     `json:"num_joined_members"`
	WorldReadable  bool      `json:"world_readable"`
	GuestCanJoin   bool      `json:"guest_can_join"`
	Name           string    `json:"name,omitzero"`
	Topic          string    `json:"topic,omitzero"`
	CanonicalAlias string    `json:"canonical_alias,omitzero"`
	AvatarURL      string    `json:"avatar_url,omitzero"`
	JoinRule       string    `json:"join_rule,omitzero"`
	RoomType       string    `json:"room_type,omitzero"`
}

// roomSummary is a room by itself (client-server API, RoomSummary).
type roomSummary struct {
	publicRoom
	AllowedRoomIDs []id.RoomID `json:"allowed_room_ids,omitzero"`
	Encryption     string      `json:"encryption,omitzero"`
	RoomVersion    string      `json:"room_version,omitzero"`
}

// room is a room as one user finds it.
type room struct {
	roomSummary
	membership string // of the user; "" for none
	visible    bool   // the user may know of it
}

const space = "m.space"

// load describes those of some rooms that exist, for a user; an empty user id is
// anybody. It takes a fixed number of statements.
func (s *Service) load(tx *db.Tx, userID id.UserID, roomIDs []id.RoomID) (map[id.RoomID]*room, error) {
	listings, err := rooms.Listings(tx, roomIDs, userID)
	if err != nil {
		return nil, err
	}
	state, err := s.rooms.RoomState(tx, roomIDs)
	if err != nil {
		return nil, err
	}
	out := make(map[id.RoomID]*room, len(listings))
	var allowed []id.RoomID
	for roomID, l := range listings {
		out[roomID] = describe(roomID, l, state[roomID])
		allowed = append(allowed, out[roomID].AllowedRoomIDs...)
	}
	joined, err := rooms.JoinedAmong(tx, userID, allowed)
	for _, r := range out {
		r.visible = r.isVisible(joined)
	}
	return out, err
}

func describe(roomID id.RoomID, l rooms.Listing, state map[string]*event.Event) *room {
	text := func(eventType, member string) string {
		ev := state[eventType]
		if ev == nil {
			return ""
		}
		return rooms.ContentText(ev.Raw, member)
	}
	r := &room{membership: l.Membership}
	r.RoomID, r.Joined, r.RoomVersion = roomID, l.Joined, l.Version
	r.Name, r.Topic, r.AvatarURL = text("m.room.name", "name"), text("m.room.topic", "topic"), text("m.room.avatar", "url")
	r.CanonicalAlias, r.Encryption = text("m.room.canonical_alias", "alias"), text("m.room.encryption", "algorithm")
	r.GuestCanJoin = text("m.room.guest_access", "guest_access") == "can_join"
	if ev := state[event.TypeHistoryVisibility]; ev != nil {
		r.WorldReadable = ev.HistoryVisibility() == "world_readable"
	}
	if ev := state[event.TypeCreate]; ev != nil {
		r.RoomType = ev.Create().Type
	}
	r.JoinRule = "invite" // without the event
	if ev := state[event.TypeJoinRules]; ev != nil {
		r.JoinRule = ev.JoinRule()
		for _, condition := range ev.JoinRules().Allow {
			if condition.Type == "m.room_membership" && condition.RoomID != "" {
				r.AllowedRoomIDs = append(r.AllowedRoomIDs, condition.RoomID)
			}
		}
	}
	return r
}

// isVisible reports whether the user may know of the room. joined are the rooms
// that the user is in, of those that join rules name.
func (r *room) isVisible(joined map[id.RoomID]bool) bool {
	if r.WorldReadable || r.membership == event.Join || r.membership == event.Invite {
		return true
	}
	if r.membership == event.Ban {
		return false
	}
	switch r.JoinRule {
	case "public", "knock", "knock_restricted":
		return true
	case "restricted":
		for _, a := range r.AllowedRoomIDs {
			if joined[a] {
				return true
			}
		}
	}
	return false
}
