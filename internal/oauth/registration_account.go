package oauth

import (
	"context"
	"errors"

	"github.com/go-json-experiment/json"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
)

// registered is what came of a registration. It is kept with the session, so that
// a client that lost the answer gets it again and nothing is made twice (MSC3866,
//
type registered struct {
	UserID     id.UserID   `json:"user_id"`
	Chosen     bool        `json:"chosen"` // the server chose the name
	DeviceID   id.DeviceID `json:"device_id"`
	DeviceName *string     `json:"device_name"`
	Inhibit    bool        `json:"inhibit_login"`
	Refresh    bool        `json:"refresh_token"`
}

// enrol writes the account and what comes of it, all or nothing.
func (s *Service) enrol(ctx context.Context, call *httpapi.Call, req registerRequest, w wish, proof accounts.Proof) (resp registerResponse, err error) {
	deviceID, err := deviceIDFrom(w.DeviceID)
	if err != nil {
		return resp, err
	}
	r := registered{Chosen: w.Username == "", DeviceID: deviceID, DeviceName: w.DeviceName, Inhibit: w.InhibitLogin, Refresh: w.RefreshToken}
	if r.UserID, err = s.newUserID(w.Username, req.GuestAccessToken); err != nil {
		return resp, err
	}
	var refused error // what is written stays, although the answer is a failure
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		r := r
		earlier, err := s.earlier(tx, call, req.Auth)
		if err != nil {
			return err
		}
		if earlier != nil {
			resp, refused, err = s.answer(tx, *earlier, true)
			return err
		}
		account := accounts.Account{UserID: r.UserID, PasswordHash: w.PasswordHash, Signup: signup(call, proof)}
		if account.Approved, err = s.approvalOf(tx, proof); err != nil {
			return err
		}
		account.Signup.Reason = w.Reason
		if s.accounts.LacksReason(account) {
			return errcode.MissingParam.New("%q is missing: say why you want to join. An administrator reads it before the account can be used. "+
				"If your app cannot ask for it, make the account on the web page of this server.", accounts.ReasonParam).With("param", accounts.ReasonParam)
		}
		if req.GuestAccessToken != "" {
			account.UserID, err = s.upgradeGuest(tx, req.GuestAccessToken, w.Username, account)
			r.UserID = account.UserID
		} else {
			err = s.accounts.Insert(tx, account)
		}
		if errors.Is(err, db.ErrDuplicate) {
			return userInUse()
		}
		if err != nil {
			return err
		}
		if err := s.accounts.AttachClaims(tx, r.UserID, proof); err != nil {
			return err
		}
		if err := s.settle(tx, proof, r); err != nil {
			return err
		}
		resp, refused, err = s.answer(tx, r, false)
		return err
	})
	if err == nil {
		err = refused
	}
	return resp, err
}

func signup(call *httpapi.Call, proof accounts.Proof) accounts.Signup {
	return accounts.Signup{IP: call.Addr.String(), UserAgent: call.UserAgent, Token: proof.RegistrationToken}
}

// newUserID is the user ID of a new account; a guest's becomes known with its token.
func (s *Service) newUserID(username, guestToken string) (id.UserID, error) {
	switch {
	case guestToken != "":
		return "", nil
	case username == "":
		return s.accounts.RandomUserID(false)
	}
	return s.accounts.NewUserID(username)
}

// approvalOf is the state that an account begins in: a preapproved registration
// token vouches for it (MSC3866, A-13).
func (s *Service) approvalOf(tx *db.Tx, proof accounts.Proof) (*bool, error) {
	if proof.RegistrationToken == "" {
		return s.accounts.Approval(false), nil
	}
	token, err := s.accounts.RegistrationToken(tx, proof.RegistrationToken)
	if err != nil && !errors.Is(err, db.ErrNoRow) { // it may have been deleted since
		return nil, err
	}
	return s.accounts.Approval(token.Preapproved), nil
}

func (s *Service) settle(tx *db.Tx, proof accounts.Proof, r registered) error {
	raw, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return s.accounts.Settle(tx, proof, raw)
}

// earlier gives what came of an earlier request with the same session, or nil.
func (s *Service) earlier(tx *db.Tx, call *httpapi.Call, auth *accounts.Auth) (*registered, error) {
	if auth == nil {
		return nil, nil
	}
	raw, err := s.accounts.Settled(tx, call, auth.Session)
	if err != nil || raw == nil {
		return nil, err
	}
	r := &registered{}
	return r, json.Unmarshal(raw, r)
}

// repeatRegistration answers a request whose session has made an account already.
func (s *Service) repeatRegistration(ctx context.Context, call *httpapi.Call, auth *accounts.Auth) (resp registerResponse, done bool, err error) {
	if auth == nil || auth.Session == "" {
		return resp, false, nil
	}
	var refused error
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		earlier, err := s.earlier(tx, call, auth)
		if done = earlier != nil; err != nil || !done {
			return err
		}
		resp, refused, err = s.answer(tx, *earlier, true)
		return err
	})
	if err == nil {
		err = refused
	}
	return resp, done, err
}

// answer signs a new account in, or says why not. The second time, it gives new
// tokens only while the session that the first time began is there: knowing how
// one registered is no way to sign in later.
func (s *Service) answer(tx *db.Tx, r registered, again bool) (resp registerResponse, refused, err error) {
	account, err := s.accounts.Hold(tx, r.UserID)
	switch {
	case errors.Is(err, db.ErrNoRow), err == nil && account.Deactivated:
		return resp, errcode.Forbidden.New("This registration was denied, or its account is deactivated."), nil
	case err != nil:
		return resp, nil, err
	case s.isAwaiting(account):
		refused, err = s.awaitingApproval(tx, r)
		return resp, refused, err
	case r.Inhibit:
		return registerResponse{UserID: r.UserID}, nil, nil
	case s.accounts.LacksSecondFactor(account):
		return resp, s.lacksSecondFactor(r), nil
	}
	if again {
		if _, err := s.accounts.Device(tx, r.UserID, r.DeviceID); errors.Is(err, db.ErrNoRow) {
			return resp, errcode.UserInUse.New("This registration is complete. Sign in with the username and the password."), nil
		} else if err != nil {
			return resp, nil, err
		}
	}
	t, err := s.signIn(tx, r.UserID, r.DeviceID, r.DeviceName, r.Refresh)
	return registerResponse{UserID: r.UserID, DeviceID: r.DeviceID, HomeServer: s.server, tokens: t}, nil, err
}

// lacksSecondFactor answers a registration that is complete but for the second factor
// (login.second_factor.required), which the pages set up. It names the account as
// awaitingApproval does.
func (s *Service) lacksSecondFactor(r registered) error {
	e := errcode.Forbidden.New("The account has been made. This server wants it to have a second factor before it is used: open %s in a web browser and sign in, and you are asked to set one up. Then choose in the app to sign in through the browser.", s.cfg.AccountURL())
	if r.Chosen {
		e = e.With("user_id", r.UserID)
	}
	return e
}

// awaitingApproval answers a registration that is complete but for the approval.
// It names the account if the server chose its name, or nobody could ever sign in
// to it (MSC3866, A-5).
func (s *Service) awaitingApproval(tx *db.Tx, r registered) (refused, err error) {
	medium, err := s.accounts.NoticeMedium(tx, r.UserID)
	if err != nil {
		return nil, err
	}
	e := errcode.UserAwaitingApproval.New("The account has been made. It needs the approval of an administrator before it can be used.").
		With("approval_notice_medium", medium)
	if r.Chosen {
		e = e.With("user_id", r.UserID)
	}
	return e, nil
}
