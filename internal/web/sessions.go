package web

import (
	"context"
	"net/http"
	"net/url"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/page"
	"github.com/narthex-matrix/narthex/internal/visitor"
)

type showSessionsRequest struct {
	Done string `query:"done"`
}

func (s *Service) showSessions(ctx context.Context, call *httpapi.Call, req showSessionsRequest) (httpapi.Reply, error) {
	v, reply, err := s.enterAccount(ctx, call, sessionsPath)
	if v == nil {
		return reply, err
	}
	devices, err := s.devices(ctx, v)
	if err != nil {
		return httpapi.Reply{}, err
	}
	return v.Show(http.StatusOK, page.Sessions{Devices: devices, Done: done[req.Done]})
}

func (s *Service) devices(ctx context.Context, v *visitor.Visitor) (devices []page.Device, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		sessions, err := s.oauth.Sessions(tx, v.UserID())
		devices = make([]page.Device, len(sessions))
		for i, session := range sessions {
			devices[i] = ShownDevice(session.Device, session.Client)
		}
		return err
	})
	return devices, err
}

type showSessionRequest struct {
	DeviceID string `query:"device_id"`
	Ask      string `query:"ask"`
}

func (s *Service) showSession(ctx context.Context, call *httpapi.Call, req showSessionRequest) (httpapi.Reply, error) {
	v, reply, err := s.enterAccount(ctx, call, sessionPath+"?"+url.Values{"device_id": {req.DeviceID}}.Encode())
	if v == nil {
		return reply, err
	}
	devices, err := s.devices(ctx, v)
	if err != nil {
		return httpapi.Reply{}, err
	}
	for _, d := range devices {
		if d.ID == req.DeviceID {
			return v.Show(http.StatusOK, page.Session{Device: d, Ask: req.Ask == "yes"})
		}
	}
	return httpapi.Reply{}, errcode.NotFound.New("You have no such session. It may have been signed out already.")
}

type endSessionRequest struct {
	Token    string `form:"form_token"`
	DeviceID string `form:"device_id"`
}

// endSession signs a session out. One that is not there is signed out already.
func (s *Service) endSession(ctx context.Context, call *httpapi.Call, req endSessionRequest) (httpapi.Reply, error) {
	v, reply, err := s.enterAccount(ctx, call, sessionsPath)
	if v == nil {
		return reply, err
	}
	if !v.Owns(req.Token) {
		return v.Stale(sessionsPath)
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		if _, err := s.accounts.Hold(tx, v.UserID()); err != nil {
			return err
		}
		return s.accounts.DeleteDevices(tx, v.UserID(), []id.DeviceID{id.DeviceID(req.DeviceID)})
	})
	if err != nil {
		return httpapi.Reply{}, err
	}
	return v.Leave(sessionsPath + "?done=session")
}
