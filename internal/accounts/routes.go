package accounts

import (
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
)

// Routes are the endpoints of the package.
func (s *Service) Routes() []httpapi.Route {
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

		httpapi.JSON("POST /_matrix/client/v3/account/password", "changePassword", httpapi.User, httpapi.Login, s.changePassword).
			Suspended().Fails(errcode.InteractiveAuth, errcode.Forbidden, errcode.WeakPassword),
		httpapi.JSON("POST /_matrix/client/v3/account/deactivate", "deactivateAccount", httpapi.User, httpapi.Login, s.deactivateAccount).
			Suspended().Fails(errcode.InteractiveAuth, errcode.Forbidden),

		httpapi.JSON("GET /_matrix/client/v1/register/m.login.registration_token/validity", "registrationTokenValidity",
			httpapi.Anyone, httpapi.Registration, s.registrationTokenValidity).Fails(errcode.Forbidden),
	}
}
