package validation

import (
	"cmp"
	"context"
	"net/http"

	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/page"
)

// SubmitURL is where tokens are taken back: one path with a POST and a GET.
type SubmitURL struct {
	// Path may have the variables {purpose} and {medium}: the homeserver's purposes,
	// and both media.
	Path string
	// Post and Get name the two operations.
	Post, Get string
	// Purpose and Medium are for a path without the variables.
	Purpose Purpose
	Medium  Medium
	// Auth is who may POST; empty is anyone. A GET asks nobody who they are, since a
	// mailed link is opened in a browser (TP-3).
	Auth httpapi.Auth
}

// SubmitRoutes gives the two routes of a submit URL, the POST first (TP-5 to TP-21).
//
// POST takes JSON or a form, and answers {"success": true}. GET takes the query; it
// validates and answers with a page, or leads to the next_link. For a password it
// changes nothing, but shows a button that POSTs. Both answer a browser with pages
// and a program with JSON (see [httpapi.PrefersPage]).
func (s *Service) SubmitRoutes(at SubmitURL) []httpapi.Route {
	codes := []*errcode.Code{errcode.MissingParams, errcode.InvalidParam, errcode.SessionExpired, errcode.TokenIncorrect}
	post := func(ctx context.Context, call *httpapi.Call, r *http.Request) (httpapi.Reply, error) {
		return s.postToken(ctx, call, r, at)
	}
	get := func(ctx context.Context, call *httpapi.Call, r *http.Request) (httpapi.Reply, error) {
		return s.getToken(ctx, call, r, at)
	}
	return []httpapi.Route{
		httpapi.Both("POST "+at.Path, at.Post, cmp.Or(at.Auth, httpapi.Anyone), httpapi.Validation, post).Body(maxBody).
			Fails(codes...).Fails(errcode.NotJSON, errcode.BadJSON, errcode.TooLarge),
		httpapi.Both("GET "+at.Path, at.Get, httpapi.Anyone, httpapi.Validation, get).Fails(codes...),
	}
}

// maxBody is the largest body, in bytes: three parameters, each at its longest.
const maxBody = 16 << 10

// read gives what a request to the URL submits.
func (at SubmitURL) read(r *http.Request) (Submission, error) {
	in, err := readSubmission(r, maxBody)
	in.Purpose, in.Medium = at.Purpose, at.Medium
	if in.Medium == "" {
		in.Medium = Medium(r.PathValue("medium"))
	}
	if in.Purpose == "" {
		// Any other text is the purpose of no session.
		if in.Purpose = Purpose(r.PathValue("purpose")); in.Purpose == Identity {
			in.Purpose = ""
		}
	}
	return in, err
}

func (s *Service) postToken(ctx context.Context, call *httpapi.Call, r *http.Request, at SubmitURL) (reply httpapi.Reply, err error) {
	in, err := at.read(r)
	if err != nil {
		return reply, err
	}
	next, err := s.Submit(ctx, call, in)
	if err != nil {
		return reply, err
	}
	if !httpapi.PrefersPage(r) {
		return success(), nil
	}
	return s.show(call, page.AddressConfirmed{Password: in.Purpose == Password, Next: next})
}

func (s *Service) getToken(ctx context.Context, call *httpapi.Call, r *http.Request, at SubmitURL) (reply httpapi.Reply, err error) {
	in, err := at.read(r)
	if err != nil {
		return reply, err
	}
	if in.Purpose == Password {
		// The token is not looked at: it would be a guess that nobody counts.
		return s.show(call, page.ConfirmAddress{Action: r.URL.Path, SID: in.SID, ClientSecret: in.ClientSecret, Token: in.Token})
	}
	next, err := s.Submit(ctx, call, in)
	switch {
	case err != nil:
		return reply, err
	case !httpapi.PrefersPage(r):
		return success(), nil
	case next == "":
		return s.show(call, page.AddressConfirmed{})
	}
	reply = httpapi.PageReply(nil)
	reply.Status = http.StatusFound
	reply.Header.Set("Location", next)
	return reply, nil
}

func success() httpapi.Reply {
	reply := httpapi.JSONReply([]byte(`{"success":true}`))
	reply.Header.Set("Cache-Control", "no-store")
	return reply
}

func (s *Service) show(call *httpapi.Call, p page.Page) (httpapi.Reply, error) {
	// No token: the form has nothing that only this browser could know, and takes
	// effect for the session alone that it names.
	body, err := page.Render(page.Frame{Server: s.cfg.ServerName, Now: call.Now}, p)
	return httpapi.PageReply(body), err
}
