package web

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/page"
)

// operations are the sentences about what an app wants to be confirmed.
var operations = map[string]string{
	"deleteDevice":           "sign out one of your sessions",
	"deleteDevices":          "sign out some of your sessions",
	"changePassword":         "change your password",
	"deactivateAccount":      "close your account for good",
	"generateLoginToken":     "sign in another app to your account",
	"add3PID":                "add a mail address or phone number to your account",
	"uploadCrossSigningKeys": "reset your encryption identity",
}

type fallbackRequest struct {
	Stage   string `path:"stage"`
	Session string `query:"session"`
}

// showFallback asks whether to confirm what an app is about to do (client-server API,
// "Fallback"). Since anybody can send a browser here, it says what that is.
func (s *Service) showFallback(ctx context.Context, call *httpapi.Call, req fallbackRequest) (httpapi.Reply, error) {
	if accounts.Stage(req.Stage) != accounts.BrowserStage {
		return httpapi.Reply{}, errcode.NotFound.New("This server has no page for this way to authenticate.")
	}
	here := fallbackFor(req.Session)
	v, reply, err := s.enterSecurity(ctx, call, here)
	if v == nil {
		return reply, err
	}
	var op string
	err = s.db.Read(ctx, func(tx *db.Tx) (err error) {
		op, err = s.accounts.InBrowser(tx, v.UserID(), req.Session)
		return err
	})
	if errors.Is(err, db.ErrNoRow) {
		return httpapi.Reply{}, nothingToConfirm()
	}
	if err != nil {
		return httpapi.Reply{}, err
	}
	return v.Show(http.StatusOK, page.Fallback{Account: string(v.UserID()), What: operations[op], Session: req.Session, Here: here})
}

func fallbackFor(session string) string {
	return strings.ReplaceAll(fallbackPath, "{stage}", string(accounts.BrowserStage)) + "?" + url.Values{"session": {session}}.Encode()
}

func nothingToConfirm() error {
	return errcode.NotFound.New("There is nothing to confirm: the app has waited for too long, or it belongs to another account. Start again in the app.")
}

type passFallbackRequest struct {
	Stage   string `path:"stage"`
	Token   string `form:"form_token"`
	Session string `form:"session"`
}

// passFallback confirms it.
func (s *Service) passFallback(ctx context.Context, call *httpapi.Call, req passFallbackRequest) (httpapi.Reply, error) {
	if accounts.Stage(req.Stage) != accounts.BrowserStage {
		return httpapi.Reply{}, errcode.NotFound.New("This server has no page for this way to authenticate.")
	}
	here := fallbackFor(req.Session)
	v, reply, err := s.enterSecurity(ctx, call, here)
	if v == nil {
		return reply, err
	}
	if !v.Owns(req.Token) {
		return v.Stale(here)
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error { return s.accounts.ConfirmInBrowser(tx, v.UserID(), req.Session) })
	if errors.Is(err, db.ErrNoRow) {
		return httpapi.Reply{}, nothingToConfirm()
	}
	if err != nil {
		return httpapi.Reply{}, err
	}
	return v.Show(http.StatusOK, page.Fallback{Account: string(v.UserID()), Done: true})
}
