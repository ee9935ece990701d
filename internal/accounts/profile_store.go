package accounts

import (
	"encoding/json"
	"strings"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
)

// The fields of a profile that go into memberships.
const (
	DisplayName = "displayname"
	AvatarURL   = "avatar_url"
)

// ProfileFields gives the fields of a user's profile as JSON, by name.
func (s *Service) ProfileFields(tx *db.Tx, userID id.UserID) (map[string]json.RawMessage, error) {
	fields := map[string]json.RawMessage{}
	err := db.Each(tx, func(r db.Row) error {
		var name string
		var value []byte
		err := r.Scan(&name, &value)
		fields[name] = value
		return err
	}, `SELECT name, value FROM profile_fields WHERE user_id = $1`, userID)
	return fields, err
}

// SetProfileField stores a field; a nil value deletes it.
func (s *Service) SetProfileField(tx *db.Tx, userID id.UserID, name string, value json.RawMessage) error {
	if value == nil {
		return tx.Later(`DELETE FROM profile_fields WHERE user_id = $1 AND name = $2`, userID, name)
	}
	return tx.Later(`INSERT INTO profile_fields (user_id, name, value, searched) VALUES ($1, $2, $3, $4)
		ON CONFLICT (user_id, name) DO UPDATE SET value = excluded.value, searched = excluded.searched`, userID, name, []byte(value), searched(name, value))
}

// searched is what a search looks at in a field: the display name in lower case.
func searched(name string, value json.RawMessage) string {
	var text string
	if name != DisplayName || json.Unmarshal(value, &text) != nil {
		return ""
	}
	return strings.ToLower(text)
}

func deleteProfile(tx *db.Tx, userID id.UserID) error {
	return tx.Later(`DELETE FROM profile_fields WHERE user_id = $1`, userID)
}
