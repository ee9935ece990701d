package accounts

import (
	"context"
	"errors"
	"slices"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
)

// BrowserStage is passed on a page of this server, where people prove themselves by
// whatever their account takes. The specification has it for single sign-on, and no
// other stage that knows second factors: clients open its page in the browser.
// Client-server API, "Single Sign-On" of the authentication types, and "Fallback".
const BrowserStage Stage = "m.login.sso"

// suited gives the interaction as the requester can pass it: in the browser instead of
// by the password, if a password alone proves too little, or if there is none.
func (s *Service) suited(ctx context.Context, call *httpapi.Call, in Interaction) (Interaction, error) {
	if call.UserID == "" || !slices.ContainsFunc(in.Flows, func(flow []Stage) bool { return slices.Contains(flow, PasswordStage) }) {
		return in, nil
	}
	var account Account
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) {
		account, err = s.Find(tx, call.UserID)
		return err
	})
	if errors.Is(err, db.ErrNoRow) { // a token of an application service, for example
		return in, nil
	}
	if err != nil || !s.provesInBrowser(account) {
		return in, err
	}
	flows := make([][]Stage, len(in.Flows))
	for i, flow := range in.Flows {
		flows[i] = slices.Clone(flow)
		if j := slices.Index(flow, PasswordStage); j >= 0 {
			flows[i][j] = BrowserStage
		}
	}
	in.Flows, in.inBrowser = flows, true
	return in, nil
}

func (s *Service) provesInBrowser(a Account) bool { return a.PasswordHash == "" || s.TakesTwoSteps(a) }

// refusePassword answers the stage of the password where it is not enough. Only whoever
// knows the password hears that it is right.
func (s *Service) refusePassword(ctx context.Context, call *httpapi.Call, auth *Auth) (*fault, error) {
	failed, err := s.checkPasswordStage(ctx, call, auth)
	if failed != nil || err != nil {
		return failed, err
	}
	return &fault{errcode.Forbidden, "Your account takes a second step, and the password alone is not enough. Confirm it in the browser."}, nil
}

// InBrowser gives the operation that a session of user-interactive authentication is
// for, if its user has to confirm it in the browser, and has not yet. It fails with
// db.ErrNoRow otherwise.
func (s *Service) InBrowser(tx *db.Tx, userID id.UserID, session string) (op string, err error) {
	account, err := s.Find(tx, userID)
	if err != nil {
		return "", err
	}
	found, err := findSession(tx, session)
	if err == nil && (found.userID != string(userID) || len(found.completed) > 0 || !s.provesInBrowser(account)) {
		err = db.ErrNoRow
	}
	return found.op, err
}

// ConfirmInBrowser notes that the person has confirmed the operation of a session. It
// fails with db.ErrNoRow as InBrowser does.
func (s *Service) ConfirmInBrowser(tx *db.Tx, userID id.UserID, session string) error {
	if _, err := s.InBrowser(tx, userID, session); err != nil {
		return err
	}
	found, err := findSession(tx, session)
	if err != nil {
		return err
	}
	found.completed = []Stage{BrowserStage}
	n, err := updateSession(tx, found, nil)
	if err == nil && n == 0 {
		err = db.ErrNoRow
	}
	return err
}
