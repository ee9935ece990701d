package moderation

import (
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
)

// Routes are the endpoints of the package.
func (s *Service) Routes() []httpapi.Route {
	const user, sending = httpapi.User, httpapi.Sending
	return []httpapi.Route{
		httpapi.JSON("POST /_matrix/client/v3/rooms/{roomId}/report", "reportRoom", user, sending, s.reportRoom).
			Also("/_matrix/client/unstable/org.matrix.msc4151/rooms/{roomId}/report"),
		httpapi.JSON("POST /_matrix/client/v3/rooms/{roomId}/report/{eventId}", "reportEvent", user, sending, s.reportEvent).
			Fails(errcode.NotFound),
		httpapi.JSON("POST /_matrix/client/v3/users/{userId}/report", "reportUser", user, sending, s.reportUser).
			Fails(errcode.NotFound).Also("/_matrix/client/unstable/org.matrix.msc4260/users/{userId}/report"),
	}
}
