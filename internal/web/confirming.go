package web

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/page"
	"github.com/narthex-matrix/narthex/internal/visitor"
)

type showConfirmRequest struct {
	Continue string `query:"continue"`
}

// showConfirm asks for the password of whoever is signed in, who is about to do
// something that a browser left open must not do for a stranger.
func (s *Service) showConfirm(ctx context.Context, call *httpapi.Call, req showConfirmRequest) (httpapi.Reply, error) {
	v, reply, err := s.enterAccount(ctx, call, confirmPathFor(req.Continue))
	if v == nil {
		return reply, err
	}
	return v.Show(http.StatusOK, page.Confirm{UserID: string(v.UserID()), Continue: visitor.Next(req.Continue)})
}

func confirmPathFor(next string) string {
	return visitor.ConfirmPath + "?" + url.Values{"continue": {visitor.Next(next)}}.Encode()
}

type confirmIdentityRequest struct {
	Token    string `form:"form_token"`
	Continue string `form:"continue"`
	Password string `form:"password"`
}

// confirmIdentity notes that the person has proved again who they are.
func (s *Service) confirmIdentity(ctx context.Context, call *httpapi.Call, req confirmIdentityRequest) (httpapi.Reply, error) {
	here := confirmPathFor(req.Continue)
	v, reply, err := s.enterAccount(ctx, call, here)
	if v == nil {
		return reply, err
	}
	if !v.Owns(req.Token) {
		return v.Stale(here)
	}
	proved, err := s.prove(ctx, v, req.Password)
	if err == nil {
		err = v.Prove(ctx, func(tx *db.Tx) error { return s.hold(tx, proved) })
	}
	if errors.Is(err, db.ErrNoRow) {
		return v.SignIn(visitor.Next(req.Continue))
	}
	if err != nil {
		wrong, status, err := visitor.Problem(err, "password")
		if err != nil {
			return httpapi.Reply{}, err
		}
		return v.Show(status, page.Confirm{UserID: string(v.UserID()), Continue: visitor.Next(req.Continue), Problem: wrong})
	}
	return v.Leave(visitor.Next(req.Continue))
}
