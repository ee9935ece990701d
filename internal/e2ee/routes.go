package e2ee

import (
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
)

// maxBody is for messages to the devices of a large room, each encrypted by itself,
// for the keys of a new device, and for backing up many keys at once.
const maxBody = 2 << 20

// Routes are the endpoints of the package.
func (s *Service) Routes() []httpapi.Route {
	const user, cheap, sending = httpapi.User, httpapi.Cheap, httpapi.Sending
	return append([]httpapi.Route{
		httpapi.JSON("POST /_matrix/client/v3/keys/upload", "uploadKeys", user, cheap, s.uploadKeys).Fails(errcode.InvalidParam).Body(maxBody).Guests().Suspended(),
		httpapi.JSON("POST /_matrix/client/v3/keys/query", "queryKeys", user, cheap, s.queryKeys).Fails(errcode.InvalidParam).Body(maxBody).Guests().Suspended(),
		httpapi.JSON("POST /_matrix/client/v3/keys/claim", "claimKeys", user, cheap, s.claimKeys).Fails(errcode.InvalidParam).Body(maxBody).Guests().Suspended(),
		httpapi.JSON("GET /_matrix/client/v3/keys/changes", "getKeysChanges", user, cheap, s.getKeysChanges).Suspended(),
		httpapi.JSON("PUT /_matrix/client/v3/sendToDevice/{eventType}/{txnId}", "sendToDevice", user, sending, s.sendToDevice).Body(maxBody).Guests().Suspended(),

		httpapi.JSON("POST /_matrix/client/v3/keys/device_signing/upload", "uploadCrossSigningKeys", user, sending, s.uploadCrossSigningKeys).
			Fails(errcode.InteractiveAuth, errcode.InvalidParam, errcode.MissingParam, errcode.InvalidSignature, errcode.Forbidden).Suspended(),
		httpapi.JSON("POST /_matrix/client/v3/keys/signatures/upload", "uploadCrossSigningSignatures", user, cheap, s.uploadCrossSigningSignatures).
			Body(maxBody).Suspended(),
	}, s.backupRoutes()...)
}

func (s *Service) backupRoutes() []httpapi.Route {
	const user, cheap = httpapi.User, httpapi.Cheap
	routes := []httpapi.Route{
		httpapi.JSON("POST /_matrix/client/v3/room_keys/version", "postRoomKeysVersion", user, httpapi.Sending, s.postRoomKeysVersion),
		httpapi.JSON("GET /_matrix/client/v3/room_keys/version", "getRoomKeysVersionCurrent", user, cheap, s.getRoomKeysVersionCurrent).Fails(errcode.NotFound),
		httpapi.JSON("GET /_matrix/client/v3/room_keys/version/{version}", "getRoomKeysVersion", user, cheap, s.getRoomKeysVersion).Fails(errcode.NotFound),
		httpapi.JSON("PUT /_matrix/client/v3/room_keys/version/{version}", "putRoomKeysVersion", user, cheap, s.putRoomKeysVersion).Fails(errcode.NotFound),
		httpapi.JSON("DELETE /_matrix/client/v3/room_keys/version/{version}", "deleteRoomKeysVersion", user, cheap, s.deleteRoomKeysVersion).Fails(errcode.NotFound),

		httpapi.JSON("PUT /_matrix/client/v3/room_keys/keys", "putRoomKeys", user, cheap, s.putRoomKeys).Fails(errcode.NotFound, errcode.WrongRoomKeysVersion).Body(maxBody),
		httpapi.JSON("PUT /_matrix/client/v3/room_keys/keys/{roomId}", "putRoomKeysByRoomId", user, cheap, s.putRoomKeysByRoomID).Fails(errcode.NotFound, errcode.WrongRoomKeysVersion).Body(maxBody),
		httpapi.JSON("PUT /_matrix/client/v3/room_keys/keys/{roomId}/{sessionId}", "putRoomKeyBySessionId", user, cheap, s.putRoomKeyBySessionID).Fails(errcode.NotFound, errcode.WrongRoomKeysVersion),
		httpapi.JSON("GET /_matrix/client/v3/room_keys/keys", "getRoomKeys", user, cheap, s.getRoomKeys).Fails(errcode.NotFound),
		httpapi.JSON("GET /_matrix/client/v3/room_keys/keys/{roomId}", "getRoomKeysByRoomId", user, cheap, s.getRoomKeysByRoomID).Fails(errcode.NotFound),
		httpapi.JSON("GET /_matrix/client/v3/room_keys/keys/{roomId}/{sessionId}", "getRoomKeyBySessionId", user, cheap, s.getRoomKeyBySessionID).Fails(errcode.NotFound),
		httpapi.JSON("DELETE /_matrix/client/v3/room_keys/keys", "deleteRoomKeys", user, cheap, s.deleteRoomKeys).Fails(errcode.NotFound),
		httpapi.JSON("DELETE /_matrix/client/v3/room_keys/keys/{roomId}", "deleteRoomKeysByRoomId", user, cheap, s.deleteRoomKeysByRoomID).Fails(errcode.NotFound),
		httpapi.JSON("DELETE /_matrix/client/v3/room_keys/keys/{roomId}/{sessionId}", "deleteRoomKeyBySessionId", user, cheap, s.deleteRoomKeyBySessionID).Fails(errcode.NotFound),
	}
	for i := range routes {
		routes[i] = routes[i].Suspended()
	}
	return routes
}
