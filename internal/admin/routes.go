package admin

import (
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
)

// Routes are the endpoints of the package.
func (s *Service) Routes() []httpapi.Route {
	const admin, cheap = httpapi.Admin, httpapi.Cheap
	notFound := errcode.NotFound
	return []httpapi.Route{
		httpapi.JSON("GET /_matrix/client/v3/admin/whois/{userId}", "getWhoIs", httpapi.User, cheap, s.getWhoIs).
			Also("/_synapse/admin/v1/whois/{userId}").Fails(errcode.Forbidden, notFound),
		httpapi.JSON("GET /_matrix/client/v1/admin/suspend/{userId}", "getAdminSuspendUser", admin, cheap, s.getAdminSuspendUser).Fails(notFound),
		httpapi.JSON("PUT /_matrix/client/v1/admin/suspend/{userId}", "setAdminSuspendUser", admin, cheap, s.setAdminSuspendUser).Fails(notFound),
		httpapi.JSON("GET /_matrix/client/v1/admin/lock/{userId}", "getAdminLockUser", admin, cheap, s.getAdminLockUser).Fails(notFound),
		httpapi.JSON("PUT /_matrix/client/v1/admin/lock/{userId}", "setAdminLockUser", admin, cheap, s.setAdminLockUser).Fails(notFound),

		httpapi.JSON("GET /_narthex/admin/v1/registrations", "listRegistrations", admin, cheap, s.listRegistrations),
		httpapi.JSON("POST /_narthex/admin/v1/registrations/{userId}/approve", "approveRegistration", admin, cheap, s.approveRegistration).Fails(notFound),
		httpapi.JSON("POST /_narthex/admin/v1/registrations/{userId}/deny", "denyRegistration", admin, cheap, s.denyRegistration).Fails(notFound),
		httpapi.JSON("POST /_narthex/admin/v1/registrations/{userId}/revoke", "revokeRegistration", admin, cheap, s.revokeRegistration).Fails(notFound),
		httpapi.JSON("GET /_narthex/admin/v1/audit", "listAudit", admin, cheap, s.listAudit),
		httpapi.JSON("GET /_narthex/admin/v1/reports", "listReports", admin, cheap, s.listReports),

		httpapi.JSON("GET /_synapse/admin/v2/users", "listUsers", admin, cheap, s.listUsers),
		httpapi.JSON("GET /_synapse/admin/v3/users", "listUsersV3", admin, cheap, s.listUsersV3),
		httpapi.JSON("GET /_synapse/admin/v2/users/{userId}", "getUser", admin, cheap, s.getUser).Fails(notFound),
		httpapi.JSON("PUT /_synapse/admin/v2/users/{userId}", "putUser", admin, httpapi.Expensive, s.putUser).
			Fails(errcode.InvalidUsername, errcode.WeakPassword),
		httpapi.JSON("POST /_synapse/admin/v1/deactivate/{userId}", "deactivateUser", admin, cheap, s.deactivateUser).Fails(notFound),
		httpapi.JSON("POST /_synapse/admin/v1/reset_password/{userId}", "resetPassword", admin, httpapi.Expensive, s.resetPassword).
			Fails(notFound, errcode.WeakPassword),
		httpapi.JSON("PUT /_synapse/admin/v1/suspend/{userId}", "suspendUser", admin, cheap, s.suspendUser).Fails(notFound),

		httpapi.JSON("GET /_synapse/admin/v2/users/{userId}/devices", "listUserDevices", admin, cheap, s.listUserDevices).Fails(notFound),
		httpapi.JSON("GET /_synapse/admin/v2/users/{userId}/devices/{deviceId}", "getUserDevice", admin, cheap, s.getUserDevice).Fails(notFound),
		httpapi.JSON("DELETE /_synapse/admin/v2/users/{userId}/devices/{deviceId}", "deleteUserDevice", admin, cheap, s.deleteUserDevice).Fails(notFound),
		httpapi.JSON("POST /_synapse/admin/v2/users/{userId}/delete_devices", "deleteUserDevices", admin, cheap, s.deleteUserDevices).Fails(notFound),

		httpapi.JSON("GET /_synapse/admin/v1/registration_tokens", "listRegistrationTokens", admin, cheap, s.listRegistrationTokens),
		httpapi.JSON("POST /_synapse/admin/v1/registration_tokens/new", "createRegistrationToken", admin, cheap, s.createRegistrationToken).Fails(errcode.InvalidParam),
		httpapi.JSON("GET /_synapse/admin/v1/registration_tokens/{token}", "getRegistrationToken", admin, cheap, s.getRegistrationToken).Fails(notFound),
		httpapi.JSON("PUT /_synapse/admin/v1/registration_tokens/{token}", "updateRegistrationToken", admin, cheap, s.updateRegistrationToken).Fails(notFound),
		httpapi.JSON("DELETE /_synapse/admin/v1/registration_tokens/{token}", "deleteRegistrationToken", admin, cheap, s.deleteRegistrationToken).Fails(notFound),

		httpapi.JSON("GET /_synapse/admin/v1/rooms", "listRooms", admin, httpapi.Expensive, s.listRooms),
		httpapi.JSON("GET /_synapse/admin/v1/rooms/{roomId}", "getRoom", admin, cheap, s.getRoom).Fails(notFound),
		httpapi.JSON("GET /_synapse/admin/v1/rooms/{roomId}/members", "getRoomMembers", admin, cheap, s.getRoomMembers).Fails(notFound),
		httpapi.JSON("GET /_synapse/admin/v1/server_version", "getServerVersion", admin, cheap, s.getServerVersion),
	}
}
