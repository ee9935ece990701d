package oauth

import (
	"context"
	"errors"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/validation"
)

// The ways to sign in.
const (
	byPassword = "m.login.password"
	byToken    = "m.login.token"
	bySSO      = "m.login.sso"
)

type getLoginFlowsRequest struct{}

type getLoginFlowsResponse struct {
	Flows []loginFlow `json:"flows"`
}

type loginFlow struct {
	Type          string `json:"type"`
	GetLoginToken bool   `json:"get_login_token,omitzero"`
	// OAuthAware tells clients that know of OAuth 2.0 but not how to use it that the
	// pages are the better way. Specification: "OAuth 2.0 aware clients".
	OAuthAware         bool `json:"oauth_aware_preferred,omitzero"`
	UnstableOAuthAware bool `json:"org.matrix.msc3824.delegated_oidc_compatibility,omitzero"`
	// Providers are those of single sign-on, each with a button of its own.
	Providers []identityProvider `json:"identity_providers,omitempty"`
}

// identityProvider has no icon: that would be a file of the media repository.
type identityProvider struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Brand string `json:"brand,omitzero"`
}

func (s *Service) getLoginFlows(context.Context, *httpapi.Call, getLoginFlowsRequest) (getLoginFlowsResponse, error) {
	aware := s.cfg.OAuth.Enabled
	var providers []identityProvider
	for _, p := range s.cfg.SSO.Providers {
		providers = append(providers, identityProvider{ID: p.ID, Name: p.Name, Brand: p.Brand})
	}
	return getLoginFlowsResponse{Flows: []loginFlow{
		{Type: byPassword},
		{Type: bySSO, OAuthAware: aware, UnstableOAuthAware: aware, Providers: providers},
		{Type: byToken, GetLoginToken: true},
	}}, nil
}

type loginRequest struct {
	Type         string               `json:"type" required:"true"`
	Identifier   *accounts.Identifier `json:"identifier"`
	User         string               `json:"user"`    // before there were identifiers
	Medium       validation.Medium    `json:"medium"`  // likewise
	Address      string               `json:"address"` // likewise
	Password     *string              `json:"password"`
	Token        string               `json:"token"`
	DeviceID     string               `json:"device_id"`
	DeviceName   *string              `json:"initial_device_display_name"`
	RefreshToken bool                 `json:"refresh_token"`
}

type loginResponse struct {
	UserID     id.UserID     `json:"user_id"`
	DeviceID   id.DeviceID   `json:"device_id"`
	HomeServer id.ServerName `json:"home_server"` // deprecated; older clients need it
	tokens     `json:",inline"`
}

// login signs a user in. The order of the checks is that of MSC3866's server, A-21:
// who it is, then whether there were too many guesses, then deactivated, locked,
// device id, approval. Whoever cannot prove who they are learns none of it.
func (s *Service) login(ctx context.Context, call *httpapi.Call, req loginRequest) (loginResponse, error) {
	switch req.Type {
	case byPassword:
		return s.loginByPassword(ctx, call, req)
	case byToken:
		return s.loginByToken(ctx, call, req)
	}
	return loginResponse{}, errcode.UnrecognizedValue.New("This server does not know this way to sign in. It knows %s and %s.", byPassword, byToken)
}

// identifier is whom the request names, in whichever form.
func (r loginRequest) identifier() accounts.Identifier {
	switch {
	case r.Identifier != nil:
		return *r.Identifier
	case r.User != "":
		return accounts.Identifier{Type: "m.id.user", User: r.User}
	}
	return accounts.Identifier{Medium: r.Medium, Address: r.Address}
}

func (s *Service) loginByPassword(ctx context.Context, call *httpapi.Call, req loginRequest) (resp loginResponse, err error) {
	if req.Password == nil {
		return resp, errcode.MissingParam.New("%q is missing.", "password").With("param", "password")
	}
	checked, err := s.accounts.CheckPassword(ctx, req.identifier(), *req.Password)
	if err != nil {
		return resp, err
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		account, err := s.accounts.Hold(tx, checked.UserID)
		if errors.Is(err, db.ErrNoRow) || (err == nil && account.PasswordHash != checked.PasswordHash) {
			// It was changed, or the account denied, since the password was checked.
			return errcode.Forbidden.New("The username or the password is wrong.")
		}
		if err != nil {
			return err
		}
		if !account.Locked && s.accounts.TakesTwoSteps(account) {
			// Only whoever knows the password hears of it.
			return errcode.Forbidden.New("This account takes a second step to sign in, which this app has no room for. Choose to sign in through the browser in the app, or open %s.", s.cfg.AccountURL())
		}
		resp, err = s.admit(tx, call, account, req)
		return err
	})
	return resp, err
}

// admit begins a session for an account whose owner has proved who they are, or
// says why not.
func (s *Service) admit(tx *db.Tx, call *httpapi.Call, account accounts.Account, req loginRequest) (loginResponse, error) {
	switch {
	case account.Deactivated:
		return loginResponse{}, errcode.UserDeactivated.New("This account has been deactivated.")
	case account.Locked:
		return loginResponse{}, userLocked()
	}
	deviceID, err := deviceIDFrom(req.DeviceID)
	if err != nil {
		return loginResponse{}, err
	}
	if s.isAwaiting(account) {
		medium, err := s.accounts.NoticeMedium(tx, account.UserID)
		if err != nil {
			return loginResponse{}, err
		}
		return loginResponse{}, errcode.UserAwaitingApproval.New("This account is still waiting for the approval of an administrator. Try again later.").
			With("approval_notice_medium", medium)
	}
	t, err := s.signIn(tx, account.UserID, deviceID, req.DeviceName, req.RefreshToken)
	if err != nil {
		return loginResponse{}, err
	}
	name := ""
	if req.DeviceName != nil {
		name = *req.DeviceName
	}
	err = s.announce(tx, call, account.UserID, name)
	return loginResponse{UserID: account.UserID, DeviceID: deviceID, HomeServer: s.server, tokens: t}, err
}

// isAwaiting reports whether approval keeps the account from signing in.
func (s *Service) isAwaiting(a accounts.Account) bool {
	return a.Pending() && s.accounts.ApprovalRequired()
}
