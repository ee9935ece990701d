package web

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/page"
	"github.com/narthex-matrix/narthex/internal/validation"
	"github.com/narthex-matrix/narthex/internal/visitor"
)

// addressFields are the addresses that a registration asks for.
func (s *Service) addressFields() (fields []page.AddressField) {
	add := func(media []string, optional bool) {
		for _, m := range media {
			fields = append(fields, page.AddressField{Mail: m == string(validation.Email), Medium: m, Optional: optional})
		}
	}
	add(s.cfg.Registration.RequiredThreepids, false)
	add(s.cfg.Registration.OptionalThreepids, true)
	return fields
}

// browserOf is the secret by which a registration that was started is found again.
func browserOf(v *visitor.Visitor) []byte { return v.Key("registration") }

// start has messages sent to the addresses that a registration gives, and keeps it
// until they are confirmed. It reports false if there are none to wait for.
func (s *Service) start(ctx context.Context, v *visitor.Visitor, p page.Register, a accounts.Account, token string) (waits bool, err error) {
	for _, f := range p.Addresses {
		if f.Text == "" && !f.Optional {
			return false, errcode.InvalidParam.New("An account here needs one.").With("param", f.Medium)
		}
	}
	r := accounts.Started{UserID: a.UserID, PasswordHash: a.PasswordHash, RegistrationToken: token, Reason: a.Signup.Reason, Continue: p.Continue}
	earlier, _, err := s.started(ctx, v)
	if err != nil {
		return false, err
	}
	for _, f := range p.Addresses {
		if f.Text == "" {
			continue
		}
		sid, err := s.askToRegister(ctx, v, f, earlier)
		if err != nil {
			return false, err
		}
		r.SIDs = append(r.SIDs, sid)
	}
	if len(r.SIDs) == 0 {
		return false, nil
	}
	return true, s.db.Write(ctx, func(tx *db.Tx) error { return s.accounts.Start(tx, browserOf(v), r) })
}

// askToRegister gives the session for an address: one that is confirmed already, or
// else one for which a message is sent.
func (s *Service) askToRegister(ctx context.Context, v *visitor.Visitor, f page.AddressField, earlier waiting) (sid string, err error) {
	for i, b := range earlier.begun {
		if b.Validated && string(b.Medium) == f.Medium && shownAddress(b.Medium, b.Address) == f.Text {
			return earlier.SIDs[i], nil
		}
	}
	sid, err = s.accounts.Ask(ctx, v.Call, accounts.Asking{
		Purpose: validation.Register, Medium: validation.Medium(f.Medium), Address: f.Text,
		ClientSecret: secretOf(v, validation.Register), NextPath: registerCodePath,
	})
	if refused, ok := visitor.Refusal(err); ok {
		return "", refused.With("param", f.Medium)
	}
	return sid, err
}

// waiting is a registration that was started, with what became of its addresses.
type waiting struct {
	accounts.Started
	begun []validation.Begun // as their SIDs
}

// started gives what this browser has started; ok is false if there is nothing, or not
// what a registration needs by now.
func (s *Service) started(ctx context.Context, v *visitor.Visitor) (w waiting, ok bool, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		w = waiting{}
		if w.Started, err = s.accounts.Started(tx, browserOf(v)); err != nil {
			return err
		}
		for _, sid := range w.SIDs { // two at most
			b, err := s.validation.Look(tx, validation.Register, sid, secretOf(v, validation.Register))
			if err != nil {
				return err
			}
			w.begun = append(w.begun, b)
		}
		return nil
	})
	switch {
	case errors.Is(err, db.ErrNoRow), errors.Is(err, validation.ErrUnknown), errors.Is(err, validation.ErrUsed):
		return w, false, nil
	case err != nil:
		return w, false, err
	}
	for _, m := range s.cfg.Registration.RequiredThreepids {
		if !slices.ContainsFunc(w.begun, func(b validation.Begun) bool { return string(b.Medium) == m }) {
			return w, false, nil
		}
	}
	return w, true, nil
}

func registerCode(w waiting) page.AddressCode {
	p := page.AddressCode{Action: registerCodePath, Again: visitor.At(RegisterPath, "again", "yes", "continue", w.Continue), Button: "Go on"}
	for _, b := range w.begun {
		p.Sent = append(p.Sent, sent(b))
	}
	if p.Confirmed() {
		p.Button = "Make the account"
	}
	return p
}

type showRegisterCodeRequest struct{}

// showRegisterCode asks for the codes that a registration waits for.
func (s *Service) showRegisterCode(ctx context.Context, call *httpapi.Call, _ showRegisterCodeRequest) (httpapi.Reply, error) {
	if err := s.mayRegister(); err != nil {
		return httpapi.Reply{}, err
	}
	v, err := s.visitors.Arrive(ctx, call)
	if err != nil {
		return httpapi.Reply{}, err
	}
	if v.SignedIn() {
		return v.Leave(visitor.Home)
	}
	w, ok, err := s.started(ctx, v)
	switch {
	case err != nil:
		return httpapi.Reply{}, err
	case !ok:
		return elsewhere(v, RegisterPath)
	}
	return v.Show(http.StatusOK, registerCode(w))
}

// takeRegisterCode takes the codes back. Once all addresses are confirmed it makes the
// account, and signs the browser in to it.
func (s *Service) takeRegisterCode(ctx context.Context, call *httpapi.Call, req codeForm) (httpapi.Reply, error) {
	if err := s.mayRegister(); err != nil {
		return httpapi.Reply{}, err
	}
	v, err := s.visitors.Arrive(ctx, call)
	if err != nil {
		return httpapi.Reply{}, err
	}
	if v.SignedIn() { // the same form, sent twice
		return v.Leave(visitor.Home)
	}
	if !v.Owns(req.Token) {
		return v.Stale(registerCodePath)
	}
	w, ok, err := s.started(ctx, v)
	switch {
	case err != nil:
		return httpapi.Reply{}, err
	case !ok:
		return elsewhere(v, RegisterPath)
	case req.Again == "yes":
		return s.registerCodesAgain(ctx, v, w)
	}
	for i, b := range w.begun {
		if b.Validated {
			continue
		}
		if err := s.takeCode(ctx, v, validation.Register, w.SIDs[i], b.Medium, req.code(b.Medium)); err != nil {
			return codeAgain(v, registerCode(w), err, sent(b).Field())
		}
		w.begun[i].Validated = true
	}
	return s.finish(ctx, v, w)
}

// registerCodesAgain has new messages sent to the addresses that are not confirmed.
func (s *Service) registerCodesAgain(ctx context.Context, v *visitor.Visitor, w waiting) (httpapi.Reply, error) {
	for i, b := range w.begun {
		if b.Validated {
			continue
		}
		sid, err := s.sendAgain(ctx, v, validation.Register, b, registerCodePath)
		if err != nil {
			return codeAgain(v, registerCode(w), err, sent(b).Field())
		}
		w.SIDs[i] = sid
	}
	if err := s.db.Write(ctx, func(tx *db.Tx) error { return s.accounts.Start(tx, browserOf(v), w.Started) }); err != nil {
		return httpapi.Reply{}, err
	}
	return v.Leave(registerCodePath)
}

// finish makes the account of a registration whose addresses are confirmed. What
// cannot be had any more, such as the name, is asked for again.
func (s *Service) finish(ctx context.Context, v *visitor.Visitor, w waiting) (httpapi.Reply, error) {
	a := accounts.Account{UserID: w.UserID, PasswordHash: w.PasswordHash}
	a.Signup = accounts.Signup{IP: v.Call.Addr.String(), UserAgent: v.Call.UserAgent, Reason: w.Reason}
	err := v.Enter(ctx, func(tx *db.Tx) (accounts.Account, error) {
		if err := s.accounts.Finish(tx, browserOf(v)); err != nil {
			return a, err
		}
		made, err := s.accounts.Enrol(tx, a, w.RegistrationToken)
		if err != nil {
			return a, err
		}
		for i, sid := range w.SIDs {
			err := s.accounts.AttachShown(tx, made.UserID, sid, secretOf(v, validation.Register))
			if refused, ok := visitor.Refusal(err); ok {
				return a, refused.With("param", string(w.begun[i].Medium))
			}
			if err != nil {
				return a, err
			}
		}
		return made, nil
	})
	if errors.Is(err, db.ErrNoRow) { // another request was faster
		return elsewhere(v, RegisterPath)
	}
	if err != nil {
		return s.registerAgain(ctx, v, w, err)
	}
	return v.Leave(visitor.Next(w.Continue))
}

// registerAgain shows the form for registering with what was typed into it.
func (s *Service) registerAgain(ctx context.Context, v *visitor.Visitor, w waiting, wrong error) (httpapi.Reply, error) {
	problem, status, err := visitor.Problem(wrong, visitor.FieldOf(wrong))
	if err != nil {
		return httpapi.Reply{}, err
	}
	p, err := s.registerPage(ctx, w.Continue)
	if err != nil {
		return httpapi.Reply{}, err
	}
	s.refill(&p, w)
	p.Problem = problem
	return v.Show(status, p)
}

// refill writes what was typed before into the form for registering.
func (s *Service) refill(p *page.Register, w waiting) {
	p.Username, p.RegToken, p.Accepted = w.UserID.Localpart(), w.RegistrationToken, true
	if p.Reason != nil {
		p.Reason.Text = w.Reason
	}
	for i, f := range p.Addresses {
		for _, b := range w.begun {
			if string(b.Medium) == f.Medium {
				p.Addresses[i].Text = shownAddress(b.Medium, b.Address)
			}
		}
	}
}
