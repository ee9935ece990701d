package profile

import (
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
)

// Routes are the endpoints of the package.
func (s *Service) Routes() []httpapi.Route {
	const anyone, user, cheap, sending = httpapi.Anyone, httpapi.User, httpapi.Cheap, httpapi.Sending
	own := []*errcode.Code{errcode.Forbidden, errcode.GuestAccessForbidden, errcode.KeyTooLarge}
	return []httpapi.Route{
		httpapi.JSON("GET /_matrix/client/v3/profile/{userId}", "getUserProfile", anyone, cheap, s.getUserProfile).
			Fails(errcode.NotFound),
		httpapi.JSON("GET /_matrix/client/v3/profile/{userId}/{keyName}", "getProfileField", anyone, cheap, s.getProfileField).
			Fails(errcode.NotFound).Also("/_matrix/client/unstable/uk.tcpip.msc4133/profile/{userId}/{keyName}"),
		httpapi.JSON("PUT /_matrix/client/v3/profile/{userId}/{keyName}", "setProfileField", user, sending, s.setProfileField).
			Fails(own...).Fails(errcode.MissingParam, errcode.ProfileTooLarge).Guests().Also("/_matrix/client/unstable/uk.tcpip.msc4133/profile/{userId}/{keyName}"),
		httpapi.JSON("DELETE /_matrix/client/v3/profile/{userId}/{keyName}", "deleteProfileField", user, sending, s.deleteProfileField).
			Fails(own...).Guests().Also("/_matrix/client/unstable/uk.tcpip.msc4133/profile/{userId}/{keyName}"),
	}
}
