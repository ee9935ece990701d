// Package oauth begins and ends sessions: by OAuth 2.0 (authorization code, device
// grant, refresh, revocation, introspection, client registration), and by the
// legacy API (registration, login, refresh, logout, login tokens, Synapse's shared
// secret). It says whom an access token belongs to, and who is signed in to the
// pages in a browser; the pages themselves are package web's.
//
// It owns the tables `access_tokens`, `refresh_tokens`, `login_tokens`,
// `openid_tokens`, `registration_nonces`, `oauth_clients`, `oauth_sessions`,
// `oauth_codes`, `device_grants`, `code_guesses` and `browser_sessions`, and the job
// "oauth.sweep".
//
// Every session, however it was begun, is a device with tokens from one issuer
// here. Tokens and codes are stored as hashes; deleting a device deletes its tokens. A refresh
// token stays good until one of the tokens that replace it is used; using it after
// that ends the session, because then two parties have it. A code is exchanged at
// most once. Whoever is not to sign in (unknown, deactivated, locked, waiting for
// approval) leaves no trace of a session behind, and only the right password
// learns why.
//
// Specification: client-server API, "OAuth 2.0 API" and "Legacy API"; RFC 6749,
// 7009, 7591, 7636, 7662, 8414, 8628, 9207; MSC3866 for accounts that wait for
// approval.
package oauth
