package errcode

import "slices"

var all []*Code

// Catalogue gives every row, in the order of the source.
func Catalogue() []*Code { return slices.Clone(all) }

// Lookup gives the rows whose key or errcode, stable or unstable, is name.
func Lookup(name string) []*Code {
	var found []*Code
	for _, c := range all {
		if c.Key == name || c.Name == name || c.OAuth == name {
			found = append(found, c)
			continue
		}
		for _, w := range WireForms(c) {
			if w.Errcode == name || w.hasValue(name) {
				found = append(found, c)
				break
			}
		}
	}
	return found
}

// row adds a row to the catalogue. It runs in variable initialisers only.
func row(c Code) *Code {
	all = append(all, &c)
	return &c
}

// General rows: tokens, syntax, limits. Client-server API, "Common error codes".
var (
	Unknown = row(Code{Key: "Unknown", Name: "M_UNKNOWN", OAuth: "server_error", Status: 500,
		Meaning: "Something failed inside the server. The text carries the request id and nothing else.",
		Client:  "Try again later; show the request id.",
		Admin:   "Search the log for the request id: the whole error is logged once, at level error.",
		Source:  "Client-server API, Common error codes"})
	Unrecognized = row(Code{Key: "Unrecognized", Name: "M_UNRECOGNIZED", Status: 404,
		Meaning: "The server has no such endpoint.",
		Client:  "Treat the feature as not supported.",
		Source:  "Client-server API, API standards"})
	WrongMethod = row(Code{Key: "WrongMethod", Name: "M_UNRECOGNIZED", Status: 405,
		Meaning: "The endpoint exists, but not with this method. The Allow header lists those it has.",
		Client:  "Use one of the methods in Allow.",
		Source:  "Client-server API, API standards"})
	UnrecognizedValue = row(Code{Key: "UnrecognizedValue", Name: "M_UNRECOGNIZED", Status: 400,
		Meaning: "A value that selects a behaviour is not one that the server knows.",
		Client:  "Use a value that the specification lists for this member.",
		Source:  "Client-server API, Common error codes"})
	MissingToken = row(Code{Key: "MissingToken", Name: "M_MISSING_TOKEN", Status: 401,
		Meaning: "The request needs an access token and has none.",
		Client:  "Sign in and send the token as `Authorization: Bearer …`.",
		Source:  "Client-server API, Using access tokens"})
	UnknownToken = row(Code{Key: "UnknownToken", Name: "M_UNKNOWN_TOKEN", Status: 401, Members: []string{"soft_logout"},
		Meaning: "The access token is not known: signed out, revoked, or never issued.",
		Client:  "Drop the session and its keys, and sign in again.",
		Source:  "Client-server API, Soft logout"})
	ExpiredToken = row(Code{Key: "ExpiredToken", Name: "M_UNKNOWN_TOKEN", Status: 401, Members: []string{"soft_logout"},
		Meaning: "The access token has expired; the session still exists (`soft_logout` is true).",
		Client:  "Use the refresh token, or sign in again with the same device id; keep the keys.",
		Source:  "Client-server API, Refreshing access tokens"})
	UserLocked = row(Code{Key: "UserLocked", Name: "M_USER_LOCKED", Status: 401, Members: []string{"soft_logout"},
		Meaning: "An administrator has locked the account. Sessions are kept (`soft_logout` is true).",
		Client:  "Say so, keep the session, offer to sign out.",
		Admin:   "Unlock with the admin API (`PUT /_matrix/client/v1/admin/lock/{userId}`).",
		Source:  "Client-server API, Account locking"})
	UserSuspended = row(Code{Key: "UserSuspended", Name: "M_USER_SUSPENDED", Status: 403,
		Meaning: "An administrator has suspended the account: it may read and leave rooms, and do nothing else.",
		Client:  "Say so; offer only what a suspended account may do.",
		Admin:   "Lift it with `PUT /_matrix/client/v1/admin/suspend/{userId}`.",
		Source:  "Client-server API, Account suspension"})
	UserDeactivated = row(Code{Key: "UserDeactivated", Name: "M_USER_DEACTIVATED", Status: 403,
		Meaning: "The account has been deactivated for good.",
		Client:  "Say so. The account cannot come back.",
		Source:  "Client-server API, Login"})
	Forbidden = row(Code{Key: "Forbidden", Name: "M_FORBIDDEN", Status: 403,
		Meaning: "The requester may not do this, or the event fails the room's authorization rules.",
		Client:  "Show the text: it says what is missing.",
		Source:  "Client-server API, Common error codes"})
	GuestAccessForbidden = row(Code{Key: "GuestAccessForbidden", Name: "M_GUEST_ACCESS_FORBIDDEN", Status: 403,
		Meaning: "Guests may not use this endpoint, or the room does not admit guests.",
		Client:  "Offer to make a full account.",
		Source:  "Client-server API, Guest access"})
	NotFound = row(Code{Key: "NotFound", Name: "M_NOT_FOUND", Status: 404,
		Meaning: "There is nothing here that the requester may see.",
		Client:  "Treat it as absent.",
		Source:  "Client-server API, Common error codes"})
	NotJSON = row(Code{Key: "NotJSON", Name: "M_NOT_JSON", Status: 400,
		Meaning: "The body is not valid JSON in UTF-8.",
		Client:  "Send a JSON object encoded as UTF-8.",
		Source:  "Client-server API, Common error codes"})
	BadJSON = row(Code{Key: "BadJSON", Name: "M_BAD_JSON", Status: 400,
		Meaning: "The body is JSON, but not of the right shape: a wrong type, a member twice, nested too deeply.",
		Client:  "Correct the member that the text names.",
		Source:  "Client-server API, Common error codes"})
	ServerManaged = row(Code{Key: "ServerManaged", Name: "M_BAD_JSON", Status: 405,
		Meaning: "The server writes account data of this type itself (m.fully_read, m.push_rules).",
		Client:  "Use the endpoints for read markers and push rules.",
		Source:  "Client-server API, Client Config"})
	RuleAnchorNotFound = row(Code{Key: "RuleAnchorNotFound", Name: "M_UNKNOWN", Status: 400,
		Meaning: "The push rule named by before or after is not one of the requester's own rules of that kind.",
		Client:  "Read the rules again, and place the rule beside one that exists.",
		Source:  "Client-server API, setPushRule"})
	MissingParam = row(Code{Key: "MissingParam", Name: "M_MISSING_PARAM", Status: 400,
		Meaning: "A required parameter is missing.",
		Client:  "Send the parameter that the text names.",
		Source:  "Client-server API, Common error codes"})
	InvalidParam = row(Code{Key: "InvalidParam", Name: "M_INVALID_PARAM", Status: 400,
		Meaning: "A parameter has a value that cannot be right.",
		Client:  "Correct the parameter that the text names.",
		Source:  "Client-server API, Common error codes"})
	TooLarge = row(Code{Key: "TooLarge", Name: "M_TOO_LARGE", Status: 413,
		Meaning: "The request, or the event built from it, is larger than allowed.",
		Client:  "Send less.",
		Source:  "Client-server API, Size limits"})
	LimitExceeded = row(Code{Key: "LimitExceeded", Name: "M_LIMIT_EXCEEDED", OAuth: "slow_down", Status: 429, Members: []string{"retry_after_ms"},
		Meaning: "Too many requests of this kind. The Retry-After header says how many seconds to wait.",
		Client:  "Wait for Retry-After, then try again.",
		Admin:   "The budgets are `rate_limits` in the configuration.",
		Source:  "Client-server API, Rate limiting"})
	Overloaded = row(Code{Key: "Overloaded", Name: "M_UNKNOWN", OAuth: "temporarily_unavailable", Status: 503,
		Meaning: "The server has more work than it can do, or is shutting down. Nothing was done.",
		Client:  "Wait for Retry-After, then try again.",
		Source:  "RFC 9110, 503 Service Unavailable"})
	StorageUnavailable = row(Code{Key: "StorageUnavailable", Name: "M_UNKNOWN", OAuth: "temporarily_unavailable", Status: 503,
		Meaning: "The server's disk is full, or its database cannot be reached or written. Nothing that was acknowledged before is lost.",
		Client:  "Wait for Retry-After, then send the same again, with the same transaction ID.",
		Admin:   "Make room on the disk of the database, or bring PostgreSQL back; the server needs no restart. The log has the whole error.",
		Source:  "RFC 9110, 503 Service Unavailable"})
)

// Accounts, sign-in and third-party identifiers.
var (
	InteractiveAuth = row(Code{Key: "InteractiveAuth", Name: "", Status: 401, Members: []string{"flows", "params", "session", "completed", "errcode", "error"},
		Meaning: "The request needs user-interactive authentication: the body lists the flows. `errcode` and `error` are there only when a stage has just failed.",
		Client:  "Complete a stage and send the request again with `auth`.",
		Source:  "Client-server API, User-Interactive Authentication API"})
	UserInUse = row(Code{Key: "UserInUse", Name: "M_USER_IN_USE", Status: 400,
		Meaning: "The username is taken, or reserved.",
		Client:  "Ask for another username.",
		Source:  "Client-server API, Account registration"})
	InvalidUsername = row(Code{Key: "InvalidUsername", Name: "M_INVALID_USERNAME", Status: 400,
		Meaning: "The username has characters that are not allowed, or is too long.",
		Client:  "Ask for another username; the text says what is wrong.",
		Source:  "Client-server API, Account registration"})
	WeakPassword = row(Code{Key: "WeakPassword", Name: "M_WEAK_PASSWORD", Status: 400,
		Meaning: "The password is shorter than the server allows.",
		Client:  "Ask for a longer password.",
		Admin:   "The limit is `login.password.min_length`.",
		Source:  "Client-server API, Account registration"})
	UserAwaitingApproval = row(Code{Key: "UserAwaitingApproval", Name: "M_USER_AWAITING_APPROVAL", Status: 403, Members: []string{"approval_notice_medium", "user_id"},
		Meaning: "The account exists and waits for an administrator's decision. Sent at registration and at login, after the credentials have been checked, and nowhere else.",
		Client:  "Tell the person that an administrator has to approve the account, and how they will hear of it (`approval_notice_medium`).",
		Admin:   "`narthex approve list`, then `narthex approve approve @user:server` or `narthex approve deny @user:server`.",
		Source:  "MSC3866"})
	Unauthorized = row(Code{Key: "Unauthorized", Name: "M_UNAUTHORIZED", Status: 401,
		Meaning: "A stage of user-interactive authentication was not passed. Sent inside the body of that answer.",
		Client:  "Let the person try the stage again.",
		Source:  "Client-server API, User-Interactive Authentication API"})
	ThreepidMediumNotSupported = row(Code{Key: "ThreepidMediumNotSupported", Name: "M_THREEPID_MEDIUM_NOT_SUPPORTED", Status: 400,
		Meaning: "The server cannot validate addresses of this medium.",
		Client:  "Do not offer this medium.",
		Source:  "MSC4178"})
)

// Rooms.
var (
	NotJoined = row(Code{Key: "NotJoined", Name: "M_NOT_JOINED", Status: 403,
		Meaning: "The requester is not joined to the room. A room that does not exist is answered in the same words.",
		Client:  "Join the room first, or ask for an invite.",
		Source:  "MSC3848"})
	AlreadyJoined = row(Code{Key: "AlreadyJoined", Name: "M_ALREADY_JOINED", Status: 403,
		Meaning: "The person whose membership would change is joined already.",
		Client:  "Treat it as done: the person is in the room.",
		Source:  "MSC3848"})
	InsufficientPower = row(Code{Key: "InsufficientPower", Name: "M_INSUFFICIENT_POWER", Status: 403,
		Meaning: "The requester's power level in the room is too low. The text says which level is needed.",
		Client:  "Ask a moderator of the room.",
		Source:  "MSC3848"})
	BadState = row(Code{Key: "BadState", Name: "M_BAD_STATE", Status: 403,
		Meaning: "The change makes no sense in the present state, such as unbanning someone who is not banned.",
		Client:  "Refresh what is shown.",
		Source:  "Client-server API, Common error codes"})
	InviteBlocked = row(Code{Key: "InviteBlocked", Name: "M_INVITE_BLOCKED", Status: 403,
		Meaning: "The invited person does not accept invites from the requester.",
		Client:  "Say so; trying again does not help.",
		Source:  "Client-server API, Invite permission"})
	CannotLeaveServerNoticeRoom = row(Code{Key: "CannotLeaveServerNoticeRoom", Name: "M_CANNOT_LEAVE_SERVER_NOTICE_ROOM", Status: 403,
		Meaning: "The invite is to the room in which the server speaks to its user, and cannot be rejected.",
		Client:  "Join the room; it can be left afterwards.",
		Source:  "Client-server API, Server Notices"})
	RoomInUse = row(Code{Key: "RoomInUse", Name: "M_ROOM_IN_USE", Status: 400,
		Meaning: "The alias wanted for the new room is taken.",
		Client:  "Ask for another alias.",
		Source:  "Client-server API, createRoom"})
	AliasInUse = row(Code{Key: "AliasInUse", Name: "M_UNKNOWN", Status: 409,
		Meaning: "The alias already leads to a room.",
		Client:  "Ask for another alias.",
		Source:  "Client-server API, setRoomAlias"})
	InvalidRoomState = row(Code{Key: "InvalidRoomState", Name: "M_INVALID_ROOM_STATE", Status: 400,
		Meaning: "The initial state of the new room contradicts itself or the room version's rules.",
		Client:  "Correct what the text names.",
		Source:  "Client-server API, createRoom"})
	UnsupportedRoomVersion = row(Code{Key: "UnsupportedRoomVersion", Name: "M_UNSUPPORTED_ROOM_VERSION", Status: 400,
		Meaning: "The server does not know the room version.",
		Client:  "Choose a version from /capabilities.",
		Source:  "Client-server API, createRoom"})
	IncompatibleRoomVersion = row(Code{Key: "IncompatibleRoomVersion", Name: "M_INCOMPATIBLE_ROOM_VERSION", Status: 400, Members: []string{"room_version"},
		Meaning: "The room has a version that the server does not know.",
		Client:  "The room cannot be joined from this server.",
		Source:  "Client-server API, joinRoom"})
	BadAlias = row(Code{Key: "BadAlias", Name: "M_BAD_ALIAS", Status: 400,
		Meaning: "An alias of m.room.canonical_alias does not lead to this room.",
		Client:  "Create the alias first, or leave it out.",
		Source:  "Client-server API, setRoomStateWithKey"})
	DuplicateAnnotation = row(Code{Key: "DuplicateAnnotation", Name: "M_DUPLICATE_ANNOTATION", Status: 400,
		Meaning: "The same reaction by the same person is on the event already.",
		Client:  "Treat it as done.",
		Source:  "Client-server API, Event annotations and reactions"})
	NotForgettable = row(Code{Key: "NotForgettable", Name: "M_UNKNOWN", Status: 400,
		Meaning: "A room can be forgotten only after it has been left.",
		Client:  "Leave the room first.",
		Source:  "Client-server API, forgetRoom"})
)

// End-to-end encryption.
var (
	InvalidSignature = row(Code{Key: "InvalidSignature", Name: "M_INVALID_SIGNATURE", Status: 400,
		Meaning: "A signature that a cross-signing key must carry is missing or wrong. For single signatures it is sent inside `failures`, with status 200.",
		Client:  "Sign again with the present keys; if they differ from those of the server, fetch them first.",
		Source:  "Client-server API, Cross-signing"})
	WrongRoomKeysVersion = row(Code{Key: "WrongRoomKeysVersion", Name: "M_WRONG_ROOM_KEYS_VERSION", Status: 403, Members: []string{"current_version"},
		Meaning: "Keys can be written only to the newest backup, and the request names an older one.",
		Client:  "Stop writing to the old backup; use the one that `current_version` names, if it is trusted.",
		Source:  "Client-server API, Server-side key backups"})
)

// Profiles.
var (
	ProfileTooLarge = row(Code{Key: "ProfileTooLarge", Name: "M_PROFILE_TOO_LARGE", Status: 400,
		Meaning: "The whole profile would be larger than 64 KiB.",
		Client:  "Store less in the profile.",
		Source:  "Client-server API, Profiles"})
	KeyTooLarge = row(Code{Key: "KeyTooLarge", Name: "M_KEY_TOO_LARGE", Status: 400,
		Meaning: "The name of the profile field is longer than 255 bytes.",
		Client:  "Use a shorter name.",
		Source:  "Client-server API, Profiles"})
)
