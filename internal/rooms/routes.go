package rooms

import (
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
)

// Routes are the endpoints of the package.
func (s *Service) Routes() []httpapi.Route {
	const user, cheap, sending = httpapi.User, httpapi.Cheap, httpapi.Sending
	member := []*errcode.Code{errcode.NotJoined, errcode.InsufficientPower, errcode.Forbidden}
	return []httpapi.Route{
		httpapi.JSON("POST /_matrix/client/v3/createRoom", "createRoom", user, sending, s.createRoom).
			Fails(errcode.Forbidden, errcode.RoomInUse, errcode.InvalidRoomState, errcode.UnsupportedRoomVersion,
				errcode.MissingParam, errcode.ThreepidMediumNotSupported, errcode.ServerNotTrusted),
		httpapi.JSON("POST /_matrix/client/v3/rooms/{roomId}/upgrade", "upgradeRoom", user, sending, s.upgradeRoom).
			Fails(errcode.NotJoined, errcode.InsufficientPower, errcode.UnsupportedRoomVersion),
		httpapi.JSON("POST /_matrix/client/v3/rooms/{roomId}/invite", "inviteUser", user, sending, s.inviteUser).
			Fails(member...).Fails(errcode.AlreadyJoined, errcode.InviteBlocked, errcode.NotFound, errcode.MissingParam).
			Fails(errcode.ThreepidMediumNotSupported, errcode.ServerNotTrusted, errcode.IdentityUnauthorized, errcode.TermsNotSigned,
				errcode.ThreepidInUse, errcode.InvalidEmail, errcode.EmailSendError),
		httpapi.JSON("POST /_matrix/client/v3/rooms/{roomId}/kick", "kick", user, sending, s.kick).Fails(member...),
		httpapi.JSON("POST /_matrix/client/v3/rooms/{roomId}/ban", "ban", user, sending, s.ban).
			Fails(errcode.NotJoined, errcode.InsufficientPower),
		httpapi.JSON("POST /_matrix/client/v3/rooms/{roomId}/unban", "unban", user, sending, s.unban).
			Fails(errcode.NotJoined, errcode.InsufficientPower, errcode.BadState),
		httpapi.JSON("POST /_matrix/client/v3/rooms/{roomId}/leave", "leaveRoom", user, sending, s.leaveRoom).
			Fails(errcode.NotJoined, errcode.CannotLeaveServerNoticeRoom).Guests().Suspended(),
		httpapi.JSON("POST /_matrix/client/v3/rooms/{roomId}/forget", "forgetRoom", user, sending, s.forgetRoom).
			Fails(errcode.NotJoined, errcode.NotForgettable).Suspended(),
		httpapi.JSON("POST /_matrix/client/v3/join/{roomIdOrAlias}", "joinRoom", user, sending, s.joinRoom).
			Fails(errcode.MissingParam, errcode.NotFound, errcode.Forbidden, errcode.IncompatibleRoomVersion, errcode.GuestAccessForbidden).Guests(),
		httpapi.JSON("POST /_matrix/client/v3/rooms/{roomId}/join", "joinRoomById", user, sending, s.joinRoomByID).
			Fails(errcode.MissingParam, errcode.NotFound, errcode.Forbidden, errcode.IncompatibleRoomVersion, errcode.GuestAccessForbidden).Guests(),
		httpapi.JSON("POST /_matrix/client/v3/knock/{roomIdOrAlias}", "knockRoom", user, sending, s.knockRoom).
			Fails(errcode.NotFound, errcode.Forbidden, errcode.IncompatibleRoomVersion, errcode.AlreadyJoined),
		httpapi.JSON("PUT /_matrix/federation/v1/3pid/onbind", "onBindThirdPartyIdentifier", httpapi.Anyone, cheap, s.tellOfBinding).
			Body(maxNotice),

		httpapi.JSON("PUT /_matrix/client/v3/rooms/{roomId}/send/{eventType}/{txnId}", "sendMessage", user, sending, s.sendMessage).
			Fails(member...).Fails(errcode.DuplicateAnnotation, errcode.NotFound, errcode.MissingParam).Guests(),
		httpapi.JSON("PUT /_matrix/client/v3/rooms/{roomId}/redact/{eventId}/{txnId}", "redactEvent", user, sending, s.redactEvent).
			Fails(errcode.NotJoined, errcode.InsufficientPower, errcode.NotFound, errcode.UserSuspended).Suspended(),
		httpapi.JSON("PUT /_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey}", "setRoomStateWithKey", user, sending, s.setRoomStateWithKey).
			Fails(member...).Fails(errcode.CannotLeaveServerNoticeRoom, errcode.AlreadyJoined, errcode.NotFound, errcode.InviteBlocked, errcode.IncompatibleRoomVersion, errcode.GuestAccessForbidden).Guests(),
		httpapi.JSON("PUT /_matrix/client/v3/rooms/{roomId}/state/{eventType}", "setRoomState", user, sending, s.setRoomState).
			Fails(member...).Fails(errcode.BadAlias).Also("/_matrix/client/v3/rooms/{roomId}/state/{eventType}/{$}", "/_matrix/client/r0/rooms/{roomId}/state/{eventType}/{$}").Guests(),

		httpapi.JSON("GET /_matrix/client/v3/rooms/{roomId}/state", "getRoomState", user, cheap, s.getRoomState).
			Fails(errcode.NotJoined).Guests().Suspended(),
		httpapi.JSON("GET /_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey}", "getRoomStateWithKey", user, cheap, s.getRoomStateWithKey).
			Fails(errcode.NotJoined, errcode.NotFound).Guests().Suspended(),
		httpapi.JSON("GET /_matrix/client/v3/rooms/{roomId}/state/{eventType}", "getRoomStateByType", user, cheap, s.getRoomStateByType).
			Fails(errcode.NotJoined, errcode.NotFound).Also("/_matrix/client/v3/rooms/{roomId}/state/{eventType}/{$}", "/_matrix/client/r0/rooms/{roomId}/state/{eventType}/{$}").Guests().Suspended(),
		httpapi.JSON("GET /_matrix/client/v3/rooms/{roomId}/members", "getMembersByRoom", user, cheap, s.getMembersByRoom).
			Fails(errcode.NotJoined).Guests().Suspended(),
		httpapi.JSON("GET /_matrix/client/v3/rooms/{roomId}/joined_members", "getJoinedMembersByRoom", user, cheap, s.getJoinedMembersByRoom).
			Fails(errcode.NotJoined).Suspended(),
		httpapi.JSON("GET /_matrix/client/v3/joined_rooms", "getJoinedRooms", user, cheap, s.getJoinedRooms).Suspended(),

		httpapi.JSON("GET /_matrix/client/v3/directory/room/{roomAlias}", "getRoomIdByAlias", httpapi.Anyone, cheap, s.getRoomIDByAlias).
			Fails(errcode.NotFound),
		httpapi.JSON("PUT /_matrix/client/v3/directory/room/{roomAlias}", "setRoomAlias", user, sending, s.setRoomAlias).
			Fails(errcode.NotJoined, errcode.AliasInUse),
		httpapi.JSON("DELETE /_matrix/client/v3/directory/room/{roomAlias}", "deleteRoomAlias", user, sending, s.deleteRoomAlias).
			Fails(errcode.NotFound, errcode.NotJoined, errcode.InsufficientPower),
		httpapi.JSON("GET /_matrix/client/v3/rooms/{roomId}/aliases", "getLocalAliases", user, cheap, s.getLocalAliases).
			Fails(errcode.NotJoined).Suspended(),
	}
}
