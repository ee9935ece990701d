package web

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/factors"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/page"
	"github.com/narthex-matrix/narthex/internal/visitor"
)

type showSecurityRequest struct {
	Done string `query:"done"`
}

// secured are the sentences about what was just done to the factors.
var secured = map[string]string{
	"passkey": "The passkey is added.",
	"renamed": "The passkey has its new name.",
	"removed": "The passkey is removed. It lets nobody in any more.",
	"codes":   "The codes of your app are switched on.",
	"no-code": "One-time codes are switched off.",
}

func (s *Service) showSecurity(ctx context.Context, call *httpapi.Call, req showSecurityRequest) (httpapi.Reply, error) {
	v, reply, err := s.enterAccount(ctx, call, securityPath)
	if v == nil {
		return reply, err
	}
	has, err := s.factorsOf(ctx, v)
	if err != nil {
		return httpapi.Reply{}, err
	}
	p := page.Security{
		CanAdd: s.factors.HasPasskeys(), Codes: has.Codes, Recovery: has.Recovery, Password: v.Browser.Account.PasswordHash != "", Done: secured[req.Done],
	}
	for _, k := range has.Passkeys {
		p.Passkeys = append(p.Passkeys, shownPasskey(k))
	}
	return v.Show(http.StatusOK, p)
}

func (s *Service) factorsOf(ctx context.Context, v *visitor.Visitor) (has factors.Factors, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) (err error) {
		has, err = s.factors.Of(tx, v.UserID())
		return err
	})
	return has, err
}

func shownPasskey(k factors.Passkey) page.Passkey {
	return page.Passkey{ID: base64.RawURLEncoding.EncodeToString(k.ID), Name: k.Name, Added: k.Added, Used: k.Used, Synced: k.Synced}
}

// enterSecurity is enterAccount for acts on the factors, which need a proof of the
// last minutes.
func (s *Service) enterSecurity(ctx context.Context, call *httpapi.Call, here string) (*visitor.Visitor, httpapi.Reply, error) {
	v, reply, err := s.enterAccount(ctx, call, here)
	if v != nil && !v.Confirmed() {
		reply, err = v.Confirm(here)
		return nil, reply, err
	}
	return v, reply, err
}

// addFactor adds a factor. With the first one, every other browser is signed out: their
// sessions have begun by the password alone.
func (s *Service) addFactor(ctx context.Context, v *visitor.Visitor, add func(tx *db.Tx) ([]string, error)) (recovery []string, err error) {
	refused := false
	err = s.db.Write(ctx, func(tx *db.Tx) (err error) {
		recovery, err = add(tx)
		if refused = errors.Is(err, factors.ErrWrong); refused {
			return nil // so that a challenge stays used up
		}
		if err != nil || recovery == nil {
			return err
		}
		return s.oauth.SignOutOtherBrowsers(tx, v.Browser)
	})
	if err == nil && refused {
		err = factors.ErrWrong
	}
	return recovery, err
}

// added answers that a factor was added, with the recovery codes if it is the first.
func added(v *visitor.Visitor, recovery []string, done string) (httpapi.Reply, error) {
	if recovery == nil {
		return v.Leave(securityPath + "?done=" + done)
	}
	return v.Show(http.StatusOK, page.RecoveryCodes{Codes: recovery, First: true, Continue: securityPath})
}

func (s *Service) addPasskey(ctx context.Context, call *httpapi.Call, req newPasskeyRequest) (httpapi.Reply, error) {
	v, reply, err := s.enterSecurity(ctx, call, securityPath)
	if v == nil {
		return reply, err
	}
	if !v.Owns(req.Token) {
		return v.Stale(securityPath)
	}
	ask := func(status int, problem string) (httpapi.Reply, error) {
		p := newPasskeyPage(passkeysPath, securityPath, problem)
		p.Name = req.Name
		return s.askPasskey(ctx, v, status, factors.ToAdd, v.UserID(), p)
	}
	if req.Response == "" {
		return ask(http.StatusOK, "")
	}
	recovery, err := s.addFactor(ctx, v, func(tx *db.Tx) ([]string, error) {
		return s.factors.AddPasskey(tx, v.UserID(), v.Key("passkey"), req.Name, []byte(req.Response))
	})
	if errors.Is(err, factors.ErrWrong) {
		return ask(http.StatusForbidden, passkeyNotAdded)
	}
	if err != nil {
		return httpapi.Reply{}, err
	}
	return added(v, recovery, "passkey")
}

type showPasskeyRequest struct {
	ID string `query:"id"`
}

func (s *Service) showPasskey(ctx context.Context, call *httpapi.Call, req showPasskeyRequest) (httpapi.Reply, error) {
	v, reply, err := s.enterSecurity(ctx, call, passkeyPath+"?id="+req.ID)
	if v == nil {
		return reply, err
	}
	has, err := s.factorsOf(ctx, v)
	if err != nil {
		return httpapi.Reply{}, err
	}
	for _, k := range has.Passkeys {
		if p := shownPasskey(k); p.ID == req.ID {
			return v.Show(http.StatusOK, page.PasskeyDetails{Passkey: p})
		}
	}
	return httpapi.Reply{}, noPasskey()
}

func noPasskey() error {
	return errcode.NotFound.New("You have no such passkey. It may have been removed already.")
}

type changePasskeyRequest struct {
	Token string `form:"form_token"`
	ID    string `form:"id"`
	Name  string `form:"name"`
	Act   string `form:"act"`
}

func (s *Service) changePasskey(ctx context.Context, call *httpapi.Call, req changePasskeyRequest) (httpapi.Reply, error) {
	v, reply, err := s.enterSecurity(ctx, call, securityPath)
	if v == nil {
		return reply, err
	}
	if !v.Owns(req.Token) {
		return v.Stale(securityPath)
	}
	passkey, err := base64.RawURLEncoding.DecodeString(req.ID)
	if err != nil {
		return httpapi.Reply{}, noPasskey()
	}
	done := "renamed"
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		if req.Act == "remove" {
			done = "removed"
			return s.factors.RemovePasskey(tx, v.UserID(), passkey)
		}
		return s.factors.RenamePasskey(tx, v.UserID(), passkey, req.Name)
	})
	switch {
	case errors.Is(err, db.ErrNoRow):
		return httpapi.Reply{}, noPasskey()
	case errors.Is(err, factors.ErrLast):
		return v.Show(http.StatusForbidden, page.PasskeyDetails{Passkey: page.Passkey{ID: req.ID, Name: req.Name}, Problem: page.Problem{Text: lastText}})
	case err != nil:
		return httpapi.Reply{}, err
	}
	return v.Leave(securityPath + "?done=" + done)
}

const lastText = "This server wants you to have a second proof, and this is your last one. Add another first."

type showCodesRequest struct{}

func (s *Service) showCodes(ctx context.Context, call *httpapi.Call, _ showCodesRequest) (httpapi.Reply, error) {
	v, reply, err := s.enterSecurity(ctx, call, codesPath)
	if v == nil {
		return reply, err
	}
	return v.Show(http.StatusOK, s.codesPage(v, factors.NewCodeSecret()))
}

func (s *Service) codesPage(v *visitor.Visitor, secret string) page.OneTimeCodes {
	return page.OneTimeCodes{Action: codesPath, Secret: secret, Address: s.factors.CodeAddress(v.UserID(), secret)}
}

type changeCodesRequest struct {
	Token  string `form:"form_token"`
	Secret string `form:"secret"`
	Code   string `form:"code"`
	Remove string `form:"remove"`
}

func (s *Service) changeCodes(ctx context.Context, call *httpapi.Call, req changeCodesRequest) (httpapi.Reply, error) {
	v, reply, err := s.enterSecurity(ctx, call, codesPath)
	if v == nil {
		return reply, err
	}
	if !v.Owns(req.Token) {
		return v.Stale(securityPath)
	}
	if req.Remove == "yes" {
		return s.removeCodes(ctx, v)
	}
	if !factors.IsCodeSecret(req.Secret) {
		return v.Leave(codesPath)
	}
	recovery, err := s.addFactor(ctx, v, func(tx *db.Tx) ([]string, error) {
		return s.factors.AddCodes(tx, v.UserID(), req.Secret, req.Code)
	})
	if wrong, status, err := newCodeProblem(err); err != nil {
		return httpapi.Reply{}, err
	} else if wrong.Text != "" {
		p := s.codesPage(v, req.Secret)
		p.Problem = wrong
		return v.Show(status, p)
	}
	return added(v, recovery, "codes")
}

func (s *Service) removeCodes(ctx context.Context, v *visitor.Visitor) (httpapi.Reply, error) {
	err := s.db.Write(ctx, func(tx *db.Tx) error { return s.factors.RemoveCodes(tx, v.UserID()) })
	if errors.Is(err, factors.ErrLast) {
		return v.Show(http.StatusForbidden, page.Failure{Status: http.StatusForbidden, Text: lastText, Back: securityPath, Way: "Add another one"})
	}
	if err != nil && !errors.Is(err, db.ErrNoRow) { // which are off already
		return httpapi.Reply{}, err
	}
	return v.Leave(securityPath + "?done=no-code")
}

type renewRecoveryRequest struct {
	Token string `form:"form_token"`
}

func (s *Service) renewRecovery(ctx context.Context, call *httpapi.Call, req renewRecoveryRequest) (httpapi.Reply, error) {
	v, reply, err := s.enterSecurity(ctx, call, securityPath)
	if v == nil {
		return reply, err
	}
	if !v.Owns(req.Token) {
		return v.Stale(securityPath)
	}
	var recovery []string
	err = s.db.Write(ctx, func(tx *db.Tx) (err error) {
		recovery, err = s.factors.RenewRecovery(tx, v.UserID())
		return err
	})
	if errors.Is(err, db.ErrNoRow) {
		return v.Leave(securityPath)
	}
	if err != nil {
		return httpapi.Reply{}, err
	}
	return v.Show(http.StatusOK, page.RecoveryCodes{Codes: recovery, Continue: securityPath})
}
