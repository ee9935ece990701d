package moderation

import (
	"context"
	"errors"
	"strings"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/event"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/rooms"
)

const maxReason = 8 << 10 // bytes

type empty struct{}

// reasonOf makes the reason of a report storable.
func reasonOf(text *string) (string, error) {
	if text == nil {
		return "", nil
	}
	if len(*text) > maxReason {
		return "", errcode.TooLarge.New("A reason may have at most %d bytes. Say it more briefly.", maxReason)
	}
	return strings.ReplaceAll(*text, "\x00", ""), nil
}

type reportRoomRequest struct {
	RoomID id.RoomID `path:"roomId"`
	Reason *string   `json:"reason" required:"true"`
}

func (s *Service) reportRoom(ctx context.Context, call *httpapi.Call, req reportRoomRequest) (empty, error) {
	reason, err := reasonOf(req.Reason)
	if err != nil {
		return empty{}, err
	}
	return empty{}, s.db.Write(ctx, func(tx *db.Tx) error {
		if _, err := rooms.IsPublished(tx, req.RoomID); errors.Is(err, errcode.NotFound) {
			return nil // which rooms there are is told to nobody
		} else if err != nil {
			return err
		}
		return insertReport(tx, Report{Reporter: call.UserID, RoomID: req.RoomID, Reason: reason})
	})
}

type reportEventRequest struct {
	RoomID  id.RoomID  `path:"roomId"`
	EventID id.EventID `path:"eventId"`
	Reason  *string    `json:"reason"`
}

func (s *Service) reportEvent(ctx context.Context, call *httpapi.Call, req reportEventRequest) (empty, error) {
	reason, err := reasonOf(req.Reason)
	if err != nil {
		return empty{}, err
	}
	return empty{}, s.db.Write(ctx, func(tx *db.Tx) error {
		sender, err := s.senderOf(tx, call.UserID, req.RoomID, req.EventID)
		if err != nil {
			return err
		}
		return insertReport(tx, Report{Reporter: call.UserID, RoomID: req.RoomID, EventID: req.EventID, UserID: sender, Reason: reason})
	})
}

// senderOf gives the sender of an event that a user sees in a room that they are
// in, or fails with NotFound.
func (s *Service) senderOf(tx *db.Tx, userID id.UserID, roomID id.RoomID, eventID id.EventID) (id.UserID, error) {
	membership, err := s.rooms.Membership(tx, roomID, userID)
	if err != nil {
		return "", err
	}
	st, err := s.rooms.EventByID(tx, roomID, eventID)
	if err != nil && !errors.Is(err, db.ErrNoRow) {
		return "", err
	}
	if membership == event.Join && err == nil {
		v, err := s.rooms.View(tx, roomID, userID)
		if err != nil {
			return "", err
		}
		if v.Sees(st.Event, st.Pos) {
			return st.Sender, nil
		}
	}
	return "", errcode.NotFound.New("There is no such event, or you may not see it.")
}

type reportUserRequest struct {
	UserID id.UserID `path:"userId"`
	Reason *string   `json:"reason" required:"true"`
}

func (s *Service) reportUser(ctx context.Context, call *httpapi.Call, req reportUserRequest) (empty, error) {
	reason, err := reasonOf(req.Reason)
	if err != nil {
		return empty{}, err
	}
	return empty{}, s.db.Write(ctx, func(tx *db.Tx) error {
		exists, err := s.accounts.Exists(tx, req.UserID)
		if err != nil {
			return err
		}
		if !exists {
			return errcode.NotFound.New("This server has no user %s.", req.UserID)
		}
		return insertReport(tx, Report{Reporter: call.UserID, UserID: req.UserID, Reason: reason})
	})
}
