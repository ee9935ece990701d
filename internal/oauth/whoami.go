package oauth

import (
	"context"

	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
)

type whoamiRequest struct{}

type whoamiResponse struct {
	UserID   id.UserID   `json:"user_id"`
	DeviceID id.DeviceID `json:"device_id,omitzero"`
	IsGuest  bool        `json:"is_guest"`
}

func (s *Service) getTokenOwner(_ context.Context, call *httpapi.Call, _ whoamiRequest) (whoamiResponse, error) {
	return whoamiResponse{UserID: call.UserID, DeviceID: call.DeviceID, IsGuest: call.Guest}, nil
}
