package adminpages

import (
	"context"
	"net/http"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/admin"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/mail"
	"github.com/narthex-matrix/narthex/internal/oauth"
	"github.com/narthex-matrix/narthex/internal/page"
	"github.com/narthex-matrix/narthex/internal/secret"
	"github.com/narthex-matrix/narthex/internal/visitor"
)

// Deps are what the service stands on.
type Deps struct {
	DB        *db.DB
	Config    config.Config
	Accounts  *accounts.Service
	OAuth     *oauth.Service
	Admin     *admin.Service
	Mail      *mail.Service
	Passwords *secret.Passwords
	Visitors  *visitor.Service
	// Examine looks at the setup, quickly and without a network; nil for nobody to.
	Examine func(config.Config) []page.Finding
}

// Service answers the pages.
type Service struct {
	db        *db.DB
	cfg       config.Config
	accounts  *accounts.Service
	oauth     *oauth.Service
	admin     *admin.Service
	mail      *mail.Service
	passwords *secret.Passwords
	visitors  *visitor.Service
	examine   func(config.Config) []page.Finding
}

// New makes the service.
func New(d Deps) *Service {
	s := &Service{
		db: d.DB, cfg: d.Config, accounts: d.Accounts, oauth: d.OAuth, admin: d.Admin, mail: d.Mail,
		passwords: d.Passwords, visitors: d.Visitors, examine: d.Examine,
	}
	if s.examine == nil {
		s.examine = func(config.Config) []page.Finding { return nil }
	}
	return s
}

// enter reads the cookies for a page of administrators. Unless one is signed in, it
// gives the answer instead of a visitor. Here is the path of the page, with its query.
func (s *Service) enter(ctx context.Context, call *httpapi.Call, here string) (*visitor.Visitor, httpapi.Reply, error) {
	v, err := s.visitors.Arrive(ctx, call)
	if err != nil {
		return nil, httpapi.Reply{}, err
	}
	var reply httpapi.Reply
	a := v.Browser.Account
	switch {
	case !v.SignedIn():
		reply, err = v.SignIn(here)
	case v.Awaiting():
		reply, err = v.Wait(http.StatusForbidden, page.Waiting{})
	case !a.Admin || a.Suspended: // nobody stays signed in who is locked
		reply, err = v.Show(http.StatusForbidden, page.NotAdministrator{Account: string(v.UserID()), Here: here})
	default:
		return v, httpapi.Reply{}, nil
	}
	return nil, reply, err
}

// enterSure is enter for what needs a fresh proof of who asks. From the page that
// asks for it, the browser goes on to here.
func (s *Service) enterSure(ctx context.Context, call *httpapi.Call, here string) (*visitor.Visitor, httpapi.Reply, error) {
	v, reply, err := s.enter(ctx, call, here)
	if v == nil || v.Confirmed() {
		return v, reply, err
	}
	reply, err = v.Confirm(here)
	return nil, reply, err
}

// cut gives the rows that fit on a page, and whether there are more.
func cut[T any](rows []T, limit int) ([]T, bool) {
	if len(rows) > limit {
		return rows[:limit], true
	}
	return rows, false
}
