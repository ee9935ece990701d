package oauth

import (
	"context"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
)

type logoutRequest struct{}

// logout deletes the device, and its tokens with it.
func (s *Service) logout(ctx context.Context, call *httpapi.Call, _ logoutRequest) (empty, error) {
	return empty{}, s.db.Write(ctx, func(tx *db.Tx) error {
		return s.accounts.DeleteDevices(tx, call.UserID, []id.DeviceID{call.DeviceID})
	})
}

// logoutAll deletes every device of the requester.
func (s *Service) logoutAll(ctx context.Context, call *httpapi.Call, _ logoutRequest) (empty, error) {
	return empty{}, s.db.Write(ctx, func(tx *db.Tx) error {
		return s.accounts.DeleteOtherDevices(tx, call.UserID, "")
	})
}
