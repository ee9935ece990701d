package validation

import (
	"context"
	"errors"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
)

// Submit takes back a token, and gives the address that a browser is to be sent to
// then, if the client named one. The order of its failures is that of TP-9 to TP-14:
// InvalidParam, LimitExceeded, InvalidParam in the same words for all that is wrong
// about the session, SessionExpired, TokenIncorrect. Only who knows the session's
// secret hears of the last two (TP-19).
func (s *Service) Submit(ctx context.Context, call *httpapi.Call, in Submission) (nextLink string, err error) {
	if err := in.check(); err != nil {
		return "", err
	}
	// Look before locking: whoever does not know a session writes nothing.
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		if in.Medium == Phone {
			if err := left(tx, networkBudget(call)); err != nil {
				return err
			}
		}
		_, err := in.session(tx)
		return err
	})
	var refused error // what is written stays, although the answer is a failure
	if err == nil {
		err = s.db.Write(ctx, func(tx *db.Tx) error {
			nextLink, refused, err = judge(tx, call, in)
			return err
		})
	}
	switch {
	case errors.Is(err, ErrUnknown):
		return "", errcode.InvalidParam.New("There is no such session: the sid, the client_secret, or the address that they were sent to is wrong.")
	case err != nil:
		return "", err
	}
	return nextLink, refused
}

func (in Submission) session(tx *db.Tx) (session, error) {
	return findSession(tx, []Purpose{in.Purpose}, in.Medium, in.SID, in.ClientSecret)
}

// judge compares the token. An error undoes the transaction; refused does not.
func judge(tx *db.Tx, call *httpapi.Call, in Submission) (nextLink string, refused, err error) {
	if err := lockSession(tx, in.SID); err != nil {
		return "", nil, err
	}
	v, err := in.session(tx)
	switch {
	case err != nil:
		return "", nil, err
	case v.expired(tx.Now):
		return "", nil, errcode.SessionExpired.New("This is no longer valid, because it has been too long. Ask for a new message.")
	case v.burnt():
		return "", nil, errcode.SessionExpired.New("This is no longer valid, because too many wrong codes were typed. Ask for a new message.")
	}
	budgets := codeBudgets(call, v)
	if err := spend(tx, budgets); err != nil {
		return "", nil, err
	}
	if !v.isToken(in.Token, in.ClientSecret) {
		return "", incorrect(v), countWrong(tx, v.sid)
	}
	// It was no guess, and neither were the wrong ones before it.
	guesses := int64(1)
	if v.validated == nil {
		guesses += v.wrong
		if err := markValidated(tx, v.sid); err != nil {
			return "", nil, err
		}
	}
	return withSID(v.nextLink, v.sid), nil, giveBack(tx, budgets, guesses)
}

func incorrect(v session) error {
	if v.medium == Phone {
		return errcode.TokenIncorrect.New("This is not the code that was sent. Look at the message again.")
	}
	return errcode.TokenIncorrect.New("This is not the link or code that was sent. Look at the mail again: if there are several, take the newest.")
}
