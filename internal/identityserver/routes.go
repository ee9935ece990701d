package identityserver

// The endpoints of identity servers that are asked (Identity Service API, version 2).
const (
	bindPath        = "/_matrix/identity/v2/3pid/bind"
	unbindPath      = "/_matrix/identity/v2/3pid/unbind"
	hashDetailsPath = "/_matrix/identity/v2/hash_details"
	lookupPath      = "/_matrix/identity/v2/lookup"
	storeInvitePath = "/_matrix/identity/v2/store-invite"
	validKeyPath    = "/_matrix/identity/v2/pubkey/isvalid"
)
