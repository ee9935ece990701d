package adminpages

import (
	"context"
	"net/http"
	"strings"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/page"
	"github.com/narthex-matrix/narthex/internal/visitor"
)

// FirstLink makes the link with which somebody can make the account of the first
// administrator: good once, for a day. It is empty if there is an administrator.
func (s *Service) FirstLink(ctx context.Context) (link string, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		link = ""
		has, err := s.accounts.HasAdministrator(tx)
		if err != nil || has {
			return err
		}
		token, err := s.accounts.InviteAdministrator(tx)
		link = s.cfg.BaseURL() + visitor.At(firstPath, "token", token)
		return err
	})
	return link, err
}

type showFirstRequest struct {
	Link string `query:"token"`
}

func (s *Service) showFirst(ctx context.Context, call *httpapi.Call, req showFirstRequest) (httpapi.Reply, error) {
	v, err := s.visitors.Arrive(ctx, call)
	if err != nil {
		return httpapi.Reply{}, err
	}
	err = s.db.Read(ctx, func(tx *db.Tx) error { return s.accounts.CheckAdministratorLink(tx, req.Link) })
	if err != nil {
		return httpapi.Reply{}, err
	}
	return v.Show(http.StatusOK, s.firstPage(req.Link, ""))
}

func (s *Service) firstPage(link, username string) page.FirstAdministrator {
	return page.FirstAdministrator{Link: link, Username: username, MinLength: s.cfg.Login.Password.MinLength}
}

type makeFirstRequest struct {
	Token         string `form:"form_token"`
	Link          string `form:"token"`
	Username      string `form:"username"`
	Password      string `form:"password"`
	PasswordAgain string `form:"password_again"`
}

// makeFirst makes the account of the first administrator, and signs the browser in
// to it.
func (s *Service) makeFirst(ctx context.Context, call *httpapi.Call, req makeFirstRequest) (httpapi.Reply, error) {
	v, err := s.visitors.Arrive(ctx, call)
	if err != nil {
		return httpapi.Reply{}, err
	}
	// Whoever has not the link gets no password hashed.
	err = s.db.Read(ctx, func(tx *db.Tx) error { return s.accounts.CheckAdministratorLink(tx, req.Link) })
	if err != nil {
		return httpapi.Reply{}, err
	}
	if !v.Owns(req.Token) {
		return v.Stale(visitor.At(firstPath, "token", req.Link))
	}
	a, err := s.wanted(ctx, call, req)
	if err == nil {
		err = v.Enter(ctx, func(tx *db.Tx) (accounts.Account, error) { return s.accounts.EnrolAdministrator(tx, a, req.Link) })
	}
	if field := visitor.FieldOf(err); field != "" {
		wrong, status, err := visitor.Problem(err, field)
		if err != nil {
			return httpapi.Reply{}, err
		}
		p := s.firstPage(req.Link, req.Username)
		p.Problem = wrong
		return v.Show(status, p)
	}
	if err != nil {
		return httpapi.Reply{}, err
	}
	return v.Leave(overviewPath)
}

// wanted checks the form, and gives the account to be made.
func (s *Service) wanted(ctx context.Context, call *httpapi.Call, req makeFirstRequest) (a accounts.Account, err error) {
	username := strings.TrimSpace(req.Username)
	if username == "" {
		return a, errcode.InvalidUsername.New("Choose a username.")
	}
	if a.UserID, err = s.accounts.NewUserID(username); err != nil {
		return a, err
	}
	if err := s.accounts.CheckNewPassword(req.Password); err != nil {
		return a, err
	}
	if req.Password != req.PasswordAgain {
		return a, errcode.InvalidParam.New("The two passwords are not the same. Enter both again.").With("param", "password_again")
	}
	a.Signup = accounts.Signup{IP: call.Addr.String(), UserAgent: call.UserAgent}
	a.PasswordHash, err = s.passwords.Hash(ctx, req.Password)
	return a, err
}
