// Package oauth begins and ends sessions: registration, login, refresh and logout
// of the client-server API, login tokens, OpenID tokens, and Synapse's
// registration by a shared secret. It says whom an access token belongs to.
//
// It owns the tables `access_tokens`, `refresh_tokens`, `login_tokens`,
// `openid_tokens` and `registration_nonces`, and the job "oauth.sweep".
//
// Every session, however it was begun, is a device with tokens from one issuer
// here. Tokens are stored as hashes; deleting a device deletes them. A refresh
// token stays good until one of the tokens that replace it is used; using it after
// that ends the session, because then two parties have it. Whoever is not to sign
// in (unknown, deactivated, locked, waiting for approval) leaves no trace of a
// session behind, and only the right password learns why.
//
// Specification: client-server API, "Client Authentication" and its legacy API;
// MSC3866 for accounts that wait for approval.
package oauth
