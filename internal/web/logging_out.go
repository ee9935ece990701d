package web

import (
	"context"
	"errors"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/upstream"
)

type logOutByProviderRequest struct {
	IdpID string `path:"idpId"`
	Token string `form:"logout_token,required"`
}

type logOutByProviderResponse struct{}

// logOutByProvider ends the sessions of browsers that a provider has vouched for, and
// the login tokens on their way to apps, when the provider says that it has signed the
// person out (OpenID Connect Back-Channel Logout 1.0). Apps stay signed in, as they do
// when somebody signs out on the pages.
func (s *Service) logOutByProvider(ctx context.Context, call *httpapi.Call, req logOutByProviderRequest) (resp logOutByProviderResponse, err error) {
	l, err := s.upstream.ReadLogout(ctx, call.Now, req.IdpID, req.Token)
	if err == nil {
		err = s.db.Write(ctx, func(tx *db.Tx) error {
			userID, err := s.upstream.SpendLogout(tx, l)
			if err != nil || (l.Person != "" && userID == "") { // who has no account has no session
				return err
			}
			return s.oauth.SignOutVouched(tx, l.Provider, l.Session, userID)
		})
	}
	var f *upstream.Failure
	switch {
	case errors.Is(err, db.ErrNoRow):
		return resp, errcode.InvalidRequest.New("This server has no such identity provider.")
	case errors.Is(err, upstream.ErrLogout):
		cause := err.Error() // with what anybody may have put into the token
		call.Log.Warn("single sign-on: a logout was refused", "provider", req.IdpID, "err", cause[:min(len(cause), maxLogged)])
		return resp, errcode.InvalidRequest.New("This is no logout token for this server, or it was used before.")
	case errors.As(err, &f):
		cause := f.Error()
		if f.Cause != nil {
			cause = f.Cause.Error()
		}
		call.Log.Warn("single sign-on: a logout could not be checked", "provider", req.IdpID, "err", cause[:min(len(cause), maxLogged)])
		return resp, errcode.InvalidRequest.New("The keys of the identity provider cannot be had, and so the logout token cannot be checked. Send it again later.")
	}
	return resp, err
}
