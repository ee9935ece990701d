package errcode

// Rows of the OAuth 2.0 endpoints. Their answers have the members `error` and
// `error_description` and never `errcode`: clients look for the Matrix shape
// first, and would take a session that has ended for one that may be retried.
// RFC 6749 section 5.2, RFC 8628 section 3.5, RFC 7591 section 3.2.2.
var (
	InvalidRequest = row(Code{Key: "InvalidRequest", OAuth: "invalid_request", Status: 400,
		Meaning: "A request to an OAuth 2.0 endpoint lacks a parameter, repeats one, or is malformed.",
		Client:  "Mend the request; the description names the parameter.",
		Source:  "RFC 6749 section 5.2"})
	InvalidClient = row(Code{Key: "InvalidClient", OAuth: "invalid_client", Status: 401,
		Meaning: "The client is not known, or has not proved who it is.",
		Client:  "Register again, and use the new client_id.",
		Source:  "RFC 6749 section 5.2"})
	InvalidGrant = row(Code{Key: "InvalidGrant", OAuth: "invalid_grant", Status: 400,
		Meaning: "The code or the refresh token is not known, has been used, has run out, or belongs to another client.",
		Client:  "Drop the session and let the person sign in again.",
		Source:  "RFC 6749 section 5.2"})
	UnauthorizedClient = row(Code{Key: "UnauthorizedClient", OAuth: "unauthorized_client", Status: 400,
		Meaning: "The client has not registered the kind of grant that it uses.",
		Client:  "Register with the grant in grant_types.",
		Source:  "RFC 6749 section 5.2"})
	UnsupportedGrantType = row(Code{Key: "UnsupportedGrantType", OAuth: "unsupported_grant_type", Status: 400,
		Meaning: "The server knows no such grant.",
		Client:  "Use one of the metadata's grant_types_supported.",
		Source:  "RFC 6749 section 5.2"})
	UnsupportedResponseType = row(Code{Key: "UnsupportedResponseType", OAuth: "unsupported_response_type", Status: 400,
		Meaning: "The response_type of an authorization request is not code. The client hears of it by a redirect.",
		Client:  "Use response_type=code.",
		Source:  "RFC 6749 section 4.1.2.1"})
	InvalidScope = row(Code{Key: "InvalidScope", OAuth: "invalid_scope", Status: 400,
		Meaning: "The scope is not one API scope and one device of Matrix, or mixes its two spellings.",
		Client:  "Ask for urn:matrix:client:api:* and urn:matrix:client:device:<id>.",
		Source:  "MSC2967; RFC 6749 section 5.2"})
	AuthorizationPending = row(Code{Key: "AuthorizationPending", OAuth: "authorization_pending", Status: 400,
		Meaning: "Nobody has decided yet about the device that asks.",
		Client:  "Ask again after the interval.",
		Source:  "RFC 8628 section 3.5"})
	SlowDown = row(Code{Key: "SlowDown", OAuth: "slow_down", Status: 400,
		Meaning: "Nobody has decided yet, and the client asks too often.",
		Client:  "Lengthen the interval by 5 seconds, for good.",
		Source:  "RFC 8628 section 3.5"})
	AccessDenied = row(Code{Key: "AccessDenied", OAuth: "access_denied", Status: 400,
		Meaning: "The sign-in was refused: by the person, or because the account is deactivated, locked or awaits approval.",
		Client:  "Show the description, and stop.",
		Source:  "RFC 8628 section 3.5; RFC 6749 section 4.1.2.1"})
	ExpiredDeviceCode = row(Code{Key: "ExpiredDeviceCode", OAuth: "expired_token", Status: 400,
		Meaning: "The device code has run out.",
		Client:  "Begin the sign-in again.",
		Source:  "RFC 8628 section 3.5"})
	InvalidRedirectURI = row(Code{Key: "InvalidRedirectURI", OAuth: "invalid_redirect_uri", Status: 400,
		Meaning: "A redirect URI of the registration breaks the rules for its kind of application.",
		Client:  "Register another one; the description says which and why.",
		Source:  "RFC 7591 section 3.2.2; MSC2966"})
	InvalidClientMetadata = row(Code{Key: "InvalidClientMetadata", OAuth: "invalid_client_metadata", Status: 400,
		Meaning: "A member of the registration is not valid.",
		Client:  "Mend it; the description says which and why.",
		Source:  "RFC 7591 section 3.2.2"})
)
