package web

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/oauth"
	"github.com/narthex-matrix/narthex/internal/page"
	"github.com/narthex-matrix/narthex/internal/upstream"
	"github.com/narthex-matrix/narthex/internal/visitor"
)

// welcomePath is the page for whom a provider has vouched, and who has no account yet.
const welcomePath = "/sso/welcome"

// welcomeVouched makes the account of somebody who comes from a provider for the first
// time: at once if there is nothing to ask, otherwise by way of a page.
func (s *Service) welcomeVouched(ctx context.Context, v *visitor.Visitor, a upstream.Arrival) (httpapi.Reply, error) {
	person := a.Person
	person.Session, person.Next = a.Session, a.Next
	if err := s.mayEnrol(person); err != nil {
		return s.notVouched(v, withNext(err, a.Next))
	}
	if userID := s.upstream.Suggest(person); userID != "" && !s.asksNewcomers(person) {
		account := accounts.Account{UserID: userID, Signup: accounts.Signup{IP: v.Call.Addr.String(), UserAgent: v.Call.UserAgent}}
		by := oauth.Voucher{Provider: person.Provider, Session: a.Session, Proved: a.Proved}
		err := v.EnterVouched(ctx, by, func(tx *db.Tx) (accounts.Account, error) { return s.upstream.Enrol(tx, person, account, "") })
		switch {
		case err == nil:
			return v.Leave(visitor.Next(a.Next))
		case !errors.Is(err, errcode.UserInUse):
			return s.notVouched(v, withNext(err, a.Next))
		}
	}
	var ticket string
	err := s.db.Write(ctx, func(tx *db.Tx) (err error) {
		ticket, err = s.upstream.Keep(tx, person, browserKey(v))
		return err
	})
	if err != nil {
		return httpapi.Reply{}, err
	}
	return v.Leave(visitor.At(welcomePath, "ticket", ticket))
}

// mayEnrol fails with an *upstream.Failure if the person gets no account.
func (s *Service) mayEnrol(person upstream.Person) error {
	if err := s.upstream.MayEnrol(person); err != nil {
		return err
	}
	needs := s.cfg.Registration.RequiredThreepids
	if slices.Contains(needs, "msisdn") || (slices.Contains(needs, "email") && person.Email == "") {
		return &upstream.Failure{Status: http.StatusForbidden,
			Text: "An account here needs a mail address or a phone number that is confirmed, and the provider vouches for none. Create the account in your Matrix app, which can ask for it, and link the provider on your account page."}
	}
	return nil
}

// asksNewcomers reports whether somebody who gets an account is asked anything.
func (s *Service) asksNewcomers(person upstream.Person) bool {
	asksReason, _ := s.accounts.AsksReason()
	return s.upstream.Asks(person) || s.cfg.Registration.RequireToken || s.cfg.Registration.Terms.URL != "" || asksReason
}

type showWelcomeRequest struct {
	Ticket string `query:"ticket"`
}

func (s *Service) showWelcome(ctx context.Context, call *httpapi.Call, req showWelcomeRequest) (httpapi.Reply, error) {
	v, person, err := s.arriveNew(ctx, call, req.Ticket)
	switch {
	case errors.Is(err, db.ErrNoRow):
		return s.tooLate(v)
	case err != nil:
		return httpapi.Reply{}, err
	}
	p, err := s.welcomePage(ctx, person, req.Ticket)
	if err != nil {
		return httpapi.Reply{}, err
	}
	return v.Show(http.StatusOK, p)
}

// arriveNew reads the cookies, and who the provider said that the ticket is for.
func (s *Service) arriveNew(ctx context.Context, call *httpapi.Call, ticket string) (v *visitor.Visitor, person upstream.Person, err error) {
	if v, err = s.visitors.Arrive(ctx, call); err != nil {
		return nil, person, err
	}
	err = s.db.Read(ctx, func(tx *db.Tx) (err error) {
		person, err = s.upstream.Kept(tx, ticket, browserKey(v))
		return err
	})
	return v, person, err
}

// tooLate answers a ticket that is not good any more: the account has been made, or
// nobody asked for it for too long.
func (s *Service) tooLate(v *visitor.Visitor) (httpapi.Reply, error) {
	if v.SignedIn() {
		return v.Leave(visitor.Home)
	}
	return v.Show(http.StatusGone, page.Failure{Status: http.StatusGone, Back: visitor.SignInPath,
		Text: "This took too long, or was begun in another browser. Sign in again to go on."})
}

func (s *Service) welcomePage(ctx context.Context, person upstream.Person, ticket string) (page.Welcome, error) {
	provider, _ := s.upstream.Provider(person.Provider)
	p := page.Welcome{
		Ticket: ticket, Provider: provider.Name, Label: person.Label, Username: person.Localpart,
		NeedToken: s.cfg.Registration.RequireToken, Approval: s.accounts.ApprovalRequired(),
	}
	if asks, required := s.accounts.AsksReason(); asks {
		p.Reason = &page.Reason{Required: required, MaxLength: accounts.MaxReason}
	}
	if terms := s.cfg.Registration.Terms; terms.URL != "" {
		p.Terms = &page.Terms{Name: terms.Name, URL: terms.URL}
	}
	if userID := s.upstream.Suggest(person); userID != "" {
		p.Username = userID.Localpart()
		if err := s.isFree(ctx, userID); err != nil {
			wrong, _, err := visitor.Problem(err, "username")
			if err != nil {
				return p, err
			}
			p.Problem = wrong
		}
	}
	var err error
	p.For, err = s.clientOf(ctx, visitor.Next(person.Next))
	return p, err
}

// isFree fails with UserInUse if an account has this name.
func (s *Service) isFree(ctx context.Context, userID id.UserID) error {
	err := s.db.Read(ctx, func(tx *db.Tx) error {
		_, err := s.accounts.Find(tx, userID)
		return err
	})
	switch {
	case err == nil:
		return errcode.UserInUse.New("The username %s is taken. Choose another one.", userID.Localpart())
	case errors.Is(err, db.ErrNoRow):
		return nil
	}
	return err
}

type enrolVouchedRequest struct {
	Token       string `form:"form_token"`
	Ticket      string `form:"ticket"`
	RegToken    string `form:"registration_token"`
	Username    string `form:"username"`
	Reason      string `form:"reason"`
	AcceptTerms string `form:"accept_terms"`
}

// enrolVouched makes the account and signs the browser in to it, approved or not.
func (s *Service) enrolVouched(ctx context.Context, call *httpapi.Call, req enrolVouchedRequest) (httpapi.Reply, error) {
	v, person, err := s.arriveNew(ctx, call, req.Ticket)
	switch {
	case errors.Is(err, db.ErrNoRow):
		return s.tooLate(v)
	case err != nil:
		return httpapi.Reply{}, err
	}
	p, err := s.welcomePage(ctx, person, req.Ticket)
	if err != nil {
		return httpapi.Reply{}, err
	}
	p.Username, p.RegToken, p.Accepted = req.Username, req.RegToken, req.AcceptTerms == "yes"
	if p.Reason != nil {
		p.Reason.Text = req.Reason
	}
	if !v.Owns(req.Token) {
		p.Problem = visitor.Outdated
		return v.Show(http.StatusForbidden, p)
	}
	account, err := s.wantedVouched(call, p, req)
	if err == nil {
		err = s.mayEnrol(person)
	}
	if err == nil {
		err = v.EnterVouched(ctx, oauth.Voucher{Provider: person.Provider, Session: person.Session}, func(tx *db.Tx) (accounts.Account, error) {
			if err := s.upstream.Forget(tx, req.Ticket); err != nil {
				return account, err
			}
			return s.upstream.Enrol(tx, person, account, req.RegToken)
		})
	}
	if err == nil {
		return v.Leave(visitor.Next(person.Next))
	}
	wrong, status, err := visitor.Problem(err, visitor.FieldOf(err))
	if err != nil {
		return s.notVouched(v, withNext(err, person.Next))
	}
	p.Problem = wrong
	return v.Show(status, p)
}

// wantedVouched checks the form, and gives the account to be made.
func (s *Service) wantedVouched(call *httpapi.Call, p page.Welcome, req enrolVouchedRequest) (a accounts.Account, err error) {
	switch {
	case p.NeedToken && req.RegToken == "":
		return a, errcode.InvalidParam.New("Enter the registration token.").With("param", "registration_token")
	case req.Username == "":
		return a, errcode.InvalidUsername.New("Choose a username.")
	case p.Terms != nil && !p.Accepted:
		return a, errcode.InvalidParam.New("Tick this to make an account here.").With("param", "accept_terms")
	}
	if a.UserID, err = s.accounts.NewUserID(strings.TrimSpace(req.Username)); err != nil {
		return a, err
	}
	a.Signup = accounts.Signup{IP: call.Addr.String(), UserAgent: call.UserAgent}
	a.Signup.Reason, err = s.accounts.CleanReason(req.Reason, "reason")
	return a, err
}
