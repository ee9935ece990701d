// Package oauth issues access tokens and says whom they belong to: registration,
// login, refresh and logout of the client-server API.
//
// It owns the table `access_tokens`. Every session, however it was begun, is a
// device with tokens from one issuer here. Tokens are stored as hashes.
package oauth
