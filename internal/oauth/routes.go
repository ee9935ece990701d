package oauth

import (
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
)

// Routes are the endpoints of the package.
func (s *Service) Routes() []httpapi.Route {
	routes := s.legacyRoutes()
	if s.cfg.OAuth.Enabled {
		routes = append(routes, s.oauthRoutes()...)
	}
	return routes
}

func (s *Service) oauthRoutes() []httpapi.Route {
	return []httpapi.Route{
		httpapi.JSON("GET /_matrix/client/v1/auth_metadata", "getAuthMetadata", httpapi.Anyone, httpapi.Unlimited, s.getAuthMetadata).
			Also("/_matrix/client/unstable/org.matrix.msc2965/auth_metadata", "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"),
		httpapi.JSON("GET /_matrix/client/v1/auth_issuer", "getAuthIssuer", httpapi.Anyone, httpapi.Unlimited, s.getAuthIssuer).
			Also("/_matrix/client/unstable/org.matrix.msc2965/auth_issuer"),
		httpapi.JSON("POST /oauth2/register", "registerClient", httpapi.Anyone, httpapi.Registration, s.registerClient).
			OAuth("invalid_client_metadata").Body(maxClientMetadata).Fails(errcode.InvalidClientMetadata, errcode.InvalidRedirectURI),
		httpapi.Form("POST /oauth2/device", "authorizeDevice", httpapi.Login, s.authorizeDevice).
			Fails(errcode.InvalidClient, errcode.UnauthorizedClient, errcode.InvalidScope),
		httpapi.Form("POST /oauth2/token", "token", httpapi.Cheap, s.token).
			Fails(errcode.InvalidRequest, errcode.InvalidClient, errcode.UnauthorizedClient, errcode.UnsupportedGrantType, errcode.InvalidGrant,
				errcode.AuthorizationPending, errcode.SlowDown, errcode.AccessDenied, errcode.ExpiredDeviceCode),
		httpapi.Form("POST /oauth2/revoke", "revoke", httpapi.Cheap, s.revoke),
		httpapi.Form("POST /oauth2/introspect", "introspect", httpapi.Cheap, s.introspect).Fails(errcode.InvalidClient),
	}
}

func (s *Service) legacyRoutes() []httpapi.Route {
	return []httpapi.Route{
		httpapi.JSON("POST /_matrix/client/v3/register", "register", httpapi.Anyone, httpapi.Registration, s.register).
			Fails(errcode.Forbidden, errcode.InteractiveAuth, errcode.UserInUse, errcode.InvalidUsername, errcode.WeakPassword,
				errcode.MissingParam, errcode.UserAwaitingApproval, errcode.ThreepidInUse, errcode.ThreepidDenied),
		httpapi.JSON("GET /_matrix/client/v3/register/available", "checkUsernameAvailability", httpapi.Anyone, httpapi.Login, s.checkUsernameAvailability).
			Fails(errcode.Forbidden, errcode.UserInUse, errcode.InvalidUsername),
		httpapi.JSON("GET /_synapse/admin/v1/register", "getRegistrationNonce", httpapi.Anyone, httpapi.Registration, s.getRegistrationNonce).
			Fails(errcode.Unrecognized),
		httpapi.JSON("POST /_synapse/admin/v1/register", "registerBySecret", httpapi.Anyone, httpapi.Registration, s.registerBySecret).
			Fails(errcode.Unrecognized, errcode.Forbidden, errcode.UserInUse, errcode.InvalidUsername, errcode.WeakPassword),

		httpapi.JSON("GET /_matrix/client/v3/login", "getLoginFlows", httpapi.Anyone, httpapi.Cheap, s.getLoginFlows),
		httpapi.JSON("POST /_matrix/client/v3/login", "login", httpapi.Anyone, httpapi.Login, s.login).
			Fails(errcode.Forbidden, errcode.UnrecognizedValue, errcode.UserDeactivated, errcode.UserLocked, errcode.UserAwaitingApproval),
		httpapi.JSON("POST /_matrix/client/v1/login/get_token", "generateLoginToken", httpapi.User, httpapi.Login, s.generateLoginToken).
			Suspended().Fails(errcode.InteractiveAuth, errcode.Forbidden),
		httpapi.JSON("POST /_matrix/client/v3/refresh", "refresh", httpapi.Anyone, httpapi.Cheap, s.refresh).
			Also("/_matrix/client/v1/refresh").Fails(errcode.UnknownToken, errcode.UserLocked),
		httpapi.JSON("POST /_matrix/client/v3/logout", "logout", httpapi.User, httpapi.Cheap, s.logout).Guests().Suspended().Locked(),
		httpapi.JSON("POST /_matrix/client/v3/logout/all", "logout_all", httpapi.User, httpapi.Cheap, s.logoutAll).Guests().Suspended().Locked(),

		httpapi.JSON("GET /_matrix/client/v3/account/whoami", "getTokenOwner", httpapi.User, httpapi.Cheap, s.getTokenOwner).Guests().Suspended(),
		httpapi.JSON("POST /_matrix/client/v3/user/{userId}/openid/request_token", "requestOpenIdToken", httpapi.User, httpapi.Cheap, s.requestOpenIDToken).
			Fails(errcode.Forbidden),
		httpapi.JSON("GET /_matrix/federation/v1/openid/userinfo", "exchangeOpenIdToken", httpapi.Anyone, httpapi.Cheap, s.exchangeOpenIDToken).
			Fails(errcode.UnknownToken),
	}
}
