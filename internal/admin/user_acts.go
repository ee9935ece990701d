package admin

import (
	"context"

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
	return deactivateUserResponse{Unbound: "success"}, s.Deactivate(ctx, call.UserID, req.UserID, req.Erase)
}

type resetPasswordRequest struct {
	UserID        id.UserID `path:"userId"`
	NewPassword   string    `json:"new_password" required:"true"`
	LogoutDevices *bool     `json:"logout_devices"` // default true
}

func (s *Service) resetPassword(ctx context.Context, call *httpapi.Call, req resetPasswordRequest) (empty, error) {
	return empty{}, s.SetPassword(ctx, call.UserID, req.UserID, req.NewPassword, req.LogoutDevices == nil || *req.LogoutDevices)
}

type suspendUserRequest struct {
	UserID  id.UserID `path:"userId"`
	Suspend *bool     `json:"suspend" required:"true"`
}

// suspendUser is Synapse's form of setAdminSuspendUser. The member of its answer
// carries the user ID in its name.
func (s *Service) suspendUser(ctx context.Context, call *httpapi.Call, req suspendUserRequest) (map[string]bool, error) {
	if err := s.Suspend(ctx, call.UserID, req.UserID, *req.Suspend); err != nil {
		return nil, err
	}
	return map[string]bool{"user_" + string(req.UserID) + "_suspended": *req.Suspend}, nil
}
