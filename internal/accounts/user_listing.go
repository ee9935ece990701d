package accounts

import (
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
)

// UserOrder is what a list of accounts is sorted by. The values are those of
// Synapse's admin API.
type UserOrder string

// The orders. Accounts that are alike come in the order of their user IDs.
const (
	OrderByName        UserOrder = "name"
	OrderByDisplayName UserOrder = "displayname"
	OrderByAvatar      UserOrder = "avatar_url"
	OrderByCreation    UserOrder = "creation_ts"
	OrderByLastSeen    UserOrder = "last_seen_ts"
	OrderByGuest       UserOrder = "is_guest"
	OrderByAdmin       UserOrder = "admin"
	OrderByDeactivated UserOrder = "deactivated"
	OrderByLocked      UserOrder = "locked"
)

// UserFilter says which accounts to list. The zero value means all, in the order
// of their user IDs.
type UserFilter struct {
	// Search is a part of the user ID, of the display name or of an address, in any
	// case.
	Search string
	// Name is a part of the user ID, and Localpart one of its localpart, both in
	// any case.
	Name, Localpart                   string
	Admin, Guest, Locked, Deactivated *bool // nil: either
	// Pending leaves only accounts that wait for approval or were denied.
	Pending     bool
	Order       UserOrder
	Backwards   bool
	From, Limit int64
}

// Users lists accounts, and says how many there are in all that the filter lets
// through.
func (s *Service) Users(tx *db.Tx, f UserFilter) (users []Account, total int64, err error) {
	const among = ` FROM users WHERE ` + matches + ` AND lower(user_id) LIKE $2 ESCAPE '!' AND lower(user_id) LIKE $3 ESCAPE '!'
		AND (admin = $4 OR $4 IS NULL) AND (guest = $5 OR $5 IS NULL) AND (locked = $6 OR $6 IS NULL)
		AND ((deactivated_ts IS NOT NULL) = $7 OR $7 IS NULL) AND ((approved IS NOT NULL AND NOT approved) OR NOT $8)`
	args := []any{like(f.Search), like(f.Name), "@" + like(f.Localpart) + ":" + string(s.server), f.Admin, f.Guest, f.Locked, f.Deactivated, f.Pending}
	if total, err = db.Value[int64](tx, `SELECT COUNT(*)`+among, args...); err != nil {
		return nil, 0, err
	}
	order := ` ORDER BY ` + orderNumber + `, ` + orderText + `, ` + orderName + `, user_id`
	if f.Backwards {
		order = ` ORDER BY ` + orderNumber + ` DESC, ` + orderText + ` DESC, ` + orderName + ` DESC, user_id`
	}
	users, err = db.All(tx, scanAccount, `SELECT `+accountColumns+among+order+` LIMIT $10 OFFSET $11`, append(args, f.Order, f.Limit, f.From)...)
	return users, total, err
}

// The keys of the orders: only the one that was asked for is worked out.
const (
	orderNumber = `CASE $9 WHEN 'creation_ts' THEN created_ts
		WHEN 'last_seen_ts' THEN COALESCE((SELECT MAX(last_seen_ts) FROM devices WHERE devices.user_id = users.user_id), 0)
		WHEN 'is_guest' THEN CAST(guest AS INTEGER) WHEN 'admin' THEN CAST(admin AS INTEGER)
		WHEN 'deactivated' THEN CAST(deactivated_ts IS NOT NULL AS INTEGER) WHEN 'locked' THEN CAST(locked AS INTEGER) END`
	orderText = `CASE WHEN $9 IN ('displayname', 'avatar_url') THEN
		COALESCE((SELECT value FROM profile_fields WHERE profile_fields.user_id = users.user_id AND name = $9), '') END`
	orderName = `CASE WHEN $9 IN ('', 'name') THEN user_id END`
)

// like makes a LIKE pattern of a part of a text, to be compared in lower case.
func like(part string) string {
	return "%" + strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(strings.ToLower(part)) + "%"
}

// Profile is what lists show of a user's profile; nil is what is not set.
type Profile struct {
	DisplayName, AvatarURL *string
}

// Profiles gives the names and avatars of users. Whoever has neither is missing.
func (s *Service) Profiles(tx *db.Tx, users []id.UserID) (map[id.UserID]Profile, error) {
	profiles := map[id.UserID]Profile{}
	err := db.Chunks(users, func(users []id.UserID) error {
		in := db.In(users)
		return db.Each(tx, func(r db.Row) error {
			var userID id.UserID
			var name string
			var raw []byte
			if err := r.Scan(&userID, &name, &raw); err != nil {
				return err
			}
			var text *string
			if err := json.Unmarshal(raw, &text); err != nil {
				return nil // not a text: nothing that a list could show
			}
			p := profiles[userID]
			if name == DisplayName {
				p.DisplayName = text
			} else {
				p.AvatarURL = text
			}
			profiles[userID] = p
			return nil
		}, `SELECT user_id, name, value FROM profile_fields WHERE name IN ('displayname', 'avatar_url') AND user_id IN (`+in.Marks(1)+`)`, in.Args()...)
	})
	return profiles, err
}
