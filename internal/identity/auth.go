package identity

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/secret"
)

// Authenticate says whose access token it is, and whether there are terms that the
// user has not accepted. It fails with IdentityUnauthorized.
func (s *Service) Authenticate(ctx context.Context, token string, _ *httpapi.Call) (who httpapi.Identity, err error) {
	if !secret.Plausible(secret.IdentityToken, token) {
		return who, unknownToken(nil)
	}
	err = s.db.Read(ctx, func(tx *db.Tx) (err error) {
		if who.UserID, err = tokenOwner(tx, token); err != nil {
			return err
		}
		who.TermsDue, err = s.termsDue(tx, who.UserID)
		return err
	})
	if errors.Is(err, db.ErrNoRow) {
		return who, unknownToken(err)
	}
	return who, err
}

func unknownToken(cause error) error {
	return errcode.IdentityUnauthorized.Wrap(cause, "The access token is not one of this identity service, or has run out. Register again.")
}

type registerAccountRequest struct {
	AccessToken string        `json:"access_token" required:"true"`
	Server      id.ServerName `json:"matrix_server_name" required:"true"`
}

type registerAccountResponse struct {
	Token string `json:"token"`
	// AccessToken is the same, under the name of an early draft that some clients
	// read.
	AccessToken string `json:"access_token"`
}

// registerAccount gives a token to whoever shows an OpenID token of their
// homeserver.
func (s *Service) registerAccount(ctx context.Context, _ *httpapi.Call, req registerAccountRequest) (resp registerAccountResponse, err error) {
	if allowed := s.cfg.Identity.AllowedServers; len(allowed) > 0 && !slices.Contains(allowed, string(req.Server)) {
		return resp, errcode.NotYours.New("This identity service is for users of other homeservers.")
	}
	user, err := s.openIDUser(ctx, req.Server, req.AccessToken)
	if err != nil {
		return resp, err
	}
	token := secret.New(secret.IdentityToken)
	err = s.db.Write(ctx, func(tx *db.Tx) error { return insertToken(tx, token, user) })
	return registerAccountResponse{Token: token, AccessToken: token}, err
}

// openIDUser asks a homeserver whose OpenID token it is. A homeserver vouches for
// its own users only.
func (s *Service) openIDUser(ctx context.Context, server id.ServerName, token string) (user id.UserID, err error) {
	if s.isHome(server) {
		user, err = s.home.OpenIDUser(ctx, token)
	} else {
		user, err = s.remote.openIDUser(ctx, server, token)
	}
	switch {
	case errors.Is(err, errcode.UnknownToken) || errors.Is(err, errRefused):
		return "", errcode.IdentityUnauthorized.Wrap(err, "The homeserver does not know the OpenID token. Ask it for another one.")
	case err != nil:
		return "", errcode.Unknown.Wrap(err, "Your homeserver could not be asked who you are. Try again later.")
	case user.ServerName() != server:
		return "", errcode.IdentityUnauthorized.New("The homeserver says that the OpenID token is of a user of another homeserver.")
	}
	return user, nil
}

type getAccountResponse struct {
	UserID id.UserID `json:"user_id"`
}

func (s *Service) getAccount(_ context.Context, call *httpapi.Call, _ noRequest) (getAccountResponse, error) {
	return getAccountResponse{call.UserID}, nil
}

// logout checks the token itself, because a token that is not known has another
// errcode here than everywhere else. A body means nothing.
func (s *Service) logout(ctx context.Context, _ *httpapi.Call, r *http.Request) (httpapi.Reply, error) {
	token, err := httpapi.AccessToken(r)
	if err != nil {
		return httpapi.Reply{}, err
	}
	if token == "" {
		return httpapi.Reply{}, errcode.IdentityUnauthorized.New("There is no access token to sign out.")
	}
	removed := false
	err = s.db.Write(ctx, func(tx *db.Tx) (err error) {
		removed, err = removeToken(tx, token)
		return err
	})
	if err == nil && !removed {
		err = errcode.UnknownToken.New("This access token is signed out already.")
	}
	return httpapi.JSONReply([]byte("{}")), err
}
