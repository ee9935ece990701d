package identity

import (
	"net/url"

	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/validation"
)

// Routes are the endpoints of the package. Those of version 1 have left the
// specification, and are answered as any unknown path.
// There are none unless the configuration enables the service.
func (s *Service) Routes() []httpapi.Route {
	if !s.cfg.Identity.Enabled {
		return nil
	}
	const anyone, user, cheap, expensive, validate = httpapi.Anyone, httpapi.IdentityUser, httpapi.Cheap, httpapi.Expensive, httpapi.Validation
	routes := []httpapi.Route{
		httpapi.JSON("GET /_matrix/identity/versions", "getIdentityVersions", anyone, httpapi.Unlimited, s.getVersions),
		httpapi.JSON("GET /_matrix/identity/v2", "pingV2", anyone, httpapi.Unlimited, s.ping),

		httpapi.JSON("POST /_matrix/identity/v2/account/register", "registerAccount", anyone, httpapi.Login, s.registerAccount).
			Fails(errcode.IdentityUnauthorized, errcode.NotYours),
		httpapi.JSON("GET /_matrix/identity/v2/account", "getAccount", user, cheap, s.getAccount),
		httpapi.Raw("POST /_matrix/identity/v2/account/logout", "logoutV2", anyone, cheap, s.logout).
			Fails(errcode.IdentityUnauthorized, errcode.UnknownToken),

		httpapi.JSON("GET /_matrix/identity/v2/terms", "getTerms", anyone, cheap, s.getTerms),
		httpapi.JSON("POST /_matrix/identity/v2/terms", "agreeToTerms", user, cheap, s.agreeToTerms).BeforeAcceptance(),

		httpapi.JSON("GET /_matrix/identity/v2/pubkey/{keyId}", "getPubKeyV2", anyone, cheap, s.getPubKey).Fails(errcode.NotFound),
		httpapi.JSON("GET /_matrix/identity/v2/pubkey/isvalid", "isPubKeyValidV2", anyone, cheap, s.isPubKeyValid),
		httpapi.JSON("GET /_matrix/identity/v2/pubkey/ephemeral/isvalid", "isEphemeralPubKeyValidV2", anyone, cheap, s.isEphemeralPubKeyValid),

		httpapi.JSON("GET /_matrix/identity/v2/hash_details", "getHashDetails", user, cheap, s.getHashDetails),
		httpapi.JSON("POST /_matrix/identity/v2/lookup", "lookupUsersV2", user, expensive, s.lookup).Body(maxLookupBody).
			Fails(errcode.InvalidPepper, errcode.TooManyAddresses),

		httpapi.JSON("POST /_matrix/identity/v2/validate/email/requestToken", "emailRequestTokenV2", user, validate, s.emailRequestToken).
			Fails(errcode.InvalidEmail, errcode.EmailSendError, errcode.ThreepidMediumNotSupported),
		httpapi.JSON("POST /_matrix/identity/v2/validate/msisdn/requestToken", "msisdnRequestTokenV2", user, validate, s.msisdnRequestToken).
			Fails(errcode.InvalidAddress, errcode.SendError, errcode.DestinationRejected, errcode.ThreepidMediumNotSupported),

		httpapi.JSON("GET /_matrix/identity/v2/3pid/getValidated3pid", "getValidated3pidV2", user, cheap, s.getValidated3pid).
			Fails(errcode.NoValidSession, errcode.SessionExpired, errcode.SessionNotValidated),
		httpapi.JSON("POST /_matrix/identity/v2/3pid/bind", "bindV2", user, cheap, s.bind).
			Fails(errcode.NotYours, errcode.NoValidSession, errcode.SessionExpired, errcode.SessionNotValidated),
		httpapi.Raw("POST /_matrix/identity/v2/3pid/unbind", "unbindV2", anyone, expensive, s.unbind).
			Fails(errcode.IdentityUnauthorized, errcode.TermsNotSigned, errcode.NotJSON, errcode.BadJSON, errcode.TooLarge, errcode.MissingParams, errcode.InvalidParam,
				errcode.Forbidden, errcode.NoValidSession, errcode.SessionExpired, errcode.SessionNotValidated),

		httpapi.JSON("POST /_matrix/identity/v2/store-invite", "storeInviteV2", user, validate, s.storeInvite).
			Fails(errcode.NotYours, errcode.UnrecognizedValue, errcode.InvalidEmail, errcode.ThreepidInUse, errcode.ThreepidMediumNotSupported, errcode.EmailSendError),
		httpapi.JSON("POST /_matrix/identity/v2/sign-ed25519", "blindlySignStuffV2", user, cheap, s.sign).Fails(errcode.Unrecognized),
	}
	routes = append(routes, s.validation.SubmitRoutes(validation.SubmitURL{Path: emailSubmitPath, Auth: user,
		Post: "emailSubmitTokenPostV2", Get: "emailSubmitTokenGetV2", Purpose: validation.Identity, Medium: validation.Email})...)
	routes = append(routes, s.validation.SubmitRoutes(validation.SubmitURL{Path: phoneSubmitPath, Auth: user,
		Post: "msisdnSubmitTokenPostV2", Get: "msisdnSubmitTokenGetV2", Purpose: validation.Identity, Medium: validation.Phone})...)
	for i := range routes {
		if routes[i].Errors == httpapi.MatrixErrors {
			routes[i] = routes[i].Identity()
		}
	}
	return routes
}

// Both take a code back: by POST from a client, with its token, and by GET from a
// browser that a link was opened in, without one.
const (
	emailSubmitPath = "/_matrix/identity/v2/validate/email/submitToken"
	phoneSubmitPath = "/_matrix/identity/v2/validate/msisdn/submitToken"
)

// Addresses of this service that it gives to others.
func (s *Service) keyValidityURL() string { return s.base + "/_matrix/identity/v2/pubkey/isvalid" }

func (s *Service) ephemeralKeyValidityURL() string {
	return s.base + "/_matrix/identity/v2/pubkey/ephemeral/isvalid"
}

func (s *Service) signURL() string { return s.base + "/_matrix/identity/v2/sign-ed25519" }

// Endpoints of homeservers.
const (
	discoveryPath = "/.well-known/matrix/server"
	keysPath      = "/_matrix/key/v2/server"
	onBindPath    = "/_matrix/federation/v1/3pid/onbind"
)

func userInfoPath(token string) string {
	return "/_matrix/federation/v1/openid/userinfo?access_token=" + url.QueryEscape(token)
}
