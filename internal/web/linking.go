package web

import (
	"context"
	"errors"
	"net/http"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/oauth"
	"github.com/narthex-matrix/narthex/internal/page"
	"github.com/narthex-matrix/narthex/internal/visitor"
)

type showLinkRequest struct {
	UserCode string `query:"user_code"`
}

// showLink asks for the code of another device, or shows what that device asks for.
// It decides nothing (OA-36). RFC 8628 section 3.3.
func (s *Service) showLink(ctx context.Context, call *httpapi.Call, req showLinkRequest) (httpapi.Reply, error) {
	v, err := s.visitors.Arrive(ctx, call)
	if err != nil {
		return httpapi.Reply{}, err
	}
	switch {
	case !v.SignedIn():
		return v.SignIn(linkPageOf(req.UserCode))
	case req.UserCode == "":
		return v.Show(http.StatusOK, page.LinkCode{})
	}
	d, err := s.oauth.FindDeviceRequest(ctx, call, v.UserID(), req.UserCode)
	if err != nil {
		return wrongCode(v, req.UserCode, err)
	}
	if reply, again, err := s.askAgain(v, linkPageOf(req.UserCode)); d.Decision == oauth.Undecided && !v.Awaiting() && (again || err != nil) {
		return reply, err
	}
	if d.Decision != oauth.Undecided {
		return v.Show(http.StatusOK, page.LinkDone{Client: shown(d.Client), Allowed: d.Decision == oauth.Allowed, Earlier: true})
	}
	return v.Show(http.StatusOK, linkPageFor(v, d))
}

// linkPageOf is the path of the page for a code.
func linkPageOf(userCode string) string {
	return visitor.At(linkPath, "user_code", userCode)
}

// wrongCode answers a code that nobody has given out to this person, in the same
// way whatever is wrong with it (OA-16, OA-42).
func wrongCode(v *visitor.Visitor, userCode string, err error) (httpapi.Reply, error) {
	wrong, status, fault := visitor.Problem(err, "user_code")
	switch {
	case fault != nil:
		return httpapi.Reply{}, fault
	case errors.Is(err, errcode.LimitExceeded):
		return v.Show(status, page.LinkCode{Locked: true})
	}
	return v.Show(status, page.LinkCode{Code: userCode, Problem: wrong})
}

func linkPageFor(v *visitor.Visitor, d oauth.DeviceRequest) page.Link {
	return page.Link{
		Client: shown(d.Client), Account: string(v.UserID()), Code: d.UserCode, IP: d.IP, UserAgent: d.UserAgent, Asked: d.Created,
		DeviceID: string(d.DeviceID), Replaces: replaced(d.Replaces), Awaiting: v.Awaiting(), Here: linkPageOf(d.UserCode),
	}
}

type answerLinkRequest struct {
	Token    string `form:"form_token"`
	UserCode string `form:"user_code"`
	Mine     string `form:"mine"`
	Answer   string `form:"answer"`
}

// answerLink decides about another device. Of two answers the first stands (OA-40).
func (s *Service) answerLink(ctx context.Context, call *httpapi.Call, req answerLinkRequest) (httpapi.Reply, error) {
	v, err := s.visitors.Arrive(ctx, call)
	if err != nil {
		return httpapi.Reply{}, err
	}
	switch {
	case !v.SignedIn():
		return v.SignIn(linkPageOf(req.UserCode))
	case !v.Owns(req.Token):
		return v.Stale(linkPageOf(req.UserCode))
	}
	d, err := s.oauth.FindDeviceRequest(ctx, call, v.UserID(), req.UserCode)
	if err != nil {
		return wrongCode(v, req.UserCode, err)
	}
	done := page.LinkDone{Client: shown(d.Client), Earlier: d.Decision != oauth.Undecided}
	if d.Decision == oauth.Undecided {
		if unclear := unclear(req); unclear.Text != "" {
			p := linkPageFor(v, d)
			p.Problem = unclear
			return v.Show(http.StatusBadRequest, p)
		}
		if reply, again, err := s.askAgain(v, linkPageOf(req.UserCode)); req.Answer == "allow" && !v.Awaiting() && (again || err != nil) {
			return reply, err
		}
		d.Decision, err = s.decide(ctx, v, req)
		if errors.Is(err, errcode.NotFound) { // it has run out in the meantime
			return wrongCode(v, req.UserCode, err)
		}
		if err != nil {
			return httpapi.Reply{}, err
		}
	}
	if v.Awaiting() && req.Answer == "allow" {
		client := shown(d.Client)
		return v.Wait(http.StatusOK, page.Waiting{For: &client})
	}
	done.Allowed = d.Decision == oauth.Allowed
	return v.Show(http.StatusOK, done)
}

// unclear says what is missing in an answer (OA-39).
func unclear(req answerLinkRequest) page.Problem {
	switch {
	case req.Answer == "allow" && req.Mine != "yes":
		return page.Problem{Field: "mine", Text: "Tick this if it is your device. Otherwise choose Deny."}
	case req.Answer != "allow" && req.Answer != "deny":
		return page.Problem{Text: "Choose one of the two buttons."}
	}
	return page.Problem{}
}

func (s *Service) decide(ctx context.Context, v *visitor.Visitor, req answerLinkRequest) (d oauth.Decision, err error) {
	act := s.oauth.DenyDevice
	if req.Answer == "allow" {
		act = s.oauth.ApproveDevice
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		d, err = act(tx, v.UserID(), req.UserCode)
		return err
	})
	return d, err
}
