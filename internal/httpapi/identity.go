package httpapi

import (
	"net/http"
	"slices"

	"github.com/narthex-matrix/narthex/internal/errcode"
)

// Identity gives a route the errors of the identity service, which differ from the
// client-server API's in two ways: a missing parameter is MissingParams, and one of
// another JSON type is InvalidParam, as if its value were wrong.
func (r Route) Identity() Route {
	r.Errors = IdentityErrors
	return r
}

// BeforeAcceptance admits users of the identity service who have not accepted its
// terms: for accepting them, and for signing out.
func (r Route) BeforeAcceptance() Route {
	r.BeforeTerms = true
	return r
}

// identityError spells an error as the identity service does.
func identityError(e *errcode.Error) *errcode.Error {
	member := slices.ContainsFunc(e.Extra, func(m errcode.Member) bool { return m.Name == "param" })
	code := e.Code
	switch {
	case code == errcode.MissingParam:
		code = errcode.MissingParams
	case code == errcode.BadJSON && member:
		code = errcode.InvalidParam
	default:
		return e
	}
	spelled := *e
	spelled.Code = code
	return &spelled
}

// asIdentity is identityError for the codes that a route implies.
func asIdentity(codes []*errcode.Code) []*errcode.Code {
	if i := slices.Index(codes, errcode.MissingParam); i >= 0 {
		codes[i] = errcode.MissingParams
	}
	return codes
}

func (s *Server) authenticateIdentity(r *http.Request, route *Route, call *Call) error {
	token, err := AccessToken(r)
	if err != nil || token == "" {
		return errcode.IdentityUnauthorized.Wrap(err, "This needs an access token of the identity service, as \"Authorization: Bearer\" and the token. Register first.")
	}
	if call.Identity, err = s.AuthenticateIdentity(r.Context(), token, call); err != nil {
		return err
	}
	if call.TermsDue && !route.BeforeTerms {
		return errcode.TermsNotSigned.New("There are terms of this identity service that you have to accept first.")
	}
	return nil
}
