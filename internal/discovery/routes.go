package discovery

import (
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
)

// Routes are the endpoints of the package.
func (s *Service) Routes() []httpapi.Route {
	const anyone, user, unlimited, cheap = httpapi.Anyone, httpapi.User, httpapi.Unlimited, httpapi.Cheap
	return []httpapi.Route{
		// Whoever asks gets the same, and so the token of one who has one is not looked at.
		httpapi.JSON("GET /_matrix/client/versions", "getVersions", anyone, unlimited, s.getVersions),
		httpapi.JSON("GET /.well-known/matrix/client", "getWellknown", anyone, unlimited, s.getWellknown),
		httpapi.JSON("GET /.well-known/matrix/server", "getWellknownServer", anyone, unlimited, s.getWellknownServer).
			Fails(errcode.NotFound),
		httpapi.JSON("GET /.well-known/matrix/support", "getWellknownSupport", anyone, unlimited, s.getWellknownSupport).
			Fails(errcode.NotFound),
		httpapi.JSON("GET /_matrix/key/v2/server", "getServerKey", anyone, cheap, s.getServerKey),
		httpapi.JSON("GET /_matrix/client/v3/capabilities", "getCapabilities", user, cheap, s.getCapabilities).Guests().Suspended(),
		httpapi.JSON("GET /_matrix/client/v3/voip/turnServer", "getTurnServer", user, cheap, s.getTurnServer).Guests().Suspended(),
		httpapi.JSON("GET /_matrix/client/v3/thirdparty/protocols", "getProtocols", user, cheap, s.getProtocols).Suspended(),
	}
}
