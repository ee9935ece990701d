package web

import (
	"context"
	"errors"
	"net/http"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/factors"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/page"
	"github.com/narthex-matrix/narthex/internal/visitor"
)

// Here are those who have to have a second factor and have none: they set one up in
// the middle of signing in, and are nobody until it is done.

func (s *Service) setUpPage(account accounts.Account, secret, next string) page.OneTimeCodes {
	return page.OneTimeCodes{
		Action: setUpPath, Secret: secret, Address: s.factors.CodeAddress(account.UserID, secret),
		Required: true, Passkey: s.factors.HasPasskeys(), Continue: visitor.Next(next),
	}
}

// errHas says that the account has got a second factor meanwhile, which is to be asked
// for.
var errHas = errors.New("web: the account has a second factor by now")

// addInStep adds a factor in the middle of signing in. A password alone must not add
// one to an account that has one already.
func (s *Service) addInStep(ctx context.Context, v *visitor.Visitor, account accounts.Account, add func(tx *db.Tx) ([]string, error)) (recovery []string, err error) {
	refused := false
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		now, err := s.accounts.Hold(tx, account.UserID)
		if err != nil {
			return err
		}
		if !s.accounts.LacksSecondFactor(now) {
			return errHas
		}
		recovery, err = add(tx)
		if refused = errors.Is(err, factors.ErrWrong); refused {
			return nil // so that a challenge stays used up
		}
		if err != nil {
			return err
		}
		return s.factors.PassStep(tx, v.Step())
	})
	switch {
	case err != nil:
		return nil, err
	case refused:
		return nil, factors.ErrWrong
	}
	return recovery, v.EnterBySecondStep(ctx)
}

type setUpRequest struct {
	Token    string `form:"form_token"`
	Continue string `form:"continue"`
	Secret   string `form:"secret"`
	Code     string `form:"code"`
}

func (s *Service) setUp(ctx context.Context, call *httpapi.Call, req setUpRequest) (httpapi.Reply, error) {
	v, account, _, reply, err := s.enterStep(ctx, call, req.Continue)
	if err != nil || v == nil {
		return reply, err
	}
	if !v.Owns(req.Token) {
		return v.Stale(visitor.SecondStepPath)
	}
	recovery, err := s.addInStep(ctx, v, account, func(tx *db.Tx) ([]string, error) {
		return s.factors.AddCodes(tx, account.UserID, req.Secret, req.Code)
	})
	if errors.Is(err, errHas) || errors.Is(err, db.ErrNoRow) || (err != nil && !factors.IsCodeSecret(req.Secret)) {
		return v.SecondStep(visitor.Next(req.Continue))
	}
	if wrong, status, err := newCodeProblem(err); err != nil {
		return httpapi.Reply{}, err
	} else if wrong.Text != "" {
		p := s.setUpPage(account, req.Secret, req.Continue)
		p.Problem = wrong
		return v.Show(status, p)
	}
	return v.Show(http.StatusOK, page.RecoveryCodes{Codes: recovery, First: true, Continue: visitor.Next(req.Continue)})
}

// newCodeProblem is why codes from an app were not set up.
func newCodeProblem(err error) (page.Problem, int, error) {
	switch {
	case errors.Is(err, factors.ErrWrong):
		return page.Problem{Field: "code", Text: "This is not the code of now. Look whether the clock of your phone is right, and type the code that the app shows."}, http.StatusForbidden, nil
	case errors.Is(err, factors.ErrKey):
		return page.Problem{Text: "This server cannot keep codes from apps at the moment, and its administrator has to repair it. Use a passkey instead."}, http.StatusServiceUnavailable, nil
	}
	return page.Problem{}, 0, err
}

type newPasskeyRequest struct {
	Token    string `form:"form_token"`
	Continue string `form:"continue"`
	Name     string `form:"name"`
	Response string `form:"response"`
}

func (s *Service) setUpByPasskey(ctx context.Context, call *httpapi.Call, req newPasskeyRequest) (httpapi.Reply, error) {
	v, account, _, reply, err := s.enterStep(ctx, call, req.Continue)
	if err != nil || v == nil {
		return reply, err
	}
	next := visitor.Next(req.Continue)
	if !v.Owns(req.Token) {
		return v.Stale(visitor.SecondStepPath)
	}
	if !s.accounts.LacksSecondFactor(account) {
		return v.SecondStep(next)
	}
	ask := func(status int, problem string) (httpapi.Reply, error) {
		p := newPasskeyPage(setUpPasskeyPath, visitor.SecondStepPath, problem)
		p.Continue, p.Name = next, req.Name
		return s.askPasskey(ctx, v, status, factors.ToAdd, account.UserID, p)
	}
	if req.Response == "" {
		return ask(http.StatusOK, "")
	}
	recovery, err := s.addInStep(ctx, v, account, func(tx *db.Tx) ([]string, error) {
		return s.factors.AddPasskey(tx, account.UserID, v.Key("passkey"), req.Name, []byte(req.Response))
	})
	switch {
	case errors.Is(err, errHas), errors.Is(err, db.ErrNoRow):
		return v.SecondStep(next)
	case errors.Is(err, factors.ErrWrong):
		return ask(http.StatusForbidden, passkeyNotAdded)
	case err != nil:
		return httpapi.Reply{}, err
	}
	return v.Show(http.StatusOK, page.RecoveryCodes{Codes: recovery, First: true, Continue: next})
}

const passkeyNotAdded = "The passkey was not added: it took too long, or your device made one that this server cannot use. Try again."

func newPasskeyPage(action, back, problem string) page.AskPasskey {
	return page.AskPasskey{
		Heading: "Add a passkey", Lead: "Your browser asks you where to keep it: on this device, on your phone, or on a security key.",
		Button: "Make the passkey", Action: action, Create: true, Back: back, Problem: page.Problem{Text: problem},
	}
}
