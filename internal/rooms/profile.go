package rooms

import (
	stdjson "encoding/json"
	"errors"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/event"
	"github.com/narthex-matrix/narthex/internal/id"
)

// WriteProfile writes a user's present display name and avatar into the user's
// memberships of some rooms; what else is in these stays. Rooms that the user is
// not in, and rooms whose rules refuse the change, are passed over. It takes the
// locks of all rooms first and in one order, so that two users of the same rooms
// do not wait for each other for ever.
func (s *Service) WriteProfile(tx *db.Tx, userID id.UserID, roomIDs []id.RoomID) error {
	roomIDs = slices.Sorted(slices.Values(roomIDs))
	for _, roomID := range roomIDs {
		if err := tx.Lock("room", string(roomID)); err != nil {
			return err
		}
	}
	fields, err := s.accounts.ProfileFields(tx, userID)
	if err != nil {
		return err
	}
	for _, roomID := range roomIDs {
		r, err := s.enter(tx, roomID, change{caller: userID, target: userID})
		if err != nil {
			return err
		}
		if r.membership(userID) != event.Join {
			continue
		}
		var refused *errcode.Error
		if err := r.writeProfile(userID, fields); err != nil && !errors.As(err, &refused) {
			return err
		}
		if err := r.close(); err != nil {
			return err
		}
	}
	return nil
}

func (r *room) writeProfile(userID id.UserID, fields map[string]stdjson.RawMessage) error {
	content := map[string]jsontext.Value{}
	if err := json.Unmarshal(r.get(event.TypeMember, string(userID)).Content, &content); err != nil {
		return err
	}
	for _, name := range []string{accounts.DisplayName, accounts.AvatarURL} {
		if value := fields[name]; value != nil {
			content[name] = jsontext.Value(value)
		} else {
			delete(content, name)
		}
	}
	raw, err := json.Marshal(content)
	if err != nil {
		return err
	}
	return r.setMembership(change{caller: userID, target: userID, content: raw}, event.Join)
}
