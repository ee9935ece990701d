package directory

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/rooms"
)

const (
	defaultRooms = 50
	maxRooms     = 500
)

// offset is a token of the directory: how many rooms come before the page. Rooms
// change places as people join, so pages may overlap a little.
type offset int

// UnmarshalText reads a token.
func (o *offset) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 10, 31)
	if err != nil || strconv.FormatUint(n, 10) != string(text) {
		return errors.New("it must be a token from this server")
	}
	*o = offset(n)
	return nil
}

type getPublicRoomsRequest struct {
	Limit  *int           `query:"limit"`
	Since  offset         `query:"since"`
	Server *id.ServerName `query:"server"`
}

type queryPublicRoomsRequest struct {
	Server *id.ServerName    `query:"server"`
	Limit  *int              `json:"limit"`
	Since  string            `json:"since"`
	Filter publicRoomsFilter `json:"filter"`
}

type publicRoomsFilter struct {
	Term string `json:"generic_search_term"`
	// RoomTypes has a nil for rooms without a type; nil means rooms of every type.
	RoomTypes []*string `json:"room_types"`
}

type publicRoomsResponse struct {
	Chunk []publicRoom `json:"chunk"`
	Next  string       `json:"next_batch,omitzero"`
	Prev  string       `json:"prev_batch,omitzero"`
	Total int          `json:"total_room_count_estimate"`
}

func (s *Service) getPublicRooms(ctx context.Context, _ *httpapi.Call, req getPublicRoomsRequest) (publicRoomsResponse, error) {
	return s.publicRooms(ctx, req.Server, req.Limit, int(req.Since), publicRoomsFilter{})
}

func (s *Service) queryPublicRooms(ctx context.Context, _ *httpapi.Call, req queryPublicRoomsRequest) (publicRoomsResponse, error) {
	var since offset
	if req.Since != "" {
		if err := since.UnmarshalText([]byte(req.Since)); err != nil {
			return publicRoomsResponse{}, errcode.InvalidParam.New("The parameter %q is not valid: %s.", "since", err).With("param", "since")
		}
	}
	return s.publicRooms(ctx, req.Server, req.Limit, int(since), req.Filter)
}

// publicRooms gives a page of the directory, the largest rooms first.
func (s *Service) publicRooms(ctx context.Context, server *id.ServerName, limit *int, since int, filter publicRoomsFilter) (out publicRoomsResponse, err error) {
	if server != nil && *server != s.server {
		return out, errcode.NotFound.New("This server cannot ask %s for its rooms: it does not talk to other servers yet.", *server)
	}
	wanted := defaultRooms
	if limit != nil {
		if *limit < 1 {
			return out, errcode.InvalidParam.New("The parameter %q is not valid: it must be at least 1.", "limit").With("param", "limit")
		}
		wanted = min(*limit, maxRooms)
	}
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		out = publicRoomsResponse{}
		list, err := rooms.Published(tx)
		if err != nil {
			return err
		}
		var known map[id.RoomID]*room
		if !filter.isEmpty() {
			if known, err = s.load(tx, "", list); err != nil {
				return err
			}
			list = slices.DeleteFunc(list, func(r id.RoomID) bool { return known[r] == nil || !filter.matches(known[r]) })
		}
		out.Total = len(list)
		from := min(since, len(list))
		to := min(from+wanted, len(list))
		if from > 0 {
			out.Prev = strconv.Itoa(max(0, from-wanted))
		}
		if to < len(list) {
			out.Next = strconv.Itoa(to)
		}
		if list = list[from:to]; known == nil {
			if known, err = s.load(tx, "", list); err != nil {
				return err
			}
		}
		for _, roomID := range list {
			out.Chunk = append(out.Chunk, known[roomID].publicRoom)
		}
		return nil
	})
	return out, err
}

func (f publicRoomsFilter) isEmpty() bool { return f.Term == "" && f.RoomTypes == nil }

func (f publicRoomsFilter) matches(r *room) bool {
	if f.RoomTypes != nil && !slices.ContainsFunc(f.RoomTypes, func(t *string) bool {
		return t == nil && r.RoomType == "" || t != nil && *t == r.RoomType
	}) {
		return false
	}
	term := strings.ToLower(f.Term)
	for _, text := range []string{r.Name, r.Topic, r.CanonicalAlias} {
		if strings.Contains(strings.ToLower(text), term) {
			return true
		}
	}
	return false
}

type visibilityRequest struct {
	RoomID id.RoomID `path:"roomId"`
}

type visibilityResponse struct {
	Visibility string `json:"visibility"`
}

func (s *Service) getRoomVisibilityOnDirectory(ctx context.Context, _ *httpapi.Call, req visibilityRequest) (visibilityResponse, error) {
	out := visibilityResponse{"private"}
	err := s.db.Read(ctx, func(tx *db.Tx) error {
		published, err := rooms.IsPublished(tx, req.RoomID)
		if published {
			out.Visibility = "public"
		}
		return err
	})
	return out, err
}

type setVisibilityRequest struct {
	RoomID     id.RoomID `path:"roomId"`
	Visibility string    `json:"visibility"`
}

type empty struct{}

func (s *Service) setRoomVisibilityOnDirectory(ctx context.Context, call *httpapi.Call, req setVisibilityRequest) (empty, error) {
	if !slices.Contains([]string{"", "public", "private"}, req.Visibility) {
		return empty{}, errcode.InvalidParam.New("The parameter %q is not valid: it must be \"public\" or \"private\".", "visibility").With("param", "visibility")
	}
	return empty{}, s.db.Write(ctx, func(tx *db.Tx) error {
		// Who may say by which name the room is known may say whether it is (RE-90).
		if err := s.rooms.RequireLevel(tx, req.RoomID, call.UserID, "m.room.canonical_alias", "change whether it is in the room directory"); err != nil {
			return err
		}
		publish := req.Visibility != "private"
		if publish && !s.cfg.Rooms.PublicDirectory && !call.Admin {
			return errcode.Forbidden.New("On this server only administrators put rooms into the directory. Ask one of them.")
		}
		return rooms.SetPublished(tx, req.RoomID, publish)
	})
}
