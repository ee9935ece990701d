package accounts

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/secret"
	"github.com/narthex-matrix/narthex/internal/validation"
)

// Auth is the member `auth` of a request: one step of user-interactive
// authentication. Specification: client-server API, "User-Interactive
// Authentication API".
type Auth struct {
	Type       string      `json:"type"`
	Session    string      `json:"session"`
	Identifier *Identifier `json:"identifier"` // m.login.password
	User       string      `json:"user"`       // m.login.password, as older clients send it
	Password   string      `json:"password"`   // m.login.password
	Token      string      `json:"token"`      // m.login.registration_token
	// ThreepidCreds and OlderCreds, as older clients spell it, are for
	// m.login.email.identity and m.login.msisdn.
	ThreepidCreds *threepidCreds `json:"threepid_creds"`
	OlderCreds    *threepidCreds `json:"threepidCreds"`
}

// Interaction is what a request needs user-interactive authentication for.
type Interaction struct {
	// Target says what of the operation is meant: the device to delete, for
	// example. A session that was begun for another is not good for this one.
	Target string
	// Flows are the ways to pass, each a list of stages in their order.
	Flows [][]Stage
	// Purpose is what an address has to have been validated for, in the stages that
	// ask for one.
	Purpose   validation.Purpose
	inBrowser bool // whether the password has given way to the page

	// Request is remembered with a new session, for a client that sends its
	// parameters only once. It is JSON and holds no secrets.
	Request []byte
}

// ByPassword is the interaction in which the requester gives the account's password.
func ByPassword(target string) Interaction {
	return Interaction{Target: target, Flows: [][]Stage{{PasswordStage}}}
}

// Proof is a user-interactive authentication that was passed. Whoever acts on it
// calls [Service.Spend] or [Service.Settle] in the transaction of the act.
type Proof struct {
	// Request is what the session remembered from its first request.
	Request []byte
	// RegistrationToken is the one that was used, if any.
	RegistrationToken string

	session []byte // its hash
	claims  []claim
	again   *errcode.Error
}

// sessionLife is how long a person may take over all stages.
const sessionLife = 30 * time.Minute

// fault is why a stage was not passed.
type fault struct {
	code *errcode.Code
	text string
}

// Interactive leads a request through user-interactive authentication. It gives
// the proof once every stage of one flow was passed, and until then fails with
// InteractiveAuth, whose body says how to go on. A request may bring a stage
// without a session: it begins one. Sessions are bound to the operation, the
// target and the user. It also fails with LimitExceeded after too many wrong
// passwords, and with Forbidden if the requester has signed in by OAuth 2.0 and so
// passes no stage but that one (client-server API, "OAuth 2.0 API").
func (s *Service) Interactive(ctx context.Context, call *httpapi.Call, in Interaction, auth *Auth) (Proof, error) {
	if call.ClientID != "" && !in.isForOAuth() {
		return Proof{}, errcode.Forbidden.New("A session of OAuth 2.0 cannot do this. Do it on your account's page instead: %s", s.accountPage())
	}
	if auth == nil {
		auth = &Auth{}
	}
	in, err := s.suited(ctx, call, in)
	if err != nil {
		return Proof{}, err
	}
	session, failed, err := s.openSession(ctx, call, in, auth)
	if err != nil {
		return Proof{}, err
	}
	stage := Stage(auth.Type)
	if stage == "" && auth.Session != "" && in.isForOAuth() {
		stage = OAuthStage // which clients pass by the session alone
	}
	if failed == nil && stage != "" && !slices.Contains(session.completed, stage) {
		if failed, err = s.attempt(ctx, call, in, &session, stage, auth); err != nil {
			return Proof{}, err
		}
	}
	if failed == nil && in.isPassed(session.completed) {
		return Proof{
			Request: session.request, RegistrationToken: session.registrationToken, session: session.hash, claims: session.claims,
			again: s.challenge(in, interactiveSession{}, &fault{errcode.Unauthorized, "This authentication has been used already. Start again."}),
		}, nil
	}
	return Proof{}, s.challenge(in, session, failed)
}

// openSession finds the session that the request names, or begins one.
func (s *Service) openSession(ctx context.Context, call *httpapi.Call, in Interaction, auth *Auth) (session interactiveSession, failed *fault, err error) {
	if auth.Session != "" {
		err := s.db.Read(ctx, func(tx *db.Tx) (err error) {
			session, err = findSession(tx, auth.Session)
			return err
		})
		switch {
		case err != nil && !errors.Is(err, db.ErrNoRow):
			return session, nil, err
		case err == nil && session.isFor(call, in):
			session.id = auth.Session
			return session, nil, nil
		}
		failed = &fault{errcode.Unauthorized, "This authentication has run out, or was begun for something else. Start again."}
	}
	session = interactiveSession{
		id: secret.String(18), op: call.Op, target: in.Target, userID: string(call.UserID), request: in.Request,
	}
	session.hash = secret.Hash(session.id)
	if stage := Stage(auth.Type); stage == DummyStage && auth.Session == "" && in.mayFollow(nil, stage) {
		session.completed = []Stage{stage} // it asks for nothing: one write does for the session and for it
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error { return insertSession(tx, session) })
	return session, failed, err
}

// isFor reports whether a session was begun for this request.
func (t interactiveSession) isFor(call *httpapi.Call, in Interaction) bool {
	return t.op == call.Op && t.target == in.Target && t.userID == string(call.UserID)
}

// mayFollow reports whether a stage is the next one of some flow.
func (in Interaction) mayFollow(completed []Stage, next Stage) bool {
	n := len(completed)
	return slices.ContainsFunc(in.Flows, func(flow []Stage) bool {
		return len(flow) > n && slices.Equal(flow[:n], completed) && flow[n] == next
	})
}

func (in Interaction) isPassed(completed []Stage) bool {
	return slices.ContainsFunc(in.Flows, func(flow []Stage) bool { return slices.Equal(flow, completed) })
}

type flow struct {
	Stages []Stage `json:"stages"`
}

// challenge is the answer that asks for the next stage.
func (s *Service) challenge(in Interaction, session interactiveSession, failed *fault) *errcode.Error {
	flows := make([]flow, len(in.Flows))
	params := map[Stage]any{}
	for i, stages := range in.Flows {
		flows[i].Stages = stages
		if slices.Contains(stages, TermsStage) {
			params[TermsStage] = s.terms()
		}
		for _, stage := range []Stage{OAuthStage, unstableOAuthStage} {
			if slices.Contains(stages, stage) {
				params[stage] = map[string]string{"url": s.accountPage() + "?action=" + CrossSigningReset}
			}
		}
	}
	completed := session.completed
	if completed == nil {
		completed = []Stage{}
	}
	e := errcode.InteractiveAuth.New("Authentication is needed.")
	if failed != nil {
		e = e.With("errcode", failed.code.Name).With("error", failed.text)
	}
	e = e.With("flows", flows).With("params", params).With("completed", completed)
	if session.id != "" {
		e = e.With("session", session.id)
	}
	return e
}

// Spend uses a proof up. It fails with InteractiveAuth if another request has
// done so before.
func (s *Service) Spend(tx *db.Tx, p Proof) error {
	n, err := tx.Exec(`DELETE FROM interactive_sessions WHERE session_hash = $1`, p.session)
	if err == nil && n == 0 {
		return p.again
	}
	return err
}

// Settle uses a proof up and keeps, for as long as the session would have lived,
// what came of it, so that the same request can be answered again: see
// [Service.Settled]. A registration token that was used counts as used for good.
func (s *Service) Settle(tx *db.Tx, p Proof, result []byte) error {
	n, err := tx.Exec(`UPDATE interactive_sessions SET result = $2, request = $3 WHERE session_hash = $1 AND result IS NULL`, p.session, result, []byte("{}"))
	if err == nil && n == 0 {
		return p.again
	}
	if err != nil || p.RegistrationToken == "" {
		return err
	}
	return completeToken(tx, p.RegistrationToken)
}

// Settled gives what came of an earlier request of the same operation with the
// same session, or nil. Of two requests at the same time, the second waits for
// the first.
func (s *Service) Settled(tx *db.Tx, call *httpapi.Call, session string) ([]byte, error) {
	if session == "" {
		return nil, nil
	}
	if err := tx.Lock("interactive", session); err != nil {
		return nil, err
	}
	found, err := findSession(tx, session)
	if errors.Is(err, db.ErrNoRow) || (err == nil && (found.op != call.Op || found.userID != string(call.UserID))) {
		return nil, nil
	}
	return found.result, err
}

// interactiveSession is one row of `interactive_sessions`.
type interactiveSession struct {
	id                string // as the client knows it; not in the row
	hash              []byte
	op, target        string
	userID            string
	completed         []Stage
	request           []byte
	registrationToken string
	claims            []claim
	result            []byte
}

func findSession(tx *db.Tx, session string) (interactiveSession, error) {
	return db.One(tx, func(r db.Row) (t interactiveSession, err error) {
		var completed string
		var claims []byte
		if err = r.Scan(&t.hash, &t.op, &t.target, &t.userID, &completed, &t.request, &t.registrationToken, &claims, &t.result); err != nil {
			return t, err
		}
		for stage := range strings.FieldsSeq(completed) {
			t.completed = append(t.completed, Stage(stage))
		}
		return t, json.Unmarshal(claims, &t.claims)
	}, `SELECT session_hash, op, target, user_id, completed, request, registration_token, claims, result FROM interactive_sessions
		WHERE session_hash = $1 AND expires_ts > $2`, secret.Hash(session), tx.Now.UnixMilli())
}

func insertSession(tx *db.Tx, t interactiveSession) error {
	request := t.request
	if request == nil {
		request = []byte("{}")
	}
	return tx.Later(`INSERT INTO interactive_sessions (session_hash, op, target, user_id, completed, request, registration_token, claims, result, expires_ts)
		VALUES ($1, $2, $3, $4, $5, $6, '', $7, NULL, $8)`, t.hash, t.op, t.target, t.userID, join(t.completed), request, []byte("[]"), tx.Now.Add(sessionLife).UnixMilli())
}

// updateSession notes a stage that was passed, unless the session has passed others
// than those completed before it.
func updateSession(tx *db.Tx, t interactiveSession, completed []Stage) (n int64, err error) {
	claims, err := json.Marshal(t.claims)
	if err != nil {
		return 0, err
	}
	return tx.Exec(`UPDATE interactive_sessions SET completed = $2, registration_token = $3, claims = $4 WHERE session_hash = $1 AND completed = $5`,
		t.hash, join(t.completed), t.registrationToken, claims, join(completed))
}

// sweepSessions forgets sessions that have run out, and gives back the uses of
// registration tokens that they held. What a session held is known for certain
// only when it is deleted: until then it may be settled.
func sweepSessions(tx *db.Tx) error {
	held := map[string]int64{}
	err := db.Each(tx, func(r db.Row) error {
		token, err := db.Scalar[string](r)
		held[token]++
		return err
	}, `DELETE FROM interactive_sessions WHERE expires_ts <= $1
		RETURNING CASE WHEN result IS NULL THEN registration_token ELSE '' END`, tx.Now.UnixMilli())
	if err != nil {
		return err
	}
	delete(held, "")
	for token, uses := range held { // few: of registrations that were given up
		if err := releaseToken(tx, token, uses); err != nil {
			return err
		}
	}
	return nil
}
