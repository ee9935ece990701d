package upstream

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/secret"
)

// Answer is what a browser brings back from a provider.
type Answer struct {
	Provider string // the ID in the path
	Browser  []byte // as in the Beginning
	State    string
	Code     string
	Issuer   string // RFC 9207; may be empty
	Error    string // RFC 6749, section 4.1.2.1, and OpenID Connect Core 1.0, 3.1.2.6
}

// Arrival is a person whom a provider has vouched for.
type Arrival struct {
	Purpose Purpose
	UserID  id.UserID // as in the Beginning
	Next    string    // likewise
	Person  Person
	// Session is what the provider calls its session of the person; may be empty.
	Session string
	// Proved is when the person last proved to the provider who they are; zero if it
	// does not say.
	Proved time.Time
}

// talkFor is how long all questions to a provider may take while a browser waits.
const talkFor = 20 * time.Second

// Return takes a browser back, and asks the provider who is in front of it. It fails
// with a *Failure, and with db.ErrNoRow if there is no such provider.
func (s *Service) Return(ctx context.Context, now time.Time, a Answer) (Arrival, error) {
	p := s.find(a.Provider)
	if p == nil {
		return Arrival{}, db.ErrNoRow
	}
	var l login
	err := s.db.Write(ctx, func(tx *db.Tx) (err error) {
		if !secret.Plausible(secret.UpstreamState, a.State) {
			return db.ErrNoRow
		}
		l, err = spend(tx, p.ID, a.State, a.Browser)
		return err
	})
	if errors.Is(err, db.ErrNoRow) {
		return Arrival{}, &Failure{Status: http.StatusBadRequest,
			Text: "This sign-in took too long, was finished before, or was begun in another browser. Begin again; your browser has to keep cookies."}
	}
	if err != nil {
		return Arrival{}, err
	}
	ctx, stop := context.WithTimeout(ctx, talkFor)
	defer stop()
	arrival, err := p.receive(ctx, now, a, l)
	var f *Failure
	if errors.As(err, &f) {
		f.Next = l.next
	}
	return arrival, err
}

// receive checks the answer, exchanges its code, and reads who it is.
func (p *provider) receive(ctx context.Context, now time.Time, a Answer, l login) (Arrival, error) {
	d, err := p.discover(ctx, now)
	switch {
	case err != nil:
		return Arrival{}, p.broken(err)
	case a.Issuer != "" && a.Issuer != p.Issuer, a.Issuer == "" && d.namesIssuer:
		return Arrival{}, p.broken(errors.New("the answer names another issuer, or none (RFC 9207)"))
	case a.Error != "":
		return Arrival{}, p.declined(a.Error)
	case a.Code == "":
		return Arrival{}, p.broken(errors.New("the answer has neither a code nor an error"))
	}
	ctx = oidc.ClientContext(ctx, p.client)
	tokens, err := d.oauth2.Exchange(ctx, a.Code, oauth2.VerifierOption(derive(a.Browser, "verifier", a.State)))
	if err != nil {
		return Arrival{}, p.unexchanged(err)
	}
	token, err := p.verify(ctx, now, d, tokens, derive(a.Browser, "nonce", a.State))
	if err != nil {
		return Arrival{}, p.broken(err)
	}
	said, err := claimsOf(token)
	if err != nil {
		return Arrival{}, p.broken(err)
	}
	if p.UserInfo {
		if err := said.complete(ctx, d, tokens, token.Subject); err != nil {
			return Arrival{}, p.broken(err)
		}
	}
	if !said.meet(p.needs) {
		return Arrival{}, refused("Your account at %s may not be used to sign in here. Ask the administrator of this server.", p.Name)
	}
	arrival := Arrival{Purpose: l.purpose, UserID: l.userID, Next: l.next, Session: said.text("sid"), Proved: said.time("auth_time")}
	if arrival.Person, err = p.person(said); err != nil {
		return Arrival{}, p.broken(err)
	}
	switch {
	case l.purpose == Prove && arrival.Proved.IsZero():
		return Arrival{}, refused("%s does not say when you last proved to it who you are, and so cannot confirm this here. Confirm it in another way. "+
			"If you have none, ask the administrator of this server for a password, and confirm with that.", p.Name)
	case l.purpose == Prove && arrival.Proved.Before(l.begun.Add(-clocksDiffer)):
		return Arrival{}, refused("%s did not ask you again who you are. Nothing was done. Sign out there, and try again.", p.Name)
	}
	return arrival, nil
}

// clocksDiffer is how far the clock of a provider may be behind or ahead.
const clocksDiffer = time.Minute

// declined puts an error that the provider sent into words.
func (p *provider) declined(code string) *Failure {
	switch code {
	case "access_denied":
		return refused("%s did not let you sign in, or you cancelled it.", p.Name)
	case "login_required", "interaction_required", "account_selection_required", "consent_required":
		return refused("%s wants something of you before you can sign in with it. Open it in another tab, sign in there, and begin again here.", p.Name)
	}
	return p.broken(fmt.Errorf("the provider answers %q", cut(code)))
}

// unexchanged puts into words that the code was not accepted. The answer itself does
// not go into the log: nobody knows what is in it.
func (p *provider) unexchanged(err error) *Failure {
	var answer *oauth2.RetrieveError
	if !errors.As(err, &answer) {
		return p.broken(err)
	}
	if answer.ErrorCode == "invalid_grant" {
		return refused("%s did not accept the sign-in any more. Begin again.", p.Name)
	}
	status := 0
	if answer.Response != nil {
		status = answer.Response.StatusCode
	}
	return p.broken(fmt.Errorf("the token endpoint answers %d %q", status, cut(answer.ErrorCode)))
}

// algorithms are the signatures that ID tokens may have: none that needs a secret
// which this server shares with the provider, and so none that "HS256" or "none" names.
var algorithms = []string{
	oidc.RS256, oidc.RS384, oidc.RS512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.EdDSA,
}

// verify checks the ID token as OpenID Connect Core 1.0, section 3.1.3.7, says.
func (p *provider) verify(ctx context.Context, now time.Time, d *discovered, tokens *oauth2.Token, nonce string) (*oidc.IDToken, error) {
	raw, ok := tokens.Extra("id_token").(string)
	if !ok {
		return nil, errors.New("the provider gave no ID token")
	}
	verifier := d.Verifier(&oidc.Config{ClientID: p.ClientID, SupportedSigningAlgs: algorithms, Now: func() time.Time { return now }})
	token, err := verifier.Verify(ctx, raw)
	if err != nil {
		return nil, fmt.Errorf("ID token: %w", err)
	}
	var more struct {
		For string `json:"azp"`
	}
	if err := token.Claims(&more); err != nil {
		return nil, fmt.Errorf("ID token: %w", err)
	}
	switch {
	case !secret.Equal(token.Nonce, nonce):
		return nil, errors.New("the ID token was not made for this sign-in")
	case !slices.Contains(token.Audience, p.ClientID), more.For != "" && more.For != p.ClientID, len(token.Audience) > 1 && more.For == "":
		return nil, errors.New("the ID token was made for somebody else")
	case token.IssuedAt.After(now.Add(clocksDiffer)):
		return nil, errors.New("the ID token comes from the future")
	}
	if token.AccessTokenHash != "" {
		if err := token.VerifyAccessToken(tokens.AccessToken); err != nil {
			return nil, fmt.Errorf("access token: %w", err)
		}
	}
	return token, nil
}
