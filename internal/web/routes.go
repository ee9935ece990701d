package web

import (
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/page"
	"github.com/narthex-matrix/narthex/internal/upstream"
	"github.com/narthex-matrix/narthex/internal/visitor"
)

// The paths that pages send people to; templates of package page have the same.
const (
	signInPath = visitor.SignInPath
	// RegisterPath is the page on which accounts are made; it takes a registration
	// token as the parameter "token".
	RegisterPath  = "/register"
	authorizePath = "/oauth2/authorize"
	linkPath      = "/link"
	ssoPath       = "/sso"
	signedOutPath = "/signed-out"

	fallbackPath = "/_matrix/client/v3/auth/{stage}/fallback/web"

	accountPath  = visitor.Home
	sessionsPath = "/account/sessions"
	sessionPath  = "/account/session"
	passwordPath = "/account/password"
	profilePath  = "/account/profile"
	identityPath = "/account/identity"

	registerCodePath  = "/register/code"
	forgotPath        = "/forgot-password"
	forgotCodePath    = "/forgot-password/code"
	newPasswordPath   = "/forgot-password/new"
	addressesPath     = "/account/addresses"
	addressCodePath   = "/account/addresses/code"
	removeAddressPath = "/account/addresses/remove"

	deactivatePath = "/account/deactivate"
)

// Routes are the pages.
func (s *Service) Routes() []httpapi.Route {
	routes := []httpapi.Route{
		Assets(),

		httpapi.Page("GET "+signInPath, "showSignIn", httpapi.Cheap, s.showSignIn),
		httpapi.Page("POST "+signInPath, "signInBrowser", httpapi.Login, s.signIn),
		httpapi.Page("GET "+RegisterPath, "showRegister", httpapi.Cheap, s.showRegister).Fails(errcode.Forbidden),
		httpapi.Page("POST "+RegisterPath, "registerBrowser", httpapi.Registration, s.register),
		httpapi.Page("POST /logout", "signOutBrowser", httpapi.Cheap, s.signOut),
		httpapi.Page("GET "+signedOutPath, "showSignedOut", httpapi.Cheap, s.showSignedOut),

		httpapi.Page("GET /_matrix/client/v3/login/sso/redirect", "redirectToSSO", httpapi.Cheap, s.redirectToSSO).Fails(errcode.InvalidParam),
		httpapi.Page("GET /_matrix/client/v3/login/sso/redirect/{idpId}", "redirectToIdP", httpapi.Cheap, s.redirectToIdP).Fails(errcode.NotFound),
		httpapi.Page("GET "+ssoPath, "showSSO", httpapi.Cheap, s.showSSO).Fails(errcode.InvalidParam),
		httpapi.Page("POST "+ssoPath, "confirmSSO", httpapi.Cheap, s.confirmSSO).Fails(errcode.InvalidParam),

		httpapi.Page("GET "+visitor.ConfirmPath, "showConfirm", httpapi.Cheap, s.showConfirm),
		httpapi.Page("POST "+visitor.ConfirmPath, "confirmIdentity", httpapi.Login, s.confirmIdentity),

		httpapi.Page("GET "+beginPath+"{idpId}", "beginAtProvider", httpapi.Cheap, s.beginAtProvider).Fails(errcode.NotFound),
		httpapi.Page("GET "+upstream.CallbackPath+"{idpId}", "returnFromProvider", httpapi.Login, s.returnFromProvider).Fails(errcode.NotFound),
		httpapi.Form("POST "+upstream.LogoutPath+"{idpId}", "logOutByProvider", httpapi.Sending, s.logOutByProvider).Fails(errcode.InvalidRequest),
		httpapi.Page("GET "+welcomePath, "showWelcome", httpapi.Cheap, s.showWelcome),
		httpapi.Page("POST "+welcomePath, "enrolVouched", httpapi.Registration, s.enrolVouched),
		httpapi.Page("GET /sso/icon/{idpId}", "getProviderIcon", httpapi.Unlimited, s.providerIcon).Fails(errcode.NotFound),
		httpapi.Page("GET "+providersPath, "showProviders", httpapi.Cheap, s.showProviders),
		httpapi.Page("POST "+providersPath, "changeProviders", httpapi.Cheap, s.changeProviders).Fails(errcode.NotFound),

		httpapi.Page("GET "+accountPath, "showAccount", httpapi.Cheap, s.showAccount),
		httpapi.Page("GET "+sessionsPath, "showSessions", httpapi.Cheap, s.showSessions),
		httpapi.Page("GET "+sessionPath, "showSession", httpapi.Cheap, s.showSession).Fails(errcode.NotFound),
		httpapi.Page("POST "+sessionPath, "endSession", httpapi.Cheap, s.endSession),
		httpapi.Page("GET "+passwordPath, "showPassword", httpapi.Cheap, s.showPassword),
		httpapi.Page("POST "+passwordPath, "changePasswordOnPage", httpapi.Login, s.changePassword),
		httpapi.Page("GET "+profilePath, "showProfile", httpapi.Cheap, s.showProfile),
		httpapi.Page("POST "+profilePath, "changeProfile", httpapi.Cheap, s.changeProfile),
		httpapi.Page("GET "+identityPath, "showIdentity", httpapi.Cheap, s.showIdentity),
		httpapi.Page("POST "+identityPath, "allowIdentityReset", httpapi.Login, s.allowIdentityReset),
		httpapi.Page("GET "+deactivatePath, "showDeactivate", httpapi.Cheap, s.showDeactivate),
		httpapi.Page("POST "+deactivatePath, "deactivateOnPage", httpapi.Login, s.deactivate),
	}
	routes = append(routes, s.addressRoutes()...)
	routes = append(routes, s.factorRoutes()...)
	if s.cfg.OAuth.Enabled {
		routes = append(routes,
			httpapi.Page("GET "+authorizePath, "showConsent", httpapi.Cheap, s.showConsent).Fails(errcode.InvalidParam, errcode.NotFound),
			httpapi.Page("POST "+authorizePath, "answerConsent", httpapi.Cheap, s.answerConsent).Fails(errcode.InvalidParam, errcode.NotFound),
			httpapi.Page("GET "+linkPath, "showLink", httpapi.Cheap, s.showLink),
			httpapi.Page("POST "+linkPath, "answerLink", httpapi.Cheap, s.answerLink),
		)
	}
	return routes
}

// Assets is the route of the files that every page refers to.
func Assets() httpapi.Route {
	return httpapi.Page("GET "+page.AssetFolder+"{name}", "getAsset", httpapi.Unlimited, asset).Fails(errcode.NotFound)
}
