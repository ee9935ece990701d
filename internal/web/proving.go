package web

import (
	"context"
	"errors"
	"net/http"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/page"
	"github.com/narthex-matrix/narthex/internal/visitor"
)

// What is on these pages cannot be taken back, or gives the account away: it needs
// the password again, even of somebody who is signed in.

// prove checks the password of whoever is signed in. The account that it gives has
// to be held and compared before anything is written.
func (s *Service) prove(ctx context.Context, v *visitor.Visitor, password string) (accounts.Account, error) {
	if password == "" {
		return accounts.Account{}, notYourPassword()
	}
	account, err := s.accounts.CheckPassword(ctx, accounts.Identifier{Type: "m.id.user", User: string(v.UserID())}, password)
	if errors.Is(err, errcode.Forbidden) {
		err = notYourPassword()
	}
	return account, err
}

// hasPassword reports whether whoever is signed in has a password. Who has none comes
// from a provider of single sign-on.
func hasPassword(v *visitor.Visitor) bool { return v.Browser.Account.PasswordHash != "" }

// asksPassword reports whether the password is all that proves who is signed in, so that
// a page can ask for it itself. With a second factor it would be half a proof.
func asksPassword(v *visitor.Visitor) bool { return hasPassword(v) && !v.Browser.Account.SecondFactor }

// unproved reports whether a page asks for the proof by way of the page for it.
func unproved(v *visitor.Visitor) bool { return !asksPassword(v) && !v.Confirmed() }

// proveNow checks the password or, where that proves too little, that there was a whole
// proof a short while ago.
func (s *Service) proveNow(ctx context.Context, v *visitor.Visitor, password string) (accounts.Account, error) {
	if asksPassword(v) {
		return s.prove(ctx, v, password)
	}
	if !v.Confirmed() {
		return accounts.Account{}, errcode.Forbidden.New("Open this page again to confirm that it is you.")
	}
	return v.Browser.Account, nil
}

func notYourPassword() error { return errcode.Forbidden.New("This is not your password.") }

// hold keeps the account from changing, and fails if it has since its password was
// checked.
func (s *Service) hold(tx *db.Tx, proved accounts.Account) error {
	now, err := s.accounts.Hold(tx, proved.UserID)
	if errors.Is(err, db.ErrNoRow) || (err == nil && (now.PasswordHash != proved.PasswordHash || now.Locked || now.Deactivated)) {
		return notYourPassword()
	}
	return err
}

type showPasswordRequest struct{}

func (s *Service) showPassword(ctx context.Context, call *httpapi.Call, _ showPasswordRequest) (httpapi.Reply, error) {
	v, reply, err := s.enterAccount(ctx, call, passwordPath)
	if v == nil {
		return reply, err
	}
	if unproved(v) {
		return v.Confirm(passwordPath)
	}
	return v.Show(http.StatusOK, s.passwordPage(v))
}

func (s *Service) passwordPage(v *visitor.Visitor) page.Password {
	return page.Password{UserID: string(v.UserID()), HasPassword: hasPassword(v), AskPassword: asksPassword(v), MinLength: s.cfg.Login.Password.MinLength}
}

type changePasswordRequest struct {
	Token         string `form:"form_token"`
	Password      string `form:"password"`
	NewPassword   string `form:"new_password"`
	PasswordAgain string `form:"password_again"`
	SignOut       string `form:"sign_out"`
}

// changePassword changes the password. Every browser is signed out by it but this
// one, which begins a new session.
func (s *Service) changePassword(ctx context.Context, call *httpapi.Call, req changePasswordRequest) (httpapi.Reply, error) {
	v, reply, err := s.enterAccount(ctx, call, passwordPath)
	if v == nil {
		return reply, err
	}
	if !v.Owns(req.Token) {
		return v.Stale(passwordPath)
	}
	if unproved(v) {
		return v.Confirm(passwordPath)
	}
	err = s.replacePassword(ctx, v, req)
	if err != nil {
		field := visitor.FieldOf(err)
		switch {
		case errors.Is(err, errcode.WeakPassword):
			field = "new_password"
		case errors.Is(err, errcode.Forbidden):
			field = "password"
		}
		wrong, status, err := visitor.Problem(err, field)
		if err != nil {
			return httpapi.Reply{}, err
		}
		p := s.passwordPage(v)
		p.Problem = wrong
		return v.Show(status, p)
	}
	return v.Leave(accountPath + "?done=password")
}

func (s *Service) replacePassword(ctx context.Context, v *visitor.Visitor, req changePasswordRequest) error {
	if err := s.checkNewPassword(req.NewPassword, req.PasswordAgain); err != nil {
		return err
	}
	proved, err := s.proveNow(ctx, v, req.Password)
	if err != nil {
		return err
	}
	hash, err := s.passwords.Hash(ctx, req.NewPassword)
	if err != nil {
		return err
	}
	return v.Enter(ctx, func(tx *db.Tx) (accounts.Account, error) {
		if err := s.hold(tx, proved); err != nil {
			return proved, err
		}
		if err := s.accounts.SetPassword(tx, proved.UserID, hash, string(proved.UserID), req.SignOut == "yes"); err != nil {
			return proved, err
		}
		changed := proved
		changed.PasswordHash = hash
		return changed, s.oauth.SignOutBrowsers(tx, proved.UserID)
	})
}

type showDeactivateRequest struct{}

func (s *Service) showDeactivate(ctx context.Context, call *httpapi.Call, _ showDeactivateRequest) (httpapi.Reply, error) {
	v, reply, err := s.enterAccount(ctx, call, deactivatePath)
	if v == nil {
		return reply, err
	}
	if unproved(v) {
		return v.Confirm(deactivatePath)
	}
	return v.Show(http.StatusOK, page.Deactivate{UserID: string(v.UserID()), AskPassword: asksPassword(v)})
}

type deactivateRequest struct {
	Token    string `form:"form_token"`
	Password string `form:"password"`
	Erase    string `form:"erase"`
}

func (s *Service) deactivate(ctx context.Context, call *httpapi.Call, req deactivateRequest) (httpapi.Reply, error) {
	v, reply, err := s.enterAccount(ctx, call, deactivatePath)
	if v == nil {
		return reply, err
	}
	if !v.Owns(req.Token) {
		return v.Stale(deactivatePath)
	}
	if unproved(v) {
		return v.Confirm(deactivatePath)
	}
	erase := req.Erase == "yes"
	proved, err := s.proveNow(ctx, v, req.Password)
	if err == nil {
		err = s.db.Write(ctx, func(tx *db.Tx) error {
			if err := s.hold(tx, proved); err != nil {
				return err
			}
			if err := s.oauth.SignOutBrowsers(tx, proved.UserID); err != nil {
				return err
			}
			return s.accounts.Deactivate(tx, proved.UserID, string(proved.UserID), erase)
		})
	}
	if err != nil {
		wrong, status, err := visitor.Problem(err, "password")
		if err != nil {
			return httpapi.Reply{}, err
		}
		return v.Show(status, page.Deactivate{UserID: string(v.UserID()), AskPassword: asksPassword(v), Erase: erase, Problem: wrong})
	}
	if err := v.Exit(ctx); err != nil {
		return httpapi.Reply{}, err
	}
	return v.Leave(signedOutPath + "?done=deactivated")
}

type showIdentityRequest struct{}

func (s *Service) showIdentity(ctx context.Context, call *httpapi.Call, _ showIdentityRequest) (httpapi.Reply, error) {
	v, reply, err := s.enterAccount(ctx, call, identityPath)
	if v == nil {
		return reply, err
	}
	if unproved(v) {
		return v.Confirm(identityPath)
	}
	return v.Show(http.StatusOK, page.ResetIdentity{UserID: string(v.UserID()), AskPassword: asksPassword(v)})
}

type allowIdentityResetRequest struct {
	Token    string `form:"form_token"`
	Password string `form:"password"`
}

// allowIdentityReset lets an app replace the cross-signing keys, once and soon
// (client-server API, "OAuth authentication").
func (s *Service) allowIdentityReset(ctx context.Context, call *httpapi.Call, req allowIdentityResetRequest) (httpapi.Reply, error) {
	v, reply, err := s.enterAccount(ctx, call, identityPath)
	if v == nil {
		return reply, err
	}
	if !v.Owns(req.Token) {
		return v.Stale(identityPath)
	}
	if unproved(v) {
		return v.Confirm(identityPath)
	}
	p := page.ResetIdentity{UserID: string(v.UserID()), AskPassword: asksPassword(v)}
	proved, err := s.proveNow(ctx, v, req.Password)
	if err == nil {
		err = s.db.Write(ctx, func(tx *db.Tx) error {
			if err := s.hold(tx, proved); err != nil {
				return err
			}
			return s.accounts.AllowCrossSigningReset(tx, proved.UserID)
		})
	}
	if err != nil {
		wrong, status, err := visitor.Problem(err, "password")
		if err != nil {
			return httpapi.Reply{}, err
		}
		p.Problem = wrong
		return v.Show(status, p)
	}
	p.Allowed = true
	return v.Show(http.StatusOK, p)
}
