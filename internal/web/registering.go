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
	"github.com/narthex-matrix/narthex/internal/visitor"
)

type showRegisterRequest struct {
	Continue string `query:"continue"`
	RegToken string `query:"token"` // a registration token, from a link
	Again    string `query:"again"` // "yes" to begin again with what was started
}

func (s *Service) showRegister(ctx context.Context, call *httpapi.Call, req showRegisterRequest) (httpapi.Reply, error) {
	if err := s.mayRegister(); err != nil {
		return httpapi.Reply{}, err
	}
	v, err := s.visitors.Arrive(ctx, call)
	if err != nil {
		return httpapi.Reply{}, err
	}
	switch {
	case v.SignedIn() && (req.Continue != "" || v.Awaiting()):
		return v.Leave(visitor.Next(req.Continue))
	case v.SignedIn():
		return v.Show(http.StatusOK, page.HasAccount{UserID: string(v.UserID()), Here: visitor.At(RegisterPath, "token", req.RegToken)})
	}
	w, started, err := s.started(ctx, v)
	if err != nil {
		return httpapi.Reply{}, err
	}
	if started && req.Again != "yes" {
		return v.Leave(registerCodePath)
	}
	p, err := s.registerPage(ctx, req.Continue)
	if err != nil {
		return httpapi.Reply{}, err
	}
	if started {
		s.refill(&p, w)
	}
	if req.RegToken != "" {
		p.RegToken = req.RegToken
	}
	return v.Show(http.StatusOK, p)
}

// mayRegister fails with Forbidden where nobody may register.
func (s *Service) mayRegister() error {
	if s.cfg.Registration.Enabled {
		return nil
	}
	return errcode.Forbidden.New("This server does not allow registration. Ask its administrator for an account.")
}

func (s *Service) registerPage(ctx context.Context, to string) (page.Register, error) {
	client, err := s.clientOf(ctx, visitor.Next(to))
	p := page.Register{
		Continue: visitor.Next(to), For: client, Addresses: s.addressFields(),
		NeedToken: s.cfg.Registration.RequireToken, Approval: s.accounts.ApprovalRequired(), MinLength: s.cfg.Login.Password.MinLength,
	}
	p.Providers = s.shownProviders(to, true)
	if asks, required := s.accounts.AsksReason(); asks {
		p.Reason = &page.Reason{Required: required, MaxLength: accounts.MaxReason}
	}
	if terms := s.cfg.Registration.Terms; terms.URL != "" {
		p.Terms = &page.Terms{Name: terms.Name, URL: terms.URL}
	}
	return p, err
}

type registerRequest struct {
	Token         string `form:"form_token"`
	Continue      string `form:"continue"`
	RegToken      string `form:"registration_token"`
	Username      string `form:"username"`
	Password      string `form:"password"`
	PasswordAgain string `form:"password_again"`
	Email         string `form:"email"`
	Phone         string `form:"msisdn"`
	AcceptTerms   string `form:"accept_terms"`
	Reason        string `form:"reason"`
}

// register makes an account and signs the browser in to it, approved or not
// (MSC3866, A-19).
func (s *Service) register(ctx context.Context, call *httpapi.Call, req registerRequest) (httpapi.Reply, error) {
	if err := s.mayRegister(); err != nil {
		return httpapi.Reply{}, err
	}
	v, err := s.visitors.Arrive(ctx, call)
	if err != nil {
		return httpapi.Reply{}, err
	}
	p, err := s.registerPage(ctx, req.Continue)
	if err != nil {
		return httpapi.Reply{}, err
	}
	p.Username, p.RegToken, p.Accepted = req.Username, req.RegToken, req.AcceptTerms == "yes"
	if p.Reason != nil {
		p.Reason.Text = req.Reason
	}
	for i, f := range p.Addresses {
		if p.Addresses[i].Text = strings.TrimSpace(req.Phone); f.Mail {
			p.Addresses[i].Text = strings.TrimSpace(req.Email)
		}
	}
	again := func(status int, problem page.Problem) (httpapi.Reply, error) {
		p.Problem = problem
		return v.Show(status, p)
	}
	if !v.Owns(req.Token) {
		return again(http.StatusForbidden, visitor.Outdated)
	}
	if v.SignedIn() { // the same form, sent twice
		return v.Leave(p.Continue)
	}
	account, err := s.wanted(ctx, call, p, req)
	waits := false
	if err == nil {
		waits, err = s.start(ctx, v, p, account, req.RegToken)
	}
	if waits && err == nil {
		return v.Leave(registerCodePath)
	}
	if err == nil {
		err = s.enrol(ctx, v, account, req.RegToken)
	}
	if errors.Is(err, errcode.UserInUse) {
		err = s.resume(ctx, v, account, req.Password, err)
	}
	if err != nil {
		wrong, status, err := visitor.Problem(err, visitor.FieldOf(err))
		if err != nil {
			return httpapi.Reply{}, err
		}
		return again(status, wrong)
	}
	return v.Leave(p.Continue)
}

// wanted checks a form for registering, and gives the account to be made.
func (s *Service) wanted(ctx context.Context, call *httpapi.Call, p page.Register, req registerRequest) (a accounts.Account, err error) {
	switch {
	case p.NeedToken && req.RegToken == "":
		return a, errcode.InvalidParam.New("Enter the registration token.").With("param", "registration_token")
	case req.Username == "":
		return a, errcode.InvalidUsername.New("Choose a username.")
	}
	if a.UserID, err = s.accounts.NewUserID(strings.TrimSpace(req.Username)); err != nil {
		return a, err
	}
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		_, err := s.accounts.Find(tx, a.UserID)
		return err
	})
	switch {
	case err == nil:
		return a, errcode.UserInUse.New("This username is taken. Choose another one.")
	case !errors.Is(err, db.ErrNoRow):
		return a, err
	}
	if err := s.checkNewPassword(req.Password, req.PasswordAgain); err != nil {
		return a, err
	}
	if p.Terms != nil && !p.Accepted {
		return a, errcode.InvalidParam.New("Tick this to make an account here.").With("param", "accept_terms")
	}
	a.Signup = accounts.Signup{IP: call.Addr.String(), UserAgent: call.UserAgent}
	if a.Signup.Reason, err = s.accounts.CleanReason(req.Reason, "reason"); err != nil {
		return a, err
	}
	a.PasswordHash, err = s.passwords.Hash(ctx, req.Password)
	return a, err
}

// resume signs in whoever sends the form again because the first answer was lost:
// the account is new, was made from the same address, and has the same password.
// Otherwise the name is taken, and no password is looked at.
func (s *Service) resume(ctx context.Context, v *visitor.Visitor, wanted accounts.Account, password string, taken error) error {
	var there accounts.Account
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) {
		there, err = s.accounts.Find(tx, wanted.UserID)
		return err
	})
	if err != nil {
		return err
	}
	if v.Call.Now.Sub(there.Created) >= visitor.NewFor || there.Signup.IP != v.Call.Addr.String() {
		return taken
	}
	proved, err := s.accounts.CheckPassword(ctx, accounts.Identifier{Type: "m.id.user", User: string(wanted.UserID)}, password)
	if errors.Is(err, errcode.Forbidden) {
		return taken
	}
	if err != nil {
		return err
	}
	if err := s.enter(ctx, v, proved); !errors.Is(err, db.ErrNoRow) {
		return err
	}
	return taken
}

func (s *Service) checkNewPassword(password, again string) error {
	if err := s.accounts.CheckNewPassword(password); err != nil {
		return err
	}
	if password != again {
		return errcode.InvalidParam.New("The two passwords are not the same. Enter both again.").With("param", "password_again")
	}
	return nil
}

// enrol writes the account and begins the session, all or nothing.
func (s *Service) enrol(ctx context.Context, v *visitor.Visitor, a accounts.Account, registrationToken string) error {
	return v.Enter(ctx, func(tx *db.Tx) (accounts.Account, error) { return s.accounts.Enrol(tx, a, registrationToken) })
}
