package web

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/page"
	"github.com/narthex-matrix/narthex/internal/visitor"
)

type showSignInRequest struct {
	Continue string `query:"continue"`
	Done     string `query:"done"`
}

func (s *Service) showSignIn(ctx context.Context, call *httpapi.Call, req showSignInRequest) (httpapi.Reply, error) {
	v, err := s.visitors.Arrive(ctx, call)
	if err != nil {
		return httpapi.Reply{}, err
	}
	if v.SignedIn() && !v.Awaiting() {
		return v.Leave(visitor.Next(req.Continue))
	}
	p, err := s.signInPage(ctx, req.Continue)
	if err != nil {
		return httpapi.Reply{}, err
	}
	p.Done = done[req.Done]
	return v.Show(http.StatusOK, p)
}

func (s *Service) signInPage(ctx context.Context, to string) (page.SignIn, error) {
	client, err := s.clientOf(ctx, visitor.Next(to))
	return page.SignIn{Continue: visitor.Next(to), For: client, Register: s.mayRegister() == nil, Media: s.media(), Passkeys: s.factors.HasPasskeys(), Providers: s.shownProviders(to, false)}, err
}

// clientOf gives the app for whose sake somebody signs in, or nil.
func (s *Service) clientOf(ctx context.Context, path string) (*page.Client, error) {
	rest, ok := strings.CutPrefix(path, authorizePath+"?")
	if !ok || !s.cfg.OAuth.Enabled {
		return nil, nil
	}
	query, err := url.ParseQuery(rest)
	if err != nil {
		return nil, nil // the page of consent says what is wrong
	}
	var client *page.Client
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		a, err := s.oauth.ParseAuthorization(tx, query)
		if err == nil {
			c := shown(a.Client)
			client = &c
		}
		if _, refused := visitor.Refusal(err); refused {
			return nil // likewise
		}
		return err
	})
	return client, err
}

type signInRequest struct {
	Token    string `form:"form_token"`
	Continue string `form:"continue"`
	Username string `form:"username"`
	Password string `form:"password"`
}

// signIn signs the browser in. Who waits for approval is signed in too, to be told
// so; the pages show them nothing else (MSC3866, A-32).
func (s *Service) signIn(ctx context.Context, call *httpapi.Call, req signInRequest) (httpapi.Reply, error) {
	v, err := s.visitors.Arrive(ctx, call)
	if err != nil {
		return httpapi.Reply{}, err
	}
	p, err := s.signInPage(ctx, req.Continue)
	if err != nil {
		return httpapi.Reply{}, err
	}
	p.Username = req.Username
	again := func(status int, problem page.Problem) (httpapi.Reply, error) {
		p.Problem = problem
		return v.Show(status, p)
	}
	switch {
	case !v.Owns(req.Token):
		return again(http.StatusForbidden, visitor.Outdated)
	case req.Username == "":
		return again(http.StatusBadRequest, page.Problem{Field: "username", Text: "Enter your username."})
	case req.Password == "":
		return again(http.StatusBadRequest, page.Problem{Field: "password", Text: "Enter your password."})
	}
	account, err := s.accounts.CheckPassword(ctx, s.accounts.Typed(req.Username), req.Password)
	if err != nil {
		wrong, status, err := visitor.Problem(err, "")
		if err != nil {
			return httpapi.Reply{}, err
		}
		return again(status, wrong)
	}
	if account.Locked {
		return again(http.StatusForbidden, page.Problem{Text: "Your account is locked. Ask the administrator of this server."})
	}
	if err := s.enter(ctx, v, account); errors.Is(err, db.ErrNoRow) {
		return again(http.StatusForbidden, page.Problem{Text: "The username or the password is wrong."})
	} else if err != nil {
		return httpapi.Reply{}, err
	}
	return v.Leave(p.Continue)
}

// enter begins a session of this browser, in place of the one that it has. It fails
// with db.ErrNoRow if the account has changed since it was looked at.
func (s *Service) enter(ctx context.Context, v *visitor.Visitor, account accounts.Account) error {
	return v.Enter(ctx, func(*db.Tx) (accounts.Account, error) { return account, nil })
}

type signOutRequest struct {
	Token    string `form:"form_token"`
	Continue string `form:"continue"`
}

// signOut ends the session of this browser; with a path to go on to, it asks there
// who signs in instead, or makes an account.
func (s *Service) signOut(ctx context.Context, call *httpapi.Call, req signOutRequest) (httpapi.Reply, error) {
	v, err := s.visitors.Arrive(ctx, call)
	if err != nil {
		return httpapi.Reply{}, err
	}
	if v.SignedIn() {
		if !v.Owns(req.Token) {
			return v.Stale(visitor.Next(req.Continue))
		}
		if err := v.Exit(ctx); err != nil {
			return httpapi.Reply{}, err
		}
	}
	switch path, _, _ := strings.Cut(req.Continue, "?"); path {
	case "":
		return v.Leave(signedOutPath)
	case RegisterPath:
		return v.Leave(visitor.Next(req.Continue))
	}
	return v.SignIn(visitor.Next(req.Continue))
}

type showSignedOutRequest struct {
	Done string `query:"done"`
}

func (s *Service) showSignedOut(ctx context.Context, call *httpapi.Call, req showSignedOutRequest) (httpapi.Reply, error) {
	v, err := s.visitors.Arrive(ctx, call)
	if err != nil {
		return httpapi.Reply{}, err
	}
	if v.SignedIn() {
		return v.Leave(visitor.Home)
	}
	return v.Show(http.StatusOK, page.SignedOut{Closed: req.Done == "deactivated"})
}
