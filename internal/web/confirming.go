package web

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/factors"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/page"
	"github.com/narthex-matrix/narthex/internal/visitor"
)

type showConfirmRequest struct {
	Continue string `query:"continue"`
}

// showConfirm asks whoever is signed in for a proof, because they are about to do
// something that a browser left open must not do for a stranger.
func (s *Service) showConfirm(ctx context.Context, call *httpapi.Call, req showConfirmRequest) (httpapi.Reply, error) {
	v, reply, err := s.enterAccount(ctx, call, confirmPathFor(req.Continue))
	if v == nil {
		return reply, err
	}
	p, err := s.confirmPage(ctx, v, req.Continue)
	if err != nil {
		return httpapi.Reply{}, err
	}
	return v.Show(http.StatusOK, p)
}

func confirmPathFor(next string) string {
	return visitor.At(visitor.ConfirmPath, "continue", visitor.Next(next))
}

func (s *Service) confirmPage(ctx context.Context, v *visitor.Visitor, next string) (page.Confirm, error) {
	has, err := s.factorsOf(ctx, v)
	if err != nil {
		return page.Confirm{}, err
	}
	providers, err := s.providersOf(ctx, v, next)
	return page.Confirm{
		UserID: string(v.UserID()), Continue: visitor.Next(next), Act: page.ActOf(visitor.Next(next)), Password: hasPassword(v), Providers: providers,
		Codes: !has.Codes.IsZero(), Passkey: len(has.Passkeys) > 0 && s.factors.HasPasskeys(), Recovery: hasPassword(v) && has.Recovery > 0,
	}, err
}

type confirmIdentityRequest struct {
	Token    string `form:"form_token"`
	Continue string `form:"continue"`
	Password string `form:"password"`
	Code     string `form:"code"`
}

// confirmIdentity notes that the person has proved again who they are: by the password,
// with a code where there is a second factor; or by a code alone if the account has no
// password.
func (s *Service) confirmIdentity(ctx context.Context, call *httpapi.Call, req confirmIdentityRequest) (httpapi.Reply, error) {
	here := confirmPathFor(req.Continue)
	v, reply, err := s.enterAccount(ctx, call, here)
	if v == nil {
		return reply, err
	}
	if !v.Owns(req.Token) {
		return v.Stale(here)
	}
	var wrong page.Problem
	var status int
	if !hasPassword(v) && req.Code != "" {
		wrong, status, err = s.confirmByCode(ctx, v, req.Code)
	} else {
		wrong, status, err = s.confirmByPassword(ctx, v, req)
	}
	switch {
	case errors.Is(err, db.ErrNoRow):
		return v.SignIn(visitor.Next(req.Continue))
	case err != nil:
		return httpapi.Reply{}, err
	case wrong.Text == "":
		return v.Leave(visitor.Next(req.Continue))
	}
	p, err := s.confirmPage(ctx, v, req.Continue)
	if err != nil {
		return httpapi.Reply{}, err
	}
	p.Problem = wrong
	return v.Show(status, p)
}

func (s *Service) confirmByPassword(ctx context.Context, v *visitor.Visitor, req confirmIdentityRequest) (page.Problem, int, error) {
	proved, err := s.prove(ctx, v, req.Password)
	if err == nil && proved.SecondFactor {
		right := false
		if strings.TrimSpace(req.Code) != "" {
			err = s.db.Write(ctx, func(tx *db.Tx) (err error) {
				right, err = s.checkCode(tx, proved, req.Code)
				return err
			})
		}
		if wrong, status, err := codeProblem(right, err); err != nil || wrong.Text != "" {
			return wrong, status, err
		}
	}
	if err == nil {
		err = v.Prove(ctx, func(tx *db.Tx) error { return s.hold(tx, proved) })
	}
	if err == nil {
		return page.Problem{}, 0, nil
	}
	return visitor.Problem(err, "password")
}

func (s *Service) confirmByCode(ctx context.Context, v *visitor.Visitor, code string) (page.Problem, int, error) {
	right := false
	err := s.db.Write(ctx, func(tx *db.Tx) (err error) {
		right, err = s.factors.CheckCode(tx, v.UserID(), code)
		return err
	})
	if err == nil && right {
		err = v.Prove(ctx, func(*db.Tx) error { return nil })
	}
	return codeProblem(right, err)
}

// confirmByPasskey is confirmIdentity by a passkey.
func (s *Service) confirmByPasskey(ctx context.Context, call *httpapi.Call, req passkeyRequest) (httpapi.Reply, error) {
	here := confirmPathFor(req.Continue)
	v, reply, err := s.enterAccount(ctx, call, here)
	if v == nil {
		return reply, err
	}
	if !v.Owns(req.Token) {
		return v.Stale(here)
	}
	ask := func(status int, problem string) (httpapi.Reply, error) {
		return s.askPasskey(ctx, v, status, factors.ToConfirm, v.UserID(), page.AskPasskey{
			Heading: "Confirm with a passkey", Lead: "Your browser asks you for a passkey of this account.", Button: "Go on",
			Action: confirmPasskey, Continue: visitor.Next(req.Continue), Back: here, Problem: page.Problem{Text: problem},
		})
	}
	if req.Response == "" {
		return ask(http.StatusOK, "")
	}
	_, err = s.checkPasskey(ctx, v, factors.ToConfirm, v.UserID(), req.Response, nil)
	if errors.Is(err, factors.ErrWrong) {
		return ask(http.StatusForbidden, passkeyRefused)
	}
	if err == nil {
		err = v.Prove(ctx, func(*db.Tx) error { return nil })
	}
	if errors.Is(err, db.ErrNoRow) {
		return v.SignIn(visitor.Next(req.Continue))
	}
	if err != nil {
		return httpapi.Reply{}, err
	}
	return v.Leave(visitor.Next(req.Continue))
}
