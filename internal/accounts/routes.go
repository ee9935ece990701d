package accounts

import (
	"slices"
	"strings"

	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/identityserver"
	"github.com/narthex-matrix/narthex/internal/validation"
)

// Routes are the endpoints of the package.
func (s *Service) Routes() []httpapi.Route {
	return slices.Concat(s.accountRoutes(), s.threepidRoutes(), s.submitRoutes())
}

func (s *Service) accountRoutes() []httpapi.Route {
	return []httpapi.Route{
		httpapi.JSON("GET /_matrix/client/v3/devices", "getDevices", httpapi.User, httpapi.Cheap, s.getDevices).Guests().Suspended(),
		httpapi.JSON("GET /_matrix/client/v3/devices/{deviceId}", "getDevice", httpapi.User, httpapi.Cheap, s.getDevice).
			Guests().Suspended().Fails(errcode.NotFound),
		httpapi.JSON("PUT /_matrix/client/v3/devices/{deviceId}", "updateDevice", httpapi.User, httpapi.Cheap, s.updateDevice).
			Guests().Suspended().Fails(errcode.NotFound),
		httpapi.JSON("DELETE /_matrix/client/v3/devices/{deviceId}", "deleteDevice", httpapi.User, httpapi.Sending, s.deleteDevice).
			Suspended().Fails(errcode.InteractiveAuth, errcode.Forbidden),
		httpapi.JSON("POST /_matrix/client/v3/delete_devices", "deleteDevices", httpapi.User, httpapi.Sending, s.deleteDevices).
			Suspended().Fails(errcode.InteractiveAuth, errcode.Forbidden),

		httpapi.JSON("POST /_matrix/client/v3/account/password", "changePassword", httpapi.Optional, httpapi.Login, s.changePassword).
			Suspended().Fails(errcode.MissingToken, errcode.InteractiveAuth, errcode.Forbidden, errcode.WeakPassword, errcode.ThreepidNotFound),
		httpapi.JSON("POST /_matrix/client/v3/account/deactivate", "deactivateAccount", httpapi.User, httpapi.Login, s.deactivateAccount).
			Suspended().Fails(errcode.InteractiveAuth, errcode.Forbidden),

		httpapi.JSON("GET /_matrix/client/v1/register/m.login.registration_token/validity", "registrationTokenValidity",
			httpapi.Anyone, httpapi.Registration, s.registrationTokenValidity).Fails(errcode.Forbidden),
	}
}

func (s *Service) threepidRoutes() []httpapi.Route {
	// What the six requestToken endpoints have in common.
	request := []*errcode.Code{errcode.InvalidParam, errcode.ThreepidMediumNotSupported, errcode.ServerNotTrusted, errcode.ThreepidDenied}
	return []httpapi.Route{
		httpapi.JSON("POST /_matrix/client/v3/register/email/requestToken", "requestTokenToRegisterEmail",
			httpapi.Anyone, httpapi.Validation, s.requestTokenToRegisterEmail).Fails(request...).Fails(errcode.ThreepidInUse),
		httpapi.JSON("POST /_matrix/client/v3/register/msisdn/requestToken", "requestTokenToRegisterMSISDN",
			httpapi.Anyone, httpapi.Validation, s.requestTokenToRegisterMSISDN).Fails(request...).Fails(errcode.ThreepidInUse, errcode.DestinationRejected),
		httpapi.JSON("POST /_matrix/client/v3/account/3pid/email/requestToken", "requestTokenTo3PIDEmail",
			httpapi.Optional, httpapi.Validation, s.requestTokenTo3PIDEmail).Fails(request...).Fails(errcode.ThreepidInUse),
		httpapi.JSON("POST /_matrix/client/v3/account/3pid/msisdn/requestToken", "requestTokenTo3PIDMSISDN",
			httpapi.Optional, httpapi.Validation, s.requestTokenTo3PIDMSISDN).Fails(request...).Fails(errcode.ThreepidInUse, errcode.DestinationRejected),
		httpapi.JSON("POST /_matrix/client/v3/account/password/email/requestToken", "requestTokenToResetPasswordEmail",
			httpapi.Anyone, httpapi.Validation, s.requestTokenToResetPasswordEmail).Fails(request...).Fails(errcode.ThreepidNotFound),
		httpapi.JSON("POST /_matrix/client/v3/account/password/msisdn/requestToken", "requestTokenToResetPasswordMSISDN",
			httpapi.Anyone, httpapi.Validation, s.requestTokenToResetPasswordMSISDN).Fails(request...).Fails(errcode.ThreepidNotFound, errcode.DestinationRejected),

		httpapi.JSON("GET /_matrix/client/v3/account/3pid", "getAccount3PIDs", httpapi.User, httpapi.Cheap, s.getAccount3PIDs).Suspended(),
		httpapi.JSON("POST /_matrix/client/v3/account/3pid", "post3PIDs", httpapi.User, httpapi.Login, s.post3PIDs).
			Fails(errcode.InteractiveAuth, errcode.Forbidden, errcode.MissingParam, errcode.ThreepidAuthRefused, errcode.ThreepidInUse, errcode.ThreepidDenied),
		httpapi.JSON("POST /_matrix/client/v3/account/3pid/add", "add3PID", httpapi.User, httpapi.Login, s.add3PID).
			Fails(errcode.InteractiveAuth, errcode.Forbidden, errcode.ThreepidAuthFailed, errcode.ThreepidInUse, errcode.ThreepidDenied),
		httpapi.JSON("POST /_matrix/client/v3/account/3pid/bind", "bind3PID", httpapi.User, httpapi.Sending, s.bind3PID).
			Fails(identityserver.BindFailures...),
		httpapi.JSON("POST /_matrix/client/v3/account/3pid/delete", "delete3pidFromAccount", httpapi.User, httpapi.Sending, s.delete3pidFromAccount).
			Fails(errcode.Forbidden),
		httpapi.JSON("POST /_matrix/client/v3/account/3pid/unbind", "unbind3pidFromAccount", httpapi.User, httpapi.Sending, s.unbind3pidFromAccount),
	}
}

// submitTokenPath is where clients send tokens, and where the links in mails lead.
const submitTokenPath = "/_matrix/client/unstable/io.github.narthex-matrix/threepid/{purpose}/{medium}/submitToken"

func (s *Service) submitRoutes() []httpapi.Route {
	return s.validation.SubmitRoutes(validation.SubmitURL{Path: submitTokenPath, Post: "submitToken", Get: "submitTokenByLink"})
}

// submitURL is the submit_url of a purpose and medium (TP-55).
func (s *Service) submitURL(purpose validation.Purpose, medium validation.Medium) string {
	return s.cfg.BaseURL() + strings.NewReplacer("{purpose}", string(purpose), "{medium}", string(medium)).Replace(submitTokenPath)
}
