package web

import (
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/visitor"
)

const (
	signInPasskeyPath = "/login/passkey"
	secondPasskeyPath = "/login/second/passkey"
	setUpPath         = "/login/set-up"
	setUpPasskeyPath  = "/login/set-up/passkey"
	confirmPasskey    = "/confirm/passkey"

	securityPath = "/account/security"
	passkeysPath = "/account/security/passkeys"
	passkeyPath  = "/account/security/passkey"
	codesPath    = "/account/security/codes"
	recoveryPath = "/account/security/recovery"
)

// factorRoutes are the pages of passkeys, codes and the second step.
func (s *Service) factorRoutes() []httpapi.Route {
	return []httpapi.Route{
		httpapi.Page("POST "+signInPasskeyPath, "signInByPasskey", httpapi.Login, s.signInByPasskey).Fails(errcode.NotFound),
		httpapi.Page("GET "+visitor.SecondStepPath, "showSecondStep", httpapi.Cheap, s.showSecondStep),
		httpapi.Page("POST "+visitor.SecondStepPath, "takeSecondStep", httpapi.Login, s.takeSecondStep),
		httpapi.Page("POST "+secondPasskeyPath, "takeSecondStepByPasskey", httpapi.Login, s.takeSecondStepByPasskey).Fails(errcode.NotFound),
		httpapi.Page("POST "+setUpPath, "setUpFactor", httpapi.Login, s.setUp),
		httpapi.Page("POST "+setUpPasskeyPath, "setUpFactorByPasskey", httpapi.Login, s.setUpByPasskey).Fails(errcode.NotFound),
		httpapi.Page("POST "+confirmPasskey, "confirmByPasskey", httpapi.Login, s.confirmByPasskey).Fails(errcode.NotFound),

		httpapi.Page("GET "+fallbackPath, "showFallback", httpapi.Cheap, s.showFallback).Fails(errcode.NotFound),
		httpapi.Page("POST "+fallbackPath, "passFallback", httpapi.Cheap, s.passFallback).Fails(errcode.NotFound),
		httpapi.Page("GET "+securityPath, "showSecurity", httpapi.Cheap, s.showSecurity),
		httpapi.Page("POST "+passkeysPath, "addPasskey", httpapi.Cheap, s.addPasskey).Fails(errcode.NotFound),
		httpapi.Page("GET "+passkeyPath, "showPasskey", httpapi.Cheap, s.showPasskey).Fails(errcode.NotFound),
		httpapi.Page("POST "+passkeyPath, "changePasskey", httpapi.Cheap, s.changePasskey).Fails(errcode.NotFound),
		httpapi.Page("GET "+codesPath, "showCodes", httpapi.Cheap, s.showCodes),
		httpapi.Page("POST "+codesPath, "changeCodes", httpapi.Cheap, s.changeCodes),
		httpapi.Page("POST "+recoveryPath, "renewRecovery", httpapi.Cheap, s.renewRecovery),
	}
}
