package web

import (
	"context"
	"errors"
	"net/http"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/factors"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/page"
	"github.com/narthex-matrix/narthex/internal/visitor"
)

const passkeyRefused = "This passkey was not accepted: this server does not know it, or it took too long. Try again, or use another way."

// askPasskey shows the page on which the browser asks for a passkey.
func (s *Service) askPasskey(ctx context.Context, v *visitor.Visitor, status int, purpose factors.Purpose, userID id.UserID, p page.AskPasskey) (httpapi.Reply, error) {
	var options []byte
	err := s.db.Write(ctx, func(tx *db.Tx) (err error) {
		options, err = s.factors.Challenge(tx, purpose, userID, v.Key("passkey"))
		return err
	})
	if errors.Is(err, factors.ErrWrong) {
		return httpapi.Reply{}, errcode.NotFound.New("There is no passkey to ask for.")
	}
	if err != nil {
		return httpapi.Reply{}, err
	}
	p.Options = string(options)
	reply, err := v.Show(status, p)
	if err == nil {
		reply.Header.Set("Content-Security-Policy", httpapi.ContentSecurityPolicy()+"; script-src 'self'")
	}
	return reply, err
}

// checkPasskey gives the account whose passkey was used. A refusal is
// factors.ErrWrong, and uses the challenge up.
func (s *Service) checkPasskey(ctx context.Context, v *visitor.Visitor, purpose factors.Purpose, userID id.UserID, answer string, and func(tx *db.Tx) error) (a accounts.Account, err error) {
	refused := false
	err = s.db.Write(ctx, func(tx *db.Tx) (err error) {
		a, err = s.factors.CheckPasskey(tx, purpose, userID, v.Key("passkey"), []byte(answer))
		if refused = errors.Is(err, factors.ErrWrong); refused {
			return nil // so that the challenge stays used up
		}
		if err == nil && and != nil {
			err = and(tx)
		}
		return err
	})
	if err == nil && refused {
		err = factors.ErrWrong
	}
	return a, err
}

// passkeyRequest is the form of a page that asks for a passkey. Without a response it
// is the button that leads there.
type passkeyRequest struct {
	Token    string `form:"form_token"`
	Continue string `form:"continue"`
	Response string `form:"response"`
}

// signInByPasskey signs in whoever unlocks a passkey, without name and password.
func (s *Service) signInByPasskey(ctx context.Context, call *httpapi.Call, req passkeyRequest) (httpapi.Reply, error) {
	v, err := s.visitors.Arrive(ctx, call)
	if err != nil {
		return httpapi.Reply{}, err
	}
	next := visitor.Next(req.Continue)
	if !v.Owns(req.Token) {
		return v.Stale(signInPathFor(next))
	}
	ask := func(status int, problem string) (httpapi.Reply, error) {
		return s.askPasskey(ctx, v, status, factors.ToSignIn, "", page.AskPasskey{
			Heading: "Sign in with a passkey", Lead: "Your browser asks you which passkey to use, and to unlock it.", Button: "Use a passkey",
			Action: signInPasskeyPath, Continue: next, Back: signInPathFor(next), Problem: page.Problem{Text: problem},
		})
	}
	if req.Response == "" {
		return ask(http.StatusOK, "")
	}
	account, err := s.checkPasskey(ctx, v, factors.ToSignIn, "", req.Response, nil)
	if err == nil && account.Locked {
		return ask(http.StatusForbidden, "Your account is locked. Ask the administrator of this server.")
	}
	if err == nil {
		err = v.EnterByPasskey(ctx, account)
	}
	if errors.Is(err, factors.ErrWrong) || errors.Is(err, db.ErrNoRow) {
		return ask(http.StatusForbidden, passkeyRefused)
	}
	if err != nil {
		return httpapi.Reply{}, err
	}
	return v.Leave(next)
}
