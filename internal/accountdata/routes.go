package accountdata

import (
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
)

// maxAccountData is the largest account data of one type, in bytes: lists of
// direct chats and of ignored users grow with the years.
const maxAccountData = 256 << 10

// Routes are the endpoints of the package. A suspended account keeps them all:
// what it stores is seen by nobody else, and its clients keep their keys' secrets
// here.
func (s *Service) Routes() []httpapi.Route {
	return []httpapi.Route{
		httpapi.JSON("PUT /_matrix/client/v3/user/{userId}/account_data/{type}", "setAccountData", httpapi.User, httpapi.Cheap, s.setAccountData).
			Suspended().Body(maxAccountData).Fails(errcode.Forbidden, errcode.ServerManaged),
		httpapi.JSON("GET /_matrix/client/v3/user/{userId}/account_data/{type}", "getAccountData", httpapi.User, httpapi.Cheap, s.getAccountData).
			Suspended().Fails(errcode.Forbidden, errcode.NotFound),
		httpapi.JSON("PUT /_matrix/client/v3/user/{userId}/rooms/{roomId}/account_data/{type}", "setAccountDataPerRoom", httpapi.User, httpapi.Cheap, s.setAccountDataPerRoom).
			Suspended().Body(maxAccountData).Fails(errcode.Forbidden, errcode.ServerManaged),
		httpapi.JSON("GET /_matrix/client/v3/user/{userId}/rooms/{roomId}/account_data/{type}", "getAccountDataPerRoom", httpapi.User, httpapi.Cheap, s.getAccountDataPerRoom).
			Suspended().Fails(errcode.Forbidden, errcode.NotFound),

		httpapi.JSON("GET /_matrix/client/v3/user/{userId}/rooms/{roomId}/tags", "getRoomTags", httpapi.User, httpapi.Cheap, s.getRoomTags).
			Suspended().Fails(errcode.Forbidden),
		httpapi.JSON("PUT /_matrix/client/v3/user/{userId}/rooms/{roomId}/tags/{tag}", "setRoomTag", httpapi.User, httpapi.Cheap, s.setRoomTag).
			Suspended().Body(maxTag).Fails(errcode.Forbidden),
		httpapi.JSON("DELETE /_matrix/client/v3/user/{userId}/rooms/{roomId}/tags/{tag}", "deleteRoomTag", httpapi.User, httpapi.Cheap, s.deleteRoomTag).
			Suspended().Fails(errcode.Forbidden),

		httpapi.JSON("POST /_matrix/client/v3/user/{userId}/filter", "defineFilter", httpapi.User, httpapi.Cheap, s.defineFilter).
			Suspended().Body(maxFilter).Fails(errcode.Forbidden),
		httpapi.JSON("GET /_matrix/client/v3/user/{userId}/filter/{filterId}", "getFilter", httpapi.User, httpapi.Cheap, s.getFilter).
			Suspended().Fails(errcode.Forbidden, errcode.NotFound),
	}
}
