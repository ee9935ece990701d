package accounts

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
)

// Stage is one step of user-interactive authentication. Specification:
// client-server API, "Authentication types".
type Stage string

// The stages that this server offers.
const (
	DummyStage             Stage = "m.login.dummy"
	PasswordStage          Stage = "m.login.password"
	RegistrationTokenStage Stage = "m.login.registration_token"
	TermsStage             Stage = "m.login.terms"
	// OAuthStage is passed on the account's web page. Sessions of OAuth 2.0 clients
	// know no other.
	OAuthStage Stage = "m.oauth"
	// unstableOAuthStage is the same, under the name that clients from before v1.17
	// of the specification look for.
	unstableOAuthStage Stage = "org.matrix.cross_signing_reset"
	// EmailStage and PhoneStage are passed with a validated address.
	EmailStage Stage = "m.login.email.identity"
	PhoneStage Stage = "m.login.msisdn"
)

// policies are the parameters of m.login.terms.
type policies struct {
	Policies struct {
		Terms struct {
			Version string `json:"version"`
			English struct {
				Name string `json:"name"`
				URL  string `json:"url"`
			} `json:"en"`
		} `json:"terms_of_service"`
	} `json:"policies"`
}

func (s *Service) terms() (p policies) {
	terms := s.cfg.Registration.Terms
	p.Policies.Terms.Version = terms.Version
	p.Policies.Terms.English.Name, p.Policies.Terms.English.URL = terms.Name, terms.URL
	return p
}

// errMoved rolls a stage back when another request has changed the session.
var errMoved = errors.New("accounts: the session has moved on")

// attempt tries to pass a stage and notes it in the session. The fault says why
// it was not passed.
func (s *Service) attempt(ctx context.Context, call *httpapi.Call, in Interaction, session *interactiveSession, stage Stage, auth *Auth) (*fault, error) {
	if stage == PasswordStage && in.inBrowser {
		return s.refusePassword(ctx, call, auth)
	}
	if !in.mayFollow(session.completed, stage) {
		return &fault{errcode.Unauthorized, "This is not the next stage of any flow. Pass the stages in their order."}, nil
	}
	if stage == PasswordStage {
		if failed, err := s.checkPasswordStage(ctx, call, auth); failed != nil || err != nil {
			return failed, err
		}
	}
	next := *session
	var failed *fault
	err := s.db.Write(ctx, func(tx *db.Tx) (err error) {
		next = *session
		next.completed = append(slices.Clone(session.completed), stage)
		if failed, err = s.pass(tx, call, in, &next, stage, auth); failed != nil || err != nil {
			return err
		}
		n, err := updateSession(tx, next, session.completed)
		if err == nil && n == 0 {
			return errMoved
		}
		return err
	})
	switch {
	case errors.Is(err, errMoved):
		return s.reload(ctx, session)
	case err == nil && failed == nil:
		*session = next
	}
	return failed, err
}

// pass checks what a stage asks for, and notes in the session what it gives. The
// password was checked before, outside the transaction.
func (s *Service) pass(tx *db.Tx, call *httpapi.Call, in Interaction, session *interactiveSession, stage Stage, auth *Auth) (*fault, error) {
	switch stage {
	case OAuthStage, unstableOAuthStage:
		allowed, err := mayResetCrossSigning(tx, call.UserID)
		if err == nil && !allowed {
			return &fault{errcode.Unauthorized, "This has not been confirmed on your account's page yet, or too long ago. Open the page and confirm it."}, nil
		}
		return nil, err
	case BrowserStage:
		return &fault{errcode.Unauthorized, "This has not been confirmed in the browser yet. Open the page and confirm it."}, nil
	case RegistrationTokenStage:
		held, err := holdToken(tx, auth.Token)
		if err == nil && !held {
			return &fault{errcode.Unauthorized, "This registration token is not valid, or has been used up. Ask for another one."}, nil
		}
		session.registrationToken = auth.Token
		return nil, err
	case EmailStage, PhoneStage:
		return s.passThreepid(tx, in, session, stage, auth)
	}
	return nil, nil
}

// reload reads a session again that another request has changed: mostly the same
// request, sent twice, which is then answered alike.
func (s *Service) reload(ctx context.Context, session *interactiveSession) (*fault, error) {
	var now interactiveSession
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) {
		now, err = findSession(tx, session.id)
		now.id = session.id
		return err
	})
	*session = now
	if errors.Is(err, db.ErrNoRow) {
		session.id = ""
		return &fault{errcode.Unauthorized, "This authentication has been used already. Start again."}, nil
	}
	return nil, err
}

// checkPasswordStage checks the password of the requester. A password that is
// right, but somebody else's, is wrong.
func (s *Service) checkPasswordStage(ctx context.Context, call *httpapi.Call, auth *Auth) (*fault, error) {
	who := Identifier{Type: "m.id.user", User: auth.User}
	switch {
	case auth.Identifier != nil:
		who = *auth.Identifier
	case auth.User == "":
		who.User = string(call.UserID)
	}
	var of subject
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) {
		of, err = s.resolve(tx, who)
		return err
	})
	if err == nil && of.userID != call.UserID {
		// Not even tried: this must not be a way to guess at others.
		return &fault{errcode.Forbidden, "This has to be authenticated by the account that is signed in."}, nil
	}
	if err == nil {
		_, err = s.CheckPassword(ctx, who, auth.Password)
	}
	var refused *errcode.Error
	if errors.As(err, &refused) && refused.Code != errcode.LimitExceeded && refused.Code != errcode.Overloaded {
		return &fault{refused.Code, refused.Text}, nil
	}
	return nil, err
}

func join(stages []Stage) string {
	names := make([]string, len(stages))
	for i, stage := range stages {
		names[i] = string(stage)
	}
	return strings.Join(names, " ")
}
