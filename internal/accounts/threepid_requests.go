package accounts

import (
	"context"
	"errors"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/mail"
	"github.com/narthex-matrix/narthex/internal/validation"
)

// The six requestToken endpoints begin the validation of an address, each for one
// purpose and one medium (TP-49 to TP-66).

type requestEmailTokenRequest struct {
	ClientSecret string         `json:"client_secret" required:"true"`
	Email        string         `json:"email" required:"true"`
	SendAttempt  jsontext.Value `json:"send_attempt" required:"true"`
	NextLink     string         `json:"next_link"`
	IDServer     string         `json:"id_server"`
}

type requestPhoneTokenRequest struct {
	ClientSecret string         `json:"client_secret" required:"true"`
	Country      string         `json:"country" required:"true"`
	PhoneNumber  string         `json:"phone_number" required:"true"`
	SendAttempt  jsontext.Value `json:"send_attempt" required:"true"`
	NextLink     string         `json:"next_link"`
	IDServer     string         `json:"id_server"`
}

type requestTokenResponse struct {
	SID       string `json:"sid"`
	SubmitURL string `json:"submit_url"`
}

func (s *Service) requestTokenToRegisterEmail(ctx context.Context, call *httpapi.Call, req requestEmailTokenRequest) (requestTokenResponse, error) {
	return s.requestToken(ctx, call, req.wish(validation.Register))
}

func (s *Service) requestTokenToRegisterMSISDN(ctx context.Context, call *httpapi.Call, req requestPhoneTokenRequest) (requestTokenResponse, error) {
	return s.requestToken(ctx, call, req.wish(validation.Register))
}

func (s *Service) requestTokenTo3PIDEmail(ctx context.Context, call *httpapi.Call, req requestEmailTokenRequest) (requestTokenResponse, error) {
	return s.requestToken(ctx, call, req.wish(validation.Add))
}

func (s *Service) requestTokenTo3PIDMSISDN(ctx context.Context, call *httpapi.Call, req requestPhoneTokenRequest) (requestTokenResponse, error) {
	return s.requestToken(ctx, call, req.wish(validation.Add))
}

func (s *Service) requestTokenToResetPasswordEmail(ctx context.Context, call *httpapi.Call, req requestEmailTokenRequest) (requestTokenResponse, error) {
	return s.requestToken(ctx, call, req.wish(validation.Password))
}

func (s *Service) requestTokenToResetPasswordMSISDN(ctx context.Context, call *httpapi.Call, req requestPhoneTokenRequest) (requestTokenResponse, error) {
	return s.requestToken(ctx, call, req.wish(validation.Password))
}

// tokenWish is what a request for a token asks for, whatever the medium.
type tokenWish struct {
	validation.Request
	attempt  jsontext.Value
	idServer string
	discreet bool                   // whether the answer hides who has the address, as with threepid.hide_existence
	field    string                 // the parameter that has the address
	parse    func() (string, error) // gives its canonical form
}

func (r requestEmailTokenRequest) wish(purpose validation.Purpose) tokenWish {
	return tokenWish{
		Request: validation.Request{Purpose: purpose, Medium: validation.Email, ClientSecret: r.ClientSecret, NextLink: r.NextLink},
		attempt: r.SendAttempt, idServer: r.IDServer, field: "email",
		parse: func() (string, error) { return validation.ParseEmail(r.Email) },
	}
}

func (r requestPhoneTokenRequest) wish(purpose validation.Purpose) tokenWish {
	return tokenWish{
		Request: validation.Request{Purpose: purpose, Medium: validation.Phone, ClientSecret: r.ClientSecret, NextLink: r.NextLink},
		attempt: r.SendAttempt, idServer: r.IDServer, field: "phone_number",
		parse: func() (string, error) {
			number, err := validation.ParsePhone(r.Country, r.PhoneNumber)
			return number.MSISDN, err
		},
	}
}

// requestToken checks a request in the order of TP-56 to TP-65, and has the token
// sent.
func (s *Service) requestToken(ctx context.Context, call *httpapi.Call, w tokenWish) (requestTokenResponse, error) {
	if err := s.checkWish(&w); err != nil {
		return requestTokenResponse{}, err
	}
	owner, err := s.ownerOf(ctx, w.Medium, w.Address)
	if err != nil {
		return requestTokenResponse{}, err
	}
	if w.Pretend, err = pretence(w.Purpose, owner != "", w.discreet || s.cfg.Threepid.HideExistence); err != nil {
		return requestTokenResponse{}, err
	}
	w.Notice = mail.Account{UserID: string(owner)}
	if w.Account == "" {
		w.Account = string(call.UserID)
	}
	w.SubmitURL = s.submitURL(w.Purpose, w.Medium)
	sid, err := s.validation.Send(ctx, call, w.Request)
	if errors.Is(err, validation.ErrSend) {
		return requestTokenResponse{}, errcode.Unknown.Wrap(err, "The message to this address was refused on its way. Check the address, or try again later.")
	}
	return requestTokenResponse{SID: sid, SubmitURL: w.SubmitURL}, err
}

// checkWish checks what needs no look at the accounts, and fills in the address.
func (s *Service) checkWish(w *tokenWish) (err error) {
	if w.SendAttempt, err = strconv.ParseInt(string(w.attempt), 10, 64); err != nil || w.SendAttempt < 0 {
		return invalidParam("send_attempt", "It has to be a whole number that is not negative.")
	}
	if err := validation.CheckSecret(w.ClientSecret); err != nil {
		return err
	}
	if err := s.validation.CheckNextLink(w.NextLink); err != nil {
		return err
	}
	if !s.validation.Configured(w.Medium) {
		return errcode.ThreepidMediumNotSupported.New("This server cannot validate %s.", inWords(w.Medium))
	}
	if w.Address, err = w.parse(); err != nil {
		return invalidParam(w.field, err.Error())
	}
	if w.idServer != "" && !s.trusts(w.idServer) {
		return serverNotTrusted()
	}
	if !s.admits(w.Medium, w.Address) {
		return threepidDenied()
	}
	return nil
}

// trusts reports whether a client may name the identity server: this server, which
// validates addresses by itself whatever it is told, or one that is trusted.
func (s *Service) trusts(idServer string) bool {
	return idServer == string(s.server) || s.identityServers.Trusts(idServer)
}

func invalidParam(name, text string) error {
	return errcode.InvalidParam.New("%q is not valid. %s", name, text).With("param", name)
}

func serverNotTrusted() error {
	return errcode.ServerNotTrusted.New("This server does not work with that identity server. Leave out id_server.")
}

func inWords(m validation.Medium) string {
	if m == validation.Email {
		return "mail addresses"
	}
	return "phone numbers"
}

// ownerOf gives the account that has an address, or "".
func (s *Service) ownerOf(ctx context.Context, medium validation.Medium, address string) (owner id.UserID, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		owner, err = ownerOf(tx, medium, address)
		return err
	})
	if errors.Is(err, db.ErrNoRow) {
		return "", nil
	}
	return owner, err
}

// pretence says whether an address is good for the purpose: to register or add it,
// nobody may have it; to reset a password, somebody must. Where the server is not to
// tell, the answer pretends instead (TP-62 to TP-64).
func pretence(purpose validation.Purpose, used, hide bool) (validation.Pretence, error) {
	wanted := purpose == validation.Password
	switch {
	case used == wanted && hide:
		return validation.Discreet, nil
	case used == wanted:
		return validation.NoPretence, nil
	case used && hide:
		return validation.PretendUnused, nil
	case used:
		return "", threepidInUse()
	case hide:
		return validation.PretendUsed, nil
	}
	return "", threepidNotFound()
}
