package web

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/factors"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/page"
	"github.com/narthex-matrix/narthex/internal/visitor"
)

func signInPathFor(next string) string {
	return visitor.At(signInPath, "continue", next)
}

// enterStep reads the cookies for the second step of signing in. Unless the first one
// is done, it gives the answer instead of a visitor.
func (s *Service) enterStep(ctx context.Context, call *httpapi.Call, next string) (v *visitor.Visitor, a accounts.Account, has factors.Factors, reply httpapi.Reply, err error) {
	v, err = s.visitors.Arrive(ctx, call)
	if err != nil {
		return nil, a, has, reply, err
	}
	err = s.db.Read(ctx, func(tx *db.Tx) (err error) {
		if a, err = s.factors.Step(tx, v.Step()); err != nil {
			return err
		}
		has, err = s.factors.Of(tx, a.UserID)
		return err
	})
	if errors.Is(err, db.ErrNoRow) {
		reply, err = v.SignIn(visitor.Next(next))
		return nil, a, has, reply, err
	}
	return v, a, has, reply, err
}

type showSecondStepRequest struct {
	Continue string `query:"continue"`
}

// showSecondStep asks for the second proof; or, of somebody who has to have one and has
// none, to set one up.
func (s *Service) showSecondStep(ctx context.Context, call *httpapi.Call, req showSecondStepRequest) (httpapi.Reply, error) {
	v, account, has, reply, err := s.enterStep(ctx, call, req.Continue)
	if err != nil || v == nil {
		return reply, err
	}
	if s.accounts.LacksSecondFactor(account) {
		return v.Show(http.StatusOK, s.setUpPage(account, factors.NewCodeSecret(), req.Continue))
	}
	return v.Show(http.StatusOK, s.secondStepPage(has, req.Continue))
}

func (s *Service) secondStepPage(has factors.Factors, next string) page.SecondStep {
	return page.SecondStep{
		Codes: !has.Codes.IsZero(), Passkey: len(has.Passkeys) > 0 && s.factors.HasPasskeys(), Recovery: has.Recovery > 0, Continue: visitor.Next(next),
	}
}

type secondStepRequest struct {
	Token    string `form:"form_token"`
	Continue string `form:"continue"`
	Code     string `form:"code"`
}

// takeSecondStep signs in whoever has a right code.
func (s *Service) takeSecondStep(ctx context.Context, call *httpapi.Call, req secondStepRequest) (httpapi.Reply, error) {
	v, account, has, reply, err := s.enterStep(ctx, call, req.Continue)
	if err != nil || v == nil {
		return reply, err
	}
	if !v.Owns(req.Token) {
		return v.Stale(visitor.SecondStepPath)
	}
	right := false
	if strings.TrimSpace(req.Code) != "" {
		err = s.db.Write(ctx, func(tx *db.Tx) error {
			if right, err = s.checkCode(tx, account, req.Code); err != nil || !right {
				return err
			}
			return s.factors.PassStep(tx, v.Step())
		})
	}
	if err == nil && right {
		err = v.EnterBySecondStep(ctx)
	}
	if errors.Is(err, db.ErrNoRow) {
		return v.SignIn(visitor.Next(req.Continue))
	}
	if wrong, status, err := codeProblem(right, err); err != nil {
		return httpapi.Reply{}, err
	} else if wrong.Text != "" {
		p := s.secondStepPage(has, req.Continue)
		p.Problem = wrong
		return v.Show(status, p)
	}
	return v.Leave(visitor.Next(req.Continue))
}

// checkCode takes six digits for a one-time code, and anything else for a recovery
// code.
func (s *Service) checkCode(tx *db.Tx, account accounts.Account, code string) (bool, error) {
	digits := strings.Join(strings.Fields(code), "")
	if len(digits) == 6 && strings.Trim(digits, "0123456789") == "" {
		return s.factors.CheckCode(tx, account.UserID, digits)
	}
	return s.factors.CheckRecovery(tx, account.UserID, code)
}

// codeProblem is what is wrong with a code, if anything is.
func codeProblem(right bool, err error) (page.Problem, int, error) {
	switch {
	case errors.Is(err, factors.ErrKey):
		return page.Problem{Text: "This server cannot check codes from apps at the moment, and its administrator has to repair it. Use a passkey or a recovery code."}, http.StatusServiceUnavailable, nil
	case err != nil:
		return visitor.Problem(err, "code")
	case !right:
		return page.Problem{Field: "code", Text: "This code is wrong, or was used already. Wait for the next one of your app."}, http.StatusForbidden, nil
	}
	return page.Problem{}, 0, nil
}

// takeSecondStepByPasskey signs in whoever has a passkey of the account.
func (s *Service) takeSecondStepByPasskey(ctx context.Context, call *httpapi.Call, req passkeyRequest) (httpapi.Reply, error) {
	v, account, _, reply, err := s.enterStep(ctx, call, req.Continue)
	if err != nil || v == nil {
		return reply, err
	}
	next := visitor.Next(req.Continue)
	back := visitor.At(visitor.SecondStepPath, "continue", next)
	if !v.Owns(req.Token) {
		return v.Stale(back)
	}
	ask := func(status int, problem string) (httpapi.Reply, error) {
		return s.askPasskey(ctx, v, status, factors.AsStep, account.UserID, page.AskPasskey{
			Heading: "Use a passkey", Lead: "Your browser asks you for a passkey of this account.", Button: "Go on",
			Action: secondPasskeyPath, Continue: next, Back: back, Problem: page.Problem{Text: problem},
		})
	}
	if req.Response == "" {
		return ask(http.StatusOK, "")
	}
	_, err = s.checkPasskey(ctx, v, factors.AsStep, account.UserID, req.Response, func(tx *db.Tx) error { return s.factors.PassStep(tx, v.Step()) })
	if errors.Is(err, factors.ErrWrong) {
		return ask(http.StatusForbidden, passkeyRefused)
	}
	if err == nil {
		err = v.EnterBySecondStep(ctx)
	}
	if errors.Is(err, db.ErrNoRow) {
		return v.SignIn(next)
	}
	if err != nil {
		return httpapi.Reply{}, err
	}
	return v.Leave(next)
}
