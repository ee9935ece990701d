package ephemeral

import (
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
)

// Routes are the endpoints of the package. A suspended account may say what it has
// read, which clears its own notifications.
func (s *Service) Routes() []httpapi.Route {
	const user, cheap = httpapi.User, httpapi.Cheap
	return []httpapi.Route{
		httpapi.JSON("PUT /_matrix/client/v3/rooms/{roomId}/typing/{userId}", "setTyping", user, cheap, s.setTyping).
			Fails(errcode.Forbidden, errcode.NotJoined),
		httpapi.JSON("POST /_matrix/client/v3/rooms/{roomId}/receipt/{receiptType}/{eventId}", "postReceipt", user, cheap, s.postReceipt).
			Fails(errcode.NotJoined, errcode.NotFound).Suspended(),
		httpapi.JSON("POST /_matrix/client/v3/rooms/{roomId}/read_markers", "setReadMarker", user, cheap, s.setReadMarker).
			Fails(errcode.NotJoined, errcode.NotFound).Suspended(),
		httpapi.JSON("PUT /_matrix/client/v3/presence/{userId}/status", "setPresence", user, cheap, s.setPresence).
			Fails(errcode.Forbidden),
		httpapi.JSON("GET /_matrix/client/v3/presence/{userId}/status", "getPresence", user, cheap, s.getPresence).
			Fails(errcode.NotFound).Suspended(),
	}
}
