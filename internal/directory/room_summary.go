package directory

import (
	"cmp"
	"context"
	"errors"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/event"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
)

// roomIDOrAlias names a room in a path.
type roomIDOrAlias struct {
	roomID id.RoomID
	alias  id.RoomAlias // if roomID is empty
}

// UnmarshalText reads "!…" or "#…".
func (n *roomIDOrAlias) UnmarshalText(text []byte) (err error) {
	switch {
	case len(text) > 0 && text[0] == '#':
		n.alias, err = id.ParseRoomAlias(string(text))
	case len(text) > 0 && text[0] == '!':
		n.roomID, err = id.ParseRoomID(string(text))
	default:
		err = errors.New("it must be a room id or a room alias")
	}
	return err
}

type getRoomSummaryRequest struct {
	Room roomIDOrAlias `path:"roomIdOrAlias"`
}

type getRoomSummaryResponse struct {
	roomSummary
	Membership string `json:"membership,omitzero"`
}

func (s *Service) getRoomSummary(ctx context.Context, call *httpapi.Call, req getRoomSummaryRequest) (out getRoomSummaryResponse, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		roomID := req.Room.roomID
		if roomID == "" {
			if roomID, err = s.rooms.ResolveAlias(tx, req.Room.alias); errors.Is(err, errcode.NotFound) {
				return noRoom()
			} else if err != nil {
				return err
			}
		}
		found, err := s.load(tx, call.UserID, []id.RoomID{roomID})
		if err != nil {
			return err
		}
		r := found[roomID]
		if r == nil || !r.visible {
			return noRoom()
		}
		out.roomSummary = r.roomSummary
		if call.UserID != "" {
			out.Membership = cmp.Or(r.membership, event.Leave)
		}
		return nil
	})
	return out, err
}

func noRoom() error {
	return errcode.NotFound.New("There is no such room, or it is not open to you.")
}
