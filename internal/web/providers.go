package web

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/page"
	"github.com/narthex-matrix/narthex/internal/upstream"
	"github.com/narthex-matrix/narthex/internal/visitor"
)

// providersPath is the page of the account for the providers that it is linked to.
const providersPath = "/account/providers"

type showProvidersRequest struct {
	Done string `query:"done"`
}

func (s *Service) showProviders(ctx context.Context, call *httpapi.Call, req showProvidersRequest) (httpapi.Reply, error) {
	v, reply, err := s.enterAccount(ctx, call, providersPath)
	if v == nil {
		return reply, err
	}
	p, err := s.providersPage(ctx, v)
	if err != nil {
		return httpapi.Reply{}, err
	}
	switch req.Done {
	case "linked":
		p.Done = "From now on you can sign in with it."
	case "unlinked":
		p.Done = "It is removed."
	}
	return v.Show(http.StatusOK, p)
}

func (s *Service) providersPage(ctx context.Context, v *visitor.Visitor) (p page.Providers, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		p = page.Providers{}
		links, err := s.upstream.Links(tx, v.UserID())
		for _, l := range links {
			p.Links = append(p.Links, page.ProviderLink{Provider: l.Provider, Subject: l.Subject, Name: l.Name, Label: l.Label, Linked: l.Linked, Used: l.Used})
		}
		return err
	})
	for _, other := range s.shownProviders(providersPath, false) {
		if !slices.ContainsFunc(p.Links, func(l page.ProviderLink) bool { return l.Provider == other.ID }) {
			p.Others = append(p.Others, other)
		}
	}
	return p, err
}

// providersOf are the providers that can ask whoever is signed in who they are, on the
// way to a path.
func (s *Service) providersOf(ctx context.Context, v *visitor.Visitor, next string) (shown []page.Provider, err error) {
	p, err := s.providersPage(ctx, v)
	for _, provider := range s.shownProviders(next, false) {
		if slices.ContainsFunc(p.Links, func(l page.ProviderLink) bool { return l.Provider == provider.ID }) {
			provider.Begin += "&purpose=" + string(upstream.Prove)
			shown = append(shown, provider)
		}
	}
	return shown, err
}

type changeProvidersRequest struct {
	Token    string `form:"form_token"`
	Action   string `form:"action"`
	Provider string `form:"provider"`
	Subject  string `form:"subject"`
}

// changeProviders links a provider to the account, by way of the provider, or takes one
// from it. Both take a proof of the last quarter of an hour: whoever links a provider
// can sign in for ever.
func (s *Service) changeProviders(ctx context.Context, call *httpapi.Call, req changeProvidersRequest) (httpapi.Reply, error) {
	v, reply, err := s.enterAccount(ctx, call, providersPath)
	switch {
	case v == nil:
		return reply, err
	case !v.Owns(req.Token):
		return v.Stale(providersPath)
	case !v.Confirmed():
		return v.Confirm(providersPath)
	case req.Action == "link":
		return s.link(ctx, v, req.Provider)
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error { return s.upstream.Unlink(tx, v.UserID(), req.Provider, req.Subject) })
	if errors.Is(err, errcode.Forbidden) {
		wrong, status, err := visitor.Problem(err, "")
		if err != nil {
			return httpapi.Reply{}, err
		}
		p, err := s.providersPage(ctx, v)
		if err != nil {
			return httpapi.Reply{}, err
		}
		p.Problem = wrong
		return v.Show(status, p)
	}
	if err != nil && !errors.Is(err, db.ErrNoRow) { // the same form, sent twice
		return httpapi.Reply{}, err
	}
	return v.Leave(providersPath + "?done=unlinked")
}

// link shows the way to a provider, which a browser takes by itself.
func (s *Service) link(ctx context.Context, v *visitor.Visitor, providerID string) (httpapi.Reply, error) {
	address, err := s.upstream.Begin(ctx, v.Call.Now, upstream.Beginning{
		Provider: providerID, Browser: browserKey(v), Purpose: upstream.Link, UserID: v.UserID(), Next: providersPath,
	})
	if err != nil {
		return s.notVouched(v, withNext(err, providersPath))
	}
	provider, _ := s.upstream.Provider(providerID)
	reply, err := v.Show(http.StatusOK, page.Onward{Name: provider.Name, URL: address})
	if err == nil {
		reply.Header.Set("Refresh", "0; url="+address)
	}
	return reply, err
}
