package accounts

import (
	"context"
	"errors"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/validation"
)

type getAccount3PIDsRequest struct{}

type threepidResponse struct {
	Medium      validation.Medium `json:"medium"`
	Address     string            `json:"address"`
	ValidatedAt int64             `json:"validated_at"` // in milliseconds
	AddedAt     int64             `json:"added_at"`     // likewise
}

type getAccount3PIDsResponse struct {
	Threepids []threepidResponse `json:"threepids"`
}

func (s *Service) getAccount3PIDs(ctx context.Context, call *httpapi.Call, _ getAccount3PIDsRequest) (getAccount3PIDsResponse, error) {
	var threepids []Threepid
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) {
		threepids, err = s.Threepids(tx, call.UserID)
		return err
	})
	resp := getAccount3PIDsResponse{Threepids: make([]threepidResponse, len(threepids))}
	for i, t := range threepids {
		resp.Threepids[i] = threepidResponse{t.Medium, t.Address, t.Validated.UnixMilli(), t.Added.UnixMilli()}
	}
	return resp, err
}

type add3PIDRequest struct {
	SID          string `json:"sid" required:"true"`
	ClientSecret string `json:"client_secret" required:"true"`
	Auth         *Auth  `json:"auth"`
}

// add3PID makes a validated address one of the account's (TP-71).
func (s *Service) add3PID(ctx context.Context, call *httpapi.Call, req add3PIDRequest) (empty, error) {
	return empty{}, s.addThreepid(ctx, call, threepidCreds{SID: req.SID, ClientSecret: req.ClientSecret}, req.Auth, errcode.ThreepidAuthFailed)
}

// threepidCreds name a session of the validation of an address.
type threepidCreds struct {
	SID          string `json:"sid"`
	ClientSecret string `json:"client_secret"`
}

type post3PIDsRequest struct {
	Creds *threepidCreds `json:"three_pid_creds"`
	Older *threepidCreds `json:"threePidCreds"` // as clients from before the specification spell it
	Auth  *Auth          `json:"auth"`
}

// post3PIDs is the older way to add an address (TP-70). The specification knows no
// authentication here. There is one all the same: whoever steals an access token
// must not be able to become the account's owner, by its password being reset.
func (s *Service) post3PIDs(ctx context.Context, call *httpapi.Call, req post3PIDsRequest) (empty, error) {
	creds := req.Creds
	if creds == nil {
		creds = req.Older
	}
	if creds == nil {
		return empty{}, missing("three_pid_creds")
	}
	if creds.SID == "" || creds.ClientSecret == "" {
		return empty{}, missing("three_pid_creds.sid or three_pid_creds.client_secret")
	}
	return empty{}, s.addThreepid(ctx, call, *creds, req.Auth, errcode.ThreepidAuthRefused)
}

// addThreepid looks at the validation before it asks for the password, so that
// nobody types one in vain.
func (s *Service) addThreepid(ctx context.Context, call *httpapi.Call, creds threepidCreds, auth *Auth, failed *errcode.Code) error {
	if err := s.mayChangeThreepids(call); err != nil {
		return err
	}
	err := s.db.Read(ctx, func(tx *db.Tx) error {
		_, err := s.addition(tx, call.UserID, creds, failed)
		return err
	})
	if err != nil {
		return err
	}
	proof, err := s.Interactive(ctx, call, ByPassword(creds.SID), auth)
	if err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		if err := s.holdActive(tx, call.UserID); err != nil {
			return err
		}
		if err := s.Spend(tx, proof); err != nil {
			return err
		}
		return s.addShown(tx, call.UserID, creds, failed)
	})
}

// addShown makes the address that a session shows one of the account's, and uses the
// session up.
func (s *Service) addShown(tx *db.Tx, userID id.UserID, creds threepidCreds, failed *errcode.Code) error {
	add, err := s.addition(tx, userID, creds, failed)
	if err != nil || add.done {
		return err
	}
	if err := s.validation.Use(tx, creds.SID); err != nil {
		return err
	}
	return s.attach(tx, userID, add.Medium, add.Address, add.At)
}

// addition is an address that a user may add.
type addition struct {
	validation.Validated
	done bool // the account has it already
}

// addition finds out what a session lets a user add. Its failure has the row given;
// or it is ThreepidInUse, or ThreepidDenied.
func (s *Service) addition(tx *db.Tx, userID id.UserID, creds threepidCreds, failed *errcode.Code) (a addition, err error) {
	a.Validated, err = s.validation.Validated(tx, []validation.Purpose{validation.Add}, creds.SID, creds.ClientSecret)
	used := errors.Is(err, validation.ErrUsed)
	if err != nil && !used {
		return a, unproven(err, failed)
	}
	if a.Account != "" && a.Account != string(userID) {
		return a, unproven(validation.ErrUnknown, failed)
	}
	owner, err := ownerOf(tx, a.Medium, a.Address)
	switch {
	case errors.Is(err, db.ErrNoRow) && used:
		return a, unproven(validation.ErrUsed, failed)
	case errors.Is(err, db.ErrNoRow) && !s.admits(a.Medium, a.Address):
		return a, threepidDenied()
	case errors.Is(err, db.ErrNoRow):
		return a, nil
	case err == nil && owner != userID:
		return a, threepidInUse()
	}
	a.done = true
	return a, err
}

// unproven says why a session does not show that an address is somebody's. Other
// errors stay what they are.
func unproven(err error, code *errcode.Code) error {
	switch {
	case errors.Is(err, validation.ErrNotValidated):
		return code.New("The address has not been validated yet. Follow the link in the mail, or enter the code from the message, and try again.")
	case errors.Is(err, validation.ErrExpired):
		return code.New("The validation of the address took too long. Begin it again.")
	case errors.Is(err, validation.ErrUnknown), errors.Is(err, validation.ErrUsed):
		return code.New("This validation of an address is not known here, was for something else, or has been used already. Begin it again.")
	}
	return err
}

// mayChangeThreepids fails with Forbidden where the administrator does not allow
// changes, and in a session of OAuth 2.0, which passes no authentication here
// (client-server API, "OAuth 2.0 API").
func (s *Service) mayChangeThreepids(call *httpapi.Call) error {
	if call.ClientID != "" && s.cfg.Threepid.AllowChanges {
		return errcode.Forbidden.New("A session of OAuth 2.0 cannot change the addresses of an account. Do it on your account's page instead: %s", s.accountPage())
	}
	return s.MayChangeThreepids()
}

// MayChangeThreepids fails with Forbidden where the administrator does not let people
// change the addresses of their accounts.
func (s *Service) MayChangeThreepids() error {
	if s.cfg.Threepid.AllowChanges {
		return nil
	}
	return errcode.Forbidden.New("This server does not let people change the addresses of their account. Ask its administrator.")
}

type bind3PIDRequest struct {
	SID           string `json:"sid" required:"true"`
	ClientSecret  string `json:"client_secret" required:"true"`
	IDServer      string `json:"id_server" required:"true"`
	IDAccessToken string `json:"id_access_token" required:"true"`
}

// bind3PID has an identity server publish that an address is the user's, and
// remembers it, so that it can be taken back (TP-72). The address need not be one of
// the account's.
func (s *Service) bind3PID(ctx context.Context, call *httpapi.Call, req bind3PIDRequest) (empty, error) {
	bound, err := s.identityServers.Bind(ctx, req.IDServer, req.IDAccessToken, req.SID, req.ClientSecret, call.UserID)
	if err != nil {
		return empty{}, err
	}
	address, err := validation.ParseAddress(bound.Medium, bound.Address)
	if err != nil {
		return empty{}, errcode.Unknown.Wrap(err, "The identity server has published an address of a kind that this server does not know.")
	}
	return empty{}, s.db.Write(ctx, func(tx *db.Tx) error {
		return s.recordBinding(tx, binding{UserID: call.UserID, Medium: bound.Medium, Address: address, Server: req.IDServer})
	})
}

type delete3PIDRequest struct {
	Medium   validation.Medium `json:"medium" required:"true"`
	Address  string            `json:"address" required:"true"`
	IDServer string            `json:"id_server"`
}

type unbindResponse struct {
	Result unbindResult `json:"id_server_unbind_result"`
}

// delete3pidFromAccount takes an address from the account, and back from the identity
// servers that have published it. An address that the account does not have is no
// failure (TP-73).
func (s *Service) delete3pidFromAccount(ctx context.Context, call *httpapi.Call, req delete3PIDRequest) (unbindResponse, error) {
	if err := s.mayChangeThreepids(call); err != nil {
		return unbindResponse{}, err
	}
	return s.unbind3pid(ctx, call, call.UserID, req, func(tx *db.Tx, address string) error {
		return deleteThreepid(tx, call.UserID, req.Medium, address)
	})
}

// RemoveThreepid does the same for a page. The function, which may refuse, is called
// first, in the transaction that removes the address.
func (s *Service) RemoveThreepid(ctx context.Context, call *httpapi.Call, userID id.UserID, medium validation.Medium, address string, first func(*db.Tx) error) error {
	_, err := s.unbind3pid(ctx, call, userID, delete3PIDRequest{Medium: medium, Address: address}, func(tx *db.Tx, address string) error {
		if err := first(tx); err != nil {
			return err
		}
		return deleteThreepid(tx, userID, medium, address)
	})
	return err
}

// unbind3pidFromAccount takes an address back from identity servers, and leaves the
// account as it is (TP-74).
func (s *Service) unbind3pidFromAccount(ctx context.Context, call *httpapi.Call, req delete3PIDRequest) (unbindResponse, error) {
	return s.unbind3pid(ctx, call, call.UserID, req, func(*db.Tx, string) error { return nil })
}

// unbind3pid takes an address of a user back from identity servers, and does with it,
// in its canonical form, what else is to be done.
func (s *Service) unbind3pid(ctx context.Context, call *httpapi.Call, userID id.UserID, req delete3PIDRequest, also func(*db.Tx, string) error) (unbindResponse, error) {
	address, err := validation.ParseAddress(req.Medium, req.Address)
	if err != nil {
		return unbindResponse{Result: notUnbound}, nil // nobody has it
	}
	var leaving []binding
	err = s.db.Write(ctx, func(tx *db.Tx) (err error) {
		if err := also(tx, address); err != nil {
			return err
		}
		leaving, err = s.leave(tx, userID, req.Medium, address, req.IDServer)
		return err
	})
	if err != nil || len(leaving) == 0 {
		return unbindResponse{Result: notUnbound}, err
	}
	return unbindResponse{Result: s.takeBack(ctx, call, leaving)}, nil
}
