package admin

import (
	"context"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
)

type deactivateUserRequest struct {
	UserID id.UserID `path:"userId"`
	Erase  bool      `json:"erase"`
}

type deactivateUserResponse struct {
	// Unbound is always "success": no account has identifiers to unbind.
	Unbound string `json:"id_server_unbind_result"`
}

func (s *Service) deactivateUser(ctx context.Context, call *httpapi.Call, req deactivateUserRequest) (deactivateUserResponse, error) {
	resp := deactivateUserResponse{Unbound: "success"}
	if err := notOneself(call, req.UserID); err != nil {
		return resp, err
	}
	return resp, s.act(ctx, req.UserID, func(tx *db.Tx, a accounts.Account) error {
		return s.accounts.Deactivate(tx, a.UserID, string(call.UserID), req.Erase)
	})
}

type resetPasswordRequest struct {
	UserID        id.UserID `path:"userId"`
	NewPassword   string    `json:"new_password" required:"true"`
	LogoutDevices *bool     `json:"logout_devices"` // default true
}

func (s *Service) resetPassword(ctx context.Context, call *httpapi.Call, req resetPasswordRequest) (empty, error) {
	if err := s.accounts.CheckNewPassword(req.NewPassword); err != nil {
		return empty{}, err
	}
	hash, err := s.passwords.Hash(ctx, req.NewPassword)
	if err != nil {
		return empty{}, err
	}
	return empty{}, s.act(ctx, req.UserID, func(tx *db.Tx, a accounts.Account) error {
		return s.accounts.SetPassword(tx, a.UserID, hash, string(call.UserID), req.LogoutDevices == nil || *req.LogoutDevices)
	})
}

type suspendUserRequest struct {
	UserID  id.UserID `path:"userId"`
	Suspend *bool     `json:"suspend" required:"true"`
}

// suspendUser is Synapse's form of setAdminSuspendUser. The member of its answer
// carries the user ID in its name.
func (s *Service) suspendUser(ctx context.Context, call *httpapi.Call, req suspendUserRequest) (map[string]bool, error) {
	if err := s.suspend(ctx, call, req.UserID, *req.Suspend); err != nil {
		return nil, err
	}
	return map[string]bool{"user_" + string(req.UserID) + "_suspended": *req.Suspend}, nil
}
