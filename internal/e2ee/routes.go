package e2ee

import (
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
)

// maxBody is for messages to the devices of a large room, each encrypted by itself,
// and for the keys of a new device.
const maxBody = 2 << 20

// Routes are the endpoints of the package.
func (s *Service) Routes() []httpapi.Route {
	const user, cheap, sending = httpapi.User, httpapi.Cheap, httpapi.Sending
	return []httpapi.Route{
		httpapi.JSON("POST /_matrix/client/v3/keys/upload", "uploadKeys", user, cheap, s.uploadKeys).Fails(errcode.InvalidParam).Body(maxBody).Guests().Suspended(),
		httpapi.JSON("POST /_matrix/client/v3/keys/query", "queryKeys", user, cheap, s.queryKeys).Fails(errcode.InvalidParam).Body(maxBody).Guests().Suspended(),
		httpapi.JSON("POST /_matrix/client/v3/keys/claim", "claimKeys", user, cheap, s.claimKeys).Fails(errcode.InvalidParam).Body(maxBody).Guests().Suspended(),
		httpapi.JSON("GET /_matrix/client/v3/keys/changes", "getKeysChanges", user, cheap, s.getKeysChanges).Suspended(),
		httpapi.JSON("PUT /_matrix/client/v3/sendToDevice/{eventType}/{txnId}", "sendToDevice", user, sending, s.sendToDevice).Body(maxBody).Guests().Suspended(),
		httpapi.JSON("GET /_matrix/client/v3/room_keys/version", "getRoomKeysVersionCurrent", user, cheap, s.getRoomKeysVersionCurrent).
			Fails(errcode.NotFound).Suspended(),
	}
}
