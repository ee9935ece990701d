package accountdata

import (
	"context"
	"errors"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
)

// The types of account data that the server writes and clients only read
// (client-server API, Client Config, "Server Behaviour").
const (
	TypeFullyRead = "m.fully_read"
	TypePushRules = "m.push_rules"
)

// The types that the server reads.
const (
	typeTag          = "m.tag"
	typeIgnoredUsers = "m.ignored_user_list"
)

const maxType = 255 // bytes, as for the types of events

type accountDataRequest struct {
	UserID id.UserID `path:"userId"`
	Type   string    `path:"type"`
}

type setAccountDataRequest struct {
	UserID  id.UserID      `path:"userId"`
	Type    string         `path:"type"`
	Content jsontext.Value `body:"*"`
}

type roomDataRequest struct {
	UserID id.UserID `path:"userId"`
	RoomID id.RoomID `path:"roomId"`
	Type   string    `path:"type"`
}

type setRoomDataRequest struct {
	UserID  id.UserID      `path:"userId"`
	RoomID  id.RoomID      `path:"roomId"`
	Type    string         `path:"type"`
	Content jsontext.Value `body:"*"`
}

type emptyResponse struct{}

func (s *Service) setAccountData(ctx context.Context, call *httpapi.Call, req setAccountDataRequest) (emptyResponse, error) {
	return s.set(ctx, call, setRoomDataRequest{UserID: req.UserID, Type: req.Type, Content: req.Content})
}

func (s *Service) setAccountDataPerRoom(ctx context.Context, call *httpapi.Call, req setRoomDataRequest) (emptyResponse, error) {
	return s.set(ctx, call, req)
}

func (s *Service) getAccountData(ctx context.Context, call *httpapi.Call, req accountDataRequest) (jsontext.Value, error) {
	return s.get(ctx, call, roomDataRequest{UserID: req.UserID, Type: req.Type})
}

func (s *Service) getAccountDataPerRoom(ctx context.Context, call *httpapi.Call, req roomDataRequest) (jsontext.Value, error) {
	return s.get(ctx, call, req)
}

// set stores account data; without a room ID it is the global one.
func (s *Service) set(ctx context.Context, call *httpapi.Call, req setRoomDataRequest) (emptyResponse, error) {
	if err := own(call, req.UserID); err != nil {
		return emptyResponse{}, err
	}
	switch {
	case req.Type == TypeFullyRead || req.Type == TypePushRules:
		return emptyResponse{}, errcode.ServerManaged.New("The server writes %s itself. Use the read markers or push rules endpoints to change it.", req.Type)
	case len(req.Type) > maxType:
		return emptyResponse{}, errcode.InvalidParam.New("The type of account data may have at most %d bytes.", maxType).With("param", "type")
	}
	if err := req.Content.Compact(); err != nil {
		return emptyResponse{}, err // the body has been checked
	}
	return emptyResponse{}, s.db.Write(ctx, func(tx *db.Tx) error {
		return s.Put(tx, req.UserID, req.RoomID, req.Type, req.Content)
	})
}

func (s *Service) get(ctx context.Context, call *httpapi.Call, req roomDataRequest) (content jsontext.Value, err error) {
	if err := own(call, req.UserID); err != nil {
		return nil, err
	}
	err = s.db.ReadBriefly(ctx, func(tx *db.Tx) error {
		content, err = s.Get(tx, req.UserID, req.RoomID, req.Type)
		return err
	})
	if errors.Is(err, db.ErrNoRow) {
		return nil, errcode.NotFound.New("There is no account data of this type. Store it first.")
	}
	return content, err
}
