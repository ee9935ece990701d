package rooms

import (
	"context"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/event"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
)

type getMembersByRoomRequest struct {
	RoomID        id.RoomID `path:"roomId"`
	At            string    `query:"at"`
	Membership    string    `query:"membership"`
	NotMembership string    `query:"not_membership"`
}

type getMembersByRoomResponse struct {
	Chunk []jsontext.Value `json:"chunk"`
}

func (s *Service) getMembersByRoom(ctx context.Context, call *httpapi.Call, req getMembersByRoomRequest) (out getMembersByRoomResponse, err error) {
	for _, p := range [][2]string{{"membership", req.Membership}, {"not_membership", req.NotMembership}} {
		if !slices.Contains([]string{"", event.Join, event.Invite, event.Leave, event.Ban, event.Knock}, p[1]) {
			return out, errcode.InvalidParam.New("The parameter %q is not valid: it must be one of join, invite, leave, ban and knock.", p[0]).With("param", p[0])
		}
	}
	wanted := int64(Present)
	if req.At != "" {
		if wanted, err = ParsePosition(req.At); err != nil {
			return out, errcode.InvalidParam.New("The parameter %q is not valid: it must be a token from this server.", "at").With("param", "at")
		}
	}
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		at, err := s.readableAt(tx, req.RoomID, call.UserID, wanted)
		if err != nil {
			return err
		}
		state, err := s.membersAt(tx, req.RoomID, at, req.Membership, req.NotMembership)
		if err != nil {
			return err
		}
		out.Chunk, err = s.ClientEvents(tx, Viewer{UserID: call.UserID, DeviceID: call.DeviceID}, state)
		return err
	})
	return out, err
}

// readableAt is ReadableAt for one who asks for an earlier time: it must be one
// of which they may read.
func (s *Service) readableAt(tx *db.Tx, roomID id.RoomID, userID id.UserID, wanted int64) (int64, error) {
	at, err := s.ReadableAt(tx, roomID, userID)
	if err != nil || at <= wanted {
		return at, err
	}
	v, err := s.View(tx, roomID, userID)
	if err == nil && !v.seesAt(wanted) {
		err = notJoined(userID, roomID)
	}
	return wanted, err
}

func (s *Service) membersAt(tx *db.Tx, roomID id.RoomID, at int64, membership, notMembership string) ([]Stored, error) {
	const members = positionsIn + `SELECT st.event_pos AS pos FROM room_state st WHERE st.room_id = r.room_id AND st.type = 'm.room.member' AND ($2 = '' OR st.value = $2) AND ($3 = '' OR st.value <> $3)`
	if at == Present {
		return s.eventsOf(tx, members+` AND st.until_pos = 9223372036854775807`+ofRoom, roomID, membership, notMembership)
	}
	return s.eventsOf(tx, members+` AND st.from_pos <= $4 AND st.until_pos > $4`+ofRoom, roomID, membership, notMembership, at)
}

type roomRequest struct {
	RoomID id.RoomID `path:"roomId"`
}

type roomMember struct {
	DisplayName *string `json:"display_name,omitzero"`
	AvatarURL   *string `json:"avatar_url,omitzero"`
}

type getJoinedMembersResponse struct {
	Joined map[id.UserID]roomMember `json:"joined"`
}

func (s *Service) getJoinedMembersByRoom(ctx context.Context, call *httpapi.Call, req roomRequest) (getJoinedMembersResponse, error) {
	out := getJoinedMembersResponse{Joined: map[id.UserID]roomMember{}}
	err := s.db.Read(ctx, func(tx *db.Tx) error {
		at, err := s.ReadableAt(tx, req.RoomID, call.UserID)
		if err != nil {
			return err
		}
		if at != Present {
			return notJoined(call.UserID, req.RoomID)
		}
		return db.Each(tx, func(r db.Row) error {
			var u id.UserID
			var m roomMember
			err := r.Scan(&u, &m.DisplayName, &m.AvatarURL)
			out.Joined[u] = m
			return err
		}, `SELECT user_id, displayname, avatar_url FROM room_members WHERE room_id = $1 AND membership = 'join'`, req.RoomID)
	})
	return out, err
}

type joinedRoomsRequest struct{}

type getJoinedRoomsResponse struct {
	JoinedRooms []id.RoomID `json:"joined_rooms"`
}

func (s *Service) getJoinedRooms(ctx context.Context, call *httpapi.Call, _ joinedRoomsRequest) (out getJoinedRoomsResponse, err error) {
	err = s.db.ReadBriefly(ctx, func(tx *db.Tx) (err error) {
		out.JoinedRooms, err = JoinedRooms(tx, call.UserID)
		return err
	})
	return out, err
}

// JoinedRooms lists the rooms that a user is in.
func JoinedRooms(tx *db.Tx, userID id.UserID) ([]id.RoomID, error) {
	return db.All(tx, db.Scalar[id.RoomID], `SELECT room_id FROM room_members WHERE user_id = $1 AND membership = 'join' ORDER BY event_pos`, userID)
}

// JoinedMembers lists the users who are in a room.
func JoinedMembers(tx *db.Tx, roomID id.RoomID) ([]id.UserID, error) {
	return db.All(tx, db.Scalar[id.UserID], `SELECT user_id FROM room_members WHERE room_id = $1 AND membership = 'join' ORDER BY event_pos`, roomID)
}

func (s *Service) forgetRoom(ctx context.Context, call *httpapi.Call, req roomRequest) (empty, error) {
	return empty{}, s.db.Write(ctx, func(tx *db.Tx) error {
		m, err := s.Membership(tx, req.RoomID, call.UserID)
		if err != nil {
			return err
		}
		switch m {
		case event.Leave, event.Ban:
		case "":
			return notJoined(call.UserID, req.RoomID)
		default:
			return errcode.NotForgettable.New("Leave the room before you forget it.")
		}
		return tx.Later(`UPDATE room_members SET forgotten = TRUE WHERE room_id = $1 AND user_id = $2`, req.RoomID, call.UserID)
	})
}
