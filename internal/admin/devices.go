package admin

import (
	"context"
	"errors"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
)

type deviceResponse struct {
	UserID            id.UserID   `json:"user_id"`
	DeviceID          id.DeviceID `json:"device_id"`
	DisplayName       *string     `json:"display_name"`
	LastSeenIP        *string     `json:"last_seen_ip"`
	LastSeenUserAgent *string     `json:"last_seen_user_agent"`
	LastSeenTS        int64       `json:"last_seen_ts"`
}

func newDeviceResponse(d accounts.Device) deviceResponse {
	return deviceResponse{
		UserID: d.UserID, DeviceID: d.DeviceID, DisplayName: d.DisplayName,
		LastSeenIP: orNull(d.LastSeenIP), LastSeenUserAgent: orNull(d.LastSeenUserAgent), LastSeenTS: d.LastSeen.UnixMilli(),
	}
}

type listDevicesResponse struct {
	Devices []deviceResponse `json:"devices"`
	Total   int              `json:"total"`
}

func (s *Service) listUserDevices(ctx context.Context, _ *httpapi.Call, req userRequest) (resp listDevicesResponse, err error) {
	err = s.look(ctx, req.UserID, func(tx *db.Tx, a accounts.Account) error {
		devices, err := s.accounts.Devices(tx, a.UserID)
		resp = listDevicesResponse{Devices: make([]deviceResponse, len(devices)), Total: len(devices)}
		for i, d := range devices {
			resp.Devices[i] = newDeviceResponse(d)
		}
		return err
	})
	return resp, err
}

type userDeviceRequest struct {
	UserID   id.UserID   `path:"userId"`
	DeviceID id.DeviceID `path:"deviceId"`
}

func (s *Service) getUserDevice(ctx context.Context, _ *httpapi.Call, req userDeviceRequest) (resp deviceResponse, err error) {
	err = s.look(ctx, req.UserID, func(tx *db.Tx, a accounts.Account) error {
		d, err := s.accounts.Device(tx, a.UserID, req.DeviceID)
		if errors.Is(err, db.ErrNoRow) {
			return errcode.NotFound.New("The account has no device with this id.")
		}
		resp = newDeviceResponse(d)
		return err
	})
	return resp, err
}

func (s *Service) deleteUserDevice(ctx context.Context, call *httpapi.Call, req userDeviceRequest) (empty, error) {
	return empty{}, s.SignOut(ctx, call.UserID, req.UserID, req.DeviceID)
}

type deleteUserDevicesRequest struct {
	UserID  id.UserID     `path:"userId"`
	Devices []id.DeviceID `json:"devices" required:"true"`
}

func (s *Service) deleteUserDevices(ctx context.Context, call *httpapi.Call, req deleteUserDevicesRequest) (empty, error) {
	return empty{}, s.SignOut(ctx, call.UserID, req.UserID, req.Devices...)
}
