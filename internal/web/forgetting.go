package web

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/page"
	"github.com/narthex-matrix/narthex/internal/validation"
	"github.com/narthex-matrix/narthex/internal/visitor"
)

// Whoever has forgotten the password shows that an address of the account is theirs.
// Until they have, the pages say nothing of whether any account has the address; and
// they sign nobody in, so that a lock, an approval and a second factor are asked for
// as ever (MSC3866, A-36).

type showForgotRequest struct {
	Continue string `query:"continue"`
}

func (s *Service) showForgot(ctx context.Context, call *httpapi.Call, req showForgotRequest) (httpapi.Reply, error) {
	if err := s.mayForget(); err != nil {
		return httpapi.Reply{}, err
	}
	v, err := s.visitors.Arrive(ctx, call)
	if err != nil {
		return httpapi.Reply{}, err
	}
	return v.Show(http.StatusOK, page.ForgotPassword{Continue: visitor.Next(req.Continue), Media: s.media()})
}

// mayForget fails with Forbidden where nothing can be sent.
func (s *Service) mayForget() error {
	if s.media().Any() {
		return nil
	}
	return errcode.Forbidden.New("This server sends no messages. Ask its administrator for another password.")
}

type askForgottenRequest struct {
	Token    string `form:"form_token"`
	Continue string `form:"continue"`
	Address  string `form:"address"`
}

// askForgotten has a message sent, or pretends to.
func (s *Service) askForgotten(ctx context.Context, call *httpapi.Call, req askForgottenRequest) (httpapi.Reply, error) {
	if err := s.mayForget(); err != nil {
		return httpapi.Reply{}, err
	}
	v, err := s.visitors.Arrive(ctx, call)
	if err != nil {
		return httpapi.Reply{}, err
	}
	p := page.ForgotPassword{Continue: visitor.Next(req.Continue), Media: s.media(), Address: req.Address}
	if !v.Owns(req.Token) {
		p.Problem = visitor.Outdated
		return v.Show(http.StatusForbidden, p)
	}
	var sid string
	if strings.TrimSpace(req.Address) == "" {
		err = errcode.InvalidParam.New("Enter your %s.", p.Media.Words())
	} else {
		sid, err = s.accounts.Ask(ctx, call, accounts.Asking{
			Purpose: validation.Password, Address: req.Address, ClientSecret: secretOf(v, validation.Password),
			NextPath: visitor.At(forgotCodePath, "continue", p.Continue), Discreet: true,
		})
	}
	if err != nil {
		wrong, status, err := visitor.Problem(err, "address")
		if err != nil {
			return httpapi.Reply{}, err
		}
		p.Problem = wrong
		return v.Show(status, p)
	}
	return v.Leave(visitor.At(forgotCodePath, "sid", sid, "continue", p.Continue))
}

type showForgotCodeRequest struct {
	SID      string `query:"sid"`
	Continue string `query:"continue"`
}

// showForgotCode asks for the code; once the address is confirmed, also by a link that
// was opened anywhere, it asks for the new password.
func (s *Service) showForgotCode(ctx context.Context, call *httpapi.Call, req showForgotCodeRequest) (httpapi.Reply, error) {
	v, err := s.visitors.Arrive(ctx, call)
	if err != nil {
		return httpapi.Reply{}, err
	}
	b, ok, err := s.look(ctx, v, validation.Password, req.SID)
	switch {
	case err != nil:
		return httpapi.Reply{}, err
	case !ok:
		return elsewhere(v, forgotPath)
	case b.Validated:
		return s.askNewPassword(ctx, v, b, newPasswordRequest{SID: req.SID, Continue: req.Continue, SignOut: "yes"}, http.StatusOK, page.Problem{})
	}
	return v.Show(http.StatusOK, forgotCode(b, req.SID, req.Continue))
}

func forgotCode(b validation.Begun, sid, next string) page.AddressCode {
	return page.AddressCode{
		Action: forgotCodePath, Sent: []page.Sent{sent(b)}, SID: sid, Continue: visitor.Next(next), Discreet: true,
		Again: visitor.At(forgotPath, "continue", visitor.Next(next)), Button: "Go on",
	}
}

// takeForgotCode takes the code back, or has another message sent.
func (s *Service) takeForgotCode(ctx context.Context, call *httpapi.Call, req codeForm) (httpapi.Reply, error) {
	v, err := s.visitors.Arrive(ctx, call)
	if err != nil {
		return httpapi.Reply{}, err
	}
	next := visitor.Next(req.Continue)
	if !v.Owns(req.Token) {
		return v.Stale(visitor.At(forgotCodePath, "sid", req.SID, "continue", next))
	}
	b, ok, err := s.look(ctx, v, validation.Password, req.SID)
	switch {
	case err != nil:
		return httpapi.Reply{}, err
	case !ok:
		return elsewhere(v, forgotPath)
	}
	sid := req.SID
	switch {
	case req.Again == "yes":
		sid, err = s.sendAgain(ctx, v, validation.Password, b, visitor.At(forgotCodePath, "continue", next))
	case !b.Validated:
		err = s.takeCode(ctx, v, validation.Password, sid, b.Medium, req.code(b.Medium))
	}
	if err != nil {
		return codeAgain(v, forgotCode(b, req.SID, next), err, sent(b).Field())
	}
	return v.Leave(visitor.At(forgotCodePath, "sid", sid, "continue", next))
}

type newPasswordRequest struct {
	Token         string `form:"form_token"`
	SID           string `form:"sid"`
	Continue      string `form:"continue"`
	NewPassword   string `form:"new_password"`
	PasswordAgain string `form:"password_again"`
	SignOut       string `form:"sign_out"`
}

// askNewPassword shows the form for the new password, to whoever has confirmed an
// address, with the name of the account that has it.
func (s *Service) askNewPassword(ctx context.Context, v *visitor.Visitor, b validation.Begun, req newPasswordRequest, status int, problem page.Problem) (httpapi.Reply, error) {
	p := page.NewPassword{
		SID: req.SID, Continue: visitor.Next(req.Continue), MinLength: s.cfg.Login.Password.MinLength, Keep: req.SignOut != "yes", Problem: problem,
	}
	err := s.db.Read(ctx, func(tx *db.Tx) error {
		owner, err := s.accounts.Owner(tx, b.Medium, b.Address)
		p.UserID = string(owner)
		return err
	})
	if errors.Is(err, db.ErrNoRow) { // it was given up, or the account was closed
		return v.Show(http.StatusBadRequest, page.Failure{
			Status: http.StatusBadRequest, Text: "No account of this server has this address any more.", Back: forgotPath,
		})
	}
	if err != nil {
		return httpapi.Reply{}, err
	}
	return v.Show(status, p)
}

// resetPassword sets the new password, and sends the browser to sign in with it.
func (s *Service) resetPassword(ctx context.Context, call *httpapi.Call, req newPasswordRequest) (httpapi.Reply, error) {
	v, err := s.visitors.Arrive(ctx, call)
	if err != nil {
		return httpapi.Reply{}, err
	}
	next := visitor.Next(req.Continue)
	here := visitor.At(forgotCodePath, "sid", req.SID, "continue", next)
	if !v.Owns(req.Token) {
		return v.Stale(here)
	}
	b, ok, err := s.look(ctx, v, validation.Password, req.SID)
	switch {
	case err != nil:
		return httpapi.Reply{}, err
	case !ok:
		return elsewhere(v, forgotPath)
	case !b.Validated:
		return v.Leave(here)
	}
	if err := s.setForgotten(ctx, v, req); err != nil {
		field := visitor.FieldOf(err)
		if errors.Is(err, errcode.WeakPassword) {
			field = "new_password"
		}
		wrong, status, err := visitor.Problem(err, field)
		if err != nil {
			return httpapi.Reply{}, err
		}
		return s.askNewPassword(ctx, v, b, req, status, wrong)
	}
	return v.Leave(visitor.At(signInPath, "continue", next, "done", "reset"))
}

func (s *Service) setForgotten(ctx context.Context, v *visitor.Visitor, req newPasswordRequest) error {
	if err := s.checkNewPassword(req.NewPassword, req.PasswordAgain); err != nil {
		return err
	}
	hash, err := s.passwords.Hash(ctx, req.NewPassword)
	if err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		return s.accounts.ResetPassword(tx, req.SID, secretOf(v, validation.Password), hash, req.SignOut == "yes")
	})
}
