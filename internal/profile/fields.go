package profile

import (
	"context"
	"encoding/json"
	"maps"
	"regexp"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/canonicaljson"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
)

const (
	maxKey     = 255      // bytes
	maxProfile = 64 << 10 // bytes of the whole as JSON
	maxName    = 256      // characters of a display name
)

type getUserProfileRequest struct {
	UserID id.UserID `path:"userId"`
}

func (s *Service) getUserProfile(ctx context.Context, _ *httpapi.Call, req getUserProfileRequest) (out map[string]jsontext.Value, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		out, err = s.profile(tx, req.UserID)
		return err
	})
	return out, err
}

// profile gives the fields of a user whom others may know of.
func (s *Service) profile(tx *db.Tx, userID id.UserID) (map[string]jsontext.Value, error) {
	exists, err := s.accounts.Exists(tx, userID)
	if err != nil {
		return nil, err
	}
	if !exists {
		return nil, errcode.NotFound.New("There is no such user, or nothing is known of them here.")
	}
	fields, err := s.accounts.ProfileFields(tx, userID)
	if err != nil {
		return nil, err
	}
	out := make(map[string]jsontext.Value, len(fields))
	for name, value := range fields {
		out[name] = jsontext.Value(value)
	}
	return out, nil
}

type profileFieldRequest struct {
	UserID  id.UserID `path:"userId"`
	KeyName string    `path:"keyName"`
}

func (s *Service) getProfileField(ctx context.Context, _ *httpapi.Call, req profileFieldRequest) (out map[string]jsontext.Value, err error) {
	name := req.KeyName
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		fields, err := s.profile(tx, req.UserID)
		if err != nil {
			return err
		}
		if fields[name] == nil {
			return errcode.NotFound.New("The profile has no such field.")
		}
		out = map[string]jsontext.Value{name: fields[name]}
		return nil
	})
	return out, err
}

type setProfileFieldRequest struct {
	UserID  id.UserID      `path:"userId"`
	KeyName string         `path:"keyName"`
	Body    jsontext.Value `body:"*"`
}

type empty struct{}

func (s *Service) setProfileField(ctx context.Context, call *httpapi.Call, req setProfileFieldRequest) (empty, error) {
	if err := mayChange(call, req.UserID, req.KeyName); err != nil {
		return empty{}, err
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(req.Body, &members); err != nil {
		return empty{}, err // the body has been checked
	}
	name := req.KeyName
	value, ok := members[name]
	if !ok {
		return empty{}, errcode.MissingParam.New("%q is missing: the body holds the field under its name.", name).With("param", name)
	}
	if err := checkValue(name, value); err != nil {
		return empty{}, err
	}
	if string(value) == `""` && isInRooms(name) {
		return empty{}, s.change(ctx, req.UserID, name, nil) // how older clients remove these fields
	}
	compact := jsontext.Value(value)
	if err := compact.Compact(); err != nil {
		return empty{}, err
	}
	return empty{}, s.change(ctx, req.UserID, name, json.RawMessage(compact))
}

func (s *Service) deleteProfileField(ctx context.Context, call *httpapi.Call, req profileFieldRequest) (empty, error) {
	if err := mayChange(call, req.UserID, req.KeyName); err != nil {
		return empty{}, err
	}
	return empty{}, s.change(ctx, req.UserID, req.KeyName, nil)
}

func (s *Service) change(ctx context.Context, userID id.UserID, name string, value json.RawMessage) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		if _, err := s.accounts.Hold(tx, userID); err != nil {
			return err
		}
		fields, err := s.accounts.ProfileFields(tx, userID)
		if err != nil {
			return err
		}
		if string(fields[name]) == string(value) {
			return nil
		}
		wanted := maps.Clone(fields)
		wanted[name] = value
		if value != nil && size(wanted) > maxProfile {
			return errcode.ProfileTooLarge.New("A profile may have at most %d bytes in all. Store less in it.", maxProfile)
		}
		return s.Set(tx, userID, name, value)
	})
}

// size is the length of a profile as a JSON object.
func size(fields map[string]json.RawMessage) int {
	n := len("{}")
	for name, value := range fields {
		n += len(canonicaljson.AppendString(nil, name)) + len(":") + len(value) + len(",")
	}
	return n
}

// names are those that the specification gives, and names with a namespace.
var names = regexp.MustCompile(`^(avatar_url|displayname|m\.tz|[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+)$`)

func mayChange(call *httpapi.Call, userID id.UserID, name string) error {
	switch {
	case call.UserID != userID:
		return errcode.Forbidden.New("You can change only your own profile.")
	case call.Guest && name != accounts.DisplayName:
		return errcode.GuestAccessForbidden.New("A guest has a display name and no other profile. Make an account first.")
	case len(name) > maxKey:
		return errcode.KeyTooLarge.New("The name of a profile field has at most %d bytes.", maxKey)
	case !names.MatchString(name):
		return errcode.InvalidParam.New("The parameter %q is not valid: it must be displayname, avatar_url, m.tz or a name with a namespace, such as org.example.job.", "keyName").With("param", "keyName")
	}
	return nil
}

// isInRooms says which fields go into memberships.
func isInRooms(name string) bool { return name == accounts.DisplayName || name == accounts.AvatarURL }

// checkValue holds the specified fields to their types.
func checkValue(name string, value json.RawMessage) error {
	if !isInRooms(name) && name != "m.tz" {
		return nil
	}
	text, ok := canonicaljson.Text(value)
	switch {
	case !ok:
		return errcode.BadJSON.New("%q must be a string.", name).With("param", name)
	case name == accounts.DisplayName && utf8.RuneCountInString(text) > maxName:
		return errcode.InvalidParam.New("A display name has at most %d characters.", maxName).With("param", name)
	case name == accounts.AvatarURL && text != "":
		if _, err := id.ParseMXC(text); err != nil {
			return errcode.InvalidParam.New("An avatar is a mxc:// address: upload the picture first.").With("param", name)
		}
	}
	return nil
}
