package accountdata

import (
	"context"
	"errors"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
)

// The limits of tags: the name's is the specification's, the others are ours.
const (
	maxTagName = 255     // bytes
	maxTag     = 4 << 10 // bytes of the body
	maxTags    = 100     // of one room
)

type roomTagsRequest struct {
	UserID id.UserID `path:"userId"`
	RoomID id.RoomID `path:"roomId"`
}

// tagContent is the content of m.tag: each tag has an object that may say more
// about it.
type tagContent struct {
	Tags map[string]jsontext.Value `json:"tags"`
}

type setRoomTagRequest struct {
	UserID id.UserID      `path:"userId"`
	RoomID id.RoomID      `path:"roomId"`
	Tag    string         `path:"tag"`
	Body   jsontext.Value `body:"*"`
}

type deleteRoomTagRequest struct {
	UserID id.UserID `path:"userId"`
	RoomID id.RoomID `path:"roomId"`
	Tag    string    `path:"tag"`
}

func (s *Service) getRoomTags(ctx context.Context, call *httpapi.Call, req roomTagsRequest) (resp tagContent, err error) {
	if err := own(call, req.UserID); err != nil {
		return resp, err
	}
	err = s.db.ReadBriefly(ctx, func(tx *db.Tx) error {
		resp, err = s.tags(tx, req.UserID, req.RoomID)
		return err
	})
	return resp, err
}

func (s *Service) setRoomTag(ctx context.Context, call *httpapi.Call, req setRoomTagRequest) (emptyResponse, error) {
	if err := own(call, req.UserID); err != nil {
		return emptyResponse{}, err
	}
	if len(req.Tag) > maxTagName {
		return emptyResponse{}, errcode.InvalidParam.New("The name of a tag may have at most %d bytes.", maxTagName).With("param", "tag")
	}
	if err := checkTag(req.Body); err != nil {
		return emptyResponse{}, err
	}
	return emptyResponse{}, s.changeTags(ctx, req.UserID, req.RoomID, func(tags map[string]jsontext.Value) error {
		if tags[req.Tag] == nil && len(tags) >= maxTags {
			return errcode.InvalidParam.New("A room may have at most %d tags. Remove one first.", maxTags).With("param", "tag")
		}
		tags[req.Tag] = req.Body
		return nil
	})
}

// checkTag checks the order, which places the room among others with the tag.
func checkTag(body jsontext.Value) error {
	var tag struct {
		Order jsontext.Value `json:"order"`
	}
	if err := json.Unmarshal(body, &tag); err != nil {
		return err // an object, whose members are raw
	}
	if tag.Order == nil {
		return nil
	}
	var order float64
	if tag.Order.Kind() != '0' || json.Unmarshal(tag.Order, &order) != nil {
		return errcode.BadJSON.New(`"order" must be a number.`).With("param", "order")
	}
	if order < 0 || order > 1 {
		return errcode.InvalidParam.New(`"order" must be from 0 to 1.`).With("param", "order")
	}
	return nil
}

func (s *Service) deleteRoomTag(ctx context.Context, call *httpapi.Call, req deleteRoomTagRequest) (emptyResponse, error) {
	if err := own(call, req.UserID); err != nil {
		return emptyResponse{}, err
	}
	return emptyResponse{}, s.changeTags(ctx, req.UserID, req.RoomID, func(tags map[string]jsontext.Value) error {
		delete(tags, req.Tag)
		return nil
	})
}

// changeTags rewrites the tags of a room; change may run more than once.
func (s *Service) changeTags(ctx context.Context, userID id.UserID, roomID id.RoomID, change func(map[string]jsontext.Value) error) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		if err := tx.Lock("tags", string(userID)); err != nil { // two clients may tag at once
			return err
		}
		content, err := s.tags(tx, userID, roomID)
		if err != nil {
			return err
		}
		before := len(content.Tags)
		if err := change(content.Tags); err != nil {
			return err
		}
		if before == 0 && len(content.Tags) == 0 {
			return nil // nothing was removed from nothing
		}
		raw, err := json.Marshal(content, json.Deterministic(true))
		if err != nil {
			return err
		}
		return s.Put(tx, userID, roomID, typeTag, raw)
	})
}

// tags reads m.tag. Clients may have written anything there as account data; what
// is not of the specified shape counts as no tags.
func (s *Service) tags(tx *db.Tx, userID id.UserID, roomID id.RoomID) (tagContent, error) {
	none := tagContent{Tags: map[string]jsontext.Value{}}
	raw, err := s.Get(tx, userID, roomID, typeTag)
	if errors.Is(err, db.ErrNoRow) {
		return none, nil
	}
	if err != nil {
		return none, err
	}
	var content tagContent
	if json.Unmarshal(raw, &content) != nil || content.Tags == nil {
		return none, nil
	}
	return content, nil
}
