package admin

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
)

// putUserRequest says what an account shall be; what is absent or null stays.
type putUserRequest struct {
	UserID        id.UserID        `path:"userId"`
	Password      *string          `json:"password"`
	LogoutDevices *bool            `json:"logout_devices"` // default true
	DisplayName   *string          `json:"displayname"`    // "" removes it
	AvatarURL     *string          `json:"avatar_url"`     // likewise
	Admin         *bool            `json:"admin"`
	Deactivated   *bool            `json:"deactivated"`
	Locked        *bool            `json:"locked"`
	Approved      jsontext.Value   `json:"approved"`
	UserType      *string          `json:"user_type"`
	Threepids     []jsontext.Value `json:"threepids"`
	ExternalIDs   []jsontext.Value `json:"external_ids"`
}

// wish is a putUserRequest that has been checked.
type wish struct {
	putUserRequest
	hash     string // of the new password; empty: none
	approved *bool
}

// putUser makes an account (201), or changes one (200).
func (s *Service) putUser(ctx context.Context, call *httpapi.Call, req putUserRequest) (resp userDetails, err error) {
	if err := s.requireLocal(req.UserID); err != nil {
		return resp, err
	}
	wanted, err := s.checkWish(call, req)
	if err != nil {
		return resp, err
	}
	if req.Password != nil {
		if wanted.hash, err = s.passwords.Hash(ctx, *req.Password); err != nil {
			return resp, err
		}
	}
	status := http.StatusOK
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		status = http.StatusOK
		w := wanted
		_, err := s.accounts.Hold(tx, w.UserID)
		if errors.Is(err, db.ErrNoRow) {
			status = http.StatusCreated
			w, err = s.create(tx, call, w)
		}
		if err != nil {
			return err
		}
		if err := s.change(tx, call, w); err != nil {
			return err
		}
		a, err := s.accounts.Find(tx, w.UserID)
		if err != nil {
			return err
		}
		resp, err = s.details(tx, a)
		return err
	})
	call.SetStatus(status)
	return resp, err
}

// maxDisplayName is the length of a display name, in characters.
const maxDisplayName = 256

func (s *Service) checkWish(call *httpapi.Call, req putUserRequest) (w wish, err error) {
	w = wish{putUserRequest: req}
	switch {
	case len(req.Threepids) > 0:
		return w, invalid("threepids", "only the owner of an account can give it addresses, which are validated")
	case len(req.ExternalIDs) > 0:
		return w, invalid("external_ids", "this server knows no external identity providers")
	case req.UserType != nil:
		return w, invalid("user_type", "accounts of this server have no type")
	case is(req.Deactivated) && is(req.Locked):
		return w, invalid("locked", "an account cannot be locked and deactivated at once")
	case req.DisplayName != nil && utf8.RuneCountInString(*req.DisplayName) > maxDisplayName:
		return w, invalid("displayname", "it may have at most 256 characters")
	}
	if req.AvatarURL != nil && *req.AvatarURL != "" {
		if _, err := id.ParseMXC(*req.AvatarURL); err != nil {
			return w, invalid("avatar_url", err.Error())
		}
	}
	if req.Password != nil {
		if err := s.accounts.CheckNewPassword(*req.Password); err != nil {
			return w, err
		}
	}
	if w.approved, err = s.wishedApproval(req.Approved); err != nil {
		return w, err
	}
	if is(not(req.Admin)) || is(req.Locked) || is(req.Deactivated) || is(not(w.approved)) {
		return w, notOneself(call.UserID, req.UserID)
	}
	return w, nil
}

func is(b *bool) bool { return b != nil && *b }

func not(b *bool) *bool {
	if b == nil {
		return nil
	}
	negated := !*b
	return &negated
}

// wishedApproval reads the member "approved", which is nothing while approval is
// switched off.
func (s *Service) wishedApproval(raw jsontext.Value) (*bool, error) {
	if !s.cfg.Approval.Enabled || raw == nil || raw.Kind() == 'n' {
		return nil, nil
	}
	if raw.Kind() != 't' && raw.Kind() != 'f' {
		return nil, invalid("approved", "it must be true or false")
	}
	approved := raw.Kind() == 't'
	return &approved, nil
}

// create makes an account, approved unless the administrator says otherwise
// and gives what is left to do.
func (s *Service) create(tx *db.Tx, call *httpapi.Call, w wish) (wish, error) {
	userID, err := s.accounts.NewUserID(w.UserID.Localpart())
	if err != nil {
		return w, err
	}
	if userID != w.UserID {
		return w, errcode.InvalidUsername.New("A new username has no upper-case letters.")
	}
	a := accounts.Account{UserID: userID, PasswordHash: w.hash, Admin: is(w.Admin), Approved: s.accounts.Approval(true)}
	if w.approved != nil {
		a.Approved = w.approved
	}
	err = s.accounts.Insert(tx, a)
	if errors.Is(err, db.ErrDuplicate) {
		return w, nil // somebody registered it at this moment: it is changed instead
	}
	if err != nil {
		return w, err
	}
	w.hash, w.Admin, w.approved = "", nil, nil
	return w, s.accounts.Audit(tx, string(call.UserID), "create", string(userID), map[string]bool{"admin": a.Admin})
}

// change does what a wish asks for. Each part leaves alone what is so already.
func (s *Service) change(tx *db.Tx, call *httpapi.Call, w wish) error {
	by := string(call.UserID)
	steps := []func() error{
		func() error { return s.setAdmin(tx, w, by) },
		func() error { return s.setPassword(tx, w, by) },
		func() error { return s.setProfile(tx, w.UserID, accounts.DisplayName, w.DisplayName, by) },
		func() error { return s.setProfile(tx, w.UserID, accounts.AvatarURL, w.AvatarURL, by) },
		func() error { return s.setApproved(tx, w, by) },
		func() error { return s.setLocked(tx, w, by) },
		func() error { return s.setDeactivated(tx, w, by) },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) setAdmin(tx *db.Tx, w wish, by string) error {
	if w.Admin == nil {
		return nil
	}
	return s.accounts.SetAdmin(tx, w.UserID, *w.Admin, by)
}

func (s *Service) setPassword(tx *db.Tx, w wish, by string) error {
	if w.hash == "" {
		return nil
	}
	return s.accounts.SetPassword(tx, w.UserID, w.hash, by, w.LogoutDevices == nil || *w.LogoutDevices)
}

func (s *Service) setApproved(tx *db.Tx, w wish, by string) error {
	switch {
	case w.approved == nil:
		return nil
	case *w.approved:
		return s.accounts.Approve(tx, w.UserID, by, "")
	}
	return s.accounts.Unapprove(tx, w.UserID, by, false)
}

func (s *Service) setLocked(tx *db.Tx, w wish, by string) error {
	if w.Locked == nil {
		return nil
	}
	a, err := s.accounts.Find(tx, w.UserID)
	if err != nil {
		return err
	}
	if err := notAdministrator(a, *w.Locked); err != nil {
		return err
	}
	return s.accounts.SetLocked(tx, w.UserID, *w.Locked, by)
}

func (s *Service) setDeactivated(tx *db.Tx, w wish, by string) error {
	switch {
	case w.Deactivated == nil:
		return nil
	case *w.Deactivated:
		return s.accounts.Deactivate(tx, w.UserID, by, false)
	}
	a, err := s.accounts.Find(tx, w.UserID)
	if err == nil && a.Deactivated {
		return invalid("deactivated", "a deactivated account cannot come back")
	}
	return err
}

// setProfile writes one field of a profile, and into the rooms that the person is
// in; "" removes it, nil leaves it.
func (s *Service) setProfile(tx *db.Tx, userID id.UserID, field string, text *string, by string) error {
	if text == nil {
		return nil
	}
	profiles, err := s.accounts.Profiles(tx, []id.UserID{userID})
	if err != nil {
		return err
	}
	present := profiles[userID].DisplayName
	if field == accounts.AvatarURL {
		present = profiles[userID].AvatarURL
	}
	if present == nil && *text == "" || present != nil && *present == *text {
		return nil
	}
	var raw json.RawMessage
	if *text != "" {
		if raw, err = json.Marshal(*text); err != nil {
			return err
		}
	}
	if err := s.profile.Set(tx, userID, field, raw); err != nil {
		return err
	}
	return s.accounts.Audit(tx, by, "set_profile", string(userID), map[string]string{field: *text})
}
