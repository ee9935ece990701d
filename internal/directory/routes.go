package directory

import (
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
)

// Routes are the endpoints of the package.
func (s *Service) Routes() []httpapi.Route {
	const anyone, user, cheap, expensive = httpapi.Anyone, httpapi.User, httpapi.Cheap, httpapi.Expensive
	return []httpapi.Route{
		httpapi.JSON("GET /_matrix/client/v3/publicRooms", "getPublicRooms", anyone, cheap, s.getPublicRooms).
			Fails(errcode.NotFound),
		httpapi.JSON("POST /_matrix/client/v3/publicRooms", "queryPublicRooms", user, expensive, s.queryPublicRooms).
			Fails(errcode.NotFound).Suspended(),
		httpapi.JSON("GET /_matrix/client/v3/directory/list/room/{roomId}", "getRoomVisibilityOnDirectory", anyone, cheap, s.getRoomVisibilityOnDirectory).
			Fails(errcode.NotFound),
		httpapi.JSON("PUT /_matrix/client/v3/directory/list/room/{roomId}", "setRoomVisibilityOnDirectory", user, cheap, s.setRoomVisibilityOnDirectory).
			Fails(errcode.NotJoined, errcode.InsufficientPower, errcode.Forbidden),
		httpapi.JSON("GET /_matrix/client/v1/room_summary/{roomIdOrAlias}", "getRoomSummary", httpapi.Optional, cheap, s.getRoomSummary).
			Fails(errcode.NotFound).Guests().Suspended().
			Also("/_matrix/client/unstable/im.nheko.summary/summary/{roomIdOrAlias}", "/_matrix/client/unstable/im.nheko.summary/rooms/{roomIdOrAlias}/summary"),
		httpapi.JSON("GET /_matrix/client/v1/rooms/{roomId}/hierarchy", "getSpaceHierarchy", user, expensive, s.getSpaceHierarchy).
			Fails(errcode.NotJoined).Suspended().
			Also("/_matrix/client/unstable/org.matrix.msc2946/rooms/{roomId}/hierarchy"),
		httpapi.JSON("POST /_matrix/client/v3/user_directory/search", "searchUserDirectory", user, expensive, s.searchUserDirectory).
			Fails(errcode.InvalidParam).Suspended(),
	}
}
