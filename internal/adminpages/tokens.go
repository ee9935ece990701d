package adminpages

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/page"
	"github.com/narthex-matrix/narthex/internal/visitor"
	"github.com/narthex-matrix/narthex/internal/web"
)

type showTokensRequest struct {
	Fresh string `query:"fresh"`
	Done  string `query:"done"`
}

func (s *Service) showTokens(ctx context.Context, call *httpapi.Call, req showTokensRequest) (httpapi.Reply, error) {
	v, reply, err := s.enter(ctx, call, tokensPath)
	if v == nil {
		return reply, err
	}
	p := page.Tokens{Closed: !s.cfg.Registration.Enabled, Done: map[string]string{
		"made": "The token is made. Send its link to whoever may register.", "revoked": "The token is revoked.",
	}[req.Done]}
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		tokens, err := s.accounts.RegistrationTokens(tx, nil)
		p.Tokens = nil
		for _, t := range tokens {
			p.Tokens = append(p.Tokens, s.shownToken(t, call.Now))
			if t.Mark() == req.Fresh {
				p.Fresh = t.Token
			}
		}
		return err
	})
	if err != nil {
		return httpapi.Reply{}, err
	}
	return v.Show(http.StatusOK, p)
}

func (s *Service) shownToken(t accounts.RegistrationToken, now time.Time) page.Token {
	return page.Token{
		Text: t.Token, Used: t.Completed, Pending: t.Pending, Limit: t.UsesAllowed, Expires: t.Expires, Preapproved: t.Preapproved,
		Valid: (t.Expires.IsZero() || t.Expires.After(now)) && (t.UsesAllowed == nil || t.Pending+t.Completed < *t.UsesAllowed),
		Link:  s.cfg.BaseURL() + visitor.At(web.RegisterPath, "token", t.Token),
	}
}

// tokenWish is a token as somebody asks for it. The names are those of the form,
// and of the query with which the form is filled.
type tokenWish struct {
	text, limit, days string
	preapproved       bool
}

// here is the page with the form filled in.
func (w tokenWish) here() string {
	preapproved := ""
	if w.preapproved {
		preapproved = "yes"
	}
	return visitor.At(newTokenPath, "token", w.text, "limit", w.limit, "days", w.days, "preapproved", preapproved)
}

func (s *Service) newTokenPage(w tokenWish) page.NewToken {
	return page.NewToken{Text: w.text, Limit: w.limit, Days: w.days, Preapproved: w.preapproved, Approval: s.accounts.ApprovalRequired()}
}

type showNewTokenRequest struct {
	Text        string `query:"token"`
	Limit       string `query:"limit"`
	Days        string `query:"days"`
	Preapproved string `query:"preapproved"`
}

func (s *Service) showNewToken(ctx context.Context, call *httpapi.Call, req showNewTokenRequest) (httpapi.Reply, error) {
	w := tokenWish{req.Text, req.Limit, req.Days, req.Preapproved == "yes"}
	v, reply, err := s.enterSure(ctx, call, w.here())
	if v == nil {
		return reply, err
	}
	return v.Show(http.StatusOK, s.newTokenPage(w))
}

type makeTokenRequest struct {
	Token       string `form:"form_token"`
	Text        string `form:"token"`
	Limit       string `form:"limit"`
	Days        string `form:"days"`
	Preapproved string `form:"preapproved"`
}

func (s *Service) makeToken(ctx context.Context, call *httpapi.Call, req makeTokenRequest) (httpapi.Reply, error) {
	w := tokenWish{strings.TrimSpace(req.Text), strings.TrimSpace(req.Limit), strings.TrimSpace(req.Days), req.Preapproved == "yes"}
	v, reply, err := s.enterSure(ctx, call, w.here())
	if v == nil {
		return reply, err
	}
	if !v.Owns(req.Token) {
		return v.Stale(newTokenPath)
	}
	wanted, err := w.token(call.Now)
	if err == nil {
		wanted, err = s.admin.CreateToken(ctx, v.UserID(), wanted)
	}
	if err != nil {
		field := visitor.FieldOf(err)
		if field == "" {
			field = "token" // what accounts refuses is the text
		}
		p := s.newTokenPage(w)
		wrong, status, err := visitor.Problem(err, field)
		if err != nil {
			return httpapi.Reply{}, err
		}
		p.Problem = wrong
		return v.Show(status, p)
	}
	return v.Leave(visitor.At(tokensPath, "done", "made", "fresh", wanted.Mark()))
}

// The largest numbers that the form takes: they are for people.
const (
	maxTokenUses = 1_000_000
	maxTokenDays = 3650
)

// token reads the form. It fails with InvalidParam, naming the field.
func (w tokenWish) token(now time.Time) (t accounts.RegistrationToken, err error) {
	t.Token, t.Preapproved = w.text, w.preapproved
	if w.limit != "" {
		n, err := strconv.ParseInt(w.limit, 10, 64)
		if err != nil || n < 1 || n > maxTokenUses {
			return t, errcode.InvalidParam.New("Enter a whole number from 1 to %d, or nothing.", maxTokenUses).With("param", "limit")
		}
		t.UsesAllowed = &n
	}
	if w.days != "" {
		n, err := strconv.Atoi(w.days)
		if err != nil || n < 1 || n > maxTokenDays {
			return t, errcode.InvalidParam.New("Enter a whole number from 1 to %d, or nothing.", maxTokenDays).With("param", "days")
		}
		t.Expires = now.AddDate(0, 0, n)
	}
	return t, nil
}

type showRevokeTokenRequest struct {
	Text string `query:"token"`
}

func (s *Service) showRevokeToken(ctx context.Context, call *httpapi.Call, req showRevokeTokenRequest) (httpapi.Reply, error) {
	v, reply, err := s.enterSure(ctx, call, visitor.At(revokeTokenPath, "token", req.Text))
	if v == nil {
		return reply, err
	}
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		_, err := s.accounts.RegistrationToken(tx, req.Text)
		return err
	})
	if errors.Is(err, db.ErrNoRow) {
		return httpapi.Reply{}, errcode.NotFound.New("There is no such registration token. It may have been revoked already.")
	}
	if err != nil {
		return httpapi.Reply{}, err
	}
	return v.Show(http.StatusOK, page.RevokeToken{Token: req.Text})
}

type revokeTokenRequest struct {
	Token string `form:"form_token"`
	Text  string `form:"token"`
}

func (s *Service) revokeToken(ctx context.Context, call *httpapi.Call, req revokeTokenRequest) (httpapi.Reply, error) {
	v, reply, err := s.enterSure(ctx, call, visitor.At(revokeTokenPath, "token", req.Text))
	if v == nil {
		return reply, err
	}
	if !v.Owns(req.Token) {
		return v.Stale(tokensPath)
	}
	if err := s.admin.DeleteToken(ctx, v.UserID(), req.Text); err != nil {
		return httpapi.Reply{}, err
	}
	return v.Leave(visitor.At(tokensPath, "done", "revoked"))
}
