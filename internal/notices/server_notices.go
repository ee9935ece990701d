package notices

import (
	"context"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
)

type sendServerNoticeRequest struct {
	UserID   id.UserID      `json:"user_id" required:"true"`
	Content  jsontext.Value `json:"content" required:"true"`
	Type     string         `json:"type"`      // "m.room.message" or nothing
	StateKey *string        `json:"state_key"` // nothing
}

type sendServerNoticeResponse struct {
	EventID id.EventID `json:"event_id"`
}

// sendServerNotice says something to a user in the name of the server. Synapse's admin
// API, "Server Notices"; this server sends messages alone.
func (s *Service) sendServerNotice(ctx context.Context, _ *httpapi.Call, req sendServerNoticeRequest) (resp sendServerNoticeResponse, err error) {
	switch {
	case req.Content.Kind() != '{':
		return resp, errcode.BadJSON.New("%q has to be an object: the content of a message.", "content").With("param", "content")
	case req.Type != "" && req.Type != "m.room.message":
		return resp, errcode.InvalidParam.New("A notice is a message: leave %q out.", "type").With("param", "type")
	case req.StateKey != nil:
		return resp, errcode.InvalidParam.New("A notice is a message: leave %q out.", "state_key").With("param", "state_key")
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		there, err := s.accounts.Exists(tx, req.UserID)
		if err != nil {
			return err
		}
		if !there {
			return errcode.NotFound.New("This server has no such account, or it waits for approval.")
		}
		resp.EventID, err = s.send(tx, req.UserID, req.Content)
		if err == nil && resp.EventID == "" {
			return errcode.NotFound.New("The user has left the room with notices, and notices.return is false.")
		}
		return err
	})
	return resp, err
}
