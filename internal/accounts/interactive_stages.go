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
	if !in.mayFollow(session.completed, stage) {
		return &fault{errcode.Unauthorized, "This is not the next stage of any flow. Pass the stages in their order."}, nil
	}
	if stage == PasswordStage {
		if failed, err := s.checkPasswordStage(ctx, call, auth); failed != nil || err != nil {
			return failed, err
		}
	}
	completed := append(slices.Clone(session.completed), stage)
	token := session.registrationToken
	var failed *fault
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		failed = nil
		if stage == OAuthStage || stage == unstableOAuthStage {
			allowed, err := mayResetCrossSigning(tx, call.UserID)
			if err != nil {
				return err
			}
			if !allowed {
				failed = &fault{errcode.Unauthorized, "This has not been confirmed on your account's page yet, or too long ago. Open the page and confirm it."}
				return nil
			}
		}
		if stage == RegistrationTokenStage {
			held, err := holdToken(tx, auth.Token)
			if err != nil {
				return err
			}
			if !held {
				failed = &fault{errcode.Unauthorized, "This registration token is not valid, or has been used up. Ask for another one."}
				return nil
			}
			token = auth.Token
		}
		n, err := tx.Exec(`UPDATE interactive_sessions SET completed = $2, registration_token = $3 WHERE session_hash = $1 AND completed = $4`,
			session.hash, join(completed), token, join(session.completed))
		if err == nil && n == 0 {
			return errMoved
		}
		return err
	})
	switch {
	case errors.Is(err, errMoved):
		return s.reload(ctx, session)
	case err == nil && failed == nil:
		session.completed, session.registrationToken = completed, token
	}
	return failed, err
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
	of, err := s.resolve(who)
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
