package web

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/oauth"
	"github.com/narthex-matrix/narthex/internal/page"
	"github.com/narthex-matrix/narthex/internal/upstream"
	"github.com/narthex-matrix/narthex/internal/visitor"
)

// beginPath leads to a provider, with its ID after it.
const beginPath = "/sso/begin/"

// beginAt is the path that leads to a provider, and from there to another path.
func beginAt(providerID, next string) string {
	return visitor.At(beginPath+providerID, "continue", visitor.Next(next))
}

// shownProviders are the providers as pages show them, whose buttons lead to a path.
// With registering, they are those whose people get accounts.
func (s *Service) shownProviders(next string, registering bool) []page.Provider {
	var shown []page.Provider
	for _, p := range s.upstream.Providers() {
		if p.Registers || !registering {
			shown = append(shown, page.Provider{ID: p.ID, Name: p.Name, Icon: p.Icon, Begin: beginAt(p.ID, next)})
		}
	}
	return shown
}

// browserKey is the secret that binds a sign-in with a provider to one browser.
func browserKey(v *visitor.Visitor) []byte { return v.Key("upstream") }

type beginAtProviderRequest struct {
	IdpID    string `path:"idpId"`
	Continue string `query:"continue"`
	// Purpose is "prove" for whoever is signed in and is to be asked again.
	Purpose string `query:"purpose"`
}

// beginAtProvider sends the browser to a provider.
func (s *Service) beginAtProvider(ctx context.Context, call *httpapi.Call, req beginAtProviderRequest) (httpapi.Reply, error) {
	v, err := s.visitors.Arrive(ctx, call)
	if err != nil {
		return httpapi.Reply{}, err
	}
	b := upstream.Beginning{Provider: req.IdpID, Browser: browserKey(v), Purpose: upstream.SignIn, Next: visitor.Next(req.Continue)}
	if req.Purpose == string(upstream.Prove) {
		if !v.SignedIn() {
			return v.SignIn(b.Next)
		}
		b.Purpose, b.UserID = upstream.Prove, v.UserID()
	}
	address, err := s.upstream.Begin(ctx, call.Now, b)
	if err != nil {
		return s.notVouched(v, err)
	}
	return v.Leave(address)
}

func noSuchProvider() error {
	return errcode.NotFound.New("This server has no such identity provider. Sign in without choosing one.")
}

// maxLogged is how much of what went wrong at a provider is logged, in bytes.
const maxLogged = 300

// notVouched shows why a provider did not vouch for somebody.
func (s *Service) notVouched(v *visitor.Visitor, err error) (httpapi.Reply, error) {
	var f *upstream.Failure
	switch {
	case errors.Is(err, db.ErrNoRow):
		return httpapi.Reply{}, noSuchProvider()
	case !errors.As(err, &f):
		return httpapi.Reply{}, err
	}
	if f.Cause != nil {
		cause := f.Cause.Error()
		v.Call.Log.Warn("single sign-on", "err", cause[:min(len(cause), maxLogged)])
	}
	back := visitor.At(visitor.SignInPath, "continue", f.Next)
	if v.SignedIn() {
		back = visitor.Next(f.Next)
	}
	return v.Show(f.Status, page.Failure{Status: f.Status, Text: f.Text, Back: back})
}

type returnFromProviderRequest struct {
	IdpID  string `path:"idpId"`
	State  string `query:"state"`
	Code   string `query:"code"`
	Issuer string `query:"iss"`
	Error  string `query:"error"`
}

// returnFromProvider takes a browser back from a provider.
func (s *Service) returnFromProvider(ctx context.Context, call *httpapi.Call, req returnFromProviderRequest) (httpapi.Reply, error) {
	v, err := s.visitors.Arrive(ctx, call)
	if err != nil {
		return httpapi.Reply{}, err
	}
	arrival, err := s.upstream.Return(ctx, call.Now, upstream.Answer{
		Provider: req.IdpID, Browser: browserKey(v), State: req.State, Code: req.Code, Issuer: req.Issuer, Error: req.Error,
	})
	if err != nil {
		return s.notVouched(v, err)
	}
	if arrival.Purpose == upstream.SignIn {
		return s.signInVouched(ctx, v, arrival)
	}
	if !v.SignedIn() || v.UserID() != arrival.UserID {
		return v.SignIn(arrival.Next)
	}
	next := arrival.Next
	if arrival.Purpose == upstream.Prove {
		err = s.proveVouched(ctx, v, arrival)
	} else {
		err = s.linkVouched(ctx, v, arrival)
		next += "?done=linked"
	}
	if errors.Is(err, db.ErrNoRow) { // signed out meanwhile
		return v.SignIn(arrival.Next)
	}
	if err != nil {
		return s.notVouched(v, withNext(err, arrival.Next))
	}
	return v.Leave(next)
}

// signInVouched begins a session for whom a provider has vouched, approved or not
// (MSC3866, A-27 and A-28).
func (s *Service) signInVouched(ctx context.Context, v *visitor.Visitor, a upstream.Arrival) (httpapi.Reply, error) {
	by := oauth.Voucher{Provider: a.Person.Provider, Session: a.Session, Proved: a.Proved}
	err := v.EnterVouched(ctx, by, func(tx *db.Tx) (accounts.Account, error) { return s.upstream.Account(tx, a.Person) })
	if errors.Is(err, db.ErrNoRow) {
		return s.welcomeVouched(ctx, v, a)
	}
	if err != nil {
		return s.notVouched(v, withNext(err, a.Next))
	}
	return v.Leave(visitor.Next(a.Next))
}

// withNext notes in a failure where the person was going.
func withNext(err error, next string) error {
	var f *upstream.Failure
	if errors.As(err, &f) {
		f.Next = next
	}
	return err
}

// proveVouched notes that a provider has just asked whoever is signed in who they are.
func (s *Service) proveVouched(ctx context.Context, v *visitor.Visitor, a upstream.Arrival) error {
	return v.Prove(ctx, func(tx *db.Tx) error {
		same, err := s.upstream.Is(tx, a.Person, v.UserID())
		if err != nil || same {
			return err
		}
		return &upstream.Failure{Status: http.StatusForbidden, Text: "You signed in there as somebody else. Nothing was done."}
	})
}

func (s *Service) linkVouched(ctx context.Context, v *visitor.Visitor, a upstream.Arrival) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		if _, err := s.accounts.Hold(tx, v.UserID()); err != nil {
			return err
		}
		return s.upstream.Link(tx, a.Person, v.UserID())
	})
}

// vouchedFor is how long after a provider has vouched for somebody apps can be signed
// in without asking it again.
const vouchedFor = 15 * time.Minute

// askAgain reports whether a session of this browser, which a provider has vouched for,
// is too old for a new app to sign in with it; and then sends the browser to the
// provider and back. So whoever is signed out or shut out there signs in nowhere here.
func (s *Service) askAgain(v *visitor.Visitor, here string) (reply httpapi.Reply, again bool, err error) {
	if v.Browser.Provider == "" || v.Call.Now.Sub(v.Browser.Began) < vouchedFor {
		return reply, false, nil
	}
	if _, there := s.upstream.Provider(v.Browser.Provider); !there {
		reply, err = v.SignIn(here)
		return reply, true, err
	}
	reply, err = v.Leave(beginAt(v.Browser.Provider, here))
	return reply, true, err
}

type providerIconRequest struct {
	IdpID string `path:"idpId"`
}

// providerIcon answers the picture of a provider. A picture of the kind that can hold
// a program runs none.
func (s *Service) providerIcon(_ context.Context, _ *httpapi.Call, req providerIconRequest) (httpapi.Reply, error) {
	icon, ok := s.upstream.Icon(req.IdpID)
	if !ok {
		return httpapi.Reply{}, errcode.NotFound.New("There is no such picture.")
	}
	return httpapi.Reply{Body: icon.Body, Header: http.Header{
		"Content-Type": {icon.ContentType}, "Content-Security-Policy": {"default-src 'none'; style-src 'unsafe-inline'; sandbox"},
		"Cache-Control": {"public, max-age=3600"}, "Pragma": nil,
	}}, nil
}
