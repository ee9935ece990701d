package web

import (
	"context"
	"errors"
	"html/template"
	"net/http"
	"net/url"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/oauth"
	"github.com/narthex-matrix/narthex/internal/page"
	"github.com/narthex-matrix/narthex/internal/visitor"
)

// consentRequest is the request of an app, as its query brings it. Each member is
// a list, for what is there twice to be noticed.
type consentRequest struct {
	ClientID        []string `query:"client_id"`
	RedirectURI     []string `query:"redirect_uri"`
	ResponseType    []string `query:"response_type"`
	ResponseMode    []string `query:"response_mode"`
	State           []string `query:"state"`
	Scope           []string `query:"scope"`
	Challenge       []string `query:"code_challenge"`
	ChallengeMethod []string `query:"code_challenge_method"`
	Prompt          []string `query:"prompt"`
	Request         []string `query:"request"`
	RequestURI      []string `query:"request_uri"`
}

func (r consentRequest) values() url.Values {
	out := url.Values{}
	for name, values := range map[string][]string{
		"client_id": r.ClientID, "redirect_uri": r.RedirectURI, "response_type": r.ResponseType, "response_mode": r.ResponseMode,
		"state": r.State, "scope": r.Scope, "code_challenge": r.Challenge, "code_challenge_method": r.ChallengeMethod,
		"prompt": r.Prompt, "request": r.Request, "request_uri": r.RequestURI,
	} {
		if len(values) > 0 {
			out[name] = values
		}
	}
	return out
}

// consentPath is the path and query of the page that asks for consent.
func consentPath(query url.Values) string { return authorizePath + "?" + query.Encode() }

// showConsent asks whether an app may use the account. It is the authorization
// endpoint of OAuth 2.0 (RFC 6749 section 3.1).
func (s *Service) showConsent(ctx context.Context, call *httpapi.Call, req consentRequest) (httpapi.Reply, error) {
	query := req.values()
	v, a, err := s.arriveFor(ctx, call, query)
	var sentBack *oauth.RedirectError
	switch {
	case errors.As(err, &sentBack):
		return httpapi.Redirect(sentBack.URL), nil
	case err != nil:
		return httpapi.Reply{}, err
	case !v.SignedIn() && a.Create && s.mayRegister() == nil:
		return v.Leave(visitor.At(RegisterPath, "continue", consentPath(query)))
	case !v.SignedIn():
		return v.SignIn(consentPath(query))
	case v.Awaiting():
		return s.waitFor(v, a)
	}
	if reply, again, err := s.askAgain(v, consentPath(query)); again || err != nil {
		return reply, err
	}
	var replaces *accounts.Device
	err = s.db.Read(ctx, func(tx *db.Tx) (err error) {
		replaces, err = s.oauth.Replaces(tx, a, v.UserID())
		return err
	})
	if err != nil {
		return httpapi.Reply{}, err
	}
	reply, err := v.Show(http.StatusOK, page.Consent{
		Client: shown(a.Client), Account: string(v.UserID()), ReturnsTo: a.Target(), DeviceID: string(a.Scope.DeviceID),
		Replaces: replaced(replaces), Here: consentPath(query), Query: query.Encode(),
	})
	if err == nil {
		reply.Header.Set("Content-Security-Policy", sendingTo(a.Target()))
	}
	return reply, err
}

// arriveFor reads the cookies, and checks the request of an app.
func (s *Service) arriveFor(ctx context.Context, call *httpapi.Call, query url.Values) (v *visitor.Visitor, a oauth.Authorization, err error) {
	if v, err = s.visitors.Arrive(ctx, call); err != nil {
		return nil, a, err
	}
	if len(consentPath(query)) > visitor.MaxContinue {
		return nil, a, errcode.InvalidParam.New("The request of the app that sent you here is too long. Tell its makers.")
	}
	err = s.db.Read(ctx, func(tx *db.Tx) (err error) {
		a, err = s.oauth.ParseAuthorization(tx, query)
		return err
	})
	return v, a, err
}

// waitFor says that the account waits, and takes the browser back to the app with
// the refusal (MSC3866, A-32).
func (s *Service) waitFor(v *visitor.Visitor, a oauth.Authorization) (httpapi.Reply, error) {
	client := shown(a.Client)
	return v.Wait(http.StatusOK, page.Waiting{For: &client, Return: template.URL(a.Awaiting())})
}

func replaced(d *accounts.Device) *page.Device {
	if d == nil {
		return nil
	}
	out := ShownDevice(*d, oauth.Client{})
	return &out
}

type answerConsentRequest struct {
	Token  string `form:"form_token"`
	Query  string `form:"query"` // of the page: the request of the app
	Answer string `form:"answer"`
}

// answerConsent sends the browser back to the app, with a code or a refusal. The
// request of the app is checked again, as if it had just come.
func (s *Service) answerConsent(ctx context.Context, call *httpapi.Call, req answerConsentRequest) (httpapi.Reply, error) {
	query, err := url.ParseQuery(req.Query)
	if err != nil {
		return httpapi.Reply{}, errcode.InvalidParam.Wrap(err, "This form is damaged. Go back to the app and begin again.").With("param", "query")
	}
	v, a, err := s.arriveFor(ctx, call, query)
	var sentBack *oauth.RedirectError
	switch {
	case errors.As(err, &sentBack):
		return httpapi.Redirect(sentBack.URL), nil
	case err != nil:
		return httpapi.Reply{}, err
	case !v.SignedIn():
		return v.SignIn(consentPath(query))
	case !v.Owns(req.Token):
		return v.Stale(consentPath(query))
	case v.Awaiting():
		return s.waitFor(v, a)
	}
	if reply, again, err := s.askAgain(v, consentPath(query)); again || err != nil {
		return reply, err
	}
	switch req.Answer {
	case "deny":
		return v.Leave(a.Deny())
	case "allow":
	default:
		return httpapi.Reply{}, errcode.InvalidParam.New("Choose one of the two buttons.").With("param", "answer")
	}
	var to string
	err = s.db.Write(ctx, func(tx *db.Tx) (err error) {
		to, err = s.oauth.GrantAuthorization(tx, a, v.UserID())
		return err
	})
	if err != nil {
		return httpapi.Reply{}, err
	}
	return v.Leave(to)
}
