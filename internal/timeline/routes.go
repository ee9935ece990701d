package timeline

import (
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
)

// Routes are the endpoints of the package.
func (s *Service) Routes() []httpapi.Route {
	const user, cheap, expensive = httpapi.User, httpapi.Cheap, httpapi.Expensive
	return []httpapi.Route{
		httpapi.JSON("GET /_matrix/client/v3/rooms/{roomId}/messages", "getRoomEvents", user, cheap, s.getRoomEvents).
			Fails(errcode.NotJoined).Guests().Suspended(),
		httpapi.JSON("GET /_matrix/client/v3/rooms/{roomId}/context/{eventId}", "getEventContext", user, cheap, s.getEventContext).
			Fails(errcode.NotJoined, errcode.NotFound).Guests().Suspended(),
		httpapi.JSON("GET /_matrix/client/v3/rooms/{roomId}/event/{eventId}", "getOneRoomEvent", user, cheap, s.getOneRoomEvent).
			Fails(errcode.NotFound).Guests().Suspended(),
		httpapi.JSON("GET /_matrix/client/v1/rooms/{roomId}/timestamp_to_event", "getEventByTimestamp", user, cheap, s.getEventByTimestamp).
			Fails(errcode.NotJoined, errcode.NotFound).Suspended(),
		httpapi.JSON("GET /_matrix/client/v1/rooms/{roomId}/threads", "getThreadRoots", user, expensive, s.getThreadRoots).
			Fails(errcode.NotJoined).Suspended(),

		httpapi.JSON("GET /_matrix/client/v1/rooms/{roomId}/relations/{eventId}", "getRelatingEvents", user, cheap, s.getRelatingEvents).
			Fails(errcode.NotFound).Suspended(),
		httpapi.JSON("GET /_matrix/client/v1/rooms/{roomId}/relations/{eventId}/{relType}", "getRelatingEventsWithRelType", user, cheap, s.getRelatingEventsWithRelType).
			Fails(errcode.NotFound).Suspended(),
		httpapi.JSON("GET /_matrix/client/v1/rooms/{roomId}/relations/{eventId}/{relType}/{eventType}", "getRelatingEventsWithRelTypeAndEventType", user, cheap, s.getRelatingEventsWithRelTypeAndEventType).
			Fails(errcode.NotFound).Suspended(),
	}
}
