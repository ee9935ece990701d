package accounts

import (
	"context"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/secret"
)

// deviceResponse is what the owner of a device sees of it.
type deviceResponse struct {
	DeviceID    id.DeviceID `json:"device_id"`
	DisplayName *string     `json:"display_name,omitzero"`
	LastSeenIP  string      `json:"last_seen_ip,omitzero"`
	LastSeenTS  int64       `json:"last_seen_ts,omitzero"`
}

func (d Device) response() deviceResponse {
	return deviceResponse{DeviceID: d.DeviceID, DisplayName: d.DisplayName, LastSeenIP: d.LastSeenIP, LastSeenTS: d.LastSeen.UnixMilli()}
}

type getDevicesRequest struct{}

type getDevicesResponse struct {
	Devices []deviceResponse `json:"devices"`
}

func (s *Service) getDevices(ctx context.Context, call *httpapi.Call, _ getDevicesRequest) (getDevicesResponse, error) {
	var devices []Device
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) {
		devices, err = s.Devices(tx, call.UserID)
		return err
	})
	resp := getDevicesResponse{Devices: make([]deviceResponse, len(devices))}
	for i, d := range devices {
		resp.Devices[i] = d.response()
	}
	return resp, err
}

type getDeviceRequest struct {
	DeviceID id.DeviceID `path:"deviceId"`
}

func (s *Service) getDevice(ctx context.Context, call *httpapi.Call, req getDeviceRequest) (deviceResponse, error) {
	var device Device
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) {
		device, err = s.Device(tx, call.UserID, req.DeviceID)
		return err
	})
	if errors.Is(err, db.ErrNoRow) {
		return deviceResponse{}, noSuchDevice()
	}
	return device.response(), err
}

func noSuchDevice() error { return errcode.NotFound.New("You have no device with this id.") }

type updateDeviceRequest struct {
	DeviceID    id.DeviceID `path:"deviceId"`
	DisplayName *string     `json:"display_name"`
}

type empty struct{}

func (s *Service) updateDevice(ctx context.Context, call *httpapi.Call, req updateDeviceRequest) (empty, error) {
	if req.DisplayName != nil && utf8.RuneCountInString(*req.DisplayName) > maxPrintable {
		return empty{}, errcode.InvalidParam.New("The name of a device has at most %d characters.", maxPrintable).With("param", "display_name")
	}
	return empty{}, s.db.Write(ctx, func(tx *db.Tx) error {
		n, err := tx.Exec(`UPDATE devices SET display_name = COALESCE($3, display_name) WHERE user_id = $1 AND device_id = $2`,
			call.UserID, req.DeviceID, req.DisplayName)
		switch {
		case err != nil:
			return err
		case n == 0:
			return noSuchDevice()
		case req.DisplayName == nil:
			return nil
		}
		return s.DeviceListChanged(tx, call.UserID) // others see the name with the keys
	})
}

type deleteDeviceRequest struct {
	DeviceID id.DeviceID `path:"deviceId"`
	Auth     *Auth       `json:"auth"`
}

func (s *Service) deleteDevice(ctx context.Context, call *httpapi.Call, req deleteDeviceRequest) (empty, error) {
	return empty{}, s.deleteByPassword(ctx, call, req.Auth, []id.DeviceID{req.DeviceID})
}

type deleteDevicesRequest struct {
	Devices []id.DeviceID `json:"devices" required:"true"`
	Auth    *Auth         `json:"auth"`
}

func (s *Service) deleteDevices(ctx context.Context, call *httpapi.Call, req deleteDevicesRequest) (empty, error) {
	return empty{}, s.deleteByPassword(ctx, call, req.Auth, req.Devices)
}

// deleteByPassword deletes exactly the devices that the password was given for.
func (s *Service) deleteByPassword(ctx context.Context, call *httpapi.Call, auth *Auth, devices []id.DeviceID) error {
	names := make([]string, len(devices))
	for i, d := range devices {
		names[i] = string(d)
	}
	slices.Sort(names)
	list := secret.Hash(strings.Join(names, "\n")) // an id has no line break
	proof, err := s.Interactive(ctx, call, ByPassword(hex.EncodeToString(list)), auth)
	if err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		if err := s.Spend(tx, proof); err != nil {
			return err
		}
		return s.DeleteDevices(tx, call.UserID, devices)
	})
}
