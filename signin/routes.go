package signin

// The endpoints of the client-server API that this package asks. Those of OAuth 2.0
// are in the metadata of each server.
const (
	wellKnownPath            = "/.well-known/matrix/client"
	versionsPath             = "/_matrix/client/versions"
	authMetadataPath         = "/_matrix/client/v1/auth_metadata"
	unstableAuthMetadataPath = "/_matrix/client/unstable/org.matrix.msc2965/auth_metadata"
	authIssuerPath           = "/_matrix/client/v1/auth_issuer"
	unstableAuthIssuerPath   = "/_matrix/client/unstable/org.matrix.msc2965/auth_issuer"
	whoamiPath               = "/_matrix/client/v3/account/whoami"
)
