package web

import (
	"context"
	"net/http"
	"strings"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/page"
	"github.com/narthex-matrix/narthex/internal/validation"
	"github.com/narthex-matrix/narthex/internal/visitor"
)

type showAddressesRequest struct {
	Done string `query:"done"`
}

func (s *Service) showAddresses(ctx context.Context, call *httpapi.Call, req showAddressesRequest) (httpapi.Reply, error) {
	v, reply, err := s.enterAccount(ctx, call, addressesPath)
	if v == nil {
		return reply, err
	}
	p, err := s.addressesPage(ctx, v)
	if err != nil {
		return httpapi.Reply{}, err
	}
	p.Done = done[req.Done]
	return v.Show(http.StatusOK, p)
}

func (s *Service) addressesPage(ctx context.Context, v *visitor.Visitor) (page.Addresses, error) {
	p := page.Addresses{Media: s.media()}
	if refused, ok := visitor.Refusal(s.mayChangeAddresses(v)); ok {
		p.Refused = refused.Text
	}
	err := s.db.Read(ctx, func(tx *db.Tx) error {
		own, err := s.accounts.Threepids(tx, v.UserID())
		p.Own = make([]page.OwnAddress, len(own))
		for i, t := range own {
			p.Own[i] = ownAddress(t)
		}
		return err
	})
	return p, err
}

func ownAddress(t accounts.Threepid) page.OwnAddress {
	return page.OwnAddress{
		Mail: t.Medium == validation.Email, Medium: string(t.Medium), Address: t.Address, Shown: shownAddress(t.Medium, t.Address), Added: t.Added,
	}
}

// mayChangeAddresses fails with Forbidden for whoever may not, by the rules of the
// endpoints that do the same.
func (s *Service) mayChangeAddresses(v *visitor.Visitor) error {
	if v.Browser.Account.Suspended {
		return errcode.Forbidden.New("Your account is suspended: its addresses cannot be changed. Ask the administrator of this server.")
	}
	return s.accounts.MayChangeThreepids()
}

type addAddressRequest struct {
	Token   string `form:"form_token"`
	Address string `form:"address"`
}

// addAddress has a message sent to an address that is to be added.
func (s *Service) addAddress(ctx context.Context, call *httpapi.Call, req addAddressRequest) (httpapi.Reply, error) {
	v, reply, err := s.enterAccount(ctx, call, addressesPath)
	if v == nil {
		return reply, err
	}
	if !v.Owns(req.Token) {
		return v.Stale(addressesPath)
	}
	var sid string
	if err = s.mayChangeAddresses(v); err == nil {
		sid, err = s.askToAdd(ctx, v, req.Address)
	}
	if err != nil {
		return s.addressesAgain(ctx, v, req.Address, err)
	}
	return v.Leave(visitor.At(addressCodePath, "sid", sid))
}

func (s *Service) askToAdd(ctx context.Context, v *visitor.Visitor, address string) (sid string, err error) {
	if strings.TrimSpace(address) == "" {
		return "", errcode.InvalidParam.New("Enter a %s.", s.media().Words())
	}
	return s.accounts.Ask(ctx, v.Call, accounts.Asking{
		Purpose: validation.Add, Address: address, ClientSecret: secretOf(v, validation.Add), Account: v.UserID(), NextPath: addressCodePath,
	})
}

// addressesAgain shows the list with what was wrong.
func (s *Service) addressesAgain(ctx context.Context, v *visitor.Visitor, typed string, wrong error) (httpapi.Reply, error) {
	problem, status, err := visitor.Problem(wrong, "address")
	if err != nil {
		return httpapi.Reply{}, err
	}
	p, err := s.addressesPage(ctx, v)
	if err != nil {
		return httpapi.Reply{}, err
	}
	if p.Address = typed; p.Refused == "" {
		p.Problem = problem
	}
	return v.Show(status, p)
}

type showAddressCodeRequest struct {
	SID string `query:"sid"`
}

// showAddressCode asks for the code, and for the proof that it is the account's owner
// who adds the address.
func (s *Service) showAddressCode(ctx context.Context, call *httpapi.Call, req showAddressCodeRequest) (httpapi.Reply, error) {
	here := visitor.At(addressCodePath, "sid", req.SID)
	v, reply, err := s.enterAccount(ctx, call, here)
	if v == nil {
		return reply, err
	}
	b, ok, err := s.lookToAdd(ctx, v, req.SID)
	switch {
	case err != nil:
		return httpapi.Reply{}, err
	case !ok:
		return elsewhere(v, addressesPath)
	case unproved(v):
		return v.Confirm(here)
	}
	return v.Show(http.StatusOK, addressCode(v, b, req.SID))
}

// lookToAdd is look for what whoever is signed in has begun.
func (s *Service) lookToAdd(ctx context.Context, v *visitor.Visitor, sid string) (validation.Begun, bool, error) {
	b, ok, err := s.look(ctx, v, validation.Add, sid)
	return b, ok && b.Account == string(v.UserID()), err
}

func addressCode(v *visitor.Visitor, b validation.Begun, sid string) page.AddressCode {
	p := page.AddressCode{Action: addressCodePath, Sent: []page.Sent{sent(b)}, SID: sid, Again: addressesPath, Button: "Add the address"}
	if asksPassword(v) {
		p.UserID = string(v.UserID())
	}
	return p
}

// takeAddressCode takes the code back, and adds the address.
func (s *Service) takeAddressCode(ctx context.Context, call *httpapi.Call, req codeForm) (httpapi.Reply, error) {
	v, reply, err := s.enterAccount(ctx, call, visitor.At(addressCodePath, "sid", req.SID))
	if v == nil {
		return reply, err
	}
	if !v.Owns(req.Token) {
		return v.Stale(visitor.At(addressCodePath, "sid", req.SID))
	}
	b, ok, err := s.lookToAdd(ctx, v, req.SID)
	switch {
	case err != nil:
		return httpapi.Reply{}, err
	case !ok:
		return elsewhere(v, addressesPath)
	case req.Again == "yes":
		sid, err := s.sendAgain(ctx, v, validation.Add, b, addressCodePath)
		if err != nil {
			return codeAgain(v, addressCode(v, b, req.SID), err, sent(b).Field())
		}
		return v.Leave(visitor.At(addressCodePath, "sid", sid))
	}
	if !b.Validated {
		if err := s.takeCode(ctx, v, validation.Add, req.SID, b.Medium, req.code(b.Medium)); err != nil {
			return codeAgain(v, addressCode(v, b, req.SID), err, sent(b).Field())
		}
		b.Validated = true
	}
	if field, err := s.addConfirmed(ctx, v, req); err != nil {
		return codeAgain(v, addressCode(v, b, req.SID), err, field)
	}
	return v.Leave(addressesPath + "?done=address")
}

// addConfirmed adds an address that is confirmed. With an error it gives the field at
// fault.
func (s *Service) addConfirmed(ctx context.Context, v *visitor.Visitor, req codeForm) (field string, err error) {
	if err := s.mayChangeAddresses(v); err != nil {
		return "", err
	}
	proved, err := s.proveNow(ctx, v, req.Password)
	if err != nil {
		return "password", err
	}
	return "", s.db.Write(ctx, func(tx *db.Tx) error {
		if err := s.hold(tx, proved); err != nil {
			return err
		}
		return s.accounts.AddThreepid(tx, proved.UserID, req.SID, secretOf(v, validation.Add))
	})
}

// codeAgain shows the page that asks for a code once more, with what was wrong.
func codeAgain(v *visitor.Visitor, p page.AddressCode, wrong error, field string) (httpapi.Reply, error) {
	problem, status, err := visitor.Problem(wrong, field)
	if err != nil {
		return httpapi.Reply{}, err
	}
	p.Problem = problem
	return v.Show(status, p)
}

type removeAddressRequest struct {
	Token    string            `form:"form_token"`
	Medium   validation.Medium `form:"medium"`
	Address  string            `form:"address"`
	Sure     string            `form:"sure"`
	Password string            `form:"password"`
}

// removeAddress asks whether to remove an address, and removes it. One that the
// account does not have is removed already.
func (s *Service) removeAddress(ctx context.Context, call *httpapi.Call, req removeAddressRequest) (httpapi.Reply, error) {
	v, reply, err := s.enterAccount(ctx, call, addressesPath)
	if v == nil {
		return reply, err
	}
	if !v.Owns(req.Token) {
		return v.Stale(addressesPath)
	}
	if err := s.mayChangeAddresses(v); err != nil {
		return s.addressesAgain(ctx, v, "", err)
	}
	if unproved(v) {
		return v.Confirm(addressesPath)
	}
	p := page.RemoveAddress{Address: ownAddress(accounts.Threepid{Medium: req.Medium, Address: req.Address})}
	if asksPassword(v) {
		p.UserID = string(v.UserID())
	}
	if req.Sure != "yes" {
		return v.Show(http.StatusOK, p)
	}
	proved, err := s.proveNow(ctx, v, req.Password)
	if err == nil {
		err = s.accounts.RemoveThreepid(ctx, call, proved.UserID, req.Medium, req.Address, func(tx *db.Tx) error { return s.hold(tx, proved) })
	}
	if err != nil {
		wrong, status, err := visitor.Problem(err, "password")
		if err != nil {
			return httpapi.Reply{}, err
		}
		p.Problem = wrong
		return v.Show(status, p)
	}
	return v.Leave(addressesPath + "?done=removed")
}
