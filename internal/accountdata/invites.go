package accountdata

import (
	"errors"

	"github.com/go-json-experiment/json"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
)

const typeInvitePermission = "m.invite_permission_config"

// BlocksInvites reports whether the user accepts no invite from the inviter
// (client-server API, Invite permission): today that is the same for everyone.
// Ignoring somebody blocks nothing, since the refusal would tell them of it; /sync
// leaves such invites out instead.
func (s *Service) BlocksInvites(tx *db.Tx, userID, _ id.UserID) (bool, error) {
	content, err := s.Global(tx, userID, typeInvitePermission)
	if errors.Is(err, db.ErrNoRow) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	var config struct {
		DefaultAction string `json:"default_action"`
	}
	return json.Unmarshal(content, &config) == nil && config.DefaultAction == "block", nil
}
