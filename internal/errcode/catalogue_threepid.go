package errcode

// Rows of mail addresses and phone numbers: their validation, what it is good for,
// and the identity service. Some errcodes have several rows, since the two
// specifications give them different statuses.
var (
	TokenIncorrect = row(Code{Key: "TokenIncorrect", Name: "M_TOKEN_INCORRECT", Status: 400,
		Meaning: "The code or token is not the one that was sent. The session stays open until too many were wrong.",
		Client:  "Let the person correct it.",
		Source:  "MSC4183; Identity Service API, submitToken"})
	SessionExpired = row(Code{Key: "SessionExpired", Name: "M_SESSION_EXPIRED", Status: 400,
		Meaning: "The validation session is too old, or too many wrong codes were sent to it.",
		Client:  "Ask for a new code with requestToken.",
		Admin:   "The times are `threepid.token_lifetime` and `threepid.code_lifetime`.",
		Source:  "MSC4183; Identity Service API, Common error codes"})
	SessionNotValidated = row(Code{Key: "SessionNotValidated", Name: "M_SESSION_NOT_VALIDATED", Status: 400,
		Meaning: "Nobody has shown yet that the address of the session is theirs.",
		Client:  "Wait until the person has followed the link or typed the code.",
		Source:  "Identity Service API, Common error codes"})
	NoValidSession = row(Code{Key: "NoValidSession", Name: "M_NO_VALID_SESSION", Status: 404,
		Meaning: "There is no such validation session. A wrong client_secret is answered in the same words.",
		Client:  "Begin the validation again.",
		Source:  "Identity Service API, Common error codes"})
	MissingParams = row(Code{Key: "MissingParams", Name: "M_MISSING_PARAMS", Status: 400,
		Meaning: "A required parameter is missing, at an endpoint of the identity service or at a submit_url, which answers like one.",
		Client:  "Send the parameter that the text names.",
		Source:  "Identity Service API, Common error codes"})
	InvalidEmail = row(Code{Key: "InvalidEmail", Name: "M_INVALID_EMAIL", Status: 400,
		Meaning: "The text is not a mail address.",
		Client:  "Let the person correct it; the text says what is wrong.",
		Source:  "Identity Service API, Common error codes"})
	InvalidAddress = row(Code{Key: "InvalidAddress", Name: "M_INVALID_ADDRESS", Status: 400,
		Meaning: "The phone number is not one that can exist in its country.",
		Client:  "Let the person correct it; the text says what is wrong.",
		Source:  "Identity Service API, Common error codes"})
	EmailSendError = row(Code{Key: "EmailSendError", Name: "M_EMAIL_SEND_ERROR", Status: 400,
		Meaning: "The mail was refused for good on its way.",
		Client:  "Let the person check the address.",
		Admin:   "The log has the mail server's answer; `narthex mail test` sends one.",
		Source:  "Identity Service API, Common error codes"})
	SendError = row(Code{Key: "SendError", Name: "M_SEND_ERROR", Status: 400,
		Meaning: "The text message was refused for good on its way.",
		Client:  "Let the person check the number.",
		Admin:   "The log has the gateway's answer; `narthex sms test` sends one.",
		Source:  "Identity Service API, Common error codes"})
	DestinationRejected = row(Code{Key: "DestinationRejected", Name: "M_DESTINATION_REJECTED", Status: 400,
		Meaning: "The server sends no text messages to numbers of this kind or country.",
		Client:  "Ask for another number, or a mail address.",
		Admin:   "The countries are `sms.countries`.",
		Source:  "Identity Service API, msisdn requestToken"})
	ThreepidInUse = row(Code{Key: "ThreepidInUse", Name: "M_THREEPID_IN_USE", Status: 400, Members: []string{"mxid"},
		Meaning: "The address belongs to an account already. The identity service adds whose (`mxid`) when an invite is stored.",
		Client:  "Offer to sign in, or to reset the password.",
		Source:  "Client-server API, requestToken; Identity Service API, store-invite"})
	ThreepidNotFound = row(Code{Key: "ThreepidNotFound", Name: "M_THREEPID_NOT_FOUND", Status: 400,
		Meaning: "No account has the address.",
		Client:  "Let the person check the address, or use another one.",
		Source:  "Client-server API, password requestToken"})
	ThreepidDenied = row(Code{Key: "ThreepidDenied", Name: "M_THREEPID_DENIED", Status: 403,
		Meaning: "The server's policy does not admit the address.",
		Client:  "Ask for another address.",
		Source:  "Client-server API, Common error codes"})
	ThreepidAuthFailed = row(Code{Key: "ThreepidAuthFailed", Name: "M_THREEPID_AUTH_FAILED", Status: 400,
		Meaning: "The session does not show that the address is the requester's: it is not known, not validated, used, or made for another purpose.",
		Client:  "Validate the address, then try again.",
		Source:  "Client-server API, 3pid/add"})
	ThreepidAuthRefused = row(Code{Key: "ThreepidAuthRefused", Name: "M_THREEPID_AUTH_FAILED", Status: 403,
		Meaning: "As ThreepidAuthFailed, at the older endpoint.",
		Client:  "Validate the address, then try again.",
		Source:  "Client-server API, POST account/3pid"})
	ThreepidStageFailed = row(Code{Key: "ThreepidStageFailed", Name: "M_THREEPID_AUTH_FAILED", Status: 401,
		Meaning: "As ThreepidAuthFailed, in a stage of user-interactive authentication. Sent inside the body of that answer.",
		Client:  "Let the person try the stage again.",
		Source:  "Client-server API, User-Interactive Authentication API"})
	ServerNotTrusted = row(Code{Key: "ServerNotTrusted", Name: "M_SERVER_NOT_TRUSTED", Status: 400,
		Meaning: "The homeserver does not work with the identity server that the request names.",
		Client:  "Leave out id_server, or name another one.",
		Source:  "Client-server API, Common error codes"})
)

// Rows that only the identity service answers.
var (
	TermsNotSigned = row(Code{Key: "TermsNotSigned", Name: "M_TERMS_NOT_SIGNED", Status: 403,
		Meaning: "There are terms of the identity service that the account has not accepted.",
		Client:  "Show what GET terms lists, and POST those that the person accepts.",
		Source:  "Identity Service API, Terms of service"})
	InvalidPepper = row(Code{Key: "InvalidPepper", Name: "M_INVALID_PEPPER", Status: 400, Members: []string{"algorithm", "lookup_pepper"},
		Meaning: "The pepper of the look-up is not the present one, which the answer has.",
		Client:  "Hash again with `lookup_pepper`.",
		Source:  "Identity Service API, Association lookup"})
	TooManyAddresses = row(Code{Key: "TooManyAddresses", Name: "M_TOO_LARGE", Status: 400,
		Meaning: "One request looks up more than 10,000 addresses.",
		Client:  "Look them up in several requests.",
		Source:  "Identity Service API, Association lookup"})
	IdentityUnauthorized = row(Code{Key: "IdentityUnauthorized", Name: "M_UNAUTHORIZED", Status: 401,
		Meaning: "The request needs a token of the identity service and has none that is valid, or the homeserver refused the OpenID token.",
		Client:  "Register with the identity service again.",
		Source:  "Identity Service API, Authentication"})
	NotYours = row(Code{Key: "NotYours", Name: "M_UNAUTHORIZED", Status: 403,
		Meaning: "The token belongs to another user than the request speaks for, or to a homeserver that may not use this identity service.",
		Client:  "Use the token of that user.",
		Source:  "Identity Service API, bind, store-invite"})
)
