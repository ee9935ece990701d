package admin

import (
	"context"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
)

type getWhoIsResponse struct {
	UserID  id.UserID                     `json:"user_id"`
	Devices map[id.DeviceID]whoIsSessions `json:"devices"`
}

type whoIsSessions struct {
	Sessions []whoIsSession `json:"sessions"`
}

type whoIsSession struct {
	Connections []whoIsConnection `json:"connections"`
}

type whoIsConnection struct {
	IP        string `json:"ip"`
	LastSeen  int64  `json:"last_seen"`
	UserAgent string `json:"user_agent"`
}

// getWhoIs answers administrators, and everyone about themselves.
func (s *Service) getWhoIs(ctx context.Context, call *httpapi.Call, req userRequest) (resp getWhoIsResponse, err error) {
	if call.UserID != req.UserID && !call.Admin {
		return resp, errcode.Forbidden.New("Only an administrator of this server may ask this about somebody else.")
	}
	err = s.look(ctx, req.UserID, func(tx *db.Tx, a accounts.Account) error {
		devices, err := s.accounts.Devices(tx, a.UserID)
		resp = getWhoIsResponse{UserID: a.UserID, Devices: map[id.DeviceID]whoIsSessions{}}
		for _, d := range devices {
			session := whoIsSession{}
			if d.LastSeenIP != "" {
				session.Connections = []whoIsConnection{{IP: d.LastSeenIP, LastSeen: d.LastSeen.UnixMilli(), UserAgent: d.LastSeenUserAgent}}
			}
			resp.Devices[d.DeviceID] = whoIsSessions{Sessions: []whoIsSession{session}}
		}
		return err
	})
	return resp, err
}

type suspendedResponse struct {
	Suspended bool `json:"suspended"`
}

func (s *Service) getAdminSuspendUser(ctx context.Context, _ *httpapi.Call, req userRequest) (resp suspendedResponse, err error) {
	err = s.look(ctx, req.UserID, func(_ *db.Tx, a accounts.Account) error {
		resp.Suspended = a.Suspended
		return restrictable(a)
	})
	return resp, err
}

type setAdminSuspendUserRequest struct {
	UserID    id.UserID `path:"userId"`
	Suspended *bool     `json:"suspended" required:"true"`
}

func (s *Service) setAdminSuspendUser(ctx context.Context, call *httpapi.Call, req setAdminSuspendUserRequest) (suspendedResponse, error) {
	return suspendedResponse{*req.Suspended}, s.Suspend(ctx, call.UserID, req.UserID, *req.Suspended)
}

type lockedResponse struct {
	Locked bool `json:"locked"`
}

func (s *Service) getAdminLockUser(ctx context.Context, _ *httpapi.Call, req userRequest) (resp lockedResponse, err error) {
	err = s.look(ctx, req.UserID, func(_ *db.Tx, a accounts.Account) error {
		resp.Locked = a.Locked
		return restrictable(a)
	})
	return resp, err
}

type setAdminLockUserRequest struct {
	UserID id.UserID `path:"userId"`
	Locked *bool     `json:"locked" required:"true"`
}

func (s *Service) setAdminLockUser(ctx context.Context, call *httpapi.Call, req setAdminLockUserRequest) (lockedResponse, error) {
	return lockedResponse{*req.Locked}, s.Lock(ctx, call.UserID, req.UserID, *req.Locked)
}

// restrictable refuses what the specification says cannot be locked or suspended,
// nor asked about: deactivated accounts and administrators.
func restrictable(a accounts.Account) error {
	switch {
	case a.Deactivated:
		return errcode.NotFound.New("This account is deactivated.")
	case a.Admin:
		return notAdministrator(a, true)
	}
	return nil
}

// notAdministrator refuses to restrict an administrator.
func notAdministrator(a accounts.Account, restrict bool) error {
	if a.Admin && restrict {
		return errcode.Forbidden.New("An administrator can be neither locked nor suspended. Take the administrator's rights away first.")
	}
	return nil
}
