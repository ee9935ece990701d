package admin

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/event"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/rooms"
)

// roomResponse is a room as Synapse's tools read it. Every member of a room is a
// user of this server, as long as it does not federate.
type roomResponse struct {
	RoomID             id.RoomID `json:"room_id"`
	Name               *string   `json:"name"`
	CanonicalAlias     *string   `json:"canonical_alias"`
	JoinedMembers      int64     `json:"joined_members"`
	JoinedLocalMembers int64     `json:"joined_local_members"`
	Version            string    `json:"version"`
	Creator            id.UserID `json:"creator"`
	Encryption         *string   `json:"encryption"`
	Federatable        bool      `json:"federatable"`
	Public             bool      `json:"public"`
	JoinRules          *string   `json:"join_rules"`
	GuestAccess        *string   `json:"guest_access"`
	HistoryVisibility  *string   `json:"history_visibility"`
	StateEvents        int64     `json:"state_events"`
	RoomType           *string   `json:"room_type"`
}

// state is the state of one room by event type, for what has no state key.
type state map[string]*event.Event

func (s state) text(eventType, member string) *string {
	if s[eventType] == nil {
		return nil
	}
	return orNull(rooms.ContentText(s[eventType].Raw, member))
}

// describeRooms makes the answers for a page of rooms, with one statement for the
// state of all and one for its size.
func (s *Service) describeRooms(tx *db.Tx, page []rooms.Overview) ([]roomResponse, map[id.RoomID]map[string]*event.Event, error) {
	ids := make([]id.RoomID, len(page))
	for i, o := range page {
		ids[i] = o.RoomID
	}
	states, err := s.rooms.RoomState(tx, ids)
	if err != nil {
		return nil, nil, err
	}
	counts, err := s.rooms.StateCounts(tx, ids)
	if err != nil {
		return nil, nil, err
	}
	out := make([]roomResponse, len(page))
	for i, o := range page {
		st := state(states[o.RoomID])
		out[i] = roomResponse{
			RoomID: o.RoomID, Name: orNull(o.Name), CanonicalAlias: orNull(o.CanonicalAlias),
			JoinedMembers: o.Joined, JoinedLocalMembers: o.Joined, Version: o.Version, Creator: o.Creator, Public: o.Published,
			Encryption: st.text("m.room.encryption", "algorithm"), JoinRules: st.text(event.TypeJoinRules, "join_rule"),
			GuestAccess: st.text("m.room.guest_access", "guest_access"), HistoryVisibility: st.text(event.TypeHistoryVisibility, "history_visibility"),
			StateEvents: counts[o.RoomID], RoomType: st.text(event.TypeCreate, "type"),
		}
		if create := st[event.TypeCreate]; create != nil {
			out[i].Federatable = create.Create().Federate
		}
	}
	return out, states, nil
}

type listRoomsRequest struct {
	From       *int64 `query:"from"`
	Limit      *int64 `query:"limit"`
	OrderBy    string `query:"order_by"`
	Dir        string `query:"dir"`
	SearchTerm string `query:"search_term"`
	Public     *bool  `query:"public_rooms"`
	Empty      *bool  `query:"empty_rooms"`
}

type listRoomsResponse struct {
	Rooms     []roomResponse `json:"rooms"`
	Offset    int64          `json:"offset"`
	Total     int64          `json:"total_rooms"`
	NextBatch *int64         `json:"next_batch,omitzero"`
	PrevBatch *int64         `json:"prev_batch,omitzero"`
}

func (s *Service) listRooms(ctx context.Context, _ *httpapi.Call, req listRoomsRequest) (resp listRoomsResponse, err error) {
	from, limit, err := page(req.From, req.Limit)
	if err != nil {
		return resp, err
	}
	order, err := roomOrder(req.OrderBy, req.Dir)
	if err != nil {
		return resp, err
	}
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		all, err := s.rooms.Overviews(tx)
		if err != nil {
			return err
		}
		found := slices.DeleteFunc(all, func(o rooms.Overview) bool { return !req.matches(o) })
		slices.SortFunc(found, order)
		total := int64(len(found))
		start, end := min(from, total), min(from+limit, total)
		resp = listRoomsResponse{Offset: from, Total: total}
		if end < total {
			resp.NextBatch = &end
		}
		if start > 0 {
			previous := max(0, start-limit)
			resp.PrevBatch = &previous
		}
		resp.Rooms, _, err = s.describeRooms(tx, found[start:end])
		return err
	})
	return resp, err
}

// matches applies the filters. A search looks into the name and the localpart of
// the alias in any case, and into the room ID as it is.
func (r listRoomsRequest) matches(o rooms.Overview) bool {
	if r.Public != nil && *r.Public != o.Published || r.Empty != nil && *r.Empty != (o.Joined == 0) {
		return false
	}
	term := strings.ToLower(r.SearchTerm)
	localpart, _, _ := strings.Cut(o.CanonicalAlias, ":")
	return strings.Contains(strings.ToLower(o.Name), term) || strings.Contains(strings.ToLower(localpart), term) ||
		strings.Contains(string(o.RoomID), r.SearchTerm)
}

// roomOrder compares rooms as order_by and dir say: sizes from the largest, texts
// by the alphabet, those that are alike by their IDs.
func roomOrder(by, dir string) (func(a, b rooms.Overview) int, error) {
	var compare func(a, b rooms.Overview) int
	switch by {
	case "", "name", "alphabetical":
		compare = func(a, b rooms.Overview) int {
			return cmp.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name))
		}
	case "canonical_alias":
		compare = func(a, b rooms.Overview) int { return cmp.Compare(a.CanonicalAlias, b.CanonicalAlias) }
	case "joined_members", "joined_local_members", "size":
		compare = func(a, b rooms.Overview) int { return cmp.Compare(b.Joined, a.Joined) }
	case "version":
		compare = func(a, b rooms.Overview) int {
			return cmp.Or(cmp.Compare(len(b.Version), len(a.Version)), cmp.Compare(b.Version, a.Version))
		}
	case "creator":
		compare = func(a, b rooms.Overview) int { return cmp.Compare(a.Creator, b.Creator) }
	default:
		return nil, invalid("order_by", "the server can sort by name, canonical_alias, joined_members, version and creator")
	}
	backwards, err := isBackwards(dir)
	return func(a, b rooms.Overview) int {
		first := compare(a, b)
		if backwards {
			first = -first
		}
		return cmp.Or(first, cmp.Compare(a.RoomID, b.RoomID))
	}, err
}

type roomRequest struct {
	RoomID id.RoomID `path:"roomId"`
}

// roomDetails is roomResponse with what is shown of a single room only.
type roomDetails struct {
	roomResponse
	Topic              *string `json:"topic"`
	Avatar             *string `json:"avatar"`
	JoinedLocalDevices int     `json:"joined_local_devices"`
	Forgotten          bool    `json:"forgotten"`
	Tombstoned         bool    `json:"tombstoned"`
	ReplacementRoom    *string `json:"replacement_room"`
}

func (s *Service) getRoom(ctx context.Context, _ *httpapi.Call, req roomRequest) (resp roomDetails, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		o, err := s.rooms.Overview(tx, req.RoomID)
		if errors.Is(err, db.ErrNoRow) {
			return noSuchRoom()
		}
		if err != nil {
			return err
		}
		described, states, err := s.describeRooms(tx, []rooms.Overview{o})
		if err != nil {
			return err
		}
		st := state(states[o.RoomID])
		resp = roomDetails{
			roomResponse: described[0], Topic: st.text("m.room.topic", "topic"), Avatar: st.text("m.room.avatar", "url"),
			Tombstoned: st["m.room.tombstone"] != nil, ReplacementRoom: st.text("m.room.tombstone", "replacement_room"),
		}
		members, err := rooms.JoinedMembers(tx, o.RoomID)
		if err != nil {
			return err
		}
		devices, err := s.accounts.Devices(tx, members...)
		if err != nil {
			return err
		}
		resp.JoinedLocalDevices = len(devices)
		resp.Forgotten, err = s.rooms.IsForgotten(tx, o.RoomID)
		return err
	})
	return resp, err
}

func noSuchRoom() error { return errcode.NotFound.New("This server has no such room.") }

type getRoomMembersResponse struct {
	Members []id.UserID `json:"members"`
	Total   int         `json:"total"`
}

func (s *Service) getRoomMembers(ctx context.Context, _ *httpapi.Call, req roomRequest) (resp getRoomMembersResponse, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		_, err := s.rooms.Overview(tx, req.RoomID)
		if errors.Is(err, db.ErrNoRow) {
			return noSuchRoom()
		}
		if err != nil {
			return err
		}
		resp.Members, err = rooms.JoinedMembers(tx, req.RoomID)
		resp.Total = len(resp.Members)
		return err
	})
	return resp, err
}
